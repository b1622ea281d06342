/* SPDX-License-Identifier: MIT */
/* SIGKILL of a call's owner and of its finisher at random moments. IDEM_MOMENTS says at how many (12). One
 * call in ten is made on a connection that has been used before and is reset when the request has been read,
 * so that libcurl sends it again by itself. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned seed;

static void set_up(void)
{
  open_world();
  mock_default(&w, "reset=reused");
  seed = (unsigned)time(NULL) ^ (unsigned)getpid();
}

TestSuite(rescue_kill, .init = set_up, .fini = close_world, .timeout = 900);

static int moments(void)
{
  const char *text = getenv("IDEM_MOMENTS");
  return text && atoi(text) > 2 ? atoi(text) : 12;
}

static void pass_ms(long ms)
{
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* The copies that are children of ours by now. */
static void kill_finishers(void)
{
  char path[64], name[64];
  int pid;
  snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
  FILE *children = fopen(path, "r");
  while (children && fscanf(children, "%d", &pid) == 1) {
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    FILE *comm = fopen(path, "r");
    /* It is waited for: who comes next must not follow one that is about to die. */
    if (comm && fgets(name, sizeof(name), comm) && strncmp(name, "idemshim-rescue", 15) == 0 &&
        kill(pid, SIGKILL) == 0)
      waitpid(pid, NULL, 0);
    if (comm)
      fclose(comm);
  }
  if (children)
    fclose(children);
}

/* The program that makes the call, and how many other calls such programs have made before it. */
static int warmed;

static struct run start_owner(const char *url, const char *body, int i)
{
  if (i % 10 != 2)
    return start_shim(&w, "curl", "-sS", "--max-time", "0.1", "-d", body, url, NULL);
  warmed++;
  return start_shim(&w, "curl", "-sS", "-d", world_text(&w, "{\"warm\":%d}", i),
                    world_url(&w, "/v1/chat/completions"), "--next", "-sS", "--max-time", "0.1", "-d", body,
                    url, NULL);
}

/* One call that times out after 100 ms and would be answered after 200 ms. Owner, finisher or both are killed
 * on the way. */
static void disturb(const char *url, const char *body, int i)
{
  struct run owner = start_owner(url, body, i);
  int victim = rand_r(&seed) % 3;
  pass_ms(rand_r(&seed) % 230);
  if (victim != 1)
    run_signal(&owner, SIGKILL);
  if (victim != 0)
    kill_finishers();
  run_wait(&owner);
  run_release(&owner);
}

/* The same call that nobody disturbs, which must be rescued; and one whose owner and copy die for certain
 * once its request is upstream. Without them, a run of the random ones may meet no moment that matters. */
static void leave_alone(const char *url, const char *body)
{
  int rescued = log_events(&w, "rescued");
  struct run owner = run_shim(&w, "curl", "-sS", "--max-time", "1", "-d", body, url, NULL);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "rescued"), rescued + 1);
  run_release(&owner);
}

static void kill_all(const char *url, const char *body)
{
  long before = mock_count(&w).requests;
  struct run owner = start_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  wait_until(mock_count(&w).requests > before);
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  kill_finishers();
  wait_until(world_orphans(&w) == 0);
  run_release(&owner);
}

static const char stream_url[] = "/v1/chat/completions?mock=latency_ms%3D150,events%3D20,chunk_delay_ms%3D2";
/* Of a call whose request is upstream for certain when its program gives it up. */
static const char slow_url[] = "/v1/chat/completions?mock=latency_ms%3D3000,events%3D20";

/* The same, whole, twice. */
static void expect_answer(const char *url, const char *body)
{
  struct run first = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  struct run second = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
  expect_success(&first);
  expect_same_output(&first, &second);
  cr_expect(strstr(first.out, "[DONE]"), "%s", first.out);
  run_release(&first);
  run_release(&second);
}

Test(rescue_kill, no_moment_tears_an_answer_or_holds_a_key)
{
  int count = moments();
  char url[256], body[128];
  for (int i = 0; i < count; i++) {
    snprintf(url, sizeof(url), "%s,honour_key%%3D1", world_url(&w, i == 0 ? slow_url : stream_url));
    snprintf(body, sizeof(body), "{\"stream\":true,\"messages\":[],\"n\":%d}", i);
    if (i == 0)
      leave_alone(url, body);
    else
      disturb(url, body, i);
    expect_answer(url, body);
  }
  wait_until(world_orphans(&w) == 0);
  struct mock_counts counts = mock_count(&w);
  int doubts = log_events(&w, "in_doubt");
  int resends = log_events(&w, "resent_by_libcurl"), calls = count + warmed;
  cr_log_info("%d moments (seed %u): %ld requests, %d in doubt, %d sent again by libcurl, %d rescued", count,
              seed, counts.requests, doubts, resends, log_events(&w, "rescued"));
  if (libcurl_version() >= 0x075000) /* an older one does not tell of those */
    cr_expect_leq(counts.requests, calls + doubts + resends);
  cr_expect_leq(counts.work, calls, "work was done %ld times for %d keys", counts.work, calls);
  cr_expect_geq(counts.work, count);
}

Test(rescue_kill, at_most_once_means_that_at_every_moment)
{
  int count = moments(), refused = 0;
  char url[256], body[128];
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  for (int i = 0; i < count; i++) {
    snprintf(url, sizeof(url), "%s", world_url(&w, i < 2 ? slow_url : stream_url));
    snprintf(body, sizeof(body), "{\"stream\":true,\"messages\":[],\"n\":%d}", i);
    if (i == 0)
      leave_alone(url, body);
    else if (i == 1)
      kill_all(url, body);
    else
      disturb(url, body, i);
    struct run run = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
    expect_success(&run);
    bool is_refused = strstr(run.out, "The outcome of an earlier request is unknown") != NULL;
    cr_expect(is_refused || strstr(run.out, "[DONE]"), "%s", run.out);
    refused += is_refused;
    cr_expect(i != 0 || !is_refused, "what was rescued is refused");
    cr_expect(i != 1 || is_refused, "what was sent, and killed, is sent again");
    run_release(&run);
    cr_expect_leq(mock_count(&w).requests, i + 1 + warmed);
  }
  cr_log_info("%d moments: %d refused, %d rescued", count, refused, log_events(&w, "rescued"));
}

/* A part, with an error; or the whole. */
static void expect_part_or_whole(struct run *follower, const struct run *whole)
{
  run_wait(follower);
  cr_expect(follower->status == 0 || follower->status == 56, "%d: %s", follower->status, follower->err);
  cr_assert_leq(follower->out_len, whole->out_len);
  expect_same_bytes("what the follower got", whole->out, follower->out_len, follower->out, follower->out_len);
  /* The exit status of curl 7.74 -Z is 0 all the same. */
  cr_expect(follower->status || strstr(follower->err, "curl: (56)") || follower->out_len == whole->out_len,
            "half an answer passes for a whole one");
}

Test(rescue_kill, a_follower_of_a_killed_owner_has_a_part_or_the_whole)
{
  static const char *const ways[] = {"-N", "-Z"};
  int count = moments(), parts = 0;
  char url[256], body[128];
  snprintf(url, sizeof(url), "%s,honour_key%%3D1", world_url(&w, stream_url));
  for (int i = 0; i < count; i++) {
    snprintf(body, sizeof(body), "{\"stream\":true,\"messages\":[],\"n\":%d}", i);
    struct run owner = start_shim(&w, "curl", "-sSN", "-d", body, url, NULL), followers[2];
    for (int j = 0; j < 2; j++)
      followers[j] = start_shim(&w, "curl", "-sSN", ways[j], "-d", body, url, NULL);
    pass_ms(140 + rand_r(&seed) % 80);
    run_signal(&owner, SIGKILL);
    for (int j = 0; j < 2; j++)
      run_wait(&followers[j]);
    struct run whole = run_shim(&w, "curl", "-sSN", "-d", body, url, NULL);
    expect_success(&whole);
    cr_expect(strstr(whole.out, "[DONE]"), "%s", whole.out);
    for (int j = 0; j < 2; j++) {
      expect_part_or_whole(&followers[j], &whole);
      parts += followers[j].status != 0;
      run_release(&followers[j]);
    }
    run_wait(&owner);
    run_release(&owner);
    run_release(&whole);
  }
  struct mock_counts counts = mock_count(&w);
  int doubts = log_events(&w, "in_doubt");
  cr_log_info("%d moments (seed %u): %ld requests, %d in doubt, %d followers with a part", count, seed,
              counts.requests, doubts, parts);
  cr_expect_leq(counts.requests, count + doubts);
  cr_expect_eq(counts.work, count);
}
