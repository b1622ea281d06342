/* SPDX-License-Identifier: MIT */
/* What a fault is written as, what is none, and which one an exchange has. */
#include "config/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(config_fault);

static struct idem_fault parsed(const char *word)
{
  struct idem_fault fault = {.number = 4711};
  cr_assert_eq(idem_fault_parse(word, strlen(word), &fault), 0, "%s", word);
  return fault;
}

static void is(const char *word, enum idem_fault_kind kind, uint64_t number, unsigned status, double part,
               uint64_t stall_ms)
{
  struct idem_fault fault = parsed(word);
  cr_expect_eq(fault.kind, kind, "%s", word);
  cr_expect_eq(fault.number, number, "%s: %zu", word, (size_t)fault.number);
  cr_expect_eq(fault.status, status, "%s: %u", word, fault.status);
  cr_expect(fault.part == part, "%s: %g", word, fault.part);
  cr_expect_eq(fault.stall_ms, stall_ms, "%s: %zu", word, (size_t)fault.stall_ms);
}

Test(config_fault, is_of_one_exchange_or_of_each)
{
  is("429", IDEM_FAULT_STATUS, 0, 429, 0.5, 0);
  is("429@3", IDEM_FAULT_STATUS, 3, 429, 0.5, 0);
  is("200", IDEM_FAULT_STATUS, 0, 200, 0.5, 0);
  is("599@18446744073709551614", IDEM_FAULT_STATUS, UINT64_MAX - 1, 599, 0.5, 0);
  is("reset", IDEM_FAULT_RESET, 0, 0, 0.5, 0);
  is("reset@1", IDEM_FAULT_RESET, 1, 0, 0.5, 0);
  is("stall:30s", IDEM_FAULT_STALL, 0, 0, 0.5, 30000);
  is("stall:1ms@2", IDEM_FAULT_STALL, 2, 0, 0.5, 1);
}

Test(config_fault, a_cut_has_a_part_and_a_number_in_any_order)
{
  is("cut", IDEM_FAULT_CUT, 0, 0, 0.5, 0);
  is("cut@0.25", IDEM_FAULT_CUT, 0, 0, 0.25, 0);
  is("cut@0.0", IDEM_FAULT_CUT, 0, 0, 0, 0);
  is("cut@3", IDEM_FAULT_CUT, 3, 0, 0.5, 0);
  is("cut@0.75@3", IDEM_FAULT_CUT, 3, 0, 0.75, 0);
  is("cut@3@0.75", IDEM_FAULT_CUT, 3, 0, 0.75, 0);
}

/* Another would be made than was meant, or none. */
Test(config_fault, what_is_none_is_refused)
{
  static const char *const words[] = {
      "",          "x",         "cutt",     "resets",    "199",        "600",       "42",
      "4290",      "42x",       "429@",     "429@0",     "429@-1",     "429@x",     "429@3x",
      "429@0.5",   "429@3@",    "429@@3",   "cut@",      "cut@1.0",    "cut@1.5",   "cut@-0.5",
      "cut@-0.0",  "cut@0.5x",  "cut@.",    "cut@x.5",   "cut@0",      "cut@-1",    "stall",
      "stall:",    "stall:x",   "stall:30", "stall:24h", "stall:1s@0", "stall:1d",  "stall:forever",
      "stall:1s@", "reset@0.5", " 429",     "CUT",       "cut@nan.0",  "cut@inf.0", "cut@0.5@0",
      "@3",        "429,500",
  };
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    struct idem_fault fault;
    cr_expect_eq(idem_fault_parse(words[i], strlen(words[i]), &fault), -EINVAL, "%s", words[i]);
  }
}

/* It is a part of a list, and is copied into room of its own. */
Test(config_fault, a_word_ends_where_it_ends_and_has_63_bytes_at_most)
{
  char word[128];
  struct idem_fault fault;
  cr_assert_eq(idem_fault_parse("429@3,500", 5, &fault), 0);
  cr_expect_eq(fault.number, 3);
  cr_assert_eq(idem_fault_parse("429@35", 5, &fault), 0);
  cr_expect_eq(fault.number, 3);
  memset(word, '0', sizeof(word));
  memcpy(word, "429@", 4);
  for (size_t len = 60; len < sizeof(word); len++) {
    word[len - 1] = '7';
    cr_expect_eq(idem_fault_parse(word, len, &fault), len < 64 ? 0 : -EINVAL, "%zu", len);
    word[len - 1] = '0';
  }
}

Test(config_fault, an_exchange_has_its_own_before_that_of_all)
{
  const struct idem_fault faults[] = {{.status = 500},
                                      {.status = 501, .number = 3},
                                      {.status = 502, .number = 3},
                                      {.status = 503},
                                      {.status = 504, .number = 5}};
  const size_t count = sizeof(faults) / sizeof(*faults);
  cr_expect_eq(idem_fault_find(faults, count, 3), &faults[1]);
  cr_expect_eq(idem_fault_find(faults, count, 5), &faults[4]);
  cr_expect_eq(idem_fault_find(faults, count, 4), &faults[0]);
  cr_expect_null(idem_fault_find(faults + 1, 2, 4));
  cr_expect_eq(idem_fault_find(faults + 1, 2, 3), &faults[1]);
  cr_expect_null(idem_fault_find(faults, 0, 3));
}
