/* SPDX-License-Identifier: MIT */
/* Reading everything, and saying what does not fit. */
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRESS_EVERY = 1024 };

struct verify {
  struct idem_store *store;
  struct idem_verify *out;
  struct reader *reader;
  struct engine *engine;
  void (*found)(void *arg, const char *what);
  void (*progress)(void *arg, uint64_t done, uint64_t total);
  void *arg;
  uint64_t done, total;
};

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

static void step(struct verify *verify)
{
  if (++verify->done % PROGRESS_EVERY == 0 && verify->progress)
    verify->progress(verify->arg, verify->done, verify->total);
}

static bool leads_to(struct verify *verify, enum pages_tree tree, const uint8_t *name, size_t len,
                     const uint8_t *key)
{
  struct idem_span value;
  return reader_get(verify->reader, tree, name, len, &value) == 0 && value.len == IDEM_KEY_SIZE &&
         memcmp(value.data, key, IDEM_KEY_SIZE) == 0;
}

static void check_indexes(struct verify *verify, const struct idem_answer *answer)
{
  uint8_t age[8], expiry[16];
  answer_index_age_key(answer->serial, age);
  answer_index_expiry_key(answer->expires_us, answer->serial, expiry);
  if (!leads_to(verify, PAGES_AGE, age, sizeof(age), answer->key))
    tell(verify, &verify->out->strays, "answer", answer->key,
         "is not in the index by age; it will not be evicted");
  if (answer->expires_us != INT64_MAX && !leads_to(verify, PAGES_EXPIRY, expiry, sizeof(expiry), answer->key))
    tell(verify, &verify->out->strays, "answer", answer->key,
         "is not in the index by expiry; it will not be cleared out");
}

static bool opens(struct verify *verify, struct idem_span record, struct idem_answer *answer)
{
  void *heap = NULL;
  if (!verify->store->sealed)
    return true;
  int rc = record_open(record, verify->store->seal_key, &heap, answer);
  free(heap);
  return rc == 0;
}

static int check_answer(void *arg, struct idem_span key, struct idem_span record)
{
  struct verify *verify = arg;
  struct idem_answer answer;
  step(verify);
  verify->out->answers++;
  verify->out->bytes += record.len;
  const uint8_t *name = key.len == IDEM_KEY_SIZE ? (const uint8_t *)key.data : NULL;
  if (!name || record_parse(record, verify->reader->spare, sizeof(verify->reader->spare), &answer) < 0)
    tell(verify, &verify->out->damaged, "answer", name, "its record is damaged");
  else if (!record_checksum_holds(record))
    tell(verify, &verify->out->damaged, "answer", name, "its checksum is wrong");
  else if (memcmp(answer.key, name, IDEM_KEY_SIZE) != 0)
    tell(verify, &verify->out->damaged, "answer", name, "its record belongs to another key");
  else if (!opens(verify, record, &answer))
    tell(verify, &verify->out->damaged, "answer", name, "it has been changed since it was encrypted");
  else
    check_indexes(verify, &answer);
  return 0;
}

static int check_index(void *arg, struct idem_span name, struct idem_span key)
{
  struct verify *verify = arg;
  struct idem_span record;
  (void)name;
  step(verify);
  if (key.len != IDEM_KEY_SIZE)
    tell(verify, &verify->out->damaged, "index", NULL, "an entry has the wrong size");
  else if (reader_get(verify->reader, PAGES_ANSWERS, key.data, IDEM_KEY_SIZE, &record) == -ENOENT)
    tell(verify, &verify->out->strays, "index", (const uint8_t *)key.data,
         "leads to an answer that is not there");
  return 0;
}

static int check_raw(void *arg, struct idem_span raw, struct idem_span base)
{
  struct verify *verify = arg;
  step(verify);
  if (raw.len != IDEM_KEY_SIZE || base.len != IDEM_KEY_SIZE)
    tell(verify, &verify->out->damaged, "index", NULL, "an entry has the wrong size");
  return 0;
}

static int check_claim(void *arg, struct idem_span key, struct idem_span value)
{
  struct verify *verify = arg;
  struct op op;
  step(verify);
  if (key.len != IDEM_KEY_SIZE || claim_record_parse(value, &op) < 0)
    tell(verify, &verify->out->damaged, "claim", key.len == IDEM_KEY_SIZE ? (const uint8_t *)key.data : NULL,
         "its record is damaged");
  return 0;
}

static int check_nothing(void *arg, struct idem_span key, struct idem_span value)
{
  (void)key;
  (void)value;
  step(arg);
  return 0;
}

static void check_trees(struct verify *verify)
{
  static pages_visit *const checks[PAGES_TREES] = {
      [PAGES_META] = check_nothing,   [PAGES_ANSWERS] = check_answer, [PAGES_RAW] = check_raw,
      [PAGES_AGE] = check_index,      [PAGES_EXPIRY] = check_index,   [PAGES_OPS] = check_claim,
      [PAGES_PRINTS] = check_nothing, [PAGES_SEEN] = check_nothing};
  struct pages *pages = engine_pages(verify->engine);
  const struct pages_snapshot *snapshot = &verify->reader->snapshot;
  for (unsigned i = 0; i < PAGES_TREES; i++)
    if (reader_each(verify->reader, (enum pages_tree)i, NULL, checks[i], verify) == -EILSEQ)
      tell(verify, &verify->out->damaged, pages_names[i], NULL, "some of its pages are damaged");
  if (pages_check_main(pages, snapshot) < 0)
    tell(verify, &verify->out->damaged, "main", NULL, "some of its pages are damaged");
  if (pages_check_free(pages, snapshot) < 0)
    tell(verify, &verify->out->damaged, "free list", NULL, "some of its pages are damaged");
}

int idem_store_verify(struct idem_store *store, struct idem_verify *out,
                      void (*found)(void *arg, const char *what),
                      void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                      struct idem_error *error)
{
  struct verify verify = {.store = store, .out = out, .found = found, .progress = progress, .arg = arg};
  int rc = -EIO;
  *out = (struct idem_verify){0};
  verify.engine = store_engine(store, &rc, error);
  if (!verify.engine || (rc = engine_begin(verify.engine, &verify.reader, error)) < 0)
    return rc;
  for (unsigned i = 0; i < PAGES_TREES; i++)
    verify.total += verify.reader->snapshot.tree[i].entries;
  check_trees(&verify);
  if (progress)
    progress(arg, verify.done, verify.total);
  engine_end(verify.reader);
  return 0;
}
