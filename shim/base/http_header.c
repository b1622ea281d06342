/* SPDX-License-Identifier: MIT */
#include "shim/base/http_header.h"

#include "config/ascii.h"

#include <string.h>
#include <strings.h>

struct idem_span header_last_block(struct idem_span blocks)
{
  struct idem_span last = blocks;
  const char *at = blocks.data, *end = blocks.data + blocks.len;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if ((size_t)(end - at) > 5 && memcmp(at, "HTTP/", 5) == 0)
      last = (struct idem_span){at, (size_t)(end - at)};
    at = newline ? newline + 1 : end;
  }
  return last;
}

int header_status(const char *line, size_t len)
{
  const char *space = len > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', len) : NULL;
  int status = 0;
  for (int i = 1; space && i <= 3 && space + i < line + len && space[i] >= '0' && space[i] <= '9'; i++)
    status = status * 10 + (space[i] - '0');
  return status;
}

static struct idem_span trim(const char *data, size_t len)
{
  const char *start = idem_trim(data, &len);
  return (struct idem_span){start, len};
}

struct idem_span header_find(struct idem_span block, const char *name)
{
  size_t name_len = strlen(name);
  const char *at = block.data, *end = block.data + block.len;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((newline ? newline : end) - at);
    if (len > name_len && at[name_len] == ':' && strncasecmp(at, name, name_len) == 0)
      return trim(at + name_len + 1, len - name_len - 1);
    at += len + 1;
  }
  return (struct idem_span){NULL, 0};
}

bool header_is_mark(const char *line, size_t len)
{
  static const char marks[][26] = {
      "X-Idempotency-Replayed:", "X-From-Cache:", "X-Original-Request-Time:", "X-Idemshim-Id:"};
  if (len < 3 || (*line | 0x20) != 'x')
    return false;
  /* Most names of an upstream's own differ in what follows X- already. */
  for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
    if (((line[2] ^ marks[i][2]) & ~0x20) == 0 && len >= strlen(marks[i]) &&
        strncasecmp(line, marks[i], strlen(marks[i])) == 0)
      return true;
  return false;
}

struct idem_span header_words(struct idem_span blocks)
{
  struct idem_span block = header_last_block(blocks);
  const char *newline = block.len ? memchr(block.data, '\n', block.len) : NULL;
  size_t line_len = newline ? (size_t)(newline - block.data) : block.len;
  const char *space = line_len ? memchr(block.data, ' ', line_len) : NULL;
  return space ? trim(space, (size_t)(block.data + line_len - space)) : (struct idem_span){NULL, 0};
}

const char *header_find_secure(struct idem_span cookie)
{
  for (const char *at = cookie.data, *end = at + cookie.len; (at = memchr(at, ';', (size_t)(end - at)));) {
    for (at++; at < end && *at == ' ';)
      at++;
    if (end - at > 6 && strncasecmp(at, "secure", 6) == 0 && strchr("; \r\n", at[6]))
      return at;
  }
  return NULL;
}

bool header_redirects(int status, struct idem_span blocks)
{
  return status / 100 == 3 && header_find(header_last_block(blocks), "location").data;
}

bool header_was_redirected(struct idem_span blocks)
{
  const char *end = header_last_block(blocks).data;
  for (const char *at = blocks.data, *newline; at < end; at = newline ? newline + 1 : end) {
    newline = memchr(at, '\n', (size_t)(end - at));
    if (header_status(at, (size_t)(end - at)) / 100 == 3)
      return true;
  }
  return false;
}

static void two_digits(char *at, unsigned value)
{
  at[0] = (char)('0' + value / 10 % 10);
  at[1] = (char)('0' + value % 10);
}

/* Days since 1970 to year, month and day: years begin in March, so that the leap day comes last. 719468
 * days lie between March of the year 0 and 1970, and 146097 are 400 years. Day 2932897 would begin the year
 * 10000, for which there is no digit; what is before 1970 becomes its first second. */
void header_date(int64_t seconds, char out[HEADER_DATE_SIZE])
{
  static const char days[] = "ThuFriSatSunMonTueWed", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  uint64_t second = seconds > 0 ? (uint64_t)seconds : 0;
  uint64_t day = second / 86400 % 2932897, clock = second % 86400, shifted = day + 719468;
  uint64_t era = shifted / 146097, of_era = shifted % 146097;
  uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  uint64_t shifted_month = (5 * of_year + 2) / 153;
  uint64_t month = shifted_month < 10 ? shifted_month + 2 : shifted_month - 10; /* 0: January */
  uint64_t year = era * 400 + year_of_era + (month < 2);
  memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HEADER_DATE_SIZE);
  memcpy(out, days + day % 7 * 3, 3);
  two_digits(out + 5, (unsigned)(of_year - (153 * shifted_month + 2) / 5 + 1));
  memcpy(out + 8, months + month * 3, 3);
  two_digits(out + 12, (unsigned)(year / 100));
  two_digits(out + 14, (unsigned)(year % 100));
  two_digits(out + 17, (unsigned)(clock / 3600));
  two_digits(out + 20, (unsigned)(clock / 60 % 60));
  two_digits(out + 23, (unsigned)(clock % 60));
}

/* "identity" is none, and may stand before another line of the field. */
bool header_is_chunked(struct idem_span blocks)
{
  struct idem_span rest = header_last_block(blocks), coding;
  while ((coding = header_find(rest, "transfer-encoding")).data) {
    const char *end = coding.data + coding.len;
    for (const char *at = coding.data; end - at >= 7; at++)
      if (strncasecmp(at, "chunked", 7) == 0)
        return true;
    rest = (struct idem_span){end, (size_t)(rest.data + rest.len - end)};
  }
  return false;
}

bool header_is_encoded(struct idem_span blocks, bool decodes)
{
  struct idem_span coding = header_find(header_last_block(blocks), "content-encoding");
  return coding.len && !decodes && !(coding.len == 8 && strncasecmp(coding.data, "identity", 8) == 0);
}
