/* SPDX-License-Identifier: MIT */
/*
 * What a claim goes through while its call is under way: it is sent, and it may go to a copy of the process.
 *
 * A copy is made while every lock of the store is held, as by a fork handler, so that it finds all lists
 * whole. Both sides then have the same open file descriptions, and with them the same locks. Each side closes
 * what is the other's; a lock goes when the last copy of its descriptor is closed.
 */
#include "store/base/claim_lock.h"
#include "store/base/fd.h"
#include "store/call/shared.h"
#include "store/judge/decode.h"

#include <errno.h>
#include <string.h>

/* A second time for repeats=fresh alone: its next caller has to know that this one finishes for whoever
 * asks. */
int idem_store_sent(struct idem_store *store, struct idem_call *call, struct idem_error *error)
{
  if (call->priv.recorded && !(call->given_up && call->priv.repeats == IDEM_REPEATS_FRESH))
    return 0;
  if (!claim_lock_held(&store->claims_file, call->key, &call->priv.claim_fd))
    return idem_error_set(error, -ENOLCK, "this process does not hold the claim");
  QUIET();
  GATE_UNTIL(call->deadline_us);
  struct claim claim = call_claim(call);
  struct claim_record record = {.given_up = call->given_up};
  memcpy(record.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  memcpy(record.print, call->priv.print, IDEM_KEY_SIZE);
  memcpy(record.upstream_key, call->upstream_key, sizeof(call->upstream_key));
  int rc = shared_sent(store, call, error);
  if (rc < 0)
    return rc;
  if (call->priv.fleet.ours) {
    record.generation = call->priv.fleet.fence.generation;
    record.epoch = call->priv.fleet.fence.epoch;
    memcpy(record.machine, call->priv.fleet.fence.owner, sizeof(record.machine));
  }
  rc = call->priv.recorded ? claim_record_give_up(store, &claim, &record, error)
                           : claim_record_write(store, &claim, &record, error);
  call->generation = claim.generation;
  call->priv.recorded = rc >= 0 && claim.generation;
  return rc < 0 ? rc : 0;
}

/* A place is a claim on a key that no operation has: the kernel frees it, however the copy ends. Claims lie
 * at half of the number that a key begins with, so that places are side by side from the second byte on. */
static int take_place(const struct idem_store *store, unsigned most)
{
  int rc = -EAGAIN;
  for (unsigned i = 1; i <= most && rc == -EAGAIN; i++) {
    uint8_t key[IDEM_KEY_SIZE] = {0};
    uint64_t number = 2 * (uint64_t)i;
    memcpy(key, &number, sizeof(number));
    rc = claim_lock_take(&store->claims_file, key);
  }
  return rc;
}

/* The locks stay taken until parted(), which each side calls: no lock may be in the middle of something
 * when the copy begins. */
int idem_store_part(struct idem_store *store, struct idem_call *call, unsigned most,
                    struct idem_parting *parting)
{
  QUIET();
  int place = claim_lock_held(&store->claims_file, call->key, &call->priv.claim_fd) ? take_place(store, most)
                                                                                    : -ENOLCK;
  if (place >= 0) {
    call->priv.place_fd = place;
    *parting = (struct idem_parting){
        .keep = {fd_number(call->priv.claim_fd), fd_number(place), state_claims_fd(store)}};
    process_lock_all();
  }
  return place < 0 ? place : 0;
}

void idem_store_parted(struct idem_store *store, struct idem_call *call, enum idem_parted side)
{
  QUIET();
  (void)store;
  if (side == IDEM_PARTED_COPY) {
    fd_end_others(FD_CLAIM, call->priv.claim_fd, call->priv.place_fd);
    process_unlock_all();
    /* Its number is the owner's to settle, and no app waits for it. */
    call->priv.repeat = NULL;
    call->deadline_us = 0;
    call->priv.life = process_generation();
    decode_open_no_more();
  } else {
    process_unlock_all();
    claim_lock_release(call->priv.place_fd, NULL);
    call->priv.place_fd = 0;
  }
  if (side == IDEM_PARTED_OWNER) {
    claim_lock_release(call->priv.claim_fd, NULL);
    call->priv.claim_fd = -1;
    call->priv.owner = NULL;
  }
}
