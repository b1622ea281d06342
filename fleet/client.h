/* SPDX-License-Identifier: MIT */
/*
 * client: who is asked, by which connection, and whether it is worth asking at all.
 *
 *     rc = client_run(client, &limit, key, LINK_WORDS({"sent", 4}, ...), &reply);  // on the keys of `key`
 *     rc = client_command(client, &limit, name, LINK_WORDS({"GET", 3}, ...), &reply);  // any other command
 *
 * Connections are kept, four at most and four for those that wait at the server, and each is one thread's
 * while it is used: who finds none free waits a moment. One that was made by another process (a parent before
 * a fork) is closed here without a word, and the parent goes on with its own. Which one is free is told by a
 * number that is compared and swapped, so that no fork leaves a lock behind.
 *
 * Whether the fleet is there is known to all processes of the machine: one that refuses is left alone at
 * once, one that is silent after the second time, for a second that doubles up to 30; then one asker finds
 * out for all. Who meets a silence asks once more, if its limit lets it; and who could not wait for half of
 * the shortest limit has met none.
 */
#ifndef IDEMSHIM_FLEET_CLIENT_H
#define IDEMSHIM_FLEET_CLIENT_H

#include "fleet/fleet.h"
#include "fleet/link.h"
#include "fleet/nodes.h"

/* Connections of each kind; and replies to renewals that are awaited at most: then no more are sent. */
enum { CLIENT_LINKS = 4, CLIENT_WATCHES = 4, CLIENT_RENEWALS = 64 };

/* Whoever has set `taken` has the rest to itself: others look at `life` and `node` alone, to choose. The
 * connection stays when the slot is given back, for the next one. */
struct client_slot {
  _Atomic uint32_t taken; /* by which process; 0: free */
  uint32_t life;          /* whose connection it is; 0: there is none, */
  int node;               /* to which server */
  struct link link;
};

/* What changes after the opening is `nodes`, which has its own rule, what is behind a slot, and the identity,
 * which is learned before anybody else asks. So it has no lock, and any number of threads ask at a time. */
struct idem_fleet_client {
  const struct idem_fleet *where;
  struct idem_fleet_shared *shared;
  uint32_t (*life)(void);
  struct tls *tls; /* NULL: the URL is without */
  struct nodes nodes;
  char prefix[96];                    /* of keys: "idemshim:NAME" */
  char identity[IDEM_FLEET_IDENTITY]; /* "": not known yet */
  char sha[41];                       /* of the script */
  struct client_slot slot[CLIENT_LINKS];
  /* For what the server thinks about: it keeps nobody else's waiting. */
  struct client_slot watch[CLIENT_WATCHES];
  struct client_slot renewing; /* its replies are read at the next turn */
  /* By generation modulo their number: what the last reply has said; and in order, whose replies are awaited.
   * Both are of whoever has taken `renewing`. */
  struct {
    uint64_t generation;
    int said;
  } renewal[CLIENT_RENEWALS], awaited[CLIENT_RENEWALS];
  unsigned first, waiting; /* of the ring `awaited` */
};

/* As in struct idem_fleet_api. After a failure `*out` is as it was, and nothing is left to free. */
int client_open(struct idem_fleet_client **out, const struct idem_fleet_options *options, char *error,
                size_t size);
void client_close(struct idem_fleet_client *client);

/* The keys of an operation, "PREFIX:{HEX}:c", :a and :s. What stands in braces tells a cluster's slot: a
 * script may touch keys of one server alone. */
enum { CLIENT_KEY = 192 };
struct client_keys {
  char claim[CLIENT_KEY], answer[CLIENT_KEY], stream[CLIENT_KEY];
};
void client_keys(const struct idem_fleet_client *client, const uint8_t *key, struct client_keys *keys);

/* A run of the script with these words behind it, of which there are so many at most together. They point to
 * what they were made of: `keys` and the caller's have to stay until the command is sent. */
enum { CLIENT_WORDS = 24 };
size_t client_compose(const struct idem_fleet_client *client, const struct client_keys *keys,
                      const struct link_word *words, size_t count, struct link_word out[CLIENT_WORDS]);

/* 0 and a reply that the caller frees, or -errno: -EAGAIN, it was not asked; a reply that is an error is
 * -EREMOTEIO, and is told to all processes unless the operation alone is what the server cannot do. `key` is
 * the operation's, and `route` the name of a Redis key, which tells a cluster's server; NULL: any will do. */
int client_run(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
               const struct link_word *words, size_t count, struct reply **out);
/* And so many replicas have it by the end, or it is -EREMOTEIO, though the server has done it. As any other
 * failure it is told to all processes: a fleet that cannot keep what it promises is one that is away. */
int client_run_replicated(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key,
                          const struct link_word *words, size_t count, unsigned replicas, struct reply **out);
/* And the value of the answer's key as it is right after that, in the same round trip: through the script it
 * would be copied several times. `*answer` is the caller's, too; NULL: it has to be asked for, since the
 * server was found by detours. */
int client_run_and_get(struct idem_fleet_client *client, idem_fleet_limit *limit,
                       const struct client_keys *keys, const struct link_word *words, size_t count,
                       struct reply **out, struct reply **answer);
int client_command(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *route,
                   const struct link_word *words, size_t count, struct reply **out);
/* LINK_COMMANDS at most in one round trip, between which the server may do anything else; the replies are a
 * list, or it is the first error. While a cluster moves the key it is -EREMOTEIO, which is told to nobody. */
int client_read(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *route,
                const struct link_command *commands, size_t count, struct reply **out);

/* For a command that blocks for `wait_ms` at the server: it has a connection of those for waiting, or -EAGAIN
 * if all are in use. It takes at most `wait_ms` and the time of a connection and of an operation, and nothing
 * from the limit of a call. */
int client_wait(struct idem_fleet_client *client, unsigned wait_ms, const char *route,
                const struct link_word *words, size_t count, struct reply **out);

/* What went wrong in this thread, without what is secret. The first returns `code`. */
int client_fail(int code, const char *what);
const char *client_problem(const struct idem_fleet_client *client);

#endif
