/* SPDX-License-Identifier: MIT */
#include "shim/request/origin.h"

#include "shim/request/headers.h"
#include "shim/request/room_text.h"
#include "shim/runtime/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A Host: line is part of the origin, for a server with several names is as many servers. One that says what
 * the URL says is not. */
static void add_host(struct text *text, const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  const struct url_parts *parts = &shadow->parts;
  if (!request->host)
    return;
  struct idem_span host = value_of(strchr(request->host, ':'));
  const char *url_host = shadow->url.data + parts->host;
  if (host.len > parts->host_len && strncasecmp(host.data, url_host, parts->host_len) == 0) {
    char port[8];
    size_t len = (size_t)snprintf(port, sizeof(port), ":%u", parts->port);
    if (host.len == parts->host_len + len && memcmp(host.data + parts->host_len, port, len) == 0)
      return;
  }
  bool usual = parts->port == (parts->https ? 443 : 80);
  if (usual && host.len == parts->host_len && strncasecmp(host.data, url_host, host.len) == 0)
    return;
  add_text(text, " host:");
  add_lower(text, host.data, host.len);
}

/* A Unix socket, which is another one in another directory if its path is relative. False
 * if that is not known. */
static bool add_socket(struct text *text, const char *path)
{
  char directory[512];
  if (!path)
    return true;
  add_text(text, " ");
  if (*path && *path != '/') {
    int saved = errno;
    const bool known = getcwd(directory, sizeof(directory)) && *directory == '/';
    errno = saved;
    if (!known)
      return false;
    add_text(text, directory[1] ? directory : "");
    add_text(text, "/");
  }
  add_text(text, path);
  return true;
}

/* Adds "https://api.openai.com:443". It stays behind the URL in its room, where there is any, for as long as
 * the URL has these parts. */
static void add_url(struct text *text, struct shadow *shadow)
{
  struct url_parts *parts = &shadow->parts;
  const struct buffer *url = &shadow->url;
  if (parts->origin_len) {
    add(text, url->data + url->len, parts->origin_len);
    return;
  }
  /* An IPv6 address has colons, and is written in brackets. */
  bool literal = memchr(url->data + parts->host, ':', parts->host_len) != NULL;
  struct idem_target target = {
      .host = url->data + parts->host, .host_len = parts->host_len, .port = parts->port};
  const struct idem_origin *recorded = idem_config_origin(settings(), &target, parts->https);
  if (recorded) {
    add_text(text, recorded->text);
  } else {
    add_text(text, parts->https ? "https://" : "http://");
    add_text(text, literal ? "[" : "");
    add_lower(text, url->data + parts->host, parts->host_len);
    add_text(text, literal ? "]:" : ":");
    add_port(text, parts->port);
  }
  if (fits(text) && text->len <= url->room - url->len) {
    memcpy(url->data + url->len, text->at, text->len);
    parts->origin_len = (uint32_t)text->len;
  }
}

/* Entries that lead the URL's host somewhere else: another server is another origin. */
static void add_detours(struct text *text, const struct curl_slist *entry)
{
  for (; entry; entry = entry->next)
    add_pair(text, " via ", entry->data);
}

/* That of the URL, and what else says which server that is: a socket's path, CONNECT_TO, RESOLVE. */
const char *origin_build(struct request *request)
{
  struct shadow *shadow = request->shadow;
  struct text text = {request->origin, 0, sizeof(request->origin)};
  add_url(&text, shadow);
  /* @ keeps an abstract name from passing for a path. */
  add_pair(&text, " @", shadow_text(shadow, SLOT_ABSTRACT_UNIX_SOCKET));
  if (!add_socket(&text, shadow_text(shadow, SLOT_UNIX_SOCKET_PATH)))
    return "UNIX_SOCKET_PATH and an unknown directory";
  add_detours(&text, (const struct curl_slist *)shadow->slot[SLOT_CONNECT_TO]);
  add_detours(&text, (const struct curl_slist *)shadow->slot[SLOT_RESOLVE]);
  add_host(&text, request);
  return take_text(&request->bytes.origin, &text, "origin too long");
}
