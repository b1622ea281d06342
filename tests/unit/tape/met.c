/* SPDX-License-Identifier: MIT */
/* What a replay meets: the rules that the tape carries, each once, and a rule for each of its servers. */
#include "tests/unit/tape/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(tape_met, .init = open_fixture, .fini = close_fixture);
TestSuite(tape_met_sealed, .init = open_sealed_fixture, .fini = close_fixture);

static void called(const char *origin)
{
  struct exchange exchange = exchange_of(&fixture, "{}");
  exchange.request.origin = SPAN(origin);
  exchange_record(&exchange);
}

/* Begins to write under these rules. */
static void under(const char *rules)
{
  fixture.options.rules = SPAN(rules);
  cr_assert_eq(fixture_reopen(&fixture), 0, "%s", fixture.error.text);
}

static void meets(const char *rules, const char *origins)
{
  struct tape_met met;
  cr_assert_eq(tape_meets(fixture_tape(&fixture), &met, &fixture.error), 0, "%s", fixture.error.text);
  cr_expect_str_eq(met.rules, rules);
  cr_expect_str_eq(met.origins, origins);
  tape_met_release(&met);
  cr_expect(!met.rules && !met.origins);
}

Test(tape_met, an_empty_tape_meets_nothing)
{
  meets("", "");
}

Test(tape_met, each_server_is_met_once)
{
  called("https://api.example.com:443");
  called("http://127.0.0.1:8080");
  called("https://api.example.com:443");
  called("https://[::1]:8443");
  called("https://api.example.com:8443");
  meets("", "host=api.example.com:443 method=*\nhost=127.0.0.1:8080 method=*\nhost=[::1]:8443 method=*\n"
            "host=api.example.com:8443 method=*\n");
}

/* The tape may be a stranger's, and what he calls a server must not say more than that as a rule. */
Test(tape_met, a_server_whose_name_could_be_read_as_more_is_left_out)
{
  static const char *const odd[] = {"https://a;host=*:443",
                                    "https://a\nhost=*:443",
                                    "https://a,b:443",
                                    "https://*.example:443",
                                    "https://user@a:443",
                                    "https://a/b:443",
                                    "https://A.example:443",
                                    "https://a\"b:443",
                                    "https://a#b:443",
                                    "https://a%62:443",
                                    "https://",
                                    "a:443",
                                    "https://a.example=:443",
                                    "https://a\tb:443",
                                    "https://a?b:443"};
  for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
    called(odd[i]);
  called("https://last-one_1.example:443");
  meets("", "host=last-one_1.example:443 method=*\n");
}

#define A "host=a.example ttl=1h"
#define B "host=b.example vary=X-Own"

Test(tape_met, rules_are_those_that_were_in_force)
{
  under(A "\n" B "\n");
  called("https://a.example:443");
  meets("\n" A "\n" B "\n", "host=a.example:443 method=*\n");
}

Test(tape_met_sealed, rules_are_those_that_were_in_force)
{
  under(A "\n" B);
  called("https://a.example:443");
  meets("\n" A "\n" B "\n", "host=a.example:443 method=*\n");
}

/* They were changed, and changed back. */
Test(tape_met, those_of_a_later_run_come_behind_and_none_twice)
{
  under(A "\n");
  called("https://a.example:443");
  under(B "\n" A "\n");
  called("https://a.example:443");
  under(A "\n");
  called("https://a.example:443");
  meets("\n" A "\n" B "\n", "host=a.example:443 method=*\n");
}

/* A line that begins as another does is another. */
Test(tape_met, a_line_is_compared_as_a_whole)
{
  under(A ",2h\n" A "\nost=a.example ttl=1h\n" A "\n");
  called("https://a.example:443");
  meets("\n" A ",2h\n" A "\nost=a.example ttl=1h\n", "host=a.example:443 method=*\n");
}

Test(tape_met, comments_and_blank_lines_are_left_out)
{
  under("# of the file\n\n\n" A "\n#" B);
  called("https://a.example:443");
  meets("\n" A "\n", "host=a.example:443 method=*\n");
}

Test(tape_met, a_line_with_a_nought_is_none)
{
  static const char rules[] = "host=c.example\0 ttl=1h\n" A "\n";
  fixture.options.rules = (struct idem_span){rules, sizeof(rules) - 1};
  cr_assert_eq(fixture_reopen(&fixture), 0);
  called("https://a.example:443");
  meets("\n" A "\n", "host=a.example:443 method=*\n");
}
