/* SPDX-License-Identifier: MIT */
/*
 * What a store does that is full: answers of all sizes come in, and others go.
 *
 * It is filled by the usual mix (80 % of 1 to 7 KB, 15 % of 20 to 60 KB, 5 % of 200 to 800 KB), and then so
 * many MiB come in three times: of that mix, of answers of 1 to 16 MB (at most a fifth of the store), and of
 * the mix again. Of each a line is printed:
 *
 *     mix stored 7200 failed 0 mib 256.0 evicted 1.004 gaps 0 used 0.981 file 1.060 longest_us 6100
 *
 * evicted: bytes that went for each that came. gaps: answers that went before older ones. used: the least of
 * the size that was in use. file: data.mdb, in sizes. What fails is told once.
 */
#include "tests/clients/store/load.h"

#include "store/base/clock.h"
#include "store/records/answer_index.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KB = 1000, MB = 1000 * KB, LONGEST = 16 * MB, THREADS_MOST = 64, LOOK_EVERY = 16, FAILED_MOST = 2000 };

enum phase { FILL, MIXED, LONG, MIXED_AGAIN, PHASES };

struct mix {
  struct load *load;
  enum phase phase;
  uint64_t size, want;
  pthread_mutex_t mutex; /* what follows */
  uint64_t stored, failed, came, number;
  int64_t longest_us;
  double used;
  struct idem_error error;
};

static uint64_t next_random(uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

static size_t between(uint64_t *state, size_t least, size_t most)
{
  return least + next_random(state) % (most - least);
}

static size_t size_of(const struct mix *mix, uint64_t *state)
{
  size_t most = mix->size / 5 < LONGEST ? mix->size / 5 : LONGEST;
  unsigned percent = next_random(state) % 100;
  if (mix->phase == LONG)
    return between(state, MB, most);
  return percent < 80   ? between(state, KB, 7 * KB)
         : percent < 95 ? between(state, 20 * KB, 60 * KB)
                        : between(state, 200 * KB, 800 * KB);
}

struct held {
  const struct pages_snapshot *snapshot;
  uint64_t bytes, count, first, last;
};

static int add_held(void *arg, struct idem_span age, struct idem_span key)
{
  struct held *held = arg;
  struct idem_span record = {NULL, 0};
  uint64_t serial = (uint64_t)answer_index_expiry_time(age.data);
  pages_get(held->snapshot, PAGES_ANSWERS, key.data, key.len, &record);
  held->first = held->count++ ? held->first : serial;
  held->last = serial;
  held->bytes += record.len;
  return 0;
}

static struct held look(const struct mix *mix)
{
  struct held held = {.bytes = 0};
  struct reader *reader;
  if (state_read(mix->load->store, &reader, NULL) == 0) {
    held.snapshot = &reader->snapshot;
    pages_each(&reader->snapshot, PAGES_AGE, NULL, add_held, &held);
    reader_end(reader);
  }
  return held;
}

static double used(const struct mix *mix)
{
  struct idem_stats stats;
  return idem_store_stats(mix->load->store, &stats, NULL) == 0
             ? (double)stats.answer_bytes / (double)mix->size
             : 0;
}

static uint64_t evicted(const struct mix *mix)
{
  return stats_sum(mix->load->store->stats, IDEM_COUNTER_evicted);
}

static bool is_done(struct mix *mix)
{
  return mix->phase == FILL ? evicted(mix) > 0 : mix->came >= mix->want;
}

static void *bring(void *arg)
{
  struct mix *mix = arg;
  char request[64], *answer = malloc(LONGEST);
  uint64_t state = 0;
  bool goes_on = answer;
  while (goes_on) {
    pthread_mutex_lock(&mix->mutex);
    uint64_t number = mix->number++;
    goes_on = !is_done(mix);
    pthread_mutex_unlock(&mix->mutex);
    state = (number + 1) * 0x9e3779b97f4a7c15u;
    size_t len = size_of(mix, &state);
    snprintf(request, sizeof(request), "{\"pid\":%d,\"n\":%llu}", (int)getpid(), (unsigned long long)number);
    memset(answer, 'a', len);
    memcpy(answer, "{\"a\":\"", 6);
    memcpy(answer + len - 2, "\"}", 2);
    struct idem_error error = {""};
    int64_t start = clock_steady_us();
    int verdict = goes_on ? load_call(mix->load, request, (struct idem_span){answer, len}, false, &error) : 0;
    int64_t took = clock_steady_us() - start;
    double now = goes_on && number % LOOK_EVERY == 0 ? used(mix) : 1;
    pthread_mutex_lock(&mix->mutex);
    mix->stored += goes_on && verdict == IDEM_OWNED;
    mix->came += goes_on && verdict == IDEM_OWNED ? len : 0;
    mix->failed += goes_on && verdict != IDEM_OWNED;
    mix->longest_us = took > mix->longest_us ? took : mix->longest_us;
    mix->used = now < mix->used ? now : mix->used;
    if (error.text[0] && !mix->error.text[0])
      mix->error = error;
    /* A store that takes nothing does not get full. */
    goes_on = goes_on && mix->failed < FAILED_MOST;
    pthread_mutex_unlock(&mix->mutex);
  }
  free(answer);
  return NULL;
}

static int run_phase(struct mix *mix, unsigned threads)
{
  static const char *const name[PHASES] = {"fill", "mix", "long", "again"};
  pthread_t thread[THREADS_MOST];
  char path[4096];
  struct stat file = {.st_size = 0};
  struct held before = look(mix);
  mix->stored = mix->failed = mix->came = 0;
  mix->longest_us = 0;
  mix->used = 1;
  for (unsigned i = 0; i < threads; i++)
    if (pthread_create(&thread[i], NULL, bring, mix))
      return 1;
  for (unsigned i = 0; i < threads; i++)
    pthread_join(thread[i], NULL);
  struct held after = look(mix);
  snprintf(path, sizeof(path), "%s/data.mdb", mix->load->store->dir);
  stat(path, &file);
  double gone = (double)before.bytes + (double)mix->came - (double)after.bytes;
  printf("%s stored %llu failed %llu mib %.1f evicted %.3f gaps %llu used %.3f file %.3f longest_us %lld\n",
         name[mix->phase], (unsigned long long)mix->stored, (unsigned long long)mix->failed,
         (double)mix->came / (1 << 20), mix->came ? gone / (double)mix->came : 0,
         (unsigned long long)(after.last - after.first + 1 - after.count),
         mix->phase == FILL ? used(mix) : mix->used, (double)file.st_size / (double)mix->size,
         (long long)mix->longest_us);
  fflush(stdout);
  return 0;
}

int load_mix(struct load *load, uint64_t size, unsigned threads)
{
  struct mix mix = {
      .load = load, .size = size, .want = load->count << 20, .mutex = PTHREAD_MUTEX_INITIALIZER};
  int failed = 0;
  threads = threads < THREADS_MOST ? threads : THREADS_MOST;
  for (mix.phase = FILL; mix.phase < PHASES && !failed; mix.phase++)
    failed = run_phase(&mix, threads);
  if (mix.error.text[0])
    fprintf(stderr, "store-load: %s\n", mix.error.text);
  return failed;
}
