/* SPDX-License-Identifier: MIT */
/*
 * judge: is this an answer, to be given again, or a failure in an answer's clothes? Success only, and only
 * whole: a status of the rule, a body whose end is proven, no error in it, no job that has only begun.
 * docs/answers.md says how each provider tells it.
 *
 *     struct idem_judge *judge = idem_judge_new(headers, encoded);      // with the first byte of the body
 *     idem_judge_feed(judge, piece);                                    // as it comes
 *     ...recording.judge = judge...
 *     if (judge_answer(&request, &recording, &facts, &why)) store it
 *     idem_judge_free(judge);
 *
 * Without memory, and for a recording without a judge, judge_answer() reads the whole body itself. A judge
 * belongs to one thread.
 */
#ifndef IDEMSHIM_STORE_ANSWER_H
#define IDEMSHIM_STORE_ANSWER_H

#include "store/store.h"

struct answer_facts {
  bool event_stream; /* by its type: server-sent events */
  bool job;          /* refused because it is one: whoever waits may have it, and nobody else */
  bool unproven; /* refused for want of a sign of its end, of room, or of leave: it will be paid for again */
  struct idem_usage usage; /* of one that is whole; -1 where it tells none */
};

/* True if it may be stored; else `why` says why not. Sets `facts` either way. The recording's own judge,
 * where it has read all of the body, has come to its end by this and can only be freed. */
bool judge_answer(const struct idem_request *request, const struct idem_recording *recording,
                  struct answer_facts *facts, struct idem_error *why);

/* True if an answer with these headers comes in pieces, each of which its reader can use. */
bool judge_is_stream(struct idem_span headers);

/* What a body reports of tokens, whether it is an answer or not. -1: nothing. */
struct idem_usage judge_usage(struct idem_span headers, struct idem_span body, bool encoded);

#endif
