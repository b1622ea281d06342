/* SPDX-License-Identifier: MIT */
/*
 * The header API of libcurl 7.83 over delivered header blocks [lib/headers.c].
 *
 * An index is made when the app first asks: a copy of the blocks in which names and values are cut out, and
 * an entry for each. What the app holds of it must stay, so it is one allocation with room for every line,
 * and in the middle of a delivery it is read on from where it was. libcurl numbers the requests: a redirect
 * or a challenge ends one, an interim answer does not.
 */
#include "config/ascii.h"
#include "shim/base/http_header.h"
#include "shim/info/info.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* libcurl sets a reserved bit, so that nobody compares an origin with ==. */
#define ORIGIN_RESERVED (1u << 27)
#define ORIGIN_ALL      (CURLH_HEADER | CURLH_TRAILER | CURLH_CONNECT | CURLH_1XX | CURLH_PSEUDO)

/* A header, or what stands for one. It is what the app's struct curl_header has as its anchor, so that the
 * next one is found from it. */
struct header_entry {
  const char *name;
  char *value; /* both in the index's text, but for the name of a pseudo header */
  unsigned origin;
  int request;
};

/* Made when it is first asked for, and then read on: what the app has been given of it stays where it is. */
struct header_index {
  char *text;     /* the headers; lines are cut in it */
  size_t read;    /* how far the entries go */
  char *trailers; /* what came behind the body; a stream that is followed may have more than these */
  size_t trailers_len, trailers_read;
  unsigned version; /* of libcurl */
  bool through_proxy;
  bool in_block;
  unsigned origin; /* of the block */
  int request;     /* the block's; after its end, the next one's */
  int newest;      /* the request of the last block that has begun */
  size_t count;
  struct header_entry entries[]; /* room for all */
};

/* How many entries a text can make at most. */
static size_t count_lines(struct idem_span text)
{
  size_t lines = 0;
  while (span_cut_line(&text).len)
    lines++;
  return lines;
}

/* One allocation: the entries, then the text that they point into. */
static struct header_index *make_index(const struct shadow *shadow)
{
  const struct info *replay = shadow->info;
  struct idem_span headers = span_of_buffer(&replay->headers);
  struct idem_span trailers = info_record_trailers(span_of_buffer(&replay->facts));
  size_t lines = count_lines(headers) + count_lines(trailers);
  size_t head = sizeof(struct header_index) + (lines + 1) * sizeof(struct header_entry);
  struct header_index *index = calloc(1, head + headers.len + 1 + trailers.len + 1);
  if (!index)
    return NULL;
  index->text = (char *)index + head;
  index->version = shadow->lib->version;
  index->through_proxy = !shadow_value(shadow, CURLOPT_SUPPRESS_CONNECT_HEADERS) &&
                         info_number(replay, CURLINFO_HTTP_CONNECTCODE, 0) != 0;
  index->trailers = index->text + headers.len + 1;
  index->trailers_len = trailers.len;
  if (headers.len)
    memcpy(index->text, headers.data, headers.len);
  memcpy(index->trailers, trailers.data, trailers.len);
  return index;
}

/* There is room: an index has as many places as the text has lines. */
static void add_entry(struct header_index *index, const char *name, char *value, unsigned origin)
{
  index->entries[index->count++] =
      (struct header_entry){.name = name, .value = value, .origin = origin, .request = index->request};
}

/* "HTTP/1.1 100 Continue" begins a block; the answer of a proxy to CONNECT is the first block of all. HTTP/2
 * has no status line: libcurl makes one, of a header that it keeps too. */
static void begin_block(struct header_index *index, char *line, size_t len)
{
  int status = header_status(line, len);
  bool first = index->read == 0;
  index->in_block = true;
  index->newest = index->request;
  index->origin = status / 100 == 1               ? CURLH_1XX
                  : first && index->through_proxy ? CURLH_CONNECT
                                                  : CURLH_HEADER;
  if (!status || memcmp(line, "HTTP/2", 6) != 0)
    return;
  char *value = strchr(line, ' ') + 1;
  value[3] = '\0';
  add_entry(index, ":status", value, CURLH_PSEUDO);
}

/* "Name: value \r\n", from which trailing blanks go. Until 8.6 the line's end was one of them, and the first
 * character of a value was never taken for a blank. */
static void add_field(struct header_index *index, char *line, size_t len)
{
  char *value = memchr(line, ':', len), *end = line + len - 1;
  if (!value)
    return;
  *value++ = '\0';
  while (idem_is_blank(*value))
    value++;
  if (end > value && end[-1] == '\r')
    end--;
  while (end > value && idem_is_blank(end[-1]))
    end--;
  if (index->version < 0x080600 && end == value && *value == '\r')
    end++;
  *end = '\0';
  add_entry(index, line, value, index->origin);
}

/* Joins a folded line to the value before it. It goes on where the value before it ends, with one blank. */
static void add_to_last(struct header_index *index, const char *line, size_t len)
{
  char *end = index->entries[index->count - 1].value;
  end += strlen(end);
  while (len && strchr(" \t\r\n", line[len - 1]))
    len--;
  while (len > 1 && idem_is_blank(line[0]) && idem_is_blank(line[1])) {
    line++;
    len--;
  }
  memmove(end, line, len);
  end[len] = '\0';
}

/* Reads one line of the blocks, as libcurl's parser would have handed it to the header API. */
static void read_line(struct header_index *index, char *line, size_t len)
{
  if (!index->in_block)
    begin_block(index, line, len);
  else if (*line == '\r' || *line == '\n') {
    index->in_block = false;
    index->request += index->origin == CURLH_HEADER;
  } else if (idem_is_blank(*line) && index->count)
    add_to_last(index, line, len);
  else
    add_field(index, line, len);
}

/* The index of what the app has had so far; NULL without memory. Trailers come behind the body, and belong to
 * the last request. */
static struct header_index *index_of(const struct shadow *shadow)
{
  struct info *replay = shadow->info;
  struct header_index *index = replay->index;
  if (!index)
    index = replay->index = make_index(shadow);
  if (!index)
    return NULL;
  struct idem_span rest = {index->text + index->read, replay->passed - index->read}, line;
  for (; (line = span_cut_line(&rest)).len; index->read += line.len)
    read_line(index, (char *)line.data, line.len);
  size_t trailed = replay->trailed < index->trailers_len ? replay->trailed : index->trailers_len;
  if (trailed == index->trailers_read)
    return index;
  /* libcurl tells trailers of HTTP/2 as such only since 8.1. */
  bool told =
      index->version >= 0x080100 || info_number(replay, CURLINFO_HTTP_VERSION, 0) < CURL_HTTP_VERSION_2_0;
  index->origin = told ? CURLH_TRAILER : CURLH_HEADER;
  index->request = index->newest;
  rest = (struct idem_span){index->trailers + index->trailers_read, trailed - index->trailers_read};
  while ((line = span_cut_line(&rest)).len)
    add_field(index, (char *)line.data, line.len);
  index->trailers_read = trailed;
  return index;
}

/* True if an entry is of this name, if one is given, and of one of these origins. */
static bool matches(const struct header_entry *entry, const char *name, unsigned origin, int request)
{
  return (entry->origin & origin) && entry->request == request &&
         (!name || strcasecmp(entry->name, name) == 0);
}

/* Fills what the app is given. `place` is that of curl_easy_header() or of _nextheader(); libcurl until 8.0
 * had one place for both. */
static struct curl_header *give(struct info *replay, size_t place, struct header_entry *entry, size_t number,
                                size_t amount)
{
  struct curl_header *out = &replay->out[replay->index->version < 0x080000 ? 0 : place];
  *out = (struct curl_header){
      .name = (char *)entry->name,
      .value = entry->value,
      .amount = amount,
      .index = number,
      .origin = entry->origin | ORIGIN_RESERVED,
      .anchor = entry,
  };
  return out;
}

/* libcurl checks in this order, and an app may rely on which error it is told. */
CURLHcode info_header(struct shadow *shadow, const char *name, size_t number, unsigned origin, int request,
                      struct curl_header **out)
{
  if (!name || !out || !origin || origin > ORIGIN_ALL || request < -1)
    return CURLHE_BAD_ARGUMENT;
  struct header_index *index = index_of(shadow);
  if (!index)
    return CURLHE_OUT_OF_MEMORY;
  if (!index->count)
    return CURLHE_NOHEADERS;
  if (request > index->newest)
    return CURLHE_NOREQUEST;
  size_t amount = 0, picked = 0;
  for (size_t i = 0; i < index->count; i++)
    if (matches(&index->entries[i], name, origin, request < 0 ? index->newest : request)) {
      picked = amount <= number ? i : picked;
      amount++;
    }
  if (!amount)
    return CURLHE_MISSING;
  if (number >= amount)
    return CURLHE_BADINDEX;
  *out = give(shadow->info, 0, &index->entries[picked], number, amount);
  return CURLHE_OK;
}

/* Goes on behind the header that was given last, and counts its namesakes as curl_easy_header() does. */
struct curl_header *info_nextheader(struct shadow *shadow, unsigned origin, int request,
                                    struct curl_header *previous)
{
  struct header_index *index = index_of(shadow);
  if (!index || request > index->newest)
    return NULL;
  if (request < 0)
    request = index->newest;
  size_t at = previous ? (size_t)((struct header_entry *)previous->anchor - index->entries) + 1 : 0;
  while (at < index->count && !matches(&index->entries[at], NULL, origin, request))
    at++;
  if (at >= index->count)
    return NULL;
  size_t amount = 0, number = 0;
  for (size_t i = 0; i < index->count; i++)
    if (matches(&index->entries[i], index->entries[at].name, origin, request)) {
      number = i == at ? amount : number;
      amount++;
    }
  return give(shadow->info, 1, &index->entries[at], number, amount);
}
