/* SPDX-License-Identifier: MIT */
#include "fleet/session.h"

#include "config/arena.h"
#include "config/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a reply may have beside a record. A server that sends more is given up, before its bytes fill the
 * app's memory. */
enum { REPLY_ROOM = 4 << 20 };

/* Connections. */

/* False: another thread of ours has it. A slot that another process had taken when we were forked counts as
 * free: nobody here gives it back. What OpenSSL and hiredis had allocated for a parent's connection stays
 * where it is, for it cannot be freed without looking into it: once for each connection and fork. */
bool session_take(struct idem_fleet_client *client, struct client_slot *slot)
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

void session_give(struct client_slot *slot)
{
  atomic_store(&slot->taken, 0);
}

/* For who has taken the slot, or closes the client. No farewell is said, as link_close() has it. */
void session_drop(struct client_slot *slot)
{
  if (slot->life)
    link_close(&slot->link);
  slot->life = 0;
}

/* One with a connection to this server is preferred, then one without any, and then one whose connection to
 * another server is closed for it (ask_by()). NULL: all are in use. */
struct client_slot *session_take_for(struct idem_fleet_client *client, struct client_slot *slots,
                                     unsigned count, int node)
{
  for (int pass = 0; pass < 3; pass++)
    for (struct client_slot *slot = slots; slot < slots + count; slot++) {
      bool fits = pass == 0 ? slot->life && slot->node == node : pass == 1 ? !slot->life : true;
      if (fits && session_take(client, slot))
        return slot;
    }
  return NULL;
}

/* Each is free again after a round trip, so that half of a limit is long. NULL is no news of the server, and
 * not counted as a failure of it: many threads are no reason to leave it alone. */
struct client_slot *session_wait_for(struct idem_fleet_client *client, int node, int64_t until_us)
{
  enum { NAP_US = 100 };
  int64_t patience_us = link_clock_us() + (int64_t)client->where->operation_ms * 500;
  struct client_slot *slot;
  while (!(slot = session_take_for(client, client->slot, CLIENT_LINKS, node)) &&
         link_clock_us() < patience_us && link_clock_us() < until_us)
    usleep(NAP_US);
  return slot;
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
int session_open(struct idem_fleet_client *client, struct client_slot *slot, int node, int64_t until_us)
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
int session_ask_sentinel(struct idem_fleet_client *client, struct link *link, int *node)
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
