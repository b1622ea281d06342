/* SPDX-License-Identifier: MIT */
/* LOW_SPEED_LIMIT and LOW_SPEED_TIME as libcurl applies them [lib/progress.c, lib/speedcheck.c], so that it
 * is known before the connection is closed. */
#ifndef IDEMSHIM_SHIM_LOW_SPEED_H
#define IDEMSHIM_SHIM_LOW_SPEED_H

#include "shim/handle/shadow.h"

/* Its speed is that of the last five seconds. */
enum { LOW_SPEED_SAMPLES = 6 };

struct low_speed {
  int64_t bytes[LOW_SPEED_SAMPLES], at_us[LOW_SPEED_SAMPLES];
  unsigned count;
  int64_t started_us;
  int64_t second;   /* of the last sample */
  int64_t since_us; /* how long it has been too slow; 0: it is not */
};

/* `bytes` have gone either way until now. True if that is less than the app wants, for as long as it says. */
bool low_speed_exceeded(struct low_speed *low_speed, const struct shadow *shadow, int64_t bytes,
                        int64_t now_us);

/* CURLE_OPERATION_TIMEDOUT, in libcurl's words. */
CURLcode low_speed_error(struct shadow *shadow);

#endif
