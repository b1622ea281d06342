/* SPDX-License-Identifier: MIT */
/*
 * Names a call and decides what becomes of it.
 *
 * The short way is one lookup by the digest of the request's bytes, and one of the answer: no parsing, no
 * lock. Where that finds nothing, the request is named by what it says, and looked up again. If there is
 * still no answer, and other machines are known to have some, theirs is read. Then its claim is tried: who
 * gets it looks once more, for the last owner may have committed meanwhile, and then sends; who does not get
 * it follows.
 *
 * entry->call is always in a state that idem_store_leave() can end.
 */
#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/base/kept.h"
#include "store/call/call.h"
#include "store/call/drift.h"
#include "store/call/shared.h"
#include "store/judge/decode.h"
#include "store/key/key.h"
#include "store/records/answer_index.h"
#include "store/records/batch.h"
#include "store/records/claim_record.h"
#include "store/spool/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* NOT_YET is no verdict: nothing that may be served was found, go on deciding. */
enum { FRESH_MOST = 4096, NOT_YET = 1000 };

/* How many samples of one content a fleet is asked for: each is a round trip. */
enum { FRESH_ASKED = 16 };

/* One entry into the store, from enter() to its verdict. */
struct entry {
  struct idem_store *store;
  const struct idem_request *request;
  struct idem_call *call;
  struct idem_error *error;
  struct name *name;     /* the long way alone */
  struct idem_span left; /* the answer, while it is looked for where it waits for who can write */
  bool given_up;         /* BUSY: a copy of a process finishes it for whoever asks */
  unsigned passed;       /* as the call says */
};

/* An answer. */

/* A new snapshot, in place of the one that is pinned. A thread has one reader, so the old one ends first. */
static int pin(struct entry *entry)
{
  struct reader *reader = NULL;
  reader_end(entry->call->priv.reader);
  int rc = state_read(entry->store, &reader, entry->error);
  entry->call->priv.reader = rc == 0 ? reader : NULL;
  return rc;
}

/* The id is what people see of a key. */
static void use_key(struct entry *entry, const uint8_t *key)
{
  memcpy(entry->call->key, key, IDEM_KEY_SIZE);
  record_id(key, entry->call->id);
}

/* What nobody has got yet, the caller's wish for a new answer does not mean: a retry
 * is no read of a cache. */
static bool skips(const struct entry *entry)
{
  const struct idem_call *call = entry->call;
  return call->skip_answers ||
         (call->skip_delivered &&
          (call->answer.delivered || stats_was_replayed(entry->store->stats, call->answer.serial)));
}

/* What was stored for those who waited, and is past its time for everybody else. */
static bool is_for_waiters(const struct idem_answer *answer)
{
  return answer->expires_us == answer->stored_us;
}

static bool was_waited_for(const struct idem_call *call)
{
  return call->waited && is_for_waiters(&call->answer) && call->answer.stored_us >= call->priv.waited_us;
}

static enum answer_index_found look_up(struct entry *entry)
{
  struct idem_call *call = entry->call;
  uint64_t ttl_ms = entry->request->rule->ttl_ms;
  enum answer_index_found found =
      entry->left.data
          ? answer_index_read(entry->store, call->priv.reader, call->key, ttl_ms, entry->left, &call->answer)
          : answer_index_find(entry->store, call->priv.reader, call->key, ttl_ms, &call->answer);
  if (found == ANSWER_EXPIRED && was_waited_for(call))
    found = ANSWER_FRESH;
  else if (found == ANSWER_FRESH && skips(entry))
    return ANSWER_NONE;
  if (found != ANSWER_FRESH)
    return found;
  kept_give(call->priv.heap);
  if (answer_index_take(entry->store, call->priv.reader, &call->priv.heap, &call->answer) == 0)
    return ANSWER_FRESH;
  call_count(entry->store, call, COUNTED_DAMAGED, IDEM_COUNTER_damaged);
  return ANSWER_DAMAGED;
}

/* The verdict for another content under this key, or `otherwise` if the rule says that it does not matter. */
static int note_mismatch(struct entry *entry, int otherwise)
{
  struct idem_call *call = entry->call;
  call->mismatched = true;
  call_count(entry->store, call, COUNTED_MISMATCH, IDEM_COUNTER_mismatch);
  return entry->request->rule->mismatch == IDEM_MISMATCH_REPLAY ? otherwise : IDEM_MISMATCH;
}

/* The verdict of an answer that is there. */
static int settle_answer(struct entry *entry)
{
  const struct idem_call *call = entry->call;
  bool same = memcmp(call->answer.fingerprint, call->fingerprint, IDEM_KEY_SIZE) == 0;
  return same ? IDEM_HIT : note_mismatch(entry, IDEM_HIT);
}

/* HIT, MISMATCH, or NOT_YET when there is nothing that may be served. */
static int settle(struct entry *entry)
{
  struct idem_call *call = entry->call;
  enum answer_index_found found = look_up(entry);
  if (found == ANSWER_FRESH)
    return settle_answer(entry);
  if (found == ANSWER_EXPIRED && !is_for_waiters(&call->answer)) {
    call->expired = true;
    call_count(entry->store, call, COUNTED_EXPIRED, IDEM_COUNTER_expired);
  }
  return NOT_YET;
}

/* The key of the number that this call has of its content. */
static void number_and_key(struct entry *entry, const uint8_t *base)
{
  uint8_t key[IDEM_KEY_SIZE];
  key_of_repeat(base, entry->call->sequence, key);
  use_key(entry, key);
}

/* NULL: its record has not the texts as they were sent, or not in the open, so that they are named by what
 * need not be compared. */
static const uint8_t *text_secret(const struct entry *entry)
{
  const struct idem_request *request = entry->request;
  bool kept = !entry->store->sealed && !request->rule->redact.count && request->body.len <= RECORD_BODY_KEPT;
  return kept ? entry->store->text_secret : NULL;
}

static bool same_text(struct idem_span one, struct idem_span other)
{
  return one.len == other.len && (one.len == 0 || memcmp(one.data, other.data, one.len) == 0);
}

/* Whoever has made two texts of one name is given no answer by it. */
static bool has_texts(const struct idem_answer *answer, const struct idem_request *request)
{
  return same_text(answer->path, request->path) && answer->request_body_len == request->body.len &&
         same_text(answer->request_body, request->body);
}

/* The short cut of a request that is byte for byte the one that was sent. */
static int enter_by_raw(struct entry *entry)
{
  struct idem_call *call = entry->call;
  struct reader *reader = call->priv.reader;
  const struct answer_index_raw *named;
  const uint8_t *compared = text_secret(entry);
  key_raw(entry->store->secret, compared, entry->request, &reader->contexts, call->priv.raw);
  if (entry->request->rule->repeats == IDEM_REPEATS_FRESH ||
      !(named = answer_index_raw(reader, call->priv.raw)))
    return NOT_YET;
  call->sampled = named->sampled;
  int rc = call_take_number(entry->store, entry->request, call, named->base, entry->error);
  if (rc < 0)
    return rc;
  key_of_repeat(named->base, call->sequence, call->key);
  if (look_up(entry) != ANSWER_FRESH)
    return NOT_YET;
  /* Under a header's key or JSON fields the answer may be that of another content. */
  const struct record_head *head = record_head(call->answer.record);
  if (!head || memcmp(head->raw, call->priv.raw, IDEM_KEY_SIZE) != 0 ||
      (compared && !has_texts(&call->answer, entry->request)))
    return NOT_YET;
  memcpy(call->fingerprint, call->answer.fingerprint, IDEM_KEY_SIZE);
  memcpy(call->id, call->answer.id, sizeof(call->id));
  return IDEM_HIT;
}

/* A claim. */

/* True if somebody has sent `key`, and has not come to an end with it; whether it is alive, its lock says. */
static bool is_in_flight(struct entry *entry, const uint8_t *key, struct claim_record *claim)
{
  const struct reader *reader = entry->call->priv.reader;
  return claim_record_find(entry->store, &reader->snapshot, key, claim) == 0 &&
         claim->state == CLAIM_IN_FLIGHT;
}

/* Somebody sends this key now; is it the same content? Where that is not written down yet, it is taken to be:
 * the next round knows. */
static int settle_busy(struct entry *entry)
{
  struct claim_record claim;
  struct idem_call *call = entry->call;
  int verdict = IDEM_BUSY;
  bool known = pin(entry) == 0 && is_in_flight(entry, call->key, &claim);
  if (known && memcmp(claim.fingerprint, call->fingerprint, IDEM_KEY_SIZE) != 0)
    verdict = note_mismatch(entry, IDEM_BUSY);
  entry->given_up = known && claim.given_up;
  /* Who has the lock and has sent nothing may only be asking the fleet. */
  if (known)
    call->priv.fleet.elsewhere_us = 0;
  call_unpin(call);
  return verdict;
}

/* Somebody else has the claim, and is waited for no longer. Upstream is to see one operation: what has not
 * been sent yet has no record, and its key stands in its place alone. */
static int settle_beside(struct entry *entry, struct claim_begin *begin)
{
  struct idem_call *call = entry->call;
  char *upstream_key = begin->record.upstream_key;
  const struct owner *owner = owner_find(&entry->store->stats->owners, call->key);
  uint32_t number = owner ? atomic_load(&owner->number) : 0;
  char shown[OWNER_KEY + 1];
  int verdict = entry->request->rule->indoubt == IDEM_INDOUBT_FAIL ? IDEM_IN_DOUBT : IDEM_OWNED;
  call->beside = true;
  call->generation = 0;
  if (!begin->died && owner && owner_read_key(owner, number, shown))
    memcpy(upstream_key, shown, sizeof(shown));
  return begin->mismatched ? note_mismatch(entry, verdict) : verdict;
}

/* An answer that the app decodes itself may have to be judged in a copy of the process. */
static bool may_be_decoded_in_a_copy(const struct idem_request *request)
{
  static const char name[] = "accept-encoding:";
  bool asks = false;
  for (size_t i = 0; i < request->header_count && !asks; i++)
    asks = request->headers[i].len >= sizeof(name) &&
           strncasecmp(request->headers[i].data, name, sizeof(name) - 1) == 0;
  return asks && (request->rule->rescue_ms || request->rule->guard);
}

/* The claim is held. What was sent before us is judged, and that we send is written down: now, or by
 * idem_store_sent(). */
static int settle_owned(struct entry *entry)
{
  struct idem_call *call = entry->call;
  const struct idem_rule *rule = entry->request->rule;
  const struct reader *reader = call->priv.reader;
  const bool shared = call->priv.fleet.ours, resent = shared && call->resent;
  struct claim_begin begin = {.name = entry->name,
                              .key = call->key,
                              .indoubt = rule->indoubt,
                              .mismatch = rule->mismatch,
                              .judged = shared};
  int rc = claim_record_prepare(entry->store, &reader->snapshot, &begin);
  call->priv.last_serial = answer_index_last(&reader->snapshot);
  call->priv.before = begin.before;
  call->priv.flush =
      rule->indoubt == IDEM_INDOUBT_FAIL || call->honoured || (rule->inject && !rule->inject_auto);
  /* No snapshot is held while we wait for the lock that writes. */
  call_unpin(call);
  if (rc < 0)
    return rc;
  if (call->priv.beyond) {
    begin.verdict = (enum idem_verdict)settle_beside(entry, &begin);
  } else {
    /* Until we have sent, a follower would take it for ours. */
    if (begin.died)
      spool_remove(entry->store, call->key, begin.died);
    call->resent = begin.resent || resent;
    if (begin.mismatched)
      begin.verdict = (enum idem_verdict)note_mismatch(entry, begin.verdict);
  }
  memcpy(call->upstream_key, begin.record.upstream_key, sizeof(call->upstream_key));
  if (entry->store->fleet_api)
    shared_upstream_key(entry->store, call, call->upstream_key);
  if (call->resent || begin.verdict == IDEM_IN_DOUBT)
    call_count(entry->store, call, COUNTED_IN_DOUBT, IDEM_COUNTER_in_doubt);
  if (begin.verdict == IDEM_OWNED && !call->defers)
    rc = idem_store_sent(entry->store, call, entry->error);
  /* What could not be flushed stands there, and nobody leaves this call: it is not sent. */
  if (rc < 0 && rule->indoubt == IDEM_INDOUBT_FAIL) {
    struct claim claim = call_claim(call);
    claim_record_end(entry->store, &claim);
  }
  if (begin.verdict == IDEM_OWNED && rc == 0)
    call_show_owner(entry->store, call);
  if (may_be_decoded_in_a_copy(entry->request))
    decode_open();
  if (call->new_sample && begin.verdict == IDEM_OWNED)
    call_count(entry->store, call, COUNTED_NEW_SAMPLE, IDEM_COUNTER_new_sample);
  return rc < 0 ? rc : (int)begin.verdict;
}

/* Beyond owners that are waited for no longer, the first claim that is free; unless somebody else is out
 * beside them. */
static int take_claim(struct entry *entry)
{
  struct idem_call *call = entry->call;
  uint8_t lock[8];
  call->priv.beyond = entry->passed;
  call_lock_key(call, lock);
  if (entry->passed && claim_lock_taken(state_claims_fd(entry->store), lock) == 1)
    return -EAGAIN;
  for (call->priv.beyond = 0;; call->priv.beyond++) {
    call_lock_key(call, lock);
    int fd = claim_lock_take(&entry->store->claims_file, lock);
    if (fd != -EAGAIN || call->priv.beyond >= entry->passed)
      return fd;
  }
}

/* The fleet has the last word, where there is one and it can be asked. */
static int settle_shared(struct entry *entry)
{
  struct idem_call *call = entry->call;
  enum shared_answer said =
      call->priv.beyond ? SHARED_NONE : shared_claim(entry->store, entry->request, call, entry->error);
  switch (said) {
  case SHARED_HIT:
    return settle_answer(entry);
  case SHARED_BUSY:
    return call->mismatched ? note_mismatch(entry, IDEM_BUSY) : IDEM_BUSY;
  case SHARED_DOUBT:
    call_count(entry->store, call, COUNTED_IN_DOUBT, IDEM_COUNTER_in_doubt);
    return IDEM_IN_DOUBT;
  case SHARED_MISMATCH:
    return note_mismatch(entry, IDEM_MISMATCH);
  case SHARED_AWAY:
    if (entry->request->rule->indoubt == IDEM_INDOUBT_FAIL && entry->store->where->fails)
      return idem_error_set(entry->error, -EHOSTUNREACH, "the fleet %s is away", entry->store->where->shown);
    break;
  default:
    break;
  }
  /* What was here was unpinned before the fleet was asked. */
  int rc = call->priv.reader ? 0 : pin(entry);
  return rc < 0 ? rc : settle_owned(entry);
}

/* An owner that was killed while it committed may have written everything but the number of the last
 * transaction, which LMDB tells readers, and which lags behind by a flush of the disk. */
static bool may_be_hidden(const struct entry *entry)
{
  const struct reader *reader = entry->call->priv.reader;
  const struct pages_snapshot *snapshot = &reader->snapshot;
  struct claim_record claim;
  return pages_have_more(snapshot) &&
         claim_record_find(entry->store, snapshot, entry->call->key, &claim) == 0 &&
         claim.state == CLAIM_IN_FLIGHT;
}

static int write_nothing(struct writer *writer, void *arg)
{
  (void)writer;
  (void)arg;
  return -EALREADY;
}

/* LMDB finds the last transaction of a dead writer when the next one begins. */
static int settle_hidden(struct entry *entry)
{
  call_unpin(entry->call);
  (void)state_write(entry->store, write_nothing, NULL, NULL);
  int verdict = pin(entry);
  return verdict == 0 ? settle(entry) : verdict;
}

/* Its last owner may have committed since we looked, or left its answer to whoever writes next. That is
 * looked at first, so that what is not there any more is in the snapshot. */
static int settle_claimed(struct entry *entry)
{
  struct idem_call *call = entry->call;
  size_t len;
  char *left = batch_take_left(entry->store, call->key, &len);
  int verdict = pin(entry);
  if (verdict == 0)
    verdict = settle(entry);
  /* What is found has been copied, as out of the map. */
  if (verdict == NOT_YET && left) {
    entry->left = (struct idem_span){left, len};
    verdict = settle(entry);
    entry->left.data = NULL;
  }
  if (verdict == NOT_YET && may_be_hidden(entry))
    verdict = settle_hidden(entry);
  free(left);
  return verdict;
}

/* Who was there before the store was replaced ends there, and is followed there; whoever comes now goes
 * to what is there now. */
static int settle_replaced(struct entry *entry)
{
  uint8_t lock[8];
  entry->call->priv.beyond = 0;
  call_lock_key(entry->call, lock);
  if (!entry->passed && claim_lock_taken(state_claims_fd(entry->store), lock) == 1)
    return settle_busy(entry);
  return state_fail_replaced(entry->store, entry->error);
}

/* No claim is ever waited for: who does not get it at once follows, and comes back. */
static int claim_or_follow(struct entry *entry)
{
  struct idem_call *call = entry->call;
  /* Another machine has had it a moment ago, and nobody has said anything since. */
  if (shared_may_wait(entry->store, call))
    return IDEM_BUSY;
  if (!state_is_in_place(entry->store))
    return settle_replaced(entry);
  int fd = take_claim(entry);
  if (fd == -EAGAIN)
    return settle_busy(entry);
  call->priv.fleet.elsewhere_us = 0;
  /* In this moment. */
  if (fd < 0 && !state_is_in_place(entry->store))
    return settle_replaced(entry);
  if (fd < 0)
    return idem_error_set(entry->error, fd, "%s: cannot lock", entry->store->claims_file.path);
  call->priv.claim_fd = fd;
  int verdict = settle_claimed(entry);
  if (verdict == NOT_YET)
    verdict = settle_shared(entry);
  if (verdict == IDEM_BUSY) {
    call_drop_claim(entry->store, call);
  } else if (verdict != IDEM_OWNED) {
    if (call->priv.fleet.ours)
      shared_release(entry->store, call);
    call_free_claim(entry->store, call);
  }
  return verdict;
}

/* The same content under another key. */

/* True if the call is to be treated as the operation of that other key, which is now in call->key. */
static bool join_churn(struct entry *entry)
{
  struct idem_call *call = entry->call;
  const struct idem_rule *rule = entry->request->rule;
  struct reader *reader = call->priv.reader;
  struct claim_print print;
  struct claim_record claim;
  struct idem_answer answer;
  if (entry->name->kind != IDEM_KEY_HEADER ||
      claim_record_find_print(entry->store, &reader->snapshot, entry->name->print, &print) < 0 ||
      memcmp(print.key, call->key, IDEM_KEY_SIZE) == 0)
    return false;
  /* What has neither an answer nor an owner is history. */
  if (answer_index_find(entry->store, reader, print.key, rule->ttl_ms, &answer) != ANSWER_FRESH &&
      !is_in_flight(entry, print.key, &claim))
    return false;
  call->churned = true;
  call_count(entry->store, call, COUNTED_CHURN, IDEM_COUNTER_key_churn);
  if (rule->churn != IDEM_CHURN_JOIN || call->priv.repeat || rule->repeats == IDEM_REPEATS_FRESH)
    return false;
  use_key(entry, print.key);
  memcpy(call->priv.base, print.key, IDEM_KEY_SIZE);
  return true;
}

/* Deciding. */

/* An answer of another machine is read without a claim of this one, which only says who goes out. Those that
 * want no answer, or wait for one, ask by a claim, and what waits in the queue is had from there. */
static int read_shared(struct entry *entry)
{
  struct idem_call *call = entry->call;
  bool reads = !entry->passed && !call->waited && !call->skip_answers && !call->skip_delivered &&
               call->priv.repeats != IDEM_REPEATS_FRESH && shared_may_read(entry->store);
  return reads && !batch_has_left(entry->store, call->key) &&
                 shared_read(entry->store, entry->request, call, entry->error) == SHARED_HIT
             ? settle_answer(entry)
             : NOT_YET;
}

/* The wake word is read before the snapshot is taken: what ends in between wakes us. */
static int look_again(struct entry *entry)
{
  struct idem_call *call = entry->call;
  call->priv.wake = atomic_load(stats_wake_word(entry->store->stats, call->key));
  int rc = pin(entry);
  return rc < 0 ? rc : settle(entry);
}

/* The order matters: an answer under its own key comes before that of the same content under another. */
static int decide(struct entry *entry)
{
  struct idem_call *call = entry->call;
  batch_write_left_of(entry->store, call->key, call->priv.print);
  int verdict = look_again(entry);
  if (verdict == NOT_YET && join_churn(entry))
    verdict = look_again(entry);
  if (verdict == NOT_YET)
    drift_note(entry->store, entry->request, call, entry->name);
  if (verdict == NOT_YET)
    verdict = read_shared(entry);
  return verdict == NOT_YET ? claim_or_follow(entry) : verdict;
}

/* repeats=fresh: the first sample that nobody has got and nobody is getting. */
static int decide_fresh(struct entry *entry)
{
  struct idem_call *call = entry->call;
  const uint8_t *base = entry->name->base;
  struct claim_record record;
  int rc = pin(entry);
  if (rc < 0)
    return rc;
  const struct reader *reader = call->priv.reader;
  uint32_t n = claim_record_next(&reader->snapshot, base);
  for (int i = 0; i < FRESH_MOST; i++, n++) {
    call->sequence = n;
    number_and_key(entry, base);
    if (i == FRESH_ASKED)
      shared_ask_no_more(entry->store, call);
    /* Who is not waited for is not passed either. */
    entry->passed = 0;
    int verdict = decide(entry);
    entry->passed = call->passed;
    if (verdict == IDEM_BUSY && entry->given_up && entry->passed)
      verdict = claim_or_follow(entry);
    if (verdict == IDEM_HIT) {
      reader = call->priv.reader;
      bool delivered = call->answer.delivered ||
                       (reader && claim_record_read(&reader->snapshot, call->key, &record) == 0 &&
                        record.state == CLAIM_DELIVERED);
      if (!delivered)
        return verdict;
    } else if (verdict != IDEM_BUSY || entry->given_up) {
      /* A copy of a process finishes one that was given up for whoever asks. */
      return verdict;
    }
    call_unpin(call);
  }
  return idem_error_set(entry->error, -EBUSY, "repeats=fresh: more than %d identical calls at once",
                        FRESH_MOST);
}

/* The long way, by what the request says. */
static int enter_by_name(struct entry *entry)
{
  struct idem_call *call = entry->call;
  const struct name *name = entry->name;
  int rc = key_of_request(entry->store->secret, entry->request, entry->name);
  if (rc < 0)
    return rc == -ENOKEY    ? IDEM_NO_KEY
           : rc == -ENODATA ? IDEM_NO_TENANT
                            : idem_error_set(entry->error, rc, "cannot name the call: no memory");
  call->unread = name->unread;
  call->several_keys = name->several_keys;
  memcpy(call->fingerprint, name->fingerprint, IDEM_KEY_SIZE);
  memcpy(call->priv.tenant, name->tenant, IDEM_KEY_SIZE);
  memcpy(call->priv.print, name->print, IDEM_KEY_SIZE);
  call->priv.kind = name->kind;
  call->sampled = name->sampled;
  rc = call_take_number(entry->store, entry->request, call, name->base, entry->error);
  if (rc < 0)
    return rc;
  if (call->priv.repeats == IDEM_REPEATS_FRESH)
    return decide_fresh(entry);
  number_and_key(entry, name->base);
  return decide(entry);
}

/* The short way makes no call that could be cancelled, so only errno is kept there. What a round leaves
 * behind is reset here and not at its end, so that a call that is copied or abandoned does no harm. */
int idem_store_enter(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     struct idem_error *error)
{
  struct entry entry = {
      .store = store, .request = request, .call = call, .error = error, .passed = call->passed};
  int before = errno;
  call->mismatched = call->churned = call->expired = call->resent = call->unread = call->several_keys = false;
  call->drift[0] = '\0';
  call->given_up = call->unknown = call->no_answer = call->returns = false;
  call->priv.repeats = request->rule->repeats;
  call->beside = false;
  call->generation = 0;
  call->priv.claim_fd = -1;
  call->priv.owner = NULL;
  call->priv.committed = call->priv.recorded = call->priv.spool_failed = false;
  call->priv.reader = call->priv.heap = NULL;
  call->priv.pieces = 0;
  call->priv.fleet.ours = call->priv.fleet.left_near = call->fenced = false;
  call->fleet_event = NULL;
  if (store->fleet_api)
    shared_look(store, call);
  int verdict = pin(&entry);
  if (verdict == 0)
    verdict = enter_by_raw(&entry);
  if (verdict == NOT_YET) {
    QUIET();
    GATE_UNTIL(call->deadline_us);
    struct name name;
    call_unpin(call);
    entry.name = &name;
    verdict = enter_by_name(&entry);
  }
  call->priv.verdict = verdict;
  /* What an app does with it may take any time. */
  reader_unpin(call->priv.reader);
  if (verdict != IDEM_HIT) {
    if (verdict != IDEM_MISMATCH)
      call_unpin(call);
    if (!call->priv.reader)
      call->answer = (struct idem_answer){0};
    if (verdict < 0)
      call_settle_number(call, false);
    if (verdict == IDEM_BUSY && !call->waited) {
      call->waited = true;
      call->priv.waited_us = clock_now_us();
    }
  }
  errno = before;
  return verdict;
}
