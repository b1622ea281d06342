/* SPDX-License-Identifier: MIT */
/* From the left to the right: scheme, host, port. No parser of URLs is asked, for config/ needs libc alone,
 * and what stands here is the beginning of a URL and no whole one. */
#include "config/origin.h"

#include "config/ascii.h"

#include <stdio.h>
#include <string.h>

static bool begins(const char *text, size_t len, const char *word)
{
  return len >= strlen(word) && idem_same_fold(text, strlen(word), word, strlen(word));
}

/* `usual` where there are no digits; 0 for what is no port, and for 0 itself. */
static uint16_t parse_port(const char *text, size_t len, uint16_t usual)
{
  unsigned port = 0;
  for (size_t i = 0; i < len; i++) {
    if (!idem_is_digit(text[i]) || port > UINT16_MAX)
      return 0;
    port = port * 10 + (unsigned)(text[i] - '0');
  }
  return port > UINT16_MAX ? 0 : len ? (uint16_t)port : usual;
}

/* A path and a user name stay in what is taken for the host, and are refused there. After false `origin` is
 * half filled. */
bool idem_origin_parse(const char *text, size_t len, struct idem_origin *origin)
{
  origin->https = begins(text, len, "https://");
  if (!origin->https && !begins(text, len, "http://"))
    return false;
  size_t scheme = origin->https ? 8 : 7;
  text += scheme, len -= scheme;
  len -= len && text[len - 1] == '/';
  const char *close = len && *text == '[' ? memchr(text, ']', len) : NULL;
  const char *colon = memchr(close ? close : text, ':', len - (close ? (size_t)(close - text) : 0));
  const char *host = text + (close != NULL), *end = close ? close : colon ? colon : text + len;
  origin->host_len = (size_t)(end - host);
  if (origin->host_len == 0 || origin->host_len >= sizeof origin->host ||
      memchr(host, '/', origin->host_len) || memchr(host, '@', origin->host_len))
    return false;
  for (size_t i = 0; i < origin->host_len; i++)
    origin->host[i] = (char)idem_lower(host[i]);
  origin->host[origin->host_len] = '\0';
  size_t port_len = colon ? (size_t)(text + len - colon - 1) : 0;
  origin->port = parse_port(colon ? colon + 1 : text, port_len, origin->https ? 443 : 80);
  snprintf(origin->text, sizeof origin->text, "%s://%s%s%s:%u", origin->https ? "https" : "http",
           close ? "[" : "", origin->host, close ? "]" : "", origin->port);
  return origin->port != 0;
}

bool idem_origin_map_parse(const char *text, size_t len, struct idem_origin_map *map)
{
  const char *equals = memchr(text, '=', len);
  return equals && idem_origin_parse(text, (size_t)(equals - text), &map->recorded) &&
         idem_origin_parse(equals + 1, len - (size_t)(equals + 1 - text), &map->now);
}
