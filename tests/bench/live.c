/* SPDX-License-Identifier: MIT */
/* Calls that go out: one after the other, the first of a process, and many at once. */
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* live UPSTREAM QUERY COUNT [FROM]: so many different calls, one after the other; the median of one, and what
 * one in a hundred takes longer than. Without FROM nobody has made them. */
int bench_live(char **arguments)
{
  unsigned count = share_of((unsigned)strtoul(arguments[2], NULL, 10));
  struct calls *calls = calls_open(arguments[0], arguments[1], 1, CALLS_COMMON);
  uint64_t number = arguments[3] ? strtoull(arguments[3], NULL, 10) : request_fresh();
  double *took = calloc(count, sizeof(*took));
  must(took && calls_perform(calls, number++) == CURLE_OK, "the first call");
  wait_for_start();
  for (unsigned i = 0; i < count; i++) {
    int64_t start = clock_ns();
    must(calls_perform(calls, number++) == CURLE_OK, "a call");
    took[i] = (double)(clock_ns() - start);
  }
  print_figure("live", median_of(took, count));
  /* They are in order now. */
  print_figure("p99", took[(size_t)count * 99 / 100]);
  return 0;
}

/* first UPSTREAM [NUMBER]: one call and the end: who starts this takes the time. Without a number it is one
 * that nobody has made. */
int bench_first(char **arguments)
{
  struct calls *calls = calls_open(arguments[0], "size=2048", 1, CALLS_COMMON);
  uint64_t number = arguments[1] ? strtoull(arguments[1], NULL, 10) : request_fresh();
  int64_t start = clock_ns();
  must(calls_perform(calls, number) == CURLE_OK, "a call");
  print_figure("first", (double)(clock_ns() - start));
  return 0;
}

struct caller {
  struct calls *calls;
  uint64_t number, last; /* of fill: the numbers that it has */
  int64_t end_ns;
  uint64_t made;
};

static void *fill_some(void *arg)
{
  struct caller *caller = arg;
  for (; caller->number < caller->last; caller->number++)
    must(calls_perform(caller->calls, caller->number) == CURLE_OK, "a call");
  return NULL;
}

/* fill UPSTREAM QUERY FROM COUNT: stores the answers FROM to COUNT - 1 by two threads. QUERY mix: of sizes
 * that are as often as they are from a model: 80 of 100 have 1 to 7 KB, 15 have 20 to 60, 5 have 200 to 800;
 * it prints how many bytes they are. */
int bench_fill(char **arguments)
{
  enum { THREADS = 2, MIXED = 100 };
  uint64_t from = strtoull(arguments[2], NULL, 10), count = strtoull(arguments[3], NULL, 10), stored = 0;
  bool mixed = strcmp(arguments[1], "mix") == 0;
  struct caller caller[THREADS];
  pthread_t thread[THREADS];
  for (uint64_t i = from; mixed && i < count; i++) {
    uint64_t kind = i % MIXED, size = (kind < 80   ? 1 + kind % 7
                                       : kind < 95 ? 20 + kind % 8 * 5
                                                   : 200 + kind % 4 * 200)
                                      << 10;
    char query[32];
    snprintf(query, sizeof(query), "size=%llu", (unsigned long long)size);
    struct calls *calls = calls_open(arguments[0], query, 1, CALLS_COMMON);
    must(calls_perform(calls, i) == CURLE_OK, "a call");
    stored += size + REQUEST_SIZE;
    curl_easy_cleanup(calls->handle);
    curl_slist_free_all(calls->headers);
    free(calls);
  }
  for (int i = 0; i < THREADS && !mixed; i++) {
    uint64_t part = (count - from) / THREADS;
    caller[i] =
        (struct caller){calls_open(arguments[0], arguments[1], 1, CALLS_COMMON), from + part * (uint64_t)i,
                        i + 1 == THREADS ? count : from + part * (uint64_t)(i + 1), 0, 0};
    must(pthread_create(&thread[i], NULL, fill_some, &caller[i]) == 0, "a thread");
  }
  for (int i = 0; i < THREADS && !mixed; i++)
    pthread_join(thread[i], NULL);
  print_figure("stored", mixed ? (double)stored : (double)(count - from) * 2 * 2048);
  return 0;
}

static void *call_until(void *arg)
{
  struct caller *caller = arg;
  for (; clock_ns() < caller->end_ns; caller->made++)
    must(calls_perform(caller->calls, caller->number++) == CURLE_OK, "a call");
  return NULL;
}

static uint64_t by_threads(struct caller *callers, unsigned count)
{
  pthread_t *thread = calloc(count, sizeof(*thread));
  uint64_t made = 0;
  must(thread != NULL, "calloc");
  for (unsigned i = 0; i < count; i++)
    must(pthread_create(&thread[i], NULL, call_until, &callers[i]) == 0, "a thread");
  for (unsigned i = 0; i < count; i++) {
    pthread_join(thread[i], NULL);
    made += callers[i].made;
  }
  free(thread);
  return made;
}

/* How long the app's thread had no processor in the longest turn of its loop: what it has waited for, be it a
 * disk or a lock. curl_multi_poll() waits for the network, and is not of the turn. */
static int64_t longest_ns;

static CURLMcode turn(CURLM *multi, int *running)
{
  int64_t start = clock_ns(), busy = clock_thread_ns();
  CURLMcode code = curl_multi_perform(multi, running);
  int64_t waited = clock_ns() - start - (clock_thread_ns() - busy);
  longest_ns = waited > longest_ns ? waited : longest_ns;
  return code;
}

static void add_again(CURLM *multi, struct caller *caller)
{
  calls_number(caller->calls, caller->number++);
  must(curl_multi_add_handle(multi, caller->calls->handle) == CURLM_OK, "a handle of a multi");
}

static uint64_t by_multi(struct caller *callers, unsigned count)
{
  CURLM *multi = curl_multi_init();
  uint64_t made = 0;
  int running = 1, left;
  for (unsigned i = 0; i < count; i++) {
    curl_easy_setopt(callers[i].calls->handle, CURLOPT_PRIVATE, &callers[i]);
    add_again(multi, &callers[i]);
  }
  while (running) {
    must(turn(multi, &running) == CURLM_OK, "a turn of a multi");
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
      struct caller *caller = NULL;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &caller);
      must(message->data.result == CURLE_OK && caller->calls->got, "a call in a multi");
      made++;
      curl_multi_remove_handle(multi, caller->calls->handle);
      if (clock_ns() < caller->end_ns)
        add_again(multi, caller), running = 1;
    }
    if (running)
      curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  curl_multi_cleanup(multi);
  return made;
}

/* callers UPSTREAM threads|multi COUNT MS: so many callers at once, each with one new call after the other;
 * "rate": calls a second of all; "turn": how long the longest turn of a multi has waited. Each has its
 * connection before the time begins. */
int bench_callers(char **arguments)
{
  bool threads = strcmp(arguments[1], "threads") == 0;
  unsigned count = (unsigned)strtoul(arguments[2], NULL, 10);
  struct caller *callers = calloc(count, sizeof(*callers));
  uint64_t fresh = request_fresh();
  must(callers && count, "callers");
  for (unsigned i = 0; i < count; i++) {
    callers[i].calls = calls_open(arguments[0], "size=2048", 1, CALLS_COMMON);
    callers[i].number = fresh + (uint64_t)i * 1000000000000;
    must(!threads || calls_perform(callers[i].calls, callers[i].number++) == CURLE_OK, "the first call");
  }
  if (!threads)
    by_multi(callers, count);
  longest_ns = 0;
  wait_for_start();
  int64_t start = clock_ns(), end = start + strtol(arguments[3], NULL, 10) * 1000000;
  for (unsigned i = 0; i < count; i++)
    callers[i].end_ns = end;
  uint64_t made = threads ? by_threads(callers, count) : by_multi(callers, count);
  print_figure("rate", (double)made * 1e9 / (double)(clock_ns() - start));
  print_figure("turn", (double)longest_ns);
  return 0;
}
