/* SPDX-License-Identifier: MIT */
/* The memory that answers are copied into: what is there is what was put there, and nobody else's. */
#include "store/base/kept.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(store_kept, .timeout = 60);

/* True if it was there; else it is put there. */
static bool take(const char *name, size_t len, char **place)
{
  bool has;
  *place = kept_take(name, strlen(name), len, &has);
  cr_assert(*place);
  if (has) {
    cr_expect((*place)[0] == name[0] && memcmp(*place, *place + 1, len - 1) == 0, "%s is another", name);
  } else {
    memset(*place, name[0], len);
    kept_filled(*place);
  }
  return has;
}

static bool asked(const char *name, size_t len)
{
  char *place;
  bool has = take(name, len, &place);
  kept_give(place);
  return has;
}

/* Until the next who asks finds it there. */
static void ask_often(const char *name, size_t len)
{
  for (int i = 0; i <= KEPT_REPEATS; i++)
    cr_assert_not(asked(name, len));
}

static bool can_be_written(char *place)
{
  int ends[2];
  cr_assert(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
  bool can = read(ends[0], place, 1) == 1;
  cr_expect(can || errno == EFAULT);
  close(ends[0]);
  close(ends[1]);
  return can;
}

Test(store_kept, what_is_asked_for_again_stays_there_and_cannot_be_written_to)
{
  static const size_t lens[] = {1, 65536, KEPT_WARM, KEPT_WARM + 1, KEPT_MOST};
  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
    char *place, *again;
    ask_often("one", lens[i]);
    cr_assert(take("one", lens[i], &place));
    cr_expect_not(can_be_written(place));
    kept_give(place);
    cr_expect(take("one", lens[i], &again) && again == place);
    kept_give(again);
    cr_expect_not(asked("two", lens[i]));
  }
}

Test(store_kept, what_an_app_has_written_to_is_not_given_again)
{
  char *place;
  for (int i = 0; i < KEPT_REPEATS; i++) {
    cr_assert_not(take("one", 65536, &place));
    cr_assert(can_be_written(place));
    kept_give(place);
  }
  cr_expect_not(asked("one", 65536));
  cr_expect(asked("one", 65536));
}

Test(store_kept, a_name_that_begins_another_is_another)
{
  ask_often("one", 1000);
  cr_expect(asked("one", 1000));
  cr_expect_not(asked("on", 1000));
  cr_expect_not(asked("one", 1000));
  for (int i = 0; i < 3 * KEPT_REPEATS; i++)
    cr_assert_not(asked(i % 2 ? "one" : "two", 1000));
}

Test(store_kept, one_at_a_time_has_the_place)
{
  char *one, *other, *third;
  ask_often("one", 1000);
  cr_assert(asked("one", 1000));
  cr_assert(take("one", 1000, &one));
  cr_expect(!take("one", 1000, &other) && other != one && can_be_written(other));
  cr_expect(!take("two", 1000, &third) && third != one && third != other);
  kept_give(other);
  kept_give(third);
  cr_expect_eq(one[999], 'o');
  kept_give(one);
  cr_expect(asked("one", 1000));
}

Test(store_kept, what_is_too_long_is_never_there)
{
  for (int i = 0; i < 2 * KEPT_REPEATS; i++)
    cr_assert_not(asked("one", KEPT_MOST + 1));
  kept_give(NULL);
}

/* A place that was long for one is no longer than it is for all when another comes. */
Test(store_kept, the_end_of_a_long_one_is_given_back)
{
  char *place;
  bool has;
  ask_often("one", KEPT_MOST);
  cr_expect(asked("one", KEPT_MOST));
  cr_expect_not(asked("two", 1000));
  for (int i = 0; i < KEPT_REPEATS; i++)
    asked("one", KEPT_MOST);
  place = kept_take("one", 3, KEPT_MOST, &has);
  cr_assert(place && !has);
  cr_expect(place[KEPT_WARM] == 0 && place[KEPT_MOST - 1] == 0);
  kept_give(place);
}

#ifndef IDEM_SANITIZED
static long new_pages(void)
{
  struct rusage usage;
  cr_assert(getrusage(RUSAGE_SELF, &usage) == 0);
  return usage.ru_minflt;
}

/* A long one has most of a megabyte of pages behind it that a short one does without: who asks for both in
 * turn is not to pay for them each time. */
Test(store_kept, what_is_asked_for_in_turn_costs_no_pages)
{
  static const int turns[] = {1, 2, 3, 10, 100};
  long before = 0;
  for (size_t i = 0; i < sizeof(turns) / sizeof(*turns); i++) {
    for (int j = 0; j < 10; j++) {
      if (j == 2)
        before = new_pages();
      for (int k = 0; k < turns[i]; k++)
        cr_assert_not(asked("one", KEPT_MOST));
      for (int k = 0; k < turns[i]; k++)
        cr_assert_not(asked("two", 65536));
    }
    long pages = new_pages() - before;
    cr_expect_lt(pages, 100, "%ld pages in turns of %d", pages, turns[i]);
  }
}
#endif
