/* SPDX-License-Identifier: MIT */
/*
 * Text put together piece by piece, without a heap and without the app's locale. If the buffer is too small,
 * `len` goes on counting, as snprintf does, so that the same code measures first and writes then.
 *
 *     char out[64];
 *     struct idem_text text = {.out = out, .size = sizeof out};
 *     idem_text_add_string(&text, "ttl=");
 *     idem_text_add_duration(&text, 86400000);          "ttl=24h"
 *     if (text.len >= sizeof out) ...                   it was cut
 */
#ifndef IDEMSHIM_TEXT_H
#define IDEMSHIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A buffer and how much of it is used, or would be. */
struct idem_text {
  char *out; /* always NUL-terminated if size is not 0 */
  size_t size;
  size_t len; /* what all pieces together would take */
};

void idem_text_add(struct idem_text *text, const char *data, size_t len);
void idem_text_add_string(struct idem_text *text, const char *string);
void idem_text_add_number(struct idem_text *text, uint64_t number);

/* The longest duration that has a number, in milliseconds. A time of today plus this still fits into 63 bits
 * of microseconds, so that nobody who adds a ttl to a clock has to look for overflow. */
#define IDEM_DURATION_MAX_MS (INT64_MAX / 2000)

/* What a value was expected to be, for messages. */
#define IDEM_DURATION_EXPECTED "a duration with its unit, such as 250ms, 90s, 15m, 24h, 1h30m, 7d or forever"
#define IDEM_SIZE_EXPECTED     "a size such as 512, 64k, 16M or 4GiB"

/* What idem_parse_duration() and idem_parse_size() read. */
void idem_text_add_duration(struct idem_text *text, uint64_t ms);
void idem_text_add_size(struct idem_text *text, uint64_t bytes);

#endif
