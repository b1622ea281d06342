/* SPDX-License-Identifier: MIT */
#include "shim/engine/follow.h"

#include "shim/handle/callbacks.h"
#include "shim/replay/direct.h"
#include "shim/replay/progress.h"
#include "shim/replay/stream_follow.h"

#include <errno.h>

/* How often the app's progress callback is called at least; libcurl does so once a second [easy_transfer]. */
#define SLICE_MS 200

static int64_t waited_ms(const struct request *request)
{
  return (monotonic_us() - request->started_us) / 1000;
}

/* 0: the app has set none. */
static int64_t app_limit_ms(const struct request *request)
{
  long limit = (long)request->shadow->slot[SLOT_TIMEOUT_MS];
  return limit > 0 ? limit : 0;
}

static unsigned next_slice(const struct request *request)
{
  int64_t limit = app_limit_ms(request), left = limit ? limit - waited_ms(request) : SLICE_MS;
  return left < 1 ? 1 : left < SLICE_MS ? (unsigned)left : SLICE_MS;
}

static CURLcode check_app(struct request *request)
{
  struct progress progress = {.started_us = request->started_us};
  int64_t limit = app_limit_ms(request), waited = waited_ms(request);
  CURLcode code = progress_update(request->shadow, &progress);
  if (code == CURLE_OK && limit && waited >= limit) {
    callback_error(request->shadow, "Operation timed out after %lld milliseconds with 0 bytes received",
                   (long long)waited);
    code = CURLE_OPERATION_TIMEDOUT;
  }
  return code;
}

enum follow follow_owner(struct request *request, CURLcode *code)
{
  enum follow end = FOLLOW_AGAIN;
  *code = CURLE_OK;
  if (!request->shadow->disturbed && stream_has_begun(request))
    return FOLLOW_BEGUN;
  int changed = request->api->wait(request->store, &request->op, next_slice(request));
  *code = check_app(request);
  if (changed != 0 && request->rule->wait_ms != IDEM_FOREVER_MS &&
      (uint64_t)waited_ms(request) >= request->rule->wait_ms)
    end = FOLLOW_TOO_LONG;
  if (*code)
    end = FOLLOW_ENDED;
  request->op.waited = true;
  request->api->leave(request->store, &request->op, false);
  if (end == FOLLOW_ENDED)
    deliver_failure(request, *code);
  return end;
}
