/* SPDX-License-Identifier: MIT */
#include "shim/perform.h"

#include "shim/callbacks.h"
#include "shim/deliver.h"
#include "shim/follow.h"
#include "shim/header_text.h"
#include "shim/life.h"
#include "shim/live.h"
#include "shim/problem.h"
#include "shim/replay.h"

#include <string.h>

static const char disturbed[] = "options changed while it waited";

static CURLcode bypass(struct call *call, const char *reason)
{
  life_count(IDEM_COUNTER_bypass);
  call_event(call, "bypass", reason, 0, -1);
  return live_untouched(call);
}

/* The header lines that say an answer was replayed. */
#define MARKS_SIZE 192

static void build_marks(const struct call *call, char marks[MARKS_SIZE])
{
  static const char head[] =
      "X-Idempotency-Replayed: true\r\nX-From-Cache: true\r\nX-Original-Request-Time: ";
  static const char id[] = "\r\nX-Idemshim-Id: ";
  const char *date = call->rule->mark ? replay_date(call->op.answer.facts) : NULL;
  char *at = marks;
  *at = '\0';
  if (!date)
    return;
  memcpy(at, head, sizeof(head) - 1);
  at += sizeof(head) - 1;
  memcpy(at, date, HEADER_DATE_SIZE - 1);
  at += HEADER_DATE_SIZE - 1;
  memcpy(at, id, sizeof(id) - 1);
  at += sizeof(id) - 1;
  memcpy(at, call->op.answer.id, IDEM_ID_SIZE - 1);
  memcpy(at + IDEM_ID_SIZE - 1, "\r\n", 3);
}

static CURLcode on_hit(struct call *call)
{
  char marks[MARKS_SIZE];
  CURLcode code;
  const char *reason = deliver_refuses(call, &call->op.answer);
  build_marks(call, marks);
  if (call->op.mismatched)
    call_event(call, "mismatch", "the first answer is replayed", 0, -1);
  if (reason || !deliver_answer(call, marks, &code)) {
    call->api->leave(call->store, &call->op, false);
    return bypass(call, reason ? reason : "no memory");
  }
  call_event(call, call->op.waited ? "join" : "hit", NULL, call->op.answer.status,
             (monotonic_us() - call->started_us) / 1000);
  call->api->leave(call->store, &call->op, code == CURLE_OK);
  return code;
}

static CURLcode on_owned(struct call *call)
{
  if (call->op.expired)
    call_event(call, "expired", NULL, 0, -1);
  if (call->op.resent)
    call_event(call, "in_doubt", "its owner died after sending; sent again", 0, -1);
  if (call->op.churned)
    call_event(call, "key_churn", "the same content was sent under another key", 0, -1);
  return live_owned(call);
}

static CURLcode on_mismatch(struct call *call)
{
  bool reject = call->rule->mismatch == IDEM_MISMATCH_REJECT;
  call_event(call, "mismatch", reject ? "rejected" : "sent untouched", 0, -1);
  call->api->leave(call->store, &call->op, false);
  return reject ? problem_deliver(call, &problem_mismatch) : bypass(call, "mismatch");
}

static CURLcode on_doubt(struct call *call)
{
  call_event(call, "in_doubt", "its owner died after sending; refused", 0, -1);
  call->api->leave(call->store, &call->op, false);
  return problem_deliver(call, &problem_in_doubt);
}

static CURLcode on_no_key(struct call *call)
{
  call->api->leave(call->store, &call->op, false);
  return bypass(call, "no key");
}

/* A callback of this very call makes it again: waiting would be for ourselves. */
static CURLcode on_own(struct call *call)
{
  call->api->leave(call->store, &call->op, false);
  return bypass(call, "made during the same call");
}

/* Until there is an answer, the claim is ours, or the app's patience ends. */
static CURLcode idempotent(struct call *call)
{
  struct idem_error error = {""};
  CURLcode code;
  for (;;) {
    switch (call->api->enter(call->store, &call->request, &call->op, &error)) {
    case IDEM_HIT:
      return on_hit(call);
    case IDEM_OWNED:
      return on_owned(call);
    case IDEM_IN_DOUBT:
      return on_doubt(call);
    case IDEM_MISMATCH:
      return on_mismatch(call);
    case IDEM_NO_KEY:
      return on_no_key(call);
    case IDEM_BUSY:
      if (live_is_ours(call))
        return on_own(call);
      switch (follow_owner(call, &code)) {
      case FOLLOW_AGAIN:
        if (call->shadow->disturbed)
          return bypass(call, disturbed);
        continue;
      case FOLLOW_ENDED:
        return code;
      case FOLLOW_TOO_LONG:
        return bypass(call, "wait");
      }
      break;
    default:
      life_fail_open(LIFE_STORE_FAILED, "%s", error.text);
      call_event(call, "store_error", error.text, 0, -1);
      return live_untouched(call);
    }
  }
}

/* replay mode never touches the network; it fails closed until it has a tape to play. */
static CURLcode refuse_network(struct shadow *shadow)
{
  callback_error(shadow, "IDEMSHIM_MODE=replay is not in force yet, and never goes to the network");
  return CURLE_COULDNT_CONNECT;
}

CURLcode idem_easy_perform(struct shadow *shadow, const struct idem_rule *rule)
{
  const struct idem_config *config = life_config();
  struct call call;
  char room[24];
  if (config->mode == IDEM_MODE_REPLAY)
    return refuse_network(shadow);
  call.started_us = monotonic_us();
  call.api = life_store(&call.store);
  shadow_begin(shadow);
  const char *reason = call_open(&call, shadow, rule, room);
  if (!reason && shadow->disturbed)
    reason = disturbed;
  CURLcode code;
  if (!call.api)
    code = live_untouched(&call);
  else {
    life_count(IDEM_COUNTER_calls);
    code = reason                              ? bypass(&call, reason)
           : config->mode == IDEM_MODE_OBSERVE ? live_observed(&call)
                                               : idempotent(&call);
  }
  shadow_end(shadow);
  call_release(&call);
  return code;
}
