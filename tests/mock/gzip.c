/* SPDX-License-Identifier: MIT */
/* Gzip (RFC 1952) of stored blocks only (RFC 1951, 3.2.4): correct, and a piece stays a piece. */
#include "tests/mock/compose.h"

#include <stdint.h>
#include <stdlib.h>

static uint32_t crc32_of(const char *bytes, size_t len)
{
  uint32_t crc = ~0u;

  for (size_t i = 0; i < len; i++) {
    crc ^= (unsigned char)bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

static char *little_endian(char *out, uint32_t value, int bytes)
{
  for (int i = 0; i < bytes; i++)
    *out++ = (char)(value >> 8 * i);
  return out;
}

static char *block(char *out, const char *bytes, size_t len, bool last)
{
  *out++ = last;
  out = little_endian(out, (uint32_t)len, 2);
  out = little_endian(out, ~(uint32_t)len, 2);
  for (size_t i = 0; i < len; i++)
    *out++ = bytes[i];
  return out;
}

static char *blocks(char *out, const char *bytes, size_t len)
{
  for (size_t n; len; bytes += n, len -= n) {
    n = len < 0xffff ? len : 0xffff;
    out = block(out, bytes, n, false);
  }
  return out;
}

void compose_gzip(struct answer *answer)
{
  static const unsigned char header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  size_t room = answer->len + 5 * (answer->cut_count + answer->len / 0xffff + 1) + sizeof header + 8;
  char *bytes = malloc(room), *out = bytes;
  size_t from = 0, end_mark = 0;

  if (!bytes)
    abort();
  for (size_t i = 0; i < sizeof header; i++)
    *out++ = (char)header[i];
  for (size_t i = 0; i < answer->cut_count; i++) {
    if (from == answer->end_mark)
      end_mark = (size_t)(out - bytes);
    out = blocks(out, answer->bytes + from, answer->cuts[i] - from);
    from = answer->cuts[i];
    answer->cuts[i] = (size_t)(out - bytes);
  }
  out = block(out, NULL, 0, true);
  out = little_endian(out, crc32_of(answer->bytes, answer->len), 4);
  out = little_endian(out, (uint32_t)answer->len, 4);
  free(answer->bytes);
  answer->bytes = bytes;
  answer->end_mark = end_mark;
  answer->len = (size_t)(out - bytes);
  answer->cuts[answer->cut_count - 1] = answer->len;
}
