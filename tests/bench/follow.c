/* SPDX-License-Identifier: MIT */
/*
 * follow UPSTREAM thread|process|forked|copy COUNT: one call is made by an owner, and ten milliseconds later
 * by a follower.
 *
 *   wake   from the return of the owner's call, which is after its commit, to that of the follower's; under `copy`
 *          from the upstream's first byte, for nobody sees the copy's commit
 *   owner  from the upstream's first byte to the return of the owner's call
 *
 * The owner is a thread of the follower's process; another process; a process that was forked for this call;
 * or the copy that finishes a call whose app has given up after 30 ms. The upstream takes 60.
 */
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOLLOWS_US = 10000, GIVES_UP_MS = 30 };
static const char query[] = "size=2048&wait_ms=60";

struct owner {
  const char *origin;
  struct calls *calls; /* NULL: it makes its own */
  uint64_t number;
  bool gives_up;
  int64_t ended_ns;
};

static void *own(void *arg)
{
  struct owner *owner = arg;
  if (!owner->calls)
    owner->calls = calls_open(owner->origin, query, 1, CALLS_COMMON);
  if (owner->gives_up)
    curl_easy_setopt(owner->calls->handle, CURLOPT_TIMEOUT_MS, (long)GIVES_UP_MS);
  CURLcode code = calls_perform(owner->calls, owner->number);
  owner->ended_ns = clock_ns();
  must(code == (owner->gives_up ? CURLE_OPERATION_TIMEDOUT : CURLE_OK), "the owner's call");
  return NULL;
}

/* Makes each call whose number comes, and says when it has ended. */
static void serve_owner(struct owner *owner, int from, int to)
{
  while (read(from, &owner->number, sizeof(owner->number)) == sizeof(owner->number)) {
    own(owner);
    must(write(to, &owner->ended_ns, sizeof(owner->ended_ns)) == sizeof(owner->ended_ns), "writing");
  }
  _exit(0);
}

struct process {
  pid_t pid;
  int to, from;
};

/* Processes are forked before their parent has used libcurl, as a server forks its workers. */
static struct process start(struct owner *owner)
{
  int there[2], back[2];
  must(pipe(there) == 0 && pipe(back) == 0, "a pipe");
  struct process process = {fork(), there[1], back[0]};
  must(process.pid >= 0, "fork");
  if (process.pid == 0) {
    close(there[1]);
    close(back[0]);
    serve_owner(owner, there[0], back[1]);
  }
  close(there[0]);
  close(back[1]);
  return process;
}

static void stop(struct process process)
{
  close(process.to);
  close(process.from);
  waitpid(process.pid, NULL, 0);
}

static int64_t sent_at(const struct calls *calls)
{
  const char *at = strstr(calls->sink, "\"sent\":");
  must(at != NULL, "the time in an answer");
  return strtoll(at + 7, NULL, 10);
}

int bench_follow(char **arguments)
{
  const char *kind = arguments[1];
  unsigned count = share_of((unsigned)strtoul(arguments[2], NULL, 10));
  bool thread = strcmp(kind, "thread") == 0, forked = strcmp(kind, "forked") == 0,
       copy = strcmp(kind, "copy") == 0;
  uint64_t number = request_fresh();
  struct owner owner = {.origin = arguments[0], .gives_up = copy};
  struct process process = {0};
  double *wake = calloc(count, sizeof(*wake)), *owned = calloc(count, sizeof(*owned));
  if (!thread && !forked)
    process = start(&owner);
  struct calls *follower = calls_open(arguments[0], query, 1, CALLS_COMMON);
  must(wake && owned && calls_perform(follower, number++) == CURLE_OK, "the first call");
  for (unsigned i = 0; i < count; i++, number++) {
    pthread_t made;
    owner.number = number;
    if (forked)
      process = start(&owner);
    if (thread)
      must(pthread_create(&made, NULL, own, &owner) == 0, "a thread");
    else
      must(write(process.to, &number, sizeof(number)) == sizeof(number), "writing");
    usleep(FOLLOWS_US);
    must(calls_perform(follower, number) == CURLE_OK, "the follower's call");
    int64_t ended_ns = clock_ns();
    if (thread)
      pthread_join(made, NULL);
    else
      must(read(process.from, &owner.ended_ns, sizeof(owner.ended_ns)) == sizeof(owner.ended_ns), "reading");
    wake[i] = (double)(ended_ns - (copy ? sent_at(follower) : owner.ended_ns));
    owned[i] = (double)(owner.ended_ns - sent_at(follower));
    if (forked)
      stop(process);
  }
  print_figure("wake", median_of(wake, count));
  if (!copy)
    print_figure("owner", median_of(owned, count));
  return 0;
}
