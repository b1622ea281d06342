/* SPDX-License-Identifier: MIT */
/*
 * tables fill DIR FROM COUNT: puts answers of 2 KB into the store in DIR, each to a request of its own, with
 * the numbers FROM to COUNT - 1.
 *
 * tables time DIR COUNT ROUNDS: prints what a store with those takes, as NAME<tab>microseconds, each the
 * median of the rounds: to open it; the first call of a process that is sent and stored, with nothing for the
 * sending; a later one; and a hit of any of them.
 *
 * tables look DIR ROUNDS: prints what it takes to find an answer's record by our own walk of the pages and by
 * mdb_get(), and to check the way to one before a write, as NAME<tab>nanoseconds; the keys are random.
 *
 * scripts/bench-store fills a store with the first, and measures what is left from outside.
 */
#include "store/lmdb/engine_internal.h"
#include "store/state/state.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER_SIZE = 2048, ROUNDS_MOST = 1000 };

static struct idem_config config;
static struct idem_error error;

static char *get_variable(const char *name)
{
  static char rule[] = "host=*", none[] = "none", home[] = "/nonexistent";
  return strcmp(name, "IDEMSHIM_RULES") == 0    ? rule
         : strcmp(name, "IDEMSHIM_CONFIG") == 0 ? none
         : strcmp(name, "HOME") == 0            ? home
                                                : NULL;
}

static struct idem_store *open_store(const char *dir)
{
  struct idem_store_options options = {.dir = dir, .size = UINT64_C(16) << 30};
  struct idem_store *store;
  if (idem_store_open(&store, &options, &error) == 0)
    return store;
  fprintf(stderr, "tables: %s\n", error.text);
  exit(1);
}

static void ask(struct idem_store *store, unsigned long number)
{
  static struct idem_span lines[] = {{"Content-Type: application/json", 30}};
  static char headers[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  char body[64], answer[ANSWER_SIZE + 1];
  snprintf(body, sizeof(body), "{\"n\":%lu}", number);
  snprintf(answer, sizeof(answer), "{\"a\":\"%0*lu\"}", ANSWER_SIZE - 8, number);
  struct idem_request request = {.method = {"POST", 4},
                                 .origin = {"http://127.0.0.1:80", 19},
                                 .path = {"/v1/chat", 8},
                                 .shape = {"", 0},
                                 .headers = lines,
                                 .header_count = 1,
                                 .body = {body, strlen(body)},
                                 .rule = config.rules};
  struct idem_call call = IDEM_CALL_INIT;
  struct idem_chunk chunk = {ANSWER_SIZE, 1};
  struct idem_recording recording = {.status = 200,
                                     .started_us = 1,
                                     .duration_ms = 10,
                                     .headers = {headers, sizeof(headers) - 1},
                                     .body = {answer, ANSWER_SIZE},
                                     .facts = {"facts", 5},
                                     .chunks = &chunk,
                                     .chunk_count = 1,
                                     .framed = true,
                                     .delivered = true};
  int verdict = idem_store_enter(store, &request, &call, &error);
  if (verdict == IDEM_OWNED)
    verdict = idem_store_commit(store, &call, &request, &recording, &error) == IDEM_STORED ? 0 : -1;
  idem_store_leave(store, &call, true);
  if (verdict < 0) {
    fprintf(stderr, "tables: answer %lu: %s\n", number, error.text);
    exit(1);
  }
}

static void fill(const char *dir, unsigned long from, unsigned long count)
{
  struct idem_store *store = open_store(dir);
  for (unsigned long i = from; i < count; i++)
    ask(store, i);
  idem_store_close(store);
}

static double now_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *times, unsigned count)
{
  qsort(times, count, sizeof(*times), by_size);
  return times[count / 2];
}

/* No request of the store, and none of an earlier run. */
static unsigned long fresh(void)
{
  return (unsigned long)(now_us() * 1e3);
}

static double timed(struct idem_store *store, unsigned long number)
{
  double start = now_us();
  ask(store, number);
  return now_us() - start;
}

static void measure(const char *dir, unsigned long count, unsigned rounds)
{
  static double opening[ROUNDS_MOST], first[ROUNDS_MOST], later[ROUNDS_MOST], hit[ROUNDS_MOST];
  for (unsigned i = 0; i < rounds; i++) {
    double start = now_us();
    struct idem_store *store = open_store(dir);
    opening[i] = now_us() - start;
    first[i] = timed(store, fresh());
    later[i] = timed(store, fresh());
    unsigned long number = count ? (unsigned long)rand() % count : fresh();
    timed(store, number);
    hit[i] = timed(store, number);
    idem_store_close(store);
  }
  printf("open\t%.1f\nfirst call\t%.1f\nlive call\t%.1f\nhit\t%.1f\n", median(opening, rounds),
         median(first, rounds), median(later, rounds), median(hit, rounds));
}

struct keys {
  uint8_t (*key)[IDEM_KEY_SIZE];
  size_t count, room;
};

static int note_key(void *arg, struct idem_span key, struct idem_span value)
{
  struct keys *keys = arg;
  (void)value;
  if (keys->count == keys->room) {
    keys->room = keys->room ? 2 * keys->room : 1024;
    keys->key = realloc(keys->key, keys->room * sizeof(*keys->key));
  }
  memcpy(keys->key[keys->count++], key.data, IDEM_KEY_SIZE);
  return keys->key ? 0 : -ENOMEM;
}

/* The first byte of each is read, so that its page is there. */
static size_t by_walk(struct reader *reader, const uint8_t *key)
{
  struct idem_span value;
  return pages_get(&reader->snapshot, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &value) == 0
             ? value.len + (size_t)value.data[0]
             : 0;
}

static size_t by_lmdb(struct reader *reader, const uint8_t *key)
{
  MDB_val name = {IDEM_KEY_SIZE, (void *)(uintptr_t)key}, value;
  int rc = mdb_get(reader->txn, reader->engine->tree[PAGES_ANSWERS], &name, &value);
  return rc == 0 ? value.mv_size + (size_t)((const char *)value.mv_data)[0] : 0;
}

/* What a write does before it puts or deletes one. */
static size_t by_check(struct reader *reader, const uint8_t *key)
{
  struct pages_sound sound = {.deletes = true};
  return pages_check(&reader->snapshot, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &sound) == 0;
}

static void look(const char *dir, unsigned rounds)
{
  enum { LOOKS = 10000, WAYS = 3 };
  static const struct {
    const char *name;
    size_t (*find)(struct reader *reader, const uint8_t *key);
  } ways[WAYS] = {{"walk", by_walk}, {"mdb_get", by_lmdb}, {"check", by_check}};
  static double times[WAYS][ROUNDS_MOST];
  struct idem_store *store = open_store(dir);
  struct keys keys = {NULL, 0, 0};
  struct reader *reader;
  size_t sum = 0;
  if (state_read(store, &reader, &error) < 0 ||
      pages_each(&reader->snapshot, PAGES_ANSWERS, NULL, note_key, &keys) < 0 || !keys.count)
    exit(1);
  for (unsigned i = 0; i < WAYS * rounds; i++) {
    double start = now_us();
    for (unsigned n = 0; n < LOOKS; n++)
      sum += ways[i % WAYS].find(reader, keys.key[(size_t)rand() % keys.count]);
    times[i % WAYS][i / WAYS] = (now_us() - start) * 1000 / LOOKS;
  }
  for (unsigned i = 0; i < WAYS; i++)
    printf("%s\t%.1f\n", ways[i].name, median(times[i], rounds));
  reader_end(reader);
  idem_store_close(store);
  free(keys.key);
  if (!sum)
    exit(1);
}

int main(int argc, char **argv)
{
  const char *verb = argc > 3 ? argv[1] : "";
  unsigned long last = argc > 3 ? strtoul(argv[argc - 1], NULL, 10) : 0;
  bool looks = argc == 4 && strcmp(verb, "look") == 0, times = argc == 5 && strcmp(verb, "time") == 0,
       fills = argc == 5 && strcmp(verb, "fill") == 0;
  if (!(looks || times || fills) || (!fills && (last < 1 || last > ROUNDS_MOST)) ||
      idem_config_load(&config, get_variable, &error) < 0) {
    fprintf(stderr,
            "usage: tables fill DIR FROM COUNT | tables time DIR COUNT ROUNDS | tables look DIR ROUNDS\n");
    return 2;
  }
  if (looks)
    look(argv[2], (unsigned)last);
  else if (times)
    measure(argv[2], strtoul(argv[3], NULL, 10), (unsigned)last);
  else
    fill(argv[2], strtoul(argv[3], NULL, 10), last);
  idem_config_release(&config);
  return 0;
}
