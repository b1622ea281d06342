/* SPDX-License-Identifier: MIT */
/*
 * A redis-server in the world, and machines: each is a store directory of its own.
 *
 *     TestSuite(fleet_x, .init = open_fleet, .fini = close_fleet);       // skips where there is no redis-server
 *
 *     struct run a = (on_machine("A"), run_shim(&w, ...));
 *     cr_expect_str_eq(redis("PING"), "PONG\n");
 */
#ifndef TESTS_E2E_FLEET_H
#define TESTS_E2E_FLEET_H

#include "tests/harness/suite.h"

void open_fleet(void);
void open_fleet_here(void); /* in a world that is open already */
void close_fleet(void);

/* The limits that the tests have are ten times the usual ones; `attributes` come behind them: "lease=1s". */
void fleet_attributes(const char *attributes);
void fleet_signal(int signal);
/* It is killed; and begins again with nothing in it. */
void fleet_stop(void);
void fleet_start(void);

/* Whose programs run from now on: their store and their log. */
void on_machine(const char *name);
/* In the log of a machine. */
int events_of(const char *machine, const char *event);

/* What redis-cli says to these words of a shell. */
const char *redis(const char *words);
/* How many commands that are not the test's own the server has had. */
long redis_commands(void);

/* The Idempotency-Key of request `i` that upstream has got, or "". */
const char *key_sent(size_t i);

/* A POST by curl, with the headers of its answer. */
struct run fleet_post(const char *body, const char *script);
struct run fleet_post_begin(const char *body, const char *script);

/* A port for a server: the kernel picks it, below 55536, since a cluster's second port is 10000 above. */
unsigned fleet_free_port(void);

/* What a program has closed (`how`: as closes_descriptors takes it) is made anew, on two machines, and what it has put in its place
 * is its own. */
void fleet_outlives_closed_descriptors(const char *how);

#endif
