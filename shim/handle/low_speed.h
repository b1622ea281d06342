/* SPDX-License-Identifier: MIT */
/*
 * low_speed: LOW_SPEED_LIMIT and LOW_SPEED_TIME as libcurl applies them [lib/progress.c, lib/speedcheck.c]. A
 * rescue needs to know that a call is too slow before libcurl closes its connection, and a stream that is
 * followed has no transfer that libcurl could measure.
 *
 *     struct low_speed low_speed = {.started_us = monotonic_us()};
 *     if (low_speed_exceeded(&low_speed, shadow, bytes, monotonic_us()))     // at each turn
 *       code = low_speed_error(shadow);
 *
 * Takes no memory and no lock. An app that has set no limit is never too slow.
 */
#ifndef IDEMSHIM_SHIM_LOW_SPEED_H
#define IDEMSHIM_SHIM_LOW_SPEED_H

#include "shim/handle/shadow.h"

/* The speed is that of the last five seconds. */
enum { LOW_SPEED_SAMPLES = 6 };

struct low_speed {
  int64_t bytes[LOW_SPEED_SAMPLES], at_us[LOW_SPEED_SAMPLES];
  unsigned count;
  int64_t started_us;
  int64_t second;   /* of the last sample */
  int64_t since_us; /* how long it has been too slow; 0: it is not */
};

/* True if a transfer, in which `bytes` have gone either way until now, has been slower than the app wants
 * for as long as it says. */
bool low_speed_exceeded(struct low_speed *low_speed, const struct shadow *shadow, int64_t bytes,
                        int64_t now_us);

/* Returns CURLE_OPERATION_TIMEDOUT, and says it in libcurl's words in the app's ERRORBUFFER. */
CURLcode low_speed_error(struct shadow *shadow);

#endif
