/* SPDX-License-Identifier: MIT */
/* Two answers of one key among the writes that wait: never in one transaction, which would index both. */
#include "store/records/batch.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* However slow the machine is, a leader has time for all, and no write is left to the next one. */
static void set_up(void)
{
  open_fixture();
  fixture.options.patience_ms = 30000;
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  fixture.store->leave_us = 0;
  fixture.store->lead_us = 60000000;
}

TestSuite(store_same_key, .init = set_up, .fini = close_fixture, .timeout = 60);

static void wait_until_waiting(unsigned wanted)
{
  for (unsigned count = 0; count != wanted;) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    count = 0;
    for (unsigned i = 0; i < QUEUE_SLOTS; i++)
      count += queue_waits(&fixture.store->stats->queue.slot[i]);
  }
}

/* In the gate until the other end of the pipe is closed. */
static int hold_body(struct writer *writer, void *arg)
{
  const int *pipe = arg;
  char byte;
  (void)writer;
  if (write(pipe[1], "", 1) != 1 || read(pipe[0], &byte, 1) != 0)
    return -EIO;
  return -ECANCELED;
}

static pid_t hold(int *release)
{
  int up[2], down[2];
  char byte;
  cr_assert(pipe(up) == 0 && pipe(down) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(down[1]);
    state_write(fixture.store, hold_body, (int[2]){down[0], up[1]}, NULL);
    _exit(0);
  }
  cr_assert_eq(read(up[0], &byte, 1), 1);
  *release = down[1];
  return pid;
}

/* Beside the owner, where there is one. */
static void enter(struct caller *caller, const char *body)
{
  *caller = caller_of(&fixture, body);
  caller->call.defers = true;
  if (caller_enter(caller) == IDEM_BUSY) {
    caller_leave(caller, false);
    caller->call.passed++;
    cr_assert_eq(caller_enter(caller), IDEM_OWNED);
  }
  cr_assert_eq(idem_store_sent(fixture.store, &caller->call, NULL), 0);
}

static void *commit(void *arg)
{
  caller_commit(arg, "{\"answer\":1}");
  return NULL;
}

/* Four keys, and that of who comes behind them makes five. */
static const char *const bodies[] = {"{\"first\":1}", "{\"first\":1}", "{\"n\":1}",
                                     "{\"twice\":1}", "{\"twice\":1}", "{\"n\":2}"};
enum { BODIES = sizeof(bodies) / sizeof(*bodies), KEYS = 5 };

/* All of them, in the order of their claims. */
static void be_killed_with_all(void)
{
  static struct caller callers[BODIES];
  pthread_t thread;
  for (size_t i = 0; i < BODIES; i++)
    enter(&callers[i], bodies[i]);
  for (size_t i = 0; i < BODIES; i++)
    pthread_create(&thread, NULL, commit, &callers[i]);
  for (;;)
    pause();
}

static uint64_t entries(enum pages_tree tree)
{
  struct reader *reader;
  cr_assert_eq(state_read(fixture.store, &reader, NULL), 0);
  uint64_t count = reader->snapshot.tree[tree].entries;
  reader_end(reader);
  return count;
}

/* Their writers are killed, so that whoever writes next has both of them at once, and others before them. */
Test(store_same_key, wherever_they_stand_they_are_not_in_one_transaction)
{
  int release;
  pid_t holder = hold(&release), child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(release);
    be_killed_with_all();
  }
  wait_until_waiting(BODIES);
  kill(child, SIGKILL);
  close(release);
  cr_assert(waitpid(child, NULL, 0) == child && waitpid(holder, NULL, 0) == holder);
  struct caller next = caller_of(&fixture, "{\"next\":1}");
  cr_assert_eq(caller_ask(&next, "{\"answer\":1}"), IDEM_OWNED);
  for (size_t i = 0; i < BODIES; i++) {
    struct caller again = caller_of(&fixture, bodies[i]);
    cr_expect_eq(caller_ask(&again, "{}"), IDEM_HIT, "%s", bodies[i]);
  }
  cr_expect_eq(entries(PAGES_ANSWERS), KEYS);
  cr_expect_eq(entries(PAGES_AGE), KEYS);
  cr_expect_eq(entries(PAGES_EXPIRY), KEYS);
}
