/* SPDX-License-Identifier: MIT */
/* What the store asks of a fleet, and when: the fleet is one of this file, which notes what it is asked. */
#include "store/call/shared.h"
#include "store/base/clock.h"
#include "store/records/outbox.h"
#include "store/state/fleet_store.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct {
  int looks;                           /* for removals; each takes so long */
  int64_t look_us, limit_us, until_us; /* what the last had, and what its writes may wait for */
  const uint8_t *removed;              /* an operation that it tells of then; NULL: none */
  int claim_says;                      /* of one that is pushed: it is what asks while `pushes` */
  int commit_says;                     /* 1: it is stored */
  bool pushes;                         /* from now on a claim of `key` is a push */
  uint8_t key[IDEM_KEY_SIZE];
  int pushed; /* how often that was claimed */
} asked = {.commit_says = 1};

static int removed(struct idem_fleet_client *client, idem_fleet_limit *limit, idem_fleet_removed *visit,
                   void *arg)
{
  (void)client;
  asked.looks++;
  asked.limit_us = *limit;
  asked.until_us = gate_until(0);
  gate_until(asked.until_us);
  *limit -= asked.look_us;
  if (!asked.removed)
    return 0;
  int rc = visit(arg, (const uint8_t(*)[IDEM_FLEET_KEY])asked.removed, 1);
  return rc < 0 ? rc : 1;
}

/* Everything is free, and whoever asks has it. */
static int claim(struct idem_fleet_client *client, idem_fleet_limit *limit, struct idem_fleet_claim *claim)
{
  (void)client;
  (void)limit;
  claim->verdict = IDEM_FLEET_OWNED;
  claim->fence.generation = claim->before + 1;
  if (!asked.pushes || memcmp(claim->fence.key, asked.key, sizeof(asked.key)) != 0)
    return 0;
  asked.pushed++;
  return asked.claim_says;
}

static void answer_free(struct idem_fleet_claim *claim)
{
  claim->record = NULL;
}

static int sent(struct idem_fleet_client *client, idem_fleet_limit *limit,
                const struct idem_fleet_fence *fence, unsigned replicas)
{
  (void)client;
  (void)limit;
  (void)fence;
  (void)replicas;
  return 1;
}

static int commit(struct idem_fleet_client *client, idem_fleet_limit *limit,
                  const struct idem_fleet_fence *fence, const char *record, size_t len, uint64_t ttl_ms,
                  uint64_t keep_ms)
{
  (void)client;
  (void)limit;
  (void)fence;
  (void)record;
  (void)len;
  (void)ttl_ms;
  (void)keep_ms;
  return asked.commit_says;
}

static int release(struct idem_fleet_client *client, idem_fleet_limit *limit,
                   const struct idem_fleet_fence *fence, bool unknown)
{
  (void)client;
  (void)limit;
  (void)fence;
  (void)unknown;
  return 1;
}

static const char *problem(const struct idem_fleet_client *client)
{
  (void)client;
  return "";
}

static void close_nothing(struct idem_fleet_client *client)
{
  (void)client;
}

static const struct idem_fleet_api api = {.close = close_nothing,
                                          .claim = claim,
                                          .answer_free = answer_free,
                                          .sent = sent,
                                          .commit = commit,
                                          .release = release,
                                          .removed = removed,
                                          .problem = problem};

static struct idem_fleet where = {
    .call_ms = 1000, .operation_ms = 250, .connect_ms = 100, .near_ms = 3600000, .shown = "fleet"};

static void open_shared(void)
{
  open_fixture();
  fixture.store->fleet_api = &api;
  fixture.store->where = &where;
  /* By what processes of this machine have done a moment ago. */
  atomic_store(&fixture.store->stats->fleet.looked_us, clock_steady_us());
}

static idem_fleet_limit *patience(void)
{
  static idem_fleet_limit limit;
  limit = 1000000;
  return &limit;
}

/* An answer that the fleet could not be told; from then on it can be. */
static void store_alone(void)
{
  struct caller caller = caller_of(&fixture, "{\"alone\":1}");
  asked.commit_says = -EHOSTUNREACH;
  cr_assert_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
  memcpy(asked.key, caller.call.key, sizeof(asked.key));
  asked.commit_says = 1;
  asked.pushes = true;
}

TestSuite(store_shared, .init = open_shared, .fini = close_fixture);

Test(store_shared, a_claim_is_remembered_for_longer_than_its_answer_also_if_that_is_for_ever)
{
  cr_expect_gt(fleet_store_keep_ms(1000), 1000);
  cr_expect_eq(fleet_store_keep_ms(IDEM_FOREVER_MS), UINT64_MAX);
}

/* Else it would give the others up after so many rounds, and send, too. */
Test(store_shared, looks_for_removals_use_up_nothing_of_a_call_that_waits_for_another_machine)
{
  struct caller caller = caller_of(&fixture, "{}");
  where.near_ms = 0;
  asked.look_us = 100000;
  caller.call.waited = true;
  for (int i = 0; i < 20; i++)
    shared_look(fixture.store, &caller.call);
  cr_expect_eq(asked.looks, 20);
  cr_expect_eq(caller.call.priv.fleet.spent_us, 0);
  caller.call.waited = false;
  shared_look(fixture.store, &caller.call);
  cr_expect_geq(caller.call.priv.fleet.spent_us, 100000);
}

/* The last look was in vain, since the fleet was away, and the next is not due yet. */
Test(store_shared, what_was_removed_meanwhile_is_not_told_to_the_fleet_again)
{
  store_alone();
  struct caller other = caller_of(&fixture, "{\"other\":1}");
  asked.removed = asked.key;
  cr_assert_eq(caller_ask(&other, "{\"answer\":2}"), IDEM_OWNED);
  cr_expect_eq(asked.pushed, 0);
  cr_expect(!outbox_may_have(fixture.store) || outbox_push(fixture.store, patience(), NULL) == 0);
}

Test(store_shared, what_was_stored_alone_is_told_by_the_next_call)
{
  store_alone();
  struct caller other = caller_of(&fixture, "{\"other\":1}");
  cr_assert_eq(caller_ask(&other, "{\"answer\":2}"), IDEM_OWNED);
  cr_expect_eq(asked.pushed, 1);
}

Test(store_shared, a_look_for_removals_leaves_half_of_a_short_timeout_to_the_call)
{
  struct caller caller = caller_of(&fixture, "{}");
  where.near_ms = 0;
  shared_look(fixture.store, &caller.call);
  cr_expect_eq(asked.limit_us, 250000);
  cr_expect_eq(asked.until_us, 0);
  caller.call.deadline_us = clock_steady_us() + 100000;
  shared_look(fixture.store, &caller.call);
  cr_expect_eq(asked.until_us, caller.call.deadline_us, "no write waits longer");
  cr_expect_leq(asked.limit_us, 50000);
  caller.call.deadline_us = clock_steady_us();
  asked.looks = 0;
  shared_look(fixture.store, &caller.call);
  cr_expect_eq(asked.looks, 0);
  /* It is the next one's. */
  caller.call.deadline_us = 0;
  shared_look(fixture.store, &caller.call);
  cr_expect_eq(asked.looks, 1);
}

/* The fleet's answer is larger than this machine takes any. */
Test(store_shared, what_the_fleet_has_a_too_long_answer_of_waits_no_longer_and_stays_here)
{
  store_alone();
  asked.claim_says = -EMSGSIZE;
  cr_expect_eq(outbox_push(fixture.store, patience(), NULL), 1);
  cr_expect_eq(outbox_push(fixture.store, patience(), NULL), 0);
  cr_expect_eq(asked.pushed, 1);
  struct caller again = caller_of(&fixture, "{\"alone\":1}");
  cr_expect_eq(caller_ask(&again, ""), IDEM_HIT);
}
