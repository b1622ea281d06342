/* SPDX-License-Identifier: MIT */
/*
 * tables fill DIR FROM COUNT: puts answers of 2 KB into the store in DIR, each to a request of its own, with the numbers FROM to
 * COUNT - 1.
 *
 * tables time DIR COUNT ROUNDS: prints what a store with those takes, as NAME<tab>microseconds, each the median of the rounds: to open it; the
 * first call of a process that is sent and stored, with nothing for the sending; a later one; and a hit of any of them.
 *
 * scripts/bench-store fills a store with the first, and measures what is left from outside.
 */
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

int main(int argc, char **argv)
{
  unsigned long third = argc == 5 ? strtoul(argv[3], NULL, 10) : 0,
                last = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
  bool times = argc == 5 && strcmp(argv[1], "time") == 0;
  if (argc != 5 || (times && (last < 1 || last > ROUNDS_MOST)) ||
      idem_config_load(&config, get_variable, &error) < 0) {
    fprintf(stderr, "usage: tables fill DIR FROM COUNT | tables time DIR COUNT ROUNDS\n");
    return 2;
  }
  if (times) {
    measure(argv[2], third, (unsigned)last);
  } else {
    struct idem_store *store = open_store(argv[2]);
    for (unsigned long i = third; i < last; i++)
      ask(store, i);
    idem_store_close(store);
  }
  idem_config_release(&config);
  return 0;
}
