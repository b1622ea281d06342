/* SPDX-License-Identifier: MIT */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t clock_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double run_once(const struct subject *subject)
{
  int64_t start = clock_ns();
  subject->run(subject->data, subject->count);
  return (double)(clock_ns() - start) / subject->count;
}

void measure(struct subject *subjects, size_t count, unsigned rounds)
{
  double *times = calloc(count * rounds, sizeof(*times));
  if (!times)
    return;
  for (size_t i = 0; i < count; i++)
    run_once(&subjects[i]); /* caches and first hits */
  for (unsigned round = 0; round < rounds; round++)
    for (size_t i = 0; i < count; i++)
      times[i * rounds + round] = run_once(&subjects[i]);
  for (size_t i = 0; i < count; i++) {
    qsort(times + i * rounds, rounds, sizeof(*times), by_size);
    subjects[i].median_ns = times[i * rounds + rounds / 2];
  }
  free(times);
}

char request_temperature = '0';

void make_request(char out[REQUEST_SIZE + 1], unsigned n)
{
  int len = snprintf(out, REQUEST_SIZE + 1,
                     "{\"model\":\"bench\",\"temperature\":%c,"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"%u ",
                     request_temperature, n);
  memset(out + len, 'x', REQUEST_SIZE - (size_t)len - 4);
  memcpy(out + REQUEST_SIZE - 4, "\"}]}", 5);
}
