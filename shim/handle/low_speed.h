/* SPDX-License-Identifier: MIT */
/* LOW_SPEED_LIMIT and LOW_SPEED_TIME as libcurl applies them [lib/progress.c, lib/speedcheck.c], so that it
 * is known before the connection is closed. */
#ifndef IDEMSHIM_SHIM_SLOW_H
#define IDEMSHIM_SHIM_SLOW_H

#include "shim/handle/shadow.h"

/* Its speed is that of the last five seconds. */
enum { SLOW_SAMPLES = 6 };

struct slow {
  int64_t bytes[SLOW_SAMPLES], at_us[SLOW_SAMPLES];
  unsigned count;
  int64_t started_us;
  int64_t second;   /* of the last sample */
  int64_t since_us; /* how long it has been too slow; 0: it is not */
};

/* `bytes` have gone either way until now. True if that is less than the app wants, for as long as it says. */
bool slow_breaks_rule(struct slow *slow, const struct shadow *shadow, int64_t bytes, int64_t now_us);

/* CURLE_OPERATION_TIMEDOUT, in libcurl's words. */
CURLcode slow_error(struct shadow *shadow);

#endif
