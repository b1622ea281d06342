/* SPDX-License-Identifier: MIT */
/*
 * The app's epoll sets. What they watch is a connection, not a number: one that goes on in another process
 * would be reported for ever under a number that is something else by now.
 */
#ifndef IDEMSHIM_SHIM_WATCHERS_H
#define IDEMSHIM_SHIM_WATCHERS_H

#include <stdint.h>

enum { WATCHERS_MOST = 8 };

struct epoll_registrations {
  int fd; /* that they watch */
  struct epoll_registration {
    int epoll;
    uint32_t events;
    uint64_t data;
  } epoll_registration[WATCHERS_MOST];
  unsigned count;
};

/* Ends every watch of `fd`; and begins them anew, on what has the number then. */
void epoll_save(struct epoll_registrations *epoll_registrations, int fd);
void epoll_restore(const struct epoll_registrations *epoll_registrations);

#endif
