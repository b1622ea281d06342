/* SPDX-License-Identifier: MIT */
/* Under the preload: what comes from the store, beside what is the least for it and beside other caches. */
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SUBJECTS_MOST = 32 };

struct rows {
  struct subject subject[SUBJECTS_MOST];
  size_t count;
};

static void add(struct rows *rows, const char *name, void (*run)(void *data, unsigned count), void *data,
                unsigned count)
{
  must(rows->count < SUBJECTS_MOST, "another row");
  rows->subject[rows->count++] = (struct subject){name, run, data, count, 0};
}

static const char *joined(const char *one, const char *other)
{
  char text[512];
  snprintf(text, sizeof(text), "%s%s", one, other);
  return strdup(text);
}

static int finish(struct rows *rows)
{
  measure(rows->subject, rows->count);
  print_subjects(rows->subject, rows->count);
  return 0;
}

static void add_limit(struct rows *rows, const char *dir, const char *size, unsigned count, int by_sha256)
{
  const char *name = joined(by_sha256 ? "limit " : "limit by XXH3 ", size);
  add(rows, name, limit_run,
      limit_open(joined(joined(dir, "/"), name), strtoul(size, NULL, 10), 1, by_sha256), count);
}

/* A peer's handle; what it gives twice is the same 2,048 bytes, or it is no cache: the upstream's answers
 * differ by their times. */
static struct calls *open_peer(const char *origin)
{
  struct calls *calls = calls_open(origin, "size=2048", 1, CALLS_COMMON);
  char before[2048];
  for (int i = 0; i < 2; i++) {
    must(calls_perform(calls, 0) == CURLE_OK && calls->got == sizeof(before), origin);
    must(i == 0 || memcmp(before, calls->sink, sizeof(before)) == 0, "being a cache");
    memcpy(before, calls->sink, sizeof(before));
  }
  return calls;
}

/* hits UPSTREAM DIR [PEER ORIGIN CALLS]...: hot answers of three sizes; a peer is asked so often in a round
 * as CALLS says, and Redis' origin is the path of its socket. */
int bench_hits(char **arguments)
{
  static const struct {
    const char *bytes;
    unsigned count;
  } sizes[] = {{"2048", 1000}, {"65536", 1000}, {"1048576", 100}};
  struct rows rows = {.count = 0};
  for (size_t i = 0; i < 3; i++) {
    const char *bytes = sizes[i].bytes, *query = joined("size=", bytes);
    add_limit(&rows, arguments[1], bytes, sizes[i].count, 1);
    if (i == 0)
      add_limit(&rows, arguments[1], bytes, sizes[i].count, 0);
    add(&rows, joined("hit ", bytes), perform_calls, calls_open(arguments[0], query, 1, CALLS_COMMON),
        sizes[i].count);
  }
  for (char **peer = arguments + 2; peer[0] && peer[1] && peer[2]; peer += 3) {
    bool redis = strcmp(peer[0], "redis") == 0;
    add(&rows, peer[0], redis ? redis_run : perform_calls,
        redis ? (void *)redis_open(peer[1], 2048) : (void *)open_peer(peer[1]),
        (unsigned)strtoul(peer[2], NULL, 10));
  }
  return finish(&rows);
}

/* random UPSTREAM DIR COUNT: hits of 2 KB all over a store that has the answers 0 to COUNT - 1, and
 * the same from a limit's. */
int bench_random(char **arguments)
{
  unsigned count = (unsigned)strtoul(arguments[2], NULL, 10);
  struct rows rows = {.count = 0};
  add(&rows, "limit", limit_run, limit_open(arguments[1], 2048, count, 1), 2000);
  add(&rows, "hit", perform_calls, calls_open(arguments[0], "size=2048", count, CALLS_COMMON), 2000);
  return finish(&rows);
}

/* sampled UPSTREAM: with repeats=auto, one sampled call, again and again: each of a process is another
 * sample, so the store has as many as the longest process before this has made. */
int bench_sampled(char **arguments)
{
  struct rows rows = {.count = 0};
  add(&rows, "sampled", perform_calls, calls_open(arguments[0], "size=2048", 1, CALLS_SAMPLED), 100);
  return finish(&rows);
}

/* transport UPSTREAM PEER: with IDEMSHIM_DELIVERY=transport, through libcurl, in the easy
 * interface and in a multi. */
int bench_transport(char **arguments)
{
  struct rows rows = {.count = 0};
  for (int i = 0; i < 2; i++) {
    add(&rows, i ? "peer" : "hit", perform_calls, open_peer(arguments[i]), 200);
    add(&rows, i ? "peer in a multi" : "hit in a multi", perform_in_multi, open_peer(arguments[i]), 200);
  }
  return finish(&rows);
}

/* rate UPSTREAM MS: how many hits of 2 KB a second there are in so many milliseconds. */
int bench_rate(char **arguments)
{
  struct calls *calls = calls_open(arguments[0], "size=2048", 1, CALLS_COMMON);
  unsigned long made = 0;
  perform_calls(calls, 100);
  wait_for_start();
  int64_t start = clock_ns(), end = start + strtol(arguments[1], NULL, 10) * 1000000, now;
  while ((now = clock_ns()) < end) {
    perform_calls(calls, 100);
    made += 100;
  }
  print_figure("rate", (double)made * 1e9 / (double)(now - start));
  return 0;
}
