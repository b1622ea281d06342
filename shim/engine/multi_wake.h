/* SPDX-License-Identifier: MIT */
/*
 * multi_wake: what wakes an app's loop when an answer of its multi has been stored (messages.h): no transfer
 * of libcurl's is left that would. It is a timer's descriptor, open while answers are being stored: the
 * thread that stores them sets it off, and it goes off by itself at the first of the calls' deadlines.
 *
 *     gather.written = multi_wake_open(multi, shadow) ? multi_wake : NULL;  // in the store's thread
 *     if (multi_wake_is_due(multi)) {
 *       multi_wake_set(multi, deadline_us);  // what is stored from here on wakes anew
 *       ...look which have been stored...
 *     }
 *     multi_wake_tell(multi, handle);        // at the end of a turn, and where `storing` has changed outside of one
 *
 * curl_multi_poll() and _wait() wait for it as for one of the app's own, curl_multi_fdset() and _waitfds()
 * have it in their sets, and the socket callback is told of it with the handle of a call that waits. libcurl
 * knows no such socket, which it forgives.
 */
#ifndef IDEMSHIM_SHIM_MULTI_WAKE_H
#define IDEMSHIM_SHIM_MULTI_WAKE_H

#include "shim/handle/multi.h"

/* False without a descriptor, and where an app would not look at this one: it selects, and the number is too
 * large; it has sockets of its own making, and may know no others; or it waits for libcurl's notifications.
 * Then the loop waits for the disk. */
bool multi_wake_open(struct multi *multi, const struct shadow *shadow);
/* Called by a thread of the store's, when an answer has been stored. */
void multi_wake(void *multi);
/* It has gone off, or `wake_again` says so. Who finds it due sets it, so that nothing is waited for in vain
 * or woken without end. */
bool multi_wake_is_due(struct multi *multi);
/* 0: there is no deadline. */
void multi_wake_set(const struct multi *multi, int64_t deadline_us);
/* The app's callback is told that it is there, or gone. False: it does not want it, and the loop has
 * to wait for the disk. */
bool multi_wake_tell(struct multi *multi, CURL *handle);

/* For the functions that an app waits with. */
static inline bool multi_wake_waits(const struct multi *multi)
{
  return multi && multi->storing;
}
CURLMcode multi_wake_wait(struct multi *multi, __typeof__(curl_multi_wait) *real, struct curl_waitfd *extra,
                          unsigned count, int ms, int *ready);
CURLMcode multi_wake_waitfds(struct multi *multi, struct curl_waitfd *fds, unsigned size, unsigned *count);
void multi_wake_fdset(const struct multi *multi, fd_set *read, int *last);
static inline bool multi_wake_is(const struct multi *multi, curl_socket_t fd)
{
  return multi_wake_waits(multi) && fd == multi->wake;
}

#endif
