/* SPDX-License-Identifier: MIT */
#include "fleet/client.h"

#include "config/arena.h"
#include "config/file.h"
#include "config/hex.h"
#include "fleet/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

/* How long a fleet that does not answer is left alone, at first and at most; after how many silences. */
enum { AWAY_FIRST_US = 1000000, AWAY_LAST_US = 30000000, SILENCES = 2 };

/* What a reply may have beside a record. A server that sends more is given up, before its bytes fill the
 * app's memory. */
enum { REPLY_ROOM = 4 << 20 };

/* The text of operation.lua, which scripts.S brings in. */
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

/* To ask. Who probes is the one that finds out for all processes. */
enum leave { LEAVE_NO, LEAVE_YES, LEAVE_TO_PROBE };

/* One of those who come when the time is over may ask; if it dies of it, another may a little later. While
 * all is well this is one load, and writes nothing. */
static enum leave may_ask(struct idem_fleet_away *away)
{
  int64_t until = atomic_load_explicit(&away->until_us, memory_order_relaxed), now;
  if (!until)
    return LEAVE_YES;
  now = link_clock_us();
  /* The page has outlived a restart of the machine, and the clock has begun anew. */
  bool is_of_before = until > now + AWAY_LAST_US;
  return (now >= until || is_of_before) &&
                 atomic_compare_exchange_strong(&away->until_us, &until, now + AWAY_FIRST_US)
             ? LEAVE_TO_PROBE
             : LEAVE_NO;
}

/* Who sees it first after it was away counts the change, which is told once (call/shared.c). */
static void note_success(struct idem_fleet_shared *shared, struct idem_fleet_away *away)
{
  if (atomic_load_explicit(&away->failures, memory_order_relaxed))
    atomic_store(&away->failures, 0);
  if (!atomic_load_explicit(&away->until_us, memory_order_relaxed))
    return;
  atomic_store(&away->step, 0);
  if (atomic_exchange(&away->until_us, 0))
    atomic_fetch_add(&shared->changes, 1);
}

/* Who had no time to wait, since its call had none left or since it was not let run, has seen no silence. */
static bool has_waited(const struct idem_fleet *where, const struct link *link)
{
  uint64_t ms = where->connect_ms < where->operation_ms ? where->connect_ms : where->operation_ms;
  if (where->call_ms < ms)
    ms = where->call_ms;
  return link->waited_us >= (int64_t)ms * 500;
}

/* `count` of them, one after the other. Those that were asking already when it went away add nothing to how long it is left
 * alone. One silence may be a slow moment of the server; what refuses, or says something that is no reply, will do so again, and
 * is left alone at once. */
static void note_failure(struct idem_fleet_shared *shared, struct idem_fleet_away *away, int code,
                         enum leave leave, unsigned count)
{
  uint32_t failures = atomic_fetch_add(&away->failures, count) + count;
  bool is_away = atomic_load(&away->until_us) != 0;
  if (leave != LEAVE_TO_PROBE && (is_away || (code == -ETIMEDOUT && failures < SILENCES)))
    return;
  uint32_t step = atomic_fetch_add(&away->step, 1);
  int64_t pause = (int64_t)AWAY_FIRST_US << (step < 5 ? step : 5);
  int64_t until = link_clock_us() + (pause < AWAY_LAST_US ? pause : AWAY_LAST_US);
  if (!atomic_exchange(&away->until_us, until))
    atomic_fetch_add(&shared->changes, 1);
}

/* Who is no cluster has one server, whichever it is now. Those of a cluster have the place that their address has got, for each
 * process numbers them as it comes to know them. */
static struct idem_fleet_away *away_of(struct idem_fleet_client *client, int node)
{
  struct idem_fleet_away *away = client->shared->away;
  if (client->where->kind != IDEM_FLEET_CLUSTER)
    return away;
  const struct nodes_node *server = &client->nodes.node[node];
  /* FNV-1a */
  uint32_t hash = (2166136261u ^ server->port) * 16777619u;
  for (const char *at = server->host; *at; at++)
    hash = (hash ^ (unsigned char)*at) * 16777619u;
  hash |= !hash;
  for (uint32_t i = 0; i < IDEM_FLEET_SERVERS; i++) {
    struct idem_fleet_away *place = &away[(hash + i) % IDEM_FLEET_SERVERS];
    uint32_t whose = 0;
    if (atomic_load_explicit(&place->whose, memory_order_relaxed) == hash ||
        atomic_compare_exchange_strong(&place->whose, &whose, hash) || whose == hash)
      return place;
  }
  return away;
}

/* Connections. */

/* False: another thread of ours has it. A slot that another process had taken when we were forked counts as
 * free: nobody here gives it back. What OpenSSL and hiredis had allocated for a parent's connection stays
 * where it is, for it cannot be freed without looking into it: once for each connection and fork. */
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

/* For who has taken the slot, or closes the client. No farewell is said, as link_close() has it. */
static void drop(struct client_slot *slot)
{
  if (slot->life)
    link_close(&slot->link);
  slot->life = 0;
}

/* One with a connection to this server is preferred, then one without any, and then one whose connection to
 * another server is closed for it (ask_by()). NULL: all are in use. */
static struct client_slot *take_for(struct idem_fleet_client *client, struct client_slot *slots,
                                    unsigned count, int node)
{
  for (int pass = 0; pass < 3; pass++)
    for (struct client_slot *slot = slots; slot < slots + count; slot++) {
      bool fits = pass == 0 ? slot->life && slot->node == node : pass == 1 ? !slot->life : true;
      if (fits && take(client, slot))
        return slot;
    }
  return NULL;
}

/* Each is free again after a round trip, so that half of a limit is long. NULL is no news of the server, and
 * not counted as a failure of it: many threads are no reason to leave it alone. */
static struct client_slot *wait_for_slot(struct idem_fleet_client *client, int node, int64_t until_us)
{
  enum { NAP_US = 100 };
  int64_t patience_us = link_clock_us() + (int64_t)client->where->operation_ms * 500;
  struct client_slot *slot;
  while (!(slot = take_for(client, client->slot, CLIENT_LINKS, node)) && link_clock_us() < patience_us &&
         link_clock_us() < until_us)
    usleep(NAP_US);
  return slot;
}

/* The server's errors that only tell that the script is not there yet. */
static bool lacks_script(const struct reply *reply)
{
  return reply_begins(reply, "NOSCRIPT");
}

/* Logging in. */

/* The first line of it; what does not fit is cut off. The copy that was read is zeroed; `out` is for the
 * caller to zero. */
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

/* The file is read at each login, so that a new password needs no new start of programs. Without a user it is
 * the AUTH of requirepass, which every version knows; without a password nothing is sent. */
static int send_auth(struct link *link, const char *user, const char *password, const char *file)
{
  char read[512] = "";
  int rc = 0;
  if (file) {
    rc = read_password(file, read, sizeof(read), link->error, sizeof(link->error));
    password = read;
  }
  if (rc == 0 && password && user)
    rc = link_send(link, LINK_WORDS({"AUTH", 4}, LINK_TEXT(user), LINK_TEXT(password)));
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

/* A server that has lost everything learns again who the fleet is. In a cluster it is another one that knows.
 * One that has another identity is not used: keys that are made with our secret find nothing there, and
 * nobody else would find ours. */
static bool has_identity(const struct idem_fleet_client *client)
{
  return client->identity[0] && client->where->kind != IDEM_FLEET_CLUSTER;
}

static int send_identity(struct idem_fleet_client *client, struct link *link)
{
  char key[128];
  if (!has_identity(client))
    return 0;
  snprintf(key, sizeof(key), "%s:identity", client->prefix);
  int rc = link_send(link, LINK_WORDS({"SET", 3}, LINK_TEXT(key), LINK_TEXT(client->identity), {"NX", 2}));
  return rc < 0 ? rc : link_send(link, LINK_WORDS({"GET", 3}, LINK_TEXT(key)));
}

/* All is written before anything is read, so that it costs one round trip. The last reply is the identity,
 * where it was asked. -EREMOTEIO with the server's words, -ESTALE for another fleet, or what link.h says. */
static int log_in(struct idem_fleet_client *client, struct link *link)
{
  struct reply *reply;
  const struct idem_fleet *where = client->where;
  int rc = send_auth(link, where->user, where->password, where->password_file);
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
    } else if (!link->unread && has_identity(client) &&
               (reply->kind != REPLY_TEXT || strcmp(reply->text, client->identity) != 0)) {
      snprintf(link->error, sizeof(link->error),
               "it is another fleet's by now; its machines do not have our names");
      rc = -ESTALE;
    }
    reply_free(reply);
  }
  return rc;
}

/* Connecting, TLS and logging in have one deadline. The slot has the connection also after a failure, for its
 * error: the caller drops it. Where other servers have told of this one, it is asked by TLS all the same if
 * the URL says so, and unless that says insecure has to have a certificate for the name that they told: no
 * reply leads to a server in clear. */
static int open_link(struct idem_fleet_client *client, struct client_slot *slot, int node, int64_t until_us)
{
  const struct idem_fleet *where = client->where;
  bool is_given = where->kind == IDEM_FLEET_SINGLE || where->kind == IDEM_FLEET_UNIX;
  struct link_place place = {.host = is_given ? where->node[0].host : client->nodes.node[node].host,
                             .port = where->kind == IDEM_FLEET_UNIX ? 0
                                     : is_given                     ? where->node[0].port
                                                                    : client->nodes.node[node].port,
                             .tls = client->tls,
                             .most = where->max_value + REPLY_ROOM};
  slot->life = client->life();
  slot->node = node;
  int rc = link_open(&slot->link, &place, where->connect_ms, until_us);
  if (rc == 0)
    rc = log_in(client, &slot->link);
  return rc;
}

/* What a sentinel says: the host and the port of the master, or nil for one that it does not know. Sentinels
 * have a password of their own. What one says to that is not looked at: where it is refused, the answer is an
 * error, too. */
static int ask_sentinel(struct idem_fleet_client *client, struct link *link, int *node)
{
  const struct idem_fleet *where = client->where;
  struct reply *reply = NULL;
  int rc = send_auth(link, NULL, NULL, where->sentinel_password_file);
  bool reads_auth = link->unread > 0;
  if (rc == 0)
    rc = link_send(link,
                   LINK_WORDS({"SENTINEL", 8}, {"get-master-addr-by-name", 23}, LINK_TEXT(where->master)));
  if (rc == 0 && reads_auth && (rc = link_read(link, &reply)) == 0)
    reply_free(reply);
  if (rc == 0)
    rc = link_read(link, &reply);
  if (rc < 0)
    return rc;
  const struct reply *host = reply_item(reply, 0);
  int64_t port = reply_number(reply_item(reply, 1));
  *node = host->kind == REPLY_TEXT && port > 0 && port <= UINT16_MAX
              ? nodes_set_master(&client->nodes, host->text, (uint16_t)port)
              : -1;
  if (*node < 0)
    snprintf(link->error, sizeof(link->error), "%.100s",
             reply->kind == REPLY_ERROR ? reply->text : "this sentinel knows no such master");
  reply_free(reply);
  return *node < 0 ? -EREMOTEIO : 0;
}

/* Asking. */

/* A command on its way to a server, over redirections and new connections. It lies on the stack of who asks.
 * Its words stay what they are, so that it can be sent again: every step may be repeated. */
struct asking {
  struct idem_fleet_client *client;
  const struct link_word *words;
  size_t count;
  const struct link_word *whole; /* the same with the script in it; NULL: there is none */
  const char *route;             /* a key's name; NULL: any server will do */
  unsigned replicas;             /* that have it by the end */
  unsigned wait_ms;              /* the server may think about it for so long */
  bool once;                     /* of a server that has the key for this one command */
  bool starved;                  /* a silence in which we were hardly let run says nothing of the server */
  int64_t until_us;              /* of link_clock_us(): no wait goes on after it */
};

/* One after the other until one knows, each for the time of a connection at most. The connection is not kept:
 * there is nothing to ask before the master has gone. The first that knows one is believed: a master of
 * yesterday refuses a write (READONLY), which is a failure like any other, and they are asked again. */
static int find_master(struct asking *asking, int *node)
{
  struct idem_fleet_client *client = asking->client;
  const struct idem_fleet *where = client->where;
  int rc = -EHOSTUNREACH;
  asking->starved = true;
  for (size_t i = 0; i < where->node_count && rc < 0; i++) {
    struct link_place place = {
        .host = where->node[i].host, .port = where->node[i].port, .tls = client->tls, .most = 1 << 16};
    struct link link;
    rc = link_open(&link, &place, where->connect_ms, asking->until_us);
    if (rc == 0)
      rc = ask_sentinel(client, &link, node);
    if (rc < 0)
      client_fail(rc, link.error);
    asking->starved &= rc == -ETIMEDOUT && !has_waited(where, &link);
    link_close(&link);
  }
  return rc;
}

static int send_and_read(struct link *link, const struct link_word *words, size_t count, struct reply **out)
{
  int rc = link_send(link, words, count);
  return rc < 0 ? rc : link_read(link, out);
}

/* For the next command, about which the server may think for so long: that is none of its silence. */
static void allow(const struct asking *asking, struct link *link, uint64_t thinks_ms)
{
  link_allow(link, asking->client->where->operation_ms + thinks_ms, asking->until_us);
  link->waited_us -= (int64_t)thinks_ms * 1000;
}

/* It counts what this connection has written, so it has to follow the step on the same one. The server thinks
 * about it for one operation-timeout, and the way there and back has another. After a failure both replies
 * are freed. */
static int wait_for_replicas(const struct asking *asking, struct link *link, struct reply **out)
{
  char number[16], ms[24];
  struct reply *acknowledged;
  snprintf(number, sizeof(number), "%u", asking->replicas);
  snprintf(ms, sizeof(ms), "%llu", (unsigned long long)asking->client->where->operation_ms);
  allow(asking, link, asking->client->where->operation_ms);
  int rc = send_and_read(link, LINK_WORDS({"WAIT", 4}, LINK_TEXT(number), LINK_TEXT(ms)), &acknowledged);
  if (rc == 0 && (acknowledged->kind != REPLY_NUMBER || acknowledged->number < (int64_t)asking->replicas)) {
    snprintf(link->error, sizeof(link->error), "fewer than %u replicas have it", asking->replicas);
    rc = -EREMOTEIO;
  }
  if (rc == 0 || rc == -EREMOTEIO)
    reply_free(acknowledged);
  if (rc < 0)
    reply_free(*out);
  return rc;
}

/* One command and its reply, on a connection that is there. The reply is the caller's only if 0 is
 * returned. */
static int exchange(const struct asking *asking, struct link *link, struct reply **out)
{
  int rc = 0;
  if (asking->once && (rc = send_and_read(link, LINK_WORDS({"ASKING", 6}), out)) == 0)
    reply_free(*out);
  if (rc == 0)
    rc = send_and_read(link, asking->words, asking->count, out);
  if (rc == 0 && asking->whole && lacks_script(*out)) {
    reply_free(*out);
    /* A server that is asked for once is asked anew. */
    if (asking->once && (rc = send_and_read(link, LINK_WORDS({"ASKING", 6}), out)) == 0)
      reply_free(*out);
    if (rc == 0)
      rc = send_and_read(link, asking->whole, asking->count, out);
  }
  if (rc == 0 && asking->replicas && (*out)->kind != REPLY_ERROR)
    rc = wait_for_replicas(asking, link, out);
  return rc;
}

/* A new connection, whose time is within that of the call; then the command has its own. */
static int connect_and_exchange(const struct asking *asking, struct client_slot *slot, int node,
                                struct reply **out)
{
  drop(slot);
  int rc = open_link(asking->client, slot, node, asking->until_us);
  if (rc < 0)
    return rc;
  allow(asking, &slot->link, asking->wait_ms);
  return exchange(asking, &slot->link, out);
}

/* A server closes a connection that was idle for long; that is no failure, and every step may be repeated. */
static int ask_by(const struct asking *asking, struct client_slot *slot, int node, struct reply **out)
{
  if (!slot->life || slot->node != node || !link_is_whole(&slot->link) || !link_is_idle(&slot->link))
    return connect_and_exchange(asking, slot, node, out);
  allow(asking, &slot->link, asking->wait_ms);
  int rc = exchange(asking, &slot->link, out);
  return rc == -ECONNRESET || rc == -EPIPE ? connect_and_exchange(asking, slot, node, out) : rc;
}

/* Not what is wrong with the server, but with where a key was looked for, or with one slot of many. */
static bool is_of_a_slot(const struct reply *reply)
{
  return reply_begins(reply, "MOVED ") || reply_begins(reply, "ASK ") || reply_begins(reply, "TRYAGAIN") ||
         reply_begins(reply, "CLUSTERDOWN Hash slot");
}

/* -EAGAIN: it was not asked. An error of a slot is a reply here. */
static int ask_node(struct asking *asking, int node, struct reply **out)
{
  struct idem_fleet_client *client = asking->client;
  struct client_slot *slot = asking->wait_ms ? take_for(client, client->watch, CLIENT_WATCHES, node)
                                             : wait_for_slot(client, node, asking->until_us);
  if (!slot)
    return -EAGAIN;
  int rc = ask_by(asking, slot, node, out);
  asking->starved = rc == -ETIMEDOUT && !has_waited(client->where, &slot->link);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
  } else if ((*out)->kind == REPLY_ERROR && !is_of_a_slot(*out)) {
    rc = client_fail(-EREMOTEIO, (*out)->text);
    reply_free(*out);
  }
  if (rc < 0)
    drop(slot);
  give(slot);
  if (rc == 0)
    note_success(client->shared, away_of(client, node));
  return rc;
}

/* The server whose number it is, or the master if that is not known: the number is set then. */
static int ask_one(struct asking *asking, int *node, struct reply **out)
{
  int rc = *node < 0 ? find_master(asking, node) : 0;
  return rc < 0 ? rc : ask_node(asking, *node, out);
}

/* Some of the operation's keys are with the slot's next server already: in a moment all are. */
static bool is_on_its_way(const struct asking *asking, const struct reply *reply, int64_t began_us)
{
  enum { NAP_US = 2000 };
  int64_t until_us = began_us + (int64_t)asking->client->where->operation_ms * 1000;
  if (!reply_begins(reply, "TRYAGAIN") || link_clock_us() >= until_us || link_clock_us() >= asking->until_us)
    return false;
  usleep(NAP_US);
  return true;
}

/* Where the key is, and where the servers say that it is. One that has gone is asked for elsewhere once; so is one of a cluster
 * that is known to be away, which costs nothing. */
static int ask_around(struct asking *asking, struct reply **out)
{
  /* So many servers are asked at most: they may send us round in a circle. */
  enum { HOPS = 4 };
  struct idem_fleet_client *client = asking->client;
  bool is_cluster = client->where->kind == IDEM_FLEET_CLUSTER;
  bool has_others = is_cluster || client->where->kind == IDEM_FLEET_SENTINEL;
  int node = nodes_of(&client->nodes, asking->route), rc = -EAGAIN, lost = 0;
  int64_t began_us = link_clock_us();
  enum leave leave = LEAVE_NO;
  unsigned count = 0;
  for (int hop = 0; hop < HOPS; hop++) {
    /* A master, who tells where it is, and the master after it are one: leave to ask is given once. */
    if (is_cluster || !leave)
      leave = may_ask(away_of(client, node));
    asking->starved = false;
    rc = leave ? ask_one(asking, &node, out) : -EAGAIN;
    bool once = asking->once, failed = rc < 0 && rc != -EAGAIN;
    asking->once = false;
    bool goes_on = has_others && node >= 0 && (failed ? !lost++ : is_cluster && !leave && hop < 2) &&
                   link_clock_us() < asking->until_us;
    /* A master that has gone is no news before its sentinels know no other; its silence is the first of two if nobody answers. */
    bool is_news = is_cluster || !goes_on;
    count += failed && !asking->starved && (is_news || rc == -ETIMEDOUT);
    if (failed && is_news && count) {
      note_failure(client->shared, away_of(client, node), rc, leave, count);
      count = 0;
    }
    if (goes_on || (failed && has_others))
      nodes_doubt(&client->nodes, node);
    if (goes_on) {
      node = nodes_of(&client->nodes, asking->route);
      continue;
    }
    if (rc < 0 || (*out)->kind != REPLY_ERROR)
      return rc;
    if (is_on_its_way(asking, *out, began_us)) {
      asking->once = once;
      hop--;
    } else {
      asking->once = reply_begins(*out, "ASK ");
      node = nodes_learn(&client->nodes, node, (*out)->text);
      rc = node < 0 ? client_fail(-EREMOTEIO, (*out)->text) : -EREMOTEIO;
    }
    reply_free(*out);
    if (node < 0)
      break;
  }
  return rc;
}

/* Takes from the limit what was used. One that is used up asks nobody. */
static int ask(struct asking *asking, idem_fleet_limit *limit, struct reply **out)
{
  int64_t began = link_clock_us();
  if (*limit <= 0)
    return -EAGAIN;
  asking->until_us = began + *limit;
  int rc = ask_around(asking, out);
  /* One silence does not say that nobody is there, unless nobody is asked any more. */
  if (rc == -ETIMEDOUT && link_clock_us() < asking->until_us && (rc = ask_around(asking, out)) == -EAGAIN)
    rc = -ETIMEDOUT;
  *limit -= link_clock_us() - began;
  return rc;
}

int client_wait(struct idem_fleet_client *client, unsigned wait_ms, const char *route,
                const struct link_word *words, size_t count, struct reply **out)
{
  idem_fleet_limit limit =
      (int64_t)(client->where->operation_ms + client->where->connect_ms + wait_ms) * 1000;
  return ask(
      &(struct asking){.client = client, .words = words, .count = count, .route = route, .wait_ms = wait_ms},
      &limit, out);
}

int client_command(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *route,
                   const struct link_word *words, size_t count, struct reply **out)
{
  return ask(&(struct asking){.client = client, .words = words, .count = count, .route = route}, limit, out);
}

/* A prefix has at most 73 bytes, as config/fleet.c bounds the name, so that nothing is cut off. */
void client_keys(const struct idem_fleet_client *client, const uint8_t *key, struct client_keys *keys)
{
  char hex[2 * IDEM_FLEET_KEY + 1];
  idem_hex(key, IDEM_FLEET_KEY, hex);
  snprintf(keys->claim, sizeof(keys->claim), "%s:{%s}:c", client->prefix, hex);
  snprintf(keys->answer, sizeof(keys->answer), "%s:{%s}:a", client->prefix, hex);
  snprintf(keys->stream, sizeof(keys->stream), "%s:{%s}:s", client->prefix, hex);
}

/* EVALSHA, the digest, three keys, and what the verb needs. */
enum { SCRIPT_WORDS = 6, SCRIPT_MOST = 24 };

/* Words point to what they were made of: `keys` and the caller's have to stay until the command is sent. */
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

/* By the script's digest; a server that does not have it yet says so, and gets all of it: after a start, or
 * as the new master. Machines of two versions bring a script each. Redis' functions are known by name: one
 * version's would take the other's place. */
int client_run_replicated(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
                          const struct link_word *words, size_t count, unsigned replicas, struct reply **out)
{
  struct client_keys keys;
  struct link_word all[SCRIPT_MOST], whole[SCRIPT_MOST];
  client_keys(client, key, &keys);
  count = compose(client, &keys, words, count, all);
  memcpy(whole, all, sizeof(*all) * count);
  whole[0] = (struct link_word){"EVAL", 4};
  whole[1] = (struct link_word)LINK_TEXT(fleet_operation);
  return ask(&(struct asking){.client = client,
                              .words = all,
                              .count = count,
                              .whole = whole,
                              .route = keys.claim,
                              .replicas = replicas},
             limit, out);
}

int client_run(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
               const struct link_word *words, size_t count, struct reply **out)
{
  return client_run_replicated(client, limit, key, words, count, 0, out);
}

/* Renewing. */

/* What has been said since the last turn, in the order in which it was asked: a connection has its replies in
 * the order of its commands, so that the ring needs nothing but generations. With a deadline of 0 nothing is
 * waited for. */
static int read_renewals(struct idem_fleet_client *client, struct link *link)
{
  struct reply *reply;
  link_allow(link, 0, 0);
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
                             {"sent", 4}, LINK_TEXT(generation), LINK_TEXT(fence->owner), LINK_TEXT(lease)},
                         4, words);
  /* The script is there: a claim and a sent have been before. Were it not, the reply is an error, and the next turn's too,
   * until somebody brings it. Nothing is waited for: a socket that takes no more is given up. */
  link_allow(&slot->link, 0, 0);
  int rc = link_send(&slot->link, words, count);
  if (rc == 0) {
    client->awaited[(client->first + client->waiting) % CLIENT_RENEWALS].generation = fence->generation;
    client->waiting++;
  }
  return rc;
}

/* The connection is made by the first renewal of a process, in the time that a connection may take. It has
 * one of its own, since replies stay unread on it, and no step could begin behind them. Where another thread
 * is at it, or the server is away, nothing is written: a lease is fifteen turns long if the URL does not say
 * otherwise. A failure is told to all, as a step's is. */
int client_renew(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  struct client_slot *slot = &client->renewing;
  int said = 1;
  struct client_keys keys;
  client_keys(client, fence->key, &keys);
  int node = nodes_of(&client->nodes, keys.claim), rc = 0;
  if (node < 0 || atomic_load_explicit(&away_of(client, node)->until_us, memory_order_relaxed) ||
      !take(client, slot))
    return said;
  if (!slot->life || slot->node != node || !link_is_whole(&slot->link)) {
    drop(slot);
    client->waiting = 0;
    rc = open_link(client, slot, node, link_clock_us() + (int64_t)client->where->call_ms * 1000);
  }
  if (rc == 0)
    rc = read_renewals(client, &slot->link);
  if (rc == 0 && client->waiting < CLIENT_RENEWALS)
    rc = send_renewal(client, slot, fence);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
    if (rc != -ETIMEDOUT || has_waited(client->where, &slot->link))
      note_failure(client->shared, away_of(client, node), rc, LEAVE_YES, 1);
    drop(slot);
  }
  if (client->renewal[fence->generation % CLIENT_RENEWALS].generation == fence->generation)
    said = client->renewal[fence->generation % CLIENT_RENEWALS].said;
  give(slot);
  return said;
}

/* Opening. */

/* The script's digest is computed here and asked of nobody, so that opening sends nothing. */
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
  nodes_begin(&client->nodes, options->where, options->life);
  snprintf(client->prefix, sizeof(client->prefix), "idemshim:%s", options->where->name);
  snprintf(client->identity, sizeof(client->identity), "%s", options->identity ? options->identity : "");
  SHA1((const unsigned char *)fleet_operation, strlen(fleet_operation), digest);
  idem_hex(digest, sizeof(digest), client->sha);
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
  for (unsigned i = 0; i < CLIENT_WATCHES; i++)
    drop(&client->watch[i]);
  drop(&client->renewing);
  tls_free(client->tls);
  free(client);
}
