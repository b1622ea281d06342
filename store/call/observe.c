/* SPDX-License-Identifier: MIT */
/* observe mode: what would have been saved, without saving it. */
#include "store/base/clock.h"
#include "store/call/call.h"
#include "store/judge/judge.h"
#include "store/key/key.h"
#include "store/records/record.h"

#include <errno.h>
#include <string.h>

/* That a call has been answered. The expiry comes first: it is all that cleaning up needs. */
struct seen {
  int64_t expires_us, stored_us;
  struct idem_usage usage;
  uint64_t body_len;
  uint32_t duration_ms, zero;
};

static int name_call(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     struct idem_error *error)
{
  struct name name;
  int rc = key_of_request(store->secret, request, &name);
  if (rc < 0)
    return idem_error_set(error, rc, rc == -ENOKEY ? "the rule's key is not in this request" : "no memory");
  memcpy(call->key, name.base, IDEM_KEY_SIZE);
  memcpy(call->fingerprint, name.fingerprint, IDEM_KEY_SIZE);
  record_id(call->key, call->id);
  return 0;
}

static int would_hit(struct engine *engine, const uint8_t *key, struct idem_error *error)
{
  struct reader *reader;
  struct idem_span value;
  struct seen seen;
  int rc = engine_begin(engine, &reader, error);
  if (rc < 0)
    return rc;
  rc = reader_get(reader, PAGES_SEEN, key, IDEM_KEY_SIZE, &value);
  bool known = rc == 0 && value.len == sizeof(seen);
  if (known)
    memcpy(&seen, value.data, sizeof(seen));
  engine_end(reader);
  return known && seen.expires_us > clock_now_us();
}

struct note {
  const uint8_t *key;
  struct seen seen;
};

static int note_body(struct writer *writer, void *arg)
{
  const struct note *note = arg;
  return writer_put(writer, PAGES_SEEN, note->key, IDEM_KEY_SIZE, &note->seen, sizeof(note->seen));
}

static int note_answer(struct engine *engine, const struct idem_request *request,
                       const struct idem_call *call, const struct idem_recording *recording,
                       struct idem_error *error)
{
  struct answer_facts facts;
  if (!answer_judge(request->rule, recording, &facts, error))
    return 0;
  int64_t now = clock_now_us();
  uint64_t ttl_ms = request->rule->ttl_ms;
  struct note note = {.key = call->key,
                      .seen = {.stored_us = now,
                               .usage = facts.usage,
                               .body_len = recording->body.len,
                               .duration_ms = recording->duration_ms}};
  note.seen.expires_us =
      ttl_ms >= (uint64_t)(INT64_MAX - now) / 1000 ? INT64_MAX : now + (int64_t)ttl_ms * 1000;
  int rc = engine_write(engine, note_body, &note, error);
  return rc < 0 ? rc : 0;
}

int idem_store_observe(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                       const struct idem_recording *recording, struct idem_error *error)
{
  struct quiet quiet = quiet_begin();
  int rc = -EIO;
  struct engine *engine = store_engine(store, &rc, error);
  if (engine)
    rc = name_call(store, request, call, error);
  if (rc == 0)
    rc = recording ? note_answer(engine, request, call, recording, error)
                   : would_hit(engine, call->key, error);
  if (rc == 1)
    stats_add(store->stats, stats_shard(), IDEM_COUNTER_would_hit, 1);
  quiet_end(&quiet);
  return rc;
}
