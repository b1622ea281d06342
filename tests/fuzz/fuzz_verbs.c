/* SPDX-License-Identifier: MIT */
/* Any replies to the steps of an operation and to what the command asks: what comes of them is whole,
 * and within its bounds. */
#include "fleet/check.h"
#include "fleet/renew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *at;
static size_t left;
static volatile unsigned sum;

static uint8_t byte(void)
{
  return left ? left--, *at++ : 0;
}

/* What servers say. */

#define HEX64       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SUM_OF_ABCD "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589"

static const char *const words[] = {
    "A",
    "O",
    "B",
    "D",
    "M",
    "N",
    "C",
    "S",
    "p",
    "e",
    "0",
    "1",
    "0-1",
    "1-1",
    "2-1",
    "18446744073709551615-1",
    "abcd",
    HEX64,
    "idemshim:default:{" HEX64 "}:c",
    "idemshim parts 1 4 1f " SUM_OF_ABCD,
    "idemshim parts 2 1048577 1f " HEX64,
    "idemshim parts 1000000000 99999999999 1f " HEX64,
    "# Server\r\nredis_version:7.0\r\nmaxmemory:1\r\nmaxmemory_policy:x\r\nconnected_slaves:99\r\n"};

static void set_text(struct reply *reply, const void *bytes, size_t len)
{
  reply->kind = REPLY_TEXT;
  reply->len = len;
  reply->text = malloc(len + 1);
  memcpy(reply->text, bytes, len);
  reply->text[len] = '\0';
}

static void make(struct reply *reply, unsigned depth);

static void make_list(struct reply *reply, size_t count, unsigned depth)
{
  reply->kind = REPLY_LIST;
  reply->count = count;
  reply->item = calloc(count + 1, sizeof(*reply->item));
  for (size_t i = 0; i < count; i++)
    make(&reply->item[i], depth + 1);
}

static void make(struct reply *reply, unsigned depth)
{
  enum { DEEPEST = 5 };
  uint8_t kind = byte();
  const char *word = words[byte() % (sizeof(words) / sizeof(*words))];
  switch (kind % 6) {
  case 0:
    *reply = (struct reply){.kind = REPLY_NIL};
    return;
  case 1:
    reply->kind = REPLY_NUMBER;
    for (int i = 0; i < 8 && (kind & 0x80 || i == 0); i++)
      reply->number = (int64_t)((uint64_t)reply->number << 8 | byte());
    return;
  case 2: {
    size_t len = byte() < left ? byte() % 64 : left;
    len = len < left ? len : left;
    set_text(reply, at, len);
    at += len, left -= len;
    return;
  }
  case 3:
    make_list(reply, depth < DEEPEST ? byte() % 7 : 0, depth);
    return;
  default:
    set_text(reply, word, strlen(word));
  }
}

/* In the place of a client: all that a verb is told comes from the input, and nothing when that is over. An
 * error of the server is no reply there. */

static int answer(struct reply **out)
{
  if (!left)
    return -ETIMEDOUT;
  *out = calloc(1, sizeof(**out));
  make(*out, 0);
  return 0;
}

int client_run_replicated(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
                          const struct link_word *sent, size_t count, unsigned replicas, struct reply **out)
{
  (void)client, (void)limit, (void)key, (void)replicas;
  for (size_t i = 0; i < count; i++)
    sum += sent[i].len ? (unsigned char)((const char *)sent[i].data)[sent[i].len - 1] : 0;
  return answer(out);
}

int client_run(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
               const struct link_word *sent, size_t count, struct reply **out)
{
  return client_run_replicated(client, limit, key, sent, count, 0, out);
}

int client_run_and_get(struct idem_fleet_client *client, idem_fleet_limit *limit,
                       const struct client_keys *keys, const struct link_word *sent, size_t count,
                       struct reply **out, struct reply **value)
{
  *value = NULL;
  int rc = client_run_replicated(client, limit, (const uint8_t *)keys, sent, count, 0, out);
  if (rc == 0 && byte() % 2 && (rc = answer(value)) < 0)
    reply_free(*out);
  return rc;
}

int client_command(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *route,
                   const struct link_word *sent, size_t count, struct reply **out)
{
  (void)route;
  return client_run_replicated(client, limit, NULL, sent, count, 0, out);
}

/* As many replies as there are commands, whatever they are. */
int client_read(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *route,
                const struct link_command *commands, size_t count, struct reply **out)
{
  (void)client, (void)limit, (void)route, (void)commands;
  if (!left)
    return -ETIMEDOUT;
  *out = calloc(1, sizeof(**out));
  make_list(*out, count, 0);
  return 0;
}

int client_wait(struct idem_fleet_client *client, unsigned wait_ms, const char *route,
                const struct link_word *sent, size_t count, struct reply **out)
{
  (void)wait_ms, (void)route;
  return client_run_replicated(client, NULL, NULL, sent, count, 0, out);
}

void client_keys(const struct idem_fleet_client *client, const uint8_t *key, struct client_keys *keys)
{
  snprintf(keys->claim, sizeof(keys->claim), "%s:{%02x}:c", client->prefix, key[0]);
  snprintf(keys->answer, sizeof(keys->answer), "%s:{%02x}:a", client->prefix, key[0]);
  snprintf(keys->stream, sizeof(keys->stream), "%s:{%02x}:s", client->prefix, key[0]);
}

int client_fail(int code, const char *what)
{
  sum += (unsigned)strlen(what);
  return code;
}

const char *client_problem(const struct idem_fleet_client *client)
{
  (void)client;
  return "";
}

int renew_claim(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  (void)client, (void)fence;
  return 1;
}

int client_open(struct idem_fleet_client **out, const struct idem_fleet_options *options, char *error,
                size_t size)
{
  (void)out, (void)options, (void)error, (void)size;
  return -ENOTSUP;
}

void client_close(struct idem_fleet_client *client)
{
  (void)client;
}

/* What is done with what comes of it. */

static void read_all(const char *bytes, size_t len)
{
  for (size_t i = 0; i < len; i++)
    sum += (unsigned char)bytes[i];
}

static int take_piece(void *arg, uint64_t number, const char *bytes, size_t len, bool over)
{
  (void)arg, (void)number, (void)over;
  read_all(bytes, len);
  return byte() % 8 ? 0 : -EIO;
}

static int see(void *arg, const uint8_t (*keys)[IDEM_FLEET_KEY], size_t count)
{
  (void)arg;
  read_all((const char *)keys, count * IDEM_FLEET_KEY);
  return byte() % 8 ? 0 : -EIO;
}

static int visit(void *arg, const uint8_t *key, char state, uint64_t generation)
{
  (void)arg, (void)state;
  read_all((const char *)key, IDEM_FLEET_KEY);
  sum += (unsigned)generation;
  return 0;
}

static void hear(void *arg, enum idem_fleet_finding finding, const char *what, const char *text)
{
  (void)arg, (void)finding;
  read_all(what, strlen(what));
  read_all(text, strlen(text));
}

/* By a claim, or by a look that claims nothing. */
static void ask(struct idem_fleet_client *client, idem_fleet_limit *limit, bool claims)
{
  static const uint8_t print[IDEM_FLEET_KEY];
  const int64_t ten_years_ms = INT64_C(10) * 365 * 86400 * 1000;
  struct idem_fleet_claim claim = {.fingerprint = print, .most_age_ms = -1, .keep_ms = 1000};
  if ((claims ? idem_fleet_api.claim : idem_fleet_api.look)(client, limit, &claim) < 0)
    return;
  bool has_times = claim.verdict == IDEM_FLEET_ANSWER || claim.verdict == IDEM_FLEET_BUSY;
  if (has_times &&
      (claim.left_ms < 0 || claim.left_ms > ten_years_ms || claim.age_ms < 0 || claim.age_ms > ten_years_ms))
    abort();
  if (claim.verdict == IDEM_FLEET_ANSWER) {
    read_all(claim.record, claim.record_len);
    idem_fleet_api.answer_free(&claim);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char record[(1 << 20) + 1];
  struct idem_fleet_shared shared = {.changes = 0};
  struct idem_fleet where = {.max_value = 8 << 20, .call_ms = 1000, .operation_ms = 250, .name = "default"};
  struct idem_fleet_client client = {.where = &where, .shared = &shared, .prefix = "idemshim:default"};
  struct idem_fleet_fence fence = {.generation = 0x1f};
  char identity[IDEM_FLEET_IDENTITY];
  idem_fleet_limit limit = 1000000;
  uint64_t next = 0;
  at = data, left = size;
  while (left) {
    switch (byte() % 10) {
    case 0:
    case 9:
      ask(&client, &limit, byte() % 2);
      break;
    case 1:
      idem_fleet_api.sent(&client, &limit, &fence, byte() % 2);
      break;
    case 2:
      idem_fleet_api.commit(&client, &limit, &fence, record, byte() % 32 ? 9 : sizeof(record), 1000, 1000);
      break;
    case 3:
      idem_fleet_api.follow(&client, fence.key, fence.generation, 10, &next, take_piece, NULL);
      break;
    case 4:
      idem_fleet_api.removed(&client, &limit, see, NULL);
      break;
    case 5:
      idem_fleet_api.each(&client, visit, NULL);
      break;
    case 6:
      idem_fleet_api.check(&client, hear, NULL);
      break;
    case 7:
      if (idem_fleet_api.identity(&client, &limit, "me", identity) == 0)
        read_all(identity, strlen(identity));
      break;
    default:
      idem_fleet_api.remove(&client, &limit, fence.key);
    }
  }
  return 0;
}
