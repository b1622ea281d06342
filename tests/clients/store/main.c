/* SPDX-License-Identifier: MIT */
/*
 * store-load DIR WHAT [N [SECONDS]]: fills a store and works on it, for what is measured of large ones and
 * for the tests of them.
 *
 *   fill      N answers of about 200 bytes each, past their time SECONDS from now (0: they are past it)
 *   hits      for SECONDS: one call answered from the store again and again; prints how many, and the longest
 *             in µs
 *   callers   for SECONDS: N threads at once, each with one call after the other, all of them new; prints how
 *             many were made
 *   commits   N calls with an answer of about 200 bytes; prints the median and the longest in µs
 *   replaced  the same ten calls, N times in all, each sent and stored anew; nothing is printed
 *   pinned    takes a snapshot, says so with a line, and holds it until it is killed
 *   collision prints two texts of COLLISION_TEXT bytes, one behind the other, of which XXH3 makes one name in
 *             this store
 *   mix       fills the store, then N MiB of answers of all sizes, of long ones and of all sizes again, by
 *             THREADS (SECONDS); see mix.c
 *
 * fill writes records and indexes itself, in transactions of many, as no app does: a million takes half a
 * minute. SYNC is off but for IDEMSHIM_SYNC=on. STORE_LOAD_MIB is the store's size, and
 * STORE_LOAD_PATIENCE_MS what a write waits for another's.
 */
#include "tests/clients/store/load.h"

#include "store/base/clock.h"
#include "store/records/answer_index.h"
#include "store/records/claim_record.h"
#include "tests/unit/store/collision.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 5000 };

static char *get_variable(const char *name)
{
  if (strcmp(name, "IDEMSHIM_RULES") == 0)
    return (char *)(uintptr_t) "host=*";
  if (strcmp(name, "IDEMSHIM_CONFIG") == 0)
    return (char *)(uintptr_t) "none";
  return strcmp(name, "HOME") == 0 ? (char *)(uintptr_t) "/nonexistent" : NULL;
}

/* As a digest would be: all over the tree. */
static void name_of(uint64_t seed, uint8_t out[IDEM_KEY_SIZE])
{
  for (size_t i = 0; i < IDEM_KEY_SIZE; i += sizeof(uint64_t)) {
    uint64_t mix = (seed += 0x9e3779b97f4a7c15u);
    mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9u;
    mix = (mix ^ mix >> 27) * 0x94d049bb133111ebu;
    mix ^= mix >> 31;
    memcpy(out + i, &mix, sizeof(mix));
  }
}

/* What answer_index_put() does, but for the serial, which that takes from the last commit. */
static int put_one(struct writer *writer, struct idem_answer *answer, const struct record_draft *draft)
{
  uint8_t age[8], expiry[16];
  void *place;
  struct answer_index_raw raw = {.sampled = 0};
  memcpy(raw.base, draft->base, IDEM_KEY_SIZE);
  answer_index_age_key(answer->serial, age);
  answer_index_expiry_key(answer->expires_us, answer->serial, expiry);
  int rc = writer_reserve(writer, PAGES_ANSWERS, answer->key, IDEM_KEY_SIZE, record_size(draft), &place);
  if (rc == 0)
    rc = record_write(draft, place);
  if (rc == 0)
    rc = writer_put(writer, PAGES_META, "serial", sizeof("serial"), &answer->serial, sizeof(answer->serial));
  if (rc == 0)
    rc = writer_put(writer, PAGES_RAW, draft->raw, IDEM_KEY_SIZE, &raw, sizeof(raw));
  if (rc == 0)
    rc = writer_put(writer, PAGES_AGE, age, sizeof(age), answer->key, IDEM_KEY_SIZE);
  if (rc == 0)
    rc = writer_put(writer, PAGES_EXPIRY, expiry, sizeof(expiry), answer->key, IDEM_KEY_SIZE);
  return rc < 0 ? rc : claim_record_put_print(writer, draft->print, answer->key, answer->stored_us);
}

static int put_many(struct writer *writer, void *arg)
{
  struct load *load = arg;
  uint64_t serial = answer_index_last(&writer->before);
  int rc = 0;
  for (int i = 0; i < BATCH && load->at < load->count && rc == 0; i++, load->at++) {
    uint8_t raw[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
    char path[64], body[200], request[80];
    snprintf(path, sizeof(path), "/v1/place/%d", (int)(load->at % 10));
    snprintf(request, sizeof(request), "{\"messages\":[{\"role\":\"user\",\"content\":\"question %llu\"}]}",
             (unsigned long long)load->at);
    snprintf(body, sizeof(body), "{\"n\":%llu,\"text\":\"%0100d\"}", (unsigned long long)load->at, 7);
    struct idem_chunk chunk = {(uint32_t)strlen(body), 1};
    struct idem_answer answer = {.serial = ++serial,
                                 .started_us = clock_now_us(),
                                 .stored_us = clock_now_us(),
                                 .expires_us = load->expires_us,
                                 .status = 200,
                                 .delivered = true,
                                 .usage = {10, 20},
                                 .headers = SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
                                 .body = SPAN(body),
                                 .chunks = &chunk,
                                 .chunk_count = 1,
                                 .method = SPAN("POST"),
                                 .origin = SPAN("https://api.example.com:443"),
                                 .path = SPAN(path),
                                 .request_body = SPAN(request),
                                 .request_body_len = strlen(request),
                                 .key_kind = IDEM_KEY_CONTENT};
    name_of(4 * serial, answer.key);
    name_of(4 * serial + 1, raw);
    name_of(4 * serial + 2, print);
    struct record_draft draft = {.answer = &answer, .raw = raw, .print = print, .base = answer.key};
    rc = put_one(writer, &answer, &draft);
  }
  return rc;
}

static int fill(struct load *load)
{
  struct idem_error error = {""};
  while (load->at < load->count)
    if (state_write(load->store, put_many, load, &error) < 0)
      return fprintf(stderr, "store-load: %s\n", error.text), 1;
  return 0;
}

int load_call(struct load *load, const char *body, struct idem_span answer, bool anew,
              struct idem_error *error)
{
  struct idem_chunk chunk = {(uint32_t)answer.len, 1};
  struct idem_span header = SPAN("Content-Type: application/json");
  struct idem_request request = {.rule = load->config.rules,
                                 .method = SPAN("POST"),
                                 .origin = SPAN("https://api.example.com:443"),
                                 .path = SPAN("/v1/place/0"),
                                 .headers = &header,
                                 .header_count = 1,
                                 .body = SPAN(body)};
  struct idem_recording recording = {.status = 200,
                                     .headers =
                                         SPAN("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"),
                                     .body = answer,
                                     .chunks = &chunk,
                                     .chunk_count = 1,
                                     .framed = true,
                                     .delivered = true};
  struct idem_call call = IDEM_CALL_INIT;
  call.skip_answers = anew;
  int verdict = idem_store_enter(load->store, &request, &call, error), rc = verdict;
  if (verdict == IDEM_OWNED)
    rc = idem_store_commit(load->store, &call, &request, &recording, error) == IDEM_STORED ? verdict : -1;
  if (verdict >= 0)
    idem_store_leave(load->store, &call, true);
  return rc;
}

/* Below 0 it says why. */
static int call(struct load *load, const char *body, bool anew)
{
  static const char answer[] = "{\"text\":\"an answer that is neither long nor short, as most of them are\"}";
  struct idem_error error = {""};
  int rc = load_call(load, body, (struct idem_span){answer, sizeof(answer) - 1}, anew, &error);
  if (rc < 0)
    fprintf(stderr, "store-load: %s\n", error.text);
  return rc;
}

static int hits(struct load *load, int64_t seconds)
{
  uint64_t count = 0;
  int64_t longest = 0, end;
  if (call(load, "{\"hot\":1}", false) < 0)
    return 1;
  for (end = clock_steady_us() + seconds * 1000000; clock_steady_us() < end; count++) {
    int64_t start = clock_steady_us();
    if (call(load, "{\"hot\":1}", false) != IDEM_HIT)
      return 1;
    int64_t took = clock_steady_us() - start;
    longest = took > longest ? took : longest;
  }
  return printf("hits %llu longest_us %lld\n", (unsigned long long)count, (long long)longest) < 0;
}

static int compare(const void *a, const void *b)
{
  const int64_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static int commits(struct load *load)
{
  int64_t *took = calloc(load->count + 1, sizeof(*took));
  char body[64];
  int failed = !took;
  for (uint64_t i = 0; i < load->count && !failed; i++) {
    snprintf(body, sizeof(body), "{\"pid\":%d,\"n\":%llu}", (int)getpid(), (unsigned long long)i);
    int64_t start = clock_steady_us();
    failed = call(load, body, false) != IDEM_OWNED;
    took[i] = clock_steady_us() - start;
  }
  if (!failed) {
    qsort(took, load->count, sizeof(*took), compare);
    printf("commits %llu median_us %lld p99_us %lld longest_us %lld\n", (unsigned long long)load->count,
           (long long)took[load->count / 2], (long long)took[load->count * 99 / 100],
           (long long)took[load->count ? load->count - 1 : 0]);
  }
  free(took);
  return failed;
}

struct caller {
  struct load *load;
  unsigned number;
  int64_t end;
  uint64_t made;
  int failed;
};

static void *make_calls(void *arg)
{
  struct caller *caller = arg;
  char body[96];
  for (; clock_steady_us() < caller->end && !caller->failed; caller->made++) {
    snprintf(body, sizeof(body), "{\"pid\":%d,\"thread\":%u,\"n\":%llu}", (int)getpid(), caller->number,
             (unsigned long long)caller->made);
    caller->failed = call(caller->load, body, false) != IDEM_OWNED;
  }
  return NULL;
}

/* Each has had a call before the time begins. */
static int callers(struct load *load, int64_t seconds)
{
  enum { MOST = 256 };
  static struct caller caller[MOST];
  pthread_t thread[MOST];
  unsigned count = load->count < MOST ? (unsigned)load->count : MOST;
  uint64_t made = 0;
  int failed = call(load, "{\"first\":1}", true) < 0;
  int64_t end = clock_steady_us() + seconds * 1000000;
  for (unsigned i = 0; i < count; i++) {
    caller[i] = (struct caller){.load = load, .number = i, .end = end};
    if (pthread_create(&thread[i], NULL, make_calls, &caller[i]))
      return 1;
  }
  for (unsigned i = 0; i < count; i++) {
    pthread_join(thread[i], NULL);
    made += caller[i].made;
    failed |= caller[i].failed;
  }
  return printf("callers %u calls %llu\n", count, (unsigned long long)made) < 0 || failed;
}

static int replaced(struct load *load)
{
  char body[32];
  int failed = 0;
  for (uint64_t i = 0; i < load->count && !failed; i++) {
    snprintf(body, sizeof(body), "{\"again\":%d}", (int)(i % 10));
    failed = call(load, body, true) != IDEM_OWNED;
  }
  return failed;
}

static int hold(struct load *load)
{
  struct reader *reader;
  if (state_read(load->store, &reader, NULL) < 0)
    return 1;
  puts("pinned");
  fflush(stdout);
  for (;;)
    pause();
}

static int collide(const struct load *load)
{
  char texts[2][COLLISION_TEXT];
  collision_make(load->store->text_secret, texts[0], texts[1]);
  return fwrite(texts, sizeof(texts), 1, stdout) != 1;
}

int main(int argc, char **argv)
{
  struct idem_error error = {""};
  const char *sync = getenv("IDEMSHIM_SYNC"), *size = getenv("STORE_LOAD_MIB"),
             *patience = getenv("STORE_LOAD_PATIENCE_MS");
  if (argc < 3)
    return fprintf(stderr, "usage: store-load DIR fill|hits|callers|commits|replaced|collision|pinned|mix [N "
                           "[SECONDS]]\n"),
           2;
  struct load load = {.count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0};
  int64_t seconds = argc > 4 ? atoll(argv[4]) : 0;
  struct idem_store_options options = {.dir = argv[1],
                                       .size = (size ? strtoull(size, NULL, 10) : 16384) << 20,
                                       .patience_ms = patience ? (unsigned)atoi(patience) : 0,
                                       .sync = sync && strcmp(sync, "on") == 0};
  load.expires_us = clock_now_us() + seconds * 1000000;
  if (idem_config_load(&load.config, get_variable, &error) < 0 ||
      idem_store_open(&load.store, &options, &error) < 0)
    return fprintf(stderr, "store-load: %s\n", error.text), 1;
  int code = strcmp(argv[2], "fill") == 0        ? fill(&load)
             : strcmp(argv[2], "hits") == 0      ? hits(&load, seconds)
             : strcmp(argv[2], "callers") == 0   ? callers(&load, seconds)
             : strcmp(argv[2], "commits") == 0   ? commits(&load)
             : strcmp(argv[2], "replaced") == 0  ? replaced(&load)
             : strcmp(argv[2], "collision") == 0 ? collide(&load)
             : strcmp(argv[2], "mix") == 0 ? load_mix(&load, options.size, seconds ? (unsigned)seconds : 1)
                                           : hold(&load);
  idem_store_close(load.store);
  idem_config_release(&load.config);
  return code;
}
