/* SPDX-License-Identifier: MIT */
#include "shim/engine/follow.h"

#include "shim/handle/callbacks.h"
#include "shim/replay/direct.h"
#include "shim/replay/progress.h"
#include "shim/replay/stream_follow.h"

#include <errno.h>

/* How often the app's progress callback is called at least; libcurl does so once a second [easy_transfer]. */
#define SLICE_MS 200

static int64_t waited_ms(const struct call *call)
{
  return (monotonic_us() - call->started_us) / 1000;
}

/* 0: the app has set none. */
static int64_t app_limit_ms(const struct call *call)
{
  long limit = (long)call->shadow->slot[SLOT_TIMEOUT_MS];
  return limit > 0 ? limit : 0;
}

static unsigned next_slice(const struct call *call)
{
  int64_t limit = app_limit_ms(call), left = limit ? limit - waited_ms(call) : SLICE_MS;
  return left < 1 ? 1 : left < SLICE_MS ? (unsigned)left : SLICE_MS;
}

static CURLcode check_app(struct call *call)
{
  struct progress progress = {.started_us = call->started_us};
  int64_t limit = app_limit_ms(call), waited = waited_ms(call);
  CURLcode code = progress_update(call->shadow, &progress);
  if (code == CURLE_OK && limit && waited >= limit) {
    callback_error(call->shadow, "Operation timed out after %lld milliseconds with 0 bytes received",
                   (long long)waited);
    code = CURLE_OPERATION_TIMEDOUT;
  }
  return code;
}

enum follow follow_owner(struct call *call, CURLcode *code)
{
  enum follow end = FOLLOW_AGAIN;
  *code = CURLE_OK;
  if (!call->shadow->disturbed && stream_has_begun(call))
    return FOLLOW_BEGUN;
  int changed = call->api->wait(call->store, &call->op, next_slice(call));
  *code = check_app(call);
  if (changed != 0 && call->rule->wait_ms != IDEM_FOREVER_MS &&
      (uint64_t)waited_ms(call) >= call->rule->wait_ms)
    end = FOLLOW_TOO_LONG;
  if (*code)
    end = FOLLOW_ENDED;
  call->op.waited = true;
  call->api->leave(call->store, &call->op, false);
  if (end == FOLLOW_ENDED)
    deliver_failure(call, *code);
  return end;
}
