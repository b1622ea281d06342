/* SPDX-License-Identifier: MIT */
/*
 * Judges what the live call gave, and stores it: the answer, its indexes, and the end of its claim in one
 * transaction, so that whoever comes next finds either the claim or the answer. Room is made before.
 */
#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/call/account.h"
#include "store/call/shared.h"
#include "store/json/json_pointer.h"
#include "store/judge/judge.h"
#include "store/key/content.h"
#include "store/key/key.h"
#include "store/records/answer_index.h"
#include "store/records/batch.h"
#include "store/records/evict.h"
#include "store/records/later.h"
#include "store/records/outbox.h"
#include "store/records/parts.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NOT_HELD   "this process does not hold the claim; it was taken before a fork"
#define FENCED_OFF "a later owner has taken the operation over"

/* A line as it was sent; the app's spelling of names is kept, for people. */
static void add_header(void *text, struct idem_span name, struct idem_span value)
{
  buffer_span(text, name);
  buffer_text(text, ": ");
  buffer_span(text, value);
  buffer_text(text, "\r\n");
}

/* Without the piece that is a credential. */
static void add_query(struct buffer *text, struct idem_span query)
{
  struct idem_span piece;
  bool credential, first = true;
  while (key_query_next(&query, &piece, &credential)) {
    if (credential)
      continue;
    buffer_text(text, first ? "" : "&");
    buffer_span(text, piece);
    first = false;
  }
}

/* All of a commit. One that is gathered is on the heap, in call->priv.commit until idem_store_committed()
 * frees it; its draft points into itself, and to the request and the recording of the caller. */
struct commit {
  struct call_commit in_call; /* first */
  struct idem_store *store;
  struct idem_call *call;
  struct batch_own own;
  struct buffer headers, query, origin, body;
  struct idem_answer answer;
  struct record_draft draft;
  int shared;                  /* with the fleet: as shared_commit() says */
  bool joined;                 /* by those who wait for a job: it is no answer to others */
  bool committed, marked;      /* as those of call->priv will be */
  bool is_unshared;            /* the fleet will be told of it later */
  bool is_later;               /* it is with the thread that writes, */
  struct idem_request request; /* of one that is gathered, for another store */
  struct idem_recording recording;
  struct later later;
  int verdict; /* which has this of it, */
  bool delivered;
};

/* and the end of its call, where that has waited long enough. */
struct kept {
  struct commit commit; /* first */
  struct idem_call left;
};

/* Nothing is copied but what has to be put together: spans go from the caller into the record. */
static void draft_answer(struct commit *commit, const struct idem_request *request,
                         const struct idem_recording *recording, const struct answer_facts *facts)
{
  const struct idem_call *call = commit->call;
  int64_t now = clock_now_us();
  key_headers(request, HEADER_VARY, commit->call->priv.kind != IDEM_KEY_CONTENT, add_header,
              &commit->headers);
  add_query(&commit->query, request->query);
  struct idem_span body = request->body;
  /* Without what the rule's redact= points to; nothing of one in which that cannot be found. */
  if (request->rule->redact.count && body.len)
    body = json_redact(&commit->body, body, &request->rule->redact)
               ? (struct idem_span){commit->body.data, commit->body.len}
               : (struct idem_span){"", 0};
  buffer_span(&commit->origin, request->origin);
  if (request->trust.len) {
    buffer_text(&commit->origin, " trust:");
    buffer_span(&commit->origin, request->trust);
  }
  commit->answer = (struct idem_answer){
      .started_us = recording->started_us,
      .stored_us = now,
      .expires_us = facts->job ? now : clock_expiry_us(now, request->rule->ttl_ms),
      .duration_ms = recording->duration_ms,
      .status = (uint16_t)recording->status,
      .event_stream = facts->event_stream,
      .delivered = recording->delivered,
      .sequence = call->sequence,
      .usage = facts->usage,
      .headers = recording->headers,
      .body = recording->body,
      .chunks = recording->chunks,
      .chunk_count = recording->chunk_count,
      .facts = recording->facts,
      .method = request->method,
      .origin = {commit->origin.data, commit->origin.len},
      .path = request->path,
      .query = {commit->query.data, commit->query.len},
      .scope = request->scope,
      .request_headers = {commit->headers.data, commit->headers.len},
      .request_body = body,
      .request_body_len = request->body.len,
      .key_kind = call->priv.kind,
  };
  memcpy(commit->answer.key, call->key, IDEM_KEY_SIZE);
  memcpy(commit->answer.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  memcpy(commit->answer.tenant, call->priv.tenant, IDEM_KEY_SIZE);
  commit->draft = (struct record_draft){.answer = &commit->answer,
                                        .raw = call->priv.raw,
                                        .print = call->priv.print,
                                        .base = call->priv.base,
                                        .sampled = call->sampled,
                                        .generation = call->generation,
                                        .epoch = call->priv.fleet.fence.epoch,
                                        .key = commit->store->sealed ? commit->store->seal_key : NULL};
}

/* The claim is looked at here, by who holds its lock. */
static void draft_write(struct commit *commit)
{
  struct idem_store *store = commit->store;
  const struct idem_call *call = commit->call;
  struct claim claim = call_claim(call);
  bool fresh = call->priv.repeats == IDEM_REPEATS_FRESH;
  struct batch_write *write = &commit->own.write;
  *write = (struct batch_write){.version = BATCH_VERSION,
                                .generation = call->generation,
                                .last_serial = call->priv.last_serial,
                                .sequence = call->sequence,
                                .durable = store->sync};
  commit->own.answer = &commit->answer;
  commit->own.draft = &commit->draft;
  write->flags = (call->beside ? BATCH_BESIDE : 0) | (call->sampled ? BATCH_SAMPLED : 0) |
                 (fresh && commit->answer.delivered ? BATCH_DELIVERED : 0) |
                 (claim_record_stands(store, &claim) ? BATCH_STANDS : 0);
  memcpy(write->key, call->key, IDEM_KEY_SIZE);
  memcpy(write->base, call->priv.base, IDEM_KEY_SIZE);
  memcpy(commit->own.print, call->priv.print, IDEM_KEY_SIZE);
}

/* Beside us somebody may have stored an answer, which is kept. */
static bool has_answer(struct idem_store *store, const struct idem_call *call)
{
  struct reader *reader;
  bool has = true;
  if (state_read(store, &reader, NULL) < 0)
    return true;
  has = answer_index_is_later(&reader->snapshot, call->key, call->priv.last_serial);
  reader_end(reader);
  return has;
}

/* With SYNC=off most commits of a burst are left, to be written several at a time: a transaction for each
 * would be most of what a call costs. Whoever looks for one asks the queue first (records/batch.h), and what
 * the store has must not be in its way there: so it is the first of its key, and of a claim of this machine
 * alone. What does not last is written before it expires. */
static bool leave_to_next(struct commit *commit)
{
  enum { LASTS_US = 60000000 };
  struct idem_store *store = commit->store;
  const struct idem_call *call = commit->call;
  if (store->sync || !store->leave_us)
    return false;
  uint32_t life = process_generation();
  int64_t now = clock_steady_us(), last = atomic_exchange(&store->committed_us, now);
  bool soon = atomic_exchange(&store->committed_life, life) == life && now - last < store->leave_us;
  uint64_t size = record_size(&commit->draft);
  bool plain = !store->fleet_api && !commit->joined && !call->priv.before &&
               (commit->own.write.flags | BATCH_SAMPLED) == (BATCH_STANDS | BATCH_SAMPLED) &&
               call->priv.kind != IDEM_KEY_HEADER && call->priv.repeats != IDEM_REPEATS_FRESH &&
               commit->answer.expires_us - commit->answer.stored_us >= LASTS_US;
  return soon && plain && size <= PARTS_SIZE && !has_answer(store, call) &&
         evict_may_have(store, size, NULL) == 0 && batch_leave(store, &commit->own);
}

static int commit_write(struct commit *commit, struct idem_error *why)
{
  if (leave_to_next(commit))
    return IDEM_STORED;
  return record_size(&commit->draft)
             ? batch_commit_with_room(commit->store, &commit->own, why)
             : idem_error_set(why, -EFBIG, "the answer is larger than a record can be");
}

/* How it ends, whenever it is written, and in whatever thread. */
static int commit_end(struct commit *commit, int rc)
{
  free(commit->headers.data);
  free(commit->query.data);
  free(commit->origin.data);
  free(commit->body.data);
  commit->marked = rc == IDEM_STORED && commit->own.write.flags & BATCH_DELIVERED;
  if (rc < 0 && commit->shared == 1)
    rc = IDEM_STORED;
  /* One that is waited for no longer is stored later. */
  commit->is_unshared = commit->own.write.flags & BATCH_UNSHARED && (rc == IDEM_STORED || rc == -ETIMEDOUT);
  if (commit->is_unshared)
    outbox_tell(commit->store);
  if (commit->own.write.flags & BATCH_UNSHARED && rc == IDEM_STORED)
    stats_add(commit->store->stats, stats_shard(), IDEM_COUNTER_fleet_unshared, 1);
  if (rc == IDEM_STORED && commit->own.serial)
    stats_forget_replay(commit->store->stats, commit->own.serial);
  /* Superseded counts as committed for leave(): the record is the later owner's, and must not be released. */
  commit->committed = rc == IDEM_STORED || rc == IDEM_SUPERSEDED;
  return rc == IDEM_STORED && commit->joined ? IDEM_REFUSED : rc;
}

static void settle(const struct commit *commit, struct idem_call *call)
{
  call->priv.committed = commit->committed;
  call->priv.marked = commit->marked;
  /* Nobody else is to pay for what the outbox will tell. */
  if (commit->is_unshared)
    call->priv.fleet.ours = false;
}

static void count(struct idem_store *store, const uint8_t *key, int rc, bool committed)
{
  if (committed)
    stats_wake(store->stats, key);
  stats_add(store->stats, stats_shard(), rc == IDEM_STORED ? IDEM_COUNTER_stored : IDEM_COUNTER_not_stored,
            1);
}

static struct commit *commit_of(struct later *later)
{
  return (struct commit *)(void *)((char *)later - offsetof(struct commit, later));
}

/* Those who follow need not wait until the app turns its multi again. */
static void on_written(struct later *later)
{
  struct commit *commit = commit_of(later);
  commit->verdict = commit_end(commit, commit->own.verdict);
  count(commit->store, commit->own.write.key, commit->verdict, commit->committed);
}

static void commit_free(struct commit *commit)
{
  free((char *)(uintptr_t)commit->own.record.data);
  free(commit);
}

/* Its claim is held up to here: whoever comes next finds it or the answer. */
static void on_left(struct later *later)
{
  struct commit *commit = commit_of(later);
  struct idem_call *call = &((struct kept *)(void *)commit)->left;
  settle(commit, call);
  idem_store_leave(commit->store, call, commit->delivered);
  commit_free(commit);
}

static bool leave(struct idem_call *call, bool delivered)
{
  struct commit *commit = call->priv.commit;
  struct idem_call *left = &((struct kept *)(void *)commit)->left;
  call->priv.commit = NULL;
  if (!commit->is_later)
    return false;
  *left = *call;
  left->deadline_us = 0;
  commit->delivered = delivered;
  if (!later_leave(&commit->later, on_left)) {
    settle(commit, call);
    commit_free(commit);
    return false;
  }
  call->priv.claim_fd = -1;
  call->priv.owner = NULL;
  call->priv.repeat = NULL;
  return true;
}

static int end(struct commit *commit, int rc)
{
  rc = commit_end(commit, rc);
  settle(commit, commit->call);
  return rc;
}

/* It goes to the others that end in this turn. False without memory or room: it is written at once. The
 * copy's pointers to itself are set anew. */
static bool gather(struct commit *commit, const struct idem_request *request,
                   const struct idem_recording *recording)
{
  struct idem_call *call = commit->call;
  int64_t least_us = clock_steady_us() + GATE_PATIENCE_MS * 1000;
  struct idem_gather *gathered = call->gather;
  uint64_t need = gathered ? record_size(&commit->draft) : 0;
  bool may_wait = gathered && gathered->written && commit->store->sync;
  struct commit *kept =
      need && (may_wait || need <= BATCH_WITHIN) && evict_may_have(commit->store, need, NULL) == 0
          ? malloc(sizeof(struct kept))
          : NULL;
  if (!kept)
    return false;
  if (may_wait && call->deadline_us && call->deadline_us < least_us)
    call->deadline_us = least_us;
  *kept = *commit;
  kept->in_call.leave = leave;
  kept->request = *request;
  kept->recording = *recording;
  call->priv.commit = kept;
  kept->draft.answer = kept->own.answer = &kept->answer;
  kept->own.draft = &kept->draft;
  kept->own.next = NULL;
  kept->later = (struct later){.store = commit->store,
                               .own = &kept->own,
                               .deadline_us = call->deadline_us,
                               .written = on_written,
                               .done = gathered->written,
                               .arg = gathered->arg};
  kept->is_later = may_wait && later_add(&kept->later);
  if (kept->is_later)
    return true;
  if (need > BATCH_WITHIN) {
    call->priv.commit = NULL;
    free(kept);
    return false;
  }
  *(gathered->first ? &gathered->last->next : &gathered->first) = &kept->own;
  gathered->last = &kept->own;
  return true;
}

/* What costs nothing is looked at first, the whole body after that, and the store last. */
static int commit_answer(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                         const struct idem_recording *recording, struct idem_error *why)
{
  struct commit commit = {.store = store, .call = call, .shared = -EAGAIN};
  struct answer_facts facts;
  if (!claim_lock_held(&store->claims_file, call->key, &call->priv.claim_fd)) {
    idem_error_set(why, 0, NOT_HELD);
    return IDEM_SUPERSEDED;
  }
  if (record_chunks_len(recording->chunks, recording->chunk_count) != recording->body.len)
    return idem_error_set(why, -EINVAL, "the chunks do not add up to the body");
  bool accepted = judge_answer(request, recording, &facts, why);
  account_take(store, call, request, &facts.usage, accepted);
  call->unproven = facts.unproven;
  call->no_answer = !accepted && !facts.unproven;
  /* A job is joined while it is in flight: who waits for it has it from a record that is
   * past its time already. */
  commit.joined = facts.job && call->priv.owner && atomic_load(&call->priv.owner->waited);
  if (!accepted && !commit.joined)
    return IDEM_REFUSED;
  draft_answer(&commit, request, recording, &facts);
  draft_write(&commit);
  if (commit.headers.failed || commit.query.failed || commit.origin.failed || commit.body.failed)
    return end(&commit, idem_error_set(why, -ENOMEM, "no memory"));
  /* The fleet first: what it does not take is nobody's. What cannot be kept here is kept there. */
  if (call->priv.fleet.ours && accepted)
    commit.shared = shared_commit(store, call, &commit.draft, request->rule->ttl_ms);
  if (commit.shared == 0)
    return end(&commit, IDEM_SUPERSEDED);
  if (store->fleet_api && accepted && commit.shared < 0 && commit.shared != -EMSGSIZE &&
      !store->where->read_only)
    commit.own.write.flags |= BATCH_UNSHARED;
  return gather(&commit, request, recording) ? IDEM_GATHERED : end(&commit, commit_write(&commit, why));
}

/* One that could not be stored, too: it may be where there is a store. */
static int follow_store(const struct idem_store *store, const struct idem_call *call,
                        const struct idem_request *request, const struct idem_recording *recording, int rc,
                        struct idem_error *why)
{
  bool answered = rc == IDEM_STORED || rc < 0;
  return answered && !state_is_in_place(store)
             ? call_commit_to_successor(store, call, request, recording, why)
             : rc;
}

static int tell(struct idem_store *store, struct idem_call *call, int rc, struct idem_error *why)
{
  if (rc == IDEM_GATHERED)
    return rc;
  if (rc == IDEM_SUPERSEDED && why && !why->text[0])
    idem_error_set(why, 0, FENCED_OFF);
  call->priv.committed |= rc == IDEM_SUPERSEDED;
  count(store, call->key, rc, call->priv.committed);
  return rc;
}

int idem_store_commit(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                      const struct idem_recording *recording, struct idem_error *why)
{
  QUIET();
  GATE_UNTIL(call->deadline_us);
  int rc = tell(store, call, commit_answer(store, call, request, recording, why), why);
  call->unstored = batch_unstored(store);
  return follow_store(store, call, request, recording, rc, why);
}

/* A child has no thread that would write it, and no claim. */
static int end_later(struct idem_call *call, bool wait, struct idem_error *why)
{
  struct commit *commit = call->priv.commit;
  const struct later *later = &commit->later;
  if (wait)
    later_wait(later);
  else
    later_start();
  if (!later_is_done(later))
    return !call->deadline_us || clock_steady_us() < call->deadline_us
               ? IDEM_GATHERED
               : idem_error_set(why, -ETIMEDOUT,
                                "it is not on the disk, and not safe yet, at the end of the call's timeout "
                                "(the answer is stored when that goes on)");
  int rc = later_is_of_parent(later) ? IDEM_SUPERSEDED : commit->verdict;
  if (rc == IDEM_SUPERSEDED)
    idem_error_set(why, 0, later_is_of_parent(later) ? NOT_HELD : FENCED_OFF);
  else if (rc < 0 && why)
    *why = later->error;
  settle(commit, call);
  call->unstored = batch_unstored(commit->store);
  rc = follow_store(commit->store, call, &commit->request, &commit->recording, rc, why);
  call->priv.commit = NULL;
  commit_free(commit);
  return rc;
}

/* The first that is asked for writes all. What went wrong for all of them is tried again for each. */
int idem_store_committed(struct idem_store *store, struct idem_call *call, bool wait, struct idem_error *why)
{
  QUIET();
  GATE_UNTIL(call->deadline_us);
  struct commit *commit = call->priv.commit;
  call->unstored = NULL;
  if (!commit) {
    idem_error_set(why, 0, "it was left at the end of its thread");
    return IDEM_REFUSED;
  }
  if (commit->is_later)
    return end_later(call, wait, why);
  call->priv.commit = NULL;
  struct batch_own *first = call->gather->first;
  call->gather->first = NULL;
  if (first)
    batch_commit_all(store, first, NULL);
  int rc = end(commit, commit->own.done ? commit->own.verdict : commit_write(commit, why));
  call->unstored = batch_unstored(store);
  rc = follow_store(store, call, &commit->request, &commit->recording, tell(store, call, rc, why), why);
  commit_free(commit);
  return rc;
}

void idem_store_rest(void)
{
  QUIET();
  later_rest();
}
