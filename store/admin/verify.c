/* SPDX-License-Identifier: MIT */
/*
 * Reading everything, and saying what does not fit. Each tree has a check for its entries; a walk goes on
 * behind damage, so that all of it is found. Damaged is what cannot be read; a stray is an index that leads
 * nowhere, or an answer that is missing in one.
 */
#include "store/base/buffer.h"
#include "store/records/answer_index.h"
#include "store/records/batch.h"
#include "store/records/claim_record.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many entries are looked at in one snapshot, unless so much is to be told of them; and how long a
 * key of LMDB's may be. */
enum { BATCH_MOST = 1024, BATCH_TOLD = 1 << 16, KEY_MOST = 511 };

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
  struct buffer told; /* by the batch; lines, each with its end */
  unsigned looked;    /* at so many entries, by the batch */
  bool more;          /* it has ended before its tree */
  uint8_t next[KEY_MOST + 1];
  size_t next_len;
};

/* Counts a finding, which is told when its batch is over: to tell it may take any time. `key` may be NULL. */
static void tell(struct verify *verify, uint64_t *count, const char *what, const uint8_t *key,
                 const char *detail)
{
  char text[256], id[IDEM_ID_SIZE] = "";
  ++*count;
  if (key)
    record_id(key, id);
  snprintf(text, sizeof(text), "%s%s%s: %s", what, key ? " " : "", id, detail);
  buffer_add(&verify->told, text, strlen(text) + 1);
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
  uint8_t age[8];
  if (key.len != IDEM_KEY_SIZE || name.len < sizeof(age)) {
    tell_damage(verify, "index", NULL, "an entry has the wrong size");
    return 0;
  }
  int rc = pages_get(&verify->reader->snapshot, PAGES_ANSWERS, key.data, IDEM_KEY_SIZE, &record);
  const struct record_head *head = rc == 0 ? record_first(record) : NULL;
  if (head)
    answer_index_age_key(head->serial, age);
  if (rc == -ENOENT)
    tell(verify, &verify->out->strays, "index", (const uint8_t *)key.data,
         "leads to an answer that is not there");
  else if (head && memcmp(name.data + name.len - sizeof(age), age, sizeof(age)) != 0)
    tell(verify, &verify->out->strays, "index", (const uint8_t *)key.data,
         "leads to an answer that has another place in it");
  return 0;
}

/* It leads to a base key, which need not have an answer: repeats make other keys of it. That of
 * 0.1 is the key alone. */
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

/* Keys ascend, unless their tree is damaged; behind one that leads back the batch goes on, so
 * that it comes to an end. */
static bool goes_on_behind(struct verify *verify, struct idem_span key)
{
  int order = memcmp(key.data, verify->next, key.len < verify->next_len ? key.len : verify->next_len);
  if (key.len > KEY_MOST || order < 0 || (order == 0 && key.len < verify->next_len))
    return false;
  memcpy(verify->next, key.data, key.len);
  verify->next[key.len] = 0;
  verify->next_len = key.len + 1;
  return true;
}

/* Every entry of a tree, with the check that the tree has. */
static int check_entry(void *arg, struct idem_span key, struct idem_span value)
{
  struct verify *verify = arg;
  verify->done++;
  int rc = verify->check ? verify->check(verify, key, value) : 0;
  bool enough = ++verify->looked >= BATCH_MOST || verify->told.len >= BATCH_TOLD;
  verify->more = rc == 0 && enough && goes_on_behind(verify, key);
  return rc ? rc : verify->more;
}

static void tell_all(struct verify *verify)
{
  for (size_t at = 0; at < verify->told.len; at += strlen(verify->told.data + at) + 1)
    if (verify->found)
      verify->found(verify->arg, verify->told.data + at);
  if (verify->progress)
    verify->progress(verify->arg, verify->done, verify->done > verify->total ? verify->done : verify->total);
  verify->told.len = 0;
}

static const char in_pages[] = "some of its pages are damaged";

/* In batches, each in a snapshot of its own: an entry and what it belongs to are of one commit, so that
 * commits which come meanwhile cannot look like damage, and they find room. */
static int check_tree(struct verify *verify, enum pages_tree tree, struct idem_error *error)
{
  struct pages_part part = {.back = false};
  verify->next_len = 0;
  do {
    int rc = state_read(verify->store, &verify->reader, error);
    if (rc < 0)
      return rc;
    verify->more = false;
    verify->looked = 0;
    part.from = (struct idem_span){verify->next_len ? (const char *)verify->next : NULL, verify->next_len};
    pages_part(&verify->reader->snapshot, tree, &part, check_entry, verify);
    reader_end(verify->reader);
    if (!verify->more && part.damaged)
      tell_damage(verify, pages_names[tree], NULL, in_pages);
    tell_all(verify);
  } while (verify->more);
  return 0;
}

/* What no entry says: the tree that has the roots of the others, and whether a page of any is in the list of
 * free pages, too. That is of one snapshot, and of branches and leaves alone. */
static int check_pages(struct verify *verify, struct idem_error *error)
{
  int rc = state_read(verify->store, &verify->reader, error);
  if (rc < 0)
    return rc;
  if (pages_check_main(&verify->reader->snapshot) < 0)
    tell_damage(verify, "main", NULL, in_pages);
  if (pages_check_all(&verify->reader->snapshot) < 0)
    tell_damage(verify, "free list", NULL, in_pages);
  reader_end(verify->reader);
  tell_all(verify);
  return 0;
}

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
  struct verify verify = {.store = store, .out = out, .found = found, .progress = progress, .arg = arg};
  *out = (struct idem_verify){0};
  batch_write_left(store);
  int rc = state_read(store, &verify.reader, error);
  if (rc < 0)
    return rc;
  for (unsigned i = 0; i < PAGES_TREES; i++)
    verify.total += verify.reader->snapshot.tree[i].entries;
  reader_end(verify.reader);
  for (unsigned i = 0; i < PAGES_TREES && rc == 0; i++) {
    verify.check = checks[i];
    rc = check_tree(&verify, (enum pages_tree)i, error);
  }
  if (rc == 0)
    rc = check_pages(&verify, error);
  free(verify.told.data);
  return rc;
}
