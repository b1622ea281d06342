/* SPDX-License-Identifier: MIT */
/*
 * nodes: which server has a key.
 *
 *     nodes_begin(&client->nodes, where);
 *     int node = nodes_of(&client->nodes, route);               // a key's name; NULL: any. -1: not known
 *     ...
 *     if (reply is "MOVED 3999 10.0.0.3:6379")
 *       node = nodes_learn(&client->nodes, node, reply->text);  // and the next call finds it
 *     if (it does not answer)
 *       nodes_doubt(&client->nodes, node);
 *
 * One server is node 0. The master that sentinels tell is learned by nodes_set_master(). A cluster is learned
 * slot by slot from what its servers say when they are asked for what is not theirs: every command has one
 * key, so that no more is needed. Entries are added and never taken away, and a slot is one byte, so that
 * threads read without a lock; who finds another one adding waits a moment, and then does without.
 */
#ifndef IDEMSHIM_FLEET_NODES_H
#define IDEMSHIM_FLEET_NODES_H

#include "config/fleet.h"

#include <stdatomic.h>

/* How many servers a process may come to know in its life: none is forgotten, since another thread may be
 * reading its name. A server's number plus 1 fits into the byte of a slot. How many slots there are is of the
 * protocol of clusters. */
enum { NODES_MOST = 128, NODES_SLOTS = 16384 };

struct nodes {
  const struct idem_fleet *where;
  uint32_t (*life)(void);
  _Atomic uint32_t adding;           /* which process is; 0: none */
  _Atomic unsigned count, seed;      /* where a slot that is not known is asked for */
  _Atomic int master;                /* of sentinels; -1: they have to be asked */
  _Atomic uint8_t slot[NODES_SLOTS]; /* number of a node, plus 1 */
  struct nodes_node {
    char host[256];
    uint16_t port;
  } node[NODES_MOST];
};

/* `nodes` is zeros before; `where` has to stay. */
/* `life`: another number in every child, for which a parent's thread that was adding
 * one at the fork is gone. */
void nodes_begin(struct nodes *nodes, const struct idem_fleet *where, uint32_t (*life)(void));
/* In a cluster a server is always named: where nobody has told of the slot, it is one of the URL's, which
 * then tells. */
int nodes_of(const struct nodes *nodes, const char *route);

/* The text is a server's, which may say anything: a host of 255 bytes at most and a port are taken from it,
 * and where they lead is for TLS to judge. -1: there is no more room, or the text is none. An ASK is for this
 * command alone, and nothing is remembered. */
int nodes_learn(struct nodes *nodes, int from, const char *text);
int nodes_set_master(struct nodes *nodes, const char *host, uint16_t port);
/* Forgets the slots of that server, or that it is the master; its number stays its own. Whoever comes next
 * asks elsewhere. */
void nodes_doubt(struct nodes *nodes, int node);

#endif
