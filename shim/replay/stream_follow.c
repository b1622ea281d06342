/* SPDX-License-Identifier: MIT */
#include "shim/replay/stream_follow.h"

#include "shim/handle/callbacks.h"
#include "shim/info/info.h"

#include <stdlib.h>
#include <string.h>

static struct stream *stream_new(void)
{
  struct stream *stream = calloc(1, sizeof(*stream));
  if (stream)
    stream->spool = (struct idem_spool)IDEM_SPOOL_INIT;
  return stream;
}

bool stream_has_begun(struct call *call)
{
  struct stream *stream = call->stream;
  if (!stream)
    stream = call->stream = stream_new();
  if (!stream || stream->refused || call->op.mismatched)
    return false;
  if (stream->spool.over)
    call->api->spool_release(&stream->spool);
  stream->refused = call->api->look(call->store, &call->op, &stream->spool) < 0;
  return !stream->refused && !stream->spool.over && stream->spool.answer.headers.data;
}

static void take(struct call *call)
{
  call->op.answer = call->stream->spool.answer;
}

void stream_join(struct call *call)
{
  call->stream->joined = call->stream->open = true;
  call->stream->low_speed.started_us = monotonic_us();
  call->speed = 0; /* it comes when it comes */
  take(call);
}

void stream_refuse(struct call *call)
{
  call->stream->joined = call->stream->open = false;
  call->stream->refused = true;
  call->op.answer = (struct idem_answer){.status = 0};
}

/* What cannot be read is over here as well; the store may have the rest. */
bool stream_refresh(struct call *call)
{
  struct stream *stream = call->stream;
  int rc = call->api->look(call->store, &call->op, &stream->spool);
  take(call);
  stream->open = rc >= 0 && !stream->spool.over;
  return rc != 0;
}

/* The stored answer begins with what was given to the app. */
static bool goes_on(const struct idem_answer *stored, const struct idem_answer *given)
{
  return stored->headers.len == given->headers.len && stored->body.len >= given->body.len &&
         stored->chunk_count >= given->chunk_count &&
         memcmp(stored->headers.data, given->headers.data, given->headers.len) == 0 &&
         (!given->body.len || memcmp(stored->body.data, given->body.data, given->body.len) == 0) &&
         (!given->chunk_count ||
          memcmp(stored->chunks, given->chunks, given->chunk_count * sizeof(*given->chunks)) == 0);
}

/* How the owner ended it: by itself, or because upstream did. */
static CURLcode end_of(struct call *call)
{
  const struct idem_spool *spool = &call->stream->spool;
  CURLcode code = (CURLcode)spool->code;
  if (!spool->ended) {
    callback_error(call->shadow, "The call that this one followed has ended in the middle of its answer");
    return CURLE_RECV_ERROR;
  }
  if (code != CURLE_OK)
    callback_error(call->shadow, "The call that this one followed has ended with curl error %d", (int)code);
  switch (code) {
  case CURLE_OPERATION_TIMEDOUT:
  case CURLE_WRITE_ERROR:
  case CURLE_ABORTED_BY_CALLBACK:
    return CURLE_RECV_ERROR;
  default:
    return code;
  }
}

/* Nothing is sent any more, so a claim that comes by the way leaves no record. */
static bool is_stored(struct call *call)
{
  struct idem_error error = {""};
  struct idem_answer given = call->stream->spool.answer;
  call->op.waited = true;
  call->op.defers = true;
  call->api->leave(call->store, &call->op, false);
  return call->api->enter(call->store, &call->request, &call->op, &error) == IDEM_HIT &&
         goes_on(&call->op.answer, &given);
}

CURLcode stream_settle(struct call *call)
{
  CURLcode code = CURLE_OK;
  call->stream->settled = true;
  if (!is_stored(call)) {
    take(call);
    code = end_of(call);
  }
  if (call->shadow->replay)
    replay_take_facts(call->shadow->replay, call->op.answer.facts);
  return code;
}

void stream_free(struct call *call)
{
  if (call->stream)
    call->api->spool_release(&call->stream->spool);
  free(call->stream);
  call->stream = NULL;
}
