/* SPDX-License-Identifier: MIT */
/*
 * shared: a call's claim where other machines have a say. The lock of this machine comes first, so that one
 * process of it speaks for an operation, and the kernel stays the truth about who lives here; then the fleet
 * is asked.
 *
 *     enum shared_answer said = shared_claim(store, request, call, &why);
 *     SHARED_OURS  it is ours in the fleet too: shared_sent() before the first byte, shared_commit() before our own
 *     SHARED_HIT   call->answer is there, and this machine keeps a copy
 *     SHARED_BUSY  another machine has it: shared_wait()
 *     SHARED_DOUBT, SHARED_MISMATCH
 *     SHARED_AWAY  it cannot be asked: this machine decides alone
 *
 * With no fleet each of them says what leaves the call as it was. What a call has spent waiting is counted in
 * it, and is never more than call-timeout.
 */
#ifndef IDEMSHIM_STORE_CALL_SHARED_H
#define IDEMSHIM_STORE_CALL_SHARED_H

#include "store/call/call.h"
#include "store/records/record.h"

enum shared_answer {
  SHARED_OURS,
  SHARED_HIT,
  SHARED_BUSY,
  SHARED_DOUBT,
  SHARED_MISMATCH,
  SHARED_AWAY,
  SHARED_NONE /* there is no fleet */
};

/* With the lock of this machine held, and a snapshot pinned, which is unpinned before anybody is asked. That
 * the fleet has gone away or come back is told to one call of the machine, by call->fleet_event and a line in
 * `why`; that it has answered, and cannot settle this operation, to each such call. */
enum shared_answer shared_claim(struct idem_store *store, const struct idem_request *request,
                                struct idem_call *call, struct idem_error *why);

/* With a snapshot pinned, and no lock: HIT, or NONE, which says nothing, and the claim has to be tried. It
 * costs less than a claim where there is an answer and a round trip more where there is none: so it is worth
 * trying for who has found one before. */
bool shared_may_read(const struct idem_store *store);
enum shared_answer shared_read(struct idem_store *store, const struct idem_request *request,
                               struct idem_call *call, struct idem_error *why);

/* The key that goes upstream with an operation is the same on each machine, and after a crash: it is made of
 * the operation and of how many answers it has had. */
void shared_upstream_key(const struct idem_store *store, const struct idem_call *call, char out[37]);

/* -ECANCELED: a later owner has it, and it must not go out. -EHOSTUNREACH: the fleet is away, and the rule
 * and the URL say that it is not sent then. */
int shared_sent(struct idem_store *store, struct idem_call *call, struct idem_error *error);

/* An owner that goes on says so, once a second at most. */
void shared_renew(struct idem_call *call);

/* 1: it is stored in the fleet; 0: superseded; negative: the fleet does not have it,
 * which is for the outbox. */
int shared_commit(struct idem_store *store, struct idem_call *call, struct record_draft *draft,
                  uint64_t ttl_ms);

/* The call has asked often enough, and goes on with what this machine knows. */
void shared_ask_no_more(struct idem_store *store, struct idem_call *call);

/* Without an answer. */
void shared_release(struct idem_store *store, struct idem_call *call);

/* BUSY by another machine: as idem_store_wait(). With `max_ms` 0 nobody is asked. */
bool shared_is_elsewhere(const struct idem_call *call);
/* Before it is asked again: it was a moment ago, and nobody has said anything since. */
bool shared_may_wait(struct idem_store *store, const struct idem_call *call);
int shared_wait(struct idem_store *store, const struct idem_call *call, unsigned max_ms);

/* Now and then, for all processes of the machine, in the time of one of their calls: what others have
 * removed is removed here. */
void shared_look(struct idem_store *store, struct idem_call *call);

#endif
