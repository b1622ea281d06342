/* SPDX-License-Identifier: MIT */
#include "tests/mock/exchange.h"

#include "tests/mock/compose.h"
#include "tests/mock/ledger.h"
#include "tests/mock/pause.h"
#include "tests/mock/recall.h"
#include "tests/mock/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct exchange *exchange_new(const char *target)
{
  struct exchange *exchange = calloc(1, sizeof *exchange);

  if (!exchange)
    return NULL;
  exchange->target = strdup(target);
  exchange->control = !strncmp(target, "/_mock/", strlen("/_mock/"));
  return exchange;
}

void exchange_free(struct exchange *exchange)
{
  answer_free(exchange->play.answer);
  free(exchange->target);
  free(exchange->body);
  free(exchange);
}

static enum MHD_Result add_header(void *headers, enum MHD_ValueKind kind, const char *name, const char *value)
{
  json_t *values = json_object_get(headers, name);

  (void)kind;
  if (!values)
    json_object_set_new(headers, name, values = json_array());
  json_array_append_new(values, json_string(value));
  return MHD_YES;
}

void exchange_arrived(struct exchange *exchange, struct MHD_Connection *connection, const char *method,
                      bool *fresh)
{
  json_t *headers;

  exchange->arrived = true;
  if (exchange->control)
    return;
  /* Whoever sees that it is here may set another default, which is for the next one. */
  exchange->play.script = recall_default();
  headers = json_object();
  MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, headers);
  exchange->serial = ledger_arrived(
      json_pack("{ssssso}", "method", method, "path", exchange->target, "headers", headers), fresh && *fresh);
  exchange->reused = fresh && !*fresh;
  if (fresh)
    *fresh = false;
}

bool exchange_body(struct exchange *exchange, const char *bytes, size_t len)
{
  char *body = realloc(exchange->body, exchange->body_len + len);

  if (!body)
    return false;
  memcpy(body + exchange->body_len, bytes, len);
  exchange->body = body;
  exchange->body_len += len;
  return true;
}

enum MHD_Result exchange_send(struct MHD_Connection *connection, unsigned status, const char *type,
                              char *text)
{
  struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
  enum MHD_Result result;

  MHD_add_response_header(response, "Content-Type", type);
  result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

/* Over the default. */
static bool read_script(struct MHD_Connection *connection, struct script *script, char *complaint,
                        size_t size)
{
  const char *query = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "mock");
  const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Mock");

  return (!query || script_parse(script, query, complaint, size)) &&
         (!header || script_parse(script, header, complaint, size));
}

static struct answer *compose_for_key(void *order)
{
  const struct order *wanted = order;

  ledger_worked(wanted->serial);
  return compose_success(wanted);
}

static struct answer *succeed(struct order *order, const char *key)
{
  if (order->script->honour_key && key)
    return recall_answer(key, compose_for_key, order);
  return compose_for_key(order);
}

/* The status that the script wants instead of success, or 0. */
static unsigned wanted_failure(const struct order *order, const char *target)
{
  const struct script *script = order->script;

  if (order->shape == &shape_unknown && !order->script->row[0])
    return 404;
  if (*script->redirect && strcmp(script->redirect, target) != 0)
    return 307;
  if (script->fail_count && recall_seen(order->path, order->body, order->body_len) < script->fail_count)
    return (unsigned)script->fail_status;
  return (unsigned)script->status;
}

static struct answer *choose_answer(struct exchange *exchange, struct MHD_Connection *connection,
                                    const char *path)
{
  json_t *received = ledger_body(exchange->serial, exchange->body, exchange->body_len);
  struct order order = {
      .shape = shape_for(path),
      .script = &exchange->play.script,
      .path = path,
      .body = exchange->body,
      .body_len = exchange->body_len,
      .serial = exchange->serial,
      .received = received,
  };
  unsigned failure = wanted_failure(&order, exchange->target);
  struct answer *answer =
      failure ? compose_failure(&order, failure)
              : succeed(&order, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key"));

  json_decref(received);
  return answer;
}

static void add_with_id(struct MHD_Response *response, const char *name, const char *before, const char *id,
                        const char *after)
{
  char value[128];

  snprintf(value, sizeof value, "%s%s%s", before, id, after);
  MHD_add_response_header(response, name, value);
}

static void add_headers(struct MHD_Response *response, const struct exchange *exchange, const char *path)
{
  const struct answer *answer = exchange->play.answer;
  const struct script *script = &exchange->play.script;
  char processing[24];

  snprintf(processing, sizeof processing, "%u",
           100 + (unsigned)((script->still ? script->still : exchange->serial) % 900));
  MHD_add_response_header(response, "Content-Type", answer->type);
  add_with_id(response, shape_for(path)->id_header, "req_", answer->id, "");
  MHD_add_response_header(response, "openai-processing-ms", processing);
  if (answer->stream)
    MHD_add_response_header(response, "Cache-Control", "no-cache");
  if (answer->status == 429 || answer->status == 503)
    MHD_add_response_header(response, "Retry-After", "1");
  if (answer->status == 307)
    MHD_add_response_header(response, "Location", script->redirect);
  if (script->cookie)
    add_with_id(response, "Set-Cookie", "mock_session=", answer->id, "; Path=/; HttpOnly");
  if (script->marks) {
    MHD_add_response_header(response, "X-From-Cache", "upstream");
    MHD_add_response_header(response, "x-idempotency-replayed", "upstream");
  }
  if (script->gzip && answer->status == 200)
    MHD_add_response_header(response, "Content-Encoding", "gzip");
}

/* The HTTP library knows no interim responses of ours; on a plain connection there is nothing between us and
 * the wire. */
static void send_early_hints(struct MHD_Connection *connection, int socket)
{
  static const char hints[] = "HTTP/1.1 103 Early Hints\r\nLink: </hint>; rel=preload\r\n\r\n";

  if (!MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION))
    send(socket, hints, sizeof hints - 1, MSG_NOSIGNAL);
}

/* An honoured answer is shared and must stay as it is; one that is ours alone can be coded in place. */
static struct answer *coded(struct answer *answer)
{
  struct answer *own = answer_new(answer->status, answer->type);

  memcpy(own->id, answer->id, sizeof own->id);
  own->stream = answer->stream;
  for (size_t i = 0; i < answer->cut_count; i++) {
    size_t from = i ? answer->cuts[i - 1] : 0;
    answer_bytes(own, answer->bytes + from, answer->cuts[i] - from);
  }
  own->end_mark = answer->end_mark;
  answer_free(answer);
  compose_gzip(own);
  return own;
}

enum MHD_Result exchange_answer(struct exchange *exchange, struct MHD_Connection *connection,
                                const char *path)
{
  struct play *play = &exchange->play;
  struct MHD_Response *response;
  enum MHD_Result result;
  char complaint[256];

  if (wire_name(path))
    return wire_play(connection, wire_name(path));
  if (!read_script(connection, &play->script, complaint, sizeof complaint))
    return exchange_send(connection, 400, "text/plain", strdup(complaint));
  play->socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  play->answer = choose_answer(exchange, connection, path);
  if (play->script.informational)
    send_early_hints(connection, play->socket);
  if (play->script.latency_ms && !pause_ms(play->script.latency_ms))
    return MHD_NO;
  if (play->script.gate_first && !play_pass_gate(play))
    return MHD_NO;
  if (play->script.reset == RESET_HEADERS || (play->script.reset == RESET_REUSED && exchange->reused)) {
    play_reset(play->socket);
    return MHD_NO;
  }
  if (play->script.gzip && play->answer->status == 200)
    play->answer = coded(play->answer);
  response = play_response(play);
  if (!response)
    return MHD_NO;
  add_headers(response, exchange, path);
  result = MHD_queue_response(connection, play->answer->status, response);
  MHD_destroy_response(response);
  return result;
}
