/* SPDX-License-Identifier: MIT */
/* Durations and sizes, back into the text that idem_parse_duration() and idem_parse_size() read. */
#ifndef IDEMSHIM_UNITS_H
#define IDEMSHIM_UNITS_H

#include "config/text.h"

/* The longest duration that has a number, in milliseconds. A time of today plus this still fits into 63 bits
 * of microseconds, so that nobody who adds a ttl to a clock has to look for overflow. */
#define IDEM_DURATION_MAX_MS (INT64_MAX / 2000)

/* What a value was expected to be, for messages. */
#define IDEM_DURATION_EXPECTED "a duration with its unit, such as 250ms, 90s, 15m, 24h, 1h30m, 7d or forever"
#define IDEM_SIZE_EXPECTED     "a size such as 512, 64k, 16M or 4GiB"

void idem_text_add_duration(struct idem_text *text, uint64_t ms);
void idem_text_add_size(struct idem_text *text, uint64_t bytes);

#endif
