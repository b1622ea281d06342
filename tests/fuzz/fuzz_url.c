/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a URL. Its parts lie within it; and where libcurl takes it too, both mean the same server,
 * port, user and query, so that no rule gets a call that goes elsewhere.
 */
#include "shim/handle/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct libcurl lib = {.url = curl_url,
                                   .url_set = curl_url_set,
                                   .url_get = curl_url_get,
                                   .url_cleanup = curl_url_cleanup,
                                   .free = curl_free};

static void require(bool holds)
{
  if (!holds)
    abort();
}

/* libcurl writes a host anew that has escapes or is a number, and one of other letters in ASCII: no rule's
 * host is met by what such a text says. */
static bool is_plain(const char *host, size_t len)
{
  bool has_letter = false;
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)host[i];
    bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.')
      return false;
    has_letter |= letter && (c | 0x20) > 'f' && (c | 0x20) != 'x';
  }
  return has_letter;
}

static char *part(CURLU *parsed, CURLUPart what, unsigned flags)
{
  char *text = NULL;
  return curl_url_get(parsed, what, &text, flags) == CURLUE_OK ? text : NULL;
}

static void require_same(char *theirs, const char *ours, size_t len, bool any_case)
{
  require(!theirs == !len || (theirs && !*theirs && !len));
  if (theirs && len)
    require(strlen(theirs) == len && (any_case ? strncasecmp : strncmp)(theirs, ours, len) == 0);
  curl_free(theirs);
}

static void compare(CURLU *parsed, const char *url, const struct url_parts *parts, long port_option)
{
  char *scheme = part(parsed, CURLUPART_SCHEME, 0), *port = part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  require(scheme && strcasecmp(scheme, parts->https ? "https" : "http") == 0);
  require(port && (port_option > 0 ? port_option : strtol(port, NULL, 10)) == parts->port);
  curl_free(scheme);
  curl_free(port);
  if (is_plain(url + parts->host, parts->host_len))
    require_same(part(parsed, CURLUPART_HOST, 0), url + parts->host, parts->host_len, true);
  require_same(part(parsed, CURLUPART_QUERY, 0), url + parts->query, parts->query_len, false);
  char *user = part(parsed, CURLUPART_USER, 0);
  if (user)
    require(parts->user_len >= strlen(user) && strncmp(url + parts->user, user, strlen(user)) == 0);
  curl_free(user);
}

static void check(const char *url, size_t len, long port_option, size_t user_len)
{
  struct url_parts parts;
  if (!url_split(url, port_option, user_len, &parts))
    return;
  require(parts.host_len && parts.host + parts.host_len <= len && parts.path + parts.path_len <= len);
  require(parts.query + parts.query_len <= len && parts.user + parts.user_len <= len && parts.port);
  (void)url_has_dots(url + parts.path, parts.path_len);
  (void)url_user_is_odd(url, &parts);
  CURLU *parsed = curl_url();
  require(parsed != NULL);
  if (!user_len && curl_url_set(parsed, CURLUPART_URL, url, CURLU_GUESS_SCHEME) == CURLUE_OK) {
    compare(parsed, url, &parts, port_option);
    (void)url_odd_user_len(&lib, parsed);
    (void)url_says_all(&lib, parsed, url, &parts);
  }
  char *path = url_sent_path(&lib, url);
  require(!path || *path == '/');
  curl_free(path);
  curl_url_cleanup(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;
  char *url = malloc(size);
  require(url != NULL);
  memcpy(url, data + 1, size - 1);
  url[size - 1] = '\0';
  check(url, strlen(url), data[0] & 1 ? 8080 : 0, data[0] >> 4 & 7);
  free(url);
  return 0;
}
