/* SPDX-License-Identifier: MIT */
/*
 * fidelity NAME HTTP-URL [HTTPS-URL]
 * fidelity --libcurl                   the number of the libcurl's version
 * fidelity --infos                     the infos of curl.h that infos.c does not compare
 *
 * Performs a scenario against the mock server and prints everything that an app can observe: callbacks with
 * their sizes and bytes, results, error texts, infos, headers, cookies. What differs from one run to the next
 * by its nature is printed as what it is: a time as "some" or "none", a date as "*". A line that begins with
 * "~" tells of the connection, which a replay does not have: it is compared between the two live runs alone.
 * One that begins with "|" tells how the network has cut the body: it is compared with the replays alone, and
 * of "body" lines in a row with nothing between them the last one counts where it is not compared.
 *
 *     void body_of_five_bytes(void)
 *     {
 *       struct watch w;
 *       serve("five", OK "Content-Length: 5\r\n\r\nhello");
 *       watch_open(&w, "five");
 *       watch_perform(&w);
 *       watch_close(&w);
 *     }
 */
#ifndef FIDELITY_H
#define FIDELITY_H

#include "shim/libcurl/curl_compat.h"
#include "tests/fidelity/scenarios.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The scenario that is performed. */
extern const struct scenario *scenario;

/* The server. */

/* Heads of responses; the blank line is the caller's, after what else it sends. The mock closes behind each.
 */
#define CLOSE "Connection: close\r\n"
#define OK    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" CLOSE
#define EMPTY "Content-Length: 0\r\n\r\n"
#define HELLO "Content-Length: 5\r\n\r\nhello"
/* Three seconds, in which a timeout passes however late it is noticed. */
#define GAPS  "\1\1\1\1\1\1\1\1\1\1"
#define STALL GAPS GAPS GAPS GAPS GAPS GAPS GAPS GAPS GAPS GAPS

/* Lays down what /wire/NAME answers (tests/mock/wire.h). Ends the program if the mock is not there. */
void serve(const char *name, const char *text);

/* The same without the marks for pauses and further responses. */
void serve_bytes(const char *name, const char *text, size_t len);

/* `head`, a Content-Length, a blank line, and `len` bytes of filler, which are the same each time. */
void serve_filler(const char *name, const char *head, size_t len);

/* "http://127.0.0.1:PORT/wire/NAME", and https; valid until the eighth one after it. */
const char *wire_url(const char *name);
const char *wire_tls_url(const char *name);
const char *base_url(void);
const char *base_tls_url(void);

/* "127.0.0.1:PORT", and the port. */
const char *server_address(void);
long server_port(void);

/* A file in the directory of the run: its name, without its contents; and its contents on the output. */
const char *own_file(const char *name);
void print_file(const char *title, const char *path);

/* Printing. */

void say(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `what`, the length, and the bytes: escaped if they are few, else their sum. */
void say_bytes(FILE *out, const char *what, const char *bytes, size_t len);

/* A handle, and callbacks that print. */

struct watch;

/* At the n-th call (1 is the first) a callback returns `value` and not what it was given. */
struct verdict {
  int at;
  size_t value;
};

struct watch {
  CURL *easy;
  FILE *out; /* stdout; or what the handle prints is kept until watch_close() */
  char *kept;
  size_t kept_len;
  char error[CURL_ERROR_SIZE];

  struct verdict write, header;
  void (*in_write)(struct watch *w, int call); /* may be NULL */
  void (*in_header)(struct watch *w, int call);
  int (*in_progress)(struct watch *w, curl_off_t down_total, curl_off_t down);
  int writes, headers, reads;
  bool inside;    /* a callback */
  bool old_speed; /* may be left over from the transfer before */
  size_t header_bytes, body_len;
  uint64_t body_sum;

  struct {
    int calls;
    bool starts_at_zero, grows;
    curl_off_t last[4]; /* down total, down, up total, up */
  } progress;
  void *data; /* the scenario's own */
};

/* A handle that POSTs {"q":"NAME"} to /wire/NAME and watches its header, its body and its error buffer. */
void watch_open(struct watch *w, const char *name);

/* The same without any option. */
void watch_bare(struct watch *w);

/* The callbacks and the error buffer, also for a handle that was made otherwise; the URL and the body. */
void watch_attach(struct watch *w);
void watch_post(struct watch *w, const char *name);

/* What this handle prints stays together: several run at once. */
void watch_apart(struct watch *w);

/* Sets the progress callback; its facts are printed when a transfer has ended. */
void watch_progress(struct watch *w);

/* "perform", what happens, and how it ended. */
CURLcode watch_perform(struct watch *w);

/* The lines around a transfer, for whoever runs it otherwise. */
void watch_begin(struct watch *w);
void watch_end(struct watch *w, CURLcode code);

void watch_close(struct watch *w);

/* All of it: `setup` (may be NULL) sets what the scenario is about; the second one asks for the infos
 * afterwards. */
void perform_with(const char *name, void (*setup)(struct watch *w));
void perform_and_ask(const char *name, void (*setup)(struct watch *w));

size_t watch_write(char *data, size_t size, size_t count, void *watch);
size_t watch_header(char *line, size_t size, size_t count, void *watch);
int watch_xferinfo(void *watch, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up);

/* setopt, and a line if libcurl refuses. */
#define set(w, option, value) watch_set(w, #option, curl_easy_setopt((w)->easy, CURLOPT_##option, value))
void watch_set(struct watch *w, const char *option, CURLcode code);

/* Asking. */

void say_infos(struct watch *w);               /* all of them */
void say_info(struct watch *w, CURLINFO info); /* one */
void print_unknown_infos(void);
void say_headers(struct watch *w, unsigned origin, int request); /* curl_easy_nextheader over all */
void say_header(struct watch *w, const char *name, size_t index, unsigned origin, int request);
void say_list(FILE *out, const char *title, const struct curl_slist *list);
void say_cookies(struct watch *w);

#define ANY_ORIGIN (CURLH_HEADER | CURLH_TRAILER | CURLH_CONNECT | CURLH_1XX | CURLH_PSEUDO)

/* The functions of the cases. */
#define X(name, function, ...) void function(void);
SCENARIOS(X)
#undef X

/* True if the libcurl that runs is at least this one: 0x075300 is 7.83.0. */
bool libcurl_is(unsigned version);

#endif
