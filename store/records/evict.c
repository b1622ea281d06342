/* SPDX-License-Identifier: MIT */
#include "store/records/evict.h"

#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* In one transaction, so that no writer waits long. */
enum { BATCH = 64, CLAIM_BATCH = 256, TIDY_CLAIMS = 4, ROUNDS_MOST = 100000 };

#define DAY_US (INT64_C(24) * 3600 * 1000000)

/* Answers. */

struct drop {
  struct idem_store *store;
  struct writer *writer;
  int64_t now;
  uint64_t enough; /* bytes; stops there */
  unsigned most, count;
  uint64_t bytes;
  int rc;
};

static int drop_one(struct drop *drop, struct idem_span index_value)
{
  if (index_value.len != IDEM_KEY_SIZE)
    return -EILSEQ;
  drop->rc = answer_index_drop(drop->writer, (const uint8_t *)index_value.data, &drop->bytes);
  if (drop->rc < 0)
    return drop->rc;
  return ++drop->count >= drop->most || drop->bytes >= drop->enough;
}

static int drop_if_expired(void *arg, struct idem_span key, struct idem_span value)
{
  struct drop *drop = arg;
  if (key.len != 16 || answer_index_expiry_time(key.data) > drop->now)
    return 1;
  /* The entry itself, too, should its answer be gone. */
  drop->rc = writer_delete(drop->writer, PAGES_EXPIRY, key.data, key.len);
  return drop->rc < 0 ? drop->rc : drop_one(drop, value);
}

static int drop_oldest(void *arg, struct idem_span key, struct idem_span value)
{
  struct drop *drop = arg;
  drop->rc = writer_delete(drop->writer, PAGES_AGE, key.data, key.len);
  return drop->rc < 0 ? drop->rc : drop_one(drop, value);
}

static int expired_body(struct writer *writer, void *arg)
{
  struct drop *drop = arg;
  drop->writer = writer;
  int rc = writer_each(writer, PAGES_EXPIRY, NULL, drop_if_expired, drop);
  return rc < 0 ? rc : 0;
}

static int oldest_body(struct writer *writer, void *arg)
{
  struct drop *drop = arg;
  drop->writer = writer;
  int rc = writer_each(writer, PAGES_AGE, NULL, drop_oldest, drop);
  return rc < 0 ? rc : 0;
}

static int drop_batch(struct idem_store *store, struct engine *engine, int (*body)(struct writer *, void *),
                      uint64_t enough, struct evicted *swept, struct idem_error *error)
{
  struct drop drop = {.store = store, .now = clock_now_us(), .most = BATCH, .enough = enough};
  int rc = engine_write(engine, body, &drop, error);
  if (rc < 0)
    return rc;
  swept->answers += drop.count;
  swept->bytes += drop.bytes;
  return (int)drop.count;
}

int evict_expired(struct idem_store *store, struct engine *engine, struct evicted *swept,
                  struct idem_error *error)
{
  return drop_batch(store, engine, expired_body, UINT64_MAX, swept, error);
}

/* Claims. */

struct claims {
  struct idem_store *store;
  struct writer *writer;
  int64_t before; /* claims in doubt and counters older than this go */
  unsigned look, most, count;
};

static bool is_left_over(const struct claims *claims, struct idem_span key, const struct op *op)
{
  /* An upstream key is worth keeping for the next try, but not for ever. */
  if (op->started_us >= claims->before)
    return false;
  return op->state != CLAIM_IN_FLIGHT ||
         claim_taken(claims->store->claims_fd, (const uint8_t *)key.data) == 0;
}

static int drop_claim(void *arg, struct idem_span key, struct idem_span value)
{
  struct claims *claims = arg;
  struct op op = {0};
  if (claims->look-- == 0)
    return 1;
  if (claim_record_parse(value, &op) == 0 && !is_left_over(claims, key, &op))
    return 0;
  int rc = writer_delete(claims->writer, PAGES_OPS, key.data, key.len);
  if (rc == 0 && op.version)
    rc = writer_delete(claims->writer, PAGES_PRINTS, op.print, IDEM_KEY_SIZE);
  return rc < 0 ? rc : ++claims->count >= claims->most;
}

/* Keys are hashes, so a walk from a random place is a sample. */
static int claims_sample(struct claims *claims)
{
  uint8_t key[IDEM_KEY_SIZE];
  struct idem_span from = {(const char *)key, sizeof(key)};
  if (getrandom(key, sizeof(key), GRND_NONBLOCK) != sizeof(key))
    return 0;
  int rc = writer_each(claims->writer, PAGES_OPS, &from, drop_claim, claims);
  return rc < 0 ? rc : 0;
}

static int claims_body(struct writer *writer, void *arg)
{
  struct claims *claims = arg;
  claims->writer = writer;
  int rc = writer_each(writer, PAGES_OPS, NULL, drop_claim, claims);
  return rc < 0 ? rc : 0;
}

int evict_claims(struct idem_store *store, struct engine *engine, int64_t age_us, struct evicted *swept,
                 struct idem_error *error)
{
  struct claims claims = {
      .store = store, .before = clock_now_us() - age_us, .look = UINT32_MAX, .most = CLAIM_BATCH};
  int rc = engine_write(engine, claims_body, &claims, error);
  if (rc < 0)
    return rc;
  swept->claims += claims.count;
  return (int)claims.count;
}

/* What observe mode has noted. */

struct seen_sweep {
  struct writer *writer;
  int64_t now;
  unsigned count;
};

static int drop_seen(void *arg, struct idem_span key, struct idem_span value)
{
  struct seen_sweep *sweep = arg;
  int64_t expires_us = 0;
  if (value.len >= sizeof(expires_us))
    memcpy(&expires_us, value.data, sizeof(expires_us));
  if (expires_us > sweep->now)
    return 0;
  int rc = writer_delete(sweep->writer, PAGES_SEEN, key.data, key.len);
  return rc < 0 ? rc : ++sweep->count >= CLAIM_BATCH;
}

static int seen_body(struct writer *writer, void *arg)
{
  struct seen_sweep *sweep = arg;
  sweep->writer = writer;
  int rc = writer_each(writer, PAGES_SEEN, NULL, drop_seen, sweep);
  return rc < 0 ? rc : 0;
}

int evict_seen(struct engine *engine, struct evicted *swept, struct idem_error *error)
{
  struct seen_sweep sweep = {.now = clock_now_us()};
  int rc = engine_write(engine, seen_body, &sweep, error);
  if (rc < 0)
    return rc;
  swept->answers += sweep.count;
  return (int)sweep.count;
}

/* Room. */

int evict_some(struct idem_store *store, struct writer *writer, unsigned most)
{
  struct drop drop = {
      .store = store, .writer = writer, .now = clock_now_us(), .most = most, .enough = UINT64_MAX};
  int rc = writer_each(writer, PAGES_EXPIRY, NULL, drop_if_expired, &drop);
  if (rc < 0)
    return rc;
  struct claims claims = {.store = store,
                          .writer = writer,
                          .before = drop.now - 7 * DAY_US,
                          .look = TIDY_CLAIMS,
                          .most = TIDY_CLAIMS};
  return claims_sample(&claims);
}

static int used_bytes(struct engine *engine, uint64_t *used, struct idem_error *error)
{
  struct reader *reader;
  int rc = engine_begin(engine, &reader, error);
  if (rc < 0)
    return rc;
  *used = pages_bytes(engine_pages(engine), &reader->snapshot);
  engine_end(reader);
  return 0;
}

/* One step towards room: expired answers, then the claims of the dead, then the oldest answers. Returns how
 * much it dropped. */
static int give_way(struct idem_store *store, struct engine *engine, uint64_t enough,
                    struct idem_error *error)
{
  struct evicted swept = {0};
  int dropped = evict_expired(store, engine, &swept, error);
  if (dropped == 0)
    dropped = drop_batch(store, engine, oldest_body, enough, &swept, error);
  if (dropped == 0)
    dropped = evict_claims(store, engine, 0, &swept, error);
  if (dropped == 0)
    dropped = evict_seen(engine, &swept, error);
  stats_add(store->stats, stats_shard(), IDEM_COUNTER_evicted, swept.answers);
  return dropped;
}

int evict_for(struct idem_store *store, struct engine *engine, uint64_t need, struct idem_error *error)
{
  uint64_t capacity = store->size, used;
  if (need > capacity / 4)
    return idem_error_set(
        error, -EFBIG,
        "the answer takes %llu bytes, more than a quarter of the store (IDEMSHIM_STORE_SIZE is %llu)",
        (unsigned long long)need, (unsigned long long)capacity);
  int rc = used_bytes(engine, &used, error);
  if (rc < 0 || used + need <= capacity)
    return rc;
  engine_clear_readers(engine);
  /* More than is needed now, so that not every commit has to. */
  uint64_t target = capacity - need > capacity / 16 ? capacity - need - capacity / 16 : 0;
  for (int i = 0; i < ROUNDS_MOST && used > target; i++) {
    rc = give_way(store, engine, used - target, error);
    if (rc <= 0)
      return rc < 0 ? rc
                    : idem_error_set(error, -ENOSPC, "the store is full and there is nothing left to drop");
    rc = used_bytes(engine, &used, error);
    if (rc < 0)
      return rc;
  }
  return 0;
}
