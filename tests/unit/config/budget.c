/* SPDX-License-Identifier: MIT */
/* How much a run may take: what is written, what is refused, and that dollars need prices. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct idem_config config;
static struct idem_error error;

static void release(void)
{
  idem_config_release(&config);
}

TestSuite(config_budget, .fini = release);

static int load(const char *field)
{
  char rules[256];
  release();
  snprintf(rules, sizeof(rules), "host=a.example %s; host=b.example", field);
  return LOAD_WITH(&config, &error, "IDEMSHIM_RULES", rules, "IDEMSHIM_PRICES", "/prices");
}

static void is(const char *field, uint64_t calls, uint64_t tokens, uint64_t nano_dollars)
{
  cr_assert_eq(load(field), 0, "%s: %s", field, error.text);
  const struct idem_budget *budget = &config.rules[0].budget;
  cr_expect_eq(budget->calls, calls, "%s: %zu calls", field, (size_t)budget->calls);
  cr_expect_eq(budget->tokens, tokens, "%s: %zu tokens", field, (size_t)budget->tokens);
  cr_expect_eq(budget->nano_dollars, nano_dollars, "%s: %zu", field, (size_t)budget->nano_dollars);
}

enum { K = 1000, M = 1000 * K };
#define NONE IDEM_NO_BUDGET

Test(config_budget, is_of_calls_tokens_and_dollars)
{
  is("budget=none", NONE, NONE, NONE);
  is("budget=calls:200", 200, NONE, NONE);
  is("budget=calls:0", 0, NONE, NONE);
  is("budget=tokens:2M", NONE, 2 * M, NONE);
  is("budget=tokens:3k", NONE, 3 * K, NONE);
  is("budget=tokens:4G", NONE, UINT64_C(4000) * M, NONE);
  is("budget=usd:5", NONE, NONE, UINT64_C(5000000000));
  is("budget=usd:0.50", NONE, NONE, 500000000);
  is("budget=usd:0.000000001", NONE, NONE, 1);
  is("budget=usd:999999999", NONE, NONE, UINT64_C(999999999000000000));
  is("budget=calls:200,tokens:2M/run", 200, 2 * M, NONE);
  is("budget=usd:1,calls:1", 1, NONE, 1000000000);
}

Test(config_budget, what_is_none_is_refused)
{
  static const char *const words[] = {
      "",
      "0",
      "5",
      "calls",
      "calls:",
      "calls:x",
      "calls:-1",
      "calls:1x",
      "calls:1kk",
      "calls:k",
      "c",
      "token:1",
      "tokens:1.5",
      "u",
      "us",
      "usd:",
      "usd:.5",
      "usd:5.",
      "usd:x",
      "usd:1k",
      "usd:1.0000000001",
      "usd:-1",
      "usd:1.2.3",
      "none,none",
      "calls:1,",
      ",calls:1",
      "calls:1,calls:2",
      "/run",
      "none/run",
      "usd:1,x:2",
      "calls:1 /run",
      "usd:1000000000",
      "calls:9999999999999",
      "calls:999999999999G",
  };
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    char field[64];
    snprintf(field, sizeof(field), "budget='%s'", words[i]);
    cr_expect_eq(load(field), -EINVAL, "%s", field);
    cr_expect(strstr(error.text, "budget"), "%s: %s", field, error.text);
  }
}

/* Whichever rule has it. */
Test(config_budget, dollars_need_prices)
{
  static const char *const rules[] = {"host=a.example budget=usd:1; host=b.example",
                                      "host=a.example; host=b.example budget=usd:1"};
  for (int i = 0; i < 2; i++) {
    release();
    cr_expect_eq(LOAD_WITH(&config, &error, "IDEMSHIM_RULES", rules[i]), -EINVAL, "%s", rules[i]);
    cr_expect(strstr(error.text, "IDEMSHIM_PRICES"), "%s", error.text);
    cr_expect(strstr(error.text, i ? "rule 2" : "rule 1"), "%s", error.text);
  }
  release();
  cr_expect_eq(LOAD_WITH(&config, &error, "IDEMSHIM_RULES", "host=a.example budget=calls:1"), 0, "%s",
               error.text);
}

Test(config_budget, max_repeats_is_an_amount)
{
  static const char *const wrong[] = {"-1", "x", "1.5", "''", "1kk"};
  cr_assert_eq(load("max_repeats=2k"), 0, "%s", error.text);
  cr_expect_eq(config.rules[0].max_repeats, 2000);
  cr_assert_eq(load("max_repeats=0"), 0, "%s", error.text);
  cr_expect_eq(config.rules[0].max_repeats, 0);
  cr_assert_eq(load("max_repeats=none"), 0, "%s", error.text);
  cr_expect_eq(config.rules[0].max_repeats, IDEM_NO_BUDGET);
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
    char field[64];
    snprintf(field, sizeof(field), "max_repeats=%s", wrong[i]);
    cr_expect_eq(load(field), -EINVAL, "%s", field);
  }
}

Test(config_budget, dollars_are_written_without_what_says_nothing)
{
  static const struct {
    uint64_t nano_dollars;
    const char *text;
  } samples[] = {
      {0, "0"},
      {1, "0.000000001"},
      {10, "0.00000001"},
      {500000000, "0.5"},
      {UINT64_C(5000000000), "5"},
      {UINT64_C(10000000000), "10"},
      {UINT64_C(10050000000), "10.05"},
      {UINT64_C(1000000000), "1"},
      {UINT64_C(999999999999999999), "999999999.999999999"},
      {UINT64_MAX, "18446744073.709551615"},
  };
  char text[IDEM_DOLLARS_SIZE];
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    idem_format_dollars(samples[i].nano_dollars, text);
    cr_expect_str_eq(text, samples[i].text);
  }
}
