/* SPDX-License-Identifier: MIT */
/*
 * Bytes as digits, in lower case, as every tool prints digests. No printf: a call in a fleet writes some
 * hundred.
 *
 *     char text[2 * sizeof(digest) + 1];
 *     idem_hex(digest, sizeof(digest), text);
 */
#ifndef IDEMSHIM_HEX_H
#define IDEMSHIM_HEX_H

#include <stddef.h>
#include <stdint.h>

static inline void idem_hex(const uint8_t *bytes, size_t len, char *out)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  *out = '\0';
}

#endif
