/* SPDX-License-Identifier: MIT */
#include "shim/info/info_record.h"

#include "config/names.h"
#include "shim/base/http_header.h"
#include "shim/handle/url.h"
#include "shim/info/info.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A fact is its number and length, two bytes each, and then so many bytes. No info has the three last
 * numbers. */
#define FACT_HEAD     4u
#define DATE_FACT     CURLINFO_NONE
#define TRAILERS_FACT ((CURLINFO)0xfffe)
#define UNMARKED_FACT ((CURLINFO)0xfffd)

/* False without memory, and for a value that the length has no room for. */
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

/* Walks the facts from the front. One that reaches behind the end is damaged, and ends the walk. */
struct idem_span info_record_find(struct idem_span facts, CURLINFO info)
{
  const unsigned wanted = NUMBER_OF(info);
  for (size_t at = 0; at + FACT_HEAD <= facts.len;) {
    uint16_t number, len;
    memcpy(&number, facts.data + at, sizeof(number));
    memcpy(&len, facts.data + at + sizeof(number), sizeof(len));
    at += FACT_HEAD;
    if (number == wanted && len <= facts.len - at)
      return (struct idem_span){facts.data + at, len};
    at += len;
  }
  return (struct idem_span){NULL, 0};
}

int64_t info_record_number(struct idem_span facts, CURLINFO info, int64_t fallback)
{
  struct idem_span fact = info_record_find(facts, info);
  if (fact.len == sizeof(fallback))
    memcpy(&fallback, fact.data, sizeof(fallback));
  return fallback;
}

const char *info_record_text(struct idem_span facts, CURLINFO info)
{
  struct idem_span fact = info_record_find(facts, info);
  return fact.len && fact.data[fact.len - 1] == '\0' ? fact.data : NULL;
}

bool info_record_add_date(struct buffer *facts, int64_t started_us)
{
  char date[HEADER_DATE_SIZE];
  header_date(started_us / 1000000, date);
  return info_record_add_text(facts, DATE_FACT, date);
}

const char *info_record_date(struct idem_span facts)
{
  struct idem_span date = info_record_find(facts, DATE_FACT);
  return date.len == HEADER_DATE_SIZE && date.data[date.len - 1] == '\0' ? date.data : NULL;
}

bool info_record_add_unmarked(struct buffer *facts, struct idem_span headers)
{
  for (struct idem_span line; (line = span_cut_line(&headers)).len;)
    if (header_is_mark(line.data, line.len))
      return true;
  return add_fact(facts, UNMARKED_FACT, "", 0);
}

bool info_record_is_unmarked(struct idem_span facts)
{
  return info_record_find(facts, UNMARKED_FACT).data;
}

bool info_record_add_trailers(struct buffer *facts, struct idem_span lines)
{
  return add_fact(facts, TRAILERS_FACT, lines.len ? lines.data : "", lines.len);
}

struct idem_span info_record_trailers(struct idem_span facts)
{
  struct idem_span lines = info_record_find(facts, TRAILERS_FACT);
  return lines.len ? lines : (struct idem_span){"", 0};
}

/*
 * Certificates are one fact: their "name:value" lines, each with its NUL, and an empty line behind each
 * certificate. They are given back in one block: the struct, the array of lists, the nodes, and the text.
 */
static bool add_certificates(struct buffer *facts, const struct curl_certinfo *info)
{
  struct buffer text = {0};
  bool complete = true;
  for (int i = 0; i < info->num_of_certs && complete; i++) {
    for (const struct curl_slist *line = info->certinfo[i]; line && complete; line = line->next)
      complete = buffer_append(&text, line->data, strlen(line->data) + 1);
    complete = complete && buffer_append(&text, "", 1);
  }
  complete = complete && add_fact(facts, CURLINFO_CERTINFO, text.data, text.len);
  buffer_release(&text);
  return complete;
}

/* Counts first, so that all of it fits into one block. */
struct curl_certinfo *info_record_certificates(struct idem_span facts)
{
  struct idem_span text = info_record_find(facts, CURLINFO_CERTINFO);
  size_t certificates = 0, lines = 0;
  if (!text.data)
    return NULL;
  for (size_t at = 0; at < text.len; at += strnlen(text.data + at, text.len - at) + 1)
    *(text.data[at] ? &lines : &certificates) += 1;
  struct curl_certinfo *info = calloc(1, sizeof(*info) + certificates * sizeof(struct curl_slist *) +
                                             lines * sizeof(struct curl_slist) + text.len + 1);
  if (!info)
    return NULL;
  info->num_of_certs = (int)certificates;
  info->certinfo = (struct curl_slist **)(info + 1);
  struct curl_slist *node = (struct curl_slist *)(info->certinfo + certificates), **link = info->certinfo;
  char *copy = (char *)(node + lines);
  memcpy(copy, text.data, text.len);
  for (size_t at = 0, done = 0; at < text.len && done < certificates;
       at += strnlen(copy + at, text.len - at) + 1)
    if (copy[at]) {
      node->data = copy + at;
      *link = node;
      link = &node++->next;
    } else
      link = &info->certinfo[++done < certificates ? done : 0];
  return info;
}

/* Collecting. */

/* Asks as the app would: a replay that is recorded on a tape has facts of its own. */
static CURLcode ask(const struct shadow *shadow, CURLINFO info, void *out)
{
  if (shadow->replayed && info_getinfo((struct shadow *)shadow, info, out))
    return CURLE_OK;
  return shadow->lib->easy_getinfo(shadow->handle, info, out);
}

/* A number is stored as 64 bits, whatever its type in libcurl. One that is refused is no failure: an older
 * libcurl does not know them all. */
static bool collect_number(const struct shadow *shadow, CURLINFO info, struct buffer *facts)
{
  bool is_long = (info & CURLINFO_TYPEMASK) == CURLINFO_LONG;
  long small = 0;
  curl_off_t large = 0;
  CURLcode code = ask(shadow, info, is_long ? (void *)&small : (void *)&large);
  return code != CURLE_OK || info_record_add_number(facts, info, is_long ? (int64_t)small : (int64_t)large);
}

/* Whether a text repeats a credential of the query of the app's URL, as a redirect may. What is short stands
 * in many texts, and counts with its name only. User and password are cut out of a URL, unless one cannot
 * tell where they end. */
static bool repeats_credential(const struct shadow *shadow, struct idem_span text)
{
  enum { SHORT = 8 };
  const struct url_parts *parts = &shadow->parts;
  const char *at = shadow->url.data + parts->query, *end = at + parts->query_len;
  if (parts->user_len && url_user_is_odd(shadow->url.data, parts) &&
      memmem(text.data, text.len, shadow->url.data + parts->user, parts->user_len))
    return true;
  for (size_t len; at < end; at += len + 1) {
    const char *ampersand = memchr(at, '&', (size_t)(end - at));
    len = (size_t)((ampersand ? ampersand : end) - at);
    const char *equals = memchr(at, '=', len);
    size_t name_len = equals ? (size_t)(equals - at) : 0, value_len = equals ? len - name_len - 1 : 0;
    if (!value_len)
      continue;
    /* The text is short: looking for the value takes less time than what its name means. */
    bool repeats = value_len < SHORT ? memmem(text.data, text.len, at, len) != NULL
                                     : memmem(text.data, text.len, equals + 1, value_len) != NULL;
    if (repeats && idem_name_of_parameter(at, name_len) != IDEM_NAME_PLAIN)
      return true;
  }
  return false;
}

bool info_record_may_keep(const struct shadow *shadow, struct idem_span headers)
{
  static const char *const names[] = {"location:", "content-location:", "refresh:", "link:"};
  for (struct idem_span line; (line = span_cut_line(&headers)).len;)
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
      if (line.len > strlen(names[i]) && strncasecmp(line.data, names[i], strlen(names[i])) == 0 &&
          repeats_credential(shadow, line))
        return false;
  return true;
}

/* libcurl may have put the user and the password into a URL that a redirect led to. They are not written. */
static bool add_text_without_user(struct buffer *facts, CURLINFO info, const char *value)
{
  const char *slashes = strstr(value, "://"), *from = slashes ? slashes + 3 : value;
  const char *at = slashes ? memrchr(from, '@', strcspn(from, "/?#")) : NULL;
  size_t before = (size_t)(from - value), behind = strlen(at ? at + 1 : from) + 1;
  uint16_t head[2] = {(uint16_t)NUMBER_OF(info), (uint16_t)(before + behind)};
  return before + behind <= UINT16_MAX && buffer_append(facts, head, FACT_HEAD) &&
         buffer_append(facts, value, before) && buffer_append(facts, at ? at + 1 : from, behind);
}

/* A text that has a credential of the URL in it is not written, and fails the whole. */
static bool collect_text(const struct shadow *shadow, CURLINFO info, struct buffer *facts)
{
  char *value = NULL;
  if (ask(shadow, info, &value) != CURLE_OK || !value)
    return true;
  return !repeats_credential(shadow, (struct idem_span){value, strlen(value)}) &&
         add_text_without_user(facts, info, value);
}

/* The app's own URL is not stored: a replay tells the URL of the call that it answers. Where libcurl has
 * written it anew it is stored, if nothing in it is secret. */
static bool collect_url(const struct shadow *shadow, struct buffer *facts)
{
  char *url = NULL;
  long redirects = 0;
  ask(shadow, CURLINFO_EFFECTIVE_URL, &url);
  ask(shadow, CURLINFO_REDIRECT_COUNT, &redirects);
  if (!url || strcmp(url, shadow->url.data) == 0 ||
      (!redirects &&
       (shadow->parts.user_len || repeats_credential(shadow, (struct idem_span){url, strlen(url)}))))
    return true;
  return collect_text(shadow, CURLINFO_EFFECTIVE_URL, facts);
}

/* Connection times are worth telling only where the app is to see an incident again as it was. */
bool info_record_collect_times(const struct shadow *shadow, struct buffer *facts)
{
  static const CURLINFO times[] = {
      CURLINFO_TOTAL_TIME_T,      CURLINFO_NAMELOOKUP_TIME_T,   CURLINFO_CONNECT_TIME_T,
      CURLINFO_APPCONNECT_TIME_T, CURLINFO_PRETRANSFER_TIME_T,  CURLINFO_STARTTRANSFER_TIME_T,
      CURLINFO_REDIRECT_TIME_T,   CURLINFO_SPEED_DOWNLOAD_T,    CURLINFO_SPEED_UPLOAD_T,
      CURLINFO_QUEUE_TIME_T,      CURLINFO_POSTTRANSFER_TIME_T,
  };
  bool complete = true;
  for (size_t i = 0; complete && i < sizeof(times) / sizeof(*times); i++)
    complete = collect_number(shadow, times[i], facts);
  return complete;
}

/* Asks for everything once, at the end of the live call: afterwards the handle may be reused at once. */
bool info_record_collect(const struct shadow *shadow, struct buffer *facts)
{
  bool complete = true;
#define X(info, unset, when) complete = complete && collect_number(shadow, CURLINFO_##info, facts);
  NUMBER_FACTS(X)
#undef X
#define X(info, unset, when) complete = complete && collect_text(shadow, CURLINFO_##info, facts);
  TEXT_FACTS(X)
#undef X
  complete = complete && collect_url(shadow, facts);
  /* libcurl has certificates only for an app that asked for them before the handshake. */
  struct curl_certinfo *info = NULL;
  if (shadow->slot[SLOT_CERTINFO] && ask(shadow, CURLINFO_CERTINFO, &info) == CURLE_OK && info)
    complete = complete && add_certificates(facts, info);
  struct idem_span trailers = {"", 0};
  if (shadow->replayed && shadow->info)
    trailers = info_record_trailers(span_of_buffer(&shadow->info->facts));
  return complete && (!trailers.len || info_record_add_trailers(facts, trailers));
}
