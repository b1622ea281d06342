/* SPDX-License-Identifier: MIT */
/* The server's own endpoints. They are never counted. */
#include "tests/mock/exchange.h"
#include "tests/mock/ledger.h"
#include "tests/mock/pause.h"
#include "tests/mock/recall.h"
#include "tests/mock/wire.h"

#include <stdlib.h>
#include <string.h>

static enum MHD_Result send_json(struct MHD_Connection *connection, json_t *json)
{
  char *text = json_dumps(json, JSON_COMPACT);

  json_decref(json);
  return exchange_send(connection, 200, "application/json", text ? text : strdup("null"));
}

static enum MHD_Result count(struct MHD_Connection *connection)
{
  return send_json(connection, ledger_counts());
}

static enum MHD_Result requests(struct MHD_Connection *connection)
{
  return send_json(connection, ledger_requests());
}

static enum MHD_Result reset(struct MHD_Connection *connection)
{
  ledger_reset();
  recall_reset();
  wire_reset();
  pause_reset();
  return send_json(connection, json_object());
}

/* Replaces the default; names that are not given are as a new server has them. */
static enum MHD_Result set_default(struct MHD_Connection *connection)
{
  const char *text = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "mock");
  struct script script = SCRIPT_DEFAULT;
  char complaint[256] = "mock: expected ?mock=name=value,...";

  if (!text || !script_parse(&script, text, complaint, sizeof complaint))
    return exchange_send(connection, 400, "text/plain", strdup(complaint));
  recall_set_default(&script);
  return send_json(connection, json_object());
}

/* ?n=COUNT pieces; one. */
static enum MHD_Result release(struct MHD_Connection *connection)
{
  const char *n = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "n");

  pause_release(n ? strtoull(n, NULL, 10) : 1);
  return send_json(connection, json_object());
}

/* ?gate=BEGINNING */
static enum MHD_Result open_gates(struct MHD_Connection *connection)
{
  const char *beginning = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "gate");

  if (!beginning)
    return exchange_send(connection, 400, "text/plain", strdup("mock: expected ?gate=BEGINNING"));
  pause_open(beginning);
  return send_json(connection, json_object());
}

static const struct {
  const char *method, *path;
  enum MHD_Result (*answer)(struct MHD_Connection *connection);
} endpoints[] = {
    {"GET", "/_mock/count", count},      {"GET", "/_mock/requests", requests},
    {"POST", "/_mock/reset", reset},     {"POST", "/_mock/default", set_default},
    {"POST", "/_mock/release", release}, {"POST", "/_mock/open", open_gates},
};

static enum MHD_Result lay_wire(struct MHD_Connection *connection, const struct exchange *exchange,
                                const char *path)
{
  bool exact = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "exact");

  wire_lay(wire_name(path), exchange->body, exchange->body_len, exact);
  return send_json(connection, json_object());
}

enum MHD_Result control_answer(struct MHD_Connection *connection, const struct exchange *exchange,
                               const char *method, const char *path)
{
  if (wire_name(path) && !strcmp(method, "POST"))
    return lay_wire(connection, exchange, path);
  for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
    if (!strcmp(endpoints[i].method, method) && !strcmp(endpoints[i].path, path))
      return endpoints[i].answer(connection);
  return exchange_send(connection, 404, "text/plain", strdup("mock: no such control endpoint\n"));
}
