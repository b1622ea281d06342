/* SPDX-License-Identifier: MIT */
#include "shim/request/request_event.h"

#include "shim/base/span.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <string.h>

/* The request is left out of an event once the app may have freed what it was named by. */
static void write_event(const struct request *request, struct event event)
{
  event.id = request->op.id[0] ? request->op.id : NULL;
  event.request = request->shadow->disturbed ? NULL : &request->bytes;
  report_event(&event);
}

static void copy(char *to, size_t size, struct idem_span from)
{
  size_t len = from.len < size - 1 ? from.len : size - 1;
  if (len)
    memcpy(to, from.data, len);
  to[len] = '\0';
}

/* For `explain`: a hit does not come here, and what is sent and stored has nothing to explain. */
static void note_decision(const struct request *request, const char *name, const char *reason, int status)
{
  if (!reason && (strcmp(name, "live") == 0 || strcmp(name, "stored") == 0))
    return;
  struct idem_decision decision = {.at_us = wall_clock_us(), .status = (uint16_t)status};
  memcpy(decision.id, request->op.id, sizeof(decision.id));
  copy(decision.event, sizeof(decision.event), span_of(name));
  copy(decision.reason, sizeof(decision.reason), span_of(reason ? reason : ""));
  if (!request->shadow->disturbed) {
    copy(decision.method, sizeof(decision.method), request->bytes.method);
    copy(decision.origin, sizeof(decision.origin), request->bytes.origin);
    copy(decision.path, sizeof(decision.path), request->bytes.path);
  }
  request->api->note(request->store, &decision);
}

void request_event(const struct request *request, const char *name, const char *reason, int status,
                   int64_t ms)
{
  if (request->api)
    note_decision(request, name, reason, status);
  write_event(request, (struct event){.name = name, .reason = reason, .status = status, .ms = ms});
}

void request_delivered(const struct request *request, const char *via)
{
  if (!settings()->log || request->tape.fault)
    return;
  write_event(request, (struct event){
                           .name = request->tape.played ? "replayed"
                                   : request->op.waited ? "join"
                                                        : "hit",
                           .via = via,
                           .reason = request->zeroed ? "usage_zeroed" : NULL,
                           .status = request->op.answer.status,
                           .ms = (monotonic_us() - request->started_us) / 1000,
                       });
}

void request_tell_sample(const struct request *request)
{
  if (!request->op.new_sample)
    return;
  request_event(request, "new_sample", "an earlier answer to the same call was delivered", 0, -1);
  report_sample();
}

void request_bypass(const struct request *request, const char *reason)
{
  report_count(IDEM_COUNTER_bypass);
  report_want(reason);
  request_event(request, "bypass", reason, 0, -1);
}
