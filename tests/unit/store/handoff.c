/* SPDX-License-Identifier: MIT */
/* When a claim is recorded, what stays in doubt, and how a copy of the process takes a call over. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(store_part, .init = open_fixture, .fini = close_fixture, .timeout = 60);

static const char body[] = "{\"prompt\":1}";

/* As a caller that says when it sends. */
static void own(struct caller *caller)
{
  caller->call.defers = true;
  cr_assert_eq(caller_enter(caller), IDEM_OWNED);
}

static void send_it(struct caller *caller)
{
  cr_assert_eq(idem_store_sent(fixture.store, &caller->call, &caller->error), 0, "%s", caller->error.text);
}

/* A child owns it, sends it or not, and dies. */
static void die_owning(bool sent)
{
  pid_t child = fork();
  if (child == 0) {
    struct caller caller = caller_of(&fixture, body);
    own(&caller);
    if (sent)
      send_it(&caller);
    kill(getpid(), SIGKILL);
  }
  cr_assert_eq(waitpid(child, NULL, 0), child);
}

Test(store_part, an_owner_that_dies_before_it_sends_leaves_nothing)
{
  die_owning(false);
  fixture_rule(&fixture, "indoubt=fail");
  struct caller caller = caller_of(&fixture, body);
  own(&caller);
  cr_expect(!caller.call.resent);
  caller_leave(&caller, false);
}

Test(store_part, one_that_dies_after_leaves_it_in_doubt)
{
  die_owning(true);
  struct caller caller = caller_of(&fixture, body);
  own(&caller);
  cr_expect(caller.call.resent);
  caller_leave(&caller, false);
  fixture_rule(&fixture, "indoubt=fail");
  struct caller next = caller_of(&fixture, body);
  cr_expect_eq(caller_enter(&next), IDEM_IN_DOUBT, "the second owner has sent nothing");
  caller_leave(&next, false);
}

Test(store_part, an_unknown_outcome_is_in_doubt_with_the_same_key_until_there_is_an_answer)
{
  char key[37];
  struct caller first = caller_of(&fixture, body);
  own(&first);
  strcpy(key, first.call.upstream_key);
  send_it(&first);
  first.call.unknown = true;
  caller_leave(&first, false);
  for (int i = 0; i < 3; i++) {
    struct caller again = caller_of(&fixture, body);
    own(&again);
    cr_expect(again.call.resent == (i < 2));
    cr_expect_str_eq(again.call.upstream_key, key);
    send_it(&again);
    again.call.unknown = i == 0; /* the others have an outcome that is no answer */
    caller_leave(&again, false);
  }
  struct caller last = caller_of(&fixture, body);
  cr_expect_eq(caller_ask(&last, "{\"answer\":1}"), IDEM_OWNED);
  cr_expect_str_eq(last.call.upstream_key, key);
}

Test(store_part, a_call_that_was_not_sent_is_not_committed)
{
  struct caller caller = caller_of(&fixture, body);
  own(&caller);
  cr_expect_eq(caller_commit(&caller, "{}"), IDEM_SUPERSEDED);
  caller_leave(&caller, false);
}

Test(store_part, there_are_so_many_places_and_the_kernel_frees_them)
{
  struct caller one = caller_of(&fixture, body), two = caller_of(&fixture, "{\"prompt\":2}");
  own(&one);
  struct idem_parting parting;
  cr_assert_eq(caller_enter(&two), IDEM_OWNED);
  cr_expect_eq(idem_store_part(fixture.store, &one.call, 0, &parting), -EAGAIN);
  pid_t child = -1;
  if (idem_store_part(fixture.store, &one.call, 1, &parting) == 0) {
    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    idem_store_parted(fixture.store, &one.call, child == 0 ? IDEM_PARTED_COPY : IDEM_PARTED_OWNER);
  }
  if (child == 0)
    for (;;)
      pause();
  cr_assert_gt(child, 0);
  cr_expect_eq(idem_store_part(fixture.store, &two.call, 1, &parting), -EAGAIN);
  kill(child, SIGKILL);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  cr_assert_eq(idem_store_part(fixture.store, &two.call, 1, &parting), 0);
  idem_store_parted(fixture.store, &two.call, IDEM_PARTED_FAILED);
  caller_leave(&one, false);
  caller_leave(&two, false);
}

/* By a plain system call, which runs no fork handlers. */
static pid_t copy_of(struct caller *caller, enum idem_parted owner)
{
  struct idem_parting parting;
  cr_assert_eq(idem_store_part(fixture.store, &caller->call, 4, &parting), 0);
  pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  idem_store_parted(fixture.store, &caller->call, child == 0 ? IDEM_PARTED_COPY : owner);
  return child;
}

Test(store_part, a_copy_commits_what_its_owner_has_given_up)
{
  struct caller caller = caller_of(&fixture, body);
  own(&caller);
  int go[2];
  cr_assert_eq(pipe(go), 0);
  send_it(&caller);
  pid_t child = copy_of(&caller, IDEM_PARTED_OWNER);
  if (child == 0) {
    char byte;
    bool stored = read(go[0], &byte, 1) == 1 && caller_commit(&caller, "{\"answer\":1}") == IDEM_STORED;
    idem_store_leave(fixture.store, &caller.call, false);
    _exit(stored ? 0 : 1);
  }
  caller_leave(&caller, false);
  struct caller next = caller_of(&fixture, body);
  cr_expect_eq(caller_enter(&next), IDEM_BUSY, "the claim is the copy's");
  caller_leave(&next, false);
  cr_assert_eq(write(go[1], "", 1), 1);
  cr_expect_eq(caller_ask(&next, "{\"answer\":2}"), IDEM_HIT);
  cr_expect_str_eq(next.body, "{\"answer\":1}");
  int status = -1;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_expect_eq(status, 0);
}

Test(store_part, an_owner_that_is_guarded_frees_the_claim_for_both)
{
  struct caller caller = caller_of(&fixture, body);
  own(&caller);
  send_it(&caller);
  pid_t child = copy_of(&caller, IDEM_PARTED_BOTH);
  if (child == 0)
    for (;;)
      pause();
  caller_leave(&caller, false);
  struct caller next = caller_of(&fixture, body);
  cr_expect_eq(caller_enter(&next), IDEM_OWNED);
  caller_leave(&next, false);
  kill(child, SIGKILL);
  cr_assert_eq(waitpid(child, NULL, 0), child);
}
