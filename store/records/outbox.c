/* SPDX-License-Identifier: MIT */
#include "store/records/outbox.h"

#include "store/base/clock.h"
#include "store/records/answer_index.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char prefix[] = "outbox ";
enum { PREFIX = sizeof(prefix) - 1, ENTRY = PREFIX + IDEM_KEY_SIZE };

static void entry_of(const uint8_t *key, char entry[ENTRY])
{
  memcpy(entry, prefix, PREFIX);
  memcpy(entry + PREFIX, key, IDEM_KEY_SIZE);
}

int outbox_note(struct writer *writer, const uint8_t *key)
{
  char entry[ENTRY];
  entry_of(key, entry);
  return writer_put(writer, PAGES_META, entry, sizeof(entry), "", 1);
}

void outbox_tell(struct idem_store *store)
{
  atomic_fetch_add(&store->stats->fleet.unshared, 1);
}

/* Before the first of them has been stored the word may be 0 again: who pushes has looked
 * then, and found none. */
bool outbox_may_have(struct idem_store *store)
{
  return atomic_load_explicit(&store->stats->fleet.unshared, memory_order_relaxed) != 0 ||
         (!atomic_load_explicit(&store->outbox_seen, memory_order_relaxed) &&
          !atomic_exchange(&store->outbox_seen, true));
}

/* What is to be pushed. */
struct pushing {
  uint8_t key[IDEM_KEY_SIZE], fingerprint[IDEM_KEY_SIZE];
  char *record; /* NULL: it is not there any more */
  size_t len;
  int64_t left_ms, started_us;
  uint64_t generation, epoch;
  bool found, dropped;
};

/* Names of the tree are sorted: the first one behind `from` that does not begin so ends the walk. */
static int take_first(void *arg, struct idem_span entry, struct idem_span value)
{
  struct pushing *pushing = arg;
  (void)value;
  if (entry.len != ENTRY || memcmp(entry.data, prefix, PREFIX) != 0)
    return entry.len >= PREFIX && memcmp(entry.data, prefix, PREFIX) > 0;
  memcpy(pushing->key, entry.data + PREFIX, IDEM_KEY_SIZE);
  pushing->found = true;
  return 1;
}

/* An entry, and a copy of its answer: nothing is pinned while the fleet is asked. It is the first one behind
 * a place that is another at each time, so that one that cannot be told holds up no other, and processes that
 * push at once seldom push the same. */
static int find_one(struct idem_store *store, struct pushing *pushing, struct idem_error *error)
{
  uint8_t place[IDEM_KEY_SIZE] = {0};
  char entry[ENTRY];
  const struct idem_span from = {prefix, PREFIX}, somewhere = {entry, ENTRY};
  struct idem_span record;
  struct reader *reader;
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  if (getrandom(place, sizeof(uint64_t), GRND_NONBLOCK) > 0) {
    entry_of(place, entry);
    pages_each(&reader->snapshot, PAGES_META, &somewhere, take_first, pushing);
  }
  if (!pushing->found)
    pages_each(&reader->snapshot, PAGES_META, &from, take_first, pushing);
  int64_t now = clock_now_us();
  const struct record_head *head =
      pushing->found ? parts_find(&reader->snapshot, pushing->key, &record) : NULL;
  if (head && !record_is_old(head) && head->expires_us > now && (pushing->record = malloc(head->total)) &&
      parts_join(&reader->snapshot, record, pushing->record) == 0 &&
      record_checksum_holds((struct idem_span){pushing->record, head->total})) {
    memcpy(pushing->fingerprint, head->fingerprint, IDEM_KEY_SIZE);
    pushing->len = head->total;
    pushing->left_ms = (head->expires_us - now) / 1000;
    pushing->started_us = head->started_us;
    pushing->generation = head->generation;
    pushing->epoch = head->epoch;
  }
  reader_end(reader);
  if (!pushing->len) {
    free(pushing->record);
    pushing->record = NULL;
  }
  return 0;
}

/* The fleet's answer took the place of ours: who asks next is to find none here, and asks the fleet. */
static int forget_body(struct writer *writer, void *arg)
{
  struct pushing *pushing = arg;
  char entry[ENTRY];
  entry_of(pushing->key, entry);
  int rc = writer_delete(writer, PAGES_META, entry, sizeof(entry));
  return rc == 0 && pushing->dropped ? answer_index_drop(writer, pushing->key) : rc;
}

/* The one answer of the fleet is the truth, where it is an answer. Ours that is there already is no other
 * one, and one that cannot be read is no reason to have none. */
static bool has_other(const struct pushing *pushing, const struct idem_fleet_claim *claim)
{
  struct idem_span record = {claim->record, claim->record_len};
  const struct record_head *head = record_head(record);
  return head && !record_is_old(head) && record_checksum_holds(record) &&
         memcmp(head->key, pushing->key, IDEM_KEY_SIZE) == 0 &&
         (head->started_us != pushing->started_us || head->generation != pushing->generation ||
          head->epoch != pushing->epoch);
}

/* With another nonce, for the claim of then may have been lost with the fleet; one that is still there
 * is this machine's own. */
static int push(struct idem_store *store, idem_fleet_limit *limit, struct pushing *pushing)
{
  const struct idem_fleet_api *api = store->fleet_api;
  struct idem_fleet_claim claim = {.fingerprint = pushing->fingerprint,
                                   .dead = pushing->generation,
                                   .any_content = true,
                                   .most_age_ms = -1,
                                   .keep_ms = fleet_store_keep_ms((uint64_t)pushing->left_ms)};
  memcpy(claim.fence.key, pushing->key, IDEM_KEY_SIZE);
  int rc = fleet_store_nonce(claim.fence.owner);
  if (rc == 0)
    rc = api->claim(store->fleet, limit, &claim);
  /* What the fleet has is larger than what this machine takes, and would be so each time: ours stays here
   * alone, since without it this machine would pay again for what it cannot get. */
  if (rc < 0)
    return rc == -EMSGSIZE ? 1 : rc;
  pushing->dropped = claim.verdict == IDEM_FLEET_ANSWER && has_other(pushing, &claim);
  api->answer_free(&claim);
  if (claim.verdict != IDEM_FLEET_OWNED)
    return claim.verdict == IDEM_FLEET_ANSWER ? 1 : -EBUSY;
  rc = api->commit(store->fleet, limit, &claim.fence, pushing->record, pushing->len,
                   (uint64_t)pushing->left_ms, claim.keep_ms);
  /* The claim was taken over between the two. */
  if (rc == 0)
    rc = -EBUSY;
  /* It would be refused each time, so it stays here alone, and the others may have the operation. */
  if (rc == -EMSGSIZE) {
    api->release(store->fleet, limit, &claim.fence, false);
    rc = 1;
  }
  return rc;
}

int outbox_push(struct idem_store *store, idem_fleet_limit *limit, struct idem_error *error)
{
  _Atomic int64_t *unshared = &store->stats->fleet.unshared;
  struct pushing pushing = {.record = NULL};
  int64_t told = atomic_load(unshared);
  if (!store->fleet_api)
    return idem_error_set(error, -ENOTCONN, "%s: there is no fleet", store->dir);
  int rc = find_one(store, &pushing, error);
  if (rc == 0 && !pushing.found) {
    /* Unless one has been told since. */
    atomic_compare_exchange_strong(unshared, &told, 0);
    return 0;
  }
  if (rc == 0)
    rc = pushing.record ? push(store, limit, &pushing) : 1;
  if (rc < 0 && error && !error->text[0])
    idem_error_set(error, rc, "%s: %s", store->where->shown,
                   rc == -EBUSY ? "another machine is at it" : store->fleet_api->problem(store->fleet));
  free(pushing.record);
  if (rc < 0)
    return rc;
  rc = state_write(store, forget_body, &pushing, error);
  return rc < 0 ? rc : 1;
}

void outbox_push_some(struct idem_store *store, idem_fleet_limit *limit)
{
  enum { SOME = 8 };
  int left = store->where->read_only ? 0 : SOME;
  while (left-- && *limit > 0 && outbox_may_have(store) && outbox_push(store, limit, NULL) == 1)
    ;
}
