/* SPDX-License-Identifier: MIT */
#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/call/call.h"
#include "store/judge/judge.h"
#include "store/key/content.h"
#include "store/key/key.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"
#include "store/records/evict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A commit that finds the map full makes room and tries again. */
enum { COMMIT_TRIES = 3, TIDY_MOST = 8 };

/* A growing text; `failed` once there is no memory. */
struct text {
  char *data;
  size_t len, room;
  bool failed;
};

static void text_add(struct text *text, const char *data, size_t len)
{
  if (text->failed)
    return;
  if (text->len + len > text->room) {
    size_t room = 2 * (text->len + len) + 64;
    char *grown = realloc(text->data, room);
    text->failed = !grown;
    if (!grown)
      return;
    text->data = grown;
    text->room = room;
  }
  if (len)
    memcpy(text->data + text->len, data, len);
  text->len += len;
}

static void add_header(void *text, struct idem_span name, struct idem_span value)
{
  text_add(text, name.data, name.len);
  text_add(text, ": ", 2);
  text_add(text, value.data, value.len);
  text_add(text, "\r\n", 2);
}

static void add_query(struct text *text, struct idem_span query)
{
  struct idem_span piece;
  bool credential, first = true;
  while (name_query_next(&query, &piece, &credential)) {
    if (credential)
      continue;
    if (!first)
      text_add(text, "&", 1);
    text_add(text, piece.data, piece.len);
    first = false;
  }
}

struct commit {
  struct idem_store *store;
  const struct idem_call *call;
  const struct idem_request *request;
  const struct idem_recording *recording;
  struct text headers, query;
  struct idem_answer answer;
  struct record_draft draft;
};

static int64_t expiry_of(int64_t now, uint64_t ttl_ms)
{
  return ttl_ms >= (uint64_t)(INT64_MAX - now) / 1000 ? INT64_MAX : now + (int64_t)ttl_ms * 1000;
}

static void draft_request(struct commit *commit, struct idem_answer *answer)
{
  const struct idem_request *request = commit->request;
  content_vary(request, add_header, &commit->headers);
  add_query(&commit->query, request->query);
  answer->method = request->method;
  answer->origin = request->origin;
  answer->path = request->path;
  answer->query = (struct idem_span){commit->query.data, commit->query.len};
  answer->scope = request->scope;
  answer->request_headers = (struct idem_span){commit->headers.data, commit->headers.len};
  answer->request_body = request->body;
  answer->request_body_len = request->body.len;
}

static void draft_answer(struct commit *commit, const struct answer_facts *facts)
{
  const struct idem_recording *recording = commit->recording;
  const struct idem_call *call = commit->call;
  int64_t now = clock_now_us();
  commit->answer = (struct idem_answer){.started_us = recording->started_us,
                                        .stored_us = now,
                                        .expires_us = expiry_of(now, commit->request->rule->ttl_ms),
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
                                        .key_kind = call->priv.kind};
  memcpy(commit->answer.key, call->key, IDEM_KEY_SIZE);
  memcpy(commit->answer.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  memcpy(commit->answer.tenant, call->priv.tenant, IDEM_KEY_SIZE);
  draft_request(commit, &commit->answer);
  commit->draft = (struct record_draft){.answer = &commit->answer,
                                        .raw = call->priv.raw,
                                        .print = call->priv.print,
                                        .base = call->priv.base,
                                        .key = commit->store->sealed ? commit->store->seal_key : NULL};
}

static bool chunks_fit(const struct idem_recording *recording)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < recording->chunk_count; i++)
    sum += recording->chunks[i].len;
  return sum == recording->body.len;
}

static int commit_body(struct writer *writer, void *arg)
{
  struct commit *commit = arg;
  const struct idem_call *call = commit->call;
  struct op op;
  int rc = claim_record_fetch(writer, call->key, &op);
  if (rc == -ENOENT || (rc == 0 && (op.state != CLAIM_IN_FLIGHT || op.generation != call->generation)))
    return IDEM_SUPERSEDED;
  if (rc == 0)
    rc = evict_some(commit->store, writer, TIDY_MOST);
  if (rc >= 0)
    rc = answer_index_drop(writer, call->key, NULL);
  if (rc == 0)
    rc = writer_delete(writer, PAGES_OPS, call->key, IDEM_KEY_SIZE);
  if (rc == 0)
    rc = answer_index_put(writer, &commit->answer, &commit->draft);
  if (rc == 0 && call->priv.repeats == IDEM_REPEATS_FRESH && commit->recording->delivered)
    rc = claim_record_advance(writer, call->priv.base, call->sequence);
  return rc < 0 ? rc : IDEM_STORED;
}

static int commit_write(struct commit *commit, struct engine *engine, struct idem_error *why)
{
  int rc = -ENOSPC;
  uint64_t need = record_size(&commit->draft);
  if (!need)
    return idem_error_set(why, -EFBIG, "the answer is larger than a record can be");
  for (int i = 0; i < COMMIT_TRIES && rc == -ENOSPC; i++) {
    rc = evict_for(commit->store, engine, need << i, why);
    if (rc == 0)
      rc = engine_write(engine, commit_body, commit, why);
  }
  return rc;
}

static int commit_answer(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                         const struct idem_recording *recording, struct idem_error *why)
{
  struct answer_facts facts;
  int code = 0;
  if (!claim_held(call->priv.claim_fd)) {
    idem_error_set(why, 0, "this process does not hold the claim; it was taken before a fork");
    return IDEM_SUPERSEDED;
  }
  if (!chunks_fit(recording))
    return idem_error_set(why, -EINVAL, "the chunks do not add up to the body");
  if (!answer_judge(request->rule, recording, &facts, why))
    return IDEM_REFUSED;
  struct engine *engine = store_engine(store, &code, why);
  if (!engine)
    return code;
  struct commit commit = {.store = store, .call = call, .request = request, .recording = recording};
  draft_answer(&commit, &facts);
  int rc = commit.headers.failed || commit.query.failed ? idem_error_set(why, -ENOMEM, "no memory")
                                                        : commit_write(&commit, engine, why);
  free(commit.headers.data);
  free(commit.query.data);
  if (rc == IDEM_STORED)
    stats_forget_replay(store->stats, commit.answer.serial);
  return rc;
}

int idem_store_commit(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                      const struct idem_recording *recording, struct idem_error *why)
{
  struct quiet quiet = quiet_begin();
  int rc = commit_answer(store, call, request, recording, why);
  if (rc == IDEM_SUPERSEDED)
    idem_error_set(why, 0, "a later owner has taken the operation over");
  call->priv.committed = rc == IDEM_STORED || rc == IDEM_SUPERSEDED;
  if (rc == IDEM_STORED)
    stats_wake(store->stats, call->key);
  stats_add(store->stats, stats_shard(), rc == IDEM_STORED ? IDEM_COUNTER_stored : IDEM_COUNTER_not_stored,
            1);
  quiet_end(&quiet);
  return rc;
}
