/* SPDX-License-Identifier: MIT */
/* A rule as a line of the grammar. */
#include "tests/unit/config/equal.h"
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static void formats(const char *rules, const char *line)
{
  struct idem_config config, again;
  char out[1024];

  load_rules(&config, rules);
  size_t len = idem_rule_format(&config.rules[0], out, sizeof out);
  cr_expect_str_eq(out, line, "%s", out);
  cr_expect_eq(len, strlen(line));
  load_rules(&again, out);
  cr_assert_eq(again.rule_count, 1);
  const char *field = rules_differ(&config.rules[0], &again.rules[0]);
  cr_expect_null(field, "%s: %s differs", out, field);
  idem_config_release(&again);
  idem_config_release(&config);
}

Test(config_format, leaves_the_defaults_out)
{
  formats("host=*", "host=*");
  formats(
      "ttl=24h host=A.example:443 method=post path=* rescue=10m keepalive=60s "
      "vary=* tenant=credentials header=Idempotency-Key status=200-299 max_body=16384k,65536k wait=progress",
      "host=a.example:443");
}

Test(config_format, has_every_other_field_in_its_plainest_form)
{
  formats("host=[0::1]:8080 method=put,get path=/v1/* action=bypass ttl=60m key=json:/a,/b header=X-Job "
          "vary=*,-X-Stamp tenant=header:X-User "
          "ignore=/c repeats=fresh mismatch=reject status=200,300-399 inject=off wait=0 rescue=off "
          "keepalive=off guard=on "
          "indoubt=fail churn=join pace=original mark=off redact=/d max_body=1024 truncated=live "
          "access=write ignore_cache_control=on",
          "host=[::1]:8080 method=PUT,GET path=/v1/* action=bypass ttl=1h key=json:/a,/b header=X-Job "
          "vary=*,-X-Stamp tenant=header:X-User ignore=/c repeats=fresh mismatch=reject status=200,300-399 "
          "inject=off "
          "wait=0 rescue=off keepalive=off guard=on indoubt=fail churn=join pace=original mark=off redact=/d "
          "max_body=1k "
          "truncated=live access=write ignore_cache_control=on");
}

Test(config_format, says_durations_and_sizes_as_people_do)
{
  formats("host=* ttl=7d wait=90s", "host=* ttl=7d wait=1m30s");
  formats("host=* ttl=49h wait=1500ms", "host=* ttl=2d1h wait=1s500ms");
  formats("host=* ttl=1d1h", "host=* ttl=25h");
  formats("host=* ttl=forever max_body=1025", "host=* ttl=forever max_body=1025");
  formats("host=* max_body=1k,1M", "host=* max_body=1k,1M");
}

Test(config_format, quotes_what_must_be_quoted)
{
  formats("host=* path='/a;b'", "host=* path=\"/a;b\"");
  formats("host=* path='/a\"#b'", "host=* path='/a\"#b'");
  formats("host=* path=\"/a'b\"", "host=* path=\"/a'b\"");
  formats("host=* ignore='/a b,/c'", "host=* ignore=\"/a b,/c\"");
}

Test(config_format, counts_like_snprintf_and_never_writes_past_its_room)
{
  struct idem_config config;
  char out[16] = "untouched";

  load_rules(&config, "host=a.example ttl=1h");
  cr_expect_eq(idem_rule_format(&config.rules[0], NULL, 0), strlen("host=a.example ttl=1h"));
  cr_expect_eq(idem_rule_format(&config.rules[0], out, 0), strlen("host=a.example ttl=1h"));
  cr_expect_str_eq(out, "untouched");
  memset(out, 'x', sizeof out);
  cr_expect_eq(idem_rule_format(&config.rules[0], out, 10), strlen("host=a.example ttl=1h"));
  cr_expect_str_eq(out, "host=a.ex");
  cr_expect_eq(out[10], 'x');
  idem_config_release(&config);
}

Test(config_format, reads_every_builtin_rule_back)
{
  struct idem_config config, again;
  struct idem_error error;
  char out[256];

  cr_assert_eq(LOAD_WITH(&config, &error, "HOME", "/home/someone"), 0);
  for (size_t i = 0; i < config.rule_count; i++) {
    idem_rule_format(&config.rules[i], out, sizeof out);
    load_rules(&again, out);
    const char *field = rules_differ(&config.rules[i], &again.rules[0]);
    cr_expect_null(field, "%s: %s differs", out, field);
    idem_config_release(&again);
  }
  idem_config_release(&config);
}
