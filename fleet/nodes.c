/* SPDX-License-Identifier: MIT */
#include "fleet/nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CRC16 as clusters have it (XMODEM), of what stands in the first braces, else of all. */
static unsigned slot_of(const char *key)
{
  const char *open = strchr(key, '{'), *close = open ? strchr(open, '}') : NULL;
  const char *at = close && close > open + 1 ? open + 1 : key;
  const char *end = at == key ? key + strlen(key) : close;
  unsigned crc = 0;
  for (; at < end; at++) {
    crc ^= (unsigned)(unsigned char)*at << 8;
    for (int bit = 0; bit < 8; bit++)
      crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc % NODES_SLOTS;
}

/* -1: it is not known. The name is there before the count says so, and neither changes after that:
 * who reads takes no lock. */
static int find(const struct nodes *nodes, const char *host, size_t len, unsigned port)
{
  unsigned count = atomic_load(&nodes->count);
  for (unsigned i = 0; i < count; i++)
    if (nodes->node[i].port == port && strlen(nodes->node[i].host) == len &&
        memcmp(nodes->node[i].host, host, len) == 0)
      return (int)i;
  return -1;
}

/* A thread adds for as long as a name takes to copy, and most of them begin with the same servers: who did
 * without would make its call alone. One that is still at it after these naps was stopped there. */
static bool may_add(struct nodes *nodes)
{
  enum { NAPS = 100, NAP_US = 100 };
  for (int i = 0; i < NAPS; i++) {
    uint32_t life = nodes->life(), adding = atomic_load(&nodes->adding);
    if (adding != life && atomic_compare_exchange_strong(&nodes->adding, &adding, life))
      return true;
    usleep(NAP_US);
  }
  return false;
}

/* The number of a server, new or known; -1: it is none, another thread is adding one, or there is no room. */
static int add(struct nodes *nodes, const char *host, size_t len, unsigned port)
{
  if (!len || len >= sizeof(nodes->node->host) || !port || port > UINT16_MAX)
    return -1;
  int node = find(nodes, host, len, port);
  if (node >= 0 || !may_add(nodes))
    return node;
  node = find(nodes, host, len, port);
  unsigned count = atomic_load(&nodes->count);
  if (node < 0 && count < NODES_MOST) {
    memcpy(nodes->node[count].host, host, len);
    nodes->node[count].host[len] = '\0';
    nodes->node[count].port = (uint16_t)port;
    node = (int)count;
    atomic_store(&nodes->count, count + 1);
  }
  atomic_store(&nodes->adding, 0);
  return node;
}

void nodes_begin(struct nodes *nodes, const struct idem_fleet *where, uint32_t (*life)(void))
{
  nodes->where = where;
  nodes->life = life;
  atomic_store(&nodes->master, -1);
  for (size_t i = 0; i < where->node_count && where->kind == IDEM_FLEET_CLUSTER; i++)
    add(nodes, where->node[i].host, strlen(where->node[i].host), where->node[i].port);
}

int nodes_of(const struct nodes *nodes, const char *route)
{
  unsigned known;
  switch (nodes->where->kind) {
  case IDEM_FLEET_SENTINEL:
    return atomic_load(&nodes->master);
  case IDEM_FLEET_CLUSTER:
    known = route ? atomic_load(&nodes->slot[slot_of(route)]) : 0;
    return known ? (int)known - 1 : (int)(atomic_load(&nodes->seed) % nodes->where->node_count);
  default:
    return 0;
  }
}

/* "MOVED 3999 10.0.0.3:6379"; without a host it is that of the server which says so. An IPv6 address comes
 * without brackets: the port is behind the last colon. */
int nodes_learn(struct nodes *nodes, int from, const char *text)
{
  unsigned slot;
  int begin = 0;
  bool moved = strncmp(text, "MOVED ", 6) == 0;
  if (!moved && strncmp(text, "ASK ", 4) != 0)
    return -1;
  if (sscanf(strchr(text, ' '), " %5u %n", &slot, &begin) != 1 || !begin || slot >= NODES_SLOTS)
    return -1;
  const char *host = strchr(text, ' ') + begin, *colon = strrchr(host, ':');
  if (!colon)
    return -1;
  size_t len = (size_t)(colon - host);
  if (!len) {
    host = nodes->node[from].host;
    len = strlen(host);
  }
  int node = add(nodes, host, len, (unsigned)strtoul(colon + 1, NULL, 10));
  if (moved && node >= 0)
    atomic_store(&nodes->slot[slot], (uint8_t)(node + 1));
  return node;
}

int nodes_set_master(struct nodes *nodes, const char *host, uint16_t port)
{
  int node = add(nodes, host, strlen(host), port);
  atomic_store(&nodes->master, node);
  return node;
}

/* Its slots may be another's by now; whoever is asked next tells. That is the URL's next server, so that one
 * that has gone is not asked for ever where the slots are. */
void nodes_doubt(struct nodes *nodes, int node)
{
  int master = node;
  atomic_compare_exchange_strong(&nodes->master, &master, -1);
  if (nodes->where->kind != IDEM_FLEET_CLUSTER)
    return;
  for (unsigned i = 0; i < NODES_SLOTS; i++)
    if (atomic_load_explicit(&nodes->slot[i], memory_order_relaxed) == node + 1)
      atomic_store_explicit(&nodes->slot[i], 0, memory_order_relaxed);
  atomic_fetch_add(&nodes->seed, 1);
}
