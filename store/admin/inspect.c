/* SPDX-License-Identifier: MIT */
/*
 * Looking at answers one by one, for the command. What is damaged is passed over by a list, and said of an
 * answer that was asked for. An id is the beginning of a key in hexadecimal digits, so those that begin alike
 * lie side by side in the tree.
 */
#include "store/base/claim_lock.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a visitor of entries needs to show an answer. */
struct look {
  struct idem_store *store;
  struct reader *reader;
  int (*visit)(void *arg, const struct idem_answer *answer);
  void *arg;
};

/* Returns what the visitor returns; 0 for an answer that cannot be shown. */
static int visit_answer(struct look *look, const uint8_t *key, struct idem_span record)
{
  struct idem_answer answer;
  void *heap = NULL;
  if (record_parse(record, look->reader->spare, sizeof(look->reader->spare), &answer) < 0 ||
      memcmp(answer.key, key, IDEM_KEY_SIZE) != 0 || !record_checksum_holds(record))
    return 0;
  int rc = look->store->sealed ? record_open(record, look->store->seal_key, &heap, &answer) : 0;
  if (rc < 0)
    return rc == -ENOMEM ? rc : 0;
  rc = look->visit(look->arg, &answer);
  free(heap);
  return rc;
}

/* An index entry whose answer has gone is passed over; verify calls it a stray. */
static int visit_by_age(void *arg, struct idem_span age, struct idem_span key)
{
  struct look *look = arg;
  struct idem_span record;
  (void)age;
  if (key.len != IDEM_KEY_SIZE ||
      pages_get(&look->reader->snapshot, PAGES_ANSWERS, key.data, IDEM_KEY_SIZE, &record) < 0)
    return 0;
  return visit_answer(look, (const uint8_t *)key.data, record);
}

/* By the index of age, so that the oldest comes first. */
int idem_store_each(struct idem_store *store, int (*visit)(void *arg, const struct idem_answer *answer),
                    void *arg, struct idem_error *error)
{
  struct look look = {.store = store, .visit = visit, .arg = arg};
  int rc = state_read(store, &look.reader, error);
  if (rc < 0)
    return rc;
  rc = pages_each(&look.reader->snapshot, PAGES_AGE, NULL, visit_by_age, &look);
  reader_end(look.reader);
  return rc == -EILSEQ ? idem_error_set(error, rc, "%s: some of the store is damaged", store->dir) : rc;
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
    search->from[i / 2] |= (uint8_t)(nibble << (i % 2 ? 0 : 4));
  }
  return true;
}

/* The walk begins at the first key that fits and ends at the first that does not. */
static int search_visit(void *arg, struct idem_span key, struct idem_span value)
{
  struct search *search = arg;
  char id[IDEM_ID_SIZE];
  struct claim_record claim;
  if (key.len != IDEM_KEY_SIZE)
    return 0;
  record_id((const uint8_t *)key.data, id);
  if (strncasecmp(id, search->id, search->id_len) != 0)
    return 1;
  if (search->claims && (claim_record_parse(value, &claim) < 0 || claim.state > CLAIM_RELEASED))
    return 0;
  memcpy(search->found, key.data, IDEM_KEY_SIZE);
  if (search->count++ < LISTED_MOST) {
    size_t len = strlen(search->list);
    snprintf(search->list + len, sizeof(search->list) - len, "%s%s", len ? ", " : "", id);
  }
  return 0;
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

/* The checksum is looked at here, too, so that a damaged answer is named as such and not passed over. */
int idem_store_show(struct idem_store *store, const char *id,
                    int (*visit)(void *arg, const struct idem_answer *answer), void *arg,
                    struct idem_error *error)
{
  struct look look = {.store = store, .visit = visit, .arg = arg};
  struct search search;
  struct idem_span record;
  if (!search_begin(&search, id))
    return search_result(&search, error);
  int rc = state_read(store, &look.reader, error);
  if (rc < 0)
    return rc;
  rc = search_tree(&search, look.reader, PAGES_ANSWERS);
  if (rc == 0)
    rc = search_result(&search, error);
  if (rc == 0)
    rc = pages_get(&look.reader->snapshot, PAGES_ANSWERS, search.found, IDEM_KEY_SIZE, &record);
  if (rc == 0 && !record_checksum_holds(record))
    rc = -EILSEQ;
  if (rc == 0)
    rc = visit_answer(&look, search.found, record);
  reader_end(look.reader);
  return rc == -EILSEQ ? idem_error_set(error, rc, "%s: the answer is damaged", id) : rc;
}

/* Removing. */

/* Answer and claim have the same key; each may be there without the other. */
static int remove_body(struct writer *writer, void *key)
{
  int rc = answer_index_drop(writer, key, NULL);
  if (rc == 0)
    rc = writer_delete(writer, PAGES_OPS, key, IDEM_KEY_SIZE);
  return rc < 0 ? rc : writer_delete(writer, PAGES_OLD_OPS, key, IDEM_KEY_SIZE);
}

/* Answers come before claims: who names an id means what `ls` shows. */
int idem_store_remove(struct idem_store *store, const char *id, struct idem_error *error)
{
  struct search search;
  struct reader *reader;
  if (!search_begin(&search, id))
    return search_result(&search, error);
  QUIET();
  int rc = state_read(store, &reader, error);
  if (rc == 0) {
    rc = search_tree(&search, reader, PAGES_ANSWERS);
    if (rc == 0 && search.count == 0)
      rc = search_tree(&search, reader, PAGES_OPS);
    if (rc == 0 && search.count == 0)
      rc = search_tree(&search, reader, PAGES_OLD_OPS);
    reader_end(reader);
    rc = rc < 0 ? idem_error_set(error, rc, "%s: the store is damaged", id) : search_result(&search, error);
  }
  if (rc == 0 && search.claims && claim_lock_taken(state_claims_fd(store), search.found) == 1)
    rc = idem_error_set(error, -EBUSY, "%s: the call is being made now", id);
  if (rc == 0)
    rc = state_write(store, remove_body, search.found, error);
  if (rc == 0)
    stats_wake(store->stats, search.found);
  return rc;
}
