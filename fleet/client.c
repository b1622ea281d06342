/* SPDX-License-Identifier: MIT */
#include "fleet/client.h"

#include "config/arena.h"
#include "config/file.h"
#include "fleet/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

/* How long a fleet that does not answer is left alone, at first and at most; after how many silences. */
enum { AWAY_FIRST_US = 1000000, AWAY_LAST_US = 30000000, SILENCES = 2 };

/* What a reply may have beside a record. */
enum { REPLY_ROOM = 4 << 20 };

extern const char fleet_operation[];

/* Each thread's own: what is said is of its last call. */
static _Thread_local char problem[200];

int client_fail(int code, const char *what)
{
  snprintf(problem, sizeof(problem), "%s", what);
  return code;
}

const char *client_problem(const struct idem_fleet_client *client)
{
  (void)client;
  return problem;
}

/* Whether it is worth asking. */

enum leave { LEAVE_NO, LEAVE_YES, LEAVE_TO_PROBE };

/* One of those who come when the time is over may ask; if it dies of it, another may a little later. */
static enum leave may_ask(struct idem_fleet_shared *shared)
{
  int64_t until = atomic_load_explicit(&shared->away_until_us, memory_order_relaxed), now;
  if (!until)
    return LEAVE_YES;
  now = link_clock_us();
  return now >= until && atomic_compare_exchange_strong(&shared->away_until_us, &until, now + AWAY_FIRST_US)
             ? LEAVE_TO_PROBE
             : LEAVE_NO;
}

static void note_success(struct idem_fleet_shared *shared)
{
  if (atomic_load_explicit(&shared->failures, memory_order_relaxed))
    atomic_store(&shared->failures, 0);
  if (!atomic_load_explicit(&shared->away_until_us, memory_order_relaxed))
    return;
  atomic_store(&shared->step, 0);
  if (atomic_exchange(&shared->away_until_us, 0))
    atomic_fetch_add(&shared->changes, 1);
}

/* Those that were asking already when it went away add nothing to how long it is left alone. */
static void note_failure(struct idem_fleet_shared *shared, int code, enum leave leave)
{
  uint32_t failures = atomic_fetch_add(&shared->failures, 1) + 1;
  bool is_away = atomic_load(&shared->away_until_us) != 0;
  if (leave != LEAVE_TO_PROBE && (is_away || (code == -ETIMEDOUT && failures < SILENCES)))
    return;
  uint32_t step = atomic_fetch_add(&shared->step, 1);
  int64_t pause = (int64_t)AWAY_FIRST_US << (step < 5 ? step : 5);
  int64_t until = link_clock_us() + (pause < AWAY_LAST_US ? pause : AWAY_LAST_US);
  if (!atomic_exchange(&shared->away_until_us, until))
    atomic_fetch_add(&shared->changes, 1);
}

/* Connections. */

static bool take(struct idem_fleet_client *client, struct client_slot *slot)
{
  uint32_t life = client->life(), before = atomic_load(&slot->taken);
  if (before == life || !atomic_compare_exchange_strong(&slot->taken, &before, life))
    return false;
  if (slot->life && slot->life != life) {
    /* What a thread of the parent's was at may be half done: only the descriptor is given back. */
    if (link_is_whole(&slot->link))
      close(slot->link.fd);
    slot->link = (struct link){.fd = -1};
    slot->life = 0;
  }
  return true;
}

static void give(struct client_slot *slot)
{
  atomic_store(&slot->taken, 0);
}

static void drop(struct client_slot *slot)
{
  if (slot->life)
    link_close(&slot->link);
  slot->life = 0;
}

/* One with a connection is preferred. */
static struct client_slot *take_any(struct idem_fleet_client *client)
{
  for (int open = 1; open >= 0; open--)
    for (unsigned i = 0; i < CLIENT_LINKS; i++)
      if ((open == 0 || client->slot[i].life) && take(client, &client->slot[i]))
        return &client->slot[i];
  return NULL;
}

/* The server's errors that only tell that the script is not there yet. */
static bool lacks_script(const struct reply *reply)
{
  return reply_begins(reply, "NOSCRIPT");
}

/* Logging in. */

static int read_password(const char *path, char *out, size_t size, char *error, size_t error_size)
{
  struct idem_arena arena = {0};
  struct idem_error reason = {""};
  char *data;
  size_t len;
  int rc = idem_file_read_secret(&arena, "password-file", path, &data, &len, &reason);
  if (rc == 0) {
    snprintf(out, size, "%.*s", (int)strcspn(data, "\r\n"), data);
    explicit_bzero(data, len);
  } else {
    snprintf(error, error_size, "%s", reason.text);
  }
  idem_arena_release(&arena);
  return rc;
}

static int send_auth(struct idem_fleet_client *client, struct link *link)
{
  const struct idem_fleet *where = client->where;
  char read[512] = "";
  const char *password = where->password;
  int rc = 0;
  if (where->password_file) {
    rc = read_password(where->password_file, read, sizeof(read), link->error, sizeof(link->error));
    password = read;
  }
  if (rc == 0 && password && where->user)
    rc = link_send(link, LINK_WORDS({"AUTH", 4}, LINK_TEXT(where->user), LINK_TEXT(password)));
  else if (rc == 0 && password)
    rc = link_send(link, LINK_WORDS({"AUTH", 4}, LINK_TEXT(password)));
  explicit_bzero(read, sizeof(read));
  return rc;
}

static int send_select(const struct idem_fleet *where, struct link *link)
{
  char db[16];
  if (!where->db)
    return 0;
  snprintf(db, sizeof(db), "%u", where->db);
  return link_send(link, LINK_WORDS({"SELECT", 6}, LINK_TEXT(db)));
}

/* A server that has lost everything learns again who the fleet is. */
static int send_identity(struct idem_fleet_client *client, struct link *link)
{
  char key[128];
  if (!client->identity[0])
    return 0;
  snprintf(key, sizeof(key), "%s:identity", client->prefix);
  int rc = link_send(link, LINK_WORDS({"SET", 3}, LINK_TEXT(key), LINK_TEXT(client->identity), {"NX", 2}));
  return rc < 0 ? rc : link_send(link, LINK_WORDS({"GET", 3}, LINK_TEXT(key)));
}

/* All in one write and one wait. The last reply is the identity, where it was asked. */
static int log_in(struct idem_fleet_client *client, struct link *link)
{
  struct reply *reply;
  int rc = send_auth(client, link);
  if (rc == 0)
    rc = send_select(client->where, link);
  if (rc == 0)
    rc = send_identity(client, link);
  while (rc == 0 && link->unread) {
    rc = link_read(link, &reply);
    if (rc < 0)
      break;
    if (reply->kind == REPLY_ERROR) {
      snprintf(link->error, sizeof(link->error), "%.120s", reply->text);
      rc = -EREMOTEIO;
    } else if (!link->unread && client->identity[0] &&
               (reply->kind != REPLY_TEXT || strcmp(reply->text, client->identity) != 0)) {
      snprintf(link->error, sizeof(link->error),
               "it is another fleet's by now; its machines do not have our names");
      rc = -ESTALE;
    }
    reply_free(reply);
  }
  return rc;
}

static int64_t deadline_of(uint64_t ms, int64_t until_us)
{
  int64_t deadline_us = link_clock_us() + (int64_t)ms * 1000;
  return deadline_us < until_us ? deadline_us : until_us;
}

static int open_link(struct idem_fleet_client *client, struct client_slot *slot, int64_t until_us)
{
  const struct idem_fleet *where = client->where;
  struct link_place place = {.host = where->node[0].host,
                             .port = where->kind == IDEM_FLEET_UNIX ? 0 : where->node[0].port,
                             .tls = client->tls,
                             .most = where->max_value + REPLY_ROOM};
  slot->life = client->life();
  int rc = link_open(&slot->link, &place, deadline_of(where->connect_ms, until_us));
  if (rc == 0)
    rc = log_in(client, &slot->link);
  return rc;
}

/* Asking. */

struct asking {
  struct idem_fleet_client *client;
  const struct link_word *words;
  size_t count;
  const struct link_word *whole; /* the same with the script in it; NULL: there is none */
  unsigned wait_ms;              /* the server may think about it for so long */
  int64_t until_us;
};

/* One command and its reply, on a connection that is there. */
static int exchange(const struct asking *asking, struct link *link, struct reply **out)
{
  int rc = link_send(link, asking->words, asking->count);
  if (rc == 0)
    rc = link_read(link, out);
  if (rc < 0 || !asking->whole || !lacks_script(*out))
    return rc;
  reply_free(*out);
  rc = link_send(link, asking->whole, asking->count);
  return rc < 0 ? rc : link_read(link, out);
}

static int connect_and_exchange(const struct asking *asking, struct client_slot *slot, struct reply **out)
{
  drop(slot);
  int rc = open_link(asking->client, slot, asking->until_us);
  if (rc < 0)
    return rc;
  slot->link.deadline_us =
      deadline_of(asking->client->where->operation_ms + asking->wait_ms, asking->until_us);
  return exchange(asking, &slot->link, out);
}

/* A server closes a connection that was idle for long; that is no failure, and every step may be repeated. */
static int ask_by(const struct asking *asking, struct client_slot *slot, struct reply **out)
{
  if (!slot->life || !link_is_whole(&slot->link) || !link_is_idle(&slot->link))
    return connect_and_exchange(asking, slot, out);
  slot->link.deadline_us =
      deadline_of(asking->client->where->operation_ms + asking->wait_ms, asking->until_us);
  int rc = exchange(asking, &slot->link, out);
  return rc == -ECONNRESET || rc == -EPIPE ? connect_and_exchange(asking, slot, out) : rc;
}

static int ask(struct asking *asking, idem_fleet_limit *limit, struct reply **out)
{
  struct idem_fleet_client *client = asking->client;
  int64_t began = link_clock_us();
  enum leave leave = *limit > 0 ? may_ask(client->shared) : LEAVE_NO;
  struct client_slot *slot = leave ? take_any(client) : NULL;
  if (!slot)
    return -EAGAIN;
  asking->until_us = began + *limit;
  int rc = ask_by(asking, slot, out);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
  } else if ((*out)->kind == REPLY_ERROR) {
    rc = client_fail(-EREMOTEIO, (*out)->text);
    reply_free(*out);
  }
  if (rc < 0)
    drop(slot);
  give(slot);
  *limit -= link_clock_us() - began;
  if (rc < 0)
    note_failure(client->shared, rc, leave);
  else
    note_success(client->shared);
  return rc;
}

int client_wait(struct idem_fleet_client *client, unsigned wait_ms, const uint8_t *key,
                const struct link_word *words, size_t count, struct reply **out)
{
  idem_fleet_limit limit =
      (int64_t)(client->where->operation_ms + client->where->connect_ms + wait_ms) * 1000;
  (void)key;
  return ask(&(struct asking){.client = client, .words = words, .count = count, .wait_ms = wait_ms}, &limit,
             out);
}

int client_command(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
                   const struct link_word *words, size_t count, struct reply **out)
{
  (void)key;
  return ask(&(struct asking){.client = client, .words = words, .count = count}, limit, out);
}

void client_keys(const struct idem_fleet_client *client, const uint8_t *key, struct client_keys *keys)
{
  char hex[2 * IDEM_FLEET_KEY + 1];
  for (size_t i = 0; i < IDEM_FLEET_KEY; i++)
    snprintf(hex + 2 * i, 3, "%02x", key[i]);
  snprintf(keys->claim, sizeof(keys->claim), "%s:{%s}:c", client->prefix, hex);
  snprintf(keys->answer, sizeof(keys->answer), "%s:{%s}:a", client->prefix, hex);
  snprintf(keys->stream, sizeof(keys->stream), "%s:{%s}:s", client->prefix, hex);
}

/* EVALSHA, the digest, three keys, and what the verb needs. */
enum { SCRIPT_WORDS = 6, SCRIPT_MOST = 24 };

static size_t compose(const struct idem_fleet_client *client, const struct client_keys *keys,
                      const struct link_word *words, size_t count, struct link_word out[SCRIPT_MOST])
{
  const struct link_word head[SCRIPT_WORDS] = {
      {"EVALSHA", 7},         LINK_TEXT(client->sha),  {"3", 1},
      LINK_TEXT(keys->claim), LINK_TEXT(keys->answer), LINK_TEXT(keys->stream)};
  if (count > SCRIPT_MOST - SCRIPT_WORDS)
    count = SCRIPT_MOST - SCRIPT_WORDS;
  memcpy(out, head, sizeof(head));
  memcpy(out + SCRIPT_WORDS, words, count * sizeof(*words));
  return SCRIPT_WORDS + count;
}

int client_run(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
               const struct link_word *words, size_t count, struct reply **out)
{
  struct client_keys keys;
  struct link_word all[SCRIPT_MOST], whole[SCRIPT_MOST];
  client_keys(client, key, &keys);
  count = compose(client, &keys, words, count, all);
  memcpy(whole, all, sizeof(*all) * count);
  whole[0] = (struct link_word){"EVAL", 4};
  whole[1] = (struct link_word)LINK_TEXT(fleet_operation);
  return ask(&(struct asking){.client = client, .words = all, .count = count, .whole = whole}, limit, out);
}

/* Renewing. */

/* What has been said since the last turn, in the order in which it was asked. */
static int read_renewals(struct idem_fleet_client *client, struct link *link)
{
  struct reply *reply;
  link->deadline_us = 0;
  while (client->waiting) {
    int rc = link_read(link, &reply);
    if (rc < 0)
      return rc == -EAGAIN ? 0 : rc;
    uint64_t generation = client->awaited[client->first].generation;
    /* An error says nothing of the fence. */
    int said =
        reply->kind == REPLY_NUMBER && reply->number >= 0 && reply->number <= 2 ? (int)reply->number : 1;
    client->renewal[generation % CLIENT_RENEWALS].generation = generation;
    client->renewal[generation % CLIENT_RENEWALS].said = said;
    client->first = (client->first + 1) % CLIENT_RENEWALS;
    client->waiting--;
    reply_free(reply);
  }
  return 0;
}

static int send_renewal(struct idem_fleet_client *client, struct client_slot *slot,
                        const struct idem_fleet_fence *fence)
{
  char generation[24], lease[24];
  struct client_keys keys;
  struct link_word words[SCRIPT_MOST];
  snprintf(generation, sizeof(generation), "%llu", (unsigned long long)fence->generation);
  snprintf(lease, sizeof(lease), "%llu", (unsigned long long)client->where->lease_ms);
  client_keys(client, fence->key, &keys);
  size_t count = compose(client, &keys,
                         (const struct link_word[]){
                             {"renew", 5}, LINK_TEXT(generation), LINK_TEXT(fence->owner), LINK_TEXT(lease)},
                         4, words);
  /* The script is there: a claim and a sent have been before. Were it not, the reply is an error, and the next turn's too,
   * until somebody brings it. Nothing is waited for: a socket that takes no more is given up. */
  slot->link.deadline_us = 0;
  int rc = link_send(&slot->link, words, count);
  if (rc == 0) {
    client->awaited[(client->first + client->waiting) % CLIENT_RENEWALS].generation = fence->generation;
    client->waiting++;
  }
  return rc;
}

/* The connection is made by the first renewal of a process, in the time that a connection may take. */
int client_renew(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  struct client_slot *slot = &client->renewing;
  int said = 1;
  if (atomic_load_explicit(&client->shared->away_until_us, memory_order_relaxed) || !take(client, slot))
    return said;
  int rc = 0;
  if (!slot->life || !link_is_whole(&slot->link)) {
    drop(slot);
    client->waiting = 0;
    rc = open_link(client, slot, INT64_MAX);
  }
  if (rc == 0)
    rc = read_renewals(client, &slot->link);
  if (rc == 0 && client->waiting < CLIENT_RENEWALS)
    rc = send_renewal(client, slot, fence);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
    drop(slot);
    note_failure(client->shared, rc, LEAVE_YES);
  }
  if (client->renewal[fence->generation % CLIENT_RENEWALS].generation == fence->generation)
    said = client->renewal[fence->generation % CLIENT_RENEWALS].said;
  give(slot);
  return said;
}

/* Opening. */

int client_open(struct idem_fleet_client **out, const struct idem_fleet_options *options, char *error,
                size_t size)
{
  struct idem_fleet_client *client = calloc(1, sizeof(*client));
  uint8_t digest[SHA_DIGEST_LENGTH];
  if (!client)
    return -ENOMEM;
  client->where = options->where;
  client->shared = options->shared;
  client->life = options->life;
  snprintf(client->prefix, sizeof(client->prefix), "idemshim:%s", options->where->name);
  snprintf(client->identity, sizeof(client->identity), "%s", options->identity ? options->identity : "");
  SHA1((const unsigned char *)fleet_operation, strlen(fleet_operation), digest);
  for (size_t i = 0; i < sizeof(digest); i++)
    snprintf(client->sha + 2 * i, 3, "%02x", digest[i]);
  if (options->where->tls && !(client->tls = tls_new(options->where, error, size))) {
    free(client);
    return -EINVAL;
  }
  *out = client;
  return 0;
}

void client_close(struct idem_fleet_client *client)
{
  if (!client)
    return;
  for (unsigned i = 0; i < CLIENT_LINKS; i++)
    drop(&client->slot[i]);
  drop(&client->renewing);
  tls_free(client->tls);
  free(client);
}
