/* SPDX-License-Identifier: MIT */
/* Both kinds of exchange as JSON. What the two documents call a thing is fixed by who reads them, so they are
 * built apart; what stands in a member is made by the same functions. */
#include "cli/output/json.h"
#include "cli/output/units.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "cli/view/headers.h"
#include "cli/view/prompt.h"

#include <string.h>

/* Keys and digests, all of one length. */
static json_t *hex_json(const uint8_t bytes[IDEM_KEY_SIZE])
{
  char text[2 * IDEM_KEY_SIZE + 1];
  return json_string(cli_hex(text, bytes, IDEM_KEY_SIZE));
}

/* null for a time that never comes: ttl=forever. */
static json_t *time_json(int64_t us)
{
  char text[CLI_UNIT_SIZE];
  return us == INT64_MAX ? json_null() : json_string(cli_timestamp(text, us));
}

/* null for what the answer does not tell. */
static json_t *tokens_json(const struct idem_usage *usage)
{
  return json_pack("{s:o, s:o}", "input", usage->input < 0 ? json_null() : json_integer(usage->input),
                   "output", usage->output < 0 ? json_null() : json_integer(usage->output));
}

/* Without the port that the scheme implies. */
static json_t *url_json(const struct idem_answer *answer)
{
  return cli_json_take(cli_call_text(answer, CLI_CALL_URL));
}

/* Answers. */

/* Also what `explain` tells of the two that it compares. */
json_t *cli_answer_json_request(const struct idem_answer *answer)
{
  return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o}", "id", answer->id,
                   "serial", (json_int_t)answer->serial, "method", cli_json_text(answer->method), "url",
                   url_json(answer), "scope", cli_json_text(answer->scope), "stored",
                   time_json(answer->stored_us), "key_kind", cli_answer_key_kind(answer), "key",
                   hex_json(answer->key), "fingerprint", hex_json(answer->fingerprint), "tenant",
                   hex_json(answer->tenant), "sequence", (json_int_t)answer->sequence, "model",
                   cli_json_take(cli_model(answer->path, answer->request_body)), "prompt",
                   cli_json_take(cli_prompt(answer->request_body)));
}

/* One line of `ls --json`. */
json_t *cli_answer_json(const struct idem_answer *answer, int64_t now_us)
{
  json_t *document = cli_answer_json_request(answer);
  json_t *outcome =
      json_pack("{s:i, s:s, s:o, s:o, s:b, s:I, s:I, s:I, s:o, s:b}", "status", (int)answer->status, "kind",
                cli_answer_kind(answer), "started", time_json(answer->started_us), "expires",
                time_json(answer->expires_us), "expired", (int)cli_answer_expired(answer, now_us),
                "duration_ms", (json_int_t)answer->duration_ms, "bytes", (json_int_t)answer->body.len,
                "chunks", (json_int_t)answer->chunk_count, "tokens", tokens_json(&answer->usage), "delivered",
                (int)answer->delivered);
  /* json_pack() gives NULL if any of its values is; nothing of half a document is printed. */
  if (!document || !outcome || json_object_update(document, outcome) < 0) {
    json_decref(document);
    document = NULL;
  }
  json_decref(outcome);
  return document;
}

/* Bodies that are not UTF-8 are in base64, under another name. */
json_t *cli_answer_json_whole(const struct idem_answer *answer, bool raw)
{
  json_t *document = cli_answer_json(answer, cli_now_us());
  /* As `ls --json` has it, with both sides added: who reads one document can read the other. */
  json_t *request = json_object(), *response = json_object(), *chunks = json_array();
  json_object_set_new(request, "headers", cli_headers_json(answer->request_headers, raw));
  cli_json_set_bytes(request, "body", answer->request_body);
  json_object_set_new(request, "body_bytes", json_integer((json_int_t)answer->request_body_len));
  json_object_set_new(response, "headers", cli_headers_json(answer->headers, raw));
  cli_json_set_bytes(response, "body", answer->body);
  for (size_t i = 0; i < answer->chunk_count; i++)
    json_array_append_new(chunks, json_pack("{s:I, s:I}", "bytes", (json_int_t)answer->chunks[i].len, "at_ms",
                                            (json_int_t)answer->chunks[i].at_ms));
  json_object_set_new(response, "chunks", chunks);
  json_object_set_new(document, "request", request);
  json_object_set_new(document, "response", response);
  return document;
}

/* Records. */

/* null for a moment that did not come. */
static json_t *ms_json(int64_t us)
{
  return us < 0 ? json_null() : json_real((double)us / 1000);
}

/* One line of `tape ls --json`; the record may have been read without its body. */
json_t *cli_record_json(const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  struct idem_answer view = cli_record_view(record);
  return json_pack(
      "{s:I, s:o, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:I}", "number",
      (json_int_t)record->number, "started", time_json(record->call.started_us), "process",
      (json_int_t)record->process, "pid", (json_int_t)record->call.pid, "lane", (json_int_t)record->call.lane,
      "what", tape_what_name(record->call.what), "id",
      *record->call.id ? cli_json_string(record->call.id) : json_null(), "method",
      cli_json_text(record->method), "url", url_json(&view), "model",
      cli_json_take(cli_model(record->path, record->request_body)), "prompt",
      cli_json_take(cli_prompt(record->request_body)), "status",
      outcome->status ? json_integer(outcome->status) : json_null(), "curl_code",
      (json_int_t)outcome->curl_code, "curl_error",
      outcome->curl_code ? json_string(cli_curl_error(outcome->curl_code)) : json_null(), "no_answer",
      outcome->no_answer ? cli_json_text(outcome->error_text) : json_null(), "first_byte_ms",
      ms_json(outcome->first_byte_us), "duration_ms", ms_json((int64_t)record->call.duration_us), "bytes",
      (json_int_t)outcome->body_len);
}

/* What curl_easy_getinfo() told the app, by libcurl's names. */
static json_t *facts_json(const struct tape_outcome *outcome)
{
  json_t *object = json_object();
  for (unsigned number = 0; number < CLI_INFOS; number++) {
    const char *name = cli_curl_info(number);
    int64_t value;
    struct idem_span text;
    if (!name)
      continue;
    if (cli_curl_info_is_text(number) && tape_fact_text(outcome, number, &text))
      json_object_set_new(object, name, cli_json_text(text));
    else if (!cli_curl_info_is_text(number) && tape_fact_number(outcome, number, &value))
      json_object_set_new(object, name, json_integer(value));
  }
  return object;
}

/* Everything that the tape has of it. */
json_t *cli_record_json_whole(const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  struct idem_usage usage = cli_record_usage(record);
  json_t *document = cli_record_json(record);
  json_t *request = json_object(), *response = json_object(), *chunks = json_array();
  json_object_set_new(document, "key", hex_json(record->call.key));
  json_object_set_new(document, "fingerprint", hex_json(record->call.fingerprint));
  json_object_set_new(document, "number_of_content", json_integer((json_int_t)record->call.number));
  json_object_set_new(document, "tokens", tokens_json(&usage));
  cli_json_set_bytes(request, "headers", record->request_headers);
  cli_json_set_bytes(request, "body", record->request_body);
  json_object_set_new(request, "body_bytes", json_integer((json_int_t)record->call.request_body_len));
  json_object_set_new(document, "request", request);
  json_object_set_new(response, "error_text", cli_json_text(outcome->error_text));
  cli_json_set_bytes(response, "headers", outcome->headers);
  cli_json_set_bytes(response, "body", outcome->body);
  json_object_set_new(response, "delivered", json_boolean(outcome->delivered));
  for (size_t i = 0; i < outcome->chunk_count; i++)
    json_array_append_new(chunks, json_pack("{s:I, s:o}", "bytes", (json_int_t)outcome->chunks[i].len,
                                            "at_ms", ms_json((int64_t)outcome->chunks[i].at_us)));
  json_object_set_new(response, "chunks", chunks);
  json_object_set_new(response, "facts", facts_json(outcome));
  json_object_set_new(document, "response", response);
  return document;
}
