/* SPDX-License-Identifier: MIT */
/*
 * The characters of bytes that may be text (Unicode, table 3-7: well-formed byte sequences). No locale and no
 * call for each, since a report goes over all bodies of a run.
 *
 *     for (size_t i = 0, n; i < len; i += n ? n : 1)
 *       if (!(n = cli_utf8_len(text + i, len - i))) ...                a byte that begins no character
 */
#ifndef IDEMSHIM_CLI_UTF8_H
#define IDEMSHIM_CLI_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of the character at `text`, 1 to 4; 0 if there is none. `*code` is which. */
static inline size_t cli_utf8_decode(const char *text, size_t left, uint32_t *code)
{
  const unsigned char *in = (const unsigned char *)text;
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t len = !left          ? 0
               : in[0] < 0x80 ? 1
               : in[0] < 0xc2 ? 0
               : in[0] < 0xe0 ? 2
               : in[0] < 0xf0 ? 3
               : in[0] < 0xf5 ? 4
                              : 0;
  if (!len || len > left)
    return 0;
  *code = len == 1 ? in[0] : in[0] & (0x7fu >> len);
  for (size_t i = 1; i < len; i++) {
    if ((in[i] & 0xc0) != 0x80)
      return 0;
    *code = *code << 6 | (in[i] & 0x3fu);
  }
  return *code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000) ? 0 : len;
}

static inline size_t cli_utf8_len(const char *text, size_t left)
{
  uint32_t code;
  return cli_utf8_decode(text, left, &code);
}

#endif
