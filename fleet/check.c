/* SPDX-License-Identifier: MIT */
#include "fleet/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of a check, with a limit of its own for each question. */
struct checking {
  struct idem_fleet_client *client;
  idem_fleet_tell *tell;
  void *arg;
  bool failed;
};

static void tell(struct checking *checking, enum idem_fleet_finding finding, const char *what,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void tell(struct checking *checking, enum idem_fleet_finding finding, const char *what,
                 const char *format, ...)
{
  char text[300];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  checking->failed |= finding == IDEM_FLEET_BAD;
  checking->tell(checking->arg, finding, what, text);
}

/* Of the server that has the identity: in a cluster, that one speaks for all. */
static int ask(struct checking *checking, const struct link_word *words, size_t count, struct reply **out)
{
  idem_fleet_limit limit = (int64_t)checking->client->where->call_ms * 1000;
  char key[128];
  snprintf(key, sizeof(key), "%s:identity", checking->client->prefix);
  return client_command(checking->client, &limit, key, words, count, out);
}

static int compare(const void *a, const void *b)
{
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/* Without a round trip there is nothing else to find out. The median of a few, so that the first, which
 * connects, does not count. */
static bool check_round_trip(struct checking *checking)
{
  enum { TIMES = 9 };
  int64_t us[TIMES];
  struct reply *reply;
  for (int i = 0; i < TIMES; i++) {
    int64_t began = link_clock_us();
    int rc = ask(checking, LINK_WORDS({"PING", 4}), &reply);
    if (rc < 0) {
      tell(checking, IDEM_FLEET_BAD, "reach", "%s", client_problem(checking->client));
      return false;
    }
    reply_free(reply);
    us[i] = link_clock_us() - began;
  }
  qsort(us, TIMES, sizeof(*us), compare);
  tell(checking, IDEM_FLEET_GOOD, "round trip", "%lld us", (long long)us[TIMES / 2]);
  return true;
}

/* For people who compare logs; nothing depends on it. */
static void check_clock(struct checking *checking)
{
  struct timespec now;
  struct reply *reply;
  if (ask(checking, LINK_WORDS({"TIME", 4}), &reply) < 0)
    return;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t theirs = reply_number(reply_item(reply, 0));
  reply_free(reply);
  if (theirs >= 0)
    tell(checking, IDEM_FLEET_GOOD, "clock", "%lld s ahead of ours; no clock of ours is compared with it",
         (long long)theirs - now.tv_sec);
}

/* "name:value\r\n" of an INFO, or "". 63 bytes of a value at most: it is the server's, and may be
 * anything. */
static const char *value_of(const char *info, const char *name, char value[64])
{
  char line[64];
  int len = snprintf(line, sizeof(line), "\n%s:", name);
  const char *at = strstr(info, line);
  snprintf(value, 64, "%.*s", at ? (int)strcspn(at + len, "\r\n") : 0, at ? at + len : "");
  return value;
}

/* Claims live longer than answers: where what ends first goes first, a doubt is dropped last
 * (docs/fleet.md). */
static void check_policy(struct checking *checking, const char *info)
{
  char policy[64], most[64];
  value_of(info, "maxmemory_policy", policy);
  bool keeps = !strcmp(policy, "noeviction") || !strcmp(policy, "volatile-ttl");
  if (!strcmp(value_of(info, "maxmemory", most), "0"))
    tell(checking, IDEM_FLEET_GOOD, "eviction", "there is no maxmemory (%s)", policy);
  else
    tell(checking, keeps ? IDEM_FLEET_GOOD : IDEM_FLEET_BAD, "eviction", "%s%s", policy,
         keeps ? "" : " drops what is in doubt before answers; expected volatile-ttl or noeviction");
}

/* Each process of each machine is one. Servers before 7.0 do not say how many there may be. */
static void check_clients(struct checking *checking, const char *info)
{
  enum { FEW_LEFT = 10 }; /* one in so many */
  char text[64];
  unsigned long most = strtoul(value_of(info, "maxclients", text), NULL, 10);
  unsigned long now = strtoul(value_of(info, "connected_clients", text), NULL, 10);
  bool many = now >= most - most / FEW_LEFT;
  if (most)
    tell(checking, many ? IDEM_FLEET_WARN : IDEM_FLEET_GOOD, "clients", "%lu of maxclients %lu%s", now, most,
         many ? ": each process is one, and whom the server refuses works alone" : "");
}

/* A user of an ACL needs no right to INFO for programs to work, so without it there is a warning alone. */
static void check_info(struct checking *checking)
{
  char a[64], b[64], c[64];
  struct reply *reply;
  const unsigned wanted = checking->client->where->replicas;
  if (ask(checking, LINK_WORDS({"INFO", 4}), &reply) < 0) {
    tell(checking, IDEM_FLEET_WARN, "settings", "may not be asked for: %s", client_problem(checking->client));
    return;
  }
  if (reply->kind == REPLY_TEXT) {
    const char *info = reply->text;
    value_of(info, "valkey_version", b);
    tell(checking, IDEM_FLEET_GOOD, "server", "%s %s", *b ? "Valkey" : "Redis",
         *b ? b : value_of(info, "redis_version", a));
    bool aof = !strcmp(value_of(info, "aof_enabled", a), "1");
    tell(checking, aof ? IDEM_FLEET_GOOD : IDEM_FLEET_WARN, "append-only file", "%s",
         aof ? "on" : "off: a restart forgets what was claimed and stored since the last snapshot");
    check_policy(checking, info);
    check_clients(checking, info);
    unsigned replicas = (unsigned)strtoul(value_of(info, "connected_slaves", c), NULL, 10);
    tell(checking, replicas < wanted ? IDEM_FLEET_BAD : IDEM_FLEET_GOOD, "replicas", "%u, and replicas=%u",
         replicas, wanted);
  }
  reply_free(reply);
}

/* Each step of an operation, on a key that is nobody's and soon forgotten. What is stored there is no record,
 * so that a machine which found it would take it for damage. */
static void check_rights(struct checking *checking)
{
  static const uint8_t print[IDEM_FLEET_KEY] = {1};
  struct idem_fleet_client *client = checking->client;
  idem_fleet_limit limit = (int64_t)client->where->call_ms * 3000;
  struct idem_fleet_claim claim = {
      .fingerprint = print, .most_age_ms = -2, .any_content = true, .keep_ms = 1000};
  memset(claim.fence.key, 0xff, sizeof(claim.fence.key));
  snprintf(claim.fence.owner, sizeof(claim.fence.owner), "check-%lld", (long long)link_clock_us());
  int rc = idem_fleet_api.claim(client, &limit, &claim);
  if (rc == 0 && claim.verdict == IDEM_FLEET_OWNED)
    rc = idem_fleet_api.sent(client, &limit, &claim.fence, 0);
  if (rc == 1)
    rc = idem_fleet_api.commit(client, &limit, &claim.fence, "check", 5, 1000, 1000);
  if (rc < 0)
    tell(checking, IDEM_FLEET_BAD, "rights", "%s", client_problem(client));
  else
    tell(checking, IDEM_FLEET_GOOD, "rights", "a claim can be made, sent and stored");
}

/* With a breaker of its own: what goes wrong here is no reason for programs to leave the fleet alone. */
int check_fleet(struct idem_fleet_client *client, idem_fleet_tell *told, void *arg)
{
  struct idem_fleet_shared alone = {.changes = 0}, *shared = client->shared;
  struct checking checking = {.client = client, .tell = told, .arg = arg};
  client->shared = &alone;
  bool secure = client->where->tls || client->where->kind == IDEM_FLEET_UNIX;
  if (check_round_trip(&checking)) {
    tell(&checking, secure ? IDEM_FLEET_GOOD : IDEM_FLEET_WARN, "way", "%s",
         client->where->tls ? "TLS"
         : secure           ? "a socket of this machine"
                            : "in clear: rediss:// is by TLS");
    check_clock(&checking);
    check_rights(&checking);
    check_info(&checking);
  }
  client->shared = shared;
  return checking.failed;
}
