/* SPDX-License-Identifier: MIT */
/* A store that something else has written to: a miss or an error, and never the end of the app. */
#include "store/lmdb/engine.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWERS = 60, PAGE = 4096 };

static struct caller numbered(int i)
{
  static char body[64];
  snprintf(body, sizeof(body), "{\"n\":%d}", i);
  struct caller caller = caller_of(&fixture, body);
  if (i % 3 == 0) {
    static char key[64];
    snprintf(key, sizeof(key), "Idempotency-Key: %d", i);
    caller_header(&caller, key);
  }
  return caller;
}

/* Answers of a few hundred bytes up to some pages, claims in flight and pages that have been freed. */
static void open_filled(void)
{
  static char answer[20000];
  open_fixture();
  fixture.store->leave_us = 0;
  for (int i = 0; i < ANSWERS; i++) {
    struct caller caller = numbered(i);
    snprintf(answer, sizeof(answer), "{\"a\":\"%*d\"}", i % 5 ? 100 : 15000, i);
    caller_ask(&caller, answer);
    struct idem_error error;
    if (i % 7 == 0)
      idem_store_remove(fixture.store, caller.call.id, &error);
  }
}

TestSuite(store_damage, .init = open_filled, .fini = close_fixture, .timeout = 120);

static int look(void *arg, const struct idem_answer *answer)
{
  size_t *sum = arg;
  for (size_t i = 0; i < answer->body.len; i++)
    *sum += (unsigned char)answer->body.data[i];
  return 0;
}

/* Everything that a process does with a store. What it returns does not matter; that it returns does. */
static void use_store(void)
{
  struct idem_error error;
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, JSON_HEADERS, "{\"fresh\":1}");
  struct idem_gc gc;
  struct idem_verify verify;
  size_t sum = 0;

  alarm(20);
  if (fixture_reopen(&fixture, &error) < 0)
    return;
  for (int i = 0; i < ANSWERS + 5; i++) {
    struct caller caller = numbered(i);
    caller.request.headers = caller.headers;
    caller.request.rule = fixture.config.rules;
    int verdict = idem_store_enter(fixture.store, &caller.request, &caller.call, &error);
    if (verdict == IDEM_HIT)
      look(&sum, &caller.call.answer);
    if (verdict == IDEM_OWNED)
      idem_store_commit(fixture.store, &caller.call, &caller.request, &recording, &error);
    if (verdict >= 0)
      idem_store_leave(fixture.store, &caller.call, true);
  }
  idem_store_each(fixture.store, IDEM_OLDEST_FIRST, look, &sum, &error);
  idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error);
  idem_store_gc(fixture.store, &gc, NULL, NULL, &error);
  idem_store_close(fixture.store);
}

static size_t read_file(char **data)
{
  struct stat stat;
  int fd = open(fixture_path(&fixture, "data.mdb"), O_RDONLY);
  cr_assert_eq(fstat(fd, &stat), 0);
  *data = malloc((size_t)stat.st_size);
  cr_assert_eq(read(fd, *data, (size_t)stat.st_size), stat.st_size);
  close(fd);
  return (size_t)stat.st_size;
}

static void write_file(const char *data, size_t size)
{
  int fd = open(fixture_path(&fixture, "data.mdb"), O_WRONLY | O_TRUNC);
  cr_assert_eq(write(fd, data, size), (ssize_t)size);
  close(fd);
}

/* Runs use_store() in a child over `data`; fails if a signal ends it. */
static void survives(const char *data, size_t size, const char *what, unsigned seed)
{
  int status;
  write_file(data, size);
  pid_t child = fork();
  if (child == 0) {
    use_store();
    _exit(0);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s, seed %u: signal %d, status %d", what, seed,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}

/* A page of a tree is hit at its head or its nodes; most others hold answers, which say nothing of LMDB. */
static size_t random_place(const char *data, size_t size, unsigned *seed)
{
  for (int i = 0; i < 200; i++) {
    size_t page = (size_t)rand_r(seed) % (size / PAGE) * PAGE;
    uint16_t flags;
    memcpy(&flags, data + page + 10, sizeof(flags));
    if (flags & 0x0b && rand_r(seed) % 2)
      return page + (size_t)rand_r(seed) % 64;
    if (flags & 0x0b)
      return page + (size_t)rand_r(seed) % PAGE;
  }
  return (size_t)rand_r(seed) % size;
}

static unsigned rounds(unsigned usual)
{
  const char *asked = getenv("IDEM_TEST_ROUNDS");
  return asked ? (unsigned)strtoul(asked, NULL, 10) : usual;
}

Test(store_damage, random_flips_anywhere_kill_nobody)
{
  char *data;
  size_t size;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  size = read_file(&data);
  char *bad = malloc(size);
  for (unsigned round = 0; round < rounds(150); round++) {
    unsigned seed = round;
    memcpy(bad, data, size);
    for (int flips = 1 + rand_r(&seed) % 8; flips > 0; flips--)
      bad[(size_t)rand_r(&seed) % size] ^= (char)(1 << rand_r(&seed) % 8);
    survives(bad, size, "flips anywhere", round);
  }
  free(bad);
  free(data);
}

Test(store_damage, flips_in_the_trees_kill_nobody)
{
  char *data;
  size_t size;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  size = read_file(&data);
  char *bad = malloc(size);
  for (unsigned round = 0; round < rounds(300); round++) {
    unsigned seed = round;
    memcpy(bad, data, size);
    for (int flips = 1 + rand_r(&seed) % 4; flips > 0; flips--)
      bad[random_place(data, size, &seed)] = (char)rand_r(&seed);
    survives(bad, size, "flips in trees", round);
  }
  free(bad);
  free(data);
}

Test(store_damage, a_file_cut_anywhere_kills_nobody)
{
  char *data;
  size_t size;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  size = read_file(&data);
  for (size_t left = 0; left < size; left += left < 3 * PAGE ? 512 : 5 * PAGE + 17)
    survives(data, left, "cut", (unsigned)left);
  free(data);
}

Test(store_damage, garbage_is_no_store)
{
  struct idem_error error;
  char data[4 * PAGE];
  idem_store_close(fixture.store);
  fixture.store = NULL;
  memset(data, 0xa5, sizeof(data));
  write_file(data, sizeof(data));
  cr_expect_lt(fixture_reopen(&fixture, &error), 0);
  cr_expect_neq(error.text[0], '\0');
}

/* Flips a byte of an answer's body, wherever it is in the file. */
static void flip_body(const char *body)
{
  char *data;
  size_t size = read_file(&data);
  int fd = open(fixture_path(&fixture, "data.mdb"), O_WRONLY);
  unsigned found = 0;
  for (char *at = data; (at = memmem(at, size - (size_t)(at - data), body, strlen(body))); at++, found++)
    cr_assert_eq(pwrite(fd, "#", 1, at - data + 3), 1);
  cr_assert_gt(found, 0);
  close(fd);
  free(data);
}

Test(store_damage, a_damaged_answer_is_a_miss_and_then_replaced)
{
  struct caller caller = caller_of(&fixture, "{\"damaged\":1}");
  struct idem_error error;
  cr_assert_eq(caller_ask(&caller, "{\"find me\":1}"), IDEM_OWNED);
  flip_body("{\"find me\":1}");
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  cr_assert_eq(caller_ask(&caller, "{\"second\":1}"), IDEM_OWNED);
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
  cr_expect_str_eq(caller.body, "{\"second\":1}");
  cr_expect_geq(fixture_counter(&fixture, IDEM_COUNTER_damaged), 1);
}

static unsigned told;

static void tell(void *arg, const char *what)
{
  (void)arg;
  (void)what;
  told++;
}

Test(store_damage, verify_finds_what_is_damaged_and_changes_nothing)
{
  struct caller caller = caller_of(&fixture, "{\"damaged\":1}");
  struct idem_error error;
  struct idem_verify verify;
  cr_assert_eq(caller_ask(&caller, "{\"find me\":1}"), IDEM_OWNED);
  cr_assert_eq(idem_store_verify(fixture.store, &verify, tell, NULL, NULL, &error), 0);
  cr_expect_eq(verify.damaged + verify.strays, 0, "%lu damaged, %lu strays", verify.damaged, verify.strays);
  cr_expect_eq(told, 0);
  flip_body("{\"find me\":1}");
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(idem_store_verify(fixture.store, &verify, tell, NULL, NULL, &error), 0);
    cr_expect_eq(verify.damaged, 1);
    cr_expect_eq(told, (unsigned)i + 1);
  }
}

/* In a child: whether a first write goes well in a store that is damaged elsewhere. */
static bool writes_beside_damage(void)
{
  struct idem_error error;
  struct idem_verify verify;
  struct caller caller = caller_of(&fixture, "{\"fresh\":1}");
  if (fixture_reopen(&fixture, &error) < 0)
    return false;
  caller.request.headers = caller.headers;
  caller.request.rule = fixture.config.rules;
  return idem_store_enter(fixture.store, &caller.request, &caller.call, &error) == IDEM_OWNED &&
         caller_commit(&caller, "{}") == IDEM_STORED &&
         idem_store_verify(fixture.store, &verify, NULL, NULL, NULL, &error) == 0 && verify.damaged > 0;
}

/* What a write checks is what it touches, however large the store; the rest is for verify to find. */
Test(store_damage, a_page_that_a_write_does_not_touch_is_in_nobodys_way)
{
  enum { FLAGS = 10, LOWER = 12, LEAF = 2 };
  unsigned leaves = 0, unharmed = 0;
  char *data;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  size_t size = read_file(&data);
  for (size_t page = 2 * PAGE; page < size; page += PAGE) {
    int status;
    if (data[page + FLAGS] != LEAF)
      continue;
    leaves++;
    data[page + LOWER] ^= 1;
    write_file(data, size);
    data[page + LOWER] ^= 1;
    pid_t child = fork();
    if (child == 0)
      _exit(writes_beside_damage());
    cr_assert_eq(waitpid(child, &status, 0), child);
    unharmed += WIFEXITED(status) && WEXITSTATUS(status) == 1;
  }
  cr_expect_gt(unharmed, 0, "of %u leaves", leaves);
  free(data);
}

/* Names on some leaves side by side. */
static int put_many(struct writer *writer, void *unused)
{
  (void)unused;
  int rc = 0;
  for (int i = 0; i < 256 && rc == 0; i++) {
    const uint8_t name[IDEM_KEY_SIZE] = {(uint8_t)i};
    rc = writer_put(writer, PAGES_RAW, name, sizeof(name), name, sizeof(name));
  }
  return rc;
}

/* One in the middle, which was not there before this transaction. */
static int put_one(struct writer *writer, void *deletes)
{
  static const uint8_t name[IDEM_KEY_SIZE] = {128, 1};
  int rc = writer_put(writer, PAGES_RAW, name, sizeof(name), name, sizeof(name));
  return rc == 0 && deletes ? writer_delete(writer, PAGES_RAW, name, sizeof(name)) : rc;
}

/* In a child. */
static bool puts_one(bool deletes)
{
  struct idem_error error;
  int status;
  pid_t child = fork();
  if (child == 0)
    _exit(fixture_reopen(&fixture, &error) == 0 &&
          state_write(fixture.store, put_one, deletes ? &deletes : NULL, &error) == 0);
  cr_assert_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

/* LMDB may merge the page of a key that goes with a neighbour, also if its transaction
 * has put the key itself. */
Test(store_damage, a_key_is_not_deleted_beside_a_page_that_is_damaged)
{
  enum { FLAGS = 10, LOWER = 12, LEAF = 2 };
  unsigned refused = 0;
  struct idem_error error;
  char *data;
  cr_assert_eq(state_write(fixture.store, put_many, NULL, &error), 0);
  idem_store_close(fixture.store);
  fixture.store = NULL;
  size_t size = read_file(&data);
  for (size_t page = 2 * PAGE; page < size; page += PAGE) {
    if (data[page + FLAGS] != LEAF)
      continue;
    data[page + LOWER] ^= 1;
    write_file(data, size);
    bool put = puts_one(false);
    write_file(data, size);
    refused += put && !puts_one(true);
    data[page + LOWER] ^= 1;
  }
  cr_expect_gt(refused, 0);
  free(data);
}
