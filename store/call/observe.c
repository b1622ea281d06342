/* SPDX-License-Identifier: MIT */
/*
 * observe mode: what would have been saved, without saving it. A call takes no claim and gives no answer; of
 * its answer some numbers are kept, under its key. Among identical calls it is numbered as it would be if we
 * stored them, so that what is promised is what will be saved.
 */
#include "store/base/clock.h"
#include "store/call/account.h"
#include "store/call/call.h"
#include "store/judge/judge.h"
#include "store/judge/model.h"
#include "store/key/key.h"
#include "store/records/answer_index.h"
#include "store/records/batch.h"
#include "store/records/record.h"

#include <errno.h>
#include <string.h>

/* That a call has been answered. The expiry comes first: it is all that cleaning up needs. */
struct seen {
  int64_t expires_us, stored_us;
  struct idem_usage usage;
  uint64_t body_len;
  uint32_t duration_ms, counted; /* whether its tokens have been, for a provider bills them once */
  uint8_t fingerprint[IDEM_KEY_SIZE];
};

/* A note of another size is of another version, and none. */
static bool is_valid(const struct pages_snapshot *snapshot, const uint8_t *key, struct seen *seen)
{
  struct idem_span value;
  *seen = (struct seen){0};
  if (pages_get(snapshot, PAGES_SEEN, key, IDEM_KEY_SIZE, &value) == 0 && value.len == sizeof(*seen))
    memcpy(seen, value.data, sizeof(*seen));
  return seen->expires_us > clock_now_us();
}

/* For the body of the transaction. */
struct note {
  const uint8_t *key;
  struct seen seen;
  bool stored; /* it is of an answer of the store, and need not be there */
};

/* 1: another one was faster, or its note is gone. */
static int count_body(struct writer *writer, void *arg)
{
  struct note *note = arg;
  struct seen before;
  bool noted = is_valid(&writer->before, note->key, &before);
  if (noted ? before.counted : !note->stored)
    return 1;
  if (noted)
    note->seen = before;
  note->seen.counted = 1;
  return writer_put(writer, PAGES_SEEN, note->key, IDEM_KEY_SIZE, &note->seen, sizeof(note->seen));
}

static void add(struct idem_store *store, enum idem_counter counter, int64_t n)
{
  if (n > 0)
    stats_add(store->stats, stats_shard(), counter, (uint64_t)n);
}

/* An answer that another mode has stored. */
static bool is_stored(struct idem_store *store, struct reader *reader, const struct idem_request *request,
                      const struct idem_call *call, struct seen *seen)
{
  struct idem_answer answer;
  if (answer_index_find(store, reader, call->key, request->rule->ttl_ms, &answer) != ANSWER_FRESH)
    return false;
  *seen = (struct seen){.expires_us = answer.expires_us,
                        .stored_us = answer.stored_us,
                        .usage = answer.usage,
                        .body_len = answer.body.len,
                        .duration_ms = answer.duration_ms};
  memcpy(seen->fingerprint, answer.fingerprint, IDEM_KEY_SIZE);
  return true;
}

/* What it would have saved stands in the call's answer, with the tokens where they
 * would have been counted. */
static int would_hit(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     struct idem_error *error)
{
  struct reader *reader;
  struct note note = {.key = call->key};
  batch_write_left_of(store, call->key, NULL);
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  bool noted = is_valid(&reader->snapshot, call->key, &note.seen);
  note.stored = !noted && is_stored(store, reader, request, call, &note.seen);
  reader_end(reader);
  if (!noted && !note.stored)
    return 0;
  /* Another content under its key. */
  if (memcmp(note.seen.fingerprint, call->fingerprint, IDEM_KEY_SIZE) != 0 &&
      request->rule->mismatch != IDEM_MISMATCH_REPLAY)
    return 0;
  struct idem_usage usage = {-1, -1};
  if (!note.seen.counted && state_write(store, count_body, &note, NULL) == 0) {
    struct model asked;
    usage = note.seen.usage;
    /* What is asked stands in no file of an encrypted store. */
    stats_would_save(store->stats,
                     store->sealed ? (struct idem_span){"", 0} : model_asked_for(request, &asked), &usage);
  }
  call->answer = (struct idem_answer){.duration_ms = note.seen.duration_ms, .usage = usage};
  add(store, IDEM_COUNTER_would_hit, 1);
  add(store, IDEM_COUNTER_ms_would_save, note.seen.duration_ms);
  add(store, IDEM_COUNTER_input_tokens_would_save, usage.input);
  add(store, IDEM_COUNTER_output_tokens_would_save, usage.output);
  return 1;
}

/* An answer that is there would have been given, and stays as long as it would have. */
static int note_body(struct writer *writer, void *arg)
{
  const struct note *note = arg;
  struct seen before;
  if (is_valid(&writer->before, note->key, &before))
    return 1;
  return writer_put(writer, PAGES_SEEN, note->key, IDEM_KEY_SIZE, &note->seen, sizeof(note->seen));
}

/* Judged as an answer is: what would not have been stored would not have been replayed. */
static int note_answer(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                       const struct idem_recording *recording, struct idem_error *error)
{
  struct answer_facts facts;
  bool accepted = judge_answer(request, recording, &facts, error);
  account_take(store, call, request, &facts.usage, accepted);
  call->no_answer = !accepted && !facts.unproven;
  if (!accepted)
    return 0;
  int64_t now = clock_now_us();
  struct note note = {.key = call->key,
                      .seen = {.expires_us = clock_expiry_us(now, request->rule->ttl_ms),
                               .stored_us = now,
                               .usage = facts.usage,
                               .body_len = recording->body.len,
                               .duration_ms = recording->duration_ms}};
  memcpy(note.seen.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  int rc = state_write(store, note_body, &note, error);
  return rc < 0 ? rc : 0;
}

/* repeats=fresh gives no answer to a second app, so nothing is promised there. */
int idem_store_observe(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                       const struct idem_recording *recording, struct idem_error *error)
{
  QUIET();
  GATE_UNTIL(call->deadline_us);
  struct name name;
  call->priv.verdict = IDEM_OWNED;
  int rc = key_of_request(store->secret, request, &name);
  if (rc < 0)
    return idem_error_set(error, rc,
                          rc == -ENOKEY    ? "the rule's key is not in this request"
                          : rc == -ENODATA ? "the rule's tenant is not in this request"
                                           : "no memory");
  call->sampled = name.sampled;
  rc = call_take_number(store, request, call, name.base, error);
  if (rc < 0)
    return rc;
  key_of_repeat(name.base, call->sequence, call->key);
  memcpy(call->fingerprint, name.fingerprint, IDEM_KEY_SIZE);
  record_id(call->key, call->id);
  if (recording)
    return note_answer(store, request, call, recording, error);
  rc = request->rule->repeats == IDEM_REPEATS_FRESH ? 0 : would_hit(store, request, call, error);
  if (rc == 0 && call->new_sample)
    call_count(store, call, COUNTED_NEW_SAMPLE, IDEM_COUNTER_new_sample);
  return rc;
}
