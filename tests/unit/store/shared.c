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
#include <stdlib.h>
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
  int claims, reads;
  int read_says; /* what a look returns */
  /* Answers that it has had; with `gives` claims and looks find them. */
  bool gives;
  unsigned kept;
  struct {
    uint8_t key[IDEM_KEY_SIZE];
    char *record;
    size_t len;
  } answer[8];
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

static bool give(struct idem_fleet_claim *claim)
{
  for (unsigned i = 0; asked.gives && i < asked.kept; i++)
    if (memcmp(asked.answer[i].key, claim->fence.key, IDEM_KEY_SIZE) == 0) {
      claim->verdict = IDEM_FLEET_ANSWER;
      claim->left_ms = 60000;
      claim->age_ms = 0;
      claim->record = malloc(asked.answer[i].len);
      claim->record_len = asked.answer[i].len;
      memcpy(claim->record, asked.answer[i].record, claim->record_len);
      return true;
    }
  return false;
}

static int look(struct idem_fleet_client *client, idem_fleet_limit *limit, struct idem_fleet_claim *claim)
{
  (void)client;
  asked.reads++;
  claim->verdict = IDEM_FLEET_NO_ANSWER;
  if (asked.read_says == -ETIMEDOUT)
    *limit -= 1000;
  if (asked.read_says == 0)
    give(claim);
  return asked.read_says;
}

/* Everything is free, and whoever asks has it. */
static int claim(struct idem_fleet_client *client, idem_fleet_limit *limit, struct idem_fleet_claim *claim)
{
  (void)client;
  asked.claims++;
  if (*limit <= 0)
    return -EAGAIN;
  if (give(claim))
    return 0;
  claim->verdict = IDEM_FLEET_OWNED;
  claim->fence.generation = claim->before + 1;
  if (!asked.pushes || memcmp(claim->fence.key, asked.key, sizeof(asked.key)) != 0)
    return 0;
  asked.pushed++;
  return asked.claim_says;
}

static void answer_free(struct idem_fleet_claim *claim)
{
  free(claim->record);
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
  (void)ttl_ms;
  (void)keep_ms;
  if (asked.kept < sizeof(asked.answer) / sizeof(*asked.answer)) {
    char *copy = malloc(len);
    memcpy(asked.answer[asked.kept].key, fence->key, IDEM_KEY_SIZE);
    asked.answer[asked.kept].record = memcpy(copy, record, len);
    asked.answer[asked.kept++].len = len;
  }
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
                                          .look = look,
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

/* Of other machines: this one has had none of them. */
enum { OTHERS = 4 };
static const char *const of_others[OTHERS] = {"{\"n\":0}", "{\"n\":1}", "{\"n\":2}", "{\"n\":3}"};

static void pay_elsewhere(void)
{
  for (int i = 0; i < OTHERS; i++) {
    struct caller caller = caller_of(&fixture, of_others[i]);
    cr_assert_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
    fixture.store->fleet_api = NULL;
    cr_assert_eq(idem_store_remove(fixture.store, caller.call.id, NULL), 0);
    fixture.store->fleet_api = &api;
  }
  asked.gives = true;
  asked.claims = 0;
}

static int ask_as(const char *body, bool skips)
{
  struct caller caller = caller_of(&fixture, body);
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  caller.call.skip_answers = skips;
  int verdict = caller_enter(&caller);
  if (verdict == IDEM_OWNED)
    caller_commit(&caller, "{\"answer\":2}");
  caller_leave(&caller, true);
  return verdict;
}

Test(store_shared, who_had_an_answer_from_the_fleet_reads_the_next_one_without_a_claim)
{
  pay_elsewhere();
  for (int i = 0; i < OTHERS; i++)
    cr_expect_eq(ask_as(of_others[i], false), IDEM_HIT);
  cr_expect_eq(asked.claims, 1);
  cr_expect_eq(asked.reads, OTHERS - 1);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_fleet_hits), OTHERS);
  /* They are near, some of them in the queue. */
  for (int i = 0; i < OTHERS; i++)
    cr_expect_eq(ask_as(of_others[i], false), IDEM_HIT);
  cr_expect_eq(asked.claims, 1);
  cr_expect_eq(asked.reads, OTHERS - 1);
}

Test(store_shared, what_is_not_found_is_claimed_and_from_then_on_at_once)
{
  pay_elsewhere();
  cr_expect_eq(ask_as(of_others[0], false), IDEM_HIT);
  for (int i = 0; i < 3; i++) {
    char body[32];
    snprintf(body, sizeof(body), "{\"new\":%d}", i);
    cr_expect_eq(ask_as(body, false), IDEM_OWNED);
  }
  cr_expect_eq(asked.reads, 1);
  cr_expect_eq(asked.claims, 4);
}

Test(store_shared, who_wants_a_new_answer_reads_none)
{
  pay_elsewhere();
  cr_expect_eq(ask_as(of_others[0], false), IDEM_HIT);
  ask_as(of_others[1], true);
  cr_expect_eq(asked.reads, 0);
  cr_expect_eq(asked.claims, 2);
}

/* It is silent: who has waited once goes out, and is not told by the same call to wait again. */
Test(store_shared, who_has_met_silence_when_it_read_does_not_ask_for_a_claim)
{
  pay_elsewhere();
  cr_expect_eq(ask_as(of_others[0], false), IDEM_HIT);
  asked.read_says = -ETIMEDOUT;
  struct caller caller = caller_of(&fixture, of_others[1]);
  caller.call = (struct idem_call)IDEM_CALL_INIT;
  cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
  cr_expect(!caller.call.priv.fleet.ours);
  cr_expect_geq(caller.call.priv.fleet.spent_us, 1000000);
  caller_leave(&caller, false);
  /* The next one asks by a claim, as ever. */
  cr_expect_eq(ask_as(of_others[2], false), IDEM_HIT);
  cr_expect_eq(asked.reads, 1);
}

Test(store_shared, what_was_read_and_is_no_record_is_no_answer)
{
  pay_elsewhere();
  cr_expect_eq(ask_as(of_others[0], false), IDEM_HIT);
  asked.answer[1].record[asked.answer[1].len - 1] ^= 1;
  cr_expect_eq(ask_as(of_others[1], false), IDEM_OWNED);
  cr_expect_eq(asked.reads, 1);
  cr_expect_eq(fixture_counter(&fixture, IDEM_COUNTER_damaged), 1);
}
