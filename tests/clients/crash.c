/* SPDX-License-Identifier: MIT */
/*
 * crash BASE JOURNAL EPOCH_MS SEED
 * crash BASE - ask
 *
 * A program that calls in many ways until it is killed. What it asks for changes with the clock, so that
 * those which run beside it ask for the same: some send, some follow, some find it. Its journal is what it
 * knows for certain when it dies: `a KEY` before a call, `k KEY CHECKSUM BYTES` once the call was well, and
 * `f KEY CODE STATUS` if it was not.
 *
 * ask: reads a key a line, asks for each once, with time, and prints the same.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <fcntl.h>
#include <pthread.h>

enum { KINDS = 6, KEYS = 4 * KINDS, TURN_MS = 500, HANDLES = 4, GIVE_UP_MS = 15, ASK_MS = 30000 };

/* The kind of a key is what is left of it by KINDS. */
static const struct kind {
  const char *path, *more; /* of the request's body */
  bool may_give_up;        /* half of its calls have a timeout, and are finished by a copy of the program */
} kinds[KINDS] = {
    {"/v1/chat/completions?mock=latency_ms=1", "", false},
    {"/v1/chat/completions?mock=size=40000", "", false},
    {"/v1/chat/completions?mock=events=12,chunk_delay_ms=2", ",\"stream\":true", false},
    {"/v1/chat/completions?mock=latency_ms=40", "", true},
    {"/v1/messages?mock=latency_ms=20", ",\"max_tokens\":9", false},  /* whose rule has guard=on */
    {"/v1/embeddings?mock=latency_ms=15", ",\"input\":\"x\"", false}, /* which are removed now and then */
};

static const char *base;
static int journal = 1;
static int64_t began_ms;

struct call {
  CURL *handle;
  struct reply reply;
  unsigned long key;
  char url[256], body[96];
  bool in;
};

/* Whole lines, for it may be the last thing that it does. */
static void note(char what, unsigned long key, const char *more)
{
  char line[96];
  int len = snprintf(line, sizeof(line), "%c %lu%s\n", what, key, more);
  if (write(journal, line, (size_t)len) != len)
    _exit(3);
}

static void prepare(struct call *call, unsigned long key, long timeout_ms)
{
  const struct kind *kind = &kinds[key % KINDS];
  if (!call->handle && !(call->handle = post_new("", "", &call->reply)))
    _exit(3);
  call->key = key;
  call->reply.len = 0;
  snprintf(call->url, sizeof(call->url), "%s%s", base, kind->path);
  snprintf(call->body, sizeof(call->body), "{\"model\":\"m\",\"key\":\"%lu\"%s}", key, kind->more);
  curl_easy_setopt(call->handle, CURLOPT_URL, call->url);
  curl_easy_setopt(call->handle, CURLOPT_POSTFIELDS, call->body);
  curl_easy_setopt(call->handle, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(call->handle, CURLOPT_PRIVATE, call);
  note('a', key, "");
}

/* Returns whether the call was well. */
static bool tell(struct call *call, CURLcode code)
{
  long status = 0;
  curl_easy_getinfo(call->handle, CURLINFO_RESPONSE_CODE, &status);
  bool well = code == CURLE_OK && status == 200;
  char more[64];
  if (well)
    snprintf(more, sizeof(more), " %016" PRIx64 " %zu", reply_checksum(&call->reply), call->reply.len);
  else
    snprintf(more, sizeof(more), " %d %ld", (int)code, status);
  note(well ? 'k' : 'f', call->key, more);
  return well;
}

/* One of those whose turn it is. */
static unsigned long pick(unsigned *seed, long *timeout_ms)
{
  unsigned long turn = (unsigned long)(loop_now_ms() - began_ms) / TURN_MS;
  unsigned long key = turn * KEYS + (unsigned)rand_r(seed) % KEYS;
  *timeout_ms = kinds[key % KINDS].may_give_up && rand_r(seed) % 2 ? GIVE_UP_MS : 0;
  return key;
}

static void *one_by_one(void *arg)
{
  unsigned seed = *(unsigned *)arg + 1;
  struct call call = {0};
  for (;;) {
    long timeout_ms;
    unsigned long key = pick(&seed, &timeout_ms);
    prepare(&call, key, timeout_ms);
    tell(&call, curl_easy_perform(call.handle));
  }
  return NULL;
}

static void *many_at_once(void *arg)
{
  static struct call calls[HANDLES];
  unsigned seed = *(unsigned *)arg + 2;
  struct loop loop;
  if (!loop_open(&loop, seed % 2 ? "poll" : "epoll"))
    _exit(3);
  for (;;) {
    for (int i = 0; i < HANDLES; i++) {
      long timeout_ms;
      if (calls[i].in)
        continue;
      unsigned long key = pick(&seed, &timeout_ms);
      prepare(&calls[i], key, timeout_ms);
      loop_note(&loop, curl_multi_add_handle(loop.multi, calls[i].handle));
      calls[i].in = true;
    }
    loop_step(&loop, 10);
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(loop.multi, &left))) {
      struct call *call;
      CURLcode code = message->data.result;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
      tell(call, code);
      loop_note(&loop, curl_multi_remove_handle(loop.multi, call->handle));
      call->in = false;
    }
  }
  return NULL;
}

static int ask(void)
{
  struct call call = {0};
  unsigned long key;
  int bad = 0;
  while (scanf("%lu", &key) == 1) {
    prepare(&call, key, ASK_MS);
    bad |= !tell(&call, curl_easy_perform(call.handle));
  }
  curl_easy_cleanup(call.handle);
  free(call.reply.bytes);
  return bad;
}

int main(int argc, char **argv)
{
  bool asks = argc == 4 && strcmp(argv[3], "ask") == 0;
  if (argc != 5 && !asks) {
    fprintf(stderr, "usage: crash BASE JOURNAL EPOCH_MS SEED, or crash BASE - ask\n");
    return 2;
  }
  base = argv[1];
  curl_global_init(CURL_GLOBAL_ALL);
  if (asks)
    return ask();
  unsigned seed = (unsigned)strtoul(argv[4], NULL, 10);
  began_ms = atoll(argv[3]);
  journal = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  pthread_t thread;
  if (journal < 0 || pthread_create(&thread, NULL, many_at_once, &seed) != 0)
    return 3;
  one_by_one(&seed);
  return 3;
}
