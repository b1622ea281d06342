/* SPDX-License-Identifier: MIT */
/*
 * bench: what is measured, each in a process of its own, which prints a line NAME<tab>figure for each thing;
 * nanoseconds, if the verb says nothing else. scripts/bench runs it under the preload and without, in turns,
 * and makes the table.
 *
 *     struct subject rows[] = {{"hit", perform_calls, calls, 1000, 0}, {"limit", limit_run, limit, 1000, 0}};
 *     measure(rows, 2);
 *     print_subjects(rows, 2);
 *
 * BENCH_ROUNDS (31) is how often subjects take turns within a process; BENCH_SHARE (100) how many of a
 * hundred calls are made, for a look whether everything runs. Nothing is freed: a process measures one thing
 * and ends. What fails is said, and ends it with 1.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC, which is the same in all processes; and the time that this thread has had a processor. */
int64_t clock_ns(void);
int64_t clock_thread_ns(void);

/* One measured thing: `run` does it `count` times. */
struct subject {
  const char *name;
  void (*run)(void *data, unsigned count);
  void *data;
  unsigned count;   /* in a round, of BENCH_SHARE=100 */
  double median_ns; /* of one */
};

/* Runs the subjects in turn, round after round, so that what disturbs the machine disturbs all of them; sets
 * the medians. */
void measure(struct subject *subjects, size_t count);
void print_subjects(const struct subject *subjects, size_t count);
void print_figure(const char *name, double figure);

/* Sorts the figures. */
double median_of(double *figures, size_t count);
double largest_of(const double *figures, size_t count);

/* BENCH_SHARE of `count`, at least 1. */
unsigned share_of(unsigned count);

/* Waits for the time of clock_ns() that is in BENCH_AT_NS, if one is: many processes begin at once. */
void wait_for_start(void);

/* Ends the process with a line if `fine` is 0. */
void must(int fine, const char *what);

/* The least that a store of this kind must do for an answer. By SHA-256: its digest of the request, an LMDB
 * get, a memcpy of the answer; else XXH3-128 with a secret, a get, a memcmp with the request that is kept in
 * front of the answer, and the memcpy. `answers` are of the requests 0 to answers - 1; a directory that has
 * them is taken as it is. */
struct limit;
struct limit *limit_open(const char *dir, size_t answer_size, unsigned answers, int by_sha256);
void limit_run(void *limit, unsigned count);

/* A server of the key of the request, on a unix socket that speaks Redis' protocol, kept open. */
struct redis;
struct redis *redis_open(const char *socket_path, size_t answer_size);
void redis_run(void *redis, unsigned count);

/* What each verb does with its arguments; main.c has the table. The exit code. */
int bench_serve(char **arguments);
int bench_hits(char **arguments);
int bench_random(char **arguments);
int bench_sampled(char **arguments);
int bench_transport(char **arguments);
int bench_rate(char **arguments);
int bench_fill(char **arguments);
int bench_live(char **arguments);
int bench_first(char **arguments);
int bench_callers(char **arguments);
int bench_get(char **arguments);
int bench_stream(char **arguments);
int bench_follow(char **arguments);
int bench_other(char **arguments);
int bench_idle(char **arguments);
int bench_exec(char **arguments);
int bench_memory(char **arguments);
int bench_count(char **arguments);
int bench_request(char **arguments);

#endif
