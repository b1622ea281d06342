/* SPDX-License-Identifier: MIT */
/*
 * The end of a round: leaving, and waiting before the next one.
 *
 * What becomes of a claim depends on what is known. With an answer stored, the commit has removed its record.
 * Without one the record says `released`, so that the next owner sends as if nothing had been. Where it is
 * not known what upstream has made of it, the record stays in flight: the next owner finds it in doubt.
 */
#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/base/kept.h"
#include "store/call/shared.h"
#include "store/key/sampled.h"
#include "store/records/record.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A wake may be lost with its sender. So a follower looks at the lock itself, often at first. */
enum { LOOK_FIRST_MS = 5, LOOK_LAST_MS = 50 };

void call_count(struct idem_store *store, struct idem_call *call, unsigned bit, enum idem_counter counter)
{
  if (!(call->priv.counted & bit))
    stats_add(store->stats, stats_shard(), counter, 1);
  call->priv.counted |= bit;
}

void call_unpin(struct idem_call *call)
{
  reader_end(call->priv.reader);
  kept_give(call->priv.heap);
  call->priv.reader = NULL;
  call->priv.heap = NULL;
}

struct claim call_claim(const struct idem_call *call)
{
  struct claim claim = {.key = call->key,
                        .print = call->priv.kind == IDEM_KEY_HEADER ? call->priv.print : NULL,
                        .beside = call->beside,
                        .flush = call->priv.flush,
                        .before = call->priv.before,
                        .generation = call->generation};
  call_lock_key(call, claim.lock);
  return claim;
}

/* The lock goes before the wake, so that who wakes finds it free; and after the place, which is its owner's
 * alone. */
void call_drop_claim(struct idem_store *store, struct idem_call *call)
{
  uint8_t lock[8];
  call_lock_key(call, lock);
  if (call->priv.owner)
    owner_give(&store->stats->owners, call->priv.owner, call->priv.owner_number, lock);
  call->priv.owner = NULL;
  claim_lock_release(call->priv.claim_fd, lock);
  call->priv.claim_fd = -1;
}

void call_free_claim(struct idem_store *store, struct idem_call *call)
{
  call_drop_claim(store, call);
  /* Its commit has told already, and who came after that has found the answer. */
  if (!call->priv.committed)
    stats_wake(store->stats, call->key);
}

/* A content that turns out to be another one has numbers of its own. */
int call_take_number(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     const uint8_t *base, struct idem_error *error)
{
  bool numbered = sampled_is_numbered(request->rule->repeats, call->sampled);
  if (!numbered || memcmp(call->priv.base, base, IDEM_KEY_SIZE) != 0)
    call_settle_number(call, false);
  if (call->priv.repeat)
    return 0;
  memcpy(call->priv.base, base, IDEM_KEY_SIZE);
  call->sequence = 0;
  call->new_sample = false;
  if (!numbered)
    return 0;
  struct repeats_number number = repeats_take(&store->repeats, base);
  if (!number.of)
    return idem_error_set(error, -ENOMEM, "no memory");
  call->priv.repeat = number.of;
  call->priv.ttl_ms = request->rule->ttl_ms;
  call->sequence = number.is;
  call->new_sample = number.again;
  return 0;
}

void call_settle_number(struct idem_call *call, bool used_up)
{
  if (call->priv.repeat)
    repeats_settle(call->priv.repeat, call->sequence, used_up, call->priv.ttl_ms);
  call->priv.repeat = NULL;
}

/* Into the shard of the reader, which is of this thread: no other thread shares the line often. */
static void count_hit(struct idem_store *store, const struct idem_call *call)
{
  const struct idem_answer *answer = &call->answer;
  struct stats *stats = store->stats;
  const struct reader *reader = call->priv.reader;
  unsigned shard = reader ? reader->shard : stats_shard();
  stats_add(stats, shard, IDEM_COUNTER_hits, 1);
  stats_add(stats, shard, IDEM_COUNTER_bytes_saved, answer->body.len);
  stats_add(stats, shard, IDEM_COUNTER_ms_saved, answer->duration_ms);
  if (call->waited)
    stats_add(stats, shard, IDEM_COUNTER_joins, 1);
  /* A provider bills the tokens of an answer once, however often it is replayed. */
  if (!call->priv.fleet.left_near && !stats_first_replay(stats, answer->serial))
    return;
  if (answer->usage.input > 0)
    stats_add(stats, shard, IDEM_COUNTER_input_tokens_saved, (uint64_t)answer->usage.input);
  if (answer->usage.output > 0)
    stats_add(stats, shard, IDEM_COUNTER_output_tokens_saved, (uint64_t)answer->usage.output);
}

/* The spool goes before the claim, so that the next owner does not find it and a follower knows that it is
 * over. So does the durable half: whoever has the lock next judges by what stands there. And the fleet is
 * told while no other process of this machine can ask. */
static void end_claim(struct idem_store *store, struct idem_call *call)
{
  /* A child has no claim, whatever its copy of the call says. */
  if (!claim_lock_held(&store->claims_file, call->key, &call->priv.claim_fd)) {
    call->priv.claim_fd = -1;
    return;
  }
  struct claim claim = call_claim(call);
  /* One that could not be flushed stands there, too. At most once means that its call was not sent for that,
   * and left there it would say of every later try that it was. */
  bool stands = call->priv.recorded || (call->generation && claim_record_stands(store, &claim));
  if (stands && call->priv.committed)
    claim_record_end(store, &claim);
  else if (stands && !call->unknown)
    claim_record_release(store, &claim);
  if (call->priv.pieces)
    spool_remove(store, call->key, call->priv.spooled);
  shared_release(store, call);
  call_free_claim(store, call);
}

/* What is left to do for a call that holds a claim, or of which others have to know that
 * its app has the answer. */
static void end_shared(struct idem_store *store, struct idem_call *call, bool delivered)
{
  QUIET();
  GATE_UNTIL(call->deadline_us);
  bool answered = call->priv.verdict == IDEM_HIT || call->priv.committed;
  /* repeats=fresh: from now on an identical call is a new sample. */
  if (answered && delivered && !call->priv.marked && call->priv.repeats == IDEM_REPEATS_FRESH)
    claim_record_mark_delivered(store, call->priv.base, call->key, call->sequence);
  if (call->priv.claim_fd >= 0)
    end_claim(store, call);
}

/* A plain hit ends here with a few additions and a store. Whoever takes a number that is free again
 * finds its claim free, too. */
void idem_store_leave(struct idem_store *store, struct idem_call *call, bool delivered)
{
  bool busy = call->priv.verdict == IDEM_BUSY;
  if (call->priv.verdict == IDEM_HIT && delivered)
    count_hit(store, call);
  call_unpin(call);
  if (!busy && (call->priv.claim_fd >= 0 || call->priv.repeats == IDEM_REPEATS_FRESH)) {
    const struct call_commit *commit = call->priv.commit;
    if (commit && commit->leave(call, delivered))
      return;
    end_shared(store, call, delivered);
  }
  if (!busy || !call->returns)
    call_settle_number(call, delivered && !call->no_answer);
}

/* The wake word tells of an end in any process; the lock, looked at ever less often, of an owner that was
 * killed. */
int idem_store_wait(struct idem_store *store, const struct idem_call *call, unsigned max_ms)
{
  QUIET();
  const _Atomic uint32_t *word = stats_wake_word(store->stats, call->key);
  int64_t end = clock_steady_us() + (int64_t)max_ms * 1000;
  unsigned look = LOOK_FIRST_MS;
  uint8_t lock[8];
  int rc = 0;
  if (shared_is_elsewhere(call))
    return shared_wait(store, call, max_ms);
  call_lock_key(call, lock);
  while (atomic_load(word) == call->priv.wake && claim_lock_taken(state_claims_fd(store), lock) == 1) {
    int64_t left = (end - clock_steady_us() + 999) / 1000;
    if (left <= 0) {
      rc = -ETIMEDOUT;
      break;
    }
    stats_sleep(store->stats, call->key, call->priv.wake, left < look ? (unsigned)left : look);
    look = look * 2 < LOOK_LAST_MS ? look * 2 : LOOK_LAST_MS;
  }
  return rc;
}

/* The copy is parsed again rather than mended: every span of the answer points into the record. */
int idem_store_unpin(struct idem_store *store, struct idem_call *call)
{
  (void)store;
  int before = errno, rc = 0;
  const struct reader *reader = call->priv.reader;
  if (!reader)
    return 0;
  if (call->answer.record.data == reader->spare) {
    struct idem_answer copy;
    struct idem_span record = call->answer.record;
    char *heap = malloc(record.len);
    rc = -ENOMEM;
    if (heap)
      rc = record_open(memcpy(heap, record.data, record.len), record.len, NULL, &copy);
    if (rc == 0) {
      call->answer = copy;
      call->priv.heap = heap;
    } else {
      free(heap);
    }
  }
  if (rc == 0) {
    reader_end(call->priv.reader);
    call->priv.reader = NULL;
  }
  errno = before;
  return rc;
}
