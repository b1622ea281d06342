/* SPDX-License-Identifier: MIT */
/*
 * harness: end-to-end tests that read like sentences.
 *
 * A world is a temporary directory with a store, a log and a mock LLM server of its own. Programs are run in
 * it, under the shim or plain, and the test looks at what a user would see: their output, the server's
 * counts, the log, the store's files. The criterion process itself never loads libcurl or the shim.
 *
 *     TestSuite(replay, .init = open_world, .fini = close_world);     // tests/harness/suite.h
 *
 *     Test(replay, a_second_run_makes_no_call)
 *     {
 *       const char *url = world_url(&w, "/v1/chat/completions");
 *       struct run first = run_shim(&w, "curl", "-sS", "-d", "{}", url, NULL);
 *       struct run again = run_shim(&w, "curl", "-sS", "-d", "{}", url, NULL);
 *
 *       expect_success(&first);
 *       expect_same_output(&first, &again);
 *       cr_expect_eq(mock_count(&w).served, 1);
 *       cr_expect_eq(log_events(&w, "hit"), 1);
 *       run_release(&first);
 *       run_release(&again);
 *     }
 *
 * What goes wrong in the harness itself (a server that does not start, a deadline missed) ends the test with
 * a message. Tests run in any number at once, as any user, from the top of the source tree.
 *
 * From the environment: IDEM_BUILD, the build directory (default "build"); IDEM_SAN_PRELOAD, a sanitizer's
 * runtime that must come before the shim in LD_PRELOAD; IDEM_RUN_DEADLINE_MS, in place of RUN_DEADLINE_MS.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A world. */

enum { WORLD_TLS = 1 };

struct world {
  char build[PATH_MAX]; /* absolute */
  char dir[256];        /* the world's own; HOME of the programs that run in it */
  char store[272];      /* IDEMSHIM_STORE; not made yet */
  char log[272];        /* IDEMSHIM_LOG; not made yet */
  int port;             /* of the mock, 127.0.0.1 */
  int tls_port;         /* with WORLD_TLS, else 0 */
  char ca[PATH_MAX];    /* with WORLD_TLS: whom to trust, also in CURL_CA_BUNDLE */

  pid_t mock; /* the rest is the harness's own */
  int mock_input;
  char **env;
  size_t env_count;
  const void *input;
  size_t input_len;
  char texts[16][512];
  unsigned next_text;
};

/*
 * Opens a world. Programs get the test's own environment without proxies and IDEMSHIM_*, with PATH led by the
 * build's programs and clients, and under the shim: IDEMSHIM_STORE, IDEMSHIM_LOG, IDEMSHIM_SYNC=off,
 * IDEMSHIM_CONFIG=none and IDEMSHIM_HOSTS, which names the mock's ports. Plain programs get all of it but
 * LD_PRELOAD, so that `idemshim stats` finds the store.
 */
void world_open(struct world *w, int flags);

/* Stops the mock, kills what programs have left behind and removes the directory. A world that was never
 * opened (all zero) is fine. */
void world_close(struct world *w);

/* How many processes of this world outlive the program that started them. */
int world_orphans(const struct world *w);

/* Calls `visit` for each process that this one would wait for but the mock; the sum of what it returns. */
int world_each_child(const struct world *w, int (*visit)(pid_t pid));

/* Sets a variable for the programs from now on; or takes it away. */
void world_env(struct world *w, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_unset(struct world *w, const char *name);

/* Programs have a store from now on that nobody has used. For clients that bring a server of their own: the
 * kernel may give it the port that an earlier client's had, and what that one left in the store is the answer
 * then. */
void world_store_anew(struct world *w);

/* "http://127.0.0.1:PORT" and target, or https; printf with room for 16 results that live at the same time.
 */
const char *world_url(struct world *w, const char *target);
const char *world_tls_url(struct world *w, const char *target);
const char *world_text(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* DIR/name in the world's directory. world_write makes a file there; both return the path, as world_text
 * does. */
const char *world_path(struct world *w, const char *name);
const char *world_write(struct world *w, const char *name, const void *bytes, size_t len);

/* True if the build made this program or client (the GnuTLS flavour may be missing on a machine). */
bool world_has(const struct world *w, const char *program);

/* Programs. */

struct run {
  pid_t pid;       /* 0: not running */
  int status;      /* exit status, or -1 */
  int signal;      /* that ended it, or 0 */
  bool timed_out;  /* it was killed after RUN_DEADLINE_MS */
  int64_t ms;      /* from fork to its end */
  char *out, *err; /* with a NUL after the last byte */
  size_t out_len, err_len;

  int out_fd, err_fd;
  struct timespec started;
};

enum { RUN_DEADLINE_MS = 60000 };

/* Runs a program to its end (its own end: children that outlive it are not waited for). Arguments end with
 * NULL. */
struct run run_shim(struct world *w, const char *program, ...) __attribute__((sentinel));
struct run run_plain(struct world *w, const char *program, ...) __attribute__((sentinel));
struct run run_argv(struct world *w, bool shim, const char *const *argv);

/* Arguments with which any curl does what --json does since 7.82; and the same as words of a
 * shell, before the body. */
#define CURL_JSON(body) "-H", "Content-Type: application/json", "-H", "Accept: application/json", "-d", (body)
#define CURL_JSON_WORDS "-H 'Content-Type: application/json' -H 'Accept: application/json' -d"

/* `sh -c script` under the shim, as is everything that it starts; or plain. */
struct run run_shell(struct world *w, const char *script);
struct run run_shell_plain(struct world *w, const char *script);

/* `sh -c script` plain, on a terminal of so many columns; its output is all that came to the terminal. Skips
 * the test where no terminal can be made, as on a machine without /dev/pts. */
struct run run_terminal(struct world *w, int columns, const char *script);

/* The next program, and only that one, reads this from its standard input (otherwise: nothing). */
void run_input(struct world *w, const void *bytes, size_t len);

/* In the background. Look at what it has written so far; signal it; wait for its end. */
struct run start_shim(struct world *w, const char *program, ...) __attribute__((sentinel));
struct run start_plain(struct world *w, const char *program, ...) __attribute__((sentinel));
struct run start_argv(struct world *w, bool shim, const char *const *argv);
/* LD_PRELOAD=..., with a sanitizer's runtime before the shim: for a program that another one
 * starts, as strace does. */
const char *world_preload(struct world *w);
void run_look(struct run *run);
void run_signal(struct run *run, int signal);
void run_wait(struct run *run);

/* Frees what a run holds; kills it if it still runs. */
void run_release(struct run *run);

/* The mock. */

/* See tests/mock/main.c for what counts. Exact: what a client has read whole is in `served`. */
struct mock_counts {
  long requests, served, work, connections;
};
struct mock_counts mock_count(struct world *w);

/* The requests so far, oldest first: {"serial", "method", "path", "headers": {name: [value]}, "body",
 * "body_size"}. The caller's to json_decref(). */
json_t *mock_requests(struct world *w);

/* A header's first value in one of them, any case; or NULL. */
const char *mock_header(const json_t *request, const char *name);

/* How requests are answered that do not say themselves (X-Mock header, ?mock=): the names of
 * tests/mock/script.h. */
void mock_default(struct world *w, const char *script);

/* Forgets counts, requests, default and keys. */
void mock_reset(struct world *w);

/* Lays down what /wire/NAME answers (tests/mock/wire.h). */
void mock_lay(struct world *w, const char *name, const char *response, size_t len);

/* Lets so many pieces of answers go that are held (hold=1). */
void mock_release(struct world *w, unsigned pieces);

/* Opens the gates whose names begin so (gate=NAME), until a reset. */
void mock_open(struct world *w, const char *beginning);

/* Ends the server; its ports refuse from now on. */
void mock_stop(struct world *w);

/* Another one, without TLS, on another port. In the old one an answer that its client has left may still be
 * held, and would take a piece that is let go for a later one. */
void mock_start_anew(struct world *w);

/* Evidence. */

/* How many lines of the log are JSON with "event": name; true if the text occurs in the log. */
int log_events(const struct world *w, const char *name);
/* How often a text has another one in it, one behind the other. */
int count_of(const char *text, const char *needle);
bool log_contains(const struct world *w, const char *text);

/* The last line of the log with "event": name, or NULL. The caller's to json_decref(). */
json_t *log_last(const struct world *w, const char *name);

/* A whole file with a NUL after it, the caller's to free(); NULL if there is none. */
char *file_read(const char *path, size_t *len);

/* True if the bytes occur in a file, or in any file below a directory. */
bool file_contains_bytes(const char *path, const void *needle, size_t len);
bool file_contains(const char *path, const char *text);

/* Removes the header lines that mark a replay from a header dump, in place; returns how many there were. */
int strip_marks(char *headers);

/* Removes in place from lines of post.h's reply_print() what no two answers have the same. */
void strip_checksums(char *text);

/* Says "bytes=read" in place where a line of post.h's reply_print() tells of no more than one read of
 * libcurl's, which is longer where the header came alone. libcurl 8.14 ends with that a transfer whose handle
 * is reset in a callback. */
void strip_one_read(char *lines);

/* Each fails the test with what differs; `what` names it in the message. */
void expect_same_bytes(const char *what, const void *a, size_t a_len, const void *b, size_t b_len);
void expect_same_output(const struct run *a, const struct run *b);
void expect_success(const struct run *run);

/* True while a process waits for another one's word, as a follower does for its owner. */
bool run_sleeps_on_a_futex(pid_t pid);

/* Waits for a condition, looking again every few milliseconds; ends the test if it does not come true in
 * half of RUN_DEADLINE_MS. */
#define wait_until(condition)                                                                                \
  do {                                                                                                       \
    struct timespec wait_began;                                                                              \
    clock_gettime(CLOCK_MONOTONIC, &wait_began);                                                             \
    while (!(condition))                                                                                     \
      wait_more(&wait_began, __FILE__, __LINE__, #condition);                                                \
  } while (0)
void wait_more(const struct timespec *began, const char *file, int line, const char *condition);

#endif
