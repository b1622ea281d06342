/* SPDX-License-Identifier: MIT */
#include "cli/view/exchange.h"

#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/headers.h"
#include "cli/view/prompt.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The content type of the last header block, or an empty span. */
static struct idem_span content_type(struct idem_span headers)
{
  static const char name[] = "content-type:";
  struct idem_span found = {"", 0};
  for (const char *line = headers.data, *end = line + headers.len; line < end;) {
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t len = (size_t)((newline ? newline : end) - line);
    if (len > sizeof(name) - 1 && strncasecmp(line, name, sizeof(name) - 1) == 0)
      found = (struct idem_span){line + sizeof(name) - 1, len - (sizeof(name) - 1)};
    line += len + 1;
  }
  return found;
}

const char *cli_answer_kind(const struct idem_answer *answer)
{
  struct idem_span type = content_type(answer->headers);
  if (answer->event_stream)
    return "stream";
  return type.len && memmem(type.data, type.len, "json", 4) ? "json" : "other";
}

const char *cli_answer_key_kind(const struct idem_answer *answer)
{
  static const char *const names[] = {
      [IDEM_KEY_AUTO] = "auto",
      [IDEM_KEY_HEADER] = "header",
      [IDEM_KEY_JSON] = "json",
      [IDEM_KEY_CONTENT] = "content",
  };
  return (size_t)answer->key_kind < sizeof(names) / sizeof(names[0]) ? names[answer->key_kind] : "?";
}

bool cli_answer_expired(const struct idem_answer *answer, int64_t now_us)
{
  return answer->expires_us <= now_us;
}

static bool starts_with(struct idem_span text, const char *start)
{
  size_t len = strlen(start);
  return text.len >= len && memcmp(text.data, start, len) == 0;
}

static bool ends_with(struct idem_span text, const char *end)
{
  size_t len = strlen(end);
  return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

static struct idem_span without_implied_port(struct idem_span origin)
{
  static const struct {
    const char *scheme, *port;
  } implied[] = {
      {"https://", ":443"},
      {"http://", ":80"},
  };
  for (size_t i = 0; i < sizeof(implied) / sizeof(implied[0]); i++)
    if (starts_with(origin, implied[i].scheme) && ends_with(origin, implied[i].port))
      return (struct idem_span){origin.data, origin.len - strlen(implied[i].port)};
  return origin;
}

static void put(FILE *out, struct idem_span text)
{
  fwrite(text.data, 1, text.len, out);
}

void cli_answer_put_url(FILE *out, const struct idem_answer *answer)
{
  put(out, without_implied_port(answer->origin));
  put(out, answer->path);
  if (answer->query.len) {
    fputc('?', out);
    put(out, answer->query);
  }
}

void cli_answer_put_short_call(FILE *out, const struct idem_answer *answer)
{
  static const char usual[] = "https://";
  struct idem_span origin = without_implied_port(answer->origin);
  size_t skip = starts_with(origin, usual) ? sizeof(usual) - 1 : 0;
  if (!(answer->method.len == 4 && starts_with(answer->method, "POST"))) {
    put(out, answer->method);
    fputc(' ', out);
  }
  put(out, (struct idem_span){origin.data + skip, origin.len - skip});
  put(out, answer->path);
}

void cli_answer_put_call(FILE *out, const struct idem_answer *answer)
{
  put(out, answer->method);
  fputc(' ', out);
  cli_answer_put_url(out, answer);
}

static json_t *url_json(const struct idem_answer *answer)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  cli_answer_put_url(out, answer);
  json_t *string = fclose(out) == 0 ? cli_json_text((struct idem_span){text, size}) : NULL;
  free(text);
  return string;
}

static json_t *prompt_json(const struct idem_answer *answer)
{
  char *prompt = cli_prompt(answer->request_body);
  json_t *string = prompt ? cli_json_text((struct idem_span){prompt, strlen(prompt)}) : NULL;
  free(prompt);
  return string;
}

static json_t *time_json(int64_t us)
{
  char text[CLI_UNIT_SIZE];
  return us == INT64_MAX ? json_null() : json_string(cli_timestamp(text, us));
}

static json_t *tokens_json(int64_t tokens)
{
  return tokens < 0 ? json_null() : json_integer(tokens);
}

static json_t *hex_json(const uint8_t bytes[IDEM_KEY_SIZE])
{
  char text[2 * IDEM_KEY_SIZE + 1];
  return json_string(cli_hex(text, bytes, IDEM_KEY_SIZE));
}

json_t *cli_answer_json_request(const struct idem_answer *answer)
{
  return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:o}", "id", answer->id, "serial",
                   (json_int_t)answer->serial, "method", cli_json_text(answer->method), "url",
                   url_json(answer), "scope", cli_json_text(answer->scope), "stored",
                   time_json(answer->stored_us), "key_kind", cli_answer_key_kind(answer), "key",
                   hex_json(answer->key), "fingerprint", hex_json(answer->fingerprint), "tenant",
                   hex_json(answer->tenant), "sequence", (json_int_t)answer->sequence, "prompt",
                   prompt_json(answer));
}

static json_t *outcome_json(const struct idem_answer *answer, int64_t now_us)
{
  return json_pack("{s:i, s:s, s:o, s:o, s:b, s:I, s:I, s:I, s:{s:o, s:o}, s:b}", "status",
                   (int)answer->status, "kind", cli_answer_kind(answer), "started",
                   time_json(answer->started_us), "expires", time_json(answer->expires_us), "expired",
                   (int)cli_answer_expired(answer, now_us), "duration_ms", (json_int_t)answer->duration_ms,
                   "bytes", (json_int_t)answer->body.len, "chunks", (json_int_t)answer->chunk_count, "tokens",
                   "input", tokens_json(answer->usage.input), "output", tokens_json(answer->usage.output),
                   "delivered", (int)answer->delivered);
}

json_t *cli_answer_json(const struct idem_answer *answer, int64_t now_us)
{
  json_t *document = cli_answer_json_request(answer), *outcome = outcome_json(answer, now_us);
  if (!document || !outcome || json_object_update(document, outcome) < 0) {
    json_decref(document);
    document = NULL;
  }
  json_decref(outcome);
  return document;
}

static json_t *chunks_json(const struct idem_answer *answer)
{
  json_t *list = json_array();
  for (size_t i = 0; i < answer->chunk_count; i++)
    json_array_append_new(list, json_pack("{s:I, s:I}", "bytes", (json_int_t)answer->chunks[i].len, "at_ms",
                                          (json_int_t)answer->chunks[i].at_ms));
  return list;
}

void cli_answer_json_content(json_t *document, const struct idem_answer *answer, bool raw)
{
  json_t *request = json_object(), *response = json_object();
  json_object_set_new(request, "headers", cli_headers_json(answer->request_headers, raw));
  cli_json_set_bytes(request, "body", answer->request_body);
  json_object_set_new(request, "body_bytes", json_integer((json_int_t)answer->request_body_len));
  json_object_set_new(response, "headers", cli_headers_json(answer->headers, raw));
  cli_json_set_bytes(response, "body", answer->body);
  json_object_set_new(response, "chunks", chunks_json(answer));
  json_object_set_new(document, "request", request);
  json_object_set_new(document, "response", response);
}
