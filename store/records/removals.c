/* SPDX-License-Identifier: MIT */
#include "store/records/removals.h"

#include "store/records/answer_index.h"
#include "store/records/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of one reply; sorted, so that a key that was removed twice is dropped once. */
struct removal {
  struct idem_store *store;
  const uint8_t (*keys)[IDEM_KEY_SIZE];
  size_t count;
};

static int compare(const void *a, const void *b)
{
  return memcmp(a, b, IDEM_KEY_SIZE);
}

static int drop_body(struct writer *writer, void *arg)
{
  const struct removal *removal = arg;
  struct answer_index_victim *victims = malloc(removal->count * sizeof(*victims));
  size_t found = 0;
  int rc = victims ? 0 : -ENOMEM;
  for (size_t i = 0; i < removal->count && rc == 0; i++) {
    if (i > 0 && compare(removal->keys[i - 1], removal->keys[i]) == 0)
      continue;
    rc = answer_index_victim(&writer->before, removal->keys[i], &victims[found]);
    found += rc == 0;
    rc = rc == -ENOENT ? 0 : rc;
  }
  if (rc == 0)
    rc = answer_index_drop_all(writer, victims, found);
  free(victims);
  return rc;
}

/* What could not be written before it is given to nobody either. */
static int drop_done(struct engine *engine, int rc, void *arg)
{
  const struct removal *removal = arg;
  (void)engine;
  for (size_t i = 0; rc >= 0 && i < removal->count; i++)
    batch_drop(removal->store, removal->keys[i]);
  return 0;
}

static int drop_all(struct removal *removal)
{
  const struct writer_job job = {.body = drop_body, .done = drop_done, .arg = removal};
  return state_write_job(removal->store, &job, NULL);
}

static bool has_one(const struct pages_snapshot *snapshot, const struct removal *removal)
{
  struct answer_index_victim victim;
  bool has = false;
  for (size_t i = 0; i < removal->count && !has; i++)
    has = answer_index_victim(snapshot, removal->keys[i], &victim) != -ENOENT;
  return has;
}

/* Where one of them is damaged, the others go all the same; that one is found when it is asked for. */
static int drop_each(const struct removal *all)
{
  int rc = 0;
  for (size_t i = 0; i < all->count && (rc == 0 || rc == -EILSEQ); i++) {
    struct removal one = {all->store, all->keys + i, 1};
    rc = drop_all(&one);
  }
  return rc == -EILSEQ ? 0 : rc;
}

static int drop(void *arg, const uint8_t (*keys)[IDEM_FLEET_KEY], size_t count)
{
  struct removal removal = {.store = arg, .count = count};
  struct reader *reader;
  uint8_t(*sorted)[IDEM_KEY_SIZE] = malloc(count * sizeof(*sorted));
  if (!sorted)
    return -ENOMEM;
  memcpy(sorted, keys, count * sizeof(*sorted));
  qsort(sorted, count, sizeof(*sorted), compare);
  batch_flush(removal.store);
  removal.keys = (const uint8_t(*)[IDEM_KEY_SIZE])sorted;
  int rc = state_read(removal.store, &reader, NULL);
  if (rc == 0) {
    bool has = has_one(&reader->snapshot, &removal);
    reader_end(reader);
    rc = has || queue_has_any(&removal.store->stats->queue) ? drop_all(&removal) : 0;
  }
  if (rc == -EILSEQ)
    rc = drop_each(&removal);
  free(sorted);
  return rc;
}

int removals_take(struct idem_store *store, idem_fleet_limit *limit)
{
  int rc = IDEM_FLEET_REMOVED;
  while (rc == IDEM_FLEET_REMOVED && *limit > 0)
    rc = store->fleet_api->removed(store->fleet, limit, drop, store);
  return rc < 0 ? rc : rc == IDEM_FLEET_REMOVED;
}
