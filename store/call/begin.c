/* SPDX-License-Identifier: MIT */
/* Naming a call and deciding what becomes of it. */
#include "store/base/claim_lock.h"
#include "store/call/call.h"
#include "store/key/key.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH_MOST = 4096, NOT_YET = 1000 };

struct entry {
  struct idem_store *store;
  struct engine *engine;
  const struct idem_request *request;
  struct idem_call *call;
  struct idem_error *error;
  struct name *name; /* the long way alone */
  bool given_up;     /* BUSY: a copy of a process finishes it for whoever asks */
};

/* An answer. */

/* A new snapshot, in place of the one that is pinned. */
static int pin(struct entry *entry)
{
  struct reader *reader;
  engine_end(entry->call->priv.reader);
  entry->call->priv.reader = NULL;
  int rc = engine_begin(entry->engine, &reader, entry->error);
  if (rc == 0)
    entry->call->priv.reader = reader;
  return rc;
}

static void use_key(struct entry *entry, const uint8_t *key)
{
  memcpy(entry->call->key, key, IDEM_KEY_SIZE);
  record_id(key, entry->call->id);
}

/* An encrypted answer is served from memory. */
static enum answer_index_found open_answer(struct entry *entry)
{
  struct idem_call *call = entry->call;
  free(call->priv.heap);
  if (record_open(call->answer.record, entry->store->seal_key, &call->priv.heap, &call->answer) == 0)
    return ANSWER_FRESH;
  call_count(entry->store, call, COUNTED_DAMAGED, IDEM_COUNTER_damaged);
  return ANSWER_DAMAGED;
}

static enum answer_index_found look_up(struct entry *entry)
{
  struct idem_call *call = entry->call;
  enum answer_index_found found = answer_index_find(entry->store, call->priv.reader, call->key,
                                                    entry->request->rule->ttl_ms, &call->answer);
  return entry->store->sealed && found == ANSWER_FRESH ? open_answer(entry) : found;
}

static int note_mismatch(struct entry *entry, int otherwise)
{
  struct idem_call *call = entry->call;
  call->mismatched = true;
  call_count(entry->store, call, COUNTED_MISMATCH, IDEM_COUNTER_mismatch);
  return entry->request->rule->mismatch == IDEM_MISMATCH_REPLAY ? otherwise : IDEM_MISMATCH;
}

/* HIT, MISMATCH, or NOT_YET when there is nothing that may be served. */
static int settle(struct entry *entry)
{
  struct idem_call *call = entry->call;
  switch (look_up(entry)) {
  case ANSWER_FRESH:
    if (memcmp(call->answer.fingerprint, call->fingerprint, IDEM_KEY_SIZE) != 0)
      return note_mismatch(entry, IDEM_HIT);
    return IDEM_HIT;
  case ANSWER_EXPIRED:
    call->expired = true;
    call_count(entry->store, call, COUNTED_EXPIRED, IDEM_COUNTER_expired);
    return NOT_YET;
  default:
    return NOT_YET;
  }
}

/* repeats=sequence: the number of this call, the same over its rounds. */
static int take_number(struct entry *entry, const uint8_t *base)
{
  struct idem_call *call = entry->call;
  uint32_t number;
  if (call->priv.ticket && memcmp(call->priv.base, base, IDEM_KEY_SIZE) != 0)
    call_give_back(entry->store, call);
  if (!call->priv.ticket) {
    int rc = repeats_take(&entry->store->repeats, base, &number);
    if (rc < 0)
      return idem_error_set(entry->error, rc, "no memory");
    memcpy(call->priv.base, base, IDEM_KEY_SIZE);
    call->priv.ticket = (uint64_t)number + 1;
  }
  call->sequence = (uint32_t)(call->priv.ticket - 1);
  return 0;
}

static int number_and_key(struct entry *entry, const uint8_t *base)
{
  uint8_t key[IDEM_KEY_SIZE];
  enum idem_repeats repeats = entry->request->rule->repeats;
  int rc = repeats == IDEM_REPEATS_SEQUENCE ? take_number(entry, base) : 0;
  if (rc < 0)
    return rc;
  key_of_repeat(repeats, base, entry->call->sequence, key);
  use_key(entry, key);
  return 0;
}

/* The short cut of a request that is byte for byte the one that was sent. */
static int enter_by_raw(struct entry *entry)
{
  struct idem_call *call = entry->call;
  struct reader *reader = call->priv.reader;
  struct idem_span base;
  key_raw(entry->store->secret, entry->request, &reader->named, call->priv.raw);
  if (entry->request->rule->repeats == IDEM_REPEATS_FRESH ||
      reader_get(reader, PAGES_RAW, call->priv.raw, IDEM_KEY_SIZE, &base) < 0 || base.len != IDEM_KEY_SIZE)
    return NOT_YET;
  int rc = number_and_key(entry, (const uint8_t *)base.data);
  if (rc < 0)
    return rc;
  if (look_up(entry) != ANSWER_FRESH || !record_is_of(call->answer.record, call->priv.raw))
    return NOT_YET;
  memcpy(call->fingerprint, call->answer.fingerprint, IDEM_KEY_SIZE);
  return IDEM_HIT;
}

/* A claim. */

/* Somebody sends this key now; is it the same content? */
static int settle_busy(struct entry *entry)
{
  struct op op;
  struct idem_call *call = entry->call;
  int verdict = IDEM_BUSY;
  bool known = pin(entry) == 0 && claim_record_read(call->priv.reader, call->key, &op) == 0 &&
               op.state == CLAIM_IN_FLIGHT;
  if (known && memcmp(op.fingerprint, call->fingerprint, IDEM_KEY_SIZE) != 0)
    verdict = note_mismatch(entry, IDEM_BUSY);
  entry->given_up = known && op.given_up;
  call_unpin(call);
  return verdict;
}

/* The claim is held. What was sent before us is judged, and that we send is written down: now, or by
 * idem_store_sent(). */
static int settle_owned(struct entry *entry)
{
  struct idem_call *call = entry->call;
  const struct idem_rule *rule = entry->request->rule;
  struct claim_record_begin begin = {
      .name = entry->name, .key = call->key, .indoubt = rule->indoubt, .mismatch = rule->mismatch};
  int rc = call->defers ? claim_record_prepare(call->priv.reader, &begin) : 0;
  call_unpin(call);
  if (!call->defers)
    rc = claim_record_begin(entry->engine, &begin, entry->error);
  if (rc < 0)
    return rc;
  /* Until we have sent, a follower would take it for ours. */
  if (begin.died)
    spool_remove(entry->store, call->key, begin.died);
  call->resent = begin.resent;
  call->generation = begin.op.generation;
  call->priv.recorded = !call->defers;
  stats_forget_follower(entry->store->stats, call->key);
  memcpy(call->upstream_key, begin.op.upstream_key, sizeof(call->upstream_key));
  if (begin.mismatched)
    begin.verdict = (enum idem_verdict)note_mismatch(entry, begin.verdict);
  if (begin.resent || begin.verdict == IDEM_IN_DOUBT)
    call_count(entry->store, call, COUNTED_IN_DOUBT, IDEM_COUNTER_in_doubt);
  return (int)begin.verdict;
}

static int claim_or_follow(struct entry *entry)
{
  struct idem_call *call = entry->call;
  int fd = claim_take(entry->store->claims_path, call->key);
  if (fd == -EAGAIN)
    return settle_busy(entry);
  if (fd < 0)
    return idem_error_set(entry->error, fd, "%s: cannot lock", entry->store->claims_path);
  call->priv.claim_fd = fd;
  /* Its last owner may have committed since we looked. */
  int verdict = pin(entry);
  if (verdict == 0)
    verdict = settle(entry);
  if (verdict == NOT_YET)
    verdict = settle_owned(entry);
  if (verdict != IDEM_OWNED)
    call_free_claim(entry->store, call);
  return verdict;
}

/* The same content under another key. */

/* True if `key` has an answer, or is being sent. */
static bool is_alive(struct entry *entry, const uint8_t *key)
{
  struct idem_answer answer;
  struct op op;
  struct reader *reader = entry->call->priv.reader;
  if (answer_index_find(entry->store, reader, key, entry->request->rule->ttl_ms, &answer) == ANSWER_FRESH)
    return true;
  return claim_record_read(reader, key, &op) == 0 && op.state == CLAIM_IN_FLIGHT;
}

/* True if the call is to be treated as the operation of that other key, which is now in call->key. */
static bool join_churn(struct entry *entry)
{
  struct idem_call *call = entry->call;
  const struct idem_rule *rule = entry->request->rule;
  struct idem_span value;
  struct print print;
  if (entry->name->kind != IDEM_KEY_HEADER ||
      reader_get(call->priv.reader, PAGES_PRINTS, entry->name->print, IDEM_KEY_SIZE, &value) < 0 ||
      print_parse(value, &print) < 0 || memcmp(print.key, call->key, IDEM_KEY_SIZE) == 0 ||
      !is_alive(entry, print.key))
    return false;
  call->churned = true;
  call_count(entry->store, call, COUNTED_CHURN, IDEM_COUNTER_key_churn);
  if (rule->churn != IDEM_CHURN_JOIN || rule->repeats != IDEM_REPEATS_REPLAY)
    return false;
  use_key(entry, print.key);
  memcpy(call->priv.base, print.key, IDEM_KEY_SIZE);
  return true;
}

/* Deciding. */

/* The wake word is read before the snapshot is taken: what ends in between wakes us. */
static int look_again(struct entry *entry)
{
  struct idem_call *call = entry->call;
  call->priv.wake = atomic_load(stats_wake_word(entry->store->stats, call->key));
  int rc = pin(entry);
  return rc < 0 ? rc : settle(entry);
}

static int decide(struct entry *entry)
{
  int verdict = look_again(entry);
  if (verdict == NOT_YET && join_churn(entry))
    verdict = look_again(entry);
  return verdict == NOT_YET ? claim_or_follow(entry) : verdict;
}

static bool was_delivered(struct entry *entry)
{
  struct op mark;
  struct idem_call *call = entry->call;
  return call->answer.delivered ||
         (claim_record_read(call->priv.reader, call->key, &mark) == 0 && mark.state == CLAIM_DELIVERED);
}

/* repeats=fresh: the first sample that nobody has got and nobody is getting. */
static int decide_fresh(struct entry *entry)
{
  struct idem_call *call = entry->call;
  struct op counter;
  int rc = pin(entry);
  if (rc < 0)
    return rc;
  bool known = claim_record_read(call->priv.reader, entry->name->base, &counter) == 0 &&
               counter.state == CLAIM_COUNTER;
  uint32_t n = known ? counter.next : 0;
  for (int i = 0; i < FRESH_MOST; i++, n++) {
    call->sequence = n;
    call->priv.ticket = (uint64_t)n + 1;
    number_and_key(entry, entry->name->base);
    int verdict = decide(entry);
    bool other = verdict == IDEM_BUSY && !entry->given_up;
    if (!other && (verdict != IDEM_HIT || !was_delivered(entry)))
      return verdict;
    call_unpin(call);
  }
  return idem_error_set(entry->error, -EBUSY, "repeats=fresh: more than %d identical calls at once",
                        FRESH_MOST);
}

static int enter_by_name(struct entry *entry)
{
  struct idem_call *call = entry->call;
  int rc = key_of_request(entry->store->secret, entry->request, entry->name);
  if (rc < 0)
    return rc == -ENOKEY ? IDEM_NO_KEY : idem_error_set(entry->error, rc, "cannot name the call: no memory");
  memcpy(call->fingerprint, entry->name->fingerprint, IDEM_KEY_SIZE);
  memcpy(call->priv.tenant, entry->name->tenant, IDEM_KEY_SIZE);
  memcpy(call->priv.print, entry->name->print, IDEM_KEY_SIZE);
  call->priv.kind = entry->name->kind;
  if (entry->request->rule->repeats != IDEM_REPEATS_SEQUENCE)
    memcpy(call->priv.base, entry->name->base, IDEM_KEY_SIZE);
  if (entry->request->rule->repeats == IDEM_REPEATS_FRESH)
    return decide_fresh(entry);
  rc = number_and_key(entry, entry->name->base);
  return rc < 0 ? rc : decide(entry);
}

static int enter_slowly(struct entry *entry)
{
  struct quiet quiet = quiet_begin();
  struct name name;
  entry->name = &name;
  int verdict = enter_by_name(entry);
  quiet_end(&quiet);
  return verdict;
}

static void end_entry(struct entry *entry, int verdict)
{
  struct idem_call *call = entry->call;
  call->priv.verdict = verdict;
  if (verdict == IDEM_HIT)
    return;
  if (verdict != IDEM_MISMATCH)
    call_unpin(call);
  if (!call->priv.reader)
    call->answer = (struct idem_answer){0};
  if (verdict < 0)
    call_give_back(entry->store, call);
  if (verdict == IDEM_BUSY)
    call->waited = true;
}

static void begin_round(struct idem_call *call, const struct idem_request *request)
{
  call->mismatched = call->churned = call->expired = call->resent = false;
  call->priv.repeats = request->rule->repeats;
  call->priv.claim_fd = -1;
  call->priv.committed = call->priv.recorded = call->given_up = call->unknown = false;
  call->priv.reader = call->priv.heap = NULL;
  call->priv.pieces = 0;
  call->priv.spool_failed = false;
  call->sequence = 0;
}

int idem_store_enter(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     struct idem_error *error)
{
  int before = errno, verdict = -EIO;
  struct engine *engine = store_engine(store, &verdict, error);
  if (!engine)
    return verdict;
  struct entry entry = {.store = store, .engine = engine, .request = request, .call = call, .error = error};
  begin_round(call, request);
  verdict = pin(&entry);
  if (verdict == 0)
    verdict = enter_by_raw(&entry);
  if (verdict == NOT_YET)
    verdict = enter_slowly(&entry);
  end_entry(&entry, verdict);
  errno = before;
  return verdict;
}
