/* SPDX-License-Identifier: MIT */
/* What a claim goes through while its call is under way: it is sent, and it may go to a copy of the process.
 */
#include "store/base/claim_lock.h"
#include "store/call/call.h"
#include "store/records/claim_record.h"

#include <errno.h>
#include <string.h>

static int record(struct idem_store *store, struct idem_call *call, struct idem_error *error)
{
  int code = -EIO;
  struct op op = {.given_up = call->given_up};
  struct engine *engine = store_engine(store, &code, error);
  if (!engine)
    return code;
  memcpy(op.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  memcpy(op.print, call->priv.print, IDEM_KEY_SIZE);
  memcpy(op.upstream_key, call->upstream_key, sizeof(call->upstream_key));
  code = claim_record_record(engine, call->key, &op, call->priv.kind == IDEM_KEY_HEADER, error);
  call->generation = op.generation;
  call->priv.recorded = code >= 0;
  return code < 0 ? code : 0;
}

int idem_store_sent(struct idem_store *store, struct idem_call *call, struct idem_error *error)
{
  if (call->priv.recorded && !(call->given_up && call->priv.repeats == IDEM_REPEATS_FRESH))
    return 0;
  if (!claim_held(call->priv.claim_fd))
    return idem_error_set(error, -ENOLCK, "this process does not hold the claim");
  struct quiet quiet = quiet_begin();
  int rc = record(store, call, error);
  quiet_end(&quiet);
  return rc;
}

/* A place is a claim on a key that no operation has: the kernel frees it, however the copy ends. */
static int take_place(const struct idem_store *store, unsigned most)
{
  int rc = -EAGAIN;
  for (unsigned i = 1; i <= most && rc == -EAGAIN; i++) {
    uint8_t key[IDEM_KEY_SIZE] = {0};
    uint64_t number = 2 * (uint64_t)i;
    memcpy(key, &number, sizeof(number));
    rc = claim_take(store->claims_path, key);
  }
  return rc;
}

int idem_store_part(struct idem_store *store, struct idem_call *call, unsigned most,
                    struct idem_parting *parting)
{
  struct quiet quiet = quiet_begin();
  int place = claim_held(call->priv.claim_fd) ? take_place(store, most) : -ENOLCK;
  if (place >= 0) {
    call->priv.place_fd = place;
    *parting = (struct idem_parting){.keep = {call->priv.claim_fd, place, store->claims_fd}};
    process_lock_all();
  }
  quiet_end(&quiet);
  return place < 0 ? place : 0;
}

void idem_store_parted(struct idem_store *store, struct idem_call *call, enum idem_parted side)
{
  struct quiet quiet = quiet_begin();
  (void)store;
  if (side == IDEM_PARTED_COPY)
    claim_keep_only(call->priv.claim_fd, call->priv.place_fd);
  process_unlock_all();
  if (side != IDEM_PARTED_COPY)
    claim_hand_over(call->priv.place_fd);
  if (side == IDEM_PARTED_OWNER) {
    claim_hand_over(call->priv.claim_fd);
    call->priv.claim_fd = -1;
  }
  if (side != IDEM_PARTED_COPY)
    call->priv.place_fd = 0;
  quiet_end(&quiet);
}
