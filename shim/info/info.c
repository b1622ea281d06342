/* SPDX-License-Identifier: MIT */
#include "shim/info/info.h"

#include "shim/base/buffer.h"
#include "shim/info/certinfo.h"
#include "shim/info/info_partial.h"
#include "shim/request/request.h"

#include <stdlib.h>
#include <string.h>

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

enum info_when { WHEN_FIXED, WHEN_GROWS, WHEN_PARSED };

struct info_row {
  uint8_t source;
  int8_t unset; /* NUMBER: this; TEXT: 0 for NULL, 1 for "" */
  uint8_t when; /* enum info_when */
};

#define INFO_LIMIT 80u

/* clang-format off */
static const struct info_row info_rows[INFO_LIMIT] = {
#define X(info, unset, when) [CURLINFO_##info & CURLINFO_MASK] = {SOURCE_NUMBER, unset, WHEN_##when},
  NUMBER_FACTS(X)
#undef X
#define X(info, unset, when) [CURLINFO_##info & CURLINFO_MASK] = {SOURCE_TEXT, unset, WHEN_##when},
  TEXT_FACTS(X)
#undef X
#define T(info, source) [CURLINFO_##info & CURLINFO_MASK] = {source, 0, WHEN_FIXED}
  T(EFFECTIVE_URL, SOURCE_URL),
  T(TOTAL_TIME, SOURCE_TOTAL_TIME),
  T(TOTAL_TIME_T, SOURCE_TOTAL_TIME),
  T(STARTTRANSFER_TIME, SOURCE_FIRST_BYTE_TIME),
  T(STARTTRANSFER_TIME_T, SOURCE_FIRST_BYTE_TIME),
  T(NAMELOOKUP_TIME, SOURCE_NO_TIME),
  T(NAMELOOKUP_TIME_T, SOURCE_NO_TIME),
  T(CONNECT_TIME, SOURCE_NO_TIME),
  T(CONNECT_TIME_T, SOURCE_NO_TIME),
  T(APPCONNECT_TIME, SOURCE_NO_TIME),
  T(APPCONNECT_TIME_T, SOURCE_NO_TIME),
  T(PRETRANSFER_TIME, SOURCE_NO_TIME),
  T(PRETRANSFER_TIME_T, SOURCE_NO_TIME),
  T(REDIRECT_TIME, SOURCE_NO_TIME),
  T(REDIRECT_TIME_T, SOURCE_NO_TIME),
  T(SPEED_DOWNLOAD, SOURCE_DOWNLOAD_SPEED),
  T(SPEED_UPLOAD, SOURCE_UPLOAD_SPEED),
  T(LASTSOCKET, SOURCE_NO_SOCKET),
  T(ACTIVESOCKET, SOURCE_NO_SOCKET),
  T(CERTINFO, SOURCE_CERTIFICATES),
#undef T
};
/* clang-format on */

struct info *info_begin(struct shadow *shadow)
{
  struct info *replay = shadow->info;
  if (!replay)
    replay = shadow->info = calloc(1, sizeof(*replay));
  if (!replay)
    return NULL;
  free(replay->index);
  certinfo_free(replay->certinfo);
  buffer_release(&replay->earlier_facts);
  struct buffer headers = replay->headers, facts = replay->facts;
  buffer_zero(replay, sizeof(*replay));
  replay->headers = headers;
  replay->facts = facts;
  replay->headers.len = replay->facts.len = 0;
  return replay;
}

static bool put(struct buffer *to, const char *data, size_t len)
{
  return buffer_append(to, data, len);
}

/* The blocks as they came, and the marks in the last one. */
static bool compose_headers(struct info *replay, struct idem_span headers, const char *marks)
{
  size_t marks_len = strlen(marks), end = headers.len;
  size_t blank = end >= 2 && headers.data[end - 2] == '\r' ? 2 : end ? 1 : 0;
  replay->marks_len = marks_len;
  return put(&replay->headers, headers.data, end - blank) && put(&replay->headers, marks, marks_len) &&
         put(&replay->headers, headers.data + end - blank, blank);
}

struct info *info_begin_answer(struct shadow *shadow, const struct idem_answer *answer, const char *marks)
{
  struct info *replay = info_begin(shadow);
  bool complete = replay && put(&replay->facts, answer->facts.data, answer->facts.len) &&
                  compose_headers(replay, answer->headers, marks);
  return complete ? replay : NULL;
}

void info_take_facts(struct info *replay, struct idem_span facts)
{
  struct buffer fresh = {0};
  if (replay->earlier_facts.data || !put(&fresh, facts.data, facts.len))
    return;
  replay->earlier_facts = replay->facts;
  replay->facts = fresh;
}

void info_free(struct shadow *shadow)
{
  struct info *replay = shadow->info;
  shadow->info = NULL;
  if (!replay)
    return;
  free(replay->index);
  certinfo_free(replay->certinfo);
  buffer_release(&replay->headers);
  buffer_release(&replay->facts);
  buffer_release(&replay->earlier_facts);
  free(replay);
}

static const char *text_of(const struct info *replay, unsigned number, const char *fallback)
{
  size_t len;
  const char *fact = info_record_find(replay->facts.data, replay->facts.len, number, &len);
  return fact && len && fact[len - 1] == '\0' ? fact : fallback;
}

static void give_number(CURLINFO info, int64_t value, void *out)
{
  switch (info & CURLINFO_TYPEMASK) {
  case CURLINFO_LONG:
    *(long *)out = (long)value;
    break;
  case CURLINFO_DOUBLE:
    *(double *)out = (double)value;
    break;
  case CURLINFO_OFF_T:
    *(curl_off_t *)out = value;
    break;
  case CURLINFO_SOCKET:
    *(curl_socket_t *)out = (curl_socket_t)value;
    break;
  }
}

static void give_time(CURLINFO info, int64_t us, void *out)
{
  if ((info & CURLINFO_TYPEMASK) == CURLINFO_DOUBLE)
    *(double *)out = (double)us / 1e6;
  else
    give_number(info, us, out);
}

/* A time or speed as the tape has it; the older infos of one kind have other numbers. */
static bool recorded_time(const struct info *replay, CURLINFO info, void *out)
{
  static const uint8_t same[][2] = {
#define SAME(older) {CURLINFO_##older & CURLINFO_MASK, CURLINFO_##older##_T & CURLINFO_MASK}
      SAME(TOTAL_TIME),      SAME(NAMELOOKUP_TIME),  SAME(CONNECT_TIME),
      SAME(APPCONNECT_TIME), SAME(PRETRANSFER_TIME), SAME(REDIRECT_TIME),
      SAME(SPEED_DOWNLOAD),  SAME(SPEED_UPLOAD),     SAME(STARTTRANSFER_TIME),
#undef SAME
  };
  unsigned number = NUMBER_OF(info);
  bool is_speed = number == NUMBER_OF(CURLINFO_SPEED_DOWNLOAD) || number == NUMBER_OF(CURLINFO_SPEED_UPLOAD);
  for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
    if (number == same[i][0])
      number = same[i][1];
  int64_t value = info_record_number(replay->facts.data, replay->facts.len, (CURLINFO)number, -1);
  if (value < 0)
    return false;
  if (is_speed)
    give_number(info, value, out);
  else
    give_time(info, value, out);
  return true;
}

static int64_t elapsed_us(const struct shadow *shadow)
{
  const struct info *replay = shadow->info;
  curl_off_t us = 0;
  if (shadow->replayed == REPLAYED_TRANSPORT)
    shadow->lib->easy_getinfo(shadow->handle, CURLINFO_TOTAL_TIME_T, &us);
  else
    us = (replay->ended_us ? replay->ended_us : monotonic_us()) - replay->started_us;
  return us > 0 ? us : 1;
}

static int64_t first_byte_after_us(const struct info *replay)
{
  int64_t us = replay->first_byte_us - replay->started_us;
  return !replay->first_byte_us ? 0 : us > 0 ? us : 1;
}

static const struct curl_certinfo *certificates(const struct shadow *shadow)
{
  static const struct curl_certinfo none;
  struct info *replay = shadow->info;
  size_t len = 0;
  const char *text =
      info_record_find(replay->facts.data, replay->facts.len, NUMBER_OF(CURLINFO_CERTINFO), &len);
  if (!text || !shadow->slot[SLOT_CERTINFO])
    return &none;
  if (!replay->certinfo)
    replay->certinfo = certinfo_read(text, len);
  return replay->certinfo ? replay->certinfo : &none;
}

/* What grows with the header. */
static int64_t passing_number(const struct info *replay, unsigned number, int64_t value)
{
  switch (number) {
  case NUMBER_OF(CURLINFO_RESPONSE_CODE):
    return replay->status;
  case NUMBER_OF(CURLINFO_HEADER_SIZE):
    return (int64_t)replay->taken;
  case NUMBER_OF(CURLINFO_REDIRECT_COUNT):
    return info_redirects_yet(replay, value);
  default:
    return value;
  }
}

/* Nothing has come yet; a libcurl before 7.75 may fail by the status and pass no header. */
static bool is_ahead(const struct shadow *shadow)
{
  const struct info *replay = shadow->info;
  long status = 0;
  if (!replay->passing || replay->passed)
    return false;
  if (shadow->replayed == REPLAYED_TRANSPORT)
    shadow->lib->easy_getinfo(shadow->handle, CURLINFO_RESPONSE_CODE, &status);
  return !status;
}

/* A libcurl that is older than an info has no fact of it. */
static bool is_known(const struct shadow *shadow, CURLINFO info)
{
  const struct info *replay = shadow->info;
  curl_off_t value;
  size_t len;
  return info_record_find(replay->facts.data, replay->facts.len, NUMBER_OF(info), &len) ||
         shadow->lib->easy_getinfo(shadow->handle, info, &value) == CURLE_OK;
}

static bool knows(const struct shadow *shadow, unsigned number)
{
  const struct info *replay = shadow->info;
  if (replay->unsized && number == NUMBER_OF(CURLINFO_CONTENT_LENGTH_DOWNLOAD))
    return false;
  if (is_ahead(shadow))
    return number == NUMBER_OF(CURLINFO_EFFECTIVE_METHOD);
  return !replay->passing || info_is_known_yet(replay, number);
}

/* Since 8.10 no port is no longer port 0. */
static int64_t unset_number(const struct shadow *shadow, unsigned number)
{
  bool port = number == NUMBER_OF(CURLINFO_PRIMARY_PORT) || number == NUMBER_OF(CURLINFO_LOCAL_PORT);
  return port && shadow->lib->version >= 0x080a00 ? -1 : info_rows[number].unset;
}

static int64_t fact_number(const struct shadow *shadow, CURLINFO info)
{
  const struct info *replay = shadow->info;
  unsigned number = NUMBER_OF(info);
  if (number == NUMBER_OF(CURLINFO_SIZE_DOWNLOAD) && shadow->replayed == REPLAYED_DIRECT)
    return replay->downloaded;
  int64_t value = info_record_number(replay->facts.data, replay->facts.len, info, info_rows[number].unset);
  if (!knows(shadow, number))
    return unset_number(shadow, number);
  if (replay->passing)
    return passing_number(replay, number, value);
  return number == NUMBER_OF(CURLINFO_HEADER_SIZE) ? value + (int64_t)replay->marks_len : value;
}

static const char *fact_text(const struct shadow *shadow, unsigned number)
{
  const struct info *replay = shadow->info;
  const char *unset = info_rows[number].unset ? "" : NULL;
  return knows(shadow, number) ? text_of(replay, number, unset) : unset;
}

static bool is_time(const struct info_row *row)
{
  switch ((enum info_source)row->source) {
  case SOURCE_TOTAL_TIME:
  case SOURCE_FIRST_BYTE_TIME:
  case SOURCE_NO_TIME:
  case SOURCE_DOWNLOAD_SPEED:
  case SOURCE_UPLOAD_SPEED:
    return true;
  default:
    return false;
  }
}

/* Under transport libcurl has run a transfer, and what it measured of it is its own. */
static bool is_libcurls(const struct shadow *shadow, const struct info_row *row)
{
  if (shadow->replayed != REPLAYED_TRANSPORT || row->source == SOURCE_UPLOAD_SPEED)
    return false;
  if (row == &info_rows[NUMBER_OF(CURLINFO_RESPONSE_CODE)])
    return shadow->info->passing && !shadow->info->status;
  return is_time(row) || row->when == WHEN_PARSED || (row->when == WHEN_GROWS && shadow->info->passing);
}

static int64_t libcurls_count(const struct shadow *shadow)
{
  curl_off_t count = 0;
  shadow->lib->easy_getinfo(shadow->handle, CURLINFO_SIZE_DOWNLOAD_T, &count);
  return count;
}

bool info_getinfo(struct shadow *shadow, CURLINFO info, void *out)
{
  const struct info *replay = shadow->info;
  unsigned number = NUMBER_OF(info);
  if (number >= INFO_LIMIT || !replay)
    return false;
  if (shadow->replayed == REPLAYED_RESET && number != NUMBER_OF(CURLINFO_EFFECTIVE_METHOD))
    return false;
  const struct info_row *row = &info_rows[number];
  if (is_time(row) && replay->ended_us && recorded_time(replay, info, out))
    return true;
  bool is_fact = row->source == SOURCE_NUMBER || row->source == SOURCE_TEXT;
  if (replay->uncounted && number == NUMBER_OF(CURLINFO_SIZE_DOWNLOAD) && is_libcurls(shadow, row)) {
    give_number(info, libcurls_count(shadow) - replay->uncounted, out);
    return true;
  }
  if (is_libcurls(shadow, row) || (is_fact && (!replay->begun || !is_known(shadow, info))))
    return false;
  switch ((enum info_source)row->source) {
  case SOURCE_REAL:
    return false;
  case SOURCE_NUMBER:
    give_number(info, fact_number(shadow, info), out);
    break;
  case SOURCE_TEXT:
    *(const char **)out = fact_text(shadow, number);
    break;
  case SOURCE_URL:
    *(const char **)out = text_of(replay, number, shadow->url.len ? shadow->url.data : "");
    break;
  case SOURCE_TOTAL_TIME:
    give_time(info, elapsed_us(shadow), out);
    break;
  case SOURCE_FIRST_BYTE_TIME:
    give_time(info, first_byte_after_us(replay), out);
    break;
  case SOURCE_NO_TIME:
    give_time(info, 0, out);
    break;
  case SOURCE_DOWNLOAD_SPEED:
    give_number(info, replay->downloaded * 1000000 / elapsed_us(shadow), out);
    break;
  case SOURCE_UPLOAD_SPEED:
    give_number(info, fact_number(shadow, CURLINFO_SIZE_UPLOAD_T) * 1000000 / elapsed_us(shadow), out);
    break;
  case SOURCE_CERTIFICATES:
    *(const struct curl_certinfo **)out = certificates(shadow);
    break;
  case SOURCE_NO_SOCKET:
    give_number(info, -1, out);
    break;
  }
  return true;
}
