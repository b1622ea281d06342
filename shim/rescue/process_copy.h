/* SPDX-License-Identifier: MIT */
/*
 * process_copy: fork() without anybody noticing, and what makes the copy a process of its own.
 *
 *     struct process_copy_kind kind = process_copy_kind();
 *     ...all locks are taken, and all signals blocked...
 *     pid_t pid = process_copy_make(&kind);
 *     if (pid == 0)
 *       process_copy_isolate(&isolation);        // nothing is left of the app's that anybody could notice
 *
 * What it must not have mapped (mappings.h) it lets go before it is a process of its own, and so never has
 * it.
 *
 * No handler is run, there is no SIGCHLD, no child that the app's wait() could return, and no zombie. The
 * copy is the child of a child that ends at once, so init inherits it. Where that is the app itself (pid 1 of
 * a container, a subreaper), it stays our own child without an exit signal, which only waitpid(__WALL) sees,
 * and is reaped when the next copy is made or the next call begins.
 *
 * Any thread may make one. A copy may wait for ever for a lock, malloc's for one, that a thread held which is
 * not in it: so it lives by an interval timer, which kills it unless it is set anew.
 */
#ifndef IDEMSHIM_SHIM_PROCESS_COPY_H
#define IDEMSHIM_SHIM_PROCESS_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_copy_kind {
  int *tid;     /* where libc has this thread's id: a copy with the old one would break robust mutexes */
  void *robust; /* libc's list of them, to be registered anew */
  size_t robust_size;
  bool inherits; /* orphans become this process's children */
};

/* Asks the kernel how this thread is to be copied. */
struct process_copy_kind process_copy_kind(void);

/* 0 in the copy, in which this thread alone goes on; -EAGAIN if it cannot be made, -EBUSY if it could not let
 * go of what is the app's alone. */
pid_t process_copy_make(const struct process_copy_kind *kind);

/* Bytes of memory that this process has in use, which is what copying it costs; UINT64_MAX if /proc does not
 * tell. */
uint64_t process_copy_resident(void);

/* Takes note of copies that have ended, where the app itself is who inherits orphans. */
void process_copy_reap(void);

/* Ends a copy: no handler, destructor or stream of the app's is run. */
void process_copy_leave(int status) __attribute__((noreturn));

enum { PROCESS_COPY_KEEPS = 16 };

struct isolation {
  const char *name; /* see process_copy_name() */
  pid_t owner;      /* the app */
  int dead; /* stands in for every descriptor that is not kept: their numbers must not be used again, for
               libcurl has them noted */
  unsigned seconds; /* it is killed after that time */
  int keep[PROCESS_COPY_KEEPS];
  unsigned count;
};

static inline void process_copy_keep_fd(struct isolation *isolation, int fd)
{
  if (isolation->count < PROCESS_COPY_KEEPS)
    isolation->keep[isolation->count++] = fd;
}

/* In the copy: a session of its own, the descriptors that are kept and no others, signals at their
 * defaults and open. */
void process_copy_isolate(struct isolation *isolation);

/* In the copy: what people find it under who list processes, "idemshim-rescue" for one. The command line has
 * the owner's pid and command line besides, where the kernel allows that. */
void process_copy_name(const char *name, pid_t owner);

/* How long a copy may take for one turn of libcurl's loop, in which it waits for a second at most when
 * nothing happens; and for a commit, which waits for a disk. */
enum { PROCESS_COPY_TURN_SECONDS = 15, PROCESS_COPY_COMMIT_SECONDS = 120 };

/* It is killed unless it comes here again within that time. */
void process_copy_kill_after(unsigned seconds);

#endif
