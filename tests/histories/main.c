/* SPDX-License-Identifier: MIT */
/*
 * histories DIR SEED COUNT [FAULT]
 *
 * COUNT times: some processes ask for two keys of a store, send, fail, store, expire and remove, and are
 * killed at random; what they did is checked against a model (check.c). The store itself is the real one, in
 * DIR. With FAULT one of the faults below is planted between the store and those who use it, and the model
 * must find it: exits 0 when it did.
 */
#include "store/base/clock.h"
#include "store/store.h"
#include "tests/histories/history.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 3, CALLS = 5, PATIENCE_MS = 60000 };

static const char *const faults[] = {"none", "foreign", "removed",   "expired",  "second",
                                     "paid", "beside",  "undoubted", "upstream", "failed",
                                     "lost", "again",   "stuck",     "vanished"};
enum {
  NONE,
  FOREIGN,
  REMOVED_ONE,
  EXPIRED,
  SECOND,
  PAID,
  BESIDE,
  UNDOUBTED,
  UPSTREAM,
  FAILED_ONE,
  LOST,
  AGAIN,
  STUCK_ONE,
  VANISHED,
  FAULTS
};

#define SPAN(text) ((struct idem_span){(text), strlen(text)})

static struct shared {
  struct history history;
  _Atomic int next_call, next_value, next_process;
} * shared;

static const char *dir, *rules;
static unsigned long number; /* of the history: its keys are its own */
static int fault;
static struct idem_config config;
static struct idem_store *store;
static unsigned random_state;
static int self;

/* What a planted fault remembers. */
static int seen[KEYS], last_failed[KEYS];

static unsigned chance(unsigned of)
{
  return (unsigned)rand_r(&random_state) % of;
}

static void pause_us(unsigned us)
{
  nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static void tell(struct event event)
{
  event.process = self;
  event.at_us = clock_now_us();
  note(&shared->history, event);
}

static char *get_variable(const char *name)
{
  if (strcmp(name, "IDEMSHIM_RULES") == 0)
    return (char *)(uintptr_t)rules;
  if (strcmp(name, "IDEMSHIM_CONFIG") == 0)
    return (char *)(uintptr_t) "none";
  return strcmp(name, "HOME") == 0 ? (char *)(uintptr_t) "/nonexistent" : NULL;
}

static void open_store(void)
{
  struct idem_error error = {""};
  struct idem_store_options options = {.dir = dir, .size = UINT64_C(1) << 30, .patience_ms = PATIENCE_MS};
  if (idem_config_load(&config, get_variable, &error) < 0 || idem_store_open(&store, &options, &error) < 0) {
    fprintf(stderr, "histories: %s\n", error.text);
    _exit(3);
  }
}

static uint64_t number_of(const char *upstream_key)
{
  uint64_t hash = 14695981039346656037u;
  while (*upstream_key)
    hash = (hash ^ (unsigned char)*upstream_key++) * 1099511628211u;
  return hash;
}

/* A call that is ours goes out, and comes to something or not. */
static void send_it(struct idem_call *call, const struct idem_request *request, struct event event)
{
  char body[64], headers[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  struct idem_error error = {""};
  bool ours = call->priv.claim_fd != -1 || fault == NONE, fails = chance(8) == 0;
  event.value = atomic_fetch_add(&shared->next_value, 1) + 1;
  if (ours && idem_store_sent(store, call, &error) < 0)
    return;
  event.kind = SENT;
  event.resent = call->resent && fault != UNDOUBTED;
  event.upstream = number_of(call->upstream_key) + (fault == UPSTREAM ? (uint64_t)event.value : 0);
  tell(event);
  pause_us(chance(3000));
  snprintf(body, sizeof body, "{\"v\":%d}", event.value);
  struct idem_chunk chunk = {(uint32_t)strlen(body), 1};
  struct idem_recording recording = {.status = fails ? 500 : 200,
                                     .started_us = clock_now_us(),
                                     .headers = fails ? SPAN("HTTP/1.1 500 No\r\n\r\n") : SPAN(headers),
                                     .body = SPAN(body),
                                     .chunks = &chunk,
                                     .chunk_count = 1,
                                     .framed = true,
                                     .delivered = true};
  event.kind = fails ? FAILED : COMMITTING;
  tell(event);
  if (fails)
    last_failed[event.key] = event.value;
  int rc =
      fault == LOST && !fails ? IDEM_STORED : idem_store_commit(store, call, request, &recording, &error);
  if (rc == IDEM_STORED) {
    event.kind = STORED;
    tell(event);
  }
  seen[event.key] = fails ? seen[event.key] : event.value;
}

/* What the planted faults make of an answer of the store. */
static int spoil(int key, int value)
{
  return fault == FOREIGN && seen[!key]                            ? seen[!key]
         : (fault == REMOVED_ONE || fault == EXPIRED) && seen[key] ? seen[key]
         : fault == SECOND                                         ? atomic_load(&shared->next_value)
         : fault == FAILED_ONE && last_failed[key]                 ? last_failed[key]
                                                                   : value;
}

/* `body` is the caller's, and has to last as long as what is returned. */
static struct idem_request request_of(int key, char body[64])
{
  static const char type[] = "Content-Type: application/json";
  static struct idem_span header = {type, sizeof type - 1};
  snprintf(body, 64, "{\"history\":%lu,\"key\":%d}", number, key);
  return (struct idem_request){.rule = config.rules,
                               .method = SPAN("POST"),
                               .origin = SPAN("https://api.example.com:443"),
                               .path = SPAN("/v1/chat/completions"),
                               .headers = &header,
                               .header_count = 1,
                               .body = SPAN(body)};
}

static void remove_one(int key, bool secretly)
{
  char body[64];
  struct idem_error error = {""};
  struct idem_call call = IDEM_CALL_INIT;
  struct idem_request request = request_of(key, body);
  call.defers = true;
  int verdict = idem_store_enter(store, &request, &call, &error);
  if (verdict < 0)
    return;
  idem_store_leave(store, &call, true);
  if (!secretly)
    tell((struct event){.kind = REMOVING, .key = key});
  idem_store_remove(store, call.id, &error);
  if (!secretly)
    tell((struct event){.kind = REMOVED, .key = key});
}

static void ask(int key, bool last)
{
  char body[64];
  struct idem_error error = {""};
  struct event event = {.call = atomic_fetch_add(&shared->next_call, 1) + 1, .key = key};
  struct idem_request request = request_of(key, body);
  struct idem_call call = IDEM_CALL_INIT;
  int verdict;
  call.defers = true;
  if (!last)
    tell(event);
  else if (fault == VANISHED)
    remove_one(key, true);
  while ((verdict = idem_store_enter(store, &request, &call, &error)) == IDEM_BUSY && fault != BESIDE) {
    idem_store_wait(store, &call, 50);
    idem_store_leave(store, &call, false);
  }
  if (verdict < 0) {
    fprintf(stderr, "histories: %s\n", error.text);
    _exit(4);
  }
  if (last) {
    event.kind = FOUND;
    event.value = verdict == IDEM_HIT ? atoi(call.answer.body.data + 5) : 0;
    tell(event);
  } else if (verdict == IDEM_HIT && fault != PAID) {
    event.kind = GIVEN;
    event.value = spoil(key, atoi(call.answer.body.data + 5));
    seen[key] = atoi(call.answer.body.data + 5);
    tell(event);
  } else if (verdict == IDEM_IN_DOUBT && fault != AGAIN) {
    event.kind = REFUSED;
    tell(event);
  } else if (fault == STUCK_ONE && chance(4) == 0) {
    for (;;)
      pause();
  } else {
    send_it(&call, &request, event);
  }
  event.kind = LEAVING;
  if (!last)
    tell(event);
  idem_store_leave(store, &call, true);
}

static pid_t start(unsigned seed, bool last, int *process)
{
  *process = atomic_fetch_add(&shared->next_process, 1) + 1;
  pid_t pid = fork();
  if (pid)
    return pid;
  self = *process;
  random_state = seed;
  open_store();
  for (int i = 0; i < (last ? KEYS : CALLS); i++) {
    if (!last && fault != EXPIRED && chance(9) == 0)
      remove_one((int)chance(KEYS), false);
    ask(last ? i : (int)chance(KEYS), last);
    pause_us(last ? 0 : chance(2000));
  }
  idem_store_close(store);
  _exit(0);
}

/* False: it did not end, and was made to. */
static bool wait_for(pid_t pid, int process, bool *failed)
{
  int status = 0;
  struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
  bool ended = poll(&end, 1, fault == STUCK_ONE ? 2000 : PATIENCE_MS) > 0;
  close(end.fd);
  if (!ended) {
    self = process;
    tell((struct event){.kind = STUCK});
    kill(pid, SIGKILL);
  }
  waitpid(pid, &status, 0);
  *failed |= ended && !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
             !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return ended;
}

/* NULL: nothing is wrong with it. */
static const char *run_one(unsigned long seed)
{
  pid_t pid[PROCESSES + 1];
  int process[PROCESSES + 1], last;
  bool failed = false;
  random_state = (unsigned)(seed * 2654435761u) | 1;
  number = seed;
  memset(&shared->history, 0, sizeof shared->history);
  shared->next_call = shared->next_value = shared->next_process = 0;
  bool expires = fault == EXPIRED || (fault == NONE && chance(4) == 0);
  shared->history.at_most_once = fault == AGAIN || (!expires && fault == NONE && chance(4) == 0);
  shared->history.ttl_us = expires ? 5000 : 0;
  rules = expires ? "host=* ttl=5ms" : shared->history.at_most_once ? "host=* indoubt=fail" : "host=*";
  for (int i = 0; i < PROCESSES; i++)
    pid[i] = start((unsigned)rand_r(&random_state), false, &process[i]);
  pid[PROCESSES] = 0;
  if (chance(2) || fault == UNDOUBTED || fault == UPSTREAM || fault == AGAIN) {
    unsigned which = chance(PROCESSES);
    pause_us(2000 + chance(10000));
    self = process[which];
    tell((struct event){.kind = KILLING});
    kill(pid[which], SIGKILL);
    pid[PROCESSES] = start((unsigned)rand_r(&random_state), false, &process[PROCESSES]);
  }
  for (int i = 0; i <= PROCESSES; i++)
    if (pid[i])
      wait_for(pid[i], process[i], &failed);
  pid_t judge = start(1, true, &last);
  wait_for(judge, last, &failed);
  if (failed)
    return "a process has failed";
  return history_check(&shared->history);
}

int main(int argc, char **argv)
{
  unsigned long seed = argc > 3 ? strtoul(argv[2], NULL, 10) : 0,
                most = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
  unsigned long events = 0, wrong = 0, done = 0;
  for (fault = FAULTS - 1; fault > NONE && (argc < 5 || strcmp(argv[4], faults[fault]) != 0);)
    fault--;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (argc < 4 || shared == MAP_FAILED || (argc > 4 && fault == NONE)) {
    fprintf(stderr, "usage: histories DIR SEED COUNT [FAULT]; faults:");
    for (int i = 1; i < FAULTS; i++)
      fprintf(stderr, " %s", faults[i]);
    fprintf(stderr, "\n");
    return 2;
  }
  dir = argv[1];
  for (; done < most && !(fault && wrong); done++) {
    const char *what = run_one(seed + done);
    events += (unsigned long)shared->history.count;
    if (!what)
      continue;
    wrong++;
    printf("history %lu: %s\n", seed + done, what);
    if (!fault)
      history_print(&shared->history);
  }
  if (fault)
    printf("%s: %s after %lu histories\n", faults[fault], wrong ? "found" : "NOT FOUND", done);
  else
    printf("counted: histories=%lu events=%lu wrong=%lu\n", done, events, wrong);
  return fault ? !wrong : wrong > 0;
}
