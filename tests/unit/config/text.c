/* SPDX-License-Identifier: MIT */
/* Globs, durations, sizes and the one error message. */
#include "config/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool globs(const char *pattern, const char *text)
{
  return idem_glob(pattern, text, strlen(text), false);
}

Test(config_glob, a_literal_matches_itself_alone)
{
  cr_expect(globs("api.openai.com", "api.openai.com"));
  cr_expect(!globs("api.openai.com", "api.openai.co"));
  cr_expect(!globs("api.openai.com", "api.openai.com."));
  cr_expect(!globs("api.openai.com", ""));
}

Test(config_glob, a_star_is_any_run_even_an_empty_one)
{
  cr_expect(globs("*", ""));
  cr_expect(globs("*", "a/b"));
  cr_expect(globs("**", "a"));
  cr_expect(globs("/v1/*", "/v1/"));
  cr_expect(globs("*.com", ".com"));
  cr_expect(globs("a*b*c", "a--b--b--c"));
  cr_expect(globs("a*bc", "abcbc"));
  cr_expect(!globs("a*b", "a--c"));
  cr_expect(!globs("*b", ""));
}

Test(config_glob, a_question_mark_is_exactly_one_character)
{
  cr_expect(globs("/v?/chat", "/v2/chat"));
  cr_expect(!globs("/v?/chat", "/v/chat"));
  cr_expect(!globs("?", ""));
  cr_expect(globs("*?", "a"));
  cr_expect(!globs("*?", ""));
}

Test(config_glob, an_empty_pattern_matches_an_empty_text_alone)
{
  cr_expect(globs("", ""));
  cr_expect(!globs("", "a"));
}

Test(config_glob, case_counts_unless_folded)
{
  cr_expect(!globs("OpenAI-*", "openai-beta"));
  cr_expect(idem_glob("OpenAI-*", "openai-beta", 11, true));
  cr_expect(idem_glob("openai-*", "OPENAI-BETA", 11, true));
  cr_expect(!idem_glob("[", "{", 1, true), "only letters have a case");
}

Test(config_glob, the_text_needs_no_nul_and_may_hold_one)
{
  cr_expect(idem_glob("ab", "abc", 2, false));
  cr_expect(!idem_glob("a", "a\0b", 3, false));
  cr_expect(idem_glob("a?b", "a\0b", 3, false));
}

Test(config_glob, a_hostile_pattern_costs_pattern_times_text_and_no_more)
{
  static char pattern[2001], text[20000];
  struct timespec before, after;

  for (size_t i = 0; i < 2000; i += 2)
    memcpy(pattern + i, "*a", 2);
  pattern[1999] = 'b';
  memset(text, 'a', sizeof text);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  cr_expect(!idem_glob(pattern, text, sizeof text, true));
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  /* 40 million steps at the very most; backtracking over every star would not end in this life. */
  cr_expect_lt(after.tv_sec - before.tv_sec, 10);
}

static uint64_t ms_of(const char *text)
{
  uint64_t ms = 4711;

  cr_expect_eq(idem_parse_duration(text, strlen(text), &ms), 0, "%s is refused", text);
  return ms;
}

Test(config_duration, has_a_unit_for_everybody)
{
  cr_expect_eq(ms_of("0"), 0);
  cr_expect_eq(ms_of("0s"), 0);
  cr_expect_eq(ms_of("250ms"), 250);
  cr_expect_eq(ms_of("90s"), 90000);
  cr_expect_eq(ms_of("15m"), 900000);
  cr_expect_eq(ms_of("24h"), 86400000);
  cr_expect_eq(ms_of("7d"), 604800000);
  cr_expect_eq(ms_of("1h30m"), 5400000);
  cr_expect_eq(ms_of("1d2h3m4s5ms"), 93784005);
  cr_expect_eq(ms_of("forever"), IDEM_FOREVER_MS);
}

Test(config_duration, is_refused_where_it_could_be_misread)
{
  static const char *const wrong[] = {
      "",     "7",    "00",   "-1s", "+1s",   "1.5h", "1 h", "h",   "1H",       "1w",  "1hm",     "30m1h",
      "1h1h", "1h30", "1msx", "ms",  "forev", "0x1s", "1s ", " 1s", "forever1", "1µs", "Forever", "1h30m0"};

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    uint64_t ms;
    cr_expect_eq(idem_parse_duration(wrong[i], strlen(wrong[i]), &ms), -EINVAL, "\"%s\" is taken", wrong[i]);
  }
}

Test(config_duration, too_long_a_one_is_refused_and_never_wraps)
{
  static const char *const wrong[] = {"18446744073709551615ms", "18446744073709551616ms",
                                      "99999999999999999999999999d", "213503982335d", "106751991168d"};
  uint64_t ms;

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    cr_expect_eq(idem_parse_duration(wrong[i], strlen(wrong[i]), &ms), -EINVAL, "\"%s\" is taken", wrong[i]);
  cr_expect_eq(ms_of("4611686018427387ms"), UINT64_C(4611686018427387));
  cr_expect_eq(idem_parse_duration("4611686018427388ms", 18, &ms), -EINVAL);
  cr_expect_eq(ms_of("53375995d14h0m27s387ms"), UINT64_C(4611686018427387));
  cr_expect_eq(idem_parse_duration("53375995d14h0m27s388ms", 22, &ms), -EINVAL, "not even in pieces");
}

static uint64_t bytes_of(const char *text)
{
  uint64_t bytes = 4711;

  cr_expect_eq(idem_parse_size(text, strlen(text), &bytes), 0, "%s is refused", text);
  return bytes;
}

Test(config_size, counts_in_powers_of_1024)
{
  cr_expect_eq(bytes_of("0"), 0);
  cr_expect_eq(bytes_of("512"), 512);
  cr_expect_eq(bytes_of("512B"), 512);
  cr_expect_eq(bytes_of("64k"), 65536);
  cr_expect_eq(bytes_of("64K"), 65536);
  cr_expect_eq(bytes_of("64KiB"), 65536);
  cr_expect_eq(bytes_of("64kB"), 65536);
  cr_expect_eq(bytes_of("16M"), 16777216);
  cr_expect_eq(bytes_of("4GiB"), UINT64_C(4294967296));
  cr_expect_eq(bytes_of("1T"), UINT64_C(1099511627776));
  cr_expect_eq(bytes_of("9223372036854775807"), (uint64_t)INT64_MAX);
}

Test(config_size, is_refused_where_it_is_no_size_or_too_large)
{
  static const char *const wrong[] = {"",
                                      "k",
                                      "-1",
                                      "1.5M",
                                      "1 M",
                                      "1P",
                                      "1KM",
                                      "1Kib1",
                                      "1Bi",
                                      "1i",
                                      "0x1",
                                      "M1",
                                      "8388608T",
                                      "8589934592G",
                                      "9223372036854775808",
                                      "18446744073709551616",
                                      "99999999999999999999999999"};

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    uint64_t bytes;
    cr_expect_eq(idem_parse_size(wrong[i], strlen(wrong[i]), &bytes), -EINVAL, "\"%s\" is taken", wrong[i]);
  }
}

Test(config_error, returns_its_code_and_keeps_errno)
{
  struct idem_error error;

  errno = ENOENT;
  cr_expect_eq(idem_error_set(&error, -EINVAL, "rule %d: %s", 3, "wrong"), -EINVAL);
  cr_expect_str_eq(error.text, "rule 3: wrong");
  cr_expect_eq(idem_error_set(NULL, -ENOMEM, "nobody listens"), -ENOMEM);
  cr_expect_eq(errno, ENOENT);
}

Test(config_error, is_one_printable_line)
{
  struct idem_error error;

  idem_error_set(&error, -1, "a%sb", "\n\r\x1b[31m\t\x7f");
  cr_expect_str_eq(error.text, "a???[31m??b");
}

Test(config_error, that_is_too_long_says_so_and_cuts_no_character_in_half)
{
  struct idem_error error;
  char text[1024];

  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  idem_error_set(&error, -1, "%s", text);
  cr_expect_eq(strlen(error.text), sizeof error.text - 1);
  cr_expect_str_eq(error.text + sizeof error.text - 5, "x...");
  memcpy(text + sizeof error.text - 5, "\xc3\xa4", 2);
  idem_error_set(&error, -1, "%s", text);
  cr_expect_str_eq(error.text + sizeof error.text - 6, "x...");
}
