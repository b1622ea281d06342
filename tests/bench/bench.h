/* SPDX-License-Identifier: MIT */
/* The parts of the benchmark: clocks, the in-process limit, and the calls that are measured. */
#ifndef IDEMSHIM_TESTS_BENCH_H
#define IDEMSHIM_TESTS_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define REQUEST_SIZE 1024u

/* CLOCK_MONOTONIC in ns. */
int64_t clock_ns(void);

/* One measured thing: `run` does it `count` times. */
struct subject {
  const char *name;
  void (*run)(void *data, unsigned count);
  void *data;
  unsigned count;   /* in a round */
  double median_ns; /* of one */
};

/* Runs the subjects in turn, round after round, so that what disturbs the machine disturbs all of them; sets
 * the medians. */
void measure(struct subject *subjects, size_t count, unsigned rounds);

/* The least that any store of this kind must do: SHA-256 of the request, an LMDB get, a memcpy of the answer.
 */
struct limit;
struct limit *limit_open(const char *dir, size_t answer_size, unsigned answers);
void limit_run(void *limit, unsigned count);

/* The request with number `n`: JSON, REQUEST_SIZE bytes long. With another temperature than 0 it is sampled. */
extern char request_temperature;
void make_request(char out[REQUEST_SIZE + 1], unsigned n);

#endif
