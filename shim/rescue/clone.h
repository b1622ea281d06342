/* SPDX-License-Identifier: MIT */
/*
 * fork() without anybody noticing: no handlers, no SIGCHLD, no child that the app's wait() could return, and
 * no zombie. The copy is the child of a child that ends at once, so init inherits it. Where that is the app
 * itself (pid 1 of a container, a subreaper), it stays our own child without an exit signal, which only
 * waitpid(__WALL) sees, and is reaped when the next copy is made or the next call begins.
 */
#ifndef IDEMSHIM_SHIM_CLONE_H
#define IDEMSHIM_SHIM_CLONE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct clone_kind {
  int *tid;     /* where libc has this thread's id: a copy with the old one would break robust mutexes */
  void *robust; /* libc's list of them, to be registered anew */
  size_t robust_size;
  bool inherits; /* orphans become this process's children */
};

struct clone_kind clone_kind(void);

/* 0 in the copy, in which this thread alone goes on; -1 if it cannot be made. Block all signals before. */
pid_t clone_process(const struct clone_kind *kind);

void clone_reap(void);

/* Ends a copy: no handler, destructor or stream of the app's is run. */
void clone_leave(int status) __attribute__((noreturn));

#endif
