/* SPDX-License-Identifier: MIT */
/*
 * A redis-server in the world, and machines: each is a store directory of its own.
 *
 *     TestSuite(fleet_x, .init = open_fleet, .fini = close_fleet);    // skips where there is no redis-server
 *
 *     struct run a = (on_machine("A"), run_shim(&w, ...));
 *     cr_expect_str_eq(redis("PING"), "PONG\n");
 */
#ifndef TESTS_E2E_FLEET_H
#define TESTS_E2E_FLEET_H

#include "tests/harness/suite.h"

void open_fleet(void);
/* In a world that is open already; lines of a redis.conf. */
void open_fleet_here(const char *options);
void close_fleet(void);

/* The limits that the tests have are ten times the usual ones; `attributes` come behind them: "lease=1s". */
void fleet_attributes(const char *attributes);
void fleet_signal(int signal);
/* It is killed; and begins again with nothing in it. */
void fleet_stop(void);
void fleet_start(void);

/* Whose programs run from now on: their store and their log. */
void on_machine(const char *name);

/* A machine that is not beside the server: how it reaches it (a URL without attributes), and where upstream
 * is for it and in which process's network its programs run, if these are not the test's own. Names and texts
 * stay the caller's. */
struct fleet_place {
  const char *machine, *server, *upstream;
  pid_t network;
};
void fleet_place(struct fleet_place place);

/* In the log of a machine. */
int events_of(const char *machine, const char *event);

/* What redis-cli says to these words of a shell. */
const char *redis(const char *words);
/* How many the server has had, with the test's own. */
long redis_connections(void);

/* The Idempotency-Key of request `i` that upstream has got, or "". */
const char *key_sent(size_t i);

/* A POST by curl, with the headers of its answer. */
struct run fleet_post(const char *body, const char *script);
struct run fleet_post_begin(const char *body, const char *script);
/* The same on a machine, which has to succeed. */
struct run fleet_post_on(const char *machine, const char *body, const char *script);
void fleet_post_and_forget(const char *machine, const char *body);

/* A asks and B asks while they cannot know of each other: both send, under one key, and
 * have different answers. */
void fleet_both_pay(const char *body, struct run *a, struct run *b);

/* `idemshim WORDS` on a machine, with what it is expected to exit with; and `idemshim rm` of
 * what it has stored last. */
struct run fleet_command(const char *machine, int status, const char *words);
void fleet_remove_last_of(const char *machine);

/* What comes behind the headers of an answer. */
const char *fleet_text_of(const struct run *run);

bool fleet_is_replay(const struct run *run);

/* A call, so that the machine knows the fleet; upstream does not count it. */
void fleet_meet(void);
/* A call goes out and is answered, and says why it was on its own; the next ones do not say it again. */
void fleet_expect_one_line(const char *why);

/* What a program has closed (`how`: as closes_descriptors takes it) is made anew, on two machines, and what
 * it has put in its place is its own. */
void fleet_outlives_closed_descriptors(const char *how);

#endif
