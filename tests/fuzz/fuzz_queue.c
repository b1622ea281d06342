/* SPDX-License-Identifier: MIT */
/*
 * Any bytes in the queue of writes, which whoever may write the store may write, too: in slots of the shared
 * page, and in the spill file that they point to. The input is a list of steps, of a byte each with what it
 * needs behind it. An answer that is given is the one that was stored; nothing waits without end.
 */
#include "store/records/batch.h"
#include "store/state/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a store has is in pages of its own, in which nobody looks for what is still in use. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
  return "detect_leaks=0";
}

static char dir[] = "/tmp/idemshim-fuzz.XXXXXX";
static struct idem_config config;
static struct idem_error error;
static struct idem_store *store;
static struct commit_queue pristine;
static const uint8_t *at;
static size_t left;
static unsigned long last; /* answers have numbers, and none is used in two inputs */

static void require(bool holds)
{
  if (!holds)
    abort();
}

static char *get_variable(const char *name)
{
  static char rule[] = "host=*", none[] = "none", home[] = "/nonexistent";
  return strcmp(name, "IDEMSHIM_RULES") == 0    ? rule
         : strcmp(name, "IDEMSHIM_CONFIG") == 0 ? none
         : strcmp(name, "HOME") == 0            ? home
                                                : NULL;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
  (void)info, (void)kind, (void)walk;
  return remove(path);
}

static void clean_up(void)
{
  nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool answer_is(struct idem_span body, unsigned long number)
{
  char expected[64];
  snprintf(expected, sizeof(expected), "{\"answer\":%lu}", number);
  return body.len == strlen(expected) && memcmp(body.data, expected, body.len) == 0;
}

/* A call: it has its answer, or is made and stored. */
static void ask(unsigned long number)
{
  static struct idem_span lines[] = {{"Content-Type: application/json", 30}};
  static char headers[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  char body[64], answer[64];
  snprintf(body, sizeof(body), "{\"n\":%lu}", number);
  int len = snprintf(answer, sizeof(answer), "{\"answer\":%lu}", number);
  struct idem_request request = {.method = {"POST", 4},
                                 .origin = {"http://127.0.0.1:80", 19},
                                 .path = {"/v1/chat", 8},
                                 .shape = {"", 0},
                                 .headers = lines,
                                 .header_count = 1,
                                 .body = {body, strlen(body)},
                                 .rule = config.rules};
  struct idem_call call = IDEM_CALL_INIT;
  struct idem_chunk chunk = {(uint64_t)len, 1};
  struct idem_recording recording = {.status = 200,
                                     .started_us = 1,
                                     .headers = {headers, sizeof(headers) - 1},
                                     .body = {answer, (size_t)len},
                                     .facts = {"facts", 5},
                                     .chunks = &chunk,
                                     .chunk_count = 1,
                                     .framed = true,
                                     .delivered = true};
  int verdict = idem_store_enter(store, &request, &call, &error);
  if (verdict == IDEM_HIT)
    require(answer_is(call.answer.body, number));
  if (verdict == IDEM_OWNED)
    idem_store_commit(store, &call, &request, &recording, &error);
  if (verdict >= 0)
    idem_store_leave(store, &call, true);
}

static int look(void *arg, const struct idem_answer *answer)
{
  unsigned *most = arg;
  unsigned long number = 0;
  char text[64];
  snprintf(text, sizeof(text), "%.*s", (int)(answer->body.len < 63 ? answer->body.len : 63),
           answer->body.data);
  require(sscanf(text, "{\"answer\":%lu}", &number) == 1 && answer_is(answer->body, number));
  return (*most)-- == 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  struct idem_store_options options = {.dir = dir, .size = 4 << 20};
  (void)argc, (void)argv;
  require(mkdtemp(dir) && idem_config_load(&config, get_variable, &error) == 0);
  atexit(clean_up);
  require(idem_store_open(&store, &options, &error) == 0);
  store->leave_us = INT64_MAX;
  ask(0);
  pristine = store->stats->queue;
  return 0;
}

static uint8_t byte(void)
{
  return left ? left--, *at++ : 0;
}

/* The n-th slot that is in use; any, if there are fewer. */
static struct queue_slot *slot_in_use(unsigned n)
{
  struct queue_slot *slots = store->stats->queue.slot;
  for (unsigned i = 0; i < QUEUE_SLOTS; i++)
    if (queue_waits(&slots[i]) && n-- == 0)
      return &slots[i];
  return &slots[n % QUEUE_SLOTS];
}

static void change_slot(void)
{
  uint8_t *bytes = (uint8_t *)slot_in_use(byte() & 3);
  size_t place = (size_t)(byte() | byte() << 8) % sizeof(struct queue_slot);
  for (int width = 1 << (byte() & 3); width && place < sizeof(struct queue_slot); width--)
    bytes[place++] = byte();
}

/* Each file of queue/, at the place of a slot. */
static void change_spill(void)
{
  const struct queue_slot *slot = slot_in_use(byte() & 3);
  off_t place = (off_t)(slot - store->stats->queue.slot) * SPILL_PLACE + (byte() | (byte() & 3) << 8);
  uint8_t value[2] = {byte(), byte()};
  char path[sizeof(dir) + 300];
  snprintf(path, sizeof(path), "%s/queue", dir);
  DIR *queue = opendir(path);
  for (struct dirent *entry; queue && (entry = readdir(queue));) {
    snprintf(path, sizeof(path), "%s/queue/%s", dir, entry->d_name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && pwrite(fd, value, sizeof(value), place) < 0)
      require(errno != EBADF);
    if (fd >= 0)
      close(fd);
  }
  if (queue)
    closedir(queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  unsigned long first = last + 1, most = 16;
  at = data, left = size;
  for (unsigned steps = 0; left && steps < 64; steps++)
    switch (byte() % 8) {
    case 0:
    case 1:
      if (last < first + most)
        ask(++last);
      break;
    case 2:
    case 3:
      change_slot();
      break;
    case 4:
      change_spill();
      break;
    case 5:
      ask(last > first ? first + byte() % (last - first + 1) : first);
      break;
    case 6:
      idem_store_each(store, IDEM_NEWEST_FIRST, look, &(unsigned){20}, &error);
      break;
    default:
      batch_write_left(store);
    }
  batch_flush(store);
  for (unsigned long number = first; number <= last; number++)
    ask(number);
  store->stats->queue = pristine;
  last++;
  return 0;
}
