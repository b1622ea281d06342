/* SPDX-License-Identifier: MIT */
/*
 * suite: the one world of the test that runs, which its suite opens before it and closes behind it.
 *
 *     TestSuite(replay, .init = open_tls_world, .fini = close_world);
 *
 * A suite that needs more has an .init of its own, which begins with one of these. Each test is a process, so
 * `w` is never shared.
 */
#ifndef HARNESS_SUITE_H
#define HARNESS_SUITE_H

#include "tests/harness/harness.h"

extern struct world w;

void open_world(void);
void open_tls_world(void);

/* No variable of ours is set: what somebody has who has just installed the command. */
void open_bare_world(void);

void close_world(void);

/* Programs and the library are built with it, and its runtime comes first in them. */
bool is_under_thread_sanitizer(void);

/* The version of the libcurl that programs have: 0x075000 is 7.80. */
unsigned libcurl_version(void);

/* Skips the test where that is older and so lacks `what`. */
void need_libcurl(unsigned version, const char *what);

#endif
