/* SPDX-License-Identifier: MIT */
/*
 * stream_follow: a call that waits for the answer of another one is given it while it still comes there
 * (store.h, spool). live/stream_publish writes what is read here, in this process or in another one.
 *
 *     while (waiting && !stream_follow_has_begun(request)) ...
 *     stream_follow_join(request);           // op.answer is what has come; or stream_follow_refuse(request)
 *     while (stream_follow_is_open(request))
 *       ...deliver what is new, wait, stream_follow_refresh(request)...
 *     code = stream_follow_settle(request);  // op.answer is the whole of it, from the store if it is there
 *
 * A follower sends nothing upstream, whatever becomes of its owner: if that dies in the middle, the follower
 * ends with an error as it would at a lost connection. It belongs to the request and to its thread; the
 * feeder refreshes it under its own lock. Without memory, and where the spool cannot be read, the call waits
 * for the whole answer.
 */
#ifndef IDEMSHIM_SHIM_STREAM_FOLLOW_H
#define IDEMSHIM_SHIM_STREAM_FOLLOW_H

#include "shim/handle/low_speed.h"
#include "shim/request/request.h"

struct stream_follow {
  struct idem_spool spool;
  struct low_speed low_speed; /* for direct delivery: the app's own rule */
  bool open, settled, refused;
};

/* A call that waits: asks its owner for what has come. True if it is the head of an answer, or more. */
bool stream_follow_has_begun(struct request *request);

void stream_follow_join(struct request *request);
/* Gives the stream up: this handle cannot be given this answer while it comes, and waits for the whole. */
void stream_follow_refuse(struct request *request);

/* True if more may come. */
static inline bool stream_follow_is_open(const struct request *request)
{
  return __builtin_expect(request->stream != NULL, 0) && request->stream->open;
}

/* True if op.answer is one that was joined, open or not. */
static inline bool stream_follow_is_joined(const struct request *request)
{
  return __builtin_expect(request->tape.streamed, 0);
}

/* Joined, and its end has not been asked for. */
static inline bool stream_follow_is_unsettled(const struct request *request)
{
  return stream_follow_is_joined(request) && !request->stream->settled;
}

/* Takes what has come since into op.answer, whose spans may move. True if there is more, or no more to wait
 * for. */
bool stream_follow_refresh(struct request *request);

/*
 * Not open any more: enters the call again. If the answer was stored, op.answer is that one, and goes on
 * where the stream was; else it is what came, and the code says how it ended. The handle's replay gets the
 * facts of the end. The call is to be left as any other.
 */
CURLcode stream_follow_settle(struct request *request);

void stream_follow_free(struct request *request);

#endif
