/* SPDX-License-Identifier: MIT */
/* An app that closes our descriptors, or has files of its own under their numbers. */
#include "store/base/claim_lock.h"
#include "store/base/fd.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store_descriptors, .init = open_fixture, .fini = close_fixture, .timeout = 60);

enum { HIGHEST = 64 };

static const uint8_t key_a[32] = {1, 1, 1}, key_b[32] = {2, 2, 2};

static int take(const uint8_t *key)
{
  int claim = claim_lock_take(&fixture.store->claims_file, key);
  cr_assert_gt(claim, 0);
  return claim;
}

static bool is_held(const uint8_t *key, int *claim)
{
  return claim_lock_held(&fixture.store->claims_file, key, claim);
}

/* As another process would ask. */
static int is_taken(const uint8_t *key)
{
  int fd = open(fixture_path(&fixture, "claims"), O_RDWR | O_CLOEXEC), taken = claim_lock_taken(fd, key);
  close(fd);
  return taken;
}

Test(store_descriptors, a_number_that_comes_back_ends_what_was_there)
{
  int a = take(key_a), number = fd_number(a);
  close(number);
  int b = take(key_b);
  cr_assert_eq(fd_number(b), number);
  cr_expect_eq(fd_number(a), -EBADF);
  claim_lock_release(a, key_a);
  cr_expect_eq(fd_number(b), number);
  cr_expect_eq(is_taken(key_b), 1);
  claim_lock_release(b, key_b);
  cr_expect_eq(is_taken(key_b), 0);
  cr_expect_lt(fcntl(number, F_GETFD), 0);
}

Test(store_descriptors, a_claim_that_is_lost_is_taken_anew_when_it_is_asked_for)
{
  int a = take(key_a), before = a;
  close(fd_number(a));
  cr_expect_eq(is_taken(key_a), 0);
  cr_expect(is_held(key_a, &a));
  cr_expect_neq(a, before);
  cr_expect_eq(is_taken(key_a), 1);
  cr_expect_eq(fd_number(before), -ENOENT);
  claim_lock_release(a, key_a);
  cr_expect_eq(is_taken(key_a), 0);
}

Test(store_descriptors, a_claim_that_somebody_else_has_by_then_is_not)
{
  int a = take(key_a);
  close(fd_number(a));
  int other = take(key_a);
  cr_expect(!is_held(key_a, &a));
  cr_expect_eq(is_taken(key_a), 1);
  claim_lock_release(other, key_a);
}

Test(store_descriptors, a_place_that_was_ended_is_nobody_elses)
{
  int a = take(key_a);
  claim_lock_release(a, key_a);
  int b = take(key_b);
  cr_expect_neq(a, b);
  claim_lock_release(a, key_a);
  cr_expect(!is_held(key_a, &a));
  cr_expect_eq(is_taken(key_b), 1);
  claim_lock_release(b, key_b);
}

static bool is_of_store(int fd)
{
  char path[64], target[256] = "";
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return readlink(path, target, sizeof(target) - 1) > 0 && strstr(target, fixture.dir);
}

static bool is_locked(int fd)
{
  struct flock lock = {.l_type = F_WRLCK};
  return fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

static void ask(const char *body)
{
  struct caller caller = caller_of(&fixture, body);
  int verdict = caller_ask(&caller, "{\"answer\":1}");
  cr_expect(verdict == IDEM_OWNED || verdict == IDEM_HIT, "%s: %s", body, caller.error.text);
}

/* The app's file has the number from now on. */
static int rob(int fd)
{
  char body[32];
  struct stat status;
  if (!is_of_store(fd))
    return 0;
  int file = memfd_create("app", MFD_CLOEXEC);
  cr_assert_eq(dup2(file, fd), fd);
  snprintf(body, sizeof(body), "{\"file\":%ld}", (long)file + 100 * fd);
  ask(body);
  ask(body);
  cr_expect(fstat(fd, &status) == 0 && status.st_size == 0 && lseek(fd, 0, SEEK_CUR) == 0, "%d", fd);
  cr_expect(!is_locked(fd), "%d", fd);
  return 1;
}

/* The lock file, the data file, what is written to it at once, and the claims: each alone, for what comes
 * after them is opened anew. */
Test(store_descriptors, no_file_of_the_apps_under_a_number_of_ours_is_touched)
{
  int robbed = 0;
  struct idem_error error;
  fixture.options.sync = true;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0);
  ask("{\"first\":true}");
  for (int fd = HIGHEST; fd >= 3; fd--)
    robbed += rob(fd);
  for (int fd = 3; fd < HIGHEST; fd++)
    robbed += rob(fd);
  cr_expect_geq(robbed, 4);
}

Test(store_descriptors, none_of_the_apps_is_closed_with_the_store)
{
  int app = memfd_create("app", MFD_CLOEXEC), robbed = 0;
  ask("{\"first\":true}");
  for (int fd = 3; fd < HIGHEST; fd++)
    if (is_of_store(fd) && dup2(app, fd) == fd)
      robbed++;
  idem_store_close(fixture.store);
  fixture.store = NULL;
  for (int fd = 3; fd < HIGHEST; fd++)
    robbed -= fd != app && fcntl(fd, F_GETFD) >= 0 && !is_of_store(fd);
  cr_expect_leq(robbed, 0);
}

static int count_of_store(void)
{
  int count = 0;
  for (int fd = 3; fd < HIGHEST; fd++)
    count += is_of_store(fd);
  return count;
}

/* The lock file's stays. */
Test(store_descriptors, what_was_given_back_is_taken_back_to_write)
{
  fixture.store->leave_us = 0;
  ask("{\"known\":true}");
  struct caller caller = caller_of(&fixture, "{\"known\":true}");
  cr_assert_eq(count_of_store(), 4);
  idem_store_give_back(fixture.store);
  cr_expect_eq(count_of_store(), 1);
  cr_expect_eq(caller_ask(&caller, "{\"again\":1}"), IDEM_HIT);
  cr_expect_eq(count_of_store(), 1);
  caller = caller_of(&fixture, "{\"new\":true}");
  cr_expect_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
  cr_expect_eq(count_of_store(), 3);
  idem_store_give_back(fixture.store);
  caller = caller_of(&fixture, "{\"new\":true}");
  cr_expect_eq(caller_ask(&caller, "{\"again\":1}"), IDEM_HIT);
}

Test(store_descriptors, what_the_app_has_by_then_is_not_taken_back)
{
  int file = memfd_create("app", MFD_CLOEXEC);
  bool ours[HIGHEST];
  struct stat status;
  ask("{\"known\":true}");
  for (int fd = 3; fd < HIGHEST; fd++)
    ours[fd] = is_of_store(fd);
  idem_store_give_back(fixture.store);
  for (int fd = 3; fd < HIGHEST; fd++)
    if (ours[fd] && !is_of_store(fd))
      cr_assert_eq(dup2(file, fd), fd);
  struct caller caller = caller_of(&fixture, "{\"new\":true}");
  caller.request.headers = caller.headers;
  caller.request.rule = fixture.config.rules;
  cr_expect_eq(idem_store_enter(fixture.store, &caller.request, &caller.call, &caller.error), -EMFILE);
  cr_expect(fstat(file, &status) == 0 && status.st_size == 0);
  caller = caller_of(&fixture, "{\"known\":true}");
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
  for (int fd = 3; fd < HIGHEST; fd++)
    if (ours[fd] && !is_of_store(fd))
      close(fd);
  caller = caller_of(&fixture, "{\"new\":true}");
  cr_expect_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
}

/* Opens the store as the only one that has its lock does: with a table of readers that begins anew. */
static int open_elsewhere(void)
{
  struct idem_error error;
  struct idem_store *store;
  for (int fd = 3; fd < HIGHEST; fd++)
    if (is_of_store(fd))
      close(fd);
  struct caller caller = caller_of(&fixture, "{\"elsewhere\":true}");
  return caller_ask(&caller, "{}") == IDEM_OWNED && idem_store_open(&store, &fixture.options, &error) == 0;
}

Test(store_descriptors, an_answer_is_found_after_another_process_has_begun_the_table_of_readers_anew)
{
  int status;
  ask("{\"known\":true}");
  struct caller caller = caller_of(&fixture, "{\"known\":true}");
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT);
  for (int fd = 3; fd < HIGHEST; fd++)
    if (is_of_store(fd))
      close(fd);
  pid_t pid = fork();
  if (pid == 0)
    _exit(open_elsewhere() ? 0 : 1);
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_expect_eq(status, 0);
  caller = caller_of(&fixture, "{\"known\":true}");
  cr_expect_eq(caller_ask(&caller, ""), IDEM_HIT, "%s", caller.error.text);
}
