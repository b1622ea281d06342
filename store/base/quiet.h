/* SPDX-License-Identifier: MIT */
/*
 * quiet: a stretch of work in somebody else's thread that must neither be cancelled half way, for it holds
 * locks and descriptors, nor be seen in errno.
 *
 *     QUIET();
 *     ...                                                // up to the end of the block, however it is left
 */
#ifndef IDEMSHIM_STORE_QUIET_H
#define IDEMSHIM_STORE_QUIET_H

#include <errno.h>
#include <pthread.h>

struct quiet {
  int error, cancel;
};

static inline struct quiet quiet_begin(void)
{
  struct quiet quiet = {.error = errno};
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet.cancel);
  return quiet;
}

static inline void quiet_end(const struct quiet *quiet)
{
  pthread_setcancelstate(quiet->cancel, NULL);
  errno = quiet->error;
}

/* What a block returns is worked out before its end, so a return may well look at errno. */
#define QUIET() __attribute__((cleanup(quiet_end), unused)) struct quiet quiet = quiet_begin()

#endif
