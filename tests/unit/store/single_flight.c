/* SPDX-License-Identifier: MIT */
/* One call upstream, however many ask, in threads and in processes, and whoever dies. */
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, PROCESSES = 8, KEYS = 20 };

/* What all processes of a test see. */
static struct shared {
  _Atomic int sent, got, resent, ready;
  _Atomic int64_t killed_us;
  char upstream_key[37];
} * shared;

static void open_shared(void)
{
  open_fixture();
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

TestSuite(store_flight, .init = open_shared, .fini = close_fixture, .timeout = 60);

static int64_t now_us(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void *ask_for_each_key(void *unused)
{
  (void)unused;
  for (int i = 0; i < KEYS; i++) {
    char body[32], answer[32];
    snprintf(body, sizeof(body), "{\"key\":%d}", i);
    snprintf(answer, sizeof(answer), "{\"answer\":%d}", i);
    struct caller caller = caller_of(&fixture, body);
    int verdict = caller_ask(&caller, answer);
    if (verdict == IDEM_OWNED)
      atomic_fetch_add(&shared->sent, 1);
    if (verdict == IDEM_OWNED || strcmp(caller.body, answer) == 0)
      atomic_fetch_add(&shared->got, 1);
  }
  return NULL;
}

static void run_threads(void)
{
  pthread_t thread[THREADS];
  for (int i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, ask_for_each_key, NULL);
  for (int i = 0; i < THREADS; i++)
    pthread_join(thread[i], NULL);
}

Test(store_flight, threads_share_one_call_for_each_key)
{
  run_threads();
  cr_expect_eq(shared->sent, KEYS);
  cr_expect_eq(shared->got, KEYS * THREADS);
}

Test(store_flight, forked_processes_with_threads_share_one_call_for_each_key)
{
  for (int i = 0; i < PROCESSES; i++)
    if (fork() == 0) {
      run_threads();
      _exit(0);
    }
  int status, failed = 0;
  while (wait(&status) > 0)
    failed += status != 0;
  cr_expect_eq(failed, 0);
  cr_expect_eq(shared->sent, KEYS);
  cr_expect_eq(shared->got, KEYS * THREADS * PROCESSES);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_stored), KEYS);
}

/* Follows until the call is its own or answered. */
static void follow(void)
{
  struct caller caller = caller_of(&fixture, "{}");
  int verdict;
  while ((verdict = caller_enter(&caller)) == IDEM_BUSY) {
    atomic_fetch_add(&shared->ready, 1);
    idem_store_wait(fixture.store, &caller.call, 5000);
    caller_leave(&caller, false);
  }
  if (verdict == IDEM_OWNED) {
    int64_t took = now_us() - atomic_load(&shared->killed_us);
    if (took > 200000)
      _exit(2);
    if (caller.call.resent && strcmp(caller.call.upstream_key, shared->upstream_key) == 0)
      atomic_fetch_add(&shared->resent, 1);
    atomic_fetch_add(&shared->sent, 1);
    caller_commit(&caller, "{}");
  }
  if (verdict == IDEM_HIT)
    atomic_fetch_add(&shared->got, 1);
  caller_leave(&caller, true);
  _exit(0);
}

Test(store_flight, when_the_owner_is_killed_exactly_one_takes_over_at_once)
{
  pid_t owner = fork();
  if (owner == 0) {
    struct caller caller = caller_of(&fixture, "{}");
    caller_enter(&caller);
    memcpy(shared->upstream_key, caller.call.upstream_key, 37);
    atomic_store(&shared->sent, -1);
    for (;;)
      pause();
  }
  while (atomic_load(&shared->sent) == 0)
    usleep(100);
  atomic_store(&shared->sent, 0);
  for (int i = 0; i < PROCESSES; i++)
    if (fork() == 0)
      follow();
  while (atomic_load(&shared->ready) < PROCESSES)
    usleep(100);
  atomic_store(&shared->killed_us, now_us());
  kill(owner, SIGKILL);
  int status, failed = 0, crashed = 0;
  for (pid_t child; (child = wait(&status)) > 0;) {
    failed += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    crashed += WIFSIGNALED(status) && child != owner;
  }
  cr_expect_eq(failed, 0, "took longer than 200 ms");
  cr_expect_eq(crashed, 0);
  cr_expect_eq(shared->sent, 1);
  cr_expect_eq(shared->resent, 1);
  cr_expect_eq(shared->got, PROCESSES - 1);
}

Test(store_flight, a_child_does_not_hold_its_parents_claim)
{
  struct caller owner = caller_of(&fixture, "{}"), next = owner;
  int pipes[2];
  char byte;

  cr_assert_eq(pipe(pipes), 0);
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  pid_t child = fork();
  if (child == 0) {
    close(pipes[1]);
    _exit(read(pipes[0], &byte, 1) != 0);
  }
  caller_leave(&owner, false);
  cr_expect_eq(caller_enter(&next), IDEM_OWNED);
  caller_leave(&next, false);
  close(pipes[1]);
  waitpid(child, NULL, 0);
}

Test(store_flight, a_child_that_leaves_its_parents_call_does_not_end_it)
{
  struct caller owner = caller_of(&fixture, "{}");
  int status;

  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  if (fork() == 0) {
    int rc = caller_commit(&owner, "{\"child\":1}");
    caller_leave(&owner, true);
    struct caller mine = caller_of(&fixture, "{}");
    _exit(rc != IDEM_SUPERSEDED || caller_enter(&mine) != IDEM_BUSY);
  }
  wait(&status);
  cr_expect_eq(status, 0);
  cr_assert_eq(caller_commit(&owner, "{\"parent\":1}"), IDEM_STORED);
  caller_leave(&owner, true);
  cr_assert_eq(caller_ask(&owner, ""), IDEM_HIT);
  cr_expect_str_eq(owner.body, "{\"parent\":1}");
}

Test(store_flight, a_child_reads_on_what_its_parent_had_pinned)
{
  struct caller caller = caller_of(&fixture, "{}");
  int status;

  caller_ask(&caller, "{\"a\":1}");
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  cr_assert_eq(caller_enter(&caller), IDEM_HIT);
  if (fork() == 0) {
    bool same = memcmp(caller.call.answer.body.data, "{\"a\":1}", 7) == 0;
    caller_leave(&caller, true);
    struct caller mine = caller_of(&fixture, "{}");
    bool hit = caller_ask(&mine, "") == IDEM_HIT;
    idem_store_close(fixture.store);
    _exit(!same || !hit);
  }
  wait(&status);
  cr_expect_eq(status, 0);
  cr_expect_eq(memcmp(caller.call.answer.body.data, "{\"a\":1}", 7), 0);
  caller_leave(&caller, true);
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
}

static void *hit_often(void *unused)
{
  (void)unused;
  for (int i = 0; i < 200; i++) {
    struct caller caller = caller_of(&fixture, "{\"hot\":1}");
    if (caller_ask(&caller, "{\"a\":1}") != IDEM_HIT && i > 0)
      atomic_fetch_add(&shared->got, 1);
  }
  return NULL;
}

Test(store_flight, forks_in_the_middle_of_everything_hang_nobody)
{
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
  close_fixture(); /* a test that is skipped does not come to its end */
  cr_skip_test("gcc's address sanitizer forks with its allocator locked by other threads");
#endif
  struct caller caller = caller_of(&fixture, "{\"hot\":1}");
  pthread_t thread[3];
  caller_ask(&caller, "{\"a\":1}");
  for (int i = 0; i < 3; i++)
    pthread_create(&thread[i], NULL, i ? hit_often : ask_for_each_key, NULL);
  int failed = 0, status;
  for (int i = 0; i < 40; i++) {
    pid_t child = fork();
    if (child == 0) {
      struct caller mine = caller_of(&fixture, "{\"hot\":1}");
      _exit(caller_ask(&mine, "") != IDEM_HIT);
    }
    waitpid(child, &status, 0);
    failed += status != 0;
  }
  for (int i = 0; i < 3; i++)
    pthread_join(thread[i], NULL);
  cr_expect_eq(failed, 0);
}

/* An owner without a place in the page shows nothing; the time that was waited for it is put in here. */
Test(store_flight, an_owner_of_whom_nothing_is_seen_is_waited_for_ten_minutes)
{
  struct caller owner = caller_of(&fixture, "{}"), follower = caller_of(&fixture, "{}");
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  owner_give(&fixture.store->stats->owners, owner.call.priv.owner, owner.call.priv.owner_number,
             owner.call.key);
  cr_assert_eq(caller_enter(&follower), IDEM_BUSY);
  cr_assert_null(idem_store_stalled(fixture.store, &follower.call, false));
  int64_t *waited_us = &follower.call.priv.watch.idle_us;
  *waited_us = INT64_C(598) * 1000000;
  cr_expect_null(idem_store_stalled(fixture.store, &follower.call, false));
  cr_expect_geq(*waited_us, INT64_C(598) * 1000000);
  *waited_us = INT64_C(600) * 1000000;
  const char *why = idem_store_stalled(fixture.store, &follower.call, false);
  cr_expect(why && strstr(why, "nothing is seen"), "%s", why);
  caller_leave(&follower, false);
  caller_leave(&owner, false);
}

/* It need not be asleep yet: the word is another one then. */
static pid_t start_sleeper(struct stats *stats, const uint8_t *key)
{
  enum { LONGEST_MS = 50000 };
  uint32_t seen = atomic_load(stats_wake_word(stats, key));
  pid_t child = fork();
  if (child == 0) {
    stats_sleep(stats, key, seen, LONGEST_MS);
    _exit(atomic_load(stats_wake_word(stats, key)) != seen ? 0 : 1);
  }
  while (!atomic_load(&stats->sleepers[key[0]]))
    usleep(100);
  return child;
}

Test(store_flight, who_sleeps_is_counted_and_woken_and_one_that_is_killed_stays_counted)
{
  static const uint8_t key[IDEM_KEY_SIZE] = {7}, other[IDEM_KEY_SIZE] = {8};
  struct stats *stats = fixture.store->stats;
  int status;
  pid_t child = start_sleeper(stats, key);
  cr_expect_eq(atomic_load(&stats->sleepers[other[0]]), 0);
  stats_wake(stats, key);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  cr_expect_eq(atomic_load(&stats->sleepers[key[0]]), 0);
  child = start_sleeper(stats, key);
  cr_assert_eq(kill(child, SIGKILL), 0);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect_eq(atomic_load(&stats->sleepers[key[0]]), 1);
  child = start_sleeper(stats, key);
  stats_wake(stats, key);
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
