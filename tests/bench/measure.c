/* SPDX-License-Identifier: MIT */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_of(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_ns(void)
{
  return clock_of(CLOCK_MONOTONIC);
}

int64_t clock_thread_ns(void)
{
  return clock_of(CLOCK_THREAD_CPUTIME_ID);
}

void must(int fine, const char *what)
{
  if (fine)
    return;
  fprintf(stderr, "bench: %s failed\n", what);
  exit(1);
}

static unsigned number_in(const char *variable, unsigned otherwise)
{
  const char *text = getenv(variable);
  unsigned number = text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
  return number ? number : 1;
}

unsigned share_of(unsigned count)
{
  unsigned share = (unsigned)((uint64_t)count * number_in("BENCH_SHARE", 100) / 100);
  return share ? share : 1;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double median_of(double *figures, size_t count)
{
  qsort(figures, count, sizeof(*figures), by_size);
  return figures[count / 2];
}

double largest_of(const double *figures, size_t count)
{
  double largest = 0;
  for (size_t i = 0; i < count; i++)
    largest = figures[i] > largest ? figures[i] : largest;
  return largest;
}

static double run_once(const struct subject *subject)
{
  unsigned count = share_of(subject->count);
  int64_t start = clock_ns();
  subject->run(subject->data, count);
  return (double)(clock_ns() - start) / count;
}

void measure(struct subject *subjects, size_t count)
{
  unsigned rounds = number_in("BENCH_ROUNDS", 31);
  double *times = calloc(count * rounds, sizeof(*times));
  must(times != NULL, "calloc");
  for (size_t i = 0; i < count; i++)
    run_once(&subjects[i]); /* caches and first hits */
  for (unsigned round = 0; round < rounds; round++)
    for (size_t i = 0; i < count; i++)
      times[i * rounds + round] = run_once(&subjects[i]);
  for (size_t i = 0; i < count; i++)
    subjects[i].median_ns = median_of(times + i * rounds, rounds);
  free(times);
}

void wait_for_start(void)
{
  const char *at = getenv("BENCH_AT_NS");
  int64_t left = at ? strtoll(at, NULL, 10) - clock_ns() : 0;
  struct timespec time = {left / 1000000000, left % 1000000000};
  if (left > 0)
    nanosleep(&time, NULL);
}

void print_figure(const char *name, double figure)
{
  printf("%s\t%.1f\n", name, figure);
}

void print_subjects(const struct subject *subjects, size_t count)
{
  for (size_t i = 0; i < count; i++)
    print_figure(subjects[i].name, subjects[i].median_ns);
}
