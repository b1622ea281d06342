/* SPDX-License-Identifier: MIT */
/*
 * A redis-server of the test's own, on a socket in a directory of its own, which ends with the test; and
 * clients of it.
 *
 *     TestSuite(fleet_x, .init = open_server, .fini = close_server);  // skips the test where there is no redis-server
 *
 *     struct idem_fleet_client *one = client_of("");                       // attributes: "lease=100ms"
 *     struct idem_fleet_claim claim = ask_for(one, 'k');
 *     cr_expect_eq(claim.verdict, IDEM_FLEET_OWNED);
 */
#ifndef TESTS_FLEET_SERVER_H
#define TESTS_FLEET_SERVER_H

#include "fleet/fleet.h"
#include "fleet/reply.h"

#include <sys/types.h>

extern struct server {
  char dir[64], socket[96];
  pid_t pid;
} server;

void open_server(void);
void close_server(void);

/* After it was killed: another one, with nothing in it. */
void restart_server(void);

/* What a child calls first: it is another process. */
void next_life(void);

/* A machine of its own: what it shares is not shared with others. It is closed with the server. */
struct idem_fleet_client *client_of(const char *attributes);
struct idem_fleet_client *client_at(const char *url);
/* Another process of the same machine. */
struct idem_fleet_client *client_beside(const struct idem_fleet_client *client, const char *url);
struct idem_fleet_shared *shared_of(const struct idem_fleet_client *client);

/* A claim by a new owner on the key that is all of this byte. What ask_for() gets is
 * freed with the server. */
struct idem_fleet_claim claim_for(char key);
struct idem_fleet_claim ask_for(struct idem_fleet_client *client, char key);

/* The record is freed with the server. */
void keep_record(const struct idem_fleet_claim *claim);

/* A second of patience, anew at each call. */
idem_fleet_limit *patience(void);

/* A command as it is typed, to the server itself: words with one blank between them. The
 * caller's to reply_free(). */
struct reply *tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Its text, or "", until the next one. */
const char *told(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The name of a key of the operation on `key`: 'c', 'a' or 's'. */
const char *name_of(char key, char what);

#endif
