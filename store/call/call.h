/* SPDX-License-Identifier: MIT */
/*
 * call: what enter, commit and leave know of a call between them. A call goes through rounds, each from
 * idem_store_enter() to idem_store_leave(); only after BUSY is there another.
 *
 * begin.c   idem_store_enter(): names it and decides
 * handoff.c idem_store_sent(), part(), parted(): its claim while it is under way
 * commit.c  idem_store_commit()
 * account.c  what its answer took, for budgets
 * successor.c  the same for a call whose store was replaced meanwhile
 * follow.c  idem_store_sign(), stalled(): how an owner is seen by those who wait for it
 * end.c     idem_store_leave(), wait(), unpin(), and the functions below
 * observe.c idem_store_observe(): none of the above, for observe mode
 *
 * A call belongs to one thread at a time. All that it holds is in call->priv: a reader or a copy of the
 * answer, a claim, and a number of its content (state/repeats.h).
 */
#ifndef IDEMSHIM_STORE_CALL_H
#define IDEMSHIM_STORE_CALL_H

#include "store/lmdb/gate.h"
#include "store/records/claim_record.h"
#include "store/state/state.h"

/* Bits of call->priv.counted: each of these is an event that several rounds of one call may come upon. */
enum {
  COUNTED_EXPIRED = 1,
  COUNTED_MISMATCH = 2,
  COUNTED_CHURN = 4,
  COUNTED_IN_DOUBT = 8,
  COUNTED_DAMAGED = 16,
  COUNTED_DRIFT = 32,
  COUNTED_NEW_SAMPLE = 64
};

/* Adds one to `counter`, once for each call, however many rounds it takes. */
void call_count(struct idem_store *store, struct idem_call *call, unsigned bit, enum idem_counter counter);

/* Ends its reader, and frees the answer. */
void call_unpin(struct idem_call *call);

/* What the claim is locked by, or followed by. Beyond it there are others, for calls that do not wait for it
 * any longer: so each of those is sent once, too, and has its followers. */
void call_lock_key(const struct idem_call *call, uint8_t lock[8]);

/* Its claim, as claim_record.h knows it. */
struct claim call_claim(const struct idem_call *call);

/* OWNED: takes a place in which followers see that it goes on. */
void call_show_owner(struct idem_store *store, struct idem_call *call);

/* Frees the claim and wakes those who wait for it. The second wakes nobody: another machine has the
 * operation, and who looks by himself learns that; woken ones would wake each other without end. */
void call_free_claim(struct idem_store *store, struct idem_call *call);
void call_drop_claim(struct idem_store *store, struct idem_call *call);

/* What priv.commit begins with. */
struct call_commit {
  /* Its answer is with the thread that writes, which leaves the call then. False: it is
   * not, or not any more. */
  bool (*leave)(struct idem_call *call, bool delivered);
};

/* Sets call->sequence, and with it which of the identical calls of this process it is, where the rule numbers
 * them: the same over the rounds of a call. `base` names the content, and call->sampled says what it is. 0 or
 * -errno. */
int call_take_number(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     const uint8_t *base, struct idem_error *error);
/* The number is used up, or free again. Nothing if the call has none. */
void call_settle_number(struct idem_call *call, bool used_up);

/* The answer of a call whose store is not in its place any more, for the one that is there now.
 * As idem_store_commit(). */
int call_commit_to_successor(const struct idem_store *store, const struct idem_call *call,
                             const struct idem_request *request, const struct idem_recording *recording,
                             struct idem_error *why);

#endif
