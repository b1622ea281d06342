/* SPDX-License-Identifier: MIT */
/*
 * soak URL SECONDS PERIOD_MS NUMBER
 *
 * A program that goes on for long, with a thread for each way of calling: hits, new calls that are asked
 * again, calls of two threads at once, streams, calls that are given up and asked again, a multi whose
 * handles come and go, and children. None is in a hurry. URL answers with the request in a member of its own
 * (echo=1), so that each answer is held to what was asked.
 *
 * Every PERIOD_MS a line: `calls=N wrong=N failed=N hit_ns=MEDIAN hit_p99_ns=N`. The exit status is 1 if a
 * call failed or an answer was another call's.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { HITS = 500, HANDLES = 32, KEPT = 64, PAUSE_US = 20000 };

static const char *url;
static unsigned number;
static int64_t end_ms, period_ms;
static atomic_ulong calls, wrong, failed;
static _Atomic int64_t hit_median_ns, hit_p99_ns;

static bool goes_on(void)
{
  return loop_now_ms() < end_ms;
}

/* New in each process and each run. */
static void write_body(char body[96], const char *kind, unsigned long key)
{
  snprintf(body, 96, "{\"model\":\"m\",\"key\":\"%s.%u.%ld.%lu\"%s}", kind, number, (long)getpid(), key,
           strcmp(kind, "stream") == 0 ? ",\"stream\":true" : "");
}

static char *url_with(const char *more)
{
  char *text = NULL;
  return asprintf(&text, "%s%s", url, more) < 0 ? NULL : text;
}

/* What is between the quotes of "key" came back. A stream says nothing of what was asked. */
static bool is_of(const struct reply *reply, const char *body)
{
  const char *key = strstr(body, "key") + strlen("key\":\"");
  return strstr(body, "\"stream\"") ? strstr(reply->bytes, "data:") != NULL
                                    : memmem(reply->bytes, reply->len, key, strcspn(key, "\"")) != NULL;
}

static void ask(CURL *handle, const char *body, struct reply *reply, bool may_fail)
{
  long status = 0;
  reply->len = 0;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
  CURLcode code = curl_easy_perform(handle);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  calls++;
  if (code != CURLE_OK || status != 200) {
    failed += !may_fail;
    if (!may_fail)
      fprintf(stderr, "soak: %s: %s, status %ld\n", body, curl_easy_strerror(code), status);
  } else if (!reply->len || !is_of(reply, body)) {
    wrong++;
    fprintf(stderr, "soak: %s: another answer\n", body);
  }
}

/* One handle, one question, its time. */

static int compare(const void *a, const void *b)
{
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *hit(void *unused)
{
  static int64_t took[HITS];
  char body[96];
  struct reply reply = {0};
  CURL *handle = post_new(url, "", &reply);
  write_body(body, "hit", 0);
  while (goes_on()) {
    for (int i = 0; i < HITS; i++) {
      int64_t from = now_ns();
      ask(handle, body, &reply, false);
      took[i] = now_ns() - from;
    }
    qsort(took, HITS, sizeof *took, compare);
    hit_median_ns = took[HITS / 2];
    hit_p99_ns = took[HITS * 99 / 100];
    usleep(PAUSE_US);
  }
  curl_easy_cleanup(handle);
  free(reply.bytes);
  return unused;
}

/* Each question twice; a new handle for every fifty. */
static void *fresh(void *kind)
{
  char *where = url_with(strcmp(kind, "stream") == 0 ? ",events=20" : ",size=6000"), body[96];
  struct reply reply = {0};
  CURL *handle = NULL;
  for (unsigned long key = 0; goes_on(); key++) {
    if (key % 50 == 0) {
      curl_easy_cleanup(handle);
      handle = post_new(where, "", &reply);
    }
    write_body(body, kind, key);
    ask(handle, body, &reply, false);
    ask(handle, body, &reply, false);
    usleep(PAUSE_US);
  }
  curl_easy_cleanup(handle);
  free(reply.bytes);
  free(where);
  return kind;
}

/* Two threads ask the same at once. */
static void *pair(void *barrier)
{
  char *where = url_with(",latency_ms=10"), body[96];
  struct reply reply = {0};
  CURL *handle = post_new(where, "", &reply);
  for (unsigned long key = 0; goes_on(); key++) {
    write_body(body, "pair", key);
    ask(handle, body, &reply, false);
    usleep(PAUSE_US);
  }
  curl_easy_cleanup(handle);
  free(reply.bytes);
  free(where);
  return barrier;
}

/* Given up after 20 ms, finished for us by a rescue, and asked again. */
static void *give_up(void *unused)
{
  char *where = url_with(",latency_ms=100"), body[96];
  struct reply reply = {0};
  CURL *handle = post_new(where, "", &reply);
  for (unsigned long key = 0; goes_on(); key++) {
    write_body(body, "late", key);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, 20L);
    ask(handle, body, &reply, true);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, 0L);
    ask(handle, body, &reply, false);
    usleep(10 * PAUSE_US);
  }
  curl_easy_cleanup(handle);
  free(reply.bytes);
  free(where);
  return unused;
}

static void *fork_children(void *unused)
{
  for (unsigned long key = 0; goes_on(); key++) {
    pid_t child = fork();
    if (child == 0) {
      struct reply reply = {0};
      char body[96];
      CURL *handle = post_new(url, "", &reply);
      write_body(body, "child", key);
      wrong = failed = 0;
      ask(handle, body, &reply, false);
      ask(handle, body, &reply, false);
      curl_easy_cleanup(handle);
      _exit(wrong || failed);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      failed++;
    usleep(25 * PAUSE_US);
  }
  return unused;
}

/* A multi: stored and new ones, some of which are taken out on the way. */

struct slot {
  CURL *handle;
  struct reply reply;
  char body[96];
  bool in;
};

static void begin(struct loop *loop, struct slot *slot, unsigned long key)
{
  write_body(slot->body, "multi", key % 3 ? key : key % KEPT);
  slot->reply.len = 0;
  if (!slot->handle) {
    slot->handle = post_new(url, "", &slot->reply);
    curl_easy_setopt(slot->handle, CURLOPT_PRIVATE, slot);
  }
  curl_easy_setopt(slot->handle, CURLOPT_POSTFIELDS, slot->body);
  loop_note(loop, curl_multi_add_handle(loop->multi, slot->handle));
  slot->in = true;
  calls++;
}

static void collect(struct loop *loop)
{
  CURLMsg *message;
  struct slot *slot;
  int left;
  while ((message = curl_multi_info_read(loop->multi, &left))) {
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
    if (code != CURLE_OK)
      failed++;
    else
      wrong += !slot->reply.len || !is_of(&slot->reply, slot->body);
    loop_note(loop, curl_multi_remove_handle(loop->multi, slot->handle));
    slot->in = false;
  }
}

static void take_out(struct loop *loop, struct slot *slot, bool clean_up)
{
  loop_note(loop, curl_multi_remove_handle(loop->multi, slot->handle));
  slot->in = false;
  if (clean_up) {
    curl_easy_cleanup(slot->handle);
    slot->handle = NULL;
  }
}

static void *drive(void *name)
{
  struct slot *slots = calloc(HANDLES, sizeof *slots);
  struct loop loop;
  unsigned long key = 0;
  if (!slots || !loop_open(&loop, name)) {
    failed++;
    return name;
  }
  while (goes_on()) {
    for (unsigned i = 0; i < HANDLES; i++)
      if (!slots[i].in)
        begin(&loop, &slots[i], key++);
    for (int turn = 0; turn < 20; turn++) {
      loop_step(&loop, 5);
      collect(&loop);
    }
    if (slots[key % HANDLES].in)
      take_out(&loop, &slots[key % HANDLES], key % 2);
    usleep(PAUSE_US);
  }
  for (unsigned i = 0; i < HANDLES; i++) {
    if (slots[i].in)
      take_out(&loop, &slots[i], true);
    else
      curl_easy_cleanup(slots[i].handle);
    free(slots[i].reply.bytes);
  }
  loop_close(&loop);
  failed += loop.errors;
  free(slots);
  return name;
}

int main(int argc, char **argv)
{
  static const struct {
    void *(*run)(void *);
    const char *name;
  } ways[] = {{hit, ""},     {fresh, "new"},  {fresh, "stream"}, {pair, ""},         {pair, ""},
              {give_up, ""}, {drive, "poll"}, {drive, "epoll"},  {fork_children, ""}};
  enum { WAYS = sizeof ways / sizeof *ways };
  pthread_t threads[WAYS];
  if (argc != 5) {
    fprintf(stderr, "usage: soak URL SECONDS PERIOD_MS NUMBER\n");
    return 2;
  }
  url = argv[1];
  end_ms = loop_now_ms() + 1000 * atol(argv[2]);
  period_ms = atol(argv[3]);
  number = (unsigned)atol(argv[4]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  for (int i = 0; i < WAYS; i++)
    if (pthread_create(&threads[i], NULL, ways[i].run, (void *)(uintptr_t)ways[i].name))
      return 2;
  while (goes_on()) {
    usleep((unsigned)period_ms * 1000);
    printf("calls=%lu wrong=%lu failed=%lu hit_ns=%" PRId64 " hit_p99_ns=%" PRId64 "\n", calls, wrong, failed,
           hit_median_ns, hit_p99_ns);
    fflush(stdout);
  }
  for (int i = 0; i < WAYS; i++)
    pthread_join(threads[i], NULL);
  curl_global_cleanup();
  return wrong || failed;
}
