/* SPDX-License-Identifier: MIT */
/*
 * own: what the harness's files share with each other and tests do not need.
 */
#ifndef HARNESS_OWN_H
#define HARNESS_OWN_H

#include "tests/harness/harness.h"

/* Ends the test with a message. */
#define give_up(...) cr_assert_fail(__VA_ARGS__)

/* The programs' environment as execve wants it. `extra` ("NAME=value") may be NULL; free() the array alone.
 */
char **world_environment(const struct world *w, const char *extra);

/* Makes the certificates of this build if need be, and returns their directory in `dir`. */
void certs_make(const struct world *w, char *dir, size_t size);

/* Starts the world's server; `certs` is NULL for plain HTTP alone. */
void mock_start(struct world *w, const char *certs);

/* Orphans of programs become children of the test that started them; and the end of those that are left. */
void orphans_adopt(void);
void orphans_kill(const struct world *w);

/* RUN_DEADLINE_MS, or what IDEM_RUN_DEADLINE_MS says. Conditions have half of it. */
int64_t run_deadline_ms(void);

/* True for a program that was started and not waited for yet. */
bool run_is_under_way(pid_t pid);

int64_t ms_since(const struct timespec *began);

#endif
