/* SPDX-License-Identifier: MIT */
#include "shim/replay.h"

#include "shim/call.h"
#include "shim/certinfo.h"
#include "shim/header_text.h"

#include <stdlib.h>
#include <string.h>

/* X(info, value before anything is known [Curl_initinfo, Curl_pgrsResetTransferSizes], when libcurl itself
 * knows as well: under transport it tells what GROWS until its transfer has ended well, and what is PARSED
 * from the header always). They are stored in this order and looked for from the front: the first three are
 * what a delivery itself asks for. */
#define NUMBER_FACTS(X)                                                                                      \
  X(REDIRECT_COUNT, 0, FIXED)                                                                                \
  X(CONTENT_LENGTH_DOWNLOAD_T, -1, GROWS)                                                                    \
  X(SIZE_UPLOAD_T, 0, FIXED)                                                                                 \
  X(RESPONSE_CODE, 0, FIXED)                                                                                 \
  X(HTTP_CONNECTCODE, 0, FIXED)                                                                              \
  X(HEADER_SIZE, 0, GROWS)                                                                                   \
  X(REQUEST_SIZE, 0, FIXED)                                                                                  \
  X(SSL_VERIFYRESULT, 0, FIXED)                                                                              \
  X(PROXY_SSL_VERIFYRESULT, 0, FIXED)                                                                        \
  X(HTTPAUTH_AVAIL, 0, FIXED)                                                                                \
  X(PROXYAUTH_AVAIL, 0, FIXED)                                                                               \
  X(OS_ERRNO, 0, GROWS)                                                                                      \
  X(NUM_CONNECTS, 0, FIXED)                                                                                  \
  X(CONDITION_UNMET, 0, PARSED)                                                                              \
  X(PRIMARY_PORT, 0, FIXED)                                                                                  \
  X(LOCAL_PORT, 0, FIXED)                                                                                    \
  X(HTTP_VERSION, 0, FIXED)                                                                                  \
  X(PROTOCOL, 0, FIXED)                                                                                      \
  X(PROXY_ERROR, 0, FIXED)                                                                                   \
  X(FILETIME_T, -1, PARSED)                                                                                  \
  X(SIZE_DOWNLOAD_T, 0, GROWS)                                                                               \
  X(CONTENT_LENGTH_UPLOAD_T, -1, FIXED)                                                                      \
  X(RETRY_AFTER, 0, FIXED)

#define TEXT_FACTS(X)                                                                                        \
  X(CONTENT_TYPE, NULL, GROWS)                                                                               \
  X(REDIRECT_URL, NULL, FIXED)                                                                               \
  X(PRIMARY_IP, "", FIXED)                                                                                   \
  X(LOCAL_IP, "", FIXED)                                                                                     \
  X(SCHEME, NULL, FIXED)                                                                                     \
  X(EFFECTIVE_METHOD, NULL, FIXED)                                                                           \
  X(REFERER, NULL, FIXED)                                                                                    \
  X(FTP_ENTRY_PATH, NULL, FIXED)

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
  int8_t unset;           /* NUMBER */
  uint8_t when;           /* enum info_when */
  const char *unset_text; /* TEXT */
};

#define INFO_LIMIT      80u
#define NUMBER_OF(info) ((unsigned)(info)&CURLINFO_MASK)

/* clang-format off */
static const struct info_row info_rows[INFO_LIMIT] = {
#define X(info, unset, when) [CURLINFO_##info & CURLINFO_MASK] = {SOURCE_NUMBER, unset, WHEN_##when, NULL},
  NUMBER_FACTS(X)
#undef X
#define X(info, unset, when) [CURLINFO_##info & CURLINFO_MASK] = {SOURCE_TEXT, 0, WHEN_##when, unset},
  TEXT_FACTS(X)
#undef X
#define T(info, source) [CURLINFO_##info & CURLINFO_MASK] = {source, 0, WHEN_FIXED, NULL}
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

struct replay *replay_begin(struct shadow *shadow)
{
  struct replay *replay = shadow->replay;
  if (!replay)
    replay = shadow->replay = calloc(1, sizeof(*replay));
  if (!replay)
    return NULL;
  free(replay->entries);
  certinfo_free(replay->certinfo);
  struct buffer headers = replay->headers, facts = replay->facts;
  *replay = (struct replay){.headers = headers, .facts = facts};
  replay->headers.len = replay->facts.len = 0;
  return replay;
}

static bool put(struct buffer *to, const char *data, size_t len)
{
  return buffer_append(to, data, len);
}

/* The blocks as they came, and the marks in the last one. */
static bool compose_headers(struct replay *replay, struct idem_span headers, const char *marks)
{
  size_t marks_len = strlen(marks), end = headers.len;
  size_t blank = end >= 2 && headers.data[end - 2] == '\r' ? 2 : end ? 1 : 0;
  replay->marks_len = marks_len;
  return put(&replay->headers, headers.data, end - blank) && put(&replay->headers, marks, marks_len) &&
         put(&replay->headers, headers.data + end - blank, blank);
}

struct replay *replay_begin_answer(struct shadow *shadow, const struct idem_answer *answer, const char *marks)
{
  struct replay *replay = replay_begin(shadow);
  bool complete = replay && put(&replay->facts, answer->facts.data, answer->facts.len) &&
                  compose_headers(replay, answer->headers, marks);
  return complete ? replay : NULL;
}

void replay_free(struct replay *replay)
{
  if (!replay)
    return;
  free(replay->entries);
  certinfo_free(replay->certinfo);
  buffer_release(&replay->headers);
  buffer_release(&replay->facts);
  free(replay);
}

/* A fact is its number and length, two bytes each, and then so many bytes. */
#define FACT_HEAD 4u

static bool add_fact(struct buffer *facts, CURLINFO info, const void *value, size_t len)
{
  uint16_t head[2] = {(uint16_t)NUMBER_OF(info), (uint16_t)len};
  return len <= UINT16_MAX && buffer_append(facts, head, FACT_HEAD) && buffer_append(facts, value, len);
}

bool replay_add_number(struct buffer *facts, CURLINFO info, int64_t value)
{
  return add_fact(facts, info, &value, sizeof(value));
}

bool replay_add_text(struct buffer *facts, CURLINFO info, const char *value)
{
  return !value || add_fact(facts, info, value, strlen(value) + 1);
}

static const char *find_fact(const char *facts, size_t len, unsigned number, size_t *fact_len)
{
  for (size_t at = 0; at + FACT_HEAD <= len;) {
    uint16_t head[2];
    memcpy(head, facts + at, FACT_HEAD);
    if (head[1] > len - at - FACT_HEAD)
      return NULL;
    *fact_len = head[1];
    if (head[0] == number)
      return facts + at + FACT_HEAD;
    at += FACT_HEAD + head[1];
  }
  return NULL;
}

/* No info has this number. */
#define DATE_FACT CURLINFO_NONE

bool replay_add_date(struct buffer *facts, int64_t started_us)
{
  char date[HEADER_DATE_SIZE];
  header_date(started_us / 1000000, date);
  return replay_add_text(facts, DATE_FACT, date);
}

const char *replay_date(struct idem_span facts)
{
  size_t len = 0;
  const char *date = find_fact(facts.data, facts.len, NUMBER_OF(DATE_FACT), &len);
  return date && len == HEADER_DATE_SIZE && date[len - 1] == '\0' ? date : NULL;
}

int64_t replay_number(const char *facts, size_t len, CURLINFO info, int64_t fallback)
{
  size_t fact_len;
  const char *fact = find_fact(facts, len, NUMBER_OF(info), &fact_len);
  if (fact && fact_len == sizeof(fallback))
    memcpy(&fallback, fact, sizeof(fallback));
  return fallback;
}

static const char *replay_text(const struct replay *replay, unsigned number, const char *fallback)
{
  size_t len;
  const char *fact = find_fact(replay->facts.data, replay->facts.len, number, &len);
  return fact && len && fact[len - 1] == '\0' ? fact : fallback;
}

/* Collecting. */

static bool collect_number(const struct shadow *shadow, CURLINFO info, struct buffer *facts)
{
  bool is_long = (info & CURLINFO_TYPEMASK) == CURLINFO_LONG;
  long small = 0;
  curl_off_t large = 0;
  CURLcode code = is_long ? shadow->lib->easy_getinfo(shadow->handle, info, &small)
                          : shadow->lib->easy_getinfo(shadow->handle, info, &large);
  /* An older libcurl does not know them all. */
  return code != CURLE_OK || replay_add_number(facts, info, is_long ? (int64_t)small : (int64_t)large);
}

/* The value of `key=` in the app's URL, with which Google's services are paid. */
static struct idem_span url_credential(const struct shadow *shadow)
{
  const struct url_parts *parts = &shadow->parts;
  const char *at = shadow->url.data + parts->query, *end = at + parts->query_len;
  while (at < end) {
    size_t len = strcspn(at, "&#");
    if (len > 4 && strncmp(at, "key=", 4) == 0)
      return (struct idem_span){at + 4, len - 4};
    at += len + 1;
  }
  return (struct idem_span){NULL, 0};
}

static bool collect_text(const struct shadow *shadow, CURLINFO info, struct buffer *facts)
{
  char *value = NULL;
  if (shadow->lib->easy_getinfo(shadow->handle, info, &value) != CURLE_OK || !value)
    return true;
  struct idem_span secret = url_credential(shadow);
  if (secret.len && memmem(value, strlen(value), secret.data, secret.len))
    return false;
  return replay_add_text(facts, info, value);
}

/* The app's own URL is not stored: a replay tells the URL of the call that it answers. */
static bool collect_url(const struct shadow *shadow, struct buffer *facts)
{
  char *value = NULL;
  shadow->lib->easy_getinfo(shadow->handle, CURLINFO_EFFECTIVE_URL, &value);
  return !value || strcmp(value, shadow->url.data) == 0 ||
         collect_text(shadow, CURLINFO_EFFECTIVE_URL, facts);
}

static bool collect_certificates(const struct shadow *shadow, struct buffer *facts)
{
  struct curl_certinfo *info = NULL;
  struct buffer text = {0};
  if (!shadow->slot[SLOT_CERTINFO] ||
      shadow->lib->easy_getinfo(shadow->handle, CURLINFO_CERTINFO, &info) != CURLE_OK || !info)
    return true;
  bool complete = certinfo_write(info, &text) && add_fact(facts, CURLINFO_CERTINFO, text.data, text.len);
  buffer_release(&text);
  return complete;
}

bool replay_has_certificates(const struct shadow *shadow, struct idem_span facts)
{
  size_t len;
  return !shadow->slot[SLOT_CERTINFO] || !shadow->parts.https ||
         find_fact(facts.data, facts.len, NUMBER_OF(CURLINFO_CERTINFO), &len);
}

/* What a tape has beside the facts. */
#define TIME_FACTS(X)                                                                                        \
  X(TOTAL_TIME_T)                                                                                            \
  X(NAMELOOKUP_TIME_T)                                                                                       \
  X(CONNECT_TIME_T)                                                                                          \
  X(APPCONNECT_TIME_T)                                                                                       \
  X(PRETRANSFER_TIME_T)                                                                                      \
  X(STARTTRANSFER_TIME_T)                                                                                    \
  X(REDIRECT_TIME_T)                                                                                         \
  X(SPEED_DOWNLOAD_T)                                                                                        \
  X(SPEED_UPLOAD_T)

bool replay_collect_times(const struct shadow *shadow, struct buffer *facts)
{
  bool complete = true;
#define X(info) complete = complete && collect_number(shadow, CURLINFO_##info, facts);
  TIME_FACTS(X)
#undef X
  return complete;
}

bool replay_collect_facts(const struct shadow *shadow, struct buffer *facts)
{
  bool complete = true;
#define X(info, unset, when) complete = complete && collect_number(shadow, CURLINFO_##info, facts);
  NUMBER_FACTS(X)
#undef X
#define X(info, unset, when) complete = complete && collect_text(shadow, CURLINFO_##info, facts);
  TEXT_FACTS(X)
#undef X
  return complete && collect_url(shadow, facts) && collect_certificates(shadow, facts);
}

/* Answering. */

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
static bool recorded_time(const struct replay *replay, CURLINFO info, void *out)
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
  int64_t value = replay_number(replay->facts.data, replay->facts.len, (CURLINFO)number, -1);
  if (value < 0)
    return false;
  if (is_speed)
    give_number(info, value, out);
  else
    give_time(info, value, out);
  return true;
}

static int64_t elapsed_us(const struct replay *replay)
{
  int64_t us = (replay->ended_us ? replay->ended_us : monotonic_us()) - replay->started_us;
  return us > 0 ? us : 1;
}

static const struct curl_certinfo *certificates(const struct shadow *shadow)
{
  static const struct curl_certinfo none;
  struct replay *replay = shadow->replay;
  size_t len = 0;
  const char *text = find_fact(replay->facts.data, replay->facts.len, NUMBER_OF(CURLINFO_CERTINFO), &len);
  if (!text || !shadow->slot[SLOT_CERTINFO])
    return &none;
  if (!replay->certinfo)
    replay->certinfo = certinfo_read(text, len);
  return replay->certinfo ? replay->certinfo : &none;
}

static int64_t fact_number(const struct replay *replay, CURLINFO info)
{
  unsigned number = NUMBER_OF(info);
  if (replay->passing && number == NUMBER_OF(CURLINFO_RESPONSE_CODE))
    return replay->status;
  int64_t value = replay_number(replay->facts.data, replay->facts.len, info, info_rows[number].unset);
  return number == NUMBER_OF(CURLINFO_HEADER_SIZE) ? value + (int64_t)replay->marks_len : value;
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
  if (shadow->replayed != REPLAYED_TRANSPORT)
    return false;
  return is_time(row) || row->when == WHEN_PARSED || (row->when == WHEN_GROWS && shadow->replay->passing);
}

bool replay_getinfo(struct shadow *shadow, CURLINFO info, void *out)
{
  const struct replay *replay = shadow->replay;
  unsigned number = NUMBER_OF(info);
  if (number >= INFO_LIMIT || !replay)
    return false;
  const struct info_row *row = &info_rows[number];
  if (is_time(row) && replay->ended_us && recorded_time(replay, info, out))
    return true;
  if (is_libcurls(shadow, row))
    return false;
  switch ((enum info_source)row->source) {
  case SOURCE_REAL:
    return false;
  case SOURCE_NUMBER:
    give_number(info, fact_number(replay, info), out);
    break;
  case SOURCE_TEXT:
    *(const char **)out = replay_text(replay, number, row->unset_text);
    break;
  case SOURCE_URL:
    *(const char **)out = replay_text(replay, number, shadow->url.len ? shadow->url.data : "");
    break;
  case SOURCE_TOTAL_TIME:
    give_time(info, elapsed_us(replay), out);
    break;
  case SOURCE_FIRST_BYTE_TIME:
    give_time(info, replay->first_byte_us ? replay->first_byte_us - replay->started_us : 0, out);
    break;
  case SOURCE_NO_TIME:
    give_time(info, 0, out);
    break;
  case SOURCE_DOWNLOAD_SPEED:
    give_number(info, replay->downloaded * 1000000 / elapsed_us(replay), out);
    break;
  case SOURCE_UPLOAD_SPEED:
    give_number(info, fact_number(replay, CURLINFO_SIZE_UPLOAD_T) * 1000000 / elapsed_us(replay), out);
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
