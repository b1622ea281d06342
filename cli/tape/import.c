/* SPDX-License-Identifier: MIT */
/*
 * `tape import FILE.har -o DIR`: what a browser, mitmproxy or HTTP Toolkit has saved becomes a tape, and so
 * something to replay, to compare and to draw. A HAR knows less than libcurl tells: the bytes of headers are
 * put together again, the body is as it was decoded, and times are those that were measured there. Entries
 * are written in the order of their starts; those that meet no rule are left out, for a replay would not meet
 * them either.
 */
#include "cli/launch/launch.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "cli/view/rules.h"
#include "config/words.h"
#include "store/judge/event_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <strings.h>

/* libcurl's code for an answer that did not come, where the file does not tell which. */
enum { RECV_ERROR = 56, ERRORS = 102 };

/* CURLINFO numbers. */
enum {
  RESPONSE_CODE = 2,
  SIZE_DOWNLOAD = 8,
  CONTENT_TYPE = 18,
  PRIMARY_IP = 32,
  HTTP_VERSION = 46,
  TOTAL_TIME_T = 50,
  STARTTRANSFER_TIME_T = 54,
};

enum { LANES_MOST = 256 };

/* What is done with the entries, and until when each lane is taken. The three counts are of entries:
 * written, met by no rule, and no exchange of HTTP. Moments here are µs since 1970. */
struct import {
  const struct idem_config *config;
  const struct tape_options *options;
  struct tape_writer *writer; /* NULL before the first exchange */
  size_t taken, unwanted, unreadable;
  int64_t lane_end_us[LANES_MOST];
};

/* One entry. The JSON is the document's, and lives longer; what is allocated is freed by import_entry(),
 * however far it has come. `took_us` and `first_us` count from `start_us`, as a tape has them. */
struct entry {
  const json_t *json, *request, *response;
  int64_t start_us, took_us, first_us;
  char *origin, *headers, *answer_headers, *body;
  size_t body_len;
  bool spoiled; /* what should be base64 is none */
  struct idem_span *lines;
  size_t line_count;
  struct tape_chunk *chunks;
  size_t chunk_count;
  struct event_text facts;
};

static const char *text_at(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

/* Times. */

enum { MS = 1000, SECOND = 1000 * MS };

/* Negative ones stand for what does not apply; no moment is over 9999, as no date is. */
static int64_t us_at(const json_t *of, const char *name, int unit)
{
  static const double most = 253402300800e6;
  double us = json_number_value(json_object_get(of, name)) * unit;
  return us > 0 ? (int64_t)(us < most ? us : most) : 0;
}

/* Milliseconds (HAR 1.2). "ssl" is a part of "connect"; "receive" is what follows the first byte. */
static void read_times(struct entry *entry)
{
  const json_t *timings = json_object_get(entry->json, "timings");
  entry->start_us = cli_parse_timestamp(text_at(entry->json, "startedDateTime"));
  entry->took_us = us_at(entry->json, "time", MS);
  entry->first_us = us_at(timings, "blocked", MS) + us_at(timings, "dns", MS) +
                    us_at(timings, "connect", MS) + us_at(timings, "send", MS) + us_at(timings, "wait", MS);
  entry->first_us = entry->first_us < entry->took_us ? entry->first_us : entry->took_us;
}

/* Headers. */

static bool is_one_of(const char *name, const char *const *names)
{
  for (; *names; names++)
    if (strcasecmp(name, *names) == 0)
      return true;
  /* Also the pseudo headers of HTTP/2, which browsers list with the others. */
  return *name == ':' || !*name;
}

/* What the transport adds or takes off: an app that uses libcurl would not have set it, and the body
 * has no coding any more. */
static const char *const not_asked[] = {"Host", "Content-Length", "Connection", "Accept-Encoding", NULL};
static const char *const not_answered[] = {"Content-Length", "Content-Encoding", "Transfer-Encoding", NULL};

/* `first` is the status line of an answer, which has an empty line behind its headers; "" for a request,
 * which has neither. Raises `count` by the headers that were put. NULL without memory. */
static char *put_headers(const json_t *headers, const char *first, const char *const *without, size_t *count)
{
  char *text = NULL;
  size_t size = 0, i;
  json_t *header;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  fputs(first, out);
  json_array_foreach(headers, i, header)
  {
    const char *name = text_at(header, "name"), *value = text_at(header, "value");
    /* A line break in one of them would make two headers of it. */
    if (is_one_of(name, without) || strpbrk(name, "\r\n") || strpbrk(value, "\r\n"))
      continue;
    fprintf(out, "%s: %s\r\n", name, value);
    ++*count;
  }
  fputs(*first ? "\r\n" : "", out);
  fclose(out);
  return text;
}

/* The lines of the request as a list. */
static bool split_headers(struct entry *entry, size_t count)
{
  struct idem_span rest = cli_span(entry->headers), line;
  entry->lines = calloc(count + 1, sizeof(*entry->lines));
  while (entry->lines && entry->line_count < count && event_stream_line(&rest, &line))
    entry->lines[entry->line_count++] = line;
  return entry->lines != NULL;
}

/* 0 where nothing came, as browsers write it, and for what is no status. */
static int status_of(const struct entry *entry)
{
  json_int_t status = json_integer_value(json_object_get(entry->response, "status"));
  return status > 0 && status < 1000 ? (int)status : 0;
}

/* A status line as libcurl would pass it: HTTP/2 and 3 have no words behind the number. */
static bool read_headers(struct entry *entry)
{
  char first[128];
  size_t asked = 0, answered = 0;
  const char *version = text_at(entry->response, "httpVersion"),
             *words = text_at(entry->response, "statusText");
  int status = status_of(entry);
  bool is_2 = strcasecmp(version, "h2") == 0 || strncasecmp(version, "HTTP/2", 6) == 0;
  bool is_3 = strcasecmp(version, "h3") == 0 || strncasecmp(version, "HTTP/3", 6) == 0;
  snprintf(first, sizeof(first), "HTTP/%s %d %.64s\r\n",
           is_2   ? "2"
           : is_3 ? "3"
                  : "1.1",
           status, is_2 || is_3 || strpbrk(words, "\r\n") ? "" : words);
  entry->headers = put_headers(json_object_get(entry->request, "headers"), "", not_asked, &asked);
  entry->answer_headers =
      status > 0 ? put_headers(json_object_get(entry->response, "headers"), first, not_answered, &answered)
                 : strdup("");
  return entry->headers && entry->answer_headers && split_headers(entry, asked);
}

/* The answer. */

/* What does not decode is left out. */
static void read_base64(struct entry *entry, const char *text)
{
  size_t len = strlen(text), pad = 0;
  /* EVP_DecodeBlock() counts the padding as bytes. */
  while (pad < 2 && pad < len && text[len - pad - 1] == '=')
    pad++;
  entry->body = malloc(len / 4 * 3 + 4);
  int got = entry->body && len < INT_MAX
                ? EVP_DecodeBlock((unsigned char *)entry->body, (const unsigned char *)text, (int)len)
                : -1;
  entry->body_len = got > (int)pad ? (size_t)got - pad : 0;
  entry->spoiled = entry->body && got < 0 && len;
}

/* Browsers keep the events of a stream, and not always its text. */
static void write_events(struct entry *entry, const json_t *messages)
{
  size_t i;
  json_t *message;
  FILE *out = open_memstream(&entry->body, &entry->body_len);
  if (!out)
    return;
  json_array_foreach(messages, i, message)
  {
    const char *name = text_at(message, "eventName"), *id = text_at(message, "eventId"),
               *data = text_at(message, "data");
    if (*name && strcmp(name, "message") != 0)
      fprintf(out, "event: %s\n", name);
    if (*id)
      fprintf(out, "id: %s\n", id);
    /* A line of the data is a field of its own (HTML, "server-sent events"). */
    for (size_t len; len = strcspn(data, "\n"), fprintf(out, "data: %.*s\n", (int)len, data), data[len];
         data += len + 1)
      ;
    fputc('\n', out);
  }
  fclose(out);
}

/* Where the event at `from` ends: behind its blank line. */
static size_t event_end(const struct entry *entry, size_t from)
{
  struct idem_span rest = {entry->body + from, entry->body_len - from}, line;
  while (event_stream_line(&rest, &line))
    if (!line.len)
      break;
  return entry->body_len - rest.len;
}

/* A piece for each event, when that came; else one at the end. */
static bool read_chunks(struct entry *entry, const json_t *messages)
{
  size_t count = json_array_size(messages), at = 0;
  entry->chunks = calloc(count + 1, sizeof(*entry->chunks));
  if (!entry->chunks)
    return false;
  for (size_t i = 0; i < count && at < entry->body_len; i++) {
    /* Chrome's are seconds since 1970; one that is outside of the call is moved to its edge. */
    int64_t at_us = us_at(json_array_get(messages, i), "time", SECOND) - entry->start_us;
    size_t end = event_end(entry, at);
    at_us = at_us < entry->first_us ? entry->first_us : at_us > entry->took_us ? entry->took_us : at_us;
    entry->chunks[entry->chunk_count++] = (struct tape_chunk){(uint64_t)at_us, end - at};
    at = end;
  }
  if (at < entry->body_len)
    entry->chunks[entry->chunk_count++] = (struct tape_chunk){(uint64_t)entry->took_us, entry->body_len - at};
  return true;
}

/* The text, where there is one, has the events as well; of a stream some browsers keep events alone. */
static bool read_body(struct entry *entry)
{
  const json_t *content = json_object_get(entry->response, "content"),
               *messages = json_object_get(entry->json, "_eventSourceMessages");
  const json_t *text = json_object_get(content, "text");
  if (strcasecmp(text_at(content, "encoding"), "base64") == 0) {
    read_base64(entry, text_at(content, "text"));
  } else if (json_string_length(text)) {
    entry->body_len = json_string_length(text);
    entry->body = malloc(entry->body_len + 1);
    if (entry->body)
      memcpy(entry->body, json_string_value(text), entry->body_len + 1);
  } else if (json_array_size(messages)) {
    write_events(entry, messages);
  } else {
    entry->body = strdup("");
  }
  return entry->body && read_chunks(entry, messages);
}

/* Facts. */

/* As shim/info/info_record.c writes them: number and length, two bytes each, and so many bytes. */
static void add_fact(struct entry *entry, uint16_t number, const void *value, size_t len)
{
  uint16_t head[2] = {number, (uint16_t)len};
  event_text_add(&entry->facts, (struct idem_span){(const char *)head, sizeof(head)});
  event_text_add(&entry->facts, (struct idem_span){value, len});
}

static void add_number(struct entry *entry, uint16_t number, int64_t value)
{
  add_fact(entry, number, &value, sizeof(value));
}

static void add_text(struct entry *entry, uint16_t number, const char *text)
{
  if (*text && strlen(text) < UINT16_MAX)
    add_fact(entry, number, text, strlen(text) + 1);
}

static void read_facts(struct entry *entry)
{
  /* CURL_HTTP_VERSION_* of curl.h. */
  enum { HTTP_1_1 = 2, HTTP_2 = 3, HTTP_3 = 30 };
  char major = entry->answer_headers[0] ? entry->answer_headers[5] : '1';
  add_number(entry, RESPONSE_CODE, status_of(entry));
  add_number(entry, SIZE_DOWNLOAD, (int64_t)entry->body_len);
  add_text(entry, CONTENT_TYPE, text_at(json_object_get(entry->response, "content"), "mimeType"));
  add_text(entry, PRIMARY_IP, text_at(entry->json, "serverIPAddress"));
  add_number(entry, HTTP_VERSION, major == '2' ? HTTP_2 : major == '3' ? HTTP_3 : HTTP_1_1);
  add_number(entry, TOTAL_TIME_T, entry->took_us);
  add_number(entry, STARTTRANSFER_TIME_T, entry->first_us);
}

/* Writing. */

/* In the first lane that is free, as the calls of threads are. */
static uint32_t lane_of(struct import *import, const struct entry *entry)
{
  uint32_t lane = 0;
  /* The last one is shared by all that find no other. */
  while (lane < LANES_MOST - 1 && import->lane_end_us[lane] > entry->start_us)
    lane++;
  import->lane_end_us[lane] = entry->start_us + entry->took_us;
  return lane + 1;
}

/* Names of our own export; anything else is a failure to receive. */
static uint32_t error_of(const struct entry *entry)
{
  const char *name = text_at(entry->response, "_error");
  for (uint32_t code = 1; code < ERRORS; code++)
    if (strcmp(cli_curl_error(code), name) == 0)
      return code;
  return RECV_ERROR;
}

/* Of our own export as well; what others have saved was sent. */
static enum tape_what what_of(const struct entry *entry)
{
  for (int what = TAPE_LIVE; what < TAPE_WHATS; what++)
    if (strcmp(text_at(entry->json, "_what"), tape_what_name((enum tape_what)what)) == 0)
      return (enum tape_what)what;
  return TAPE_LIVE;
}

/* HAR 1.2 has what a form sent as its text or as its params, never both. The caller's to free; NULL: there is
 * no such thing. */
static char *form_of_params(const json_t *post, size_t *len)
{
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";
  const json_t *params = json_object_get(post, "params");
  char *form = NULL;
  FILE *out = strncasecmp(text_at(post, "mimeType"), "application/x-www-form-urlencoded", 33) == 0 &&
                      json_array_size(params)
                  ? open_memstream(&form, len)
                  : NULL;
  if (!out)
    return NULL;
  for (size_t i = 0; i < 2 * json_array_size(params); i++) {
    const char *text = text_at(json_array_get(params, i / 2), i % 2 ? "value" : "name");
    fputs(i % 2 ? "=" : i ? "&" : "", out);
    for (; *text; text++)
      fprintf(out, strchr(plain, *text) ? "%c" : *text == ' ' ? "+" : "%%%02X", (unsigned char)*text);
  }
  fclose(out);
  return form;
}

/* CLI_OK, or CLI_STORE with the reason said, which ends the import. */
static int append(struct import *import, struct entry *entry, struct idem_request *request)
{
  const json_t *post = json_object_get(entry->request, "postData"), *text = json_object_get(post, "text");
  const char *error_text = text_at(entry->response, "comment");
  struct idem_error error = {""};
  /* Browsers write status 0 where nothing came. */
  bool failed = !*entry->answer_headers;
  request->headers = entry->lines;
  request->header_count = entry->line_count;
  size_t form_len = 0;
  char *form = text ? NULL : form_of_params(post, &form_len);
  request->body = text ? (struct idem_span){json_string_value(text), json_string_length(text)}
                       : (struct idem_span){form, form_len};
  struct tape_outcome outcome = {.curl_code = failed ? error_of(entry) : 0,
                                 .status = (uint16_t)status_of(entry),
                                 .delivered = !failed,
                                 .first_byte_us = failed ? -1 : entry->first_us,
                                 .error_text = cli_span(!failed       ? ""
                                                        : *error_text ? error_text
                                                                      : "no answer is in the HAR"),
                                 .headers = cli_span(entry->answer_headers),
                                 .body = {entry->body, entry->body_len},
                                 .chunks = entry->chunks,
                                 .chunk_count = entry->chunk_count,
                                 .facts = {entry->facts.data, entry->facts.len}};
  struct tape_call call = tape_begin(import->writer);
  call.started_us = entry->start_us;
  call.duration_us = (uint64_t)entry->took_us;
  call.what = what_of(entry);
  call.lane = lane_of(import, entry);
  /* As `tape export` has written it. Of another's we know nothing. */
  const char *id = text_at(entry->json, "_operation");
  if (strlen(id) == sizeof(call.id) - 1 && strspn(id, "0123456789abcdef") == sizeof(call.id) - 1)
    memcpy(call.id, id, sizeof(call.id));
  /* Named as a call would be, so that a replay finds it. */
  tape_name(request, &call);
  int result = tape_append(import->writer, &call, request, &outcome, &error);
  free(form);
  if (result < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  import->taken++;
  return CLI_OK;
}

/* "https://host:443", in lower case. As the shim writes one: the port is always there, and an address of IPv6
 * in brackets. */
static char *make_origin(const char *url, const struct idem_target *target)
{
  char *origin = NULL;
  const char *scheme = strncasecmp(url, "http:", 5) == 0 ? "http" : "https";
  bool is_ipv6 = memchr(target->host, ':', target->host_len) != NULL && *target->host != '[';
  if (asprintf(&origin, "%s://%s%.*s%s:%u", scheme, is_ipv6 ? "[" : "", (int)target->host_len, target->host,
               is_ipv6 ? "]" : "", target->port) < 0)
    return NULL;
  for (char *at = origin; *at; at++)
    *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
  return origin;
}

/* Reads the sides and writes them. */
static int take(struct import *import, struct entry *entry, struct idem_request *request)
{
  struct idem_error error = {""};
  if (!read_headers(entry) || !read_body(entry))
    return cli_fail(CLI_STORE, "out of memory");
  if (entry->spoiled) {
    import->unreadable++;
    return CLI_OK;
  }
  /* With the first exchange, so that an archive in which nothing meets a rule leaves no directory behind. */
  if (!import->writer && tape_open_writer(&import->writer, import->options, &error) < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  read_facts(entry);
  return append(import, entry, request);
}

/* CLI_OK also for one that is left out, and counted; anything else ends the import. */
static int import_entry(struct import *import, const json_t *json)
{
  struct entry entry = {.json = json,
                        .request = json_object_get(json, "request"),
                        .response = json_object_get(json, "response")};
  const char *url = text_at(entry.request, "url"), *method = text_at(entry.request, "method");
  struct idem_target target = {.method = method, .method_len = strlen(method)};
  struct idem_error error = {""};
  read_times(&entry);
  /* data: and blob: URLs, WebSockets, and entries without a time or an answer. */
  if (cli_url_parse(url, &target, &error) < 0 || !entry.response || !entry.start_us || !strstr(url, "://")) {
    import->unreadable++;
    return CLI_OK;
  }
  const struct idem_rule *rule = idem_config_match(import->config, &target);
  if (!rule) {
    import->unwanted++;
    return CLI_OK;
  }
  /* Not from the target's path on: where the URL has none, that is a "/" of its own. */
  const char *query = url + strcspn(url, "?#");
  entry.origin = make_origin(url, &target);
  struct idem_request request = {.rule = rule,
                                 .method = cli_span(method),
                                 .origin = cli_span(entry.origin ? entry.origin : ""),
                                 .path = {target.path, target.path_len},
                                 .query = *query == '?'
                                              ? (struct idem_span){query + 1, strcspn(query + 1, "#")}
                                              : (struct idem_span){NULL, 0}};
  int code = entry.origin ? take(import, &entry, &request) : cli_fail(CLI_STORE, "out of memory");
  free(entry.origin);
  free(entry.headers);
  free(entry.answer_headers);
  free(entry.body);
  free(entry.lines);
  free(entry.chunks);
  free(entry.facts.data);
  return code;
}

/* The order in which calls began. */
static int by_start(const void *a, const void *b)
{
  int64_t x = cli_parse_timestamp(text_at(*(json_t *const *)a, "startedDateTime")),
          y = cli_parse_timestamp(text_at(*(json_t *const *)b, "startedDateTime"));
  return (x > y) - (x < y);
}

/* Sorted as pointers, since jansson's array cannot be. */
static int import_entries(struct import *import, const json_t *entries)
{
  size_t count = json_array_size(entries);
  const json_t **order = calloc(count + 1, sizeof(*order));
  int code = order ? CLI_OK : cli_fail(CLI_STORE, "out of memory");
  for (size_t i = 0; order && i < count; i++)
    order[i] = json_array_get(entries, i);
  if (order)
    qsort(order, count, sizeof(*order), by_start);
  for (size_t i = 0; order && i < count && code == CLI_OK; i++)
    code = import_entry(import, order[i]);
  free(order);
  return code;
}

static int tell(const struct import *import, const char *dir)
{
  char taken[CLI_UNIT_SIZE], left[CLI_UNIT_SIZE];
  if (import->taken)
    printf("%s %s on %s", cli_count(taken, import->taken), idem_word(import->taken, "exchange", "exchanges"),
           dir);
  else
    fputs(import->unwanted + import->unreadable ? "nothing was written"
                                                : "nothing was written: it has no entries",
          stdout);
  /* What was left out is said with what would bring it in. */
  if (import->unwanted)
    printf("; %s %s with --hosts", cli_count(left, import->unwanted),
           idem_word(import->unwanted, "meets no rule: name its host", "meet no rule: name their hosts"));
  if (import->unreadable)
    printf("; %s %s", cli_count(left, import->unreadable),
           idem_word(import->unreadable, "is no HTTP exchange", "are no HTTP exchanges"));
  putchar('\n');
  return import->taken ? CLI_OK : CLI_NO;
}

/* The configuration is that of the environment, with what the options say in its place. */
static int import_file(const struct idem_config *config, const char *dir, const json_t *entries)
{
  struct tape_options options = {.dir = dir,
                                 .max_size = config->tape_size,
                                 .max_age_ms = config->tape_age_ms,
                                 .key_file = config->tape_key_file};
  struct import import = {.config = config, .options = &options};
  int code = import_entries(&import, entries);
  if (import.writer)
    tape_close_writer(import.writer);
  return code == CLI_OK ? tell(&import, dir) : code;
}

/* The file is read whole before the tape is opened, so that one that is no HAR leaves no directory behind. */
static int run(const struct cli_options *options, int argc, char **argv)
{
  struct idem_config config;
  struct idem_error error = {""};
  json_error_t problem;
  (void)argc;
  /* Options become variables, so that the configuration has one way to be read. */
  int code = cli_set_variables(options);
  if (code != CLI_OK)
    return code;
  if (idem_config_load(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  /* Bodies may have a NUL, which JSON writes as \u0000. */
  json_t *document = json_load_file(argv[0], JSON_ALLOW_NUL, &problem);
  const json_t *entries = json_object_get(json_object_get(document, "log"), "entries");
  if (!config.tape_dir)
    code = cli_fail(CLI_USAGE, "say where to: -o DIR");
  else if (!cli_readable_file(argv[0]))
    code = cli_fail(CLI_USAGE, "%s: %s", argv[0], strerror(errno));
  else if (!document)
    code = cli_fail(CLI_USAGE, "%s: %s", argv[0], problem.text);
  else if (!json_is_array(entries))
    code = cli_fail(CLI_USAGE, "%s is no HTTP archive: it has no log.entries", argv[0]);
  else
    code = import_file(&config, config.tape_dir, entries);
  json_decref(document);
  idem_config_release(&config);
  return code;
}

const struct cli_command cli_tape_import = {
    .name = "tape import",
    .operands = "FILE.har",
    .summary = "make a tape of what a browser or a proxy has saved",
    .details = "Entries that meet a rule become exchanges, in the order of their starts, with credentials "
               "redacted.\n"
               "Exits 1 if there is none.",
    .options = CLI_OPTIONS(
        CLI_SHORT_OPTION('o', "output", "DIR", CLI_TEXT, tape, "the tape (default: IDEMSHIM_TAPE)"),
        CLI_OPTION_RULES, CLI_OPTION_TAPE, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
