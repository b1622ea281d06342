/* SPDX-License-Identifier: MIT */
/* What the store asks of a fleet, and when: the fleet is one of this file, which notes what it is asked. */
#include "store/call/shared.h"
#include "store/state/fleet_store.h"
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct {
  int looks; /* for removals; each takes so long */
  int64_t look_us;
} asked;

static int removed(struct idem_fleet_client *client, idem_fleet_limit *limit, idem_fleet_removed *visit,
                   void *arg)
{
  (void)client;
  (void)visit;
  (void)arg;
  asked.looks++;
  *limit -= asked.look_us;
  return 0;
}

static void close_nothing(struct idem_fleet_client *client)
{
  (void)client;
}

static const struct idem_fleet_api api = {.close = close_nothing, .removed = removed};

static struct idem_fleet where = {
    .call_ms = 1000, .operation_ms = 250, .connect_ms = 100, .near_ms = 3600000, .shown = "fleet"};

static void open_shared(void)
{
  open_fixture();
  fixture.store->fleet_api = &api;
  fixture.store->where = &where;
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
