/* SPDX-License-Identifier: MIT */
#include "cli/view/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
  const char *prefix;
  uint16_t port;
} schemes[] = {
    {"https://", 443},
    {"http://", 80},
};

/* Skips the scheme. What has another scheme is refused, what has none is https. */
static const char *skip_scheme(const char *url, uint16_t *port)
{
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    *port = schemes[i].port;
    if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
      return url + strlen(schemes[i].prefix);
  }
  *port = schemes[0].port;
  return strstr(url, "://") ? NULL : url;
}

static int parse_port(const char *text, size_t len, uint16_t *port)
{
  unsigned value = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9' || value > 65535)
      return -EINVAL;
    value = 10 * value + (unsigned)(text[i] - '0');
  }
  if (len == 0)
    return 0;
  *port = (uint16_t)value;
  return value >= 1 && value <= 65535 ? 0 : -EINVAL;
}

/* "user@host:port" or "[::1]:port". */
static int parse_authority(const char *text, size_t len, struct idem_target *target)
{
  const char *at = memrchr(text, '@', len), *end = text + len;
  const char *host = at ? at + 1 : text;
  bool bracketed = host < end && *host == '[';
  const char *close = bracketed ? memchr(host, ']', (size_t)(end - host)) : NULL;
  if (bracketed && !close)
    return -EINVAL;
  const char *after = bracketed ? close + 1 : host;
  const char *colon = memchr(after, ':', (size_t)(end - after));
  target->host = bracketed ? host + 1 : host;
  target->host_len = (size_t)((bracketed ? close : colon ? colon : end) - target->host);
  if (target->host_len == 0 || (bracketed && after < end && after != colon))
    return -EINVAL;
  return colon ? parse_port(colon + 1, (size_t)(end - colon - 1), &target->port) : 0;
}

static void parse_path(const char *text, struct idem_target *target)
{
  bool none = *text != '/';
  target->path = none ? "/" : text;
  target->path_len = none ? 1 : strcspn(text, "?#");
}

int cli_url_parse(const char *url, struct idem_target *target, struct idem_error *error)
{
  const char *authority = skip_scheme(url, &target->port);
  if (!authority)
    return idem_error_set(error, -EINVAL, "%s: expected an http or https URL", url);
  size_t len = strcspn(authority, "/?#");
  if (parse_authority(authority, len, target) < 0)
    return idem_error_set(error, -EINVAL, "%s: expected a URL such as https://HOST[:PORT]/PATH", url);
  parse_path(authority + len, target);
  return 0;
}
