/* SPDX-License-Identifier: MIT */
/*
 * The steps of an operation, as words of the script and as what its replies mean. What a step reads, decides
 * and writes is one run of the script, in which the server does nothing else: if the three came one by one,
 * two machines that saw the same dead owner could both take its place. WATCH and MULTI would do, too, for one
 * round trip more and another try whenever somebody was faster; a pipeline decides nothing. What decides
 * nothing is a plain command: parts, the stream of removals, reading what a follower waits for.
 *
 * A long record goes in parts of their own, since one value of 32 MiB holds every other client of the server
 * up while it is read; the answer then names them. Parts have the generation of their owner in their names,
 * so that a loser's never stand in a winner's answer.
 */
#include "config/hex.h"
#include "fleet/check.h"
#include "fleet/renew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

/* Bytes of a part, and how many of them are read for one record. */
enum { PART_SIZE = 1 << 20, PARTS_MOST = 1 << 10 };

/* A number as a word. What NUMBER() makes lives to the end of the block, and the command is sent by then. */
struct number {
  char text[24];
};

static const char *number_text(struct number *number, uint64_t value)
{
  snprintf(number->text, sizeof(number->text), "%llu", (unsigned long long)value);
  return number->text;
}
#define NUMBER(value) LINK_TEXT(number_text(&(struct number){""}, value))

/* Anything may answer at that address: a reply of another shape is a failure, and nothing is read from it.
 * The server has answered, and is not left alone for it: client.c judges only what it sees. */
static int odd_reply(struct reply *reply)
{
  reply_free(reply);
  return client_fail(-EPROTO, "a reply that this version does not understand");
}

/* A reply of 0, 1 or 2, which is freed here; `rc` is that of asking for it. */
static int small_number(int rc, struct reply *reply)
{
  if (rc < 0)
    return rc;
  if (reply->kind != REPLY_NUMBER || reply->number < 0 || reply->number > 2)
    return odd_reply(reply);
  rc = (int)reply->number;
  reply_free(reply);
  return rc;
}

/* Redis takes no time to live that ends after its clock does. */
static uint64_t bounded_ms(uint64_t ms)
{
  const uint64_t ten_years = UINT64_C(10) * 365 * 86400 * 1000;
  return ms < ten_years ? ms : ten_years;
}

/* A time that a server tells, or -1: so that who counts in µs need not look for overflow. */
static int64_t bounded_time(const struct reply *reply)
{
  int64_t ms = reply_number(reply);
  return ms < 0 ? -1 : (int64_t)bounded_ms((uint64_t)ms);
}

/* Identity. */

/* Whoever comes first has put it there; what is read afterwards is what all have. What SET says is not looked
 * at: OK and nil both lead to the same GET. */
static int get_identity(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *candidate,
                        char out[IDEM_FLEET_IDENTITY])
{
  char key[128];
  struct reply *reply;
  snprintf(key, sizeof(key), "%s:identity", client->prefix);
  int rc = client_command(client, limit, key,
                          LINK_WORDS({"SET", 3}, LINK_TEXT(key), LINK_TEXT(candidate), {"NX", 2}), &reply);
  if (rc < 0)
    return rc;
  reply_free(reply);
  rc = client_command(client, limit, key, LINK_WORDS({"GET", 3}, LINK_TEXT(key)), &reply);
  if (rc < 0)
    return rc;
  if (reply->kind != REPLY_TEXT || reply->len >= IDEM_FLEET_IDENTITY || strlen(reply->text) != reply->len)
    return odd_reply(reply);
  memcpy(out, reply->text, reply->len + 1);
  memcpy(client->identity, out, reply->len + 1);
  reply_free(reply);
  return 0;
}

/* Parts. */

static void part_key(const struct client_keys *keys, uint64_t generation, unsigned part, char out[256])
{
  snprintf(out, 256, "%s:%llx:%u", keys->answer, (unsigned long long)generation, part);
}

/* "idemshim parts COUNT LENGTH GENERATION SHA-256". No record begins so, for it begins with its magic. */
struct parts {
  unsigned count;
  uint64_t len, generation;
  char digest[2 * SHA256_DIGEST_LENGTH + 1];
};
static const char parts_format[] = "idemshim parts %u %llu %llx %64[0-9a-f]";

/* Whoever can write to the server can write this. The length has to fit the count, which is bounded, and
 * get_parts() bounds it by max-value: so what is allocated is. The digest finds parts of two answers, and
 * damage; against forgery there is the seal. */
static bool read_parts(const char *text, struct parts *parts)
{
  unsigned long long len, generation;
  if (strncmp(text, "idemshim parts ", 15) != 0 ||
      sscanf(text, parts_format, &parts->count, &len, &generation, parts->digest) != 4 || parts->count == 0 ||
      parts->count > PARTS_MOST || len <= (uint64_t)(parts->count - 1) * PART_SIZE ||
      len > (uint64_t)parts->count * PART_SIZE)
    return false;
  parts->len = len;
  parts->generation = generation;
  return true;
}

static void digest_of(const char *record, size_t len, char hex[2 * SHA256_DIGEST_LENGTH + 1])
{
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256((const unsigned char *)record, len, digest);
  idem_hex(digest, sizeof(digest), hex);
}

/* The parts before the answer that names them, each with the answer's time to live. No fence is looked at: a
 * loser's are named by nobody, and end by themselves. Each is a round trip, and all are within the call's
 * limit. */
static int put_parts(struct idem_fleet_client *client, idem_fleet_limit *limit,
                     const struct idem_fleet_fence *fence, const char *record, size_t len, uint64_t ttl_ms,
                     char text[256])
{
  struct client_keys keys;
  char key[256], digest[2 * SHA256_DIGEST_LENGTH + 1];
  unsigned count = 0;
  int rc = 0;
  client_keys(client, fence->key, &keys);
  for (size_t at = 0; at < len && rc == 0; at += PART_SIZE) {
    struct reply *reply;
    size_t part = len - at < PART_SIZE ? len - at : PART_SIZE;
    part_key(&keys, fence->generation, count++, key);
    rc = client_command(
        client, limit, key,
        LINK_WORDS({"SET", 3}, LINK_TEXT(key), {record + at, part}, {"PX", 2}, NUMBER(ttl_ms)), &reply);
    if (rc == 0)
      reply_free(reply);
  }
  digest_of(record, len, digest);
  snprintf(text, 256, "idemshim parts %u %llu %llx %s", count, (unsigned long long)len,
           (unsigned long long)fence->generation, digest);
  return rc;
}

/* One that is missing or another makes all of it a miss: -ENODATA. On 0 the claim has the record. */
static int get_parts(struct idem_fleet_client *client, idem_fleet_limit *limit,
                     struct idem_fleet_claim *claim, const struct parts *parts)
{
  struct client_keys keys;
  char key[256], digest[2 * SHA256_DIGEST_LENGTH + 1];
  int rc = parts->len > client->where->max_value ? -EMSGSIZE : 0;
  char *record = rc == 0 ? malloc(parts->len) : NULL;
  if (!record)
    return rc < 0 ? rc : -ENOMEM;
  client_keys(client, claim->fence.key, &keys);
  for (unsigned i = 0; i < parts->count && rc == 0; i++) {
    struct reply *reply;
    uint64_t at = (uint64_t)i * PART_SIZE, left = parts->len - at;
    part_key(&keys, parts->generation, i, key);
    rc = client_command(client, limit, key, LINK_WORDS({"GET", 3}, LINK_TEXT(key)), &reply);
    if (rc < 0)
      break;
    if (reply->kind == REPLY_TEXT && reply->len == (left < PART_SIZE ? left : PART_SIZE))
      memcpy(record + at, reply->text, reply->len);
    else
      rc = -ENODATA;
    reply_free(reply);
  }
  if (rc == 0) {
    digest_of(record, parts->len, digest);
    rc = strcmp(digest, parts->digest) == 0 ? 0 : -ENODATA;
  }
  if (rc < 0) {
    free(record);
    return rc;
  }
  claim->record = record;
  claim->record_len = parts->len;
  return 0;
}

/* Claiming. */

/* The reply gives its record away, which may be large. -ENODATA: there is none, or a part of it is gone. */
static int take_record(struct idem_fleet_client *client, idem_fleet_limit *limit,
                       struct idem_fleet_claim *claim, struct reply *record)
{
  struct parts parts;
  if (record->kind != REPLY_TEXT)
    return record->kind == REPLY_NIL ? -ENODATA : -EPROTO;
  if (read_parts(record->text, &parts))
    return get_parts(client, limit, claim, &parts);
  claim->record = record->text;
  claim->record_len = record->len;
  record->text = NULL;
  return 0;
}

/* An answer whose end is not known (PTTL says -1) was not stored by us. It may have gone since the claim was
 * looked at: -ENODATA. */
static int take_answer(struct idem_fleet_client *client, idem_fleet_limit *limit,
                       struct idem_fleet_claim *claim, const struct client_keys *keys,
                       const struct reply *reply, struct reply **answer)
{
  int rc = 0;
  claim->verdict = IDEM_FLEET_ANSWER;
  claim->left_ms = bounded_time(reply_item(reply, 3));
  claim->age_ms = bounded_time(reply_item(reply, 4));
  if (claim->left_ms < 0 || claim->age_ms < 0)
    return -EPROTO;
  if (!*answer)
    rc = client_command(client, limit, keys->answer, LINK_WORDS({"GET", 3}, LINK_TEXT(keys->answer)), answer);
  if (rc < 0) {
    *answer = NULL; /* it is not ours */
    return rc;
  }
  return take_record(client, limit, claim, *answer);
}

/* What the script has returned: a letter, the generation, the epoch, and what belongs to the letter. The
 * reply stays the caller's. After -EPROTO nothing of the claim has a meaning. */
static int take_claim(struct idem_fleet_client *client, idem_fleet_limit *limit,
                      struct idem_fleet_claim *claim, const struct client_keys *keys,
                      const struct reply *reply, struct reply **answer)
{
  const struct reply *letter = reply_item(reply, 0);
  int64_t generation = reply_number(reply_item(reply, 1)), epoch = reply_number(reply_item(reply, 2));
  if (letter->kind != REPLY_TEXT || letter->len != 1 || generation < 0 || epoch < 0)
    return -EPROTO;
  claim->generation = (uint64_t)generation;
  claim->fence.epoch = (uint64_t)epoch;
  switch (letter->text[0]) {
  case 'A':
    return take_answer(client, limit, claim, keys, reply, answer);
  case 'O':
    claim->verdict = IDEM_FLEET_OWNED;
    claim->fence.generation = (uint64_t)generation;
    claim->resent = reply_number(reply_item(reply, 3)) == 1;
    return 0;
  case 'B':
    claim->verdict = IDEM_FLEET_BUSY;
    claim->left_ms = bounded_time(reply_item(reply, 3));
    claim->mismatched = reply_number(reply_item(reply, 4)) == 1;
    return claim->left_ms < 0 ? -EPROTO : 0;
  case 'D':
    claim->verdict = IDEM_FLEET_IN_DOUBT;
    return 0;
  case 'M':
    claim->verdict = IDEM_FLEET_MISMATCH;
    return 0;
  case 'N':
    claim->verdict = IDEM_FLEET_NO_ANSWER;
    return 0;
  default:
    return -EPROTO;
  }
}

/* Words in the order of operation.lua's ARGV. -ENODATA: there is an answer, and a part of it is gone. */
static int ask_claim(struct idem_fleet_client *client, idem_fleet_limit *limit,
                     struct idem_fleet_claim *claim)
{
  char print[2 * IDEM_FLEET_KEY + 1], age[24];
  struct client_keys keys;
  struct reply *reply, *answer;
  client_keys(client, claim->fence.key, &keys);
  idem_hex(claim->fingerprint, IDEM_FLEET_KEY, print);
  snprintf(age, sizeof(age), "%lld", (long long)claim->most_age_ms);
  int rc = client_run_and_get(
      client, limit, &keys,
      LINK_WORDS({"claim", 5}, LINK_TEXT(claim->fence.owner), LINK_TEXT(print),
                 NUMBER(client->where->lease_ms), LINK_TEXT(claim->refuses ? "fail" : "resend"),
                 LINK_TEXT(claim->any_content ? "replay" : "reject"), NUMBER(claim->dead),
                 NUMBER(bounded_ms(claim->keep_ms)), LINK_TEXT(age), NUMBER(claim->before)),
      &reply, &answer);
  if (rc < 0)
    return rc;
  rc = take_claim(client, limit, claim, &keys, reply, &answer);
  reply_free(answer);
  if (rc == -EPROTO)
    return odd_reply(reply);
  reply_free(reply);
  return rc;
}

/* An answer of which a part is gone is none: it is claimed as if there were no answer. */
static int claim_operation(struct idem_fleet_client *client, idem_fleet_limit *limit,
                           struct idem_fleet_claim *claim)
{
  claim->record = NULL;
  claim->record_len = 0;
  int rc = ask_claim(client, limit, claim);
  if (rc != -ENODATA)
    return rc;
  const int64_t most_age_ms = claim->most_age_ms;
  claim->most_age_ms = -2;
  rc = ask_claim(client, limit, claim);
  claim->most_age_ms = most_age_ms;
  return rc;
}

/* Whether there is an answer as the script's claim would say it: of a claim that was answered, or one that
 * has outlived its claim, of which only the end is known. Where a number makes no sense a claim says so. */
static bool has_answer(struct idem_fleet_claim *claim, const struct reply *replies)
{
  const struct reply *found = reply_item(replies, 0), *time = reply_item(replies, 2);
  const struct reply *state = reply_item(found, 0), *stored = reply_item(found, 1);
  int64_t now_ms = bounded_time(reply_item(time, 0)) * 1000 + bounded_time(reply_item(time, 1)) / 1000;
  int64_t stored_ms = reply_number(stored);
  bool is_answered = state->kind == REPLY_TEXT ? strcmp(state->text, "A") == 0 : state->kind == REPLY_NIL;
  claim->left_ms = bounded_time(reply_item(replies, 1));
  claim->age_ms = stored->kind == REPLY_NIL ? 0 : stored_ms < 0 ? -1 : now_ms - stored_ms;
  return found->kind == REPLY_LIST && is_answered && claim->left_ms >= 0 && claim->age_ms >= 0 &&
         (claim->most_age_ms == -1 || claim->age_ms <= claim->most_age_ms);
}

/* Plain commands in one write, since they decide nothing: the script would cost the server as much again.
 * Each looks a moment later than the one before it. The value comes last, so that it is never older than
 * what was read of it; one that is gone by then, or has taken the place of another, is what a claim could
 * come upon, too. */
static int look_at_operation(struct idem_fleet_client *client, idem_fleet_limit *limit,
                             struct idem_fleet_claim *claim)
{
  struct client_keys keys;
  struct reply *replies;
  claim->record = NULL;
  claim->record_len = 0;
  claim->verdict = IDEM_FLEET_NO_ANSWER;
  client_keys(client, claim->fence.key, &keys);
  const struct link_word state[] = {{"HMGET", 5}, LINK_TEXT(keys.claim), {"s", 1}, {"t", 1}},
                         left[] = {{"PTTL", 4}, LINK_TEXT(keys.answer)}, time[] = {{"TIME", 4}},
                         value[] = {{"GET", 3}, LINK_TEXT(keys.answer)};
  const struct link_command commands[] = {{state, 4}, {left, 2}, {time, 1}, {value, 2}};
  int rc = client_read(client, limit, keys.claim, commands, 4, &replies);
  if (rc < 0)
    return rc;
  if (has_answer(claim, replies)) {
    rc = take_record(client, limit, claim, &replies->item[3]);
    claim->verdict = rc == 0 ? IDEM_FLEET_ANSWER : IDEM_FLEET_NO_ANSWER;
  }
  reply_free(replies);
  return rc == -ENODATA || rc == -EPROTO ? 0 : rc;
}

static void free_answer(struct idem_fleet_claim *claim)
{
  free(claim->record);
  claim->record = NULL;
}

/* Of a claim that is ours. */

static int run_sent(struct idem_fleet_client *client, idem_fleet_limit *limit,
                    const struct idem_fleet_fence *fence, unsigned replicas)
{
  struct reply *reply;
  int rc = client_run_replicated(client, limit, fence->key,
                                 LINK_WORDS({"sent", 4}, NUMBER(fence->generation), LINK_TEXT(fence->owner),
                                            NUMBER(client->where->lease_ms)),
                                 replicas, &reply);
  return small_number(rc, reply);
}

/* The fence is looked at when the answer is put there, in one step with it: who was passed over has only
 * written parts. */
static int commit_record(struct idem_fleet_client *client, idem_fleet_limit *limit,
                         const struct idem_fleet_fence *fence, const char *record, size_t len,
                         uint64_t ttl_ms, uint64_t keep_ms)
{
  char parts[256];
  struct reply *reply;
  int rc = len > client->where->max_value ? client_fail(-EMSGSIZE, "the answer is larger than max-value") : 0;
  /* Redis takes no time of 0 either. */
  ttl_ms = bounded_ms(ttl_ms ? ttl_ms : 1);
  if (rc == 0 && len > PART_SIZE) {
    rc = put_parts(client, limit, fence, record, len, ttl_ms, parts);
    record = parts;
    len = strlen(parts);
  }
  if (rc < 0)
    return rc;
  rc = client_run(client, limit, fence->key,
                  LINK_WORDS({"commit", 6}, NUMBER(fence->generation), LINK_TEXT(fence->owner), {record, len},
                             NUMBER(ttl_ms), NUMBER(bounded_ms(keep_ms)), NUMBER(fence->epoch)),
                  &reply);
  return small_number(rc, reply);
}

static int release_claim(struct idem_fleet_client *client, idem_fleet_limit *limit,
                         const struct idem_fleet_fence *fence, bool unknown)
{
  struct reply *reply;
  int rc = client_run(client, limit, fence->key,
                      LINK_WORDS({"release", 7}, NUMBER(fence->generation), LINK_TEXT(fence->owner),
                                 LINK_TEXT(unknown ? "unknown" : "")),
                      &reply);
  return small_number(rc, reply);
}

/* Streams. */

static int publish_piece(struct idem_fleet_client *client, const struct idem_fleet_fence *fence,
                         uint64_t number, const char *bytes, size_t len)
{
  idem_fleet_limit limit = (int64_t)client->where->operation_ms * 1000;
  struct reply *reply;
  int rc = client_run(client, &limit, fence->key,
                      LINK_WORDS({"publish", 7}, NUMBER(fence->generation), LINK_TEXT(fence->owner),
                                 NUMBER(number), {bytes, len}),
                      &reply);
  return small_number(rc, reply);
}

/* [[stream, [[id, [field, value]], ...]]]: pieces have a number and -1 as their id, since 0-0 is none.
 * Numbers have to follow one another: a gap would be given to an app as if it were what came. A piece's bytes
 * are for the spool to check. */
static int take_pieces(const struct reply *reply, uint64_t *next, idem_fleet_piece *take, void *arg)
{
  const struct reply *items = reply_item(reply_item(reply, 0), 1);
  for (size_t i = 0; i < items->count; i++) {
    const struct reply *id = reply_item(reply_item(items, i), 0),
                       *fields = reply_item(reply_item(items, i), 1);
    const struct reply *name = reply_item(fields, 0), *value = reply_item(fields, 1);
    if (id->kind != REPLY_TEXT || name->kind != REPLY_TEXT || value->kind != REPLY_TEXT)
      return client_fail(-EPROTO, "a stream that this version does not understand");
    bool over = strcmp(name->text, "e") == 0;
    if (!over && (strtoull(id->text, NULL, 10) != *next || strcmp(name->text, "p") != 0))
      return client_fail(-EPROTO, "a stream that lacks a piece");
    int rc = take(arg, *next, value->text, value->len, over);
    if (rc != 0 || over)
      return rc != 0 ? rc : IDEM_FLEET_OVER;
    ++*next;
  }
  return items->count ? IDEM_FLEET_PIECES : IDEM_FLEET_NOTHING;
}

/* Its own words come before what has become of it: what it has said last is read first. A wait of 0 would be
 * one without end for the server, so that the least is 1 ms. */
static int read_stream(struct idem_fleet_client *client, const uint8_t *key, unsigned wait_ms, uint64_t *next,
                       idem_fleet_piece *take, void *arg)
{
  struct client_keys keys;
  struct reply *reply;
  char from[40] = "0-0";
  client_keys(client, key, &keys);
  if (*next)
    snprintf(from, sizeof(from), "%llu-1", (unsigned long long)*next - 1);
  int rc = client_wait(client, wait_ms, keys.stream,
                       LINK_WORDS({"XREAD", 5}, {"COUNT", 5}, {"64", 2}, {"BLOCK", 5},
                                  NUMBER(wait_ms ? wait_ms : 1), {"STREAMS", 7}, LINK_TEXT(keys.stream),
                                  LINK_TEXT(from)),
                       &reply);
  if (rc < 0)
    return rc;
  rc = take_pieces(reply, next, take, arg);
  reply_free(reply);
  return rc;
}

/* First the claim, which is told that somebody follows: the owner hears of it with the next reply to `sent`
 * or `renew`, and publishes what there is from then on. With the second request, which waits, all of it may
 * take two operations, a connection and twice `wait_ms` where the server is slow. */
static int follow_stream(struct idem_fleet_client *client, const uint8_t *key, uint64_t generation,
                         unsigned wait_ms, uint64_t *next, idem_fleet_piece *take, void *arg)
{
  idem_fleet_limit limit = ((int64_t)client->where->operation_ms + wait_ms) * 1000;
  struct reply *reply;
  int rc = client_run(client, &limit, key, LINK_WORDS({"follow", 6}), &reply);
  if (rc < 0)
    return rc;
  const struct reply *state = reply_item(reply, 0);
  bool its = reply_number(reply_item(reply, 1)) == (int64_t)generation;
  bool open =
      its && (reply_begins(state, "C") || reply_begins(state, "S")) && reply_number(reply_item(reply, 2)) > 0;
  reply_free(reply);
  if (!its)
    return IDEM_FLEET_OVER;
  /* Of one that has ended nothing more comes. */
  rc = read_stream(client, key, open ? wait_ms : 0, next, take, arg);
  return rc == IDEM_FLEET_NOTHING && !open ? IDEM_FLEET_OVER : rc;
}

/* Removals. */

/* The operation first, and then the other machines: what they drop at that they do not get again from here.
 * They are told also of what the fleet does not have, for a near copy may outlive it. The stream is bounded,
 * about. */
static int remove_operation(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key)
{
  char stream[128], hex[2 * IDEM_FLEET_KEY + 1];
  struct reply *reply;
  int rc = client_run(client, limit, key, LINK_WORDS({"remove", 6}), &reply);
  rc = small_number(rc, reply);
  if (rc < 0)
    return rc;
  snprintf(stream, sizeof(stream), "%s:removed", client->prefix);
  idem_hex(key, IDEM_FLEET_KEY, hex);
  int told = client_command(client, limit, stream,
                            LINK_WORDS({"XADD", 4}, LINK_TEXT(stream), {"MAXLEN", 6}, {"~", 1}, {"100000", 6},
                                       {"*", 1}, {"k", 1}, LINK_TEXT(hex)),
                            &reply);
  if (told < 0)
    return told;
  reply_free(reply);
  return rc;
}

/* Digits as idem_hex() writes them, and no others: what stands there otherwise is no key of ours. */
static bool read_hex(const struct reply *text, uint8_t key[IDEM_FLEET_KEY])
{
  static const char digits[] = "0123456789abcdef";
  if (text->kind != REPLY_TEXT || text->len != 2 * IDEM_FLEET_KEY || strspn(text->text, digits) != text->len)
    return false;
  for (size_t i = 0; i < IDEM_FLEET_KEY; i++)
    key[i] = (uint8_t)((strchr(digits, text->text[2 * i]) - digits) << 4 |
                       (strchr(digits, text->text[2 * i + 1]) - digits));
  return true;
}

/* What is no key counts as seen, or it would be read for ever; and nothing does that the visit could not do.
 * One that was away while more than MAXLEN were removed has copies of some until they expire. */
static int see_removed(struct idem_fleet_client *client, idem_fleet_limit *limit, idem_fleet_removed *visit,
                       void *arg)
{
  _Atomic uint64_t *seen = client->shared->removed;
  unsigned long long ms = atomic_load(&seen[0]), number = atomic_load(&seen[1]);
  char stream[128], from[48];
  struct reply *reply;
  size_t count = 0;
  snprintf(stream, sizeof(stream), "%s:removed", client->prefix);
  snprintf(from, sizeof(from), "%llu-%llu", ms, number);
  int rc = client_command(client, limit, stream,
                          LINK_WORDS({"XREAD", 5}, {"COUNT", 5}, NUMBER(IDEM_FLEET_REMOVED), {"STREAMS", 7},
                                     LINK_TEXT(stream), LINK_TEXT(from)),
                          &reply);
  if (rc < 0)
    return rc;
  const struct reply *items = reply_item(reply_item(reply, 0), 1);
  uint8_t(*keys)[IDEM_FLEET_KEY] = malloc((items->count + 1) * sizeof(*keys));
  for (size_t i = 0; keys && i < items->count; i++) {
    const struct reply *id = reply_item(reply_item(items, i), 0);
    count += read_hex(reply_item(reply_item(reply_item(items, i), 1), 1), keys[count]);
    if (id->kind == REPLY_TEXT)
      sscanf(id->text, "%20llu-%20llu", &ms, &number);
  }
  rc = !keys ? -ENOMEM : count ? visit(arg, (const uint8_t(*)[IDEM_FLEET_KEY])keys, count) : 0;
  if (rc == 0) {
    rc = (int)items->count;
    atomic_store(&seen[0], ms);
    atomic_store(&seen[1], number);
  }
  free(keys);
  reply_free(reply);
  return rc;
}

/* For the command. */

/* SCAN gives names; what is behind each is asked for by itself. One of another shape is somebody else's key,
 * and passed over. The NUL that ends its digits is put there for the time of reading them. */
static int visit_one(struct idem_fleet_client *client, const struct reply *name, idem_fleet_visit *visit,
                     void *arg)
{
  idem_fleet_limit limit = (int64_t)client->where->call_ms * 1000;
  uint8_t key[IDEM_FLEET_KEY];
  size_t before = strlen(client->prefix) + 2;
  struct reply *reply;
  if (name->kind != REPLY_TEXT || name->len != before + 2 * IDEM_FLEET_KEY + 3)
    return 0;
  struct reply hex = {.kind = REPLY_TEXT, .text = name->text + before, .len = 2 * IDEM_FLEET_KEY};
  char held = hex.text[hex.len];
  hex.text[hex.len] = '\0';
  bool is_key = read_hex(&hex, key);
  hex.text[hex.len] = held;
  if (!is_key)
    return 0;
  int rc = client_command(client, &limit, name->text,
                          LINK_WORDS({"HMGET", 5}, {name->text, name->len}, {"s", 1}, {"g", 1}), &reply);
  if (rc < 0)
    return rc;
  const struct reply *state = reply_item(reply, 0);
  int64_t generation = reply_number(reply_item(reply, 1));
  if (state->kind == REPLY_TEXT && state->len == 1 && generation >= 0)
    rc = visit(arg, key, state->text[0], (uint64_t)generation);
  reply_free(reply);
  return rc;
}

/* A server that is none tells of no end. */
enum { PAGES_MOST = 1 << 16 };

static int each_operation(struct idem_fleet_client *client, idem_fleet_visit *visit, void *arg)
{
  char pattern[128], cursor[24] = "0";
  int rc = 0;
  if (client->where->kind == IDEM_FLEET_CLUSTER)
    return client_fail(-ENOTSUP, "the keys of a cluster are not listed; ask each of its servers");
  snprintf(pattern, sizeof(pattern), "%s:{*}:c", client->prefix);
  for (unsigned page = 0; page < PAGES_MOST; page++) {
    idem_fleet_limit limit = (int64_t)client->where->call_ms * 1000;
    struct reply *reply;
    rc = client_command(client, &limit, NULL,
                        LINK_WORDS({"SCAN", 4}, LINK_TEXT(cursor), {"MATCH", 5}, LINK_TEXT(pattern),
                                   {"COUNT", 5}, {"4096", 4}),
                        &reply);
    if (rc < 0)
      return rc;
    const struct reply *next = reply_item(reply, 0), *names = reply_item(reply, 1);
    if (next->kind != REPLY_TEXT || next->len >= sizeof(cursor))
      return odd_reply(reply);
    memcpy(cursor, next->text, next->len + 1);
    for (size_t i = 0; i < names->count && rc == 0; i++)
      rc = visit_one(client, &names->item[i], visit, arg);
    reply_free(reply);
    if (rc != 0 || strcmp(cursor, "0") == 0)
      return rc;
  }
  return client_fail(-EOVERFLOW, "the server tells of no end of its keys");
}

__attribute__((visibility("default"))) const struct idem_fleet_api idem_fleet_api = {
    .version = IDEM_FLEET_API_VERSION,
    .size = sizeof(struct idem_fleet_api),
    .open = client_open,
    .close = client_close,
    .identity = get_identity,
    .claim = claim_operation,
    .look = look_at_operation,
    .answer_free = free_answer,
    .sent = run_sent,
    .renew = renew_claim,
    .commit = commit_record,
    .release = release_claim,
    .publish = publish_piece,
    .follow = follow_stream,
    .remove = remove_operation,
    .removed = see_removed,
    .each = each_operation,
    .check = check_fleet,
    .problem = client_problem,
};
