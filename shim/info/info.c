/* SPDX-License-Identifier: MIT */
/*
 * One table says for each info where its answer comes from. In the middle of a delivery the answer also
 * depends on how far the header has passed: libcurl learns most of what it tells from header lines, and an
 * app that asks in its header callback sees them come.
 */
#include "shim/info/info.h"

#include "shim/base/clock.h"
#include "shim/base/http_header.h"

#include <stdlib.h>
#include <string.h>

/* Where the answer to an info comes from. */
enum info_source {
  SOURCE_REAL, /* not ours: PRIVATE, COOKIELIST, SSL_ENGINES, and whatever is newer */
  SOURCE_NUMBER,
  SOURCE_TEXT,
  SOURCE_URL,
  SOURCE_TOTAL_TIME,
  SOURCE_FIRST_BYTE_TIME,
  SOURCE_NO_TIME, /* a replay looks up no name and makes no connection */
  SOURCE_DOWNLOAD_SPEED,
  SOURCE_UPLOAD_SPEED,
  SOURCE_NO_SOCKET,
  SOURCE_CERTIFICATES,
};

/* When an info is known; info_record.h explains it. */
enum info_when { WHEN_FIXED, WHEN_CONNECTED, WHEN_GROWS, WHEN_PARSED };

struct info_row {
  uint8_t source;
  int16_t unset;    /* NUMBER: this; TEXT: 0 for NULL, 1 for "" */
  uint8_t when;     /* enum info_when */
  uint8_t recorded; /* of a time or speed: the number of the fact in which a tape has it; else 0 */
};

/* No libcurl has an info with a higher number than this yet; what is newer is the real one's. */
#define INFO_LIMIT 80u

/* clang-format off */
static const struct info_row info_rows[INFO_LIMIT] = {
#define ROW(info) [CURLINFO_##info & CURLINFO_MASK]
#define X(info, unset, when) ROW(info) = {SOURCE_NUMBER, unset, WHEN_##when, 0},
  NUMBER_FACTS(X)
#undef X
#define X(info, unset, when) ROW(info) = {SOURCE_TEXT, unset, WHEN_##when, 0},
  TEXT_FACTS(X)
#undef X
/* A double in seconds and a number of µs. */
#define TIME(info, source)                                                                                   \
  ROW(info) = {source, 0, WHEN_FIXED, CURLINFO_##info##_T & CURLINFO_MASK},                                  \
  ROW(info##_T) = {source, 0, WHEN_FIXED, CURLINFO_##info##_T & CURLINFO_MASK}
  TIME(TOTAL_TIME, SOURCE_TOTAL_TIME),
  TIME(STARTTRANSFER_TIME, SOURCE_FIRST_BYTE_TIME),
  TIME(NAMELOOKUP_TIME, SOURCE_NO_TIME),
  TIME(CONNECT_TIME, SOURCE_NO_TIME),
  TIME(APPCONNECT_TIME, SOURCE_NO_TIME),
  TIME(PRETRANSFER_TIME, SOURCE_NO_TIME),
  TIME(REDIRECT_TIME, SOURCE_NO_TIME),
#undef TIME
  ROW(SPEED_DOWNLOAD) = {SOURCE_DOWNLOAD_SPEED, 0, WHEN_FIXED, CURLINFO_SPEED_DOWNLOAD_T & CURLINFO_MASK},
  ROW(SPEED_UPLOAD) = {SOURCE_UPLOAD_SPEED, 0, WHEN_FIXED, CURLINFO_SPEED_UPLOAD_T & CURLINFO_MASK},
  ROW(QUEUE_TIME_T) = {SOURCE_NO_TIME, 0, WHEN_FIXED, CURLINFO_QUEUE_TIME_T & CURLINFO_MASK},
  ROW(POSTTRANSFER_TIME_T) = {SOURCE_NO_TIME, 0, WHEN_FIXED, CURLINFO_POSTTRANSFER_TIME_T & CURLINFO_MASK},
  ROW(SIZE_DELIVERED) = {.source = SOURCE_NUMBER},
  ROW(EFFECTIVE_URL) = {.source = SOURCE_URL},
  ROW(LASTSOCKET) = {.source = SOURCE_NO_SOCKET},
  ROW(ACTIVESOCKET) = {.source = SOURCE_NO_SOCKET},
  ROW(CERTINFO) = {.source = SOURCE_CERTIFICATES},
#undef ROW
};
/* clang-format on */

/* Beginning and end. */

/* The count alone would take a challenge for a redirect, and the blocks alone one that was not followed. */
bool info_was_redirected(const struct idem_answer *answer)
{
  return info_record_number(answer->facts, CURLINFO_REDIRECT_COUNT, 0) > 0 &&
         header_was_redirected(answer->headers);
}

const char *info_refuses(const struct shadow *shadow, const struct idem_answer *answer)
{
  if (shadow->slot[SLOT_CERTINFO] && shadow->parts.https &&
      !info_record_find(answer->facts, CURLINFO_CERTINFO).data)
    return "CERTINFO";
  if (!shadow->slot[SLOT_FOLLOWLOCATION])
    return info_was_redirected(answer) ? "the answer came after a redirect" : NULL;
  return header_redirects(answer->status, answer->headers) ? "the answer is a redirect" : NULL;
}

/* The app may hold texts and headers of the last delivery until it makes another transfer: now. The two
 * buffers stay for the next one, so that a hit like the last one allocates nothing. */
struct info *info_begin(struct shadow *shadow)
{
  struct info *replay = shadow->info;
  if (!replay)
    replay = shadow->info = calloc(1, sizeof(*replay));
  if (!replay)
    return NULL;
  free(replay->index);
  free(replay->certinfo);
  buffer_release(&replay->earlier_facts);
  struct buffer headers = replay->headers, facts = replay->facts;
  buffer_zero(replay, sizeof(*replay));
  replay->headers = headers;
  replay->facts = facts;
  replay->headers.len = replay->facts.len = 0;
  return replay;
}

static char *put(char *to, const char *data, size_t len)
{
  return len ? mempcpy(to, data, len) : to;
}

/* Header lines; where ours mark the replay, without those of their names that upstream has sent. */
static char *put_fields(char *to, struct idem_span fields, bool marked)
{
  const char *at = fields.data, *from = at, *end = at + fields.len;
  while (marked && at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline ? newline + 1 : end;
    if (header_is_mark(at, (size_t)(next - at))) {
      to = put(to, from, (size_t)(at - from));
      from = next;
    }
    at = next;
  }
  return put(to, from, (size_t)(end - from));
}

/* Copies, for the answer lies in the store's map and is let go of before the app asks. */
struct info *info_begin_answer(struct shadow *shadow, const struct idem_answer *answer, const char *marks)
{
  struct info *replay = info_begin(shadow);
  struct idem_span headers = answer->headers;
  size_t len = strlen(marks);
  if (!replay || !buffer_append(&replay->facts, answer->facts.data, answer->facts.len))
    return NULL;
  /* One more than it comes to: there is always a place then. */
  char *start = buffer_reserve(&replay->headers, headers.len + len + 1);
  if (!start)
    return NULL;
  /* The blocks as they came, and the marks before the blank line of the last one. */
  size_t blank = headers.len >= 2 && headers.data[headers.len - 2] == '\r' ? 2 : headers.len ? 1 : 0;
  size_t fields = headers.len - blank;
  bool may_have_marks = len > 0 && !info_record_is_unmarked(answer->facts);
  char *to = put_fields(start, (struct idem_span){headers.data, fields}, may_have_marks);
  to = put(put(to, marks, len), headers.data + fields, blank);
  replay->headers.len = (size_t)(to - start);
  replay->marks_len = (int64_t)replay->headers.len - (int64_t)headers.len;
  return replay;
}

/* The earlier facts stay until the next delivery: the app may have been given texts of them. */
void info_take_facts(struct info *replay, struct idem_span facts)
{
  struct buffer fresh = {0};
  if (replay->earlier_facts.data || !buffer_append(&fresh, facts.data, facts.len))
    return;
  replay->earlier_facts = replay->facts;
  replay->facts = fresh;
}

/* libcurl frees what it has given of a handle with the handle, and so do we. */
void info_free(struct shadow *shadow)
{
  struct info *replay = shadow->info;
  shadow->info = NULL;
  if (!replay)
    return;
  free(replay->index);
  free(replay->certinfo);
  buffer_release(&replay->headers);
  buffer_release(&replay->facts);
  buffer_release(&replay->earlier_facts);
  free(replay);
}

int64_t info_number(const struct info *replay, CURLINFO which, int64_t fallback)
{
  return info_record_number(span_of_buffer(&replay->facts), which, fallback);
}

/* In the middle of a delivery. */

/* True if the field that an info comes from has passed. Those that only the end of the transfer tells come
 * from nowhere. The table has no pointers: each would be a relocation in every program that is started. */
static bool has_passed(const struct info *replay, unsigned number)
{
  static const struct {
    uint8_t number;
    char field[20];
  } sources[] = {
      {NUMBER_OF(CURLINFO_CONTENT_TYPE), "content-type"},
      {NUMBER_OF(CURLINFO_RETRY_AFTER), "retry-after"},
      {NUMBER_OF(CURLINFO_FILETIME_T), "last-modified"},
      {NUMBER_OF(CURLINFO_HTTPAUTH_AVAIL), "www-authenticate"},
      {NUMBER_OF(CURLINFO_PROXYAUTH_AVAIL), "proxy-authenticate"},
      {NUMBER_OF(CURLINFO_REDIRECT_URL), ""},
  };
  struct idem_span passed = {replay->headers.data, replay->passed};
  /* The length of the body is looked at when the blank line is there. */
  if (number == NUMBER_OF(CURLINFO_CONTENT_LENGTH_DOWNLOAD)) {
    const char *end = passed.data + passed.len;
    return passed.len > 3 && end[-1] == '\n' && (end[-2] == '\n' || (end[-2] == '\r' && end[-3] == '\n'));
  }
  for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
    if (sources[i].number == number)
      return *sources[i].field && header_find(header_last_block(passed), sources[i].field).data;
  return true;
}

/* The redirects of the blocks that have begun; `all` in the end, for a challenge has a block of its own
 * too. */
static int64_t redirects_yet(const struct info *replay, int64_t all)
{
  struct idem_span rest = {replay->headers.data, replay->passed}, line;
  int64_t redirects = -1;
  while ((line = span_cut_line(&rest)).len)
    redirects += header_status(line.data, line.len) >= 200;
  return redirects < 0 ? 0 : redirects < all ? redirects : all;
}

/* True while nothing has come. A libcurl before 7.75 may fail by the status and pass no header. */
static bool is_ahead(const struct shadow *shadow)
{
  const struct info *replay = shadow->info;
  return replay->passing && !replay->passed &&
         (shadow->replayed != REPLAYED_TRANSPORT || !shadow_info_long(shadow, CURLINFO_RESPONSE_CODE));
}

/* True if the live transfer would tell the fact by now. */
static bool knows(const struct shadow *shadow, unsigned number)
{
  const struct info *replay = shadow->info;
  if (replay->unsized && number == NUMBER_OF(CURLINFO_CONTENT_LENGTH_DOWNLOAD))
    return false;
  if (is_ahead(shadow))
    return number == NUMBER_OF(CURLINFO_EFFECTIVE_METHOD) ||
           (replay->connected && info_rows[number].when == WHEN_CONNECTED);
  return !replay->passing || has_passed(replay, number);
}

/* Answers. */

/* A number as it is now. In the middle of the header some grow with it; before anything has come, all are as
 * libcurl begins with them. */
static int64_t fact_number(const struct shadow *shadow, CURLINFO info)
{
  const struct info *replay = shadow->info;
  unsigned number = NUMBER_OF(info);
  if (number == NUMBER_OF(CURLINFO_SIZE_DOWNLOAD) && shadow->replayed == REPLAYED_DIRECT)
    return replay->downloaded;
  if (number == NUMBER_OF(CURLINFO_SIZE_DELIVERED))
    return replay->delivered;
  int64_t unset = info_rows[number].unset, value = info_number(replay, info, unset);
  if (!knows(shadow, number)) {
    /* Since 8.10 no port is no longer port 0. */
    bool port = number == NUMBER_OF(CURLINFO_PRIMARY_PORT) || number == NUMBER_OF(CURLINFO_LOCAL_PORT);
    return port && shadow->lib->version >= 0x080a00 ? -1 : unset;
  }
  switch (number) {
  case NUMBER_OF(CURLINFO_RESPONSE_CODE):
    return replay->passing ? replay->status : value;
  case NUMBER_OF(CURLINFO_HEADER_SIZE):
    return replay->passing ? (int64_t)replay->taken : value + replay->marks_len;
  case NUMBER_OF(CURLINFO_REDIRECT_COUNT):
    return replay->passing ? redirects_yet(replay, value) : value;
  default:
    return value;
  }
}

/* The text stays the info's: the app may keep it until the next transfer, as it may with libcurl's. */
static const char *text_of(const struct info *replay, CURLINFO info, const char *fallback)
{
  const char *text = info_record_text(span_of_buffer(&replay->facts), info);
  return text ? text : fallback;
}

/* How long the replay has taken, or has taken until now. Never 0: apps divide by it. */
static int64_t elapsed_us(const struct shadow *shadow)
{
  const struct info *replay = shadow->info;
  int64_t us = shadow->replayed == REPLAYED_TRANSPORT
                   ? shadow_info_size(shadow, CURLINFO_TOTAL_TIME_T)
                   : (replay->ended_us ? replay->ended_us : monotonic_us()) - replay->started_us;
  return us > 0 ? us : 1;
}

/* The certificates of the live handshake. libcurl tells none, and never NULL, where they were not asked
 * for. */
static const struct curl_certinfo *certificates(const struct shadow *shadow)
{
  static const struct curl_certinfo none;
  struct info *replay = shadow->info;
  if (!shadow->slot[SLOT_CERTINFO])
    return &none;
  if (!replay->certinfo)
    replay->certinfo = info_record_certificates(span_of_buffer(&replay->facts));
  return replay->certinfo ? replay->certinfo : &none;
}

/* True if this libcurl has the info: one that is older than the info has recorded no fact of it. */
static bool is_known(const struct shadow *shadow, CURLINFO info)
{
  curl_off_t value;
  return info_record_find(span_of_buffer(&shadow->info->facts), info).data ||
         shadow->lib->easy_getinfo(shadow->handle, info, &value) == CURLE_OK;
}

/* Under transport libcurl has run a transfer, and what it measured of it is its own. */
static bool is_libcurls(const struct shadow *shadow, const struct info_row *row)
{
  if (shadow->replayed != REPLAYED_TRANSPORT || row->source == SOURCE_UPLOAD_SPEED)
    return false;
  if (row == &info_rows[NUMBER_OF(CURLINFO_RESPONSE_CODE)])
    return shadow->info->passing && !shadow->info->status;
  return row->recorded || row->when == WHEN_PARSED || (row->when == WHEN_GROWS && shadow->info->passing);
}

/* Gives a number as the type of the info wants it: a time is in µs, and as a double in seconds. */
static bool give_number(CURLINFO info, int64_t value, void *out)
{
  const struct info_row *row = &info_rows[NUMBER_OF(info)];
  bool is_time = row->recorded && row->source != SOURCE_DOWNLOAD_SPEED && row->source != SOURCE_UPLOAD_SPEED;
  switch (info & CURLINFO_TYPEMASK) {
  case CURLINFO_LONG:
    *(long *)out = (long)value;
    break;
  case CURLINFO_DOUBLE:
    *(double *)out = (double)value / (is_time ? 1e6 : 1);
    break;
  case CURLINFO_OFF_T:
    *(curl_off_t *)out = value;
    break;
  case CURLINFO_SOCKET:
    *(curl_socket_t *)out = (curl_socket_t)value;
    break;
  }
  return true;
}

/* A tape has the times of the live call. Under transport libcurl has its own; and what neither knows is told
 * from the facts, or is the real handle's business. */
bool info_getinfo(struct shadow *shadow, CURLINFO info, void *out)
{
  const struct info *replay = shadow->info;
  unsigned number = NUMBER_OF(info);
  if (number >= INFO_LIMIT || !replay)
    return false;
  if (shadow->replayed == REPLAYED_RESET && number != NUMBER_OF(CURLINFO_EFFECTIVE_METHOD))
    return false;
  const struct info_row *row = &info_rows[number];
  /* A tape's facts have times; until its end a replay tells its own. */
  if (row->recorded && replay->ended_us) {
    int64_t recorded = info_number(replay, (CURLINFO)row->recorded, -1);
    if (recorded >= 0)
      return give_number(info, recorded, out);
  }
  if (is_libcurls(shadow, row)) {
    bool counted = replay->uncounted && number == NUMBER_OF(CURLINFO_SIZE_DOWNLOAD);
    curl_off_t count = counted ? shadow_info_size(shadow, CURLINFO_SIZE_DOWNLOAD_T) : 0;
    return counted && give_number(info, count - replay->uncounted, out);
  }
  bool is_fact = row->source == SOURCE_NUMBER || row->source == SOURCE_TEXT;
  if (is_fact && (!replay->begun || !is_known(shadow, info)))
    return false;
  const char *unset = row->unset ? "" : NULL;
  int64_t first_us = replay->first_byte_us - replay->started_us;
  switch ((enum info_source)row->source) {
  case SOURCE_REAL:
    return false;
  case SOURCE_NUMBER:
    return give_number(info, fact_number(shadow, info), out);
  case SOURCE_TEXT:
    *(const char **)out = knows(shadow, number) ? text_of(replay, info, unset) : unset;
    return true;
  case SOURCE_URL:
    *(const char **)out = text_of(replay, info, shadow->url.len ? shadow->url.data : "");
    return true;
  case SOURCE_TOTAL_TIME:
    return give_number(info, elapsed_us(shadow), out);
  case SOURCE_FIRST_BYTE_TIME:
    return give_number(info, !replay->first_byte_us ? 0 : first_us > 0 ? first_us : 1, out);
  case SOURCE_NO_TIME:
    return give_number(info, 0, out);
  case SOURCE_DOWNLOAD_SPEED:
    return give_number(info, replay->downloaded * 1000000 / elapsed_us(shadow), out);
  case SOURCE_UPLOAD_SPEED:
    return give_number(info, fact_number(shadow, CURLINFO_SIZE_UPLOAD_T) * 1000000 / elapsed_us(shadow), out);
  case SOURCE_CERTIFICATES:
    *(const struct curl_certinfo **)out = certificates(shadow);
    return true;
  case SOURCE_NO_SOCKET:
    return give_number(info, -1, out);
  }
  return false;
}
