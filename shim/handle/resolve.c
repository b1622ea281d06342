/* SPDX-License-Identifier: MIT */
#include "shim/handle/resolve.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "[+]HOST:PORT:ADDRESS,...": the length of HOST:PORT, behind the plus. An IPv6 address is in brackets. */
static size_t place_len(const char *entry)
{
  const char *host_end = *entry == '[' ? strchr(entry, ']') : entry;
  const char *colon = host_end ? strchr(host_end, ':') : NULL;
  return colon ? (size_t)(colon + 1 - entry) + strcspn(colon + 1, ":") : strlen(entry);
}

static bool is_same_place(const char *a, const char *b)
{
  const size_t len = place_len(a);
  return len == place_len(b) && strncasecmp(a, b, len) == 0;
}

static const char *without_sign(const char *entry)
{
  return entry + (*entry == '+' || *entry == '-');
}

/* One place for each host and port: what is said last of it counts. */
static bool remember(struct buffer *places, const char *entry)
{
  const size_t len = place_len(entry);
  for (size_t at = 0; at < places->len; at += strlen(places->data + at) + 1)
    if (is_same_place(places->data + at, entry))
      return true;
  return buffer_append(places, entry, len) && buffer_append(places, "", 1);
}

bool resolve_note(struct shadow *shadow, const struct curl_slist *list)
{
  bool known = true;
  for (; list; list = list->next)
    /* With a minus an entry is taken out. */
    if (*list->data != '-')
      known &= remember(&shadow->resolved, without_sign(list->data));
  return known;
}

bool resolve_share(struct buffer *places, const struct shadow *shadow)
{
  const struct buffer *own = &shadow->resolved;
  bool known = true;
  for (size_t at = 0; at < own->len; at += strlen(own->data + at) + 1)
    known &= remember(places, own->data + at);
  return known;
}

/* True if the place is the URL's; and where another host may be asked, or libcurl may spell the
 * URL's in another way. */
static bool may_be_asked(const struct shadow *shadow, const char *place)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const struct url_parts *parts = &shadow->parts;
  const char *host = shadow->url.data + parts->host;
  char asked[300];
  bool is_plain = parts->host_len < sizeof(asked) - 8 && strspn(host, plain) >= parts->host_len &&
                  host[parts->host_len - 1] != '.' && (host[0] < '0' || host[0] > '9');
  if (!is_plain || shadow->slot[SLOT_FOLLOWLOCATION] || shadow->slot[SLOT_CONNECT_TO])
    return true;
  snprintf(asked, sizeof(asked), "%.*s:%u", (int)parts->host_len, host, parts->port);
  if (is_same_place(place, asked))
    return true;
  return *place == '*' && strcmp(strchr(asked, ':'), place + 1) == 0;
}

bool resolve_may_linger(const struct shadow *shadow, const struct buffer *places)
{
  const struct curl_slist *list = (const struct curl_slist *)shadow->slot[SLOT_RESOLVE], *entry;
  for (size_t at = 0; at < places->len; at += strlen(places->data + at) + 1) {
    for (entry = list; entry && !is_same_place(without_sign(entry->data), places->data + at);)
      entry = entry->next;
    if (!entry && may_be_asked(shadow, places->data + at))
      return true;
  }
  return false;
}
