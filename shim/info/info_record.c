/* SPDX-License-Identifier: MIT */
#include "shim/info/info_record.h"

#include "shim/base/http_header.h"
#include "shim/info/certinfo.h"
#include "shim/info/info.h"

#include <stdlib.h>
#include <string.h>

/* A fact is its number and length, two bytes each, and then so many bytes. */
#define FACT_HEAD 4u

static bool add_fact(struct buffer *facts, CURLINFO info, const void *value, size_t len)
{
  uint16_t head[2] = {(uint16_t)NUMBER_OF(info), (uint16_t)len};
  return len <= UINT16_MAX && buffer_append(facts, head, FACT_HEAD) && buffer_append(facts, value, len);
}

bool info_record_add_number(struct buffer *facts, CURLINFO info, int64_t value)
{
  return add_fact(facts, info, &value, sizeof(value));
}

bool info_record_add_text(struct buffer *facts, CURLINFO info, const char *value)
{
  return !value || add_fact(facts, info, value, strlen(value) + 1);
}

const char *info_record_find(const char *facts, size_t len, unsigned number, size_t *fact_len)
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

bool info_record_add_date(struct buffer *facts, int64_t started_us)
{
  char date[HEADER_DATE_SIZE];
  header_date(started_us / 1000000, date);
  return info_record_add_text(facts, DATE_FACT, date);
}

const char *info_record_date(struct idem_span facts)
{
  size_t len = 0;
  const char *date = info_record_find(facts.data, facts.len, NUMBER_OF(DATE_FACT), &len);
  return date && len == HEADER_DATE_SIZE && date[len - 1] == '\0' ? date : NULL;
}

/* Nor this one. */
#define TRAILERS_FACT 0xfffeu

bool info_record_add_trailers(struct buffer *facts, struct idem_span lines)
{
  return !lines.len || add_fact(facts, (CURLINFO)TRAILERS_FACT, lines.data, lines.len);
}

struct idem_span info_record_trailers(const struct buffer *facts)
{
  struct idem_span lines = {"", 0};
  const char *found =
      facts->len ? info_record_find(facts->data, facts->len, TRAILERS_FACT, &lines.len) : NULL;
  lines.data = found ? found : "";
  lines.len = found ? lines.len : 0;
  return lines;
}

int64_t info_record_number(const char *facts, size_t len, CURLINFO info, int64_t fallback)
{
  size_t fact_len;
  const char *fact = info_record_find(facts, len, NUMBER_OF(info), &fact_len);
  if (fact && fact_len == sizeof(fallback))
    memcpy(&fallback, fact, sizeof(fallback));
  return fallback;
}

/* Collecting. */

/* As the app would be told: of a replay, its own. */
static CURLcode ask(const struct shadow *shadow, CURLINFO info, void *out)
{
  if (shadow->replayed && info_getinfo((struct shadow *)shadow, info, out))
    return CURLE_OK;
  return shadow->lib->easy_getinfo(shadow->handle, info, out);
}

static bool collect_number(const struct shadow *shadow, CURLINFO info, struct buffer *facts)
{
  bool is_long = (info & CURLINFO_TYPEMASK) == CURLINFO_LONG;
  long small = 0;
  curl_off_t large = 0;
  CURLcode code = ask(shadow, info, is_long ? (void *)&small : (void *)&large);
  /* An older libcurl does not know them all. */
  return code != CURLE_OK || info_record_add_number(facts, info, is_long ? (int64_t)small : (int64_t)large);
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
  if (ask(shadow, info, &value) != CURLE_OK || !value)
    return true;
  struct idem_span secret = url_credential(shadow);
  if (secret.len && memmem(value, strlen(value), secret.data, secret.len))
    return false;
  return info_record_add_text(facts, info, value);
}

/* The app's own URL is not stored: a replay tells the URL of the call that it answers. */
static bool collect_url(const struct shadow *shadow, struct buffer *facts)
{
  char *value = NULL;
  ask(shadow, CURLINFO_EFFECTIVE_URL, &value);
  return !value || strcmp(value, shadow->url.data) == 0 ||
         collect_text(shadow, CURLINFO_EFFECTIVE_URL, facts);
}

static bool collect_certificates(const struct shadow *shadow, struct buffer *facts)
{
  struct curl_certinfo *info = NULL;
  struct buffer text = {0};
  if (!shadow->slot[SLOT_CERTINFO] || ask(shadow, CURLINFO_CERTINFO, &info) != CURLE_OK || !info)
    return true;
  bool complete = certinfo_write(info, &text) && add_fact(facts, CURLINFO_CERTINFO, text.data, text.len);
  buffer_release(&text);
  return complete;
}

bool info_record_has_certificates(const struct shadow *shadow, struct idem_span facts)
{
  size_t len;
  return !shadow->slot[SLOT_CERTINFO] || !shadow->parts.https ||
         info_record_find(facts.data, facts.len, NUMBER_OF(CURLINFO_CERTINFO), &len);
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

bool info_record_collect_times(const struct shadow *shadow, struct buffer *facts)
{
  bool complete = true;
#define X(info) complete = complete && collect_number(shadow, CURLINFO_##info, facts);
  TIME_FACTS(X)
#undef X
  return complete;
}

bool info_record_collect(const struct shadow *shadow, struct buffer *facts)
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
