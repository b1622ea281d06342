/* SPDX-License-Identifier: MIT */
/*
 * multi_stress URL HANDLES SECONDS SEED
 *
 * Four threads with a multi each, two under curl_multi_perform() and poll and two under
 * curl_multi_socket_action() and epoll. A third of the handles makes calls that are stored, a third calls
 * that were never made, a third calls that others are making; all of them are removed, paused, timed out,
 * copied and cleaned up at random, and so are whole multis.
 *
 * A key is disturbed once one of its calls was removed, cleaned up or timed out: it may have been the owner.
 * Of every other key exactly one answer came without the mark of a replay, and all its answers are the same.
 * Every handle that is in a multi ends once. Whatever is not so is told, and the exit status is 1.
 */
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/resource.h>

enum { THREADS = 4, STORED_KEYS = 64, KEYS_MOST = 1 << 21, RECENT = 200, DRAIN_MS = 60000 };

/* Of one operation. The first STORED_KEYS are made before the threads begin. */
struct key {
  atomic_uint upstream; /* 200 without the mark */
  atomic_uint failed;   /* 500 */
  atomic_uint calls, disturbed;
  _Atomic uint64_t checksum; /* of the first answer; 0: none */
};
static struct key keys[KEYS_MOST];
static atomic_uint key_count = STORED_KEYS;

#define COUNTS(X)                                                                                            \
  X(calls)                                                                                                   \
  X(replayed)                                                                                                \
  X(live)                                                                                                    \
  X(failed)                                                                                                  \
  X(timed_out)                                                                                               \
  X(removed)                                                                                                 \
  X(cleaned)                                                                                                 \
  X(paused)                                                                                                  \
  X(copied)                                                                                                  \
  X(multis)                                                                                                  \
  X(lost)                                                                                                    \
  X(twice)                                                                                                   \
  X(wrong)
static struct {
#define X(name) atomic_uint name;
  COUNTS(X)
#undef X
} total;

#ifdef __SANITIZE_THREAD__
/* libcurl may name a descriptor that it has closed when it takes it away, and another thread may have it by
 * then. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
  return "race:loop_on_socket\n";
}
#endif

struct thread;

struct slot {
  struct thread *thread;
  CURL *handle;
  struct key *key;
  char body[64];
  uint64_t checksum;
  bool in, marked, pauses, paused, hurried;
  int64_t unpause_ms;
};

struct thread {
  pthread_t id;
  const char *loop_name;
  struct loop loop;
  struct slot *slots;
  unsigned slot_count, in;
  uint64_t random;
};

static const char *url;
static struct curl_slist *quick, *slow, *failing;
static int64_t end_ms;

/* xorshift64* */
static unsigned pick(struct thread *t, unsigned below)
{
  t->random ^= t->random >> 12;
  t->random ^= t->random << 25;
  t->random ^= t->random >> 27;
  return (unsigned)((t->random * 2685821657736338717u) >> 33) % below;
}

static void complain(struct slot *slot, const char *what, long number)
{
  total.wrong++;
  fprintf(stderr, "multi_stress: %s: %s (%ld)\n", slot->body, what, number);
}

/* What libcurl gives us. */

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
  struct slot *slot = user;

  if (size * count > 22 && strncasecmp(line, "X-Idempotency-Replayed", 22) == 0)
    slot->marked = true;
  return size * count;
}

static size_t on_write(char *data, size_t size, size_t count, void *user)
{
  struct slot *slot = user;

  if (slot->pauses) {
    slot->pauses = false;
    slot->paused = true;
    slot->unpause_ms = loop_now_ms() + pick(slot->thread, 20);
    total.paused++;
    return CURL_WRITEFUNC_PAUSE;
  }
  for (size_t i = 0; i < size * count; i++)
    slot->checksum = (slot->checksum ^ (unsigned char)data[i]) * 1099511628211u;
  return size * count;
}

/* Calls. */

/* Slots take turns: stored, new, another's. */
static unsigned choose_key(struct slot *slot)
{
  struct thread *t = slot->thread;
  unsigned kind = (unsigned)(slot - t->slots) % 3, known = atomic_load(&key_count);

  if (kind == 0 || (kind == 2 && known == STORED_KEYS))
    return pick(t, STORED_KEYS);
  if (kind == 1)
    return atomic_fetch_add(&key_count, 1);
  unsigned recent = known - STORED_KEYS < RECENT ? known - STORED_KEYS : RECENT;
  return known - 1 - pick(t, recent);
}

/* One key in sixteen fails the first time. */
static struct curl_slist *headers_of(struct thread *t, unsigned key)
{
  return key >= STORED_KEYS && key % 16 == 0 ? failing : pick(t, 2) ? slow : quick;
}

/* New in each process. */
static void write_body(char body[64], unsigned key)
{
  snprintf(body, 64, "{\"model\":\"m\",\"run\":%ld,\"key\":%u}", (long)getpid(), key);
}

static void set_options(struct slot *slot, unsigned key)
{
  struct thread *t = slot->thread;

  write_body(slot->body, key);
  curl_easy_setopt(slot->handle, CURLOPT_URL, url);
  curl_easy_setopt(slot->handle, CURLOPT_POSTFIELDS, slot->body);
  curl_easy_setopt(slot->handle, CURLOPT_HTTPHEADER, headers_of(t, key));
  curl_easy_setopt(slot->handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(slot->handle, CURLOPT_WRITEDATA, slot);
  curl_easy_setopt(slot->handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(slot->handle, CURLOPT_HEADERDATA, slot);
  curl_easy_setopt(slot->handle, CURLOPT_PRIVATE, slot);
  curl_easy_setopt(slot->handle, CURLOPT_NOSIGNAL, 1L);
  slot->hurried = pick(t, 40) == 0;
  curl_easy_setopt(slot->handle, CURLOPT_TIMEOUT_MS, slot->hurried ? 1L + (long)pick(t, 40) : 0L);
}

static void begin(struct slot *slot)
{
  unsigned key = choose_key(slot);

  if (key >= KEYS_MOST)
    return;
  slot->key = &keys[key];
  slot->key->calls++;
  slot->checksum = 14695981039346656037u;
  slot->marked = slot->paused = false;
  slot->pauses = pick(slot->thread, 30) == 0;
  if (!slot->handle)
    slot->handle = curl_easy_init();
  else if (pick(slot->thread, 8) == 0)
    curl_easy_reset(slot->handle);
  set_options(slot, key);
  loop_note(&slot->thread->loop, curl_multi_add_handle(slot->thread->loop.multi, slot->handle));
  slot->in = true;
  slot->thread->in++;
  total.calls++;
}

static void is_out(struct slot *slot)
{
  slot->in = slot->paused = false;
  slot->thread->in--;
}

static void check_answer(struct slot *slot)
{
  uint64_t none = 0, checksum = slot->checksum;
  long status = 0;

  curl_easy_getinfo(slot->handle, CURLINFO_RESPONSE_CODE, &status);
  if (status == 500 && !slot->marked) {
    slot->key->failed++;
    total.failed++;
    return;
  }
  if (status != 200)
    complain(slot, "status", status);
  if (slot->marked) {
    total.replayed++;
  } else {
    slot->key->upstream++;
    total.live++;
  }
  if (!atomic_compare_exchange_strong(&slot->key->checksum, &none, checksum) && none != checksum &&
      !slot->key->disturbed)
    complain(slot, "two answers that differ", status);
}

static void on_done(struct thread *t, const CURLMsg *message)
{
  struct slot *slot = NULL;
  CURLcode code = message->data.result;

  curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
  if (!slot || slot->handle != message->easy_handle || !slot->in) {
    total.twice++;
    return;
  }
  if (code == CURLE_OK)
    check_answer(slot);
  else if (code == CURLE_OPERATION_TIMEDOUT && slot->hurried)
    total.timed_out++;
  else
    complain(slot, curl_easy_strerror(code), (long)code);
  if (code != CURLE_OK)
    slot->key->disturbed = 1;
  loop_note(&t->loop, curl_multi_remove_handle(t->loop.multi, slot->handle));
  is_out(slot);
}

static void collect(struct thread *t)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read(t->loop.multi, &left)))
    on_done(t, message);
}

/* Disturbances. */

static void take_out(struct slot *slot)
{
  slot->key->disturbed = 1;
  loop_note(&slot->thread->loop, curl_multi_remove_handle(slot->thread->loop.multi, slot->handle));
  is_out(slot);
  total.removed++;
}

static void clean_up(struct slot *slot)
{
  slot->key->disturbed = 1;
  curl_easy_cleanup(slot->handle);
  slot->handle = NULL;
  is_out(slot);
  total.cleaned++;
}

static void copy(struct slot *slot)
{
  curl_easy_cleanup(curl_easy_duphandle(slot->handle));
  total.copied++;
}

/* With all that is in it. libcurl 7.88 does not take a handle again that was left in a multi. */
static void replace_multi(struct thread *t)
{
  loop_close(&t->loop);
  total.wrong += t->loop.errors;
  for (unsigned i = 0; i < t->slot_count; i++)
    if (t->slots[i].in)
      clean_up(&t->slots[i]);
  if (!loop_open(&t->loop, t->loop_name))
    total.wrong++;
  total.multis++;
}

static void disturb(struct thread *t)
{
  static void (*const ways[])(struct slot *) = {take_out, clean_up, copy, copy};
  struct slot *slot = &t->slots[pick(t, t->slot_count)];

  if (slot->in && pick(t, 4) == 0)
    ways[pick(t, sizeof ways / sizeof *ways)](slot);
  if (pick(t, 8000) == 0)
    replace_multi(t);
}

static void unpause(struct slot *slot)
{
  if (!slot->in || !slot->paused || slot->unpause_ms > loop_now_ms())
    return;
  slot->paused = false;
  if (curl_easy_pause(slot->handle, CURLPAUSE_CONT) != CURLE_OK)
    complain(slot, "cannot go on", 0);
}

static void work(struct thread *t)
{
  loop_step(&t->loop, 5);
  collect(t);
  for (unsigned i = 0; i < t->slot_count; i++)
    unpause(&t->slots[i]);
}

/* The run. */

static void *run(void *user)
{
  struct thread *t = user;
  int64_t drained_ms;

  while (loop_now_ms() < end_ms) {
    for (unsigned i = 0; i < t->slot_count; i++)
      if (!t->slots[i].in)
        begin(&t->slots[i]);
    work(t);
    for (unsigned i = 0; i < t->slot_count / 8; i++)
      disturb(t);
  }
  for (drained_ms = end_ms + DRAIN_MS; t->in && loop_now_ms() < drained_ms;)
    work(t);
  total.lost += t->in;
  for (unsigned i = 0; i < t->slot_count; i++) {
    if (t->slots[i].in)
      fprintf(stderr, "multi_stress: %s: never ended, under %s\n", t->slots[i].body, t->loop_name);
    curl_easy_cleanup(t->slots[i].handle);
  }
  loop_close(&t->loop);
  total.wrong += t->loop.errors;
  return NULL;
}

static bool start(struct thread *t, unsigned n, unsigned slot_count, unsigned seed)
{
  t->loop_name = n % 2 ? "epoll" : "poll";
  t->slot_count = slot_count;
  t->slots = calloc(slot_count, sizeof *t->slots);
  t->random = (uint64_t)(seed + 1) * 0x9E3779B97F4A7C15u + n;
  for (unsigned i = 0; t->slots && i < slot_count; i++)
    t->slots[i].thread = t;
  return t->slots && loop_open(&t->loop, t->loop_name) && !pthread_create(&t->id, NULL, run, t);
}

/* Also tells that the answers of these keys are stored. */
static void make_stored_keys(void)
{
  char body[64];

  for (unsigned i = 0; i < STORED_KEYS; i++) {
    struct reply reply = {0};
    write_body(body, i);
    CURL *handle = post_new(url, body, &reply);
    if (curl_easy_perform(handle) != CURLE_OK)
      total.wrong++;
    keys[i].checksum = reply_checksum(&reply);
    keys[i].upstream = 1;
    total.live++;
    curl_easy_cleanup(handle);
    free(reply.bytes);
  }
}

static unsigned check_keys(void)
{
  unsigned disturbed = 0, known = atomic_load(&key_count);

  for (unsigned i = 0; i < known && i < KEYS_MOST; i++) {
    unsigned most = 1, least = i >= STORED_KEYS && i % 16 == 0 ? 0 : 1;
    unsigned fails = i >= STORED_KEYS && i % 16 == 0;
    if (i >= STORED_KEYS && keys[i].disturbed) {
      disturbed++;
    } else if (keys[i].upstream > most || keys[i].upstream < least || keys[i].failed != fails) {
      fprintf(stderr, "multi_stress: key %u: %u calls, upstream %u times, failed %u times\n", i,
              keys[i].calls, keys[i].upstream, keys[i].failed);
      total.wrong++;
    }
  }
  return disturbed;
}

static void allow_many_descriptors(void)
{
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

int main(int argc, char **argv)
{
  static struct thread threads[THREADS];
  unsigned handles = argc == 5 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, disturbed;

  if (handles < THREADS) {
    fprintf(stderr, "usage: multi_stress URL HANDLES SECONDS SEED\n");
    return 2;
  }
  url = argv[1];
  allow_many_descriptors();
  curl_global_init(CURL_GLOBAL_ALL);
  quick = curl_slist_append(NULL, "X-Mock: chunk=200");
  slow = curl_slist_append(NULL, "X-Mock: chunk=200,latency_ms=50");
  failing = curl_slist_append(NULL, "X-Mock: fail_first=1:500,latency_ms=20");
  make_stored_keys();
  end_ms = loop_now_ms() + atol(argv[3]) * 1000;
  for (unsigned n = 0; n < THREADS; n++)
    if (!start(&threads[n], n, handles / THREADS, (unsigned)strtoul(argv[4], NULL, 10)))
      return 3;
  for (unsigned n = 0; n < THREADS; n++) {
    pthread_join(threads[n].id, NULL);
    free(threads[n].slots);
  }
  disturbed = check_keys();
#define X(name) printf(#name "=%u ", total.name);
  COUNTS(X)
#undef X
  printf("keys=%u disturbed=%u\n", key_count, disturbed);
  curl_slist_free_all(quick);
  curl_slist_free_all(slow);
  curl_slist_free_all(failing);
  curl_global_cleanup();
  return total.lost || total.twice || total.wrong;
}
