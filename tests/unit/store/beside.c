/* SPDX-License-Identifier: MIT */
/* A call that goes out beside the owner of its operation, and the places in which owners are seen. */
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(store_beside, .init = open_fixture, .fini = close_fixture, .timeout = 60);

static const char body[] = "{\"prompt\":1}";

static void own(struct caller *caller)
{
  *caller = caller_of(&fixture, body);
  caller->call.defers = true;
  cr_assert_eq(caller_enter(caller), IDEM_OWNED);
}

static void send_it(struct caller *caller)
{
  cr_assert_eq(idem_store_sent(fixture.store, &caller->call, &caller->error), 0, "%s", caller->error.text);
}

/* Finds an owner, and waits for it no longer. */
static void pass(struct caller *caller, int verdict)
{
  *caller = caller_of(&fixture, body);
  caller->call.defers = true;
  cr_assert_eq(caller_enter(caller), IDEM_BUSY);
  caller_leave(caller, false);
  caller->call.passed++;
  cr_assert_eq(caller_enter(caller), verdict);
  cr_expect(verdict == IDEM_BUSY || caller->call.beside);
}

static void expect_answer(const char *text)
{
  struct caller caller = caller_of(&fixture, body);
  cr_assert_eq(caller_ask(&caller, "{}"), IDEM_HIT);
  cr_expect_str_eq(caller.body, text);
}

static void expect_no_doubt(void)
{
  struct caller caller = caller_of(&fixture, body);
  caller.call.defers = caller.call.skip_answers = true;
  cr_assert_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect(!caller.call.resent);
  caller_leave(&caller, false);
}

Test(store_beside, it_has_the_upstream_key_of_the_owner)
{
  struct caller owner, beside;
  own(&owner);
  pass(&beside, IDEM_OWNED);
  cr_expect_str_eq(beside.call.upstream_key, owner.call.upstream_key);
  caller_leave(&beside, false);
  send_it(&owner);
  pass(&beside, IDEM_OWNED);
  cr_expect_str_eq(beside.call.upstream_key, owner.call.upstream_key);
  cr_expect(!beside.call.resent);
  caller_leave(&beside, false);
  caller_leave(&owner, false);
  expect_no_doubt();
}

Test(store_beside, the_first_answer_is_kept)
{
  struct caller owner;
  own(&owner);
  send_it(&owner);
  struct caller beside;
  pass(&beside, IDEM_OWNED);
  send_it(&beside);
  cr_expect_eq(caller_commit(&beside, "{\"beside\":1}"), IDEM_STORED);
  caller_leave(&beside, true);
  cr_expect_eq(caller_commit(&owner, "{\"owner\":1}"), IDEM_SUPERSEDED);
  caller_leave(&owner, true);
  expect_answer("{\"beside\":1}");
}

Test(store_beside, also_if_it_is_the_owner_s)
{
  struct caller owner;
  own(&owner);
  send_it(&owner);
  struct caller beside;
  pass(&beside, IDEM_OWNED);
  send_it(&beside);
  cr_expect_eq(caller_commit(&owner, "{\"owner\":1}"), IDEM_STORED);
  caller_leave(&owner, true);
  cr_expect_eq(caller_commit(&beside, "{\"beside\":1}"), IDEM_SUPERSEDED);
  caller_leave(&beside, true);
  expect_answer("{\"owner\":1}");
}

/* It writes a record of its own when it goes on, which must not stay in doubt. */
Test(store_beside, an_owner_that_sends_later_does_not_overwrite)
{
  struct caller owner, beside;
  own(&owner);
  pass(&beside, IDEM_OWNED);
  send_it(&beside);
  cr_expect_eq(caller_commit(&beside, "{\"beside\":1}"), IDEM_STORED);
  caller_leave(&beside, true);
  send_it(&owner);
  cr_expect_eq(caller_commit(&owner, "{\"owner\":1}"), IDEM_SUPERSEDED);
  caller_leave(&owner, true);
  expect_answer("{\"beside\":1}");
  expect_no_doubt();
}

Test(store_beside, an_answer_that_was_there_before_is_replaced)
{
  struct caller first = caller_of(&fixture, body);
  cr_assert_eq(caller_ask(&first, "{\"old\":1}"), IDEM_OWNED);
  fixture_rule(&fixture, "access=write");
  struct caller owner = caller_of(&fixture, body);
  owner.call.defers = owner.call.skip_answers = true;
  cr_assert_eq(caller_enter(&owner), IDEM_OWNED);
  send_it(&owner);
  cr_expect_eq(caller_commit(&owner, "{\"new\":1}"), IDEM_STORED);
  caller_leave(&owner, true);
  fixture_rule(&fixture, "");
  expect_answer("{\"new\":1}");
}

Test(store_beside, one_that_comes_to_nothing_leaves_nothing)
{
  struct caller owner, beside;
  own(&owner);
  pass(&beside, IDEM_OWNED);
  send_it(&beside);
  caller_leave(&beside, false);
  caller_leave(&owner, false);
  expect_no_doubt();
}

/* What has gone out beside an owner that had not sent, and has died since, may have been answered. */
Test(store_beside, one_that_dies_is_in_doubt)
{
  struct caller owner;
  own(&owner);
  pid_t child = fork();
  if (child == 0) {
    struct caller beside;
    pass(&beside, IDEM_OWNED);
    send_it(&beside);
    kill(getpid(), SIGKILL);
  }
  cr_assert_eq(waitpid(child, NULL, 0), child);
  caller_leave(&owner, false);
  struct caller next;
  own(&next);
  cr_expect(next.call.resent);
  cr_expect_str_eq(next.call.upstream_key, owner.call.upstream_key);
  caller_leave(&next, false);
}

Test(store_beside, one_at_a_time_is_out_there)
{
  struct caller owner, beside, third;
  own(&owner);
  pass(&beside, IDEM_OWNED);
  pass(&third, IDEM_BUSY);
  cr_expect_neq(idem_store_wait(fixture.store, &third.call, 1), 0);
  caller_leave(&owner, false);
  cr_expect_eq(caller_enter(&third), IDEM_BUSY);
  cr_expect_eq(caller_commit(&beside, "{\"beside\":1}"), IDEM_STORED);
  caller_leave(&beside, true);
  cr_expect_eq(idem_store_wait(fixture.store, &third.call, 1), 0);
  caller_leave(&third, false);
  expect_answer("{\"beside\":1}");
}

/* There an identical call in flight is another sample, and nobody waits for it. */
Test(store_beside, a_fresh_sample_passes_nobody)
{
  fixture_rule(&fixture, "repeats=fresh");
  struct caller owner, other = caller_of(&fixture, body);
  own(&owner);
  other.call.defers = true;
  other.call.passed = IDEM_PASS_ALL;
  cr_assert_eq(caller_enter(&other), IDEM_OWNED);
  cr_expect(!other.call.beside);
  cr_expect_eq(other.call.sequence, 1);
  caller_leave(&other, false);
  caller_leave(&owner, false);
}

Test(store_beside, at_most_once_refuses_it)
{
  struct caller owner;
  own(&owner);
  fixture_rule(&fixture, "indoubt=fail");
  struct caller beside;
  pass(&beside, IDEM_IN_DOUBT);
  caller_leave(&beside, false);
  send_it(&owner);
  pass(&beside, IDEM_IN_DOUBT);
  caller_leave(&beside, false);
  caller_leave(&owner, false);
}

/* Places. */

static const char key_text[] = "00000000-0000-4000-8000-000000000000";

static struct owners *open_owners(void)
{
  return aligned_alloc(64, sizeof(struct owners));
}

/* All of one bucket. */
static const uint8_t *key(uint64_t number)
{
  static uint8_t key[IDEM_KEY_SIZE];
  number = (number + 1) * 2 * OWNER_BUCKETS;
  memcpy(key, &number, sizeof(number));
  return key;
}

Test(store_beside, no_two_claims_share_a_place)
{
  struct owners *owners = memset(open_owners(), 0, sizeof(*owners));
  struct owner *taken[OWNER_PLACES];
  for (unsigned i = 0; i < OWNER_PLACES; i++) {
    cr_assert_not_null(taken[i] = owner_take(owners, key(i), key_text));
    for (unsigned j = 0; j < i; j++)
      cr_assert_neq(taken[i], taken[j]);
  }
  cr_expect_null(owner_take(owners, key(OWNER_PLACES), key_text));
  cr_expect_eq(owner_find(owners, key(3)), taken[3]);
  owner_give(owners, taken[3], taken[3]->number + 1, key(3));
  cr_expect_eq(owner_find(owners, key(3)), taken[3]);
  owner_give(owners, taken[3], taken[3]->number, key(3));
  cr_expect_null(owner_find(owners, key(3)));
  cr_expect_eq(owner_take(owners, key(OWNER_PLACES), key_text), taken[3]);
  free(owners);
}

/* Only claims that nobody has are dead. */
Test(store_beside, places_of_the_dead_are_given_on)
{
  struct owners *owners = memset(open_owners(), 0, sizeof(*owners));
  struct caller owner;
  own(&owner);
  const uint8_t *live = owner.call.key;
  cr_assert_not_null(owner_take(owners, live, key_text));
  for (unsigned i = 0; i + 1 < OWNER_PLACES; i++) {
    uint8_t dead[IDEM_KEY_SIZE];
    uint64_t number;
    memcpy(&number, live, sizeof(number));
    number += (i + 1) * 2 * OWNER_BUCKETS;
    memcpy(dead, &number, sizeof(number));
    cr_assert_not_null(owner_take(owners, dead, key_text));
  }
  owner_sweep(owners, live, &fixture.store->claims_file);
  cr_expect_not_null(owner_find(owners, live));
  unsigned left = 0;
  for (unsigned i = 0; i < OWNER_BUCKETS; i++)
    for (unsigned j = 0; j < OWNER_PLACES; j++)
      left += owners->bucket[i].tag[j] != 0;
  cr_expect_eq(left, 1, "%u", left);
  caller_leave(&owner, false);
  free(owners);
}

static void nap(void)
{
  nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

static void follow(struct caller *caller)
{
  *caller = caller_of(&fixture, body);
  cr_assert_eq(caller_enter(caller), IDEM_BUSY);
}

/* A loop that is seen to turn is waited for; one that is in a callback of this process is not. */
Test(store_beside, an_owner_in_a_callback_has_stalled)
{
  struct caller owner, follower;
  own(&owner);
  follow(&follower);
  idem_store_sign(&owner.call, IDEM_SIGN_TURN);
  for (int i = 0; i < 40; i++, nap()) {
    cr_expect_null(idem_store_stalled(fixture.store, &follower.call, false));
    idem_store_sign(&owner.call, i % 2 ? IDEM_SIGN_CALLBACK : IDEM_SIGN_CALLBACK_END);
  }
  idem_store_sign(&owner.call, IDEM_SIGN_CALLBACK);
  const char *why = NULL;
  for (int i = 0; i < 200 && !why; i++, nap())
    why = idem_store_stalled(fixture.store, &follower.call, false);
  cr_assert(why && strstr(why, "callback"), "%s", why);
  idem_store_sign(&owner.call, IDEM_SIGN_CALLBACK_END);
  cr_expect_null(idem_store_stalled(fixture.store, &follower.call, false));
  caller_leave(&follower, false);
  caller_leave(&owner, false);
}

/* As one whose process has a page of another layout. */
Test(store_beside, an_owner_without_a_place_is_waited_for)
{
  struct caller owner, follower;
  own(&owner);
  struct idem_call *call = &owner.call;
  owner_give(&fixture.store->stats->owners, call->priv.owner, call->priv.owner_number, call->key);
  call->priv.owner = NULL;
  follow(&follower);
  cr_expect_null(idem_store_stalled(fixture.store, &follower.call, false));
  cr_expect_neq(idem_store_wait(fixture.store, &follower.call, 10), 0);
  send_it(&owner);
  cr_expect_eq(caller_commit(&owner, "{\"owner\":1}"), IDEM_STORED);
  caller_leave(&owner, true);
  cr_expect_eq(idem_store_wait(fixture.store, &follower.call, 10), 0);
  caller_leave(&follower, false);
  expect_answer("{\"owner\":1}");
}

/* Its child has a copy of the call, and is not its owner. */
Test(store_beside, a_child_shows_nothing)
{
  struct caller owner;
  own(&owner);
  idem_store_sign(&owner.call, IDEM_SIGN_TURN);
  uint32_t before = owner.call.priv.owner->inside;
  pid_t child = fork();
  if (child == 0) {
    idem_store_sign(&owner.call, IDEM_SIGN_CALLBACK);
    caller_leave(&owner, false);
    _exit(0);
  }
  cr_assert_eq(waitpid(child, NULL, 0), child);
  cr_expect_eq(owner.call.priv.owner->inside, before);
  cr_expect_eq(owner.call.priv.owner->pid, (uint32_t)getpid());
  struct caller follower;
  follow(&follower);
  caller_leave(&follower, false);
  caller_leave(&owner, false);
}
