/* SPDX-License-Identifier: MIT */
/* The grammar: how fields, rules, comments and quotes are read, and what is said when they cannot be. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(config_rules, stand_apart_by_semicolons_or_newlines)
{
  struct idem_config config;

  load_rules(&config, "host=a.example ttl=7d; host=b.example\nhost=c.example;\n;; \r\n  host=d.example  ");
  cr_assert_eq(config.rule_count, 4);
  cr_expect_str_eq(config.rules[0].host, "a.example");
  cr_expect_eq(config.rules[0].ttl_ms, 604800000);
  cr_expect_str_eq(config.rules[3].host, "d.example");
  cr_expect_eq(config.rules[3].number, 4);
  cr_expect_str_eq(config.rules[3].origin, "IDEMSHIM_RULES");
  cr_expect_null(config.rules[3].name);
  idem_config_release(&config);
}

Test(config_rules, may_have_comments_to_the_end_of_a_line)
{
  struct idem_config config;

  load_rules(
      &config,
      "# all of ours; host=nobody.example \xc3\xa4 'x\nhost=a.example # ttl=1h\n;# none\nhost=b.example");
  cr_assert_eq(config.rule_count, 2);
  cr_expect_eq(config.rules[0].ttl_ms, 86400000, "the comment was read");
  idem_config_release(&config);
}

Test(config_rules, may_quote_a_value_that_has_white_space_or_a_semicolon)
{
  struct idem_config config;

  load_rules(&config, "host='a.example' path=\"/a;b#c'd\" key='json:/a b,/c\"d' ; host=b.example");
  cr_assert_eq(config.rule_count, 2);
  cr_expect_str_eq(config.rules[0].path, "/a;b#c'd");
  cr_assert_eq(config.rules[0].keying.pointers.count, 2);
  cr_expect_str_eq(config.rules[0].keying.pointers.word[0], "/a b");
  cr_expect_str_eq(config.rules[0].keying.pointers.word[1], "/c\"d");
  idem_config_release(&config);
}

Test(config_rules, have_the_documented_defaults)
{
  struct idem_config config;

  load_rules(&config, "host=*");
  const struct idem_rule *rule = &config.rules[0];
  cr_expect_eq(rule->port, 0);
  cr_assert_eq(rule->methods.count, 1);
  cr_expect_str_eq(rule->methods.word[0], "POST");
  cr_expect_null(rule->path);
  cr_expect_eq(rule->action, IDEM_ACTION_STORE);
  cr_expect_eq(rule->ttl_ms, 86400000);
  cr_expect_eq(rule->keying.kind, IDEM_KEY_AUTO);
  cr_assert_eq(rule->keying.headers.count, 2);
  cr_expect_str_eq(rule->keying.headers.word[0], "Idempotency-Key");
  cr_expect_str_eq(rule->keying.headers.word[1], "X-Idempotency-Key");
  cr_expect_eq(rule->keying.vary.count, 1);
  cr_expect_eq(rule->keying.ignore.count, 0);
  cr_expect_eq(rule->repeats, IDEM_REPEATS_REPLAY);
  cr_expect_eq(rule->mismatch, IDEM_MISMATCH_REPLAY);
  cr_assert_eq(rule->status_count, 1);
  cr_expect_eq(rule->status[0].first, 200);
  cr_expect_eq(rule->status[0].last, 299);
  cr_expect_str_eq(rule->inject, "Idempotency-Key");
  cr_expect_eq(rule->wait_ms, IDEM_FOREVER_MS);
  cr_expect_eq(rule->rescue_ms, 600000);
  cr_expect_eq(rule->keepalive_ms, 60000);
  cr_expect(!rule->guard);
  cr_expect_eq(rule->indoubt, IDEM_INDOUBT_RESEND);
  cr_expect_eq(rule->churn, IDEM_CHURN_WARN);
  cr_expect_eq(rule->pace, IDEM_PACE_INSTANT);
  cr_expect(rule->mark);
  cr_expect_eq(rule->max_body, 16777216);
  cr_expect_eq(rule->max_answer, 67108864);
  idem_config_release(&config);
}

Test(config_rules, without_a_host_are_refused)
{
  refuses("host=a; ttl=7d path=/x",
          "IDEMSHIM_RULES: rule 2, column 9: expected a host= in this rule, such as "
          "host=api.openai.com or host=*");
}

Test(config_rules, that_say_nothing_are_refused)
{
  static const char message[] = "IDEMSHIM_RULES: expected at least one rule, such as host=api.openai.com";

  refuses("   ", message);
  refuses(";;\n;", message);
  refuses("# host=a.example", message);
}

Test(config_rules, name_an_unknown_field_and_the_nearest_known_one)
{
  refuses("host=a tll=7d", "IDEMSHIM_RULES: rule 1, column 8: unknown field \"tll\"; did you mean \"ttl\"?");
  refuses("host=a max-body=1M",
          "IDEMSHIM_RULES: rule 1, column 8: unknown field \"max-body\"; did you mean \"max_body\"?");
  refuses("host=a;HSOT=b",
          "IDEMSHIM_RULES: rule 2, column 8: unknown field \"HSOT\"; did you mean \"host\"?");
  refuses("host=a zzz=1", "IDEMSHIM_RULES: rule 1, column 8: unknown field \"zzz\"");
  refuses("host=a =1", "IDEMSHIM_RULES: rule 1, column 8: unknown field \"\"");
}

Test(config_rules, refuse_a_field_that_stands_twice)
{
  refuses("host=a ttl=1h ttl=1h", "IDEMSHIM_RULES: rule 1, column 15: field ttl stands twice in this rule");
  refuses("host=a host=b", "IDEMSHIM_RULES: rule 1, column 8: field host stands twice in this rule");
}

Test(config_rules, refuse_words_that_are_no_fields)
{
  refuses("api.openai.com",
          "IDEMSHIM_RULES: rule 1, column 1: expected name=value without white space around =, not "
          "\"api.openai.com\"");
  refuses("host =a",
          "IDEMSHIM_RULES: rule 1, column 1: expected name=value without white space around =, not "
          "\"host\"");
  refuses("host=a ttl",
          "IDEMSHIM_RULES: rule 1, column 8: expected name=value without white space around =, not "
          "\"ttl\"");
}

Test(config_rules, refuse_quotes_that_do_not_surround_a_value)
{
  refuses("host='a", "IDEMSHIM_RULES: rule 1, field host, column 6: expected a closing ' on the same line");
  refuses("host=a path=\"/x\ny\"",
          "IDEMSHIM_RULES line 1: rule 1, field path, column 13: expected a closing \" on the same line");
  refuses("host=a path='/x'y",
          "IDEMSHIM_RULES: rule 1, field path, column 17: expected white space or ; after the closing '");
  refuses(
      "host=a path=/x'y'",
      "IDEMSHIM_RULES: rule 1, field path, column 15: expected quotes round the whole value, right after =");
  refuses("host=\"", "IDEMSHIM_RULES: rule 1, field host, column 6: expected a closing \" on the same line");
}

Test(config_rules, refuse_a_comment_that_touches_a_value)
{
  refuses("host=a path=/x#y",
          "IDEMSHIM_RULES: rule 1, field path, column 15: expected white space before a # "
          "comment, or quotes round a value with #");
}

Test(config_rules, refuse_control_characters_wherever_they_stand)
{
  refuses("host=a\x01",
          "IDEMSHIM_RULES: rule 1, field host, column 7: expected text, not the control character "
          "\"\\x01\"");
  refuses("host=a t\x1btl=1",
          "IDEMSHIM_RULES: rule 1, column 9: expected text, not the control character \"\\x1b\"");
  refuses("host=a path='/\t'",
          "IDEMSHIM_RULES: rule 1, field path, column 15: expected text, not the control "
          "character \"\\x09\"");
}

Test(config_rules, refuse_what_is_not_ascii_and_say_how_to_write_it)
{
  refuses("host=b\xc3\xbc.example", "IDEMSHIM_RULES: rule 1, field host, column 6: expected a host such as "
                                    "api.openai.com, *.openai.azure.com, "
                                    "127.0.0.1:8080 or [::1]:8080, not \"b\\xc3\\xbc.example\"; write an "
                                    "international name in its xn-- form");
  refuses("host=\xfc.example", "IDEMSHIM_RULES: rule 1, field host, column 6: expected a host such as "
                               "api.openai.com, *.openai.azure.com, "
                               "127.0.0.1:8080 or [::1]:8080, not \"\\xfc.example\"; write an "
                               "international name in its xn-- form");
  refuses("host=a path=/\xc3\xbc", "IDEMSHIM_RULES: rule 1, field path, column 13: expected a path of ASCII "
                                   "characters, not \"/\\xc3\\xbc\"; write the others as %XX, as a URL does");
  refuses("host=a t\xc3\xbc=1", "IDEMSHIM_RULES: rule 1, column 8: unknown field \"t\\xc3\\xbc\"");
}

Test(config_rules, refuse_a_value_that_is_too_long)
{
  static char rules[5000];

  memset(rules, 'x', sizeof rules - 1);
  memcpy(rules, "host=a path=/", 13);
  refuses(rules, "IDEMSHIM_RULES: rule 1, field path, column 13: expected at most 4096 bytes, not 4987");
}

Test(config_rules, refuse_more_rules_than_anybody_needs)
{
  static char rules[1001 * 7 + 1];

  for (size_t i = 0; i < 1001; i++)
    memcpy(rules + 7 * i, "host=a;", 7);
  refuses(rules, "IDEMSHIM_RULES: rule 1001, column 7001: expected at most 1000 rules");
  rules[1000 * 7] = '\0';
  struct idem_config config;
  load_rules(&config, rules);
  cr_expect_eq(config.rule_count, 1000);
  idem_config_release(&config);
}

Test(config_rules, in_several_lines_have_their_line_named)
{
  refuses("host=a\n\nhost=b ttl=7\n",
          "IDEMSHIM_RULES line 3: rule 2, field ttl, column 12: expected a duration with "
          "its unit, such as 250ms, 90s, 15m, 24h, 1h30m, 7d or forever, not \"7\"");
}
