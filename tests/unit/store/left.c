/* SPDX-License-Identifier: MIT */
/* SYNC=off: answers of a burst that wait in the queue to be written together are as good as written. */
#include "store/records/batch.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct idem_error error;

/* However busy the machine is, one call comes right after the other, and a leader has time for all. */
static void leave_all(void)
{
  fixture.store->leave_us = INT64_MAX;
  fixture.store->lead_us = 60000000;
}

static void set_up(void)
{
  open_fixture();
  leave_all();
}

TestSuite(store_left, .init = set_up, .fini = close_fixture, .timeout = 60);

static unsigned left(void)
{
  unsigned count = 0;
  for (unsigned i = 0; i < QUEUE_SLOTS; i++)
    count += queue_is_left(&fixture.store->stats->queue.slot[i]);
  return count;
}

static struct caller numbered(int n)
{
  static char body[64];
  snprintf(body, sizeof(body), "{\"n\":%d}", n);
  return caller_of(&fixture, body);
}

static void ask(int n, int verdict)
{
  char answer[64];
  struct caller caller = numbered(n);
  snprintf(answer, sizeof(answer), "{\"usage\":{\"prompt_tokens\":%d}}", 10 + n);
  cr_assert_eq(caller_ask(&caller, answer), verdict, "%d", n);
  if (verdict == IDEM_HIT)
    cr_expect_str_eq(caller.body, answer);
}

/* The first of a process is written at once. */
static void leave_three(void)
{
  for (int n = 0; n < 3; n++)
    ask(n, IDEM_OWNED);
  cr_assert_eq(left(), 2);
}

/* How many were seen, if each was asked before the last one. */
static int goes_back(void *arg, const struct idem_answer *answer)
{
  char body[64];
  int *seen = arg;
  snprintf(body, sizeof(body), "{\"n\":%d}", --*seen);
  cr_expect(answer->request_body.len == strlen(body) &&
                memcmp(answer->request_body.data, body, strlen(body)) == 0,
            "%.*s in the place of %s", (int)answer->request_body.len, answer->request_body.data, body);
  return 0;
}

Test(store_left, they_are_found_when_their_process_was_killed)
{
  pid_t child = fork();
  if (child == 0) {
    leave_three();
    raise(SIGKILL);
  }
  cr_assert_eq(waitpid(child, NULL, 0), child);
  cr_assert_eq(left(), 2);
  spill_sweep(fixture.store);
  for (int n = 3; n-- > 0;)
    ask(n, IDEM_HIT);
  cr_expect_eq(left(), 0);
}

Test(store_left, they_are_found_when_their_process_was_killed_and_the_store_was_closed)
{
  pid_t child = fork();
  if (child == 0) {
    leave_three();
    raise(SIGKILL);
  }
  cr_assert_eq(waitpid(child, NULL, 0), child);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  cr_assert_eq(left(), 2);
  for (int n = 0; n < 3; n++)
    ask(n, IDEM_HIT);
}

Test(store_left, a_store_that_is_closed_has_written_them)
{
  leave_three();
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  cr_expect_eq(left(), 0);
  for (int n = 0; n < 3; n++)
    ask(n, IDEM_HIT);
}

/* More than are left at most: one of them writes those before it. */
Test(store_left, commands_show_them_in_the_order_in_which_they_came)
{
  enum { MANY = 30 };
  struct idem_stats stats;
  int n;
  for (n = 0; n < MANY; n++)
    ask(n, IDEM_OWNED);
  cr_assert_gt(left(), 0);
  cr_assert_eq(idem_store_stats(fixture.store, &stats, &error), 0);
  cr_expect_eq(stats.answers, MANY);
  cr_expect_eq(stats.counter[IDEM_COUNTER_stored], MANY);
  ask(n++, IDEM_OWNED);
  ask(n++, IDEM_OWNED);
  cr_assert_geq(left(), 2);
  /* A leader has time for one. */
  fixture.store->lead_us = 0;
  cr_assert_eq(idem_store_each(fixture.store, IDEM_NEWEST_FIRST, goes_back, &n, &error), 0);
  cr_expect_eq(n, 0);
}

Test(store_left, what_is_removed_does_not_come_back)
{
  struct idem_gc gc;
  leave_three();
  struct caller last = numbered(2);
  cr_assert_eq(idem_store_remove(fixture.store, caller_key(&last), &error), 0, "%s", error.text);
  cr_assert_eq(idem_store_gc(fixture.store, &gc, NULL, NULL, &error), 0);
  cr_expect_eq(gc.removed, 0);
  ask(1, IDEM_HIT);
  ask(2, IDEM_OWNED);
  ask(2, IDEM_HIT);
}

Test(store_left, what_is_removed_before_it_was_looked_for_does_not_come_back)
{
  char id[IDEM_ID_SIZE];
  leave_three();
  struct caller last = numbered(3);
  cr_assert_eq(caller_ask(&last, "{}"), IDEM_OWNED);
  memcpy(id, last.call.id, sizeof(id));
  cr_assert_eq(left(), 3);
  cr_assert_eq(idem_store_remove(fixture.store, id, &error), 0, "%s", error.text);
  ask(3, IDEM_OWNED);
}

static void close_what_is_in(const char *word)
{
  char path[64], file[512];
  for (int fd = 3; fd < 1024; fd++) {
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(path, file, sizeof(file) - 1);
    file[len > 0 ? len : 0] = '\0';
    if (strstr(file, word))
      close(fd);
  }
}

Test(store_left, they_are_found_when_the_app_has_closed_what_it_does_not_know)
{
  leave_three();
  close_what_is_in(fixture.dir);
  spill_sweep(fixture.store);
  ask(3, IDEM_OWNED);
  for (int n = 0; n < 4; n++)
    ask(n, IDEM_HIT);
}

Test(store_left, a_child_finds_them_and_has_a_burst_of_its_own)
{
  int status;
  leave_three();
  pid_t child = fork();
  if (child == 0) {
    ask(3, IDEM_OWNED);
    ask(4, IDEM_OWNED);
    ask(2, IDEM_HIT);
    ask(5, IDEM_OWNED);
    raise(SIGKILL);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  for (int n = 0; n < 6; n++)
    ask(n, IDEM_HIT);
}

/* The page still knows of earlier answers whose numbers share the place of these. */
Test(store_left, their_tokens_are_saved_once)
{
  for (uint64_t serial = 0; serial < 20; serial++)
    stats_first_replay(fixture.store->stats, serial);
  leave_three();
  for (int twice = 0; twice < 2; twice++)
    for (int n = 0; n < 3; n++)
      ask(n, IDEM_HIT);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_input_tokens_saved), 10 + 11 + 12);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_hits), 6);
}

Test(store_left, the_same_content_under_another_header_is_seen)
{
  fixture_rule(&fixture, "vary=*");
  leave_three();
  struct caller caller = numbered(2);
  caller_header(&caller, "X-Stamp: 2");
  cr_expect_eq(caller_ask(&caller, "{}"), IDEM_OWNED);
  cr_expect_str_eq(caller.call.drift, "X-Stamp");
}

Test(store_left, a_key_joins_what_was_left_under_another)
{
  fixture_rule(&fixture, "churn=join");
  leave_three();
  struct caller caller = numbered(2);
  caller_header(&caller, "Idempotency-Key: one");
  bool joins = caller_ask(&caller, "{}") == IDEM_HIT;
  fixture.store->leave_us = 0;
  ask(3, IDEM_OWNED);
  caller = numbered(3);
  caller_header(&caller, "Idempotency-Key: two");
  cr_expect_eq(caller_ask(&caller, "{}") == IDEM_HIT, joins, "as where nothing is left");
}

Test(store_left, what_takes_the_place_of_an_answer_is_written_at_once)
{
  leave_three();
  ask(0, IDEM_HIT);
  struct caller caller = numbered(0);
  caller.call.skip_answers = true;
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_assert_eq(caller_commit(&caller, "{\"second\":1}"), IDEM_STORED);
  caller_leave(&caller, true);
  cr_assert_eq(caller_ask(&caller, ""), IDEM_HIT);
  cr_expect_str_eq(caller.body, "{\"second\":1}");
}

/* Each key is sent once, whoever has left its answer. */
Test(store_left, processes_that_leave_theirs_at_once_send_each_call_once)
{
  enum { PROCESSES = 3, KEYS = 150 };
  _Atomic unsigned *sent = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child[PROCESSES];
  for (int i = 0; i < PROCESSES; i++)
    if ((child[i] = fork()) == 0) {
      for (int n = 0; n < KEYS; n++) {
        struct caller caller = numbered(i % 2 ? KEYS - 1 - n : n);
        atomic_fetch_add(sent, caller_ask(&caller, "{}") == IDEM_OWNED);
      }
      _exit(0);
    }
  for (int i = 0; i < PROCESSES; i++)
    waitpid(child[i], NULL, 0);
  cr_expect_eq(*sent, KEYS, "%u", *sent);
  struct idem_verify verify;
  cr_expect_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, NULL), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

/* What a process was given before it was killed, at whatever point. */
Test(store_left, what_was_acknowledged_is_there_after_kills_at_random_points, .timeout = 300)
{
  enum { KILLS = 60, MOST = 100000 };
  _Atomic int *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int first = 0;
  unsigned seed = 1;
  for (int i = 0; i < KILLS; i++) {
    pid_t child = fork();
    if (child == 0) {
      for (int n = *acknowledged; n < MOST; n++) {
        struct caller caller = numbered(n);
        caller_ask(&caller, "{}");
        *acknowledged = n + 1;
      }
      _exit(0);
    }
    while (*acknowledged == first)
      usleep(1000);
    usleep((unsigned)rand_r(&seed) % 20000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (; first < *acknowledged; first++) {
      struct caller caller = numbered(first);
      cr_assert_eq(caller_ask(&caller, "{}"), IDEM_HIT, "%d", first);
    }
  }
  cr_expect_geq(first, KILLS);
}
