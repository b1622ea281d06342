/* SPDX-License-Identifier: MIT */
/* Writes that wait for somebody else's transaction: done by whoever leads, whatever becomes
 * of writers and leaders. */
#include "store/records/batch.h"
#include "store/base/claim_table.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* However slow the machine is, a leader has time for all, and no write is left to the next one. */
static void reopen(void)
{
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  fixture.store->leave_us = 0;
  fixture.store->lead_us = 60000000;
}

static void set_up(void)
{
  open_fixture();
  fixture.options.patience_ms = 10000;
  fixture.options.size = UINT64_C(8) << 30;
  reopen();
}

TestSuite(store_batch, .init = set_up, .fini = close_fixture, .timeout = 60);

static struct commit_queue *queue(void)
{
  return &fixture.store->stats->queue;
}

static unsigned waiting(void)
{
  unsigned count = 0;
  for (unsigned i = 0; i < QUEUE_SLOTS; i++)
    count += queue_waits(&queue()->slot[i]);
  return count;
}

static void wait_until_waiting(unsigned count)
{
  while (waiting() != count)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* A process that is in the gate. */
struct holder {
  pid_t pid;
  int say, hear;
};

static int hold_body(struct writer *writer, void *arg)
{
  const struct holder *holder = arg;
  char byte;
  (void)writer;
  if (write(holder->say, "", 1) != 1 || read(holder->hear, &byte, 1) != 1)
    return -EIO;
  for (unsigned i = 0; i < QUEUE_SLOTS && byte != 'n'; i++)
    queue_lead(&queue()->slot[i]);
  if (byte == 'k')
    raise(SIGKILL);
  if (byte == 's')
    raise(SIGSTOP);
  return -ECANCELED;
}

static struct holder hold(void)
{
  int up[2], down[2];
  char byte;
  cr_assert(pipe(up) == 0 && pipe(down) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct holder in = {.say = up[1], .hear = down[0]};
    state_write(fixture.store, hold_body, &in, NULL);
    _exit(0);
  }
  cr_assert_eq(read(up[0], &byte, 1), 1);
  return (struct holder){.pid = pid, .say = down[1]};
}

static void tell(const struct holder *holder, char what)
{
  cr_assert_eq(write(holder->say, &what, 1), 1);
}

static void end(const struct holder *holder)
{
  int status;
  kill(holder->pid, SIGKILL);
  cr_assert_eq(waitpid(holder->pid, &status, 0), holder->pid);
}

/* A call in a thread of its own. */
struct asker {
  pthread_t thread;
  struct caller caller;
  char body[32];
  int rc;
};

static void *commit(void *arg)
{
  struct asker *asker = arg;
  asker->rc = caller_commit(&asker->caller, "{\"answer\":1}");
  caller_leave(&asker->caller, true);
  return NULL;
}

static void start(struct asker *asker, int n)
{
  snprintf(asker->body, sizeof(asker->body), "{\"n\":%d}", n);
  asker->caller = caller_of(&fixture, asker->body);
  cr_assert_eq(caller_enter(&asker->caller), IDEM_OWNED);
  cr_assert_eq(pthread_create(&asker->thread, NULL, commit, asker), 0);
}

static void expect_stored(struct asker *asker)
{
  pthread_join(asker->thread, NULL);
  cr_expect_eq(asker->rc, IDEM_STORED, "%d: %s", asker->rc, asker->caller.error.text);
  struct caller again = caller_of(&fixture, asker->body);
  cr_expect_eq(caller_ask(&again, "{}"), IDEM_HIT);
  cr_expect_str_eq(again.body, "{\"answer\":1}");
}

static uint64_t last_transaction(void)
{
  struct reader *reader;
  cr_assert_eq(state_read(fixture.store, &reader, NULL), 0);
  uint64_t txn = reader->snapshot.txn;
  reader_end(reader);
  return txn;
}

static bool is_in_queue(const char *word)
{
  char pattern[300];
  glob_t files;
  bool found = false;
  snprintf(pattern, sizeof(pattern), "%s/queue/*", fixture.options.dir);
  cr_assert_eq(glob(pattern, 0, NULL, &files), 0);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    char record[4096];
    int fd = open(files.gl_pathv[i], O_RDONLY);
    for (off_t at = 0; at < (off_t)QUEUE_SLOTS * SPILL_PLACE; at += SPILL_PLACE) {
      ssize_t len = pread(fd, record, sizeof(record), at);
      found |= len > 0 && memmem(record, (size_t)len, word, strlen(word)) != NULL;
    }
    close(fd);
  }
  globfree(&files);
  return found;
}

static void expect_one_transaction(void)
{
  enum { MANY = 20 };
  static struct asker asker[MANY];
  struct idem_verify verify;
  struct holder holder = hold();
  uint64_t before = last_transaction();
  for (int i = 0; i < MANY; i++)
    start(&asker[i], i);
  wait_until_waiting(MANY);
  cr_expect_eq(is_in_queue("answer"), !fixture.options.key_file);
  tell(&holder, 'n');
  for (int i = 0; i < MANY; i++)
    expect_stored(&asker[i]);
  end(&holder);
  cr_expect_eq(last_transaction(), before + 1, "%llu", (unsigned long long)(last_transaction() - before));
  cr_expect_eq(waiting(), 0);
  cr_expect_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, NULL), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

Test(store_batch, those_that_wait_are_one_transaction)
{
  expect_one_transaction();
}

static void encrypt(void)
{
  static char key[256], dir[256];
  strcpy(key, fixture_path(&fixture, "key"));
  strcpy(dir, fixture_path(&fixture, "sealed"));
  FILE *file = fopen(key, "w");
  cr_assert(file && fputs("0123456789abcdef0123456789abcdef", file) > 0);
  fclose(file);
  fixture.options.key_file = key;
  fixture.options.dir = dir;
  reopen();
}

/* Nor is there a word of them in the queue. */
Test(store_batch, those_of_an_encrypted_store_are_one_transaction)
{
  encrypt();
  expect_one_transaction();
}

Test(store_batch, a_leader_that_is_killed_leaves_them_to_the_next)
{
  static struct asker asker[3];
  struct holder holder = hold();
  for (int i = 0; i < 3; i++)
    start(&asker[i], i);
  wait_until_waiting(3);
  tell(&holder, 'k');
  for (int i = 0; i < 3; i++)
    expect_stored(&asker[i]);
  end(&holder);
  cr_expect_eq(waiting(), 0);
}

/* As by a second leader, where the first was killed behind its commit. */
Test(store_batch, what_was_done_already_is_not_done_twice)
{
  struct idem_stats stats;
  struct caller caller = caller_of(&fixture, "{\"n\":0}");
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect_eq(caller_commit(&caller, "{\"answer\":1}"), IDEM_STORED);
  uint64_t before = last_transaction();
  cr_expect_eq(caller_commit(&caller, "{\"answer\":1}"), IDEM_STORED);
  cr_expect_eq(last_transaction(), before);
  caller_leave(&caller, true);
  cr_expect_eq(idem_store_stats(fixture.store, &stats, NULL), 0);
  cr_expect_eq(stats.answers, 1);
}

/* A writer that is killed when it has published its answer. */
static void publish_and_die(void)
{
  struct holder holder = hold();
  pid_t pid = fork();
  if (pid == 0) {
    static struct asker asker;
    start(&asker, 7);
    pthread_join(asker.thread, NULL);
    _exit(0);
  }
  int status;
  wait_until_waiting(1);
  kill(pid, SIGKILL);
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  end(&holder);
}

Test(store_batch, one_whose_writer_was_killed_is_done_all_the_same)
{
  publish_and_die();
  struct caller other = caller_of(&fixture, "{\"other\":1}"), its = caller_of(&fixture, "{\"n\":7}");
  cr_assert_eq(caller_ask(&other, "{}"), IDEM_OWNED);
  cr_expect_eq(waiting(), 0);
  cr_expect_eq(caller_ask(&its, "{}"), IDEM_HIT);
}

/* It is given from the queue until somebody writes, and not after it was removed. */
/* A leader that lives may not have counted yet what it has told; one that died never will. */
Test(store_batch, a_count_is_put_right_in_the_gate_alone)
{
  struct commit_queue *all = aligned_alloc(_Alignof(struct commit_queue), sizeof *all);
  memset(all, 0, sizeof *all);
  struct queue_slot *told = queue_take(all, 1), *next = queue_take(all, 2);
  queue_publish(all, told);
  queue_lead(told);
  told->state += 1; /* TAKEN to DONE, and no further */
  cr_assert(queue_is_done(told));
  queue_wake(all);
  cr_expect_eq(queue_count(all), 1);
  queue_publish(all, next);
  queue_recount(all);
  cr_expect_eq(queue_count(all), 2);
  queue_lead(next);
  queue_tell(all, next, 0, 0);
  cr_expect_eq(queue_count(all), 1);
  queue_recount(all);
  cr_expect_eq(queue_count(all), 0);
  free(all);
}

static struct queue_slot *put(uint64_t spill, uint8_t key)
{
  struct batch_write write = {.version = BATCH_VERSION};
  struct queue_slot *slot = queue_take(queue(), spill);
  memset(write.key, key, sizeof(write.key));
  cr_assert_not_null(slot);
  queue_put_write(slot, &write, sizeof(write));
  queue_publish(queue(), slot);
  return slot;
}

static bool has_left(uint8_t byte)
{
  uint8_t key[IDEM_KEY_SIZE];
  memset(key, byte, sizeof(key));
  return batch_has_left(fixture.store, key);
}

/* The look ends early, wherever they are and whatever the count says beside them: leaders that died
 * leave it too high. */
Test(store_batch, what_is_left_is_found_in_whichever_slot_it_is)
{
  struct queue_slot *slot[QUEUE_SLOTS];
  const uint64_t own = 0x1234567890abcdef;
  atomic_store(&fixture.store->spill.number, own);
  cr_expect(!has_left(1));
  for (unsigned i = 0; i < QUEUE_SLOTS; i += 5)
    slot[i] = put(own + i, (uint8_t)(i + 1));
  for (int round = 0; round < 2; round++) {
    for (unsigned i = 0; i < QUEUE_SLOTS; i++)
      cr_expect_eq(has_left((uint8_t)(i + 1)), i % 5 == 0, "%u", i);
    atomic_fetch_add(&queue()->waiting, 1);
  }
  for (unsigned i = 0; i < QUEUE_SLOTS; i += 5)
    cr_assert(queue_withdraw(queue(), slot[i]));
  cr_expect(!has_left(1));
  queue_recount(queue());
  atomic_store(&fixture.store->spill.number, 0);
}

Test(store_batch, one_whose_writer_was_killed_can_be_removed)
{
  struct idem_error error;
  publish_and_die();
  struct caller its = caller_of(&fixture, "{\"n\":7}"), later = caller_of(&fixture, "{\"n\":7}");
  cr_assert_eq(caller_ask(&its, "{}"), IDEM_HIT);
  cr_assert_eq(waiting(), 1);
  cr_expect_eq(idem_store_remove(fixture.store, its.call.id, &error), 0, "%s", error.text);
  cr_expect_eq(waiting(), 0);
  cr_expect_eq(caller_ask(&later, "{}"), IDEM_OWNED);
}

Test(store_batch, a_leader_that_is_stopped_is_not_waited_for)
{
  static struct asker asker;
  fixture.options.patience_ms = 0;
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  struct holder holder = hold();
  start(&asker, 0);
  wait_until_waiting(1);
  tell(&holder, 's');
  pthread_join(asker.thread, NULL);
  cr_expect_eq(asker.rc, -ETIMEDOUT, "%d", asker.rc);
  end(&holder);
  struct caller again = caller_of(&fixture, asker.body);
  cr_expect_eq(caller_ask(&again, "{}"), IDEM_HIT, "it is stored for the call that asks for it");
  cr_expect_eq(waiting(), 0);
}

/* Its app has its answer, and its write is done by whoever comes next. */
Test(store_batch, what_is_waited_for_no_longer_is_stored_all_the_same)
{
  static struct asker asker[20];
  fixture.options.patience_ms = 0;
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  fixture.store->leave_us = 0;
  for (int taken = 0; taken < 2; taken++) {
    struct holder holder = hold();
    for (int i = taken * 10; i < taken * 10 + 10; i++)
      start(&asker[i], i);
    wait_until_waiting(10);
    if (taken)
      tell(&holder, 's');
    for (int i = taken * 10; i < taken * 10 + 10; i++) {
      pthread_join(asker[i].thread, NULL);
      cr_expect_eq(asker[i].rc, -ETIMEDOUT, "%d", asker[i].rc);
    }
    static struct asker later[2];
    start(&later[taken], 100 + taken);
    pthread_join(later[taken].thread, NULL);
    cr_expect_eq(later[taken].rc, -ETIMEDOUT, "%d", later[taken].rc);
    end(&holder);
    cr_expect_eq(waiting(), 11);
    char body[32];
    snprintf(body, sizeof(body), "{\"other\":%d}", taken);
    struct caller other = caller_of(&fixture, body);
    /* The gate was in vain a moment ago, and is only tried. */
    while (caller_enter(&other) == IDEM_OWNED && caller_commit(&other, "{}") < 0)
      caller_leave(&other, false);
    caller_leave(&other, true);
    cr_expect_eq(waiting(), 0);
    for (int i = taken * 10; i < taken * 10 + 10; i++) {
      struct caller again = caller_of(&fixture, asker[i].body);
      cr_expect_eq(caller_ask(&again, "{}"), IDEM_HIT, "%d", i);
    }
    struct caller again = caller_of(&fixture, later[taken].body);
    cr_expect_eq(caller_ask(&again, "{}"), IDEM_HIT);
  }
}

/* However long it is: in a file of its own, which goes with it. */
Test(store_batch, a_long_one_that_is_waited_for_no_longer_is_stored_all_the_same)
{
  static const size_t sizes[] = {300 << 10, 1 << 20, 6 << 20};
  fixture.options.patience_ms = 0;
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    char body[32], *answer = malloc(sizes[i] + 1);
    snprintf(body, sizeof(body), "{\"long\":%zu}", i);
    memset(answer, ' ', sizes[i]);
    memcpy(answer, "{\"a\":1}", 7);
    answer[sizes[i]] = '\0';
    struct caller caller = caller_of(&fixture, body);
    cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
    struct holder holder = hold();
    cr_expect_eq(caller_commit(&caller, answer), -ETIMEDOUT);
    caller_leave(&caller, true);
    cr_expect_eq(waiting(), 1, "%zu bytes", sizes[i]);
    struct caller again = caller_of(&fixture, body);
    cr_expect_eq(caller_enter(&again), IDEM_HIT, "%zu bytes: from the queue, while nobody can write",
                 sizes[i]);
    cr_expect_eq(again.call.answer.body.len, sizes[i]);
    caller_leave(&again, true);
    end(&holder);
    for (int n = 0; waiting(); n++) {
      snprintf(body, sizeof(body), "{\"other\":%zu.%d}", i, n);
      struct caller other = caller_of(&fixture, body);
      if (caller_enter(&other) == IDEM_OWNED)
        caller_commit(&other, "{}");
      caller_leave(&other, true);
    }
    snprintf(body, sizeof(body), "{\"long\":%zu}", i);
    again = caller_of(&fixture, body);
    cr_expect_eq(caller_enter(&again), IDEM_HIT, "%zu bytes", sizes[i]);
    cr_expect(again.call.answer.body.len == sizes[i] &&
              memcmp(again.call.answer.body.data, answer, sizes[i]) == 0);
    caller_leave(&again, true);
    glob_t files;
    cr_expect_eq(glob(fixture_path(&fixture, "queue/*.*"), 0, NULL, &files), GLOB_NOMATCH);
    globfree(&files);
    free(answer);
  }
}

/* LMDB's, for transactions that fail at their end: so many of them, as where the disk is full. */
static _Atomic int failing;

int mdb_txn_commit(MDB_txn *txn)
{
  static int (*real)(MDB_txn *);
  if (!real)
    real = (__typeof__(real))dlsym(RTLD_NEXT, "mdb_txn_commit");
  if (!failing)
    return real(txn);
  failing--;
  mdb_txn_abort(txn);
  return ENOSPC;
}

/* Whoever tries to write it is not its writer, whose app was told that it will be stored. */
Test(store_batch, what_is_left_outlasts_a_transaction_that_fails)
{
  enum { LEFT = 10 };
  static struct asker asker[LEFT];
  fixture.options.patience_ms = 0;
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  struct holder holder = hold();
  for (int i = 0; i < LEFT; i++)
    start(&asker[i], i);
  wait_until_waiting(LEFT);
  for (int i = 0; i < LEFT; i++)
    pthread_join(asker[i].thread, NULL);
  end(&holder);
  failing = 1;
  /* Until a transaction was begun that had them: the gate was in vain a moment ago, and is only tried. */
  for (int i = 0; failing; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"other\":%d}", i);
    struct caller other = caller_of(&fixture, body);
    if (caller_enter(&other) == IDEM_OWNED)
      caller_commit(&other, "{}");
    caller_leave(&other, false);
  }
  cr_expect_geq(waiting(), LEFT, "none was dropped");
  for (int i = 0; waiting(); i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"last\":%d}", i);
    struct caller other = caller_of(&fixture, body);
    caller_ask(&other, "{}");
  }
  for (int i = 0; i < LEFT; i++) {
    struct caller again = caller_of(&fixture, asker[i].body);
    cr_expect_eq(caller_ask(&again, "{}"), IDEM_HIT, "%d", i);
  }
}

/* Nobody can be told, so it is tried again, also where its writer is killed after it has failed. */
Test(store_batch, one_whose_writer_was_killed_outlasts_a_transaction_that_fails)
{
  publish_and_die();
  struct caller first = caller_of(&fixture, "{\"other\":1}"), second = caller_of(&fixture, "{\"other\":2}");
  failing = 1;
  cr_assert_eq(caller_ask(&first, "{}"), IDEM_OWNED);
  cr_assert_eq(failing, 0);
  cr_expect_eq(waiting(), 1, "it was not dropped");
  cr_assert_eq(caller_ask(&second, "{}"), IDEM_OWNED);
  cr_expect_eq(waiting(), 0, "it is stored after the next commit");
  struct caller its = caller_of(&fixture, "{\"n\":7}");
  cr_expect_eq(caller_ask(&its, "{}"), IDEM_HIT);
}

/* One that lives does its own. */
Test(store_batch, one_that_waits_outlasts_a_transaction_that_fails)
{
  enum { MANY = 5 };
  static struct asker asker[MANY];
  struct holder holder = hold();
  for (int i = 0; i < MANY; i++)
    start(&asker[i], i);
  wait_until_waiting(MANY);
  failing = 1;
  tell(&holder, 'k');
  for (int i = 0; i < MANY; i++)
    expect_stored(&asker[i]);
  end(&holder);
  cr_expect_eq(failing, 0);
  cr_expect_eq(waiting(), 0);
}

/* It need not have been written before. */
Test(store_batch, what_cannot_be_written_can_be_removed)
{
  static struct asker asker;
  struct idem_error error;
  fixture.options.patience_ms = 0;
  cr_assert_eq(fixture_reopen(&fixture, NULL), 0);
  struct holder holder = hold();
  start(&asker, 7);
  wait_until_waiting(1);
  pthread_join(asker.thread, NULL);
  end(&holder);
  struct caller its = caller_of(&fixture, asker.body), later = caller_of(&fixture, asker.body);
  failing = 2; /* the second behind an eviction */
  cr_assert_eq(caller_ask(&its, "{}"), IDEM_HIT);
  cr_assert_eq(failing, 0);
  cr_assert_eq(waiting(), 1);
  failing = 1;
  cr_expect_eq(idem_store_remove(fixture.store, its.call.id, &error), 0, "%s", error.text);
  cr_expect_eq(failing, 0);
  cr_expect_eq(waiting(), 0);
  cr_expect_eq(caller_ask(&later, "{}"), IDEM_OWNED);
}

/* Whatever has written into the page: nobody else's write is harmed by it. */
Test(store_batch, what_does_not_parse_is_refused_alone)
{
  struct holder holder = hold();
  static struct asker asker;
  start(&asker, 0);
  wait_until_waiting(1);
  struct queue_slot *bad = queue_take(queue(), 12345);
  cr_assert(bad);
  memset(bad->write, 0x5a, sizeof(bad->write));
  bad->len = 100;
  queue_publish(queue(), bad);
  tell(&holder, 'n');
  expect_stored(&asker);
  end(&holder);
  struct caller other = caller_of(&fixture, "{\"other\":1}");
  cr_assert_eq(caller_ask(&other, "{}"), IDEM_OWNED);
  cr_expect(queue_is_done(bad));
  cr_expect_lt(bad->verdict, 0);
}

/* An answer is stored once for a key, whoever of two is first. */
Test(store_batch, two_of_one_key_are_not_in_one_transaction)
{
  static struct asker owner, beside;
  struct holder holder = hold();
  owner.caller = caller_of(&fixture, "{\"n\":0}");
  owner.caller.call.defers = true;
  cr_assert_eq(caller_enter(&owner.caller), IDEM_OWNED);
  beside.caller = caller_of(&fixture, "{\"n\":0}");
  beside.caller.call.defers = true;
  cr_assert_eq(caller_enter(&beside.caller), IDEM_BUSY);
  caller_leave(&beside.caller, false);
  beside.caller.call.passed++;
  cr_assert_eq(caller_enter(&beside.caller), IDEM_OWNED);
  cr_assert_eq(idem_store_sent(fixture.store, &owner.caller.call, NULL), 0);
  cr_assert_eq(idem_store_sent(fixture.store, &beside.caller.call, NULL), 0);
  cr_assert_eq(pthread_create(&owner.thread, NULL, commit, &owner), 0);
  cr_assert_eq(pthread_create(&beside.thread, NULL, commit, &beside), 0);
  wait_until_waiting(2);
  tell(&holder, 'n');
  pthread_join(owner.thread, NULL);
  pthread_join(beside.thread, NULL);
  end(&holder);
  cr_expect(owner.rc != beside.rc && owner.rc + beside.rc == IDEM_STORED + IDEM_SUPERSEDED, "%d %d", owner.rc,
            beside.rc);
  struct idem_verify verify;
  cr_expect_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, NULL), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
}

/* Writers and leaders are killed whenever it comes: in the middle of a spill, of a transaction, of telling
 * the others. What a call was told to be stored is there, and nothing waits for the dead. IDEMSHIM_KILLS: how
 * often. */
enum { KILLED_PROCESSES = 4, KILLED_THREADS = 3 };

struct busy {
  pthread_t thread;
  int acknowledged; /* each number that was stored is appended */
  unsigned process, number;
};

static void body_of(char body[64], unsigned process, uint32_t n)
{
  snprintf(body, 64, "{\"process\":%u,\"n\":%u}", process, n);
}

static void *be_busy(void *arg)
{
  const struct busy *busy = arg;
  for (uint32_t n = busy->number;; n += KILLED_THREADS) {
    char body[64];
    body_of(body, busy->process, n);
    struct caller caller = caller_of(&fixture, body);
    if (caller_enter(&caller) == IDEM_OWNED && caller_commit(&caller, "{\"answer\":1}") == IDEM_STORED &&
        write(busy->acknowledged, &n, sizeof(n)) != sizeof(n))
      _exit(1);
    caller_leave(&caller, true);
  }
}

static pid_t start_busy(unsigned process, int acknowledged, uint32_t from)
{
  pid_t pid = fork();
  if (pid)
    return pid;
  static struct busy busy[KILLED_THREADS];
  for (unsigned i = 0; i < KILLED_THREADS; i++) {
    busy[i] = (struct busy){.acknowledged = acknowledged, .process = process, .number = from + i};
    pthread_create(&busy[i].thread, NULL, be_busy, &busy[i]);
  }
  for (;;)
    pause();
}

static void expect_what_was_acknowledged_after_kills(void)
{
  const char *wanted = getenv("IDEMSHIM_KILLS");
  int kills = wanted ? atoi(wanted) : 40, files[KILLED_PROCESSES];
  pid_t pids[KILLED_PROCESSES];
  uint32_t rounds = 0, stored = 0, n;
  for (unsigned i = 0; i < KILLED_PROCESSES; i++) {
    files[i] = fileno(tmpfile());
    fcntl(files[i], F_SETFL, O_APPEND);
    pids[i] = start_busy(i, files[i], 0);
  }
  const char *seed = getenv("IDEMSHIM_SEED");
  srandom(seed ? (unsigned)atoi(seed) : (unsigned)time(NULL));
  for (int i = 0; i < kills; i++) {
    unsigned which = (unsigned)random() % KILLED_PROCESSES;
    nanosleep(&(struct timespec){.tv_nsec = 1000 * (random() % 30000)}, NULL);
    kill(pids[which], SIGKILL);
    waitpid(pids[which], NULL, 0);
    pids[which] = start_busy(which, files[which], ++rounds * 1000000);
  }
  for (unsigned i = 0; i < KILLED_PROCESSES; i++) {
    kill(pids[i], SIGKILL);
    waitpid(pids[i], NULL, 0);
  }
  /* A leader has a few ms for those of the dead, and does one at least: on a busy machine it takes some. */
  unsigned left = QUEUE_SLOTS + 1, before;
  do {
    char body[64];
    before = left;
    snprintf(body, sizeof body, "{\"last\":%u}", before);
    struct caller last = caller_of(&fixture, body);
    cr_assert_eq(caller_ask(&last, "{}"), IDEM_OWNED);
    left = waiting();
    cr_assert(left < before, "%u waited, and after one more call %u", before, left);
  } while (left);
  for (unsigned i = 0; i < KILLED_PROCESSES; i++)
    for (off_t at = 0; pread(files[i], &n, sizeof(n), at) == sizeof(n); at += (off_t)sizeof(n), stored++) {
      char body[64];
      body_of(body, i, n);
      struct caller caller = caller_of(&fixture, body);
      cr_assert_eq(caller_ask(&caller, "{}"), IDEM_HIT, "%s", body);
    }
  cr_expect_gt(stored, (uint32_t)kills);
  struct idem_verify verify;
  cr_expect_eq(idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, NULL), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0);
  fprintf(stderr, "counted: kills=%d acknowledged=%u\n", kills, stored);
}

Test(store_batch, what_was_acknowledged_is_there_after_kills_at_random_points, .timeout = 3000)
{
  expect_what_was_acknowledged_after_kills();
}

Test(store_batch, what_was_acknowledged_is_there_after_kills_in_an_encrypted_store, .timeout = 3000)
{
  encrypt();
  expect_what_was_acknowledged_after_kills();
}
