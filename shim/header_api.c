/* SPDX-License-Identifier: MIT */
/* The header API of libcurl 7.83 over delivered header blocks [lib/headers.c]. */
#include "shim/replay.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* libcurl sets a reserved bit, so that nobody compares an origin with ==. */
#define ORIGIN_RESERVED (1u << 27)
#define ORIGIN_ALL      (CURLH_HEADER | CURLH_TRAILER | CURLH_CONNECT | CURLH_1XX | CURLH_PSEUDO)

struct header_entry {
  char *name, *value; /* in `text` of the first entry */
  unsigned origin;
  int request;
};

static size_t count_lines(const struct buffer *headers)
{
  size_t lines = 0;
  for (size_t i = 0; i < headers->len; i++)
    lines += headers->data[i] == '\n';
  return lines;
}

/* "HTTP/1.1 100 Continue" → CURLH_1XX; the answer of a proxy to CONNECT is the first block of all. */
static unsigned block_origin(const char *status_line, bool first, bool through_proxy)
{
  const char *space = strchr(status_line, ' ');
  if (space && space[1] == '1')
    return CURLH_1XX;
  return first && through_proxy ? CURLH_CONNECT : CURLH_HEADER;
}

/* Cuts "Name: value \r" in place. */
static bool cut_line(char *line, struct header_entry *entry)
{
  char *colon = strchr(line, ':');
  if (!colon)
    return false;
  *colon = '\0';
  entry->name = line;
  entry->value = colon + 1 + strspn(colon + 1, " \t");
  size_t len = strlen(entry->value);
  while (len && strchr(" \t\r", entry->value[len - 1]))
    len--;
  entry->value[len] = '\0';
  return true;
}

static void index_lines(struct replay *replay, char *text)
{
  bool through_proxy =
      facts_number(replay->facts.data, replay->facts.len, CURLINFO_HTTP_CONNECTCODE, 0) != 0;
  unsigned origin = CURLH_HEADER;
  bool in_block = false, first = true;
  int request = 0;
  for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
    *end = '\0';
    if (!in_block) {
      origin = block_origin(line, first, through_proxy);
      in_block = true;
      first = false;
    } else if (*line == '\r' || *line == '\0') {
      in_block = false;
      request += origin == CURLH_HEADER;
    } else {
      struct header_entry *entry = &replay->entries[replay->entry_count];
      if (cut_line(line, entry)) {
        entry->origin = origin;
        entry->request = request;
        replay->entry_count++;
      }
    }
  }
  replay->requests = request ? request - 1 : 0;
}

/* One allocation: the entries, then the text that they point into. */
static bool make_entries(struct replay *replay)
{
  if (replay->entries)
    return true;
  size_t entries = (count_lines(&replay->headers) + 1) * sizeof(struct header_entry);
  replay->entries = malloc(entries + replay->headers.len + 1);
  if (!replay->entries)
    return false;
  char *text = (char *)replay->entries + entries;
  if (replay->headers.len)
    memcpy(text, replay->headers.data, replay->headers.len);
  text[replay->headers.len] = '\0';
  replay->entry_count = 0;
  index_lines(replay, text);
  return true;
}

static bool matches(const struct header_entry *entry, const char *name, unsigned origin, int request)
{
  return (entry->origin & origin) && entry->request == request &&
         (!name || strcasecmp(entry->name, name) == 0);
}

static struct curl_header *give(struct replay *replay, size_t at, size_t index, size_t amount)
{
  const struct header_entry *entry = &replay->entries[at];
  replay->out = (struct curl_header){
      .name = entry->name,
      .value = entry->value,
      .amount = amount,
      .index = index,
      .origin = entry->origin | ORIGIN_RESERVED,
      .anchor = &replay->entries[at],
  };
  return &replay->out;
}

CURLHcode replay_header(struct shadow *shadow, const char *name, size_t index, unsigned origin, int request,
                        struct curl_header **out)
{
  struct replay *replay = shadow->replay;
  if (!name || !out || !origin || origin > ORIGIN_ALL || request < -1)
    return CURLHE_BAD_ARGUMENT;
  if (!make_entries(replay))
    return CURLHE_OUT_OF_MEMORY;
  if (!replay->entry_count)
    return CURLHE_NOHEADERS;
  if (request > replay->requests)
    return CURLHE_NOREQUEST;
  size_t amount = 0, picked = 0;
  for (size_t i = 0; i < replay->entry_count; i++)
    if (matches(&replay->entries[i], name, origin, request < 0 ? replay->requests : request)) {
      picked = amount <= index ? i : picked;
      amount++;
    }
  if (!amount)
    return CURLHE_MISSING;
  if (index >= amount)
    return CURLHE_BADINDEX;
  *out = give(replay, picked, index, amount);
  return CURLHE_OK;
}

struct curl_header *replay_nextheader(struct shadow *shadow, unsigned origin, int request,
                                      struct curl_header *previous)
{
  struct replay *replay = shadow->replay;
  if (!make_entries(replay) || request > replay->requests)
    return NULL;
  if (request < 0)
    request = replay->requests;
  size_t at = previous ? (size_t)((struct header_entry *)previous->anchor - replay->entries) + 1 : 0;
  while (at < replay->entry_count && !matches(&replay->entries[at], NULL, origin, request))
    at++;
  if (at >= replay->entry_count)
    return NULL;
  size_t amount = 0, index = 0;
  for (size_t i = 0; i < replay->entry_count; i++)
    if (matches(&replay->entries[i], replay->entries[at].name, origin, request)) {
      index = i == at ? amount : index;
      amount++;
    }
  return give(replay, at, index, amount);
}
