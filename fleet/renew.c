/* SPDX-License-Identifier: MIT */
#include "fleet/renew.h"

#include "fleet/away.h"
#include "fleet/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An error says nothing of the fence. */
static int what_it_says(const struct reply *reply)
{
  return reply->kind == REPLY_NUMBER && reply->number >= 0 && reply->number <= 2 ? (int)reply->number : 1;
}

/* What has been said since the last turn, in the order in which it was asked: a connection has its replies in
 * the order of its commands, so that the ring needs nothing but generations. With a deadline of 0 nothing is
 * waited for. */
static int read_renewals(struct idem_fleet_client *client, struct link *link, bool *lacks_script)
{
  struct reply *reply;
  link_allow(link, 0, 0);
  while (client->waiting) {
    int rc = link_read(link, &reply);
    if (rc < 0)
      return rc == -EAGAIN ? 0 : rc;
    uint64_t generation = client->awaited[client->first].generation;
    client->renewal[generation % CLIENT_RENEWALS].generation = generation;
    client->renewal[generation % CLIENT_RENEWALS].said = what_it_says(reply);
    client->first = (client->first + 1) % CLIENT_RENEWALS;
    client->waiting--;
    *lacks_script |= reply_begins(reply, "NOSCRIPT");
    reply_free(reply);
  }
  return 0;
}

/* The words of a renewal, which point into it. */
struct renewal {
  char generation[24], lease[24];
  struct link_word words[4];
};

static void write_renewal(struct renewal *renewal, const struct idem_fleet_client *client,
                          const struct idem_fleet_fence *fence)
{
  snprintf(renewal->generation, sizeof(renewal->generation), "%llu", (unsigned long long)fence->generation);
  snprintf(renewal->lease, sizeof(renewal->lease), "%llu", (unsigned long long)client->where->lease_ms);
  renewal->words[0] = (struct link_word){"sent", 4};
  renewal->words[1] = (struct link_word)LINK_TEXT(renewal->generation);
  renewal->words[2] = (struct link_word)LINK_TEXT(fence->owner);
  renewal->words[3] = (struct link_word)LINK_TEXT(renewal->lease);
}

/* Nothing is waited for: a socket that takes no more is given up. */
static int send_renewal(struct idem_fleet_client *client, struct client_slot *slot,
                        const struct idem_fleet_fence *fence)
{
  struct client_keys keys;
  struct renewal renewal;
  struct link_word words[CLIENT_WORDS];
  client_keys(client, fence->key, &keys);
  write_renewal(&renewal, client, fence);
  size_t count = client_compose(client, &keys, renewal.words, 4, words);
  link_allow(&slot->link, 0, 0);
  int rc = link_send(&slot->link, words, count);
  if (rc == 0) {
    client->awaited[(client->first + client->waiting) % CLIENT_RENEWALS].generation = fence->generation;
    client->waiting++;
  }
  return rc;
}

/* As any other step is asked: it finds the master, brings the script, and is the one that finds out whether a
 * server that was away is back. Nobody else may do so while a long call is all that the machine does, and its
 * lease would end. Where it is not the time to ask yet, nobody waits. */
static int ask_and_wait(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  idem_fleet_limit limit = (int64_t)(client->where->connect_ms + client->where->operation_ms) * 1000;
  struct renewal renewal;
  struct reply *reply;
  write_renewal(&renewal, client, fence);
  if (client_run(client, &limit, fence->key, renewal.words, 4, &reply) < 0)
    return 1;
  int said = what_it_says(reply);
  reply_free(reply);
  return said;
}

static int take_turn(struct idem_fleet_client *client, struct client_slot *slot,
                     const struct idem_fleet_fence *fence, bool *lacks_script)
{
  int rc = read_renewals(client, &slot->link, lacks_script);
  return rc == 0 && !*lacks_script && client->waiting < CLIENT_RENEWALS ? send_renewal(client, slot, fence)
                                                                        : rc;
}

static int connect_and_take_turn(struct idem_fleet_client *client, struct client_slot *slot, int node,
                                 const struct idem_fleet_fence *fence, bool *lacks_script)
{
  session_drop(slot);
  client->waiting = 0;
  int rc = session_open(client, slot, node, link_clock_us() + (int64_t)client->where->call_ms * 1000);
  return rc < 0 ? rc : take_turn(client, slot, fence, lacks_script);
}

/* The connection is made by the first renewal of a process, in the time that a connection may take, and again
 * where the server has closed it, as it does with one that was idle for long: that is no failure. It has one
 * of its own, since replies stay unread on it, and no step could begin behind them. Where another thread is
 * at it nothing is written: a lease is fifteen turns long if the URL does not say otherwise. A failure is
 * told to all, as a step's is. */
int renew_claim(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  struct client_slot *slot = &client->renewing;
  int said = 1;
  bool lacks_script = false;
  struct client_keys keys;
  client_keys(client, fence->key, &keys);
  int node = nodes_of(&client->nodes, keys.claim);
  if (node < 0 || atomic_load_explicit(&away_of(client, node)->until_us, memory_order_relaxed))
    return ask_and_wait(client, fence);
  if (!session_take(client, slot))
    return said;
  bool is_there = slot->life && slot->node == node && link_is_whole(&slot->link);
  int rc = is_there ? take_turn(client, slot, fence, &lacks_script) : -EPIPE;
  if (rc == -ECONNRESET || rc == -EPIPE)
    rc = connect_and_take_turn(client, slot, node, fence, &lacks_script);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
    if (rc != -ETIMEDOUT || away_has_waited(client->where, &slot->link))
      away_note_failure(client->shared, away_of(client, node), rc, LEAVE_YES, 1);
    session_drop(slot);
  }
  if (client->renewal[fence->generation % CLIENT_RENEWALS].generation == fence->generation)
    said = client->renewal[fence->generation % CLIENT_RENEWALS].said;
  session_give(slot);
  return lacks_script ? ask_and_wait(client, fence) : said;
}
