/* SPDX-License-Identifier: MIT */
/*
 * trace: what a program asks of the kernel, with us and without us.
 *
 *     expect_same_trace(&w, argv);
 *
 * A trace is a bag of lines, for the order of threads and children is nobody's. In each line numbers and
 * addresses are left out, since descriptors, process ids and places in memory differ between any two runs;
 * names of files and of flags stay. What the loader does for the preload is taken out when the trace is read,
 * and nothing else is: see trace.c for both lists.
 */
#ifndef E2E_TRACE_H
#define E2E_TRACE_H

#include "tests/harness/harness.h"

/* Runs the program twice under strace, without us and with us. Returns the lines that one has and the other
 * has not, or not as often, the caller's to free(); NULL: none. */
char *trace_compare(struct world *w, const char *const *argv);

/* Fails the test with what differs. How often a call is made may be up to chance, as connections for
 * transfers side by side are in libcurl 7.74, and git's reads of a pipe: where the first pair of runs
 * differs, up to five pairs more are made, and a count must be within those of the runs without us. What we
 * do is there each time, and in none of those. */
void expect_same_trace(struct world *w, const char *const *argv);

#endif
