/* SPDX-License-Identifier: MIT */
/*
 * link: a connection to a server inside of somebody else's process.
 *
 *     struct link link;
 *     int rc = link_open(&link, &place, link_clock_us() + 100000);
 *     link_allow(&link, 250, until_us);                        // for all that follows, until it is set again
 *     rc = link_send(&link, LINK_WORDS({"PING", 4}));          // any number, then as many reads
 *     rc = link_read(&link, &reply);
 *     link_close(&link);
 *
 * What hiredis' own sockets lack is here: a peer that has gone raises no SIGPIPE; a deadline is one moment,
 * however many reads it takes, so that a server that sends a byte now and then holds nobody; the descriptor
 * is closed on exec, is above 2, and is closed by us only if it is still the file that we opened. Nothing
 * here makes a thread, takes a lock, or touches a signal.
 *
 * On a machine whose processes starve it is not the server that is late. So the deadline moves on by the time
 * in which we did not run, up to `until_us`, by which the caller has to be told; and nobody is late whose
 * bytes are there by then.
 *
 * 0 or -errno, with a line in link.error: -ETIMEDOUT; -ECONNREFUSED, -ECONNRESET and others of the system;
 * -EPROTO for what is no reply; -EMSGSIZE for one that is too long. After a failure a link can only be
 * closed.
 */
#ifndef IDEMSHIM_FLEET_LINK_H
#define IDEMSHIM_FLEET_LINK_H

#include "fleet/reply.h"

#include <sys/types.h>
#include <time.h>

struct tls;
struct ssl_st;

struct link_place {
  const char *host; /* or the path of a socket, */
  uint16_t port;    /* if this is 0 */
  struct tls *tls;  /* NULL: plain */
  size_t most;      /* bytes that a reply may have */
};

/* One thread's at a time: a client's slots see to that. */
struct link {
  int fd;       /* -1: it is not open */
  dev_t device; /* the file that was opened, with its inode */
  ino_t inode;
  int64_t deadline_us; /* of link_clock_us(); 0: nothing is waited for */
  int64_t until_us;    /* it moves no further; 0: it does not move */
  int64_t looked_us;   /* when we ran last, */
  int64_t waited_us;   /* and of the time since the deadline was set, for how long we ran */
  struct ssl_st *ssl;  /* points back here: a link that is open stays where it is */
  struct reply_reader reader;
  unsigned unread; /* replies that are still to come */
  char error[160];
};

/* A word of a command. It may have any bytes, and belongs to the caller. What the macros make lives to the
 * end of the block that they stand in. */
struct link_word {
  const char *data;
  size_t len;
};
#define LINK_WORDS(...)                                                                                      \
  (const struct link_word[]){__VA_ARGS__},                                                                   \
      sizeof((const struct link_word[]){__VA_ARGS__}) / sizeof(struct link_word)
#define LINK_TEXT(text)                                                                                      \
  {                                                                                                          \
    (text), strlen(text)                                                                                     \
  }

/* The deadline is in `ms`, and no later than `until_us`. */
void link_allow(struct link *link, uint64_t ms, int64_t until_us);
/* Looks the host up, connects and shakes hands, all by the deadline, which the link then has. What was in
 * `link` is not looked at; after a failure, too, it has to be closed. `place` need not stay. -EACCES: the
 * certificate, as link.error says. */
int link_open(struct link *link, const struct link_place *place, uint64_t ms, int64_t until_us);

/* Composes a command of at most 64 words and writes all of it. The bytes are copied once, so a large value
 * costs its size for that time. -EINVAL: too many words; -ENOMEM. */
int link_send(struct link *link, const struct link_word *words, size_t count);
/* Several in one write, so that all replies are there after one wait; each is read by itself. */
struct link_command {
  const struct link_word *words;
  size_t count;
};
enum { LINK_COMMANDS = 4 };
int link_send_several(struct link *link, const struct link_command *commands, size_t count);

/* The next reply, the caller's to reply_free(). Its errors are replies, too. With `deadline_us` 0 nothing is
 * waited for: -EAGAIN, and no failure, if it has not come. */
int link_read(struct link *link, struct reply **out);

/* Whether the file is still ours: an app that closes every descriptor, as daemons do, may have another file
 * under the number by now. And false for idle: the other side has closed it, or said what nobody asked for,
 * or a reply is still to be read. */
bool link_is_whole(const struct link *link);
bool link_is_idle(const struct link *link);
/* The same without a system call where it was used within the last second: what has come since then is not
 * seen. */
bool link_was_idle(const struct link *link);

/* For a link of a parent's or of nobody any more: no farewell is said. Closing what is not open is fine. */
void link_close(struct link *link);

/* CLOCK_MONOTONIC, in µs. */
static inline int64_t link_clock_us(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* For tls.c: waits for POLLIN or POLLOUT, at most to the link's deadline; for lookup.c, to its own. 0,
 * -ETIMEDOUT, or -errno. */
struct pollfd;
int link_wait(struct link *link, short events);
int link_poll(struct pollfd *fds, unsigned count, int64_t deadline_us);
/* A socket as described above, or -errno. */
int link_socket(int family, int type, int protocol);
/* Sets link->error from a code, and returns it. `what` is what was being done, or a host's name; never
 * anything secret. */
int link_fail(struct link *link, int code, const char *what);

#endif
