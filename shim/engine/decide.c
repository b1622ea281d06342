/* SPDX-License-Identifier: MIT */
#include "shim/engine/decide.h"

#include "shim/base/http_header.h"
#include "shim/engine/multi_call.h"
#include "shim/live/prerequest.h"
#include "shim/replay/direct.h"
#include "shim/replay/stream_follow.h"
#include "shim/runtime/runtime.h"
#include "shim/tape/playback.h"
#include "shim/tape/recorder.h"
#include "shim/transport/transport.h"

static struct decision untouched(void)
{
  return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_UNTOUCHED};
}

static struct decision bypass(struct call *call, const char *reason)
{
  call_bypass(call, reason);
  return untouched();
}

struct decision decide_live(struct call *call, const char *reason)
{
  call_leave(call, false);
  return bypass(call, reason);
}

/* What cannot be told by the callbacks alone, libcurl tells. */
static bool needs_libcurl(const struct call *call)
{
  const struct shadow *shadow = call->shadow;
  char room[24];
  bool keeps_cookies = shadow->cookie_engine || shadow->shared;
  return shadow_needs(shadow, NEEDS_TRANSPORT, room) || shadow_needs(shadow, NEEDS_LIVE, room) ||
         (keeps_cookies && header_find(call->op.answer.headers, "set-cookie").data);
}

/* The tape's outcome. */
static struct decision play(struct call *call, bool direct)
{
  playback_find(call);
  return (struct decision){.route = direct && !needs_libcurl(call) ? ROUTE_DIRECT : ROUTE_TRANSPORT};
}

static struct decision on_hit(struct call *call, bool direct)
{
  char room[24];
  const char *reason = shadow_needs(call->shadow, NEEDS_TRANSPORT, room);
  if (call->op.mismatched)
    call_event(call, "mismatch", "the first answer is replayed", 0, -1);
  if (direct && !reason && !deliver_refuses(call, &call->op.answer))
    return (struct decision){.route = ROUTE_DIRECT};
  reason = transport_refuses(call);
  return reason ? decide_live(call, reason) : (struct decision){.route = ROUTE_TRANSPORT};
}

struct decision decide_stream(struct call *call, bool direct)
{
  char room[24];
  stream_join(call);
  if (direct && !shadow_needs(call->shadow, NEEDS_TRANSPORT, room) &&
      !deliver_refuses(call, &call->op.answer))
    return (struct decision){.route = ROUTE_DIRECT};
  if (!transport_refuses(call))
    return (struct decision){.route = ROUTE_TRANSPORT};
  stream_refuse(call);
  return (struct decision){.route = ROUTE_FOLLOW};
}

static struct decision on_owned(struct call *call)
{
  if (call->op.expired)
    call_event(call, "expired", NULL, 0, -1);
  if (call->op.resent)
    call_event(call, "in_doubt", "sent before, with no known outcome; sent again", 0, -1);
  if (call->op.churned)
    call_event(call, "key_churn", "the same content was sent under another key", 0, -1);
  return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_OWNED};
}

static struct decision refuse(struct call *call, const struct problem *problem)
{
  call->api->leave(call->store, &call->op, false);
  return (struct decision){.route = ROUTE_PROBLEM, .problem = problem};
}

static struct decision on_mismatch(struct call *call)
{
  bool reject = call->rule->mismatch == IDEM_MISMATCH_REJECT;
  call_event(call, "mismatch", reject ? "rejected" : "sent untouched", 0, -1);
  return reject ? refuse(call, &problem_mismatch) : decide_live(call, "mismatch");
}

static struct decision on_doubt(struct call *call)
{
  call_event(call, "in_doubt", "sent before, with no known outcome; refused", 0, -1);
  return refuse(call, &problem_in_doubt);
}

/* Waiting for what this thread itself has to carry on would be for ever. */
static struct decision on_busy(struct call *call)
{
  if (live_is_ours(call))
    return decide_live(call, "made during the same call");
  if (multi_call_blocks(call))
    return decide_live(call, "the same call is under way in this thread");
  return (struct decision){.route = ROUTE_FOLLOW};
}

struct decision decide_again(struct call *call, bool direct)
{
  struct idem_error error; /* not zeroed: it is long, and a hit does not look at it */
  error.text[0] = '\0';
  call->op.defers = prerequest_is_supported(call->shadow);
  switch (call->api->enter(call->store, &call->request, &call->op, &error)) {
  case IDEM_HIT:
    return on_hit(call, direct);
  case IDEM_OWNED:
    return on_owned(call);
  case IDEM_IN_DOUBT:
    return on_doubt(call);
  case IDEM_MISMATCH:
    return on_mismatch(call);
  case IDEM_NO_KEY:
    return decide_live(call, "no key");
  case IDEM_BUSY:
    return on_busy(call);
  default:
    fail_open(PROBLEM_STORE_FAILED, "%s", error.text);
    call_event(call, "store_error", error.text, 0, -1);
    return untouched();
  }
}

struct decision decide_first(struct call *call, struct shadow *shadow, const struct idem_rule *rule,
                             bool direct)
{
  const struct idem_config *config = settings();
  char room[24];
  bool tape_only = config->mode == IDEM_MODE_RECORD || config->mode == IDEM_MODE_REPLAY;
  direct = direct && config->delivery != IDEM_DELIVERY_TRANSPORT;
  call->started_us = monotonic_us();
  call->store = NULL;
  call->api = tape_only ? NULL : runtime_store(&call->store);
  shadow_begin(shadow);
  const char *reason = call_open(call, shadow, rule, room);
  if (!reason && shadow->disturbed)
    reason = "options changed while it waited";
  if (config->mode == IDEM_MODE_REPLAY)
    return play(call, direct);
  if (config->tape_dir)
    recorder_begin(call);
  if (!call->api)
    return untouched();
  report_count(IDEM_COUNTER_calls);
  if (reason)
    return bypass(call, reason);
  if (config->mode == IDEM_MODE_OBSERVE)
    return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_OBSERVED};
  return decide_again(call, direct);
}
