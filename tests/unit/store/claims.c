/* SPDX-License-Identifier: MIT */
/* The durable halves of claims: where they stand, and what is left of those whose owners have died. */
#include "store/base/claim_table.h"
#include "store/base/clock.h"
#include "store/records/claim_record.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/store/power.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store_claims, .init = open_fixture, .fini = close_fixture, .timeout = 60);

static const char body[] = "{\"prompt\":1}";

static uint64_t last_transaction(void)
{
  struct reader *reader;
  struct idem_error error;
  cr_assert_eq(state_read(fixture.store, &reader, &error), 0, "%s", error.text);
  uint64_t txn = reader->snapshot.txn;
  reader_end(reader);
  return txn;
}

/* Begins the call in a process that is killed in the middle of it. The upstream key that it
 * had, if it is asked for. */
static void die_with(const char *text, char key[37])
{
  int status, pipes[2];
  cr_assert_eq(pipe(pipes), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct caller caller = caller_of(&fixture, text);
    if (caller_enter(&caller) == IDEM_OWNED && write(pipes[1], caller.call.upstream_key, 37) == 37)
      raise(SIGKILL);
    _exit(1);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFSIGNALED(status));
  char got[37];
  cr_assert_eq(read(pipes[0], got, sizeof(got)), sizeof(got));
  if (key)
    memcpy(key, got, sizeof(got));
  close(pipes[0]);
  close(pipes[1]);
}

static void enter(struct caller *caller, const char *text, bool resent)
{
  *caller = caller_of(&fixture, text);
  cr_assert_eq(caller_enter(caller), IDEM_OWNED);
  cr_expect_eq(caller->call.resent, resent);
}

Test(store_claims, none_is_written_to_lmdb_before_a_call_or_after_one_that_fails)
{
  struct caller caller;
  uint64_t before = last_transaction();
  enter(&caller, body, false);
  cr_expect_eq(last_transaction(), before);
  caller_leave(&caller, false);
  cr_expect_eq(last_transaction(), before);
  enter(&caller, body, false);
  cr_assert_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
  cr_expect_eq(last_transaction(), before + 1);
}

Test(store_claims, a_call_that_failed_has_its_upstream_key_the_next_time)
{
  struct caller caller;
  enter(&caller, body, false);
  char key[37];
  memcpy(key, caller.call.upstream_key, sizeof(key));
  caller_leave(&caller, false);
  enter(&caller, body, false);
  cr_expect_str_eq(caller.call.upstream_key, key);
}

Test(store_claims, one_of_the_dead_is_in_doubt_and_has_the_key_of_before)
{
  struct caller caller;
  struct idem_error error;
  char key[37];
  die_with(body, key);
  enter(&caller, body, true);
  cr_expect_str_eq(caller.call.upstream_key, key);
  cr_assert_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
  die_with("{\"other\":1}", key);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  enter(&caller, "{\"other\":1}", true);
  cr_expect_str_eq(caller.call.upstream_key, key);
}

Test(store_claims, one_of_the_dead_is_refused_where_the_rule_says_so)
{
  fixture_rule(&fixture, "indoubt=fail");
  die_with(body, NULL);
  struct caller caller = caller_of(&fixture, body);
  cr_expect_eq(caller_enter(&caller), IDEM_IN_DOUBT);
  caller_leave(&caller, false);
  cr_expect_eq(idem_store_remove(fixture.store, caller.call.id, NULL), 0);
  enter(&caller, body, false);
}

/* In the child, for LMDB's own lock on that file would go with this descriptor. */
static uint64_t *place_of_last(uint64_t last)
{
  int fd = open(fixture_path(&fixture, "lock.mdb"), O_RDWR);
  uint64_t *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (int i = 0; words != MAP_FAILED && i < 16; i++)
    if (words[i] == last)
      return &words[i];
  return NULL;
}

/* Dies with LMDB's lock, between the last byte of its commit and telling others of it: the number of the last
 * transaction is one behind. */
static void die_before_it_is_told(void)
{
  int status;
  uint64_t last = last_transaction();
  pid_t pid = fork();
  if (pid == 0) {
    MDB_env *env;
    MDB_txn *txn;
    uint64_t *told = place_of_last(last);
    if (!told || mdb_env_create(&env) || mdb_env_open(env, fixture.dir, 0, 0600) ||
        mdb_txn_begin(env, NULL, 0, &txn))
      _exit(1);
    *told = last - 1;
    raise(SIGKILL);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFSIGNALED(status));
}

/* Its answer is there, and nobody is told of it: it is not asked for again, and not refused. */
Test(store_claims, one_that_was_killed_in_its_commit_has_its_answer)
{
  static const char *const rules[] = {"indoubt=resend", "indoubt=fail"};
  for (int i = 0; i < 2; i++) {
    struct caller caller = caller_of(&fixture, i ? "{\"prompt\":2}" : body);
    int status;
    fixture_rule(&fixture, rules[i]);
    pid_t pid = fork();
    if (pid == 0) {
      bool well =
          caller_enter(&caller) == IDEM_OWNED && caller_commit(&caller, "{\"answer\":1}") == IDEM_STORED;
      _exit(!well);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    die_before_it_is_told();
    cr_expect_eq(caller_ask(&caller, "{\"answer\":2}"), IDEM_HIT);
    cr_expect_str_eq(caller.body, "{\"answer\":1}");
    cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_in_doubt), 0);
  }
}

static bool none_goes(void *count, const uint8_t *key, const struct claim_record *record)
{
  (void)key;
  (void)record;
  ++*(unsigned *)count;
  return false;
}

static unsigned in_table(void)
{
  unsigned count = 0;
  claim_table_sweep(fixture.store->claim_table, &fixture.store->claims_file, NULL, none_goes, &count);
  return count;
}

/* Its owner was killed when the answer was there, and before it could say that its claim was over. */
Test(store_claims, one_that_has_come_to_an_answer_is_not_in_doubt)
{
  struct caller caller;
  fixture_rule(&fixture, "indoubt=fail");
  enter(&caller, body, false);
  struct claim_record left = {.version = 2,
                              .state = CLAIM_IN_FLIGHT,
                              .generation = caller.call.generation,
                              .started_us = clock_now_us()};
  uint8_t lock[8];
  memcpy(lock, caller.call.key, sizeof(lock));
  memcpy(left.fingerprint, caller.call.fingerprint, IDEM_KEY_SIZE);
  cr_assert_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
  cr_assert_eq(in_table(), 0);
  cr_assert_eq(claim_table_put(fixture.store->claim_table, lock, caller.call.key, &left), 0);
  struct caller again = caller_of(&fixture, body);
  again.call.skip_answers = true;
  cr_assert_eq(caller_enter(&again), IDEM_OWNED);
  cr_expect_not(again.call.resent);
  caller_leave(&again, false);
}

Test(store_claims, what_is_left_of_one_goes_with_its_answer)
{
  struct caller caller;
  enter(&caller, body, false);
  struct claim_record left = {
      .version = 2, .state = CLAIM_IN_FLIGHT, .generation = caller.call.generation, .started_us = 1};
  cr_assert_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
  cr_assert_eq(claim_table_put(fixture.store->claim_table, caller.call.key, caller.call.key, &left), 0);
  cr_assert_eq(in_table(), 1);
  cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, NULL), 0);
  cr_expect_eq(in_table(), 0);
}

/* More of the dead than the table has places for. */
Test(store_claims, where_the_table_has_no_room_they_stand_in_lmdb)
{
  enum { MANY = 9000 };
  uint64_t before = last_transaction();
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < MANY; i++) {
      char text[32];
      snprintf(text, sizeof(text), "{\"n\":%d}", i);
      struct caller caller = caller_of(&fixture, text);
      if (caller_enter(&caller) != IDEM_OWNED)
        _exit(1);
      caller.call.unknown = true;
      caller_leave(&caller, false);
    }
    _exit(0);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(status, 0);
  cr_expect_geq(last_transaction(), before + MANY - 4080);
  for (int i = 0; i < MANY; i += 100) {
    char text[32];
    struct caller caller;
    snprintf(text, sizeof(text), "{\"n\":%d}", i);
    enter(&caller, text, true);
    caller_commit(&caller, "{}");
    caller_leave(&caller, true);
    caller = caller_of(&fixture, text);
    caller.call.skip_answers = true;
    cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
    cr_expect_not(caller.call.resent, "%d", i);
    caller_leave(&caller, false);
  }
}

/* The writer was killed, or the power went, in the middle of a sector. */
Test(store_claims, half_of_one_is_none)
{
  struct caller caller;
  die_with(body, NULL);
  FILE *file = fopen(fixture.store->claims_file.path, "r+");
  cr_assert(file);
  struct stat status;
  cr_assert_eq(fstat(fileno(file), &status), 0);
  for (long at = 4096; at < status.st_size; at += 512) {
    fseek(file, at + 170, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, at + 170, SEEK_SET);
    fputc(byte ^ 1, file);
  }
  fclose(file);
  enter(&caller, body, false);
  caller_leave(&caller, false);
  cr_assert_eq(in_table(), 1, "the new one, which was released");
}

/* Whoever made it was killed: before it had its length, or before its head was written. */
Test(store_claims, a_file_that_was_not_made_to_its_end_is_made)
{
  static const off_t lengths[] = {0, 4096, 3 << 20};
  struct idem_error error;
  for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
    struct caller caller;
    idem_store_close(fixture.store);
    cr_assert_eq(truncate(fixture_path(&fixture, "claims"), 0), 0);
    cr_assert_eq(truncate(fixture_path(&fixture, "claims"), lengths[i]), 0);
    cr_assert_eq(idem_store_open(&fixture.store, &fixture.options, &error), 0, "%s", error.text);
    cr_assert_not_null(fixture.store->claim_table);
    die_with(body, NULL);
    enter(&caller, body, true);
    cr_expect_eq(in_table(), 1);
    caller_leave(&caller, false);
  }
}

Test(store_claims, a_file_of_another_layout_is_left_alone)
{
  struct idem_error error;
  struct caller caller;
  uint32_t layout[2] = {0x1de3c1a1, 2};
  FILE *file = fopen(fixture.store->claims_file.path, "r+");
  cr_assert(file && fwrite(layout, sizeof(layout), 1, file) == 1);
  fclose(file);
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
  cr_expect_null(fixture.store->claim_table);
  uint64_t before = last_transaction();
  die_with(body, NULL);
  cr_expect_eq(last_transaction(), before + 1);
  enter(&caller, body, true);
  cr_expect_eq(caller_commit(&caller, "{}"), IDEM_STORED);
  caller_leave(&caller, true);
}

/* Nothing was sent, and so the next try is the first. */
Test(store_claims, one_that_the_disk_does_not_keep_is_none)
{
  struct caller caller = caller_of(&fixture, body);
  fixture_rule(&fixture, "indoubt=fail");
  fixture.store->sync = true;
  for (int defers = 0; defers < 2; defers++) {
    caller.call = (struct idem_call)IDEM_CALL_INIT;
    caller.call.defers = defers;
    caller.request.headers = caller.headers;
    caller.request.rule = fixture.config.rules;
    power_takes_no_flush = true;
    int rc = idem_store_enter(fixture.store, &caller.request, &caller.call, &caller.error);
    if (defers) {
      cr_assert_eq(rc, IDEM_OWNED);
      rc = idem_store_sent(fixture.store, &caller.call, &caller.error);
    }
    cr_expect_eq(rc, -EIO, "%s", caller.error.text);
    power_takes_no_flush = false;
    caller_leave(&caller, false);
    enter(&caller, body, false);
    caller_leave(&caller, false);
  }
}
