/* SPDX-License-Identifier: MIT */
#include "fleet/away.h"

#include <errno.h>

/* How long a fleet that does not answer is left alone, at first and at most; after how many silences. */
enum { AWAY_FIRST_US = 1000000, AWAY_LAST_US = 30000000, SILENCES = 2 };

/* One of those who come when the time is over may ask; if it dies of it, another may a little later. While
 * all is well this is one load, and writes nothing. */
enum leave away_may_ask(struct idem_fleet_away *away)
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
void away_note_success(struct idem_fleet_shared *shared, struct idem_fleet_away *away)
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
bool away_has_waited(const struct idem_fleet *where, const struct link *link)
{
  uint64_t ms = where->connect_ms < where->operation_ms ? where->connect_ms : where->operation_ms;
  if (where->call_ms < ms)
    ms = where->call_ms;
  return link->waited_us >= (int64_t)ms * 500;
}

/* `count` of them, one after the other. Those that were asking already when it went away add nothing to how
 * long it is left alone. One silence may be a slow moment of the server; what refuses, or says something that
 * is no reply, will do so again, and is left alone at once. */
void away_note_failure(struct idem_fleet_shared *shared, struct idem_fleet_away *away, int code,
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

/* Who is no cluster has one server, whichever it is now. Those of a cluster have the place that their address
 * has got, for each process numbers them as it comes to know them. */
struct idem_fleet_away *away_of(struct idem_fleet_client *client, int node)
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
