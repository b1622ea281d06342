/* SPDX-License-Identifier: MIT */
#include "shim/replay/stream_follow.h"

#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/request/request_event.h"
#include "shim/runtime/report.h"

#include <stdlib.h>
#include <string.h>

bool stream_follow_has_begun(struct request *request)
{
  struct stream_follow *stream = request->stream;
  if (!stream && (stream = request->stream = calloc(1, sizeof(*stream))))
    stream->spool = (struct idem_spool)IDEM_SPOOL_INIT;
  if (!stream || stream->refused || request->op.mismatched || request->op.passed ||
      request->api->stalled(request->store, &request->op, false))
    return false;
  if (stream->spool.over)
    request->api->spool_release(&stream->spool);
  stream->refused = request->api->look(request->store, &request->op, &stream->spool) < 0;
  return !stream->refused && !stream->spool.over && stream->spool.answer.headers.data;
}

static void take(struct request *request)
{
  request->op.answer = request->stream->spool.answer;
}

void stream_follow_join(struct request *request)
{
  request->stream->open = request->tape.streamed = true;
  request->stream->low_speed.started_us = monotonic_us();
  request->speed = 0; /* it comes when it comes */
  take(request);
}

void stream_follow_refuse(struct request *request)
{
  request->stream->open = request->tape.streamed = false;
  request->stream->refused = true;
  request->op.answer = (struct idem_answer){.status = 0};
}

/* A spool that cannot be read is over here as well; the store may have the rest. So is one whose owner has
 * stalled: the app has a part of this answer, and another one would not go on with it. */
bool stream_follow_refresh(struct request *request)
{
  struct stream_follow *stream = request->stream;
  int rc = request->api->look(request->store, &request->op, &stream->spool);
  const char *stalled = rc == 0 ? request->api->stalled(request->store, &request->op, true) : NULL;
  take(request);
  stream->open = rc >= 0 && !stream->spool.over && !stalled;
  if (stalled) {
    report_count(IDEM_COUNTER_owner_stalled);
    request_event(request, "owner_stalled", stalled, 0, -1);
  }
  return rc != 0 || stalled;
}

/* True if the stored answer begins with what was given to the app: only then is the rest of it the rest. */
static bool goes_on(const struct idem_answer *stored, const struct idem_answer *given)
{
  return stored->headers.len == given->headers.len && stored->body.len >= given->body.len &&
         stored->chunk_count >= given->chunk_count &&
         memcmp(stored->headers.data, given->headers.data, given->headers.len) == 0 &&
         (!given->body.len || memcmp(stored->body.data, given->body.data, given->body.len) == 0) &&
         (!given->chunk_count ||
          memcmp(stored->chunks, given->chunks, given->chunk_count * sizeof(*given->chunks)) == 0);
}

/* How the call ends here that has ended there. What its app did to it (a timeout, a refusal) is no word of
 * upstream's: the follower has lost its connection. */
static CURLcode end_of(struct request *request)
{
  const struct idem_spool *spool = &request->stream->spool;
  CURLcode code = (CURLcode)spool->code;
  if (!spool->ended) {
    callback_error(request->shadow, "The call that this one followed has ended in the middle of its answer");
    return CURLE_RECV_ERROR;
  }
  if (code != CURLE_OK)
    callback_error(request->shadow, "The call that this one followed has ended with curl error %d",
                   (int)code);
  switch (code) {
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_WRITE_ERROR:
  case CURLE_ABORTED_BY_CALLBACK:
    return CURLE_RECV_ERROR;
  default:
    return code;
  }
}

CURLcode stream_follow_settle(struct request *request)
{
  struct idem_error error = {""};
  struct idem_answer given = request->stream->spool.answer;
  CURLcode code = CURLE_OK;
  request->stream->settled = true;
  /* Nothing is sent any more, so a claim that comes by the way leaves no record. */
  request->op.waited = request->op.defers = true;
  request->api->leave(request->store, &request->op, false);
  if (request->api->enter(request->store, &request->bytes, &request->op, &error) != IDEM_HIT ||
      !goes_on(&request->op.answer, &given)) {
    take(request);
    code = end_of(request);
  }
  if (request->shadow->info)
    info_take_facts(request->shadow->info, request->op.answer.facts);
  return code;
}

void stream_follow_free(struct request *request)
{
  if (request->stream)
    request->api->spool_release(&request->stream->spool);
  free(request->stream);
  request->stream = NULL;
}
