/* SPDX-License-Identifier: MIT */
/* round: what enter, commit and leave know of a call between them. */
#ifndef IDEMSHIM_STORE_ROUND_H
#define IDEMSHIM_STORE_ROUND_H

#include "store/state/state.h"

/* Bits of call->priv.counted. */
enum {
  COUNTED_EXPIRED = 1,
  COUNTED_MISMATCH = 2,
  COUNTED_CHURN = 4,
  COUNTED_IN_DOUBT = 8,
  COUNTED_DAMAGED = 16
};

/* Adds one to `counter`, once for each call, however many rounds it takes. */
void call_count(struct idem_store *store, struct idem_call *call, unsigned bit, enum idem_counter counter);

/* Unpins the answer and frees a copy of it. */
void call_unpin(struct idem_call *call);

/* Frees the claim and wakes those who wait for it. */
void call_free_claim(struct idem_store *store, struct idem_call *call);

/* repeats=sequence: gives the number back. */
void call_give_back(struct idem_store *store, struct idem_call *call);

#endif
