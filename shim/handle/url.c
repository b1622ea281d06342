/* SPDX-License-Identifier: MIT */
#include "shim/handle/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Without a scheme libcurl takes http, unless the host's name, which may have escapes, says another
 * [urlapi.c, guess_scheme]. */
static bool may_say_other_scheme(const char *host, size_t len)
{
  static const char others[][6] = {"ftp.", "dict.", "ldap.", "imap.", "smtp.", "pop3."};
  if (*host != '[' && memchr(host, '%', len))
    return true;
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
    if (strncasecmp(host, others[i], strlen(others[i])) == 0)
      return true;
  return false;
}

/* Behind the scheme, or where it would begin; NULL if it is not HTTP's. */
static const char *after_scheme(const char *url, struct url_parts *parts)
{
  const char *colon = strchr(url, ':');
  if (!colon || colon[1] != '/' || memchr(url, '/', (size_t)(colon - url)))
    return url;
  parts->https = strncasecmp(url, "https://", 8) == 0;
  if (parts->https)
    return url + 8;
  return strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
}

/* -1: not a port. An empty one is the default. */
static long parse_port(const char *text, size_t len, long fallback)
{
  long port = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9' || (port = port * 10 + (text[i] - '0')) > 65535)
      return -1;
  }
  return len ? port : fallback;
}

/* "host", "host:8080", "[::1]", "[::1]:8080". */
static bool split_authority(const char *url, const char *start, size_t len, long port_option,
                            struct url_parts *parts)
{
  const char *end = start + len, *close = *start == '[' ? memchr(start, ']', len) : NULL;
  const char *host_end = close, *colon;
  if (*start == '[') {
    if (!close)
      return false;
    start++;
    colon = close + 1;
  } else {
    colon = memchr(start, ':', len);
    host_end = colon = colon ? colon : end;
  }
  /* Behind the brackets comes a port or nothing. */
  if (colon < end && *colon != ':')
    return false;
  long fallback = parts->https ? 443 : 80;
  long port = colon < end ? parse_port(colon + 1, (size_t)(end - colon - 1), fallback) : fallback;
  if (port_option > 0)
    port = port_option;
  parts->host = (uint32_t)(start - url);
  parts->host_len = (uint32_t)(host_end - start);
  parts->port = (uint16_t)port;
  return port > 0 && port <= 65535 && parts->host_len > 0;
}

/* A text that has one of these signs in its user or password would be cut there. */
static const char cuts_user[] = "@/?#";

bool url_user_is_odd(const char *url, const struct url_parts *parts)
{
  return strcspn(url + parts->user, cuts_user) < parts->user_len;
}

size_t url_odd_user_len(const struct libcurl *lib, CURLU *handle)
{
  static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS};
  size_t len = 0;
  bool odd = false;
  for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
    char *part = NULL;
    if (lib->url_get(handle, parts[i], &part, 0) == CURLUE_OK && part) {
      odd |= part[strcspn(part, cuts_user)] != '\0';
      len += strlen(part) + (i > 0);
    }
    lib->free(part);
  }
  return odd ? len : 0;
}

bool url_split(const char *url, long port_option, size_t user_len, struct url_parts *parts)
{
  *parts = (struct url_parts){0};
  const char *authority = after_scheme(url, parts);
  size_t whole = strlen(url);
  if (!authority || whole > UINT32_MAX / 2)
    return false;
  const bool is_given = authority != url;
  size_t len = strcspn(authority, "/?#");
  const char *at = user_len ? authority + strnlen(authority, user_len) : memchr(authority, '@', len);
  if (user_len && *at != '@')
    return false;
  if (at) {
    parts->user = (uint32_t)(authority - url);
    parts->user_len = (uint32_t)(at - authority);
    authority = at + 1;
    len = strcspn(authority, "/?#");
  }
  const char *path = authority + len;
  if (!is_given && may_say_other_scheme(authority, len))
    return false;
  /* Where a text has two of these signs, old versions take the first, and look for the host "b@host"; newer
   * ones refuse it. */
  if (!len || memchr(authority, '@', len) || !split_authority(url, authority, len, port_option, parts))
    return false;
  parts->path = (uint32_t)(path - url);
  parts->path_len = (uint32_t)strcspn(path, "?#");
  const char *query = path + parts->path_len;
  query += *query == '?';
  parts->query = (uint32_t)(query - url);
  parts->query_len = query[-1] == '?' ? (uint32_t)strcspn(query, "#") : 0;
  return true;
}

bool url_has_dots(const char *path, size_t len)
{
  const char *end = path + len;
  for (const char *slash = path; (slash = memchr(slash, '/', (size_t)(end - slash))); slash++)
    if (end - slash >= 2 && (slash[1] == '.' || (end - slash >= 4 && strncasecmp(slash + 1, "%2e", 3) == 0)))
      return true;
  return false;
}

char *url_sent_path(const struct libcurl *lib, const char *url)
{
  CURLU *parsed = lib->url();
  char *path = NULL;
  if (parsed && lib->url_set(parsed, CURLUPART_URL, url, CURLU_GUESS_SCHEME) == CURLUE_OK)
    lib->url_get(parsed, CURLUPART_PATH, &path, 0);
  lib->url_cleanup(parsed);
  return path;
}

/* The URL without user and password; NULL without memory. */
static char *without_user(const char *url, const struct url_parts *parts)
{
  char *rest = strdup(url);
  const char *host = url + parts->user + parts->user_len + 1;
  if (rest)
    memcpy(rest + parts->user, host, strlen(host) + 1);
  return rest;
}

bool url_says_all(const struct libcurl *lib, CURLU *handle, const char *url, const struct url_parts *parts)
{
  enum { OF_USER = 3 };
  static const CURLUPart all[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_HOST,
                                  CURLUPART_PORT, CURLUPART_PATH,     CURLUPART_QUERY,   CURLUPART_ZONEID};
  const bool odd = url_user_is_odd(url, parts);
  char *rest = odd ? without_user(url, parts) : NULL, *user = NULL, *options = NULL;
  CURLU *parsed = lib->url();
  bool same = parsed && lib->url_set(parsed, CURLUPART_URL, odd ? rest : url, 0) == CURLUE_OK;
  /* The text before the host was made of user, password and options. It says all of them if it can be cut in
   * one way alone. */
  if (odd) {
    lib->url_get(handle, CURLUPART_USER, &user, 0);
    lib->url_get(handle, CURLUPART_OPTIONS, &options, 0);
    same = same && user && !strchr(user, ':') && !options;
    lib->free(user);
    lib->free(options);
  }
  for (size_t i = odd ? OF_USER : 0; same && i < sizeof(all) / sizeof(*all); i++) {
    char *meant = NULL, *said = NULL;
    same = lib->url_get(handle, all[i], &meant, 0) == lib->url_get(parsed, all[i], &said, 0) &&
           !meant == !said && (!meant || strcmp(meant, said) == 0);
    lib->free(meant);
    lib->free(said);
  }
  lib->url_cleanup(parsed);
  free(rest);
  return same;
}
