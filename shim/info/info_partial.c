/* SPDX-License-Identifier: MIT */
#include "shim/info/info_partial.h"

#include "shim/base/http_header.h"

#include <string.h>

/* Where an info comes from; those that only the end of the transfer tells come from nowhere. No pointers:
 * each would be a relocation in every program that is started. */
static const struct {
  uint8_t number;
  char field[20];
} sources[] = {
#define FROM(info, field)                                                                                    \
  {                                                                                                          \
    CURLINFO_##info &CURLINFO_MASK, field                                                                    \
  }
    FROM(CONTENT_TYPE, "content-type"),          FROM(RETRY_AFTER, "retry-after"),
    FROM(FILETIME_T, "last-modified"),           FROM(HTTPAUTH_AVAIL, "www-authenticate"),
    FROM(PROXYAUTH_AVAIL, "proxy-authenticate"), FROM(REDIRECT_URL, ""),
#undef FROM
};

static struct idem_span passed(const struct info *replay)
{
  return (struct idem_span){replay->headers.data, replay->passed};
}

/* The length of the body is looked at when the blank line is there. */
static bool is_whole(struct idem_span headers)
{
  const char *end = headers.data + headers.len;
  return headers.len > 3 && end[-1] == '\n' && (end[-2] == '\n' || (end[-2] == '\r' && end[-3] == '\n'));
}

bool info_is_known_yet(const struct info *replay, unsigned number)
{
  if (number == NUMBER_OF(CURLINFO_CONTENT_LENGTH_DOWNLOAD))
    return is_whole(passed(replay));
  for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
    if (sources[i].number == number)
      return *sources[i].field && header_find(header_last_block(passed(replay)), sources[i].field).data;
  return true;
}

int64_t info_redirects_yet(const struct info *replay, int64_t all)
{
  int64_t redirects = -1;
  const char *at = replay->headers.data, *end = at + replay->passed;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    redirects += header_status(at, (size_t)(end - at)) >= 200;
    at = newline ? newline + 1 : end;
  }
  return redirects < 0 ? 0 : redirects < all ? redirects : all;
}
