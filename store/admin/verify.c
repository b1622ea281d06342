/* SPDX-License-Identifier: MIT */
/*
 * Reading everything, and saying what does not fit. Each tree has a check for its entries; a walk goes on
 * behind damage, so that all of it is found. Damaged is what cannot be read; a stray is an index that leads
 * nowhere, or an answer that is missing in one.
 */
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRESS_EVERY = 1024 };

/* What is told and counted while the trees are walked. */
struct verify {
  struct idem_store *store;
  struct idem_verify *out;
  struct reader *reader;
  pages_visit *check; /* of the tree that is walked; NULL: its entries say nothing by themselves */
  void (*found)(void *arg, const char *what);
  void (*progress)(void *arg, uint64_t done, uint64_t total);
  void *arg;
  uint64_t done, total;
};

/* Counts a finding and tells it. `key` may be NULL. */
static void tell(struct verify *verify, uint64_t *count, const char *what, const uint8_t *key,
                 const char *detail)
{
  char text[256], id[IDEM_ID_SIZE] = "";
  ++*count;
  if (key)
    record_id(key, id);
  snprintf(text, sizeof(text), "%s%s%s: %s", what, key ? " " : "", id, detail);
  if (verify->found)
    verify->found(verify->arg, text);
}

/* Most findings. */
static void tell_damage(struct verify *verify, const char *what, const uint8_t *key, const char *detail)
{
  tell(verify, &verify->out->damaged, what, key, detail);
}

/* True if an index has `name`, and it is this answer's. */
static bool leads_to(struct verify *verify, enum pages_tree tree, const uint8_t *name, size_t len,
                     const uint8_t *key)
{
  struct idem_span value;
  return pages_get(&verify->reader->snapshot, tree, name, len, &value) == 0 && value.len == IDEM_KEY_SIZE &&
         memcmp(value.data, key, IDEM_KEY_SIZE) == 0;
}

/* The first thing that is wrong is told. Indexes are looked up for what is sound alone. */
static int check_answer(void *arg, struct idem_span key, struct idem_span value)
{
  struct verify *verify = arg;
  struct idem_answer answer, opened;
  uint8_t age[8], expiry[16];
  const struct record_head *head = record_first(value);
  char *heap = head ? malloc(head->total) : NULL;
  struct idem_span record = {heap, heap ? head->total : 0};
  verify->out->answers++;
  verify->out->bytes += head ? head->total : value.len;
  const uint8_t *name = key.len == IDEM_KEY_SIZE ? (const uint8_t *)key.data : NULL;
  const char *damage = NULL;
  if (!name || !head)
    damage = "its record is damaged";
  else if (!heap)
    damage = "no memory to look at it";
  else if (parts_join(&verify->reader->snapshot, value, heap) < 0)
    damage = "a part of it is missing";
  else if (record_parse(record, &answer) < 0)
    damage = "its record is damaged";
  else if (!record_checksum_holds(record))
    damage = "its checksum is wrong";
  else if (memcmp(answer.key, name, IDEM_KEY_SIZE) != 0)
    damage = "its record belongs to another key";
  /* Last, for it decrypts all of it. It finds what somebody has changed on purpose, who makes the checksum
   * right as well. */
  else if (verify->store->sealed && record_open(heap, record.len, verify->store->seal_key, &opened) < 0)
    damage = "it has been changed since it was encrypted";
  free(heap);
  if (damage) {
    tell_damage(verify, "answer", name, damage);
    return 0;
  }
  answer_index_age_key(answer.serial, age);
  answer_index_expiry_key(answer.expires_us, answer.serial, expiry);
  if (!leads_to(verify, PAGES_AGE, age, sizeof(age), name))
    tell(verify, &verify->out->strays, "answer", name, "is not in the index by age; it will not be evicted");
  if (answer.expires_us != INT64_MAX && !leads_to(verify, PAGES_EXPIRY, expiry, sizeof(expiry), name))
    tell(verify, &verify->out->strays, "answer", name,
         "is not in the index by expiry; it will not be cleared out");
  return 0;
}

/* Of the indexes by age and by expiry. */
static int check_index(void *arg, struct idem_span name, struct idem_span key)
{
  struct verify *verify = arg;
  struct idem_span record;
  (void)name;
  if (key.len != IDEM_KEY_SIZE)
    tell_damage(verify, "index", NULL, "an entry has the wrong size");
  else if (pages_get(&verify->reader->snapshot, PAGES_ANSWERS, key.data, IDEM_KEY_SIZE, &record) == -ENOENT)
    tell(verify, &verify->out->strays, "index", (const uint8_t *)key.data,
         "leads to an answer that is not there");
  return 0;
}

/* It leads to a base key, which need not have an answer: repeats make other keys of it. That of 0.1 is the key
 * alone. */
static int check_raw(void *arg, struct idem_span raw, struct idem_span base)
{
  if (raw.len != IDEM_KEY_SIZE || (base.len != IDEM_KEY_SIZE && base.len != sizeof(struct answer_index_raw)))
    tell_damage(arg, "index", NULL, "an entry has the wrong size");
  return 0;
}

/* A claim without an answer is nothing wrong. */
static int check_claim(void *arg, struct idem_span key, struct idem_span value)
{
  struct claim_record claim;
  const uint8_t *name = key.len == IDEM_KEY_SIZE ? (const uint8_t *)key.data : NULL;
  if (!name || claim_record_parse(value, &claim) < 0)
    tell_damage(arg, "claim", name, "its record is damaged");
  return 0;
}

static int check_part(void *arg, struct idem_span name, struct idem_span part)
{
  struct verify *verify = arg;
  (void)part;
  if (!parts_is_needed(&verify->reader->snapshot, name))
    tell(verify, &verify->out->strays, "part", name.len >= IDEM_KEY_SIZE ? (const uint8_t *)name.data : NULL,
         "is of an answer that is not there");
  return 0;
}

/* Every entry of a tree, with the check that the tree has. Progress is not told at every one, for a terminal
 * is slower than a store. */
static int check_entry(void *arg, struct idem_span key, struct idem_span value)
{
  struct verify *verify = arg;
  if (++verify->done % PROGRESS_EVERY == 0 && verify->progress)
    verify->progress(verify->arg, verify->done, verify->total);
  return verify->check ? verify->check(verify, key, value) : 0;
}

/* One snapshot for all of it: commits that come meanwhile are not seen, and cannot look like damage. */
int idem_store_verify(struct idem_store *store, struct idem_verify *out,
                      void (*found)(void *arg, const char *what),
                      void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                      struct idem_error *error)
{
  static pages_visit *const checks[PAGES_TREES] = {
      [PAGES_ANSWERS] = check_answer, [PAGES_RAW] = check_raw,   [PAGES_AGE] = check_index,
      [PAGES_EXPIRY] = check_index,   [PAGES_OPS] = check_claim, [PAGES_OLD_OPS] = check_claim,
      [PAGES_PARTS] = check_part,
  };
  static const char detail[] = "some of its pages are damaged";
  struct verify verify = {.store = store, .out = out, .found = found, .progress = progress, .arg = arg};
  *out = (struct idem_verify){0};
  int rc = state_read(store, &verify.reader, error);
  if (rc < 0)
    return rc;
  const struct pages_snapshot *snapshot = &verify.reader->snapshot;
  for (unsigned i = 0; i < PAGES_TREES; i++)
    verify.total += snapshot->tree[i].entries;
  for (unsigned i = 0; i < PAGES_TREES; i++) {
    verify.check = checks[i];
    if (pages_each(snapshot, (enum pages_tree)i, NULL, check_entry, &verify) == -EILSEQ)
      tell_damage(&verify, pages_names[i], NULL, detail);
  }
  /* What no entry says: the tree that has the roots of the others, and whether a page of any is in the list
   * of free pages, too. */
  if (pages_check_main(snapshot) < 0)
    tell_damage(&verify, "main", NULL, detail);
  if (pages_check_all(snapshot) < 0)
    tell_damage(&verify, "free list", NULL, detail);
  if (progress)
    progress(arg, verify.done, verify.total);
  reader_end(verify.reader);
  return 0;
}
