/* SPDX-License-Identifier: MIT */
/*
 * ahead: how long the app's readers are read ahead of libcurl, for one call, and how much at once.
 *
 *     struct ahead ahead = callback_ahead(shadow, chunked);
 *     while (...) {
 *       if (ahead_is_late(&ahead))
 *         ...libcurl is fed what there is, and reads the rest itself...
 *       ...a piece is read...
 *       ahead_note_piece(&ahead);
 *     }
 *
 * A reader that goes on may have no end before its answer begins, as a microphone; meanwhile neither the
 * app's timeout nor its progress callback would count. Until its first piece libcurl would wait in the
 * reader, too.
 */
#ifndef IDEMSHIM_SHIM_AHEAD_H
#define IDEMSHIM_SHIM_AHEAD_H

#include "shim/base/clock.h"

#include <stdbool.h>
#include <stddef.h>

/* No longer than libcurl lets pass between two calls of a progress callback. */
#define AHEAD_US 1000000

struct ahead {
  int64_t started_us, first_us; /* when the first piece had come, or 0 */
  long limit_ms;                /* the app's own for the call, or 0 */
  /* How much a reader is offered, and how much may be written to: programs exist that know how large
   * libcurl's buffer is, and do not look at the room. */
  size_t room, buffer;
  bool late;
};

static inline void ahead_note_piece(struct ahead *ahead)
{
  if (!ahead->first_us)
    ahead->first_us = monotonic_us();
}

/* True if the readers go on for too long, or the app's own time is up. */
static inline bool ahead_is_late(struct ahead *ahead)
{
  if (ahead->first_us && !ahead->late) {
    int64_t now_us = monotonic_us();
    ahead->late = now_us - ahead->first_us >= AHEAD_US ||
                  (ahead->limit_ms > 0 && (now_us - ahead->started_us) / 1000 >= ahead->limit_ms);
  }
  return ahead->late;
}

#endif
