/* SPDX-License-Identifier: MIT */
/* The ring of decisions: the newest first, the oldest forgotten, and none that is half written. */
#include "store/base/decisions.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct decisions ring;

static void add(int n)
{
  struct idem_decision decision = {.at_us = n};
  snprintf(decision.reason, sizeof decision.reason, "%d", n);
  decisions_add(&ring, &decision);
}

struct seen {
  int count, next;
};

static int see(void *arg, const struct idem_decision *decision)
{
  struct seen *seen = arg;
  cr_expect_eq(decision->at_us, seen->next);
  cr_expect_eq(atoi(decision->reason), seen->next);
  seen->next--;
  seen->count++;
  return 0;
}

Test(decisions, the_newest_come_first_and_the_oldest_are_forgotten)
{
  struct seen none = {0, 0};
  cr_expect_eq(decisions_each(&ring, see, &none), 0);
  cr_expect_eq(none.count, 0);
  for (int i = 0; i < DECISIONS + 100; i++)
    add(i);
  struct seen seen = {0, DECISIONS + 99};
  cr_expect_eq(decisions_each(&ring, see, &seen), 0);
  cr_expect_eq(seen.count, DECISIONS);
}

static int stop(void *arg, const struct idem_decision *decision)
{
  (void)decision;
  ++*(int *)arg;
  return 7;
}

Test(decisions, a_visit_may_end_it_and_what_is_written_is_left_out)
{
  int visits = 0;
  add(1);
  add(2);
  cr_expect_eq(decisions_each(&ring, stop, &visits), 7);
  cr_expect_eq(visits, 1);
  atomic_store(&ring.at[1].number, 0);
  struct seen seen = {0, 1};
  decisions_each(&ring, see, &seen);
  cr_expect_eq(seen.count, 1);
}

static int keep(void *arg, const struct idem_decision *at)
{
  *(struct idem_decision *)arg = *at;
  return 1;
}

Test(decisions, a_text_without_an_end_gets_one)
{
  struct idem_decision decision;
  memset(&decision, 'x', sizeof decision);
  decisions_add(&ring, &decision);
  struct idem_decision found = {0};
  cr_expect_eq(decisions_each(&ring, keep, &found), 1);
  cr_expect_eq(strlen(found.reason), sizeof found.reason - 1);
}
