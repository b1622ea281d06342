/* SPDX-License-Identifier: MIT */
#include "cli/view/exchange_json.h"

#include "cli/output/json.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"

#include <stdlib.h>

static json_t *url_json(const struct tape_record *record)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  cli_tape_put_url(out, record);
  json_t *string = fclose(out) == 0 ? cli_json_text((struct idem_span){text, size}) : NULL;
  free(text);
  return string;
}

static void set_number(json_t *object, const char *name, int64_t number)
{
  json_object_set_new(object, name, json_integer(number));
}

static void set_ms(json_t *object, const char *name, int64_t us)
{
  json_object_set_new(object, name, us < 0 ? json_null() : json_real((double)us / 1000));
}

json_t *cli_tape_json(const struct tape_record *record)
{
  char when[CLI_UNIT_SIZE];
  json_t *object = json_object();
  const struct tape_outcome *outcome = &record->outcome;
  set_number(object, "number", (int64_t)record->number);
  json_object_set_new(object, "started", json_string(cli_timestamp(when, record->call.started_us)));
  set_number(object, "process", record->process);
  set_number(object, "pid", record->call.pid);
  set_number(object, "lane", record->call.lane);
  json_object_set_new(object, "what", json_string(tape_what_name(record->call.what)));
  json_object_set_new(object, "id", *record->call.id ? json_string(record->call.id) : json_null());
  json_object_set_new(object, "method", cli_json_text(record->method));
  json_object_set_new(object, "url", url_json(record));
  json_object_set_new(object, "status", outcome->status ? json_integer(outcome->status) : json_null());
  set_number(object, "curl_code", outcome->curl_code);
  json_object_set_new(object, "curl_error",
                      outcome->curl_code ? json_string(cli_curl_error(outcome->curl_code)) : json_null());
  set_ms(object, "first_byte_ms", outcome->first_byte_us);
  set_ms(object, "duration_ms", (int64_t)record->call.duration_us);
  set_number(object, "bytes", (int64_t)outcome->body_len);
  return object;
}

static json_t *chunks_json(const struct tape_outcome *outcome)
{
  json_t *list = json_array();
  for (size_t i = 0; i < outcome->chunk_count; i++) {
    json_t *chunk = json_pack("{s:I}", "bytes", (json_int_t)outcome->chunks[i].len);
    set_ms(chunk, "at_ms", (int64_t)outcome->chunks[i].at_us);
    json_array_append_new(list, chunk);
  }
  return list;
}

static json_t *facts_json(const struct tape_outcome *outcome)
{
  json_t *object = json_object();
  for (unsigned number = 0; number < CLI_INFOS; number++) {
    const char *name = cli_curl_info(number);
    int64_t value;
    struct idem_span text;
    if (name && tape_fact_number(outcome, number, &value))
      set_number(object, name, value);
    else if (name && tape_fact_text(outcome, number, &text))
      json_object_set_new(object, name, cli_json_text(text));
  }
  return object;
}

static json_t *usage_json(const struct tape_record *record)
{
  struct idem_usage usage = cli_tape_usage(record);
  return json_pack("{s:o, s:o}", "input", usage.input < 0 ? json_null() : json_integer(usage.input), "output",
                   usage.output < 0 ? json_null() : json_integer(usage.output));
}

void cli_tape_json_content(json_t *document, const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  char hex[2 * IDEM_KEY_SIZE + 1];
  json_t *request = json_object(), *response = json_object();
  json_object_set_new(document, "key", json_string(cli_hex(hex, record->call.key, IDEM_KEY_SIZE)));
  json_object_set_new(document, "fingerprint",
                      json_string(cli_hex(hex, record->call.fingerprint, IDEM_KEY_SIZE)));
  json_object_set_new(document, "tokens", usage_json(record));
  cli_json_set_bytes(request, "headers", record->request_headers);
  cli_json_set_bytes(request, "body", record->request_body);
  set_number(request, "body_bytes", (int64_t)record->call.request_body_len);
  json_object_set_new(document, "request", request);
  json_object_set_new(response, "error_text", cli_json_text(outcome->error_text));
  cli_json_set_bytes(response, "headers", outcome->headers);
  cli_json_set_bytes(response, "body", outcome->body);
  json_object_set_new(response, "delivered", json_boolean(outcome->delivered));
  json_object_set_new(response, "chunks", chunks_json(outcome));
  json_object_set_new(response, "facts", facts_json(outcome));
  json_object_set_new(document, "response", response);
}
