/* SPDX-License-Identifier: MIT */
/*
 * trace: what a program asks of the kernel, with us and without us.
 *
 *     struct trace plain = trace_run(&w, false, argv), shim = trace_run(&w, true, argv);
 *     char *difference = trace_difference(&plain, &shim);    // NULL: none
 *
 * A trace is a bag of lines, for the order of threads and children is nobody's. In each line numbers and
 * addresses are left out, since descriptors, process ids and places in memory differ between any two runs;
 * names of files and of flags stay. What the loader does for the preload is taken out when the trace is read,
 * and nothing else is: see trace.c for both lists.
 */
#ifndef E2E_TRACE_H
#define E2E_TRACE_H

#include "tests/harness/harness.h"

struct trace {
  char **line; /* sorted */
  size_t count;
  size_t preloads; /* how often the loader opened our library */
  bool threads;    /* the program has more than one */
};

/* Runs the program under strace to its end, which must be a good one. */
struct trace trace_run(struct world *w, bool shim, const char *const *argv);
void trace_release(struct trace *trace);

/* The lines that one has and the other has not, or not as often; the caller's to free(). NULL: none. */
char *trace_difference(const struct trace *plain, const struct trace *shim);

#endif
