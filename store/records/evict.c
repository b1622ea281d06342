/* SPDX-License-Identifier: MIT */
/*
 * Each kind of thing to drop is a walk over one tree, whose visitor drops what it may and ends the walk when
 * it has enough. A walk sees what was there when its transaction began, so that dropping does not disturb it.
 */
#include "store/records/evict.h"

#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/records/claim_record.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* So much goes in one transaction while others write; of claims and the like so many are looked at,
 * whether they go or not. */
enum { LOOK_MOST = 4096, TIDY_ANSWERS = 16, TIDY_CLAIMS = 4 };

/* A commit that makes room makes a little more, so that not each one has to. */
#define SLACK (UINT64_C(256) << 10)

/* The map is larger than the store by an eighth and four times this (lmdb/engine_open.c), and two
 * transactions use it at once. */
#define WITHIN_ANYWAY (UINT64_C(2) << 20)

#define DAY_US (INT64_C(24) * 3600 * 1000000)

/* One transaction of a pass. */
struct sweep {
  struct idem_store *store;
  struct writer *writer;
  struct evict_pass *pass;
  struct answer_index_victim *victims; /* room for `most` */
  int64_t before;                      /* what was to end, or began, before this goes */
  uint64_t enough, bytes;              /* stops there */
  unsigned look, most, count, found;   /* entries looked at, dropped, victims among them */
  unsigned queued;                     /* so many writes waited when it began */
  bool stopped;                        /* for one that has come since */
};

/* A batch that ends sooner still pays for what each has to do. */
enum { YIELD_LEAST = 32 };

/* Whether the batch has enough; asked behind each that is dropped. */
static bool is_full(struct sweep *sweep)
{
  sweep->stopped = sweep->pass->yields && sweep->count >= YIELD_LEAST &&
                   queue_count(&sweep->store->stats->queue) > sweep->queued;
  return sweep->stopped || sweep->count >= sweep->most || sweep->bytes >= sweep->enough;
}

/* One entry of an index and the answer that it leads to. The visitors return 1 where the batch has enough,
 * which ends the walk. A name in the index by age is the second half of one in that by expiry: the victim has
 * both in one. */
static int drop_answer(struct sweep *sweep, enum pages_tree index, struct idem_span name,
                       struct idem_span key)
{
  struct answer_index_victim *victim = &sweep->victims[sweep->found];
  if (key.len != IDEM_KEY_SIZE)
    return -EILSEQ;
  int rc = answer_index_victim(&sweep->writer->before, (const uint8_t *)key.data, victim);
  if (rc < 0 && rc != -ENOENT)
    return rc;
  size_t skip = sizeof(victim->expiry) - name.len;
  bool named = victim->head && memcmp(victim->expiry + skip, name.data, name.len) == 0;
  sweep->found += rc == 0;
  sweep->bytes += victim->bytes;
  /* The entry itself, too, should its answer be gone. */
  rc = named ? 0 : writer_delete(sweep->writer, index, name.data, name.len);
  sweep->count++;
  return rc < 0 ? rc : is_full(sweep);
}

static int drop_expired(void *arg, struct idem_span name, struct idem_span key)
{
  struct sweep *sweep = arg;
  if (name.len != 16 || answer_index_expiry_time(name.data) > sweep->before)
    return 1;
  return drop_answer(sweep, PAGES_EXPIRY, name, key);
}

static bool is_of_run(const struct pages_snapshot *snapshot, struct idem_span key)
{
  static const char run[] = IDEM_RUN_SCOPE;
  struct idem_span record;
  char scope[sizeof(run)];
  uint64_t at, len;
  const struct record_head *head =
      key.len == IDEM_KEY_SIZE ? parts_find(snapshot, (const uint8_t *)key.data, &record) : NULL;
  return head && record_scope(head, &at, &len) && len >= sizeof(run) &&
         parts_read(snapshot, record, at, sizeof(run), scope) == 0 &&
         memcmp(scope, run, sizeof(run) - 1) == 0;
}

/* A store that holds nearly nothing else does not look through all of it for each commit. */
static int drop_oldest(void *arg, struct idem_span name, struct idem_span key)
{
  struct sweep *sweep = arg;
  if (name.len != 8)
    return -EILSEQ;
  if (sweep->pass->kind == EVICT_OLDEST && is_of_run(&sweep->writer->before, key))
    return sweep->look-- == 0;
  return drop_answer(sweep, PAGES_AGE, name, key);
}

/* True when the batch has looked at enough. The next one goes on where this has stopped. */
static bool has_seen_enough(struct sweep *sweep, struct idem_span key)
{
  struct evict_pass *pass = sweep->pass;
  if (sweep->look-- != 0 && sweep->count < sweep->most)
    return false;
  pass->from_len = key.len < sizeof(pass->from) ? key.len : sizeof(pass->from);
  memcpy(pass->from, key.data, pass->from_len);
  return true;
}

/* The lock is asked inside the transaction: whoever takes it now waits with its record until this has
 * ended. */
static int drop_claim(void *arg, struct idem_span key, struct idem_span value)
{
  struct sweep *sweep = arg;
  struct claim_record claim = {0};
  if (has_seen_enough(sweep, key))
    return 1;
  /* An upstream key is worth keeping for the next try, but not for ever. */
  bool wanted = claim_record_parse(value, &claim) == 0 &&
                (claim.started_us >= sweep->before ||
                 (claim.state == CLAIM_IN_FLIGHT &&
                  claim_lock_taken(state_claims_fd(sweep->store), (const uint8_t *)key.data) != 0));
  if (wanted)
    return 0;
  int rc = writer_delete(sweep->writer, sweep->pass->kind == EVICT_CLAIMS ? PAGES_OPS : PAGES_OLD_OPS,
                         key.data, key.len);
  if (rc == 0 && claim.version)
    rc = writer_delete(sweep->writer, PAGES_PRINTS, claim.print, IDEM_KEY_SIZE);
  sweep->count++;
  return rc;
}

/* What observe mode has noted begins with its expiry (call/observe.c). */
static int drop_seen(void *arg, struct idem_span key, struct idem_span value)
{
  struct sweep *sweep = arg;
  int64_t expires_us = 0;
  if (has_seen_enough(sweep, key))
    return 1;
  if (value.len >= sizeof(expires_us))
    memcpy(&expires_us, value.data, sizeof(expires_us));
  if (expires_us > sweep->before)
    return 0;
  sweep->count++;
  return writer_delete(sweep->writer, PAGES_SEEN, key.data, key.len);
}

static int drop_stray(void *arg, struct idem_span name, struct idem_span part)
{
  struct sweep *sweep = arg;
  if (has_seen_enough(sweep, name))
    return 1;
  if (parts_is_needed(&sweep->writer->before, name))
    return 0;
  sweep->count++;
  sweep->bytes += part.len;
  return writer_delete(sweep->writer, PAGES_PARTS, name.data, name.len);
}

static const struct {
  enum pages_tree tree;
  pages_visit *drop;
} kinds[EVICT_KINDS] = {
    [EVICT_EXPIRED] = {PAGES_EXPIRY, drop_expired}, [EVICT_OLDEST] = {PAGES_AGE, drop_oldest},
    [EVICT_RUNS] = {PAGES_AGE, drop_oldest},        [EVICT_CLAIMS] = {PAGES_OPS, drop_claim},
    [EVICT_SEEN] = {PAGES_SEEN, drop_seen},         [EVICT_OLD_CLAIMS] = {PAGES_OLD_OPS, drop_claim},
    [EVICT_STRAYS] = {PAGES_PARTS, drop_stray},
};

/* May be run again from its beginning, where it has run into the end of the map. 1: the
 * visitor has ended the walk. */
static int sweep_body(struct writer *writer, void *arg)
{
  struct sweep *sweep = arg;
  struct evict_pass *pass = sweep->pass;
  struct idem_span from = {(const char *)pass->from, pass->from_len};
  sweep->writer = writer;
  sweep->bytes = sweep->count = sweep->found = 0;
  sweep->look = pass->look;
  int rc = pages_each(&writer->before, kinds[pass->kind].tree, from.len ? &from : NULL,
                      kinds[pass->kind].drop, sweep);
  if (rc < 0)
    return rc;
  for (unsigned i = 0; i < sweep->found; i++)
    if (sweep->victims[i].head && !record_is_old(sweep->victims[i].head))
      claim_record_forget(sweep->store, sweep->victims[i].key, sweep->victims[i].head->generation);
  int dropped = answer_index_drop_all(writer, sweep->victims, sweep->found);
  pass->number = writer_number(writer);
  return dropped < 0 ? dropped : rc;
}

/* Time is taken before the lock is waited for: what expires meanwhile has time until the next batch. */
static int batch(struct idem_store *store, struct evict_pass *pass, uint64_t enough, struct evicted *gone,
                 struct idem_error *error)
{
  unsigned most = pass->most ? pass->most : EVICT_BATCH;
  struct sweep sweep = {.store = store,
                        .pass = pass,
                        .before = clock_now_us() - pass->age_us,
                        .enough = enough,
                        .most = most,
                        .victims = malloc(most * sizeof(*sweep.victims))};
  pass->look = LOOK_MOST;
  if (!sweep.victims)
    return idem_error_set(error, -ENOMEM, "no memory");
  sweep.queued = queue_count(&store->stats->queue);
  int rc = state_write(store, sweep_body, &sweep, error);
  free(sweep.victims);
  if (rc < 0)
    return rc;
  gone->bytes += sweep.bytes;
  if (pass->kind != EVICT_STRAYS)
    *(kinds[pass->kind].drop == drop_claim ? &gone->claims : &gone->answers) += sweep.count;
  /* An index ends a batch also at the first entry that may stay. */
  return pass->from_len ? rc : sweep.stopped || sweep.count >= most || sweep.bytes >= enough;
}

int evict_batch(struct idem_store *store, struct evict_pass *pass, struct evicted *gone,
                struct idem_error *error)
{
  /* What stands in the table is no matter of room. */
  if (pass->kind == EVICT_CLAIMS && !pass->from_len)
    gone->claims += claim_record_forget_old(store, clock_now_us() - pass->age_us);
  return batch(store, pass, UINT64_MAX, gone, error);
}

/* Each commit pays for a little clearing out, so that a store that nobody runs gc on does not fill up with
 * what has expired. */
int evict_some(struct idem_store *store, struct writer *writer, unsigned answers)
{
  struct answer_index_victim victims[TIDY_ANSWERS];
  struct evict_pass expired = {.kind = EVICT_EXPIRED},
                    claims = {.kind = EVICT_CLAIMS, .look = TIDY_CLAIMS, .from_len = IDEM_KEY_SIZE};
  struct sweep sweep = {.store = store,
                        .pass = &expired,
                        .before = clock_now_us(),
                        .enough = UINT64_MAX,
                        .victims = victims,
                        .most = answers < TIDY_ANSWERS ? answers : TIDY_ANSWERS};
  int rc = sweep_body(writer, &sweep);
  /* Keys are hashes, so a walk from a random place is a sample. Most stores have none there. */
  if (rc < 0 || !writer->before.tree[PAGES_OPS].entries ||
      getrandom(claims.from, IDEM_KEY_SIZE, GRND_NONBLOCK) != IDEM_KEY_SIZE)
    return rc < 0 ? rc : 0;
  sweep.pass = &claims;
  sweep.before -= 7 * DAY_US;
  sweep.most = TIDY_CLAIMS;
  rc = sweep_body(writer, &sweep);
  return rc < 0 ? rc : 0;
}

/* Counted by pages, as LMDB takes them: an answer of 100 bytes shares one, one of 5,000 has two. */
static int used_bytes(struct idem_store *store, uint64_t *used, struct idem_error *error)
{
  struct reader *reader;
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  *used = pages_bytes(&reader->snapshot);
  reader_end(reader);
  return 0;
}

int evict_may_have(const struct idem_store *store, uint64_t need, struct idem_error *error)
{
  return need <= store->size / 4
             ? 0
             : idem_error_set(error, -EFBIG,
                              "the answer takes %llu bytes, more than a quarter of the store "
                              "(IDEMSHIM_STORE_SIZE is %llu)",
                              (unsigned long long)need, (unsigned long long)store->size);
}

/* What may be in use. A full disk has a say, too. */
static uint64_t capacity_of(const struct idem_store *store, const struct engine *engine)
{
  uint64_t disk = writer_capacity(engine);
  return disk && disk < store->size ? disk : store->size;
}

/* How much is in use when there is room for a little more than `need`; and what one commit drops at most: a
 * store that has become much too large, since its size was lowered, shrinks commit by commit. */
static uint64_t target_of(uint64_t capacity, uint64_t need, uint64_t *most)
{
  uint64_t slack = SLACK < capacity / 16 ? SLACK : capacity / 16;
  *most = 2 * need + 4 * slack;
  return capacity > need + slack ? capacity - need - slack : 0;
}

int evict_within(struct idem_store *store, struct writer *writer, uint64_t need,
                 struct answer_index_victim **victims, uint64_t *evicted)
{
  static const enum evict_kind kinds_of_answers[] = {EVICT_EXPIRED, EVICT_OLDEST, EVICT_RUNS};
  uint64_t used = pages_bytes(&writer->before), most;
  uint64_t capacity = capacity_of(store, writer->engine), target = target_of(capacity, need, &most);
  if (used + need <= capacity)
    return 0;
  if (!*victims && !(*victims = malloc(EVICT_BATCH * sizeof(**victims))))
    return -ENOMEM;
  uint64_t enough = used - target < most ? used - target : most;
  for (size_t i = 0; i < sizeof(kinds_of_answers) / sizeof(*kinds_of_answers) && enough; i++) {
    struct evict_pass pass = {.kind = kinds_of_answers[i], .look = LOOK_MOST};
    struct sweep sweep = {.store = store,
                          .pass = &pass,
                          .before = clock_now_us(),
                          .enough = enough,
                          .victims = *victims,
                          .most = EVICT_BATCH};
    int rc = sweep_body(writer, &sweep);
    if (rc < 0)
      return rc;
    enough -= sweep.bytes < enough ? sweep.bytes : enough;
    *evicted += sweep.found;
    /* A batch of others is not all of them. */
    if (pass.kind == EVICT_OLDEST && sweep.found)
      break;
  }
  return 0;
}

bool evict_fits_within(const struct idem_store *store, uint64_t need)
{
  return need <= store->size / 32 + WITHIN_ANYWAY;
}

/* What the last transaction has freed can be used once there was another one, of which this is the least. */
static int commit_nothing(struct writer *writer, void *arg)
{
  (void)arg;
  return answer_index_put_last(writer, answer_index_last(&writer->before));
}

/* Outside of the commit's own transaction, since pages that a transaction frees can be used only by a
 * later one. */
int evict_for(struct idem_store *store, uint64_t need, unsigned again, struct idem_error *error)
{
  uint64_t used = 0, most;
  struct engine *engine;
  int rc = evict_may_have(store, need, error);
  if (rc == 0)
    rc = used_bytes(store, &used, error);
  if (rc == 0)
    rc = state_engine(store, &engine, error);
  if (rc < 0)
    return rc;
  uint64_t capacity = capacity_of(store, engine), room = capacity;
  /* What is free, and was not enough, lies in single pages. */
  if (again > 1)
    room -= need < room ? need : room;
  uint64_t target = target_of(room, need, &most);
  if (used + need <= room && !again)
    return 0;
  /* A reader that died while it held a snapshot keeps what is dropped from being used again. */
  engine_clear_readers(engine);
  if (used + need <= room)
    return state_write(store, commit_nothing, NULL, error);
  struct evicted gone = {0};
  for (unsigned kind = 0; kind < EVICT_KINDS && used > target && gone.bytes < most; kind++) {
    struct evict_pass pass = {.kind = (enum evict_kind)kind};
    do {
      uint64_t answers = gone.answers;
      uint64_t enough = used - target < most - gone.bytes ? used - target : most - gone.bytes;
      rc = batch(store, &pass, enough, &gone, error);
      if (kind <= EVICT_RUNS)
        stats_add(store->stats, stats_shard(), IDEM_COUNTER_evicted, gone.answers - answers);
      int seen = used_bytes(store, &used, error);
      if (rc < 0 || seen < 0)
        return rc < 0 ? rc : seen;
    } while (rc > 0 && used > target && gone.bytes < most);
  }
  if (gone.bytes && again)
    return state_write(store, commit_nothing, NULL, error);
  return used + need <= capacity || gone.bytes
             ? 0
             : idem_error_set(error, -ENOSPC, "the %s is full and there is nothing left to drop",
                              capacity < store->size ? "disk" : "store");
}
