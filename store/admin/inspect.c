/* SPDX-License-Identifier: MIT */
/*
 * Looking at answers one by one, for the command. What is damaged is passed over by a list, and said of an
 * answer that was asked for. An id is the beginning of a key in hexadecimal digits, so those that begin alike
 * lie side by side in the tree.
 */
#include "store/base/claim_lock.h"
#include "store/lmdb/pages_read.h"
#include "store/records/answer_index.h"
#include "store/records/batch.h"
#include "store/records/claim_record.h"
#include "store/records/parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy, so that its visitor, who may print to a pipe that nobody reads, keeps no snapshot. */
struct copy {
  void *heap;
  struct idem_answer answer;
};

/* -ENOENT: there is none; -EILSEQ: it cannot be shown. */
static int copy_answer(const struct idem_store *store, const struct pages_snapshot *snapshot,
                       const uint8_t *key, struct copy *copy)
{
  struct idem_span value = {NULL, 0};
  const struct record_head *head = parts_find(snapshot, key, &value);
  copy->heap = NULL;
  if (!head)
    return value.data ? -EILSEQ : -ENOENT;
  size_t len = head->total;
  copy->heap = malloc(len);
  if (!copy->heap)
    return -ENOMEM;
  int rc = parts_join(snapshot, value, copy->heap);
  if (rc == 0 && !record_checksum_holds((struct idem_span){copy->heap, len}))
    rc = -EILSEQ;
  if (rc == 0)
    rc = record_open(copy->heap, len, store->sealed ? store->seal_key : NULL, &copy->answer);
  return rc == -ENOMEM ? rc : rc < 0 || memcmp(copy->answer.key, key, IDEM_KEY_SIZE) != 0 ? -EILSEQ : 0;
}

/* All of them, in turn. */

/* So many answers, or so much of them, are copied from one snapshot. */
enum { PART_MOST = 64, PART_BYTES = 1 << 20 };

struct part {
  struct idem_store *store;
  struct pages_reading reading;
  struct copy copy[PART_MOST];
  unsigned count;
  size_t bytes;
  uint64_t serial; /* of the last */
  bool full;
};

/* An index entry whose answer has gone is passed over; verify calls it a stray. */
static int copy_by_age(void *arg, struct idem_span age, struct idem_span key)
{
  struct part *part = arg;
  if (age.len != sizeof(part->serial))
    return 0;
  part->serial = (uint64_t)answer_index_expiry_time(age.data);
  if (key.len != IDEM_KEY_SIZE)
    return 0;
  struct copy *copy = &part->copy[part->count];
  int rc = copy_answer(part->store, &part->reading.snapshot, (const uint8_t *)key.data, copy);
  if (rc < 0) {
    free(copy->heap);
    return rc == -ENOMEM ? rc : 0;
  }
  part->count++;
  part->bytes += copy->answer.record.len;
  part->full = part->count == PART_MOST || part->bytes >= PART_BYTES;
  return part->full;
}

/* One snapshot, that of the moment; the next goes on behind it. */
static int copy_part(struct part *part, struct pages_part *pages, uint8_t from[8], struct idem_error *error)
{
  struct reader *reader;
  part->count = 0;
  part->bytes = 0;
  part->full = false;
  batch_write_left(part->store);
  int rc = state_read(part->store, &reader, error);
  if (rc < 0)
    return rc;
  pages_read(&part->reading, &reader->snapshot);
  rc = pages_part(&part->reading.snapshot, PAGES_AGE, pages, copy_by_age, part);
  reader_end(reader);
  /* Before serial 0 there is none, and one less would be the last of all. */
  part->full &= !(pages->back && part->serial == 0);
  answer_index_age_key(pages->back ? part->serial - 1 : part->serial + 1, from);
  pages->from = (struct idem_span){(const char *)from, 8};
  return rc < 0 ? idem_error_set(error, rc, "no memory for an answer") : 0;
}

/* By the index of age. */
int idem_store_each(struct idem_store *store, enum idem_order order,
                    int (*visit)(void *arg, const struct idem_answer *answer), void *arg,
                    struct idem_error *error)
{
  struct part *part = calloc(1, sizeof(*part));
  struct pages_part pages = {.back = order == IDEM_NEWEST_FIRST};
  uint8_t from[8];
  int rc = 0;
  if (!part)
    return idem_error_set(error, -ENOMEM, "no memory");
  part->store = store;
  do {
    rc = copy_part(part, &pages, from, error);
    for (unsigned i = 0; i < part->count; i++) {
      if (rc == 0)
        rc = visit(arg, &part->copy[i].answer);
      free(part->copy[i].heap);
    }
  } while (rc == 0 && part->full);
  pages_read_end(&part->reading);
  free(part);
  return rc == 0 && pages.damaged
             ? idem_error_set(error, -EILSEQ, "%s: some of the store is damaged", store->dir)
             : rc;
}

/* By id. */

enum { LISTED_MOST = 4 };

/* The keys whose ids begin with what was asked for. */
struct search {
  const char *id;
  size_t id_len;
  uint8_t from[IDEM_KEY_SIZE]; /* the first key that the id could be */
  uint8_t found[IDEM_KEY_SIZE];
  unsigned count;
  char list[LISTED_MOST * (IDEM_ID_SIZE + 2)];
  bool claims; /* only those in flight count */
};

/* False if `id` cannot be the id of anything. */
static bool search_begin(struct search *search, const char *id)
{
  *search = (struct search){.id = id, .id_len = strlen(id)};
  if (!search->id_len || search->id_len > IDEM_ID_SIZE - 1)
    return false;
  for (size_t i = 0; i < search->id_len; i++) {
    int c = tolower((unsigned char)id[i]);
    if (!isxdigit(c))
      return false;
    int nibble = isdigit(c) ? c - '0' : c - 'a' + 10;
    /* Two digits a byte; an odd one at the end leaves the low half 0, where the keys that begin so start. */
    search->from[i / 2] |= (uint8_t)(nibble << (i % 2 ? 0 : 4));
  }
  return true;
}

/* False for a key that does not fit. One that stands in two places counts once. */
static bool search_note(struct search *search, const uint8_t *key, bool counts)
{
  char id[IDEM_ID_SIZE];
  record_id(key, id);
  if (strncasecmp(id, search->id, search->id_len) != 0)
    return false;
  if (!counts || (search->count && memcmp(search->found, key, IDEM_KEY_SIZE) == 0))
    return true;
  memcpy(search->found, key, IDEM_KEY_SIZE);
  if (search->count++ < LISTED_MOST) {
    size_t len = strlen(search->list);
    snprintf(search->list + len, sizeof(search->list) - len, "%s%s", len ? ", " : "", id);
  }
  return true;
}

/* The walk begins at the first key that fits and ends at the first that does not. */
static int search_visit(void *arg, struct idem_span key, struct idem_span value)
{
  struct search *search = arg;
  struct claim_record claim;
  if (key.len != IDEM_KEY_SIZE)
    return 0;
  bool counts = !search->claims || (claim_record_parse(value, &claim) == 0 && claim.state <= CLAIM_RELEASED);
  return !search_note(search, (const uint8_t *)key.data, counts);
}

/* None of them goes. */
static bool search_claim(void *arg, const uint8_t *key, const struct claim_record *record)
{
  search_note(arg, key, record->state <= CLAIM_RELEASED);
  return false;
}

/* Damage is only told where nothing was found: it may be in another part of the tree. */
static int search_tree(struct search *search, const struct reader *reader, enum pages_tree tree)
{
  struct idem_span from = {(const char *)search->from, sizeof(search->from)};
  search->claims = tree != PAGES_ANSWERS;
  int rc = pages_each(&reader->snapshot, tree, &from, search_visit, search);
  return rc == -EILSEQ && !search->count ? rc : 0;
}

/* 0 if there is exactly one. */
static int search_result(const struct search *search, struct idem_error *error)
{
  if (search->count == 0)
    return idem_error_set(error, -ENOENT, "%s: no such answer", search->id);
  if (search->count > 1)
    return idem_error_set(error, -ENOTUNIQ, "%s: could be any of %u answers: %s%s", search->id, search->count,
                          search->list, search->count > LISTED_MOST ? ", ..." : "");
  return 0;
}

/* A damaged answer is named as such here, and not passed over. */
int idem_store_show(struct idem_store *store, const char *id,
                    int (*visit)(void *arg, const struct idem_answer *answer), void *arg,
                    struct idem_error *error)
{
  struct search search;
  struct reader *reader;
  struct copy copy = {.heap = NULL};
  if (!search_begin(&search, id))
    return search_result(&search, error);
  batch_write_left(store);
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  rc = search_tree(&search, reader, PAGES_ANSWERS);
  if (rc == 0)
    rc = search_result(&search, error);
  if (rc == 0)
    rc = copy_answer(store, &reader->snapshot, search.found, &copy);
  reader_end(reader);
  if (rc == 0)
    rc = visit(arg, &copy.answer);
  else if (rc == -EILSEQ)
    idem_error_set(error, rc, "%s: the answer is damaged", id);
  free(copy.heap);
  return rc;
}

/* Removing. */

struct removing {
  struct idem_store *store;
  const uint8_t *key;
};

/* Answer and claim have the same key; each may be there without the other. */
static int remove_body(struct writer *writer, void *arg)
{
  const uint8_t *key = ((struct removing *)arg)->key;
  int rc = answer_index_drop(writer, key);
  if (rc == 0)
    rc = claim_record_drop(writer, key);
  return rc < 0 ? rc : writer_delete(writer, PAGES_OLD_OPS, key, IDEM_KEY_SIZE);
}

/* What could not be written before it is given to nobody either. */
static int remove_done(struct engine *engine, int rc, void *arg)
{
  const struct removing *removing = arg;
  (void)engine;
  if (rc >= 0)
    batch_drop(removing->store, removing->key);
  return 0;
}

/* Answers come before claims: who names an id means what `ls` shows. */
int idem_store_remove(struct idem_store *store, const char *id, struct idem_error *error)
{
  struct search search;
  struct reader *reader;
  if (!search_begin(&search, id))
    return search_result(&search, error);
  QUIET();
  batch_write_left(store);
  batch_flush(store);
  int rc = state_read(store, &reader, error);
  if (rc == 0) {
    rc = search_tree(&search, reader, PAGES_ANSWERS);
    if (rc == 0 && search.count == 0) {
      rc = search_tree(&search, reader, PAGES_OPS);
      if (store->claim_table)
        claim_table_sweep(store->claim_table, &store->claims_file, NULL, search_claim, &search);
    }
    if (rc == 0 && search.count == 0)
      rc = search_tree(&search, reader, PAGES_OLD_OPS);
    reader_end(reader);
    rc = rc < 0 ? idem_error_set(error, rc, "%s: the store is damaged", id) : search_result(&search, error);
  }
  /* A claim whose lock is taken is of a call under way, and its owner's to end. */
  if (rc == 0 && search.claims && claim_lock_taken(state_claims_fd(store), search.found) == 1)
    rc = idem_error_set(error, -EBUSY, "%s: the call is being made now", id);
  if (rc == 0 && store->fleet_api) {
    idem_fleet_limit limit = (int64_t)store->where->call_ms * 1000;
    idem_fleet_try_again(&store->stats->fleet);
    if (store->fleet_api->remove(store->fleet, &limit, search.found) < 0)
      rc = idem_error_set(error, -EHOSTUNREACH, "%s: nothing is removed, for the fleet %s is away: %s", id,
                          store->where->shown, store->fleet_api->problem(store->fleet));
  }
  struct removing removing = {store, search.found};
  const struct writer_job job = {.body = remove_body, .done = remove_done, .arg = &removing};
  if (rc == 0)
    rc = state_write_job(store, &job, error);
  if (rc == 0)
    claim_record_forget(store, search.found, UINT64_MAX);
  if (rc == 0)
    stats_wake(store->stats, search.found);
  return rc;
}
