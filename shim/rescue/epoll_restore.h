/* SPDX-License-Identifier: MIT */
/*
 * The app's epoll sets. What they watch is a connection, not a number: one that goes on in another process
 * would be reported for ever under a number that is something else by now.
 */
#ifndef IDEMSHIM_SHIM_WATCHERS_H
#define IDEMSHIM_SHIM_WATCHERS_H

#include <stdint.h>

enum { WATCHERS_MOST = 8 };

struct watchers {
  int fd; /* that they watch */
  struct watcher {
    int epoll;
    uint32_t events;
    uint64_t data;
  } watcher[WATCHERS_MOST];
  unsigned count;
};

/* Ends every watch of `fd`; and begins them anew, on what has the number then. */
void watchers_take(struct watchers *watchers, int fd);
void watchers_put_back(const struct watchers *watchers);

#endif
