/* SPDX-License-Identifier: MIT */
/* A store that was replaced has a successor, and one that is in its place has none. */
#include "store/state/state.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct idem_error error;
static char dir[160], aside[160];

/* A directory within the fixture's, which goes with all that is in it. */
static void open_within(void)
{
  open_fixture();
  snprintf(dir, sizeof(dir), "%s/store", fixture.dir);
  snprintf(aside, sizeof(aside), "%s/aside", fixture.dir);
  fixture.options.dir = dir;
  cr_assert_eq(fixture_reopen(&fixture, &error), 0, "%s", error.text);
}

TestSuite(store_successor, .init = open_within, .fini = close_fixture, .timeout = 60);

static int count_of_store(void)
{
  char path[64], target[256];
  int count = 0;
  for (int fd = 3; fd < 64; fd++) {
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    target[len > 0 ? len : 0] = '\0';
    count += strstr(target, fixture.dir) != NULL;
  }
  return count;
}

/* Nor does one user more keep it open when the last has closed it. */
Test(store_successor, of_a_store_that_is_in_its_place_there_is_none)
{
  struct idem_store *next = NULL;
  cr_assert(state_is_in_place(fixture.store));
  cr_expect_eq(state_open_successor(fixture.store, &next, &error), -ESTALE);
  idem_store_close(fixture.store);
  fixture.store = NULL;
  cr_expect_eq(count_of_store(), 0);
}

Test(store_successor, of_one_that_was_replaced_it_is_what_stands_there_now)
{
  struct idem_store *next = NULL;
  struct caller caller = caller_of(&fixture, "{\"n\":1}");
  cr_assert_eq(caller_ask(&caller, "{\"answer\":1}"), IDEM_OWNED);
  cr_assert(rename(dir, aside) == 0 && mkdir(dir, 0700) == 0);
  cr_assert(!state_is_in_place(fixture.store));
  cr_assert_eq(state_open_successor(fixture.store, &next, &error), 0, "%s", error.text);
  cr_expect_neq(next, fixture.store);
  cr_expect(state_is_in_place(next));
  idem_store_close(next);
}
