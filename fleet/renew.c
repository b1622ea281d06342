/* SPDX-License-Identifier: MIT */
#include "fleet/renew.h"

#include "fleet/away.h"
#include "fleet/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
  struct link_word words[CLIENT_WORDS];
  snprintf(generation, sizeof(generation), "%llu", (unsigned long long)fence->generation);
  snprintf(lease, sizeof(lease), "%llu", (unsigned long long)client->where->lease_ms);
  client_keys(client, fence->key, &keys);
  size_t count =
      client_compose(client, &keys,
                     (const struct link_word[]){
                         {"sent", 4}, LINK_TEXT(generation), LINK_TEXT(fence->owner), LINK_TEXT(lease)},
                     4, words);
  /* The script is there: a claim and a sent have been before. Were it not, the reply is an error, and the
   * next turn's too, until somebody brings it. Nothing is waited for: a socket that takes no more is given
   * up. */
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
int renew_claim(struct idem_fleet_client *client, const struct idem_fleet_fence *fence)
{
  struct client_slot *slot = &client->renewing;
  int said = 1;
  struct client_keys keys;
  client_keys(client, fence->key, &keys);
  int node = nodes_of(&client->nodes, keys.claim), rc = 0;
  if (node < 0 || atomic_load_explicit(&away_of(client, node)->until_us, memory_order_relaxed) ||
      !session_take(client, slot))
    return said;
  if (!slot->life || slot->node != node || !link_is_whole(&slot->link)) {
    session_drop(slot);
    client->waiting = 0;
    rc = session_open(client, slot, node, link_clock_us() + (int64_t)client->where->call_ms * 1000);
  }
  if (rc == 0)
    rc = read_renewals(client, &slot->link);
  if (rc == 0 && client->waiting < CLIENT_RENEWALS)
    rc = send_renewal(client, slot, fence);
  if (rc < 0) {
    client_fail(rc, slot->link.error);
    if (rc != -ETIMEDOUT || away_has_waited(client->where, &slot->link))
      away_note_failure(client->shared, away_of(client, node), rc, LEAVE_YES, 1);
    session_drop(slot);
  }
  if (client->renewal[fence->generation % CLIENT_RENEWALS].generation == fence->generation)
    said = client->renewal[fence->generation % CLIENT_RENEWALS].said;
  session_give(slot);
  return said;
}
