/* SPDX-License-Identifier: MIT */
#include "shim/request/request_time.h"

#include "shim/handle/overrides.h"

void request_limit_time(const struct request *request)
{
  long limit = (long)request->shadow->slot[SLOT_TIMEOUT_MS],
       spent = (long)((monotonic_us() - request->started_us) / 1000);
  if ((request->op.waited || request->body.late) && limit > 0)
    override_until_set(request->shadow, CURLOPT_TIMEOUT_MS, spent < limit ? limit - spent : 1);
}

int64_t request_due_us(const struct request *request, int64_t at_us)
{
  return request->speed > 0 ? request->started_us + (int64_t)((double)at_us / request->speed) : 0;
}

int64_t request_chunk_us(const struct request *request, size_t i)
{
  const struct tape_outcome *recorded = &request->tape.record.outcome;
  if (request->tape.played)
    return i < recorded->chunk_count ? (int64_t)recorded->chunks[i].at_us : 0;
  return (int64_t)request->op.answer.chunks[i].at_ms * 1000;
}
