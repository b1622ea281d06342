/* SPDX-License-Identifier: MIT */
#include "store/call/shared.h"

#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/hash.h"
#include "store/base/kept.h"
#include "store/records/answer_index.h"
#include "store/records/batch.h"
#include "store/records/claim_record.h"
#include "store/records/evict.h"
#include "store/records/outbox.h"
#include "store/records/parts.h"
#include "store/records/removals.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who is told that another machine has it need not ask again sooner; one wait at the server; how
 * often an owner renews. */
enum { ASK_AGAIN_US = 1000000, WAIT_MS = 200, LOST_MS = 50, RENEW_US = 1000000 };

/* What is left of the call-timeout, in µs. What is spent is kept in the call, over all of its rounds. */
static idem_fleet_limit limit_of(const struct idem_store *store, const struct idem_call *call)
{
  return (int64_t)store->where->call_ms * 1000 - call->priv.fleet.spent_us;
}

/* What `sent` has of it, whatever a claim and the outbox take: of who sends untold
 * nobody knows that he has. */
static idem_fleet_limit limit_of_sent(const struct idem_store *store)
{
  uint64_t half_ms = store->where->call_ms / 2;
  return (int64_t)(store->where->operation_ms < half_ms ? store->where->operation_ms : half_ms) * 1000;
}

static void spend(const struct idem_store *store, struct idem_call *call, idem_fleet_limit left)
{
  call->priv.fleet.spent_us = (int64_t)store->where->call_ms * 1000 - left;
}

/* Once for each time that it goes away or comes back, by whichever process sees it first. */
static void tell_change(struct idem_store *store, struct idem_call *call, struct idem_error *why)
{
  struct idem_fleet_shared *shared = &store->stats->fleet;
  uint32_t changes = atomic_load_explicit(&shared->changes, memory_order_relaxed);
  uint32_t told = atomic_load_explicit(&shared->told, memory_order_relaxed);
  if (told == changes || !atomic_compare_exchange_strong(&shared->told, &told, changes))
    return;
  bool away = idem_fleet_is_away(shared);
  call->fleet_event = away ? "fleet_away" : "fleet_back";
  if (away)
    idem_error_set(why, 0, "the fleet %s is away, and this machine works alone: %s", store->where->shown,
                   store->fleet_api->problem(store->fleet));
  else
    idem_error_set(why, 0, "the fleet %s is back", store->where->shown);
}

/* It is there for others, and has refused this operation, or the server of its slot is not to be found. */
static void tell_alone(struct idem_store *store, struct idem_call *call, struct idem_error *why)
{
  if (call->fleet_event || idem_fleet_is_away(&store->stats->fleet))
    return;
  call->fleet_event = "fleet_alone";
  idem_error_set(why, 0, "the fleet %s cannot settle this call, which is this machine's alone: %s",
                 store->where->shown, store->fleet_api->problem(store->fleet));
}

/* The near copy. */

/* Anybody who can write to the server may have written these bytes. With a key file they are what a machine
 * with the key has sealed for this operation; without one, they are at least a whole record of it. */
static int open_record(struct idem_store *store, struct idem_call *call, struct idem_fleet_claim *claim)
{
  struct idem_span record = {claim->record, claim->record_len};
  const struct record_head *head = record_head(record);
  struct idem_answer *answer = &call->answer;
  int rc = head && !record_is_old(head) && record_checksum_holds(record) &&
                   memcmp(head->key, call->key, IDEM_KEY_SIZE) == 0 &&
                   (head->flags & RECORD_SEALED ? store->sealed : !store->sealed)
               ? 0
               : -EILSEQ;
  kept_give(call->priv.heap);
  call->priv.heap = NULL;
  if (rc == 0)
    rc = record_open(claim->record, claim->record_len, store->sealed ? store->seal_key : NULL, answer);
  if (rc == 0) {
    call->priv.heap = claim->record;
    claim->record = NULL;
  }
  return rc;
}

/* Its times are counted from here: by this machine's clock, and from what the server says of its age. */
static void set_times(struct idem_answer *answer, const struct idem_fleet_claim *claim)
{
  answer->stored_us = clock_now_us() - claim->age_ms * 1000;
  answer->expires_us = claim->left_ms > (INT64_MAX - clock_now_us()) / 1000
                           ? INT64_MAX
                           : clock_now_us() + claim->left_ms * 1000;
}

/* Of many that come one after the other the first is written, and the others are left, to be written several
 * at a time: a transaction for each would be most of what it costs to get an answer from the fleet. */
static bool leave_near(struct idem_store *store, struct idem_call *call, struct batch_own *own)
{
  enum { SOON_US = 50000 };
  static _Atomic int64_t last_us;
  int64_t now = clock_steady_us(), last = atomic_exchange(&last_us, now);
  bool soon = last && now - last < SOON_US;
  own->write.flags |= BATCH_REPLAYED;
  if (!soon || !batch_leave(store, own))
    own->write.flags &= ~(unsigned)BATCH_REPLAYED;
  else
    call->priv.fleet.left_near = true;
  return call->priv.fleet.left_near;
}

/* A copy that cannot be kept is asked for again; the call has it in memory. It takes the place of what was
 * there when its claim was tried, and need not outlive a power cut. */
static void keep_near(struct idem_store *store, struct idem_call *call)
{
  const struct record_head *head = (const void *)call->answer.record.data;
  uint8_t raw[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
  memcpy(raw, head->raw, sizeof(raw));
  memcpy(print, head->print, sizeof(print));
  struct record_draft draft = {.answer = &call->answer,
                               .raw = raw,
                               .print = print,
                               .generation = head->generation,
                               .epoch = head->epoch,
                               .key = store->sealed ? store->seal_key : NULL};
  struct batch_own own = {.write = {.version = BATCH_VERSION,
                                    .flags = BATCH_BESIDE | (call->sampled ? BATCH_SAMPLED : 0),
                                    .last_serial = call->priv.last_serial},
                          .answer = &call->answer,
                          .draft = &draft};
  memcpy(own.write.key, call->key, IDEM_KEY_SIZE);
  memcpy(own.write.base, call->priv.base, IDEM_KEY_SIZE);
  uint64_t need = record_size(&draft);
  if (need && leave_near(store, call, &own))
    return;
  if (need && evict_for(store, need, 0, NULL) == 0 && batch_commit(store, &own, NULL) == IDEM_STORED)
    stats_forget_replay(store->stats, call->answer.serial);
}

static enum shared_answer take_answer(struct idem_store *store, struct idem_call *call,
                                      struct idem_fleet_claim *claim)
{
  int rc = open_record(store, call, claim);
  store->fleet_api->answer_free(claim);
  if (rc < 0)
    return SHARED_AWAY;
  set_times(&call->answer, claim);
  stats_add(store->stats, stats_shard(), IDEM_COUNTER_fleet_hits, 1);
  keep_near(store, call);
  return SHARED_HIT;
}

/* Claiming. */

/* We hold its lock: what another process of this machine has sent, with its claim of the fleet, has died. */
static void look_here(struct idem_store *store, struct idem_call *call, struct idem_fleet_claim *claim)
{
  const struct reader *reader = call->priv.reader;
  struct claim_record earlier;
  if (!reader)
    return;
  call->priv.last_serial = answer_index_last(&reader->snapshot);
  claim->before = claim_record_before(store, &reader->snapshot, call->key, &earlier);
  if (earlier.state == CLAIM_IN_FLIGHT && claim_record_is_shared(&earlier))
    claim->dead = earlier.generation;
}

/* How many answers the operation has had, as far as this machine knows: what upstream has answered
 * has another key then. */
static uint64_t epoch_here(const struct idem_call *call)
{
  const struct reader *reader = call->priv.reader;
  struct idem_span record;
  const struct record_head *head = reader ? parts_find(&reader->snapshot, call->key, &record) : NULL;
  return head && !record_is_old(head) ? head->epoch + 1 : 0;
}

static enum shared_answer take_verdict(struct idem_store *store, struct idem_call *call,
                                       struct idem_fleet_claim *claim)
{
  int64_t left_us = claim->left_ms * 1000;
  switch (claim->verdict) {
  case IDEM_FLEET_OWNED:
    call->priv.fleet.fence = claim->fence;
    call->priv.fleet.store = store;
    call->priv.fleet.ours = true;
    call->priv.fleet.followed = false;
    call->priv.fleet.published = 0;
    call->priv.fleet.renewed_us = clock_steady_us();
    call->resent = claim->resent;
    return SHARED_OURS;
  case IDEM_FLEET_ANSWER:
    return take_answer(store, call, claim);
  case IDEM_FLEET_BUSY:
    call->priv.fleet.generation = claim->generation;
    call->priv.fleet.elsewhere_us = clock_steady_us() + (left_us < ASK_AGAIN_US ? left_us : ASK_AGAIN_US);
    call->mismatched |= claim->mismatched;
    return SHARED_BUSY;
  case IDEM_FLEET_IN_DOUBT:
    return SHARED_DOUBT;
  case IDEM_FLEET_NO_ANSWER:
    return SHARED_NONE;
  default:
    return SHARED_MISMATCH;
  }
}

static int64_t most_age_ms(const struct idem_rule *rule)
{
  return rule->ttl_ms > INT64_MAX / 2 ? -1 : (int64_t)rule->ttl_ms;
}

/* The fleet was heard. The last look may have been in vain: what others have removed meanwhile is not told to
 * them again. */
static void push_outbox(struct idem_store *store, idem_fleet_limit *limit)
{
  if (outbox_may_have(store) && !store->where->read_only && removals_take(store, limit) == 0)
    outbox_push(store, limit, NULL);
}

enum shared_answer shared_claim(struct idem_store *store, const struct idem_request *request,
                                struct idem_call *call, struct idem_error *why)
{
  const struct idem_rule *rule = request->rule;
  if (!store->fleet_api)
    return SHARED_NONE;
  struct idem_fleet_claim claim = {
      .fence = call->priv.fleet.fence,
      .fingerprint = call->fingerprint,
      .refuses = rule->indoubt == IDEM_INDOUBT_FAIL,
      .any_content = rule->mismatch == IDEM_MISMATCH_REPLAY,
      .most_age_ms = call->skip_answers || call->skip_delivered ? -2 : most_age_ms(rule),
      .keep_ms = store->where->read_only ? 0 : fleet_store_keep_ms(rule->ttl_ms)};
  idem_fleet_limit limit = limit_of(store, call) - limit_of_sent(store);
  look_here(store, call, &claim);
  call->priv.fleet.refuses = claim.refuses;
  call->priv.fleet.fence.epoch = epoch_here(call);
  memcpy(claim.fence.key, call->key, IDEM_KEY_SIZE);
  /* No snapshot is held while we wait. */
  call_unpin(call);
  /* One nonce for all rounds of a call: a try whose reply was lost is found to be ours. */
  if (fleet_store_nonce(claim.fence.owner) < 0)
    return SHARED_AWAY;
  memcpy(call->priv.fleet.fence.owner, claim.fence.owner, sizeof(claim.fence.owner));
  /* Before it is asked: what is said after that has changed the word, and is not slept over. */
  call->priv.fleet.wake = atomic_load(stats_wake_word(store->stats, call->key));
  int rc = store->fleet_api->claim(store->fleet, &limit, &claim);
  enum shared_answer said = rc < 0 ? SHARED_AWAY : take_verdict(store, call, &claim);
  if (rc == 0 && said == SHARED_AWAY) {
    /* Something stands there that is no answer of ours. It is paid for again, and takes its place. */
    call_count(store, call, COUNTED_DAMAGED, IDEM_COUNTER_damaged);
    claim.most_age_ms = -2;
    if (store->fleet_api->claim(store->fleet, &limit, &claim) == 0) {
      if (claim.verdict == IDEM_FLEET_ANSWER)
        store->fleet_api->answer_free(&claim);
      else
        said = take_verdict(store, call, &claim);
    }
  }
  atomic_store_explicit(&store->fleet_hits, said == SHARED_HIT, memory_order_relaxed);
  if (rc == 0)
    push_outbox(store, &limit);
  /* Who waits for another machine may ask for as long as that takes. */
  if (said != SHARED_BUSY)
    spend(store, call, limit + limit_of_sent(store));
  tell_change(store, call, why);
  if (rc == -EREMOTEIO)
    tell_alone(store, call, why);
  return said;
}

bool shared_may_read(const struct idem_store *store)
{
  return store->fleet_api && atomic_load_explicit(&store->fleet_hits, memory_order_relaxed);
}

/* What is found is stored without the lock: a later answer, or the same one by another thread, is not
 * overwritten (records/batch.c). Who has met a silence does not ask for a claim behind it: as a claim alone,
 * both of them together wait for two. */
enum shared_answer shared_read(struct idem_store *store, const struct idem_request *request,
                               struct idem_call *call, struct idem_error *why)
{
  struct idem_fleet_claim claim = {.most_age_ms = most_age_ms(request->rule)};
  const struct reader *reader = call->priv.reader;
  idem_fleet_limit limit = limit_of(store, call) - limit_of_sent(store);
  call->priv.last_serial = answer_index_last(&reader->snapshot);
  memcpy(claim.fence.key, call->key, IDEM_KEY_SIZE);
  call_unpin(call);
  int rc = store->fleet_api->look(store->fleet, &limit, &claim);
  bool found =
      rc == 0 && claim.verdict == IDEM_FLEET_ANSWER && take_answer(store, call, &claim) == SHARED_HIT;
  if (found)
    push_outbox(store, &limit);
  else
    atomic_store_explicit(&store->fleet_hits, false, memory_order_relaxed);
  if (rc == -ETIMEDOUT)
    shared_ask_no_more(store, call);
  else
    spend(store, call, limit + limit_of_sent(store));
  if (found)
    tell_change(store, call, why);
  return found ? SHARED_HIT : SHARED_NONE;
}

void shared_upstream_key(const struct idem_store *store, const struct idem_call *call, char out[37])
{
  char text[IDEM_KEY_SIZE + 32];
  uint8_t b[IDEM_KEY_SIZE];
  memcpy(text, call->key, IDEM_KEY_SIZE);
  int len = snprintf(text + IDEM_KEY_SIZE, sizeof(text) - IDEM_KEY_SIZE, "|%llu",
                     (unsigned long long)call->priv.fleet.fence.epoch);
  hash_mac(store->secret, sizeof(store->secret), (struct idem_span){text, IDEM_KEY_SIZE + (size_t)len}, b);
  /* RFC 9562, version 8 */
  b[6] = (b[6] & 0x0f) | 0x80;
  b[8] = (b[8] & 0x3f) | 0x80;
  for (int i = 0, at = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      out[at++] = '-';
    snprintf(out + at, 3, "%02x", b[i]);
    at += 2;
  }
}

/* Under way. */

/* What has come goes into the spool then, as if it were wanted here. */
static void note_followers(struct idem_call *call, int said)
{
  if (said != 2 || call->priv.fleet.followed)
    return;
  call->priv.fleet.followed = true;
  if (call->priv.owner)
    atomic_store_explicit(&call->priv.owner->wanted, 1, memory_order_relaxed);
}

int shared_sent(struct idem_store *store, struct idem_call *call, struct idem_error *error)
{
  if (!call->priv.fleet.ours)
    return 0;
  bool refuses = call->priv.fleet.refuses;
  idem_fleet_limit limit = limit_of(store, call);
  int rc = store->fleet_api->sent(store->fleet, &limit, &call->priv.fleet.fence,
                                  refuses ? store->where->replicas : 0);
  spend(store, call, limit);
  call->priv.fleet.renewed_us = clock_steady_us();
  if (rc == 0) {
    call->priv.fleet.ours = false;
    call->fenced = true;
    stats_add(store->stats, stats_shard(), IDEM_COUNTER_fenced, 1);
    return idem_error_set(error, -ECANCELED, "a later owner has taken the operation over");
  }
  note_followers(call, rc);
  if (rc < 0 && refuses && store->where->fails)
    return idem_error_set(error, -EHOSTUNREACH, "the fleet %s is away: %s", store->where->shown,
                          store->fleet_api->problem(store->fleet));
  return 0;
}

/* The reply is read at the next turn, so that a turn waits only where the fleet has to be found again. */
void shared_renew(struct idem_call *call)
{
  struct idem_store *store = call->priv.fleet.store;
  int64_t now = clock_steady_us();
  if (!call->priv.fleet.ours || !call->priv.recorded || now - call->priv.fleet.renewed_us < RENEW_US)
    return;
  QUIET();
  call->priv.fleet.renewed_us = now;
  note_followers(call, store->fleet_api->renew(store->fleet, &call->priv.fleet.fence));
}

/* Where the fleet could not be told the claim stays ours: leave() tries to release it, unless this
 * machine keeps the answer. */
int shared_commit(struct idem_store *store, struct idem_call *call, struct record_draft *draft,
                  uint64_t ttl_ms)
{
  struct idem_fleet_fence *fence = &call->priv.fleet.fence;
  size_t len = record_size(draft);
  char *record = len ? malloc(len) : NULL;
  int rc = record ? record_write(draft, record) : -ENOMEM;
  if (rc == 0) {
    idem_fleet_limit limit = limit_of(store, call);
    rc = store->fleet_api->commit(store->fleet, &limit, fence, record, len, ttl_ms,
                                  fleet_store_keep_ms(ttl_ms));
    spend(store, call, limit);
  }
  free(record);
  call->priv.fleet.ours = rc < 0;
  return rc;
}

void shared_ask_no_more(struct idem_store *store, struct idem_call *call)
{
  if (store->fleet_api)
    spend(store, call, 0);
}

void shared_release(struct idem_store *store, struct idem_call *call)
{
  if (!call->priv.fleet.ours)
    return;
  idem_fleet_limit limit = limit_of(store, call);
  call->priv.fleet.ours = false;
  store->fleet_api->release(store->fleet, &limit, &call->priv.fleet.fence, call->unknown);
}

/* Waiting. */

bool shared_is_elsewhere(const struct idem_call *call)
{
  return call->priv.fleet.elsewhere_us != 0;
}

bool shared_may_wait(struct idem_store *store, const struct idem_call *call)
{
  return shared_is_elsewhere(call) && clock_steady_us() < call->priv.fleet.elsewhere_us &&
         atomic_load(stats_wake_word(store->stats, call->key)) == call->priv.fleet.wake;
}

/* What listens, and whose pieces it takes. */
struct listener {
  struct idem_store *store;
  const struct idem_call *call;
  int failed;
};

static int take_piece(void *arg, uint64_t number, const char *bytes, size_t len, bool over)
{
  struct listener *listener = arg;
  const struct idem_call *call = listener->call;
  (void)number;
  if (!over)
    listener->failed = spool_copy_add(listener->store, call->key, call->priv.fleet.generation, bytes, len);
  return listener->failed;
}

/* One process of the machine listens, the one that has the second lock of the key; the others sleep on the
 * word that it changes. Dies it, the kernel frees the lock for the next, which goes on behind the last whole
 * piece. */
static int listen_to_fleet(struct idem_store *store, const struct idem_call *call, unsigned ms)
{
  struct listener listener = {.store = store, .call = call};
  int lock = claim_lock_take(&store->claims_file, call->key + sizeof(uint64_t));
  if (lock < 0)
    return -EAGAIN;
  int64_t count = spool_copy_count(store, call->key, call->priv.fleet.generation);
  uint64_t next = count > 0 ? (uint64_t)count : 0;
  int rc = count < 0 ? (int)count
                     : store->fleet_api->follow(store->fleet, call->key, call->priv.fleet.generation, ms,
                                                &next, take_piece, &listener);
  if (rc > 0)
    stats_wake(store->stats, call->key);
  /* Who sees that it is over asks the fleet then, and not whether it was asked a moment ago: the
   * word has changed before. */
  if (rc == IDEM_FLEET_OVER) {
    spool_remove(store, call->key, call->priv.fleet.generation);
    stats_wake(store->stats, call->key);
  }
  claim_lock_release(lock, NULL);
  return rc;
}

/* Over for this owner; there may be an answer, or another owner: 0. */
int shared_wait(struct idem_store *store, const struct idem_call *call, unsigned max_ms)
{
  const _Atomic uint32_t *word = stats_wake_word(store->stats, call->key);
  unsigned ms = max_ms < WAIT_MS ? max_ms : WAIT_MS;
  uint32_t seen = atomic_load(word);
  /* A look at the spool, which takes the word anew, must not hide from who only asks that
   * somebody has heard something. */
  if (!max_ms)
    return seen != call->priv.fleet.wake ? 0 : -ETIMEDOUT;
  if (seen != call->priv.wake)
    return 0;
  int rc = listen_to_fleet(store, call, ms);
  if (rc == -EAGAIN)
    stats_sleep(store->stats, call->key, seen, ms);
  else if (rc < 0)
    stats_sleep(store->stats, call->key, seen, ms < LOST_MS ? ms : LOST_MS);
  return rc == IDEM_FLEET_OVER || atomic_load(word) != seen ? 0 : -ETIMEDOUT;
}

/* Removals. */

/* One process of the machine looks; it counts from when it has looked last, whatever came of it. Those that
 * it had no time for are the next call's. In what is left of its time it tells what was stored alone: a
 * machine of which all calls are near hits would not come to it otherwise. An app that has little time has at
 * least half of it for its call. */
void shared_look(struct idem_store *store, struct idem_call *call)
{
  struct idem_fleet_shared *shared = &store->stats->fleet;
  int64_t now = clock_steady_us(), near_us = (int64_t)store->where->near_ms * 1000;
  int64_t last = atomic_load_explicit(&shared->looked_us, memory_order_relaxed);
  /* One that lies ahead is of before a restart of the machine. */
  if ((last <= now && now - last < near_us) ||
      !atomic_compare_exchange_strong(&shared->looked_us, &last, now))
    return;
  QUIET();
  GATE_UNTIL(call->deadline_us);
  int64_t left = limit_of(store, call), most = (int64_t)store->where->operation_ms * 1000;
  if (call->deadline_us && (call->deadline_us - now) / 2 < most)
    most = (call->deadline_us - now) / 2;
  idem_fleet_limit limit = left < most ? left : most;
  left -= limit;
  int rc = removals_take(store, &limit);
  if (rc > 0)
    atomic_store(&shared->looked_us, now - near_us);
  else if (rc == 0)
    outbox_push_some(store, &limit);
  /* Who waits for another machine comes here in each round, and may ask for as long as that takes. */
  if (!call->waited)
    spend(store, call, left + limit);
}
