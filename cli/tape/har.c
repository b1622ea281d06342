/* SPDX-License-Identifier: MIT */
/*
 * `tape export --har`: exchanges as entries of a HAR 1.2 archive
 * (http://www.softwareishard.com/blog/har-12-spec/), which browsers and many tools open. HAR was made for
 * browsers, and says less than a tape has and more than a tape knows: sizes of headers on the wire are -1, a
 * failed transfer has status 0 with libcurl's words in members of our own (_error, comment). Everything is
 * written as it is made; member by member, in the order of the specification.
 */
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "cli/tape/export.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "config/ascii.h"
#include "store/judge/event_stream.h"
#include "store/key/key.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* CURLINFO numbers. */
enum {
  PRIMARY_IP = 32,
  LOCAL_PORT = 42,
  NAMELOOKUP_TIME = 51,
  CONNECT_TIME,
  PRETRANSFER_TIME,
  STARTTRANSFER_TIME,
  /* 55 is REDIRECT_TIME_T, which HAR has no word for. */
  APPCONNECT_TIME = 56,
  CONN_ID = 64
};

/* Writes what stands in the format, with the next text as a JSON string for each $. */
static void put(FILE *out, const char *format, ...)
{
  va_list texts;
  va_start(texts, format);
  for (; *format; format++)
    if (*format == '$')
      cli_write_json_string(out, va_arg(texts, struct idem_span));
    else
      putc(*format, out);
  va_end(texts);
}

/* Lists of names and values. */

#define PAIR "{\"name\":$,\"value\":$}"

/* "name: value", or "name=value" with another sign. */
static bool split(struct idem_span line, char sign, struct idem_span *name, struct idem_span *value)
{
  const char *at = line.len ? memchr(line.data, sign, line.len) : NULL;
  if (!at)
    return false;
  *name = (struct idem_span){line.data, (size_t)(at - line.data)};
  *value = (struct idem_span){at + 1, line.len - name->len - 1};
  while (value->len && *value->data == ' ')
    *value = (struct idem_span){value->data + 1, value->len - 1};
  return true;
}

/* A line without a colon, such as the status line, is no header. */
static void put_headers(FILE *out, struct idem_span headers)
{
  struct idem_span line, name, value;
  bool first = true;
  fputs("\"headers\":[", out);
  while (event_stream_line(&headers, &line)) {
    if (!split(line, ':', &name, &value))
      continue;
    put(out, first ? PAIR : "," PAIR, name, value);
    first = false;
  }
  fputs("],", out);
}

/* "a=b; c=d" of a Cookie header are two; of Set-Cookie, only the first is the cookie. */
static void put_cookies(FILE *out, struct idem_span headers, const char *header, bool all)
{
  struct idem_span line, name, value;
  bool first = true;
  fputs("\"cookies\":[", out);
  while (event_stream_line(&headers, &line)) {
    if (!split(line, ':', &name, &value) || !idem_is_named(name.data, name.len, header))
      continue;
    for (struct idem_span rest = value; rest.len;) {
      const char *end = memchr(rest.data, ';', rest.len);
      struct idem_span pair = {rest.data, end ? (size_t)(end - rest.data) : rest.len}, key, word;
      if (split(pair, '=', &key, &word)) {
        put(out, first ? PAIR : "," PAIR, key, word);
        first = false;
      }
      size_t used = end && all ? pair.len + 1 : rest.len;
      rest = (struct idem_span){rest.data + used, rest.len - used};
      while (rest.len && *rest.data == ' ')
        rest = (struct idem_span){rest.data + 1, rest.len - 1};
    }
  }
  fputs("],", out);
}

/* A parameter is each piece between two &, as the key sees them, too. */
static void put_query(FILE *out, struct idem_span query)
{
  struct idem_span piece, name, value;
  bool first = true, credential;
  fputs("\"queryString\":[", out);
  while (key_query_next(&query, &piece, &credential)) {
    if (!split(piece, '=', &name, &value)) {
      name = piece;
      value = (struct idem_span){"", 0};
    }
    put(out, first ? PAIR : "," PAIR, name, value);
    first = false;
  }
  fputs("],", out);
}

/* The request. */

/* The protocol is that of the answer: which one the request was sent in is not known before it. */
static struct idem_span http_version(const struct tape_record *record)
{
  struct idem_span block = cli_last_block(record->outcome.headers), line;
  if (!event_stream_line(&block, &line) || line.len < 5 || memcmp(line.data, "HTTP/", 5) != 0)
    return cli_span("");
  const char *blank = memchr(line.data, ' ', line.len);
  return (struct idem_span){line.data, blank ? (size_t)(blank - line.data) : line.len};
}

/* As a browser writes it: what no URI may have is escaped, such as brackets but for those of an IPv6 host
 * (RFC 3986, 3.2.2). What an app gives to libcurl may have anything. */
static void put_url(FILE *out, const char *url)
{
  static const char hex[] = "0123456789abcdefABCDEF";
  const char *scheme = strstr(url, "://");
  const char *behind_host = scheme ? scheme + 3 + strcspn(scheme + 3, "/?#") : url;
  putc('"', out);
  for (; *url; url++) {
    unsigned char c = (unsigned char)*url;
    /* A % that begins no escape is escaped itself (RFC 3986, 2.4). */
    bool bare = c == '%' && !(url[1] && strchr(hex, url[1]) && url[2] && strchr(hex, url[2]));
    bool bracket = url >= behind_host && (c == '[' || c == ']');
    fprintf(out, c <= ' ' || c >= 0x7f || bare || bracket || strchr("\"<>\\^`{|}", c) ? "%%%02X" : "%c", c);
  }
  putc('"', out);
}

/* The URL is whole, credentials in it having been redacted when it was recorded. HAR has no way to say that
 * the text of a request is in base64; such a body is told as text, with a comment. */
static void put_request(FILE *out, const struct tape_record *record)
{
  struct idem_answer view = cli_record_view(record);
  char *url = cli_call_text(&view, CLI_CALL_URL);
  put(out, "\"request\":{\"method\":$,\"url\":", record->method);
  put_url(out, url ? url : "");
  put(out, ",\"httpVersion\":$,", http_version(record));
  put_cookies(out, record->request_headers, "Cookie", true);
  put_headers(out, record->request_headers);
  put_query(out, record->query);
  if (record->call.request_body_len) {
    put(out, "\"postData\":{\"mimeType\":$,\"text\":$", cli_header(record->request_headers, "Content-Type"),
        record->request_body);
    if (!cli_is_text(record->request_body))
      fputs(",\"comment\":\"not UTF-8: bytes that are none were replaced\"", out);
    fputs("},", out);
  }
  fprintf(out, "\"headersSize\":-1,\"bodySize\":%" PRIu64 "},", record->call.request_body_len);
  free(url);
}

/* The response. */

/* "Not Found" of "HTTP/1.1 404 Not Found"; HTTP/2 has none. */
static struct idem_span status_text(struct idem_span block)
{
  struct idem_span line;
  if (!event_stream_line(&block, &line))
    return cli_span("");
  /* Behind the second blank: version, status, words. */
  for (int i = 0; i < 2; i++) {
    const char *blank = memchr(line.data, ' ', line.len);
    if (!blank)
      return cli_span("");
    line = (struct idem_span){blank + 1, line.len - (size_t)(blank + 1 - line.data)};
  }
  return line;
}

/* A transfer that failed has the status 0, as browsers have it, although a part of an answer may be there.
 * `size` is the true length, also where only the beginning is on the tape. */
static void put_response(FILE *out, const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  struct idem_span block = cli_last_block(outcome->headers),
                   type = cli_header(outcome->headers, "Content-Type");
  bool failed = outcome->curl_code != 0;
  fprintf(out, "\"response\":{\"status\":%u,", failed ? 0 : outcome->status);
  put(out, "\"statusText\":$,\"httpVersion\":$,", failed ? cli_span("") : status_text(block),
      http_version(record));
  put_cookies(out, block, "Set-Cookie", false);
  put_headers(out, block);
  fprintf(out, "\"content\":{\"size\":%" PRIu64 ",", outcome->body_len);
  put(out, "\"mimeType\":$", type.len ? type : cli_span("x-unknown"));
  if (outcome->body.len && cli_is_text(outcome->body)) {
    put(out, ",\"text\":$", outcome->body);
  } else if (outcome->body.len) {
    fputs(",\"text\":", out);
    cli_write_json_base64(out, outcome->body);
    fputs(",\"encoding\":\"base64\"", out);
  }
  if (outcome->body.len < outcome->body_len)
    fputs(",\"comment\":\"only the beginning is on the tape\"", out);
  /* Empty where there is none, for the member must be there. */
  put(out, "},\"redirectURL\":$", cli_header(outcome->headers, "Location"));
  fprintf(out, ",\"headersSize\":%zu,\"bodySize\":%" PRIu64, block.len, outcome->body_len);
  if (failed)
    put(out, ",\"_error\":$,\"comment\":$", cli_span(cli_curl_error(outcome->curl_code)),
        outcome->error_text);
  else if (outcome->no_answer)
    put(out, ",\"_error\":$,\"comment\":$", cli_span("NO_ANSWER"), outcome->error_text);
  fputs("},", out);
}

/* Times. */

/* A time that libcurl told; 0 means that it does not apply. */
static int64_t fact_or(const struct tape_record *record, unsigned number, int64_t fallback)
{
  int64_t value;
  return tape_fact_number(&record->outcome, number, &value) && value > 0 ? value : fallback;
}

/* HAR has milliseconds with a fraction. */
static double ms(int64_t us)
{
  return us < 0 ? 0 : (double)us / 1000;
}

/* Each of libcurl's times is from the start; those of a connection that was there already are 0. */
static double put_timings(FILE *out, const struct tape_record *record)
{
  int64_t total = (int64_t)record->call.duration_us;
  int64_t dns = fact_or(record, NAMELOOKUP_TIME, 0), connect = fact_or(record, CONNECT_TIME, dns);
  int64_t ready = fact_or(record, APPCONNECT_TIME, connect), sent = fact_or(record, PRETRANSFER_TIME, ready);
  int64_t first = record->outcome.first_byte_us < 0 ? total : record->outcome.first_byte_us;
  /* What a tape says of times need not be true: clocks are set, tapes are edited. Each moment is
   * moved behind the one before it, so that no phase is ever negative and their sum is the whole. */
  connect = connect < dns ? dns : connect;
  ready = ready < connect ? connect : ready;
  sent = sent < ready ? ready : sent > first ? (first < ready ? ready : first) : sent;
  first = first < sent ? sent : first;
  total = total < first ? first : total;
  fprintf(
      out,
      "\"timings\":{\"blocked\":-1,\"dns\":%.3f,\"connect\":%.3f,\"ssl\":%.3f,\"send\":%.3f,\"wait\":%.3f,"
      "\"receive\":%.3f}",
      ms(dns), ms(ready - dns), ready > connect ? ms(ready - connect) : -1.0, ms(sent - ready),
      ms(first - sent), ms(total - first));
  return ms(total);
}

/* Where an event goes, and when the piece came that ended it. The time is in seconds since 1970. */
struct messages {
  FILE *out;
  bool begun;
  double time;
};

static void put_message(void *arg, struct idem_span name, struct idem_span data)
{
  struct messages *messages = arg;
  fprintf(messages->out, "%s{\"time\":%.6f,", messages->begun ? "," : "", messages->time);
  put(messages->out, "\"eventName\":$,\"eventId\":\"\",\"data\":$}", name.len ? name : cli_span("message"),
      data);
  messages->begun = true;
}

/* The events of a stream with their times, as browsers write them. */
static void put_messages(FILE *out, const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  struct messages messages = {.out = out};
  struct event_stream stream = {.events = true, .take = put_message, .arg = &messages};
  size_t at = 0;
  /* An encoded stream has no events that could be read here. */
  if (outcome->encoded || !cli_is_event_stream(outcome->headers))
    return;
  fputs(",\"_eventSourceMessages\":[", out);
  for (size_t i = 0; i < outcome->chunk_count && at < outcome->body.len; at += outcome->chunks[i++].len) {
    size_t left = outcome->body.len - at, len = outcome->chunks[i].len < left ? outcome->chunks[i].len : left;
    /* Seconds since 1970, as Chrome has them. */
    messages.time = (double)(record->call.started_us + (int64_t)outcome->chunks[i].at_us) / 1e6;
    event_stream_feed(&stream, (struct idem_span){outcome->body.data + at, len},
                      at + len == outcome->body.len);
  }
  event_stream_release(&stream);
  putc(']', out);
}

/* libcurl's own number of the connection, or the port of its end here. */
static void put_connection(FILE *out, const struct tape_record *record)
{
  int64_t connection;
  if (tape_fact_number(&record->outcome, CONN_ID, &connection) && connection >= 0)
    fprintf(out, ",\"connection\":\"%" PRIu32 ".%" PRId64 "\"", record->process, connection);
  else if (tape_fact_number(&record->outcome, LOCAL_PORT, &connection) && connection > 0)
    fprintf(out, ",\"connection\":\"%" PRId64 "\"", connection);
}

/* Members that tools of others pass over, for whoever comes from `tape ls` with a number. */
static void put_extras(FILE *out, const struct tape_record *record)
{
  struct idem_span address;
  if (tape_fact_text(&record->outcome, PRIMARY_IP, &address) && address.len)
    put(out, ",\"serverIPAddress\":$", address);
  put_connection(out, record);
  put_messages(out, record);
  fprintf(out, ",\"_lane\":\"%" PRIu32 ".%" PRIu32 "\",\"_number\":%" PRIu64 ",\"_what\":\"%s\"",
          record->process, record->call.lane, record->number, tape_what_name(record->call.what));
  if (*record->call.id)
    put(out, ",\"_operation\":$", cli_span(record->call.id));
}

/* Members are in the order in which the specification lists them. */
static void put_entry(FILE *out, const struct tape_record *record)
{
  char when[CLI_UNIT_SIZE];
  fprintf(out, "{\"startedDateTime\":\"%s\",", cli_timestamp(when, record->call.started_us));
  put_request(out, record);
  put_response(out, record);
  fputs("\"cache\":{},", out);
  double time = put_timings(out, record);
  fprintf(out, ",\"time\":%.3f", time);
  put_extras(out, record);
  putc('}', out);
}

/* The archive is written entry by entry, so a tape of any length fits. */

/* Where the entries go; `begun`: a comma is needed before the next one. */
struct archive {
  FILE *out;
  bool begun;
};

/* A full disk ends it at once: half an archive helps nobody. */
static int visit(void *arg, const struct tape_record *record)
{
  struct archive *archive = arg;
  fputs(archive->begun ? ",\n" : "\n", archive->out);
  archive->begun = true;
  put_entry(archive->out, record);
  return ferror(archive->out) ? CLI_STORE : CLI_OK;
}

int cli_write_har(const struct tape *tape, FILE *out)
{
  struct archive archive = {.out = out};
  fputs("{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"idemshim\",\"version\":\"" IDEM_VERSION
        "\"},\"pages\":[],\"entries\":[",
        out);
  int code = cli_tape_each(tape, "tape export", true, visit, &archive);
  fputs("\n]}}\n", out);
  return code;
}
