/* SPDX-License-Identifier: MIT */
/* One machine is cut off from a server that goes on with the others, and comes back: what each has done
 * alone, and what it has missed. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char body[] = "{\"prompt\":1}";

/* Each machine's way to the server is a link of its own, which is there or is not. */
static const char *way_of(const char *machine)
{
  return world_text(&w, "%s/way-of-%s", w.dir, machine);
}

static void join_fleet(const char *machine)
{
  cr_assert_eq(symlink(world_text(&w, "%s/redis", w.dir), way_of(machine)), 0);
}

static void cut_off(const char *machine)
{
  cr_assert_eq(unlink(way_of(machine)), 0);
}

static void open_ways(void)
{
  static const char *const machines[] = {"A", "B", "C"};
  static char ways[3][300];
  open_fleet();
  fleet_attributes("near=1ms");
  for (int i = 0; i < 3; i++) {
    snprintf(ways[i], sizeof(ways[i]), "redis+unix://%s", way_of(machines[i]));
    fleet_place((struct fleet_place){.machine = machines[i], .server = ways[i]});
  }
}

TestSuite(fleet_apart, .init = open_ways, .fini = close_fleet, .timeout = 180);

/* It is not asked for a second after it was away, and then whoever comes finds out. Upstream
 * counts none of these. */
static void come_back(const char *machine)
{
  join_fleet(machine);
  for (int i = 0; !events_of(machine, "fleet_back"); i++) {
    cr_assert_lt(i, 1000, "it is not back");
    fleet_post_and_forget(machine, world_text(&w, "{\"is it back\":%d}", i));
  }
  mock_reset(&w);
}

static void begin_both(void)
{
  join_fleet("A");
  join_fleet("B");
  fleet_post_and_forget("A", "{\"first\":1}");
  fleet_post_and_forget("B", "{\"first\":1}");
  mock_reset(&w);
}

/* Both pay, under one key; the fleet has what was stored there first, and so has the one that was
 * cut off once it is back. */
Test(fleet_apart, what_both_have_paid_for_is_the_answer_that_the_fleet_has)
{
  begin_both();
  cut_off("A");
  struct run a, b;
  fleet_both_pay(body, &a, &b);
  come_back("A");
  struct run after = {0};
  wait_until((run_release(&after), after = fleet_post_on("A", body, ""),
              !strcmp(fleet_text_of(&after), fleet_text_of(&b))));
  struct run still = fleet_post_on("B", body, "");
  cr_expect(fleet_is_replay(&after) && fleet_is_replay(&still));
  cr_expect_str_eq(fleet_text_of(&still), fleet_text_of(&b));
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&a);
  run_release(&b);
  run_release(&after);
  run_release(&still);
}

/* While it cannot hear of it, it has its own copy. */
Test(fleet_apart, what_was_removed_meanwhile_is_gone_when_a_machine_comes_back)
{
  begin_both();
  fleet_post_and_forget("A", body);
  fleet_post_and_forget("B", body);
  char key[64];
  snprintf(key, sizeof(key), "%s", key_sent(0));
  cut_off("B");
  fleet_remove_last_of("A");
  struct run alone = fleet_post_on("B", body, "");
  cr_expect(fleet_is_replay(&alone));
  come_back("B");
  struct run after = fleet_post_on("B", body, "");
  cr_expect(!fleet_is_replay(&after));
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_str_neq(key_sent(0), key);
  run_release(&alone);
  run_release(&after);
}

/* Its store is empty, and the server is full of answers and of removals. */
Test(fleet_apart, a_machine_that_joins_later_has_what_the_others_have)
{
  enum { ANSWERS = 5 };
  begin_both();
  for (int i = 0; i < ANSWERS; i++)
    fleet_post_and_forget("A", world_text(&w, "{\"early\":%d}", i));
  redis("EVAL \"for i=1,2500 do "
        "redis.call('XADD','idemshim:default:removed','*','k',string.format('%064x',i)) end\" "
        "0");
  join_fleet("C");
  for (int i = 0; i < 2 * ANSWERS; i++) {
    struct run c = fleet_post_on("C", world_text(&w, "{\"early\":%d}", i % ANSWERS), "");
    cr_expect(fleet_is_replay(&c), "%s", c.out);
    run_release(&c);
  }
  cr_expect_eq(mock_count(&w).requests, ANSWERS);
}
