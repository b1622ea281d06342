/* SPDX-License-Identifier: MIT */
/*
 * answer: is this an answer, to be given again, or a failure in an answer's clothes? Success only, and only
 * whole: a status of the rule, a body whose end is proven, JSON that parses, an event stream with its
 * provider's own end and no error in it.
 */
#ifndef IDEMSHIM_STORE_ANSWER_H
#define IDEMSHIM_STORE_ANSWER_H

#include "store/store.h"

struct answer_facts {
  bool event_stream;
  struct idem_usage usage;
};

/* True if it may be stored; else `why` says why not. */
bool answer_judge(const struct idem_rule *rule, const struct idem_recording *recording,
                  struct answer_facts *facts, struct idem_error *why);

/* True if an answer with these headers comes in pieces, each of which its reader can use. */
bool answer_is_stream(struct idem_span headers);

#endif
