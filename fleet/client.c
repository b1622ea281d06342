/* SPDX-License-Identifier: MIT */
#include "fleet/client.h"

#include "config/hex.h"
#include "fleet/away.h"
#include "fleet/session.h"
#include "fleet/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

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

/* The server's errors that only tell that the script is not there yet. */
static bool lacks_script(const struct reply *reply)
{
  return reply_begins(reply, "NOSCRIPT");
}

/* Asking. */

/* A command on its way to a server, over redirections and new connections. It lies on the stack of who asks.
 * Its words stay what they are, so that it can be sent again: every step may be repeated. */
struct asking {
  struct idem_fleet_client *client;
  const struct link_word *words;
  size_t count;
  const char *route;                   /* a key's name; NULL: any server will do */
  const char *fetch;                   /* a key whose value is got in the same round trip; NULL: none */
  struct reply **fetched;              /* it; NULL if it was not asked for on the way */
  const struct link_command *commands; /* in the place of `words`, and the reply is a list; NULL: none, */
  size_t command_count;                /* or so many */
  unsigned replicas;                   /* that have it by the end */
  unsigned wait_ms;                    /* the server may think about it for so long */
  bool runs;                           /* the script, which the words name by its digest */
  bool once;                           /* of a server that has the key for this one command */
  bool refused;                        /* the server is well, and cannot do this for this operation */
  bool starved;     /* a silence in which we were hardly let run says nothing of the server */
  int64_t until_us; /* of link_clock_us(): no wait goes on after it */
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
      rc = session_ask_sentinel(client, &link, node);
    if (rc < 0)
      client_fail(rc, link.error);
    asking->starved &= rc == -ETIMEDOUT && !away_has_waited(where, &link);
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

static bool has_moved(const struct reply *reply)
{
  return reply->kind == REPLY_ERROR &&
         (reply_begins(reply, "MOVED ") || reply_begins(reply, "ASK ") || reply_begins(reply, "TRYAGAIN"));
}

/* What an error of the first one leads to comes without the second. A value that has moved in between
 * is asked for by itself. */
static int send_and_read_both(const struct asking *asking, struct link *link, struct reply **out)
{
  const struct link_word get[] = {{"GET", 3}, LINK_TEXT(asking->fetch)};
  const struct link_command both[] = {{asking->words, asking->count}, {get, 2}};
  int rc = link_send_several(link, both, 2);
  if (rc == 0)
    rc = link_read(link, out);
  if (rc < 0)
    return rc;
  rc = link_read(link, asking->fetched);
  bool no_value = rc == 0 && ((*out)->kind == REPLY_ERROR || has_moved(*asking->fetched));
  if (no_value)
    reply_free(*asking->fetched);
  if (rc < 0)
    reply_free(*out);
  if (rc < 0 || no_value)
    *asking->fetched = NULL;
  return rc;
}

/* All are read, so that none is left for the next command. An error is what is said of all of them. */
static int send_and_read_several(const struct asking *asking, struct link *link, struct reply **out)
{
  struct reply *reply[LINK_COMMANDS];
  size_t got = 0, kept = 0;
  int rc = link_send_several(link, asking->commands, asking->command_count);
  while (rc == 0 && got < asking->command_count)
    if ((rc = link_read(link, &reply[got])) == 0)
      got++;
  while (rc == 0 && kept < got && reply[kept]->kind != REPLY_ERROR)
    kept++;
  if (rc == 0 && kept == got)
    return (*out = reply_list_of(reply, got)) ? 0 : link_fail(link, -ENOMEM, "read");
  for (size_t i = 0; i < got; i++)
    if (rc < 0 || i != kept)
      reply_free(reply[i]);
  if (rc == 0)
    *out = reply[kept];
  return rc;
}

/* One command and its reply, on a connection that is there. The reply is the caller's only if 0 is
 * returned. */
static int exchange(const struct asking *asking, struct link *link, struct reply **out)
{
  int rc = 0;
  if (asking->commands)
    return send_and_read_several(asking, link, out);
  if (asking->once && (rc = send_and_read(link, LINK_WORDS({"ASKING", 6}), out)) == 0)
    reply_free(*out);
  if (rc == 0)
    rc = asking->fetch && !asking->once ? send_and_read_both(asking, link, out)
                                        : send_and_read(link, asking->words, asking->count, out);
  if (rc == 0 && asking->runs && lacks_script(*out)) {
    struct link_word whole[CLIENT_WORDS];
    reply_free(*out);
    memcpy(whole, asking->words, sizeof(*whole) * asking->count);
    whole[0] = (struct link_word){"EVAL", 4};
    whole[1] = (struct link_word)LINK_TEXT(fleet_operation);
    /* A server that is asked for once is asked anew. */
    if (asking->once && (rc = send_and_read(link, LINK_WORDS({"ASKING", 6}), out)) == 0)
      reply_free(*out);
    if (rc == 0)
      rc = send_and_read(link, whole, asking->count, out);
  }
  if (rc == 0 && asking->replicas && (*out)->kind != REPLY_ERROR)
    rc = wait_for_replicas(asking, link, out);
  return rc;
}

/* A new connection, whose time is within that of the call; then the command has its own. */
static int connect_and_exchange(const struct asking *asking, struct client_slot *slot, int node,
                                struct reply **out)
{
  session_drop(slot);
  int rc = session_open(asking->client, slot, node, asking->until_us);
  if (rc < 0)
    return rc;
  allow(asking, &slot->link, asking->wait_ms);
  return exchange(asking, &slot->link, out);
}

/* A server closes a connection that was idle for long; that is no failure, and every step may be repeated.
 * What only reads decides nothing: a reply that nobody has asked for may come before its own, and then it
 * finds nothing, and the connection is used no more. */
static int ask_by(const struct asking *asking, struct client_slot *slot, int node, struct reply **out)
{
  bool is_whole = slot->life && slot->node == node && link_is_whole(&slot->link);
  if (!is_whole || !(asking->commands ? link_was_idle(&slot->link) : link_is_idle(&slot->link)))
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

/* What the script stumbled over lies in this operation's keys, or in what it was given: the server is well,
 * and every other operation can go on. So it is with a value of another kind. Redis before 7 wraps also what
 * is wrong with all of the server into an error of the script. */
static bool is_of_an_operation(const struct reply *reply)
{
  static const char *const of_all[] = {"OOM ",        "READONLY ", "MISCONF ", "NOREPLICAS ",
                                       "MASTERDOWN ", "NOPERM ",   "ACL "};
  if (reply_begins(reply, "WRONGTYPE "))
    return true;
  if (!reply_begins(reply, "ERR ") || !strstr(reply->text, "user_script"))
    return false;
  bool of_one = true;
  for (size_t i = 0; i < sizeof(of_all) / sizeof(*of_all); i++)
    of_one &= !strstr(reply->text, of_all[i]);
  return of_one;
}

/* -EAGAIN: it was not asked. An error of a slot is a reply here. */
static int ask_node(struct asking *asking, int node, struct reply **out)
{
  struct idem_fleet_client *client = asking->client;
  struct client_slot *slot = asking->wait_ms ? session_take_for(client, client->watch, CLIENT_WATCHES, node)
                                             : session_wait_for(client, node, asking->until_us);
  if (!slot)
    return -EAGAIN;
  int rc = ask_by(asking, slot, node, out);
  asking->starved = rc == -ETIMEDOUT && !away_has_waited(client->where, &slot->link);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
  } else if ((*out)->kind == REPLY_ERROR && !is_of_a_slot(*out)) {
    rc = client_fail(-EREMOTEIO, (*out)->text);
    asking->refused = is_of_an_operation(*out);
    reply_free(*out);
  }
  bool is_well = rc == 0 || asking->refused;
  if (!is_well)
    session_drop(slot);
  session_give(slot);
  if (is_well)
    away_note_success(client->shared, away_of(client, node));
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

/* Where the key is, and where the servers say that it is. One that has gone is asked for elsewhere once; so
 * is one of a cluster that is known to be away, which costs nothing. */
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
      leave = away_may_ask(away_of(client, node));
    asking->starved = false;
    rc = leave ? ask_one(asking, &node, out) : -EAGAIN;
    bool once = asking->once, failed = rc < 0 && rc != -EAGAIN && !asking->refused;
    asking->once = false;
    bool goes_on = has_others && node >= 0 && (failed ? !lost++ : is_cluster && !leave && hop < 2) &&
                   link_clock_us() < asking->until_us;
    /* A master that has gone is no news before its sentinels know no other; its silence is the first of
     * two if nobody answers. */
    bool is_news = is_cluster || !goes_on;
    count += failed && !asking->starved && (is_news || rc == -ETIMEDOUT);
    if (failed && is_news && count) {
      away_note_failure(client->shared, away_of(client, node), rc, leave, count);
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
    /* ASKING is for one command, and there are others for which it is worth it. */
    if (asking->commands && !reply_begins(*out, "MOVED ")) {
      rc = client_fail(-EREMOTEIO, (*out)->text);
      node = -1;
    } else if (is_on_its_way(asking, *out, began_us)) {
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

int client_read(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *route,
                const struct link_command *commands, size_t count, struct reply **out)
{
  return ask(&(struct asking){.client = client, .commands = commands, .command_count = count, .route = route},
             limit, out);
}

/* "PREFIX:{HEX}:" and what it is. A prefix has at most 73 bytes, as config/fleet.c bounds the name, so that
 * there is room. */
static void put_key(const struct idem_fleet_client *client, const char hex[2 * IDEM_FLEET_KEY + 1],
                    const char *end, char out[CLIENT_KEY])
{
  size_t len = strlen(client->prefix);
  char *at = mempcpy(mempcpy(out, client->prefix, len), ":{", 2);
  memcpy(mempcpy(at, hex, (size_t)2 * IDEM_FLEET_KEY), end, strlen(end) + 1);
}

void client_keys(const struct idem_fleet_client *client, const uint8_t *key, struct client_keys *keys)
{
  char hex[2 * IDEM_FLEET_KEY + 1];
  idem_hex(key, IDEM_FLEET_KEY, hex);
  put_key(client, hex, "}:c", keys->claim);
  put_key(client, hex, "}:a", keys->answer);
  put_key(client, hex, "}:s", keys->stream);
}

/* EVALSHA, the digest and three keys. */
enum { SCRIPT_WORDS = 6 };

size_t client_compose(const struct idem_fleet_client *client, const struct client_keys *keys,
                      const struct link_word *words, size_t count, struct link_word out[CLIENT_WORDS])
{
  const struct link_word head[SCRIPT_WORDS] = {
      {"EVALSHA", 7},         LINK_TEXT(client->sha),  {"3", 1},
      LINK_TEXT(keys->claim), LINK_TEXT(keys->answer), LINK_TEXT(keys->stream)};
  if (count > CLIENT_WORDS - SCRIPT_WORDS)
    count = CLIENT_WORDS - SCRIPT_WORDS;
  memcpy(out, head, sizeof(head));
  memcpy(out + SCRIPT_WORDS, words, count * sizeof(*words));
  return SCRIPT_WORDS + count;
}

/* By the script's digest; a server that does not have it yet says so, and gets all of it: after a start, or
 * as the new master. Machines of two versions bring a script each. Redis' functions are known by name: one
 * version's would take the other's place. */
static int run(struct asking *asking, idem_fleet_limit *limit, const struct client_keys *keys,
               const struct link_word *words, size_t count, struct reply **out)
{
  struct link_word all[CLIENT_WORDS];
  asking->words = all;
  asking->count = client_compose(asking->client, keys, words, count, all);
  asking->runs = true;
  asking->route = keys->claim;
  return ask(asking, limit, out);
}

int client_run_replicated(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
                          const struct link_word *words, size_t count, unsigned replicas, struct reply **out)
{
  struct client_keys keys;
  client_keys(client, key, &keys);
  return run(&(struct asking){.client = client, .replicas = replicas}, limit, &keys, words, count, out);
}

int client_run_and_get(struct idem_fleet_client *client, idem_fleet_limit *limit,
                       const struct client_keys *keys, const struct link_word *words, size_t count,
                       struct reply **out, struct reply **answer)
{
  *answer = NULL;
  return run(&(struct asking){.client = client, .fetch = keys->answer, .fetched = answer}, limit, keys, words,
             count, out);
}

int client_run(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
               const struct link_word *words, size_t count, struct reply **out)
{
  return client_run_replicated(client, limit, key, words, count, 0, out);
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
    session_drop(&client->slot[i]);
  for (unsigned i = 0; i < CLIENT_WATCHES; i++)
    session_drop(&client->watch[i]);
  session_drop(&client->renewing);
  tls_free(client->tls);
  free(client);
}
