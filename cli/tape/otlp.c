/* SPDX-License-Identifier: MIT */
/*
 * `tape export --otlp`: a run as a trace in OTLP's JSON (opentelemetry-proto 1.x, trace.proto), which
 * collectors and viewers read. The run is the root; each exchange is a span below it, with the attributes of
 * OpenTelemetry's GenAI conventions. These are in a repository of their own
 * (open-telemetry/semantic-conventions-genai) and all in Development, so the version that is followed stands
 * in SCHEMA. Prompts and answers are not written: the conventions have them as opt-in.
 */
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/tape/export.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "cli/view/prompt.h"
#include "cli/view/reply.h"
#include "config/hex.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <openssl/sha.h>
#include <stdlib.h>

#define SCHEMA "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"

/* gen_ai.provider.name by host; any other host stands for itself. */
static const struct {
  const char *host, *name;
} providers[] = {
    {"*api.openai.com", "openai"},
    {"api.anthropic.com", "anthropic"},
    {"*.azure.com", "azure.ai.openai"},
    {"generativelanguage.googleapis.com", "gcp.gemini"},
    {"*aiplatform*.googleapis.com", "gcp.vertex_ai"},
    {"*.mistral.ai", "mistral_ai"},
    {"api.cohere.*", "cohere"},
    {"api.groq.com", "groq"},
    {"api.deepseek.com", "deepseek"},
    {"*api.x.ai", "x_ai"},
    {"bedrock-runtime*", "aws.bedrock"},
    {"api.perplexity.ai", "perplexity"},
};

/* gen_ai.operation.name by the end of the path. */
static const struct {
  const char *path, *name;
} operations[] = {
    {"*embed*", "embeddings"},         {"*enerateContent", "generate_content"},
    {"*chat/completions", "chat"},     {"*/completions", "text_completion"},
    {"*/complete", "text_completion"}, {"*/generate", "text_completion"},
};

/* What is sent upstream has the request's options under one of these names. */
static const struct {
  const char *member, *attribute;
} options[] = {
    {"temperature", "gen_ai.request.temperature"},
    {"top_p", "gen_ai.request.top_p"},
    {"max_tokens", "gen_ai.request.max_tokens"},
    {"max_completion_tokens", "gen_ai.request.max_tokens"},
    {"max_output_tokens", "gen_ai.request.max_tokens"},
    {"seed", "gen_ai.request.seed"},
    {"n", "gen_ai.request.choice.count"},
    {"presence_penalty", "gen_ai.request.presence_penalty"},
    {"frequency_penalty", "gen_ai.request.frequency_penalty"},
};

/* Attributes. */

/* An attribute is a key and a value of one type (common.proto, KeyValue). */
static void add(json_t *attributes, const char *key, json_t *value)
{
  json_array_append_new(attributes, json_pack("{s:s, s:o}", "key", key, "value", value));
}

static void add_text(json_t *attributes, const char *key, const char *text)
{
  if (text && *text)
    add(attributes, key, json_pack("{s:s}", "stringValue", text));
}

/* Numbers of 64 bits are strings, as in all JSON that is made of protobuf. */
static void add_number(json_t *attributes, const char *key, int64_t number)
{
  char text[24];
  snprintf(text, sizeof(text), "%" PRId64, number);
  if (number >= 0)
    add(attributes, key, json_pack("{s:s}", "intValue", text));
}

/* Temperature and the probabilities are doubles by the conventions, also where a client has written 1. */
static void add_value(json_t *attributes, const char *key, const json_t *value)
{
  if (json_is_integer(value) && strstr(key, "temperature") == NULL && strstr(key, "_p") == NULL)
    add_number(attributes, key, json_integer_value(value));
  else if (json_is_number(value))
    add(attributes, key, json_pack("{s:f}", "doubleValue", json_number_value(value)));
  else if (json_is_boolean(value))
    add(attributes, key, json_pack("{s:b}", "boolValue", json_is_true(value)));
}

/* "https://host:port" One without a port has the scheme's. The host is given back for the provider's name. */
static void add_server(json_t *attributes, struct idem_span origin, char host[256])
{
  const char *at = memmem(origin.data, origin.len, "://", 3), *end = origin.data + origin.len;
  const char *begin = at ? at + 3 : origin.data, *colon = memrchr(begin, ':', (size_t)(end - begin));
  /* An IPv6 address without a port. */
  if (colon && memchr(colon, ']', (size_t)(end - colon)))
    colon = NULL;
  snprintf(host, 256, "%.*s", (int)((colon ? colon : end) - begin), begin);
  add_text(attributes, "server.address", host);
  add_number(attributes, "server.port",
             colon                                                    ? strtol(colon + 1, NULL, 10)
             : origin.len > 5 && memcmp(origin.data, "http:", 5) == 0 ? 80
                                                                      : 443);
}

static const char *provider_of(const char *host)
{
  for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
    if (fnmatch(providers[i].host, host, FNM_CASEFOLD) == 0)
      return providers[i].name;
  return host;
}

/* What a path does not tell is taken for a chat, as most calls are. */
static const char *operation_of(const char *path)
{
  for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
    if (fnmatch(operations[i].path, path, 0) == 0)
      return operations[i].name;
  return "chat";
}

/* Members that the request does not have, or that are neither numbers nor true or false, are left out; so
 * are all of a body that is no JSON. */
static void add_request(json_t *attributes, const struct tape_record *record)
{
  json_t *body = record->request_body.len
                     ? json_loadb(record->request_body.data, record->request_body.len, 0, NULL)
                     : NULL;
  const json_t *n = json_object_get(body, "n"), *stream = json_object_get(body, "stream");
  for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
    const json_t *value = json_object_get(body, options[i].member);
    /* The count of choices is only told where it is not 1. */
    if (value != n || json_integer_value(n) != 1)
      add_value(attributes, options[i].attribute, value);
  }
  if (stream)
    add_value(attributes, "gen_ai.request.stream", stream);
  if (json_is_true(stream) && record->outcome.first_byte_us >= 0)
    add(attributes, "gen_ai.response.time_to_first_chunk",
        json_pack("{s:f}", "doubleValue", (double)record->outcome.first_byte_us / 1e6));
  json_decref(body);
}

/* What an answer does not tell is "" or -1, of which no attribute is made. */
static void add_response(json_t *attributes, const struct tape_record *record)
{
  struct cli_reply reply;
  cli_reply_read(&reply, record->outcome.headers, record->outcome.body, record->outcome.encoded);
  add_text(attributes, "gen_ai.response.id", reply.id);
  add_text(attributes, "gen_ai.response.model", reply.model);
  add_number(attributes, "gen_ai.usage.input_tokens", reply.usage.input);
  add_number(attributes, "gen_ai.usage.output_tokens", reply.usage.output);
  add_number(attributes, "gen_ai.usage.cache_read.input_tokens", reply.cached);
  add_number(attributes, "gen_ai.usage.cache_creation.input_tokens", reply.written);
  if (reply.reasons && *reply.reasons) {
    json_t *values = json_array();
    for (char *at = reply.reasons, *reason; (reason = strsep(&at, ","));)
      json_array_append_new(values, json_pack("{s:s}", "stringValue", reason));
    add(attributes, "gen_ai.response.finish_reasons", json_pack("{s:{s:o}}", "arrayValue", "values", values));
  }
  cli_reply_release(&reply);
}

/* Spans. */

/* An id of so many bytes that is the same whenever the same tape is exported. */
static char *make_id(char *out, unsigned bytes, const char *of)
{
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)of, strlen(of), digest);
  idem_hex(digest, bytes, out);
  return out;
}

/* The root's times are known when all was read, so it is written last. Moments are µs since 1970; both ids
 * are hexadecimal, of 16 and 8 bytes. */
struct trace {
  FILE *out;
  bool begun;
  int64_t from_us, to_us;
  char id[33], root[17];
};

/* Takes the span: it is freed when it is written, so that a trace is never in memory as a whole. */
static void write_span(struct trace *trace, json_t *span)
{
  fputs(trace->begun ? ",\n" : "\n", trace->out);
  trace->begun = true;
  /* One span a line, so that a trace can be looked through with grep. */
  json_dumpf(span, trace->out, JSON_COMPACT | cli_json_flags());
  json_decref(span);
}

/* `end` in nanoseconds would not fit a double. So times are strings: microseconds with three zeros behind
 * them. Without a parent it is the root, whose work is the process's own; all others are calls to a server
 * (SpanKind). */
static json_t *make_span(const struct trace *trace, const char *id, const char *parent, const char *name,
                         int64_t from_us, int64_t to_us, json_t *attributes)
{
  char from[32], to[32];
  enum { INTERNAL = 1, CLIENT = 3 };
  snprintf(from, sizeof(from), "%" PRId64 "000", from_us);
  snprintf(to, sizeof(to), "%" PRId64 "000", to_us);
  /* A model's name may have been cut within a character. */
  return json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:s, s:o}", "traceId", trace->id, "spanId", id,
                   "parentSpanId", parent, "name", cli_json_string(name), "kind", *parent ? CLIENT : INTERNAL,
                   "startTimeUnixNano", from, "endTimeUnixNano", to, "attributes", attributes);
}

/* error.type is low in its number of values: libcurl's name, the status, or that a success is none. */
static void add_error(json_t *span, json_t *attributes, const struct tape_record *record)
{
  enum { ERROR = 2 };
  char text[64];
  if (!cli_record_failed(record))
    return;
  if (record->outcome.curl_code)
    snprintf(text, sizeof(text), "%s", cli_curl_error(record->outcome.curl_code));
  else if (record->outcome.no_answer)
    snprintf(text, sizeof(text), "NO_ANSWER");
  else
    snprintf(text, sizeof(text), "%u", record->outcome.status);
  add_text(attributes, "error.type", text);
  json_object_set_new(
      span, "status",
      json_pack("{s:i, s:o}", "code", ERROR, "message", cli_json_text(record->outcome.error_text)));
}

/* What a copy finished in the background was not a call of the app's, but it was one that is paid for. */
static int visit(void *arg, const struct tape_record *record)
{
  struct trace *trace = arg;
  const struct tape_call *call = &record->call;
  char of[128], id[17], host[256], name[256], *model = cli_model(record->path, record->request_body);
  char *path = strndup(record->path.data, record->path.len),
       *method = strndup(record->method.data, record->method.len);
  json_t *attributes = json_array();
  const char *operation = operation_of(path ? path : "");
  int64_t end_us = call->started_us + (int64_t)call->duration_us;
  snprintf(of, sizeof(of), "%" PRId64 " %" PRIu32, call->process_us, call->pid);
  /* The process that made the first exchange names the trace. */
  if (!*trace->id) {
    make_id(trace->id, 16, of);
    make_id(trace->root, 8, trace->id);
    trace->from_us = call->started_us;
  }
  /* A call and its rescue have one number in their process. */
  snprintf(of, sizeof(of), "%" PRId64 " %" PRIu32 " %" PRIu64 " %d", call->process_us, call->pid,
           call->sequence, call->what);
  trace->to_us = end_us > trace->to_us ? end_us : trace->to_us;
  trace->from_us = call->started_us < trace->from_us ? call->started_us : trace->from_us;
  add_text(attributes, "gen_ai.operation.name", operation);
  add_server(attributes, record->origin, host);
  add_text(attributes, "gen_ai.provider.name", provider_of(host));
  add_text(attributes, "gen_ai.request.model", model);
  add_request(attributes, record);
  add_response(attributes, record);
  add_text(attributes, "http.request.method", method);
  /* A transfer that failed before its first line has none. */
  if (record->outcome.status)
    add_number(attributes, "http.response.status_code", record->outcome.status);
  add_text(attributes, "idemshim.what", tape_what_name(call->what));
  add_number(attributes, "idemshim.exchange", (int64_t)record->number);
  add_text(attributes, "idemshim.operation", call->id);
  add_number(attributes, "process.pid", call->pid);
  add_number(attributes, "thread.id", call->lane);
  snprintf(name, sizeof(name), "%s%s%.200s", operation, model && *model ? " " : "", model ? model : "");
  json_t *span =
      make_span(trace, make_id(id, 8, of), trace->root, name, call->started_us, end_us, attributes);
  add_error(span, attributes, record);
  write_span(trace, span);
  free(model);
  free(path);
  free(method);
  return ferror(trace->out) ? CLI_STORE : CLI_OK;
}

int cli_write_otlp(const struct tape *tape, FILE *out)
{
  struct trace trace = {.out = out};
  fputs("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"idemshim\"}}]},"
        "\"scopeSpans\":[{\"scope\":{\"name\":\"idemshim\",\"version\":\"" IDEM_VERSION
        "\"},\"schemaUrl\":\"" SCHEMA "\",\"spans\":[",
        out);
  int code = cli_tape_each(tape, "tape export", true, visit, &trace);
  if (*trace.id)
    write_span(&trace,
               make_span(&trace, trace.root, "", "idemshim run", trace.from_us, trace.to_us, json_array()));
  fputs("\n]}]}]}\n", out);
  return code;
}
