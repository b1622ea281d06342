/* SPDX-License-Identifier: MIT */
/* What each field takes, and what it says to what it does not take. */
#include "tests/unit/config/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define RULE_1 "IDEMSHIM_RULES: rule 1, field "
#define HOST   "expected a host such as api.openai.com, *.openai.azure.com, 127.0.0.1:8080 or [::1]:8080, not "

static struct idem_config config;

/* The rule `host=a.example FIELD`. */
static const struct idem_rule *with(const char *field)
{
  char rules[256];

  idem_config_release(&config);
  snprintf(rules, sizeof rules, "host=a.example %s", field);
  load_rules(&config, rules);
  return &config.rules[0];
}

static void release(void)
{
  idem_config_release(&config);
}

static void host_is(const char *text, const char *host, unsigned port)
{
  char rules[256];

  idem_config_release(&config);
  snprintf(rules, sizeof rules, "host=%s", text);
  load_rules(&config, rules);
  cr_expect_str_eq(config.rules[0].host, host);
  cr_expect_eq(config.rules[0].port, port, "%s: port %u", text, config.rules[0].port);
}

/* `words` as a,b,c. */
static void words_are(const struct idem_words *words, const char *text)
{
  char joined[512] = "";

  for (size_t i = 0; i < words->count; i++)
    snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? "," : "", words->word[i]);
  cr_expect_str_eq(joined, text);
}

Test(config_field, host_is_a_glob_with_or_without_port, .fini = release)
{
  host_is("API.OpenAI.com", "api.openai.com", 0);
  host_is("api.openai.com.", "api.openai.com", 0);
  host_is("*.openai.azure.com", "*.openai.azure.com", 0);
  host_is("127.0.0.1:8080", "127.0.0.1", 8080);
  host_is("*:443", "*", 443);
  host_is("*", "*", 0);
  host_is("my_host-1", "my_host-1", 0);
  host_is("a:65535", "a", 65535);
}

Test(config_field, host_takes_ipv6_addresses_in_any_spelling, .fini = release)
{
  host_is("[::1]:8080", "::1", 8080);
  host_is("[::1]", "::1", 0);
  host_is("::1", "::1", 0);
  host_is("[0:0:0:0:0:0:0:1]:1", "::1", 1);
  host_is("[2001:DB8::A]", "2001:db8::a", 0);
  host_is("[fd00:*]:80", "fd00:*", 80);
}

Test(config_field, host_refuses_what_is_no_host)
{
  refuses("host=", RULE_1 "host, column 6: " HOST "\"\"");
  refuses("host=.openai.com", RULE_1 "host, column 6: " HOST
                                     "\".openai.com\"; every host of a domain is written as *.example.com");
  refuses("host=a..example", RULE_1 "host, column 6: " HOST "\"a..example\"");
  refuses("host=a_b!c", RULE_1 "host, column 6: " HOST "\"a_b!c\"");
  refuses("host=.",
          RULE_1 "host, column 6: " HOST "\".\"; every host of a domain is written as *.example.com");
  refuses("host=https://api.openai.com/v1",
          RULE_1 "host, column 6: " HOST "\"https://api.openai.com/v1\"; a URL's path goes into path=");
  refuses("host=[::1", RULE_1 "host, column 6: " HOST "\"[::1\"; the ] is missing");
  refuses("host=[::1]8080", RULE_1 "host, column 6: " HOST "\"[::1]8080\"");
  refuses("host=[]", RULE_1 "host, column 6: " HOST "\"[]\"; between brackets goes an IPv6 address");
  refuses("host=[a.example]",
          RULE_1 "host, column 6: " HOST "\"[a.example]\"; between brackets goes an IPv6 address");
}

Test(config_field, host_refuses_what_is_no_port)
{
#define NO_PORT(port)                                                                                        \
  RULE_1 "host, column 8: expected a port from 1 to 65535, not \"" port                                      \
         "\"; without a port, every port matches"
  refuses("host=a:", NO_PORT(""));
  refuses("host=a:0", NO_PORT("0"));
  refuses("host=a:65536", NO_PORT("65536"));
  refuses("host=a:99999999999999999999", NO_PORT("99999999999999999999"));
  refuses("host=a:*", NO_PORT("*"));
  refuses("host=a:-1", NO_PORT("-1"));
}

Test(config_field, host_does_not_show_a_password_again)
{
  refuses("host=someone:test-credential-alpha@a.example",
          RULE_1 "host, column 6: expected a host without user name and password");
}

Test(config_field, host_may_not_be_longer_than_a_name_can_be)
{
  char rules[5 + 255] = "host=", message[512];

  memset(rules + 5, 'a', 254);
  snprintf(message, sizeof message, RULE_1 "host, column 6: " HOST "\"%.55s...\"", rules + 5);
  refuses(rules, message);
  rules[5 + 253] = '\0';
  load_rules(&config, rules);
  release();
}

Test(config_field, method_lists_methods_in_upper_case, .fini = release)
{
  words_are(&with("method=POST,put")->methods, "POST,PUT");
  words_are(&with("method=GET,get,GET")->methods, "GET");
  words_are(&with("method=*")->methods, "*");
  refuses("host=a method=P*",
          RULE_1 "method, column 15: expected a method such as POST, or * for every one, not "
                 "\"P*\"");
  refuses("host=a method=GET,P@T",
          RULE_1 "method, column 19: expected a method such as POST, or * for every one, not "
                 "\"P@T\"");
  refuses("host=a method=GET,,PUT",
          RULE_1 "method, column 19: an empty item: expected words with one comma between them");
  refuses("host=a method=",
          RULE_1 "method, column 15: an empty item: expected words with one comma between them");
}

Test(config_field, path_is_a_glob_without_query, .fini = release)
{
  cr_expect_str_eq(with("path=/v1/*/chat")->path, "/v1/*/chat");
  cr_expect_str_eq(with("path=/v?/chat")->path, "/v?/chat");
  cr_expect_null(with("path=*")->path, "* is every path");
  refuses("host=a path=v1",
          RULE_1 "path, column 13: expected a path such as /v1/chat/completions or /v1/*, not "
                 "\"v1\"");
  refuses("host=a path=",
          RULE_1 "path, column 13: expected a path such as /v1/chat/completions or /v1/*, not \"\"");
  refuses("host=a path=/x?api-version=1", RULE_1
          "path, column 13: expected a path without query, not \"/x?api-version=1\"; every query matches");
  refuses("host=a path='/a b'",
          RULE_1 "path, column 14: expected a path of ASCII characters, not \"/a b\"; write the "
                 "others as %XX, as a URL does");
}

Test(config_field, action_is_store_or_bypass, .fini = release)
{
  cr_expect_eq(with("action=store")->action, IDEM_ACTION_STORE);
  cr_expect_eq(with("action=bypass")->action, IDEM_ACTION_BYPASS);
  refuses("host=a action=stroe",
          RULE_1 "action, column 15: expected store or bypass, not \"stroe\"; did you mean \"store\"?");
  refuses("host=a action=", RULE_1 "action, column 15: expected store or bypass, not \"\"");
}

#define DURATION "expected a duration with its unit, such as 250ms, 90s, 15m, 24h, 1h30m, 7d or forever"

Test(config_field, ttl_and_wait_are_durations, .fini = release)
{
  cr_expect_eq(with("ttl=90s")->ttl_ms, 90000);
  cr_expect_eq(with("ttl=forever")->ttl_ms, IDEM_FOREVER_MS);
  cr_expect_eq(with("wait=0")->wait_ms, 0);
  cr_expect_eq(with("wait=progress")->wait_ms, IDEM_FOREVER_MS);
  cr_expect_eq(with("wait=forever")->wait_ms, IDEM_FOREVER_MS);
  refuses("host=a; host=b path=/v1/embeddings ttl=7",
          "IDEMSHIM_RULES: rule 2, field ttl, column 40: " DURATION ", not \"7\"");
  refuses("host=a wait=off", RULE_1 "wait, column 13: " DURATION ", or progress, not \"off\"");
  refuses("host=a ttl=99999999999999999999d",
          RULE_1 "ttl, column 12: " DURATION ", not \"99999999999999999999d\"");
}

Test(config_field, rescue_is_a_duration_or_off, .fini = release)
{
  cr_expect_eq(with("rescue=5m")->rescue_ms, 300000);
  cr_expect_eq(with("rescue=off")->rescue_ms, 0);
  refuses("host=a rescue=on", RULE_1 "rescue, column 15: " DURATION ", or off, not \"on\"");
}

Test(config_field, key_names_where_a_key_comes_from, .fini = release)
{
  cr_expect_eq(with("key=auto")->keying.kind, IDEM_KEY_AUTO);
  cr_expect_eq(with("key=header")->keying.kind, IDEM_KEY_HEADER);
  cr_expect_eq(with("key=content")->keying.kind, IDEM_KEY_CONTENT);
  const struct idem_rule *rule = with("key=json:/tool_call_id,/event/0/a~1b~0");
  cr_expect_eq(rule->keying.kind, IDEM_KEY_JSON);
  words_are(&rule->keying.pointers, "/tool_call_id,/event/0/a~1b~0");
  cr_expect_eq(with("key=json:/gr\xc3\xb6\xc3\x9f"
                    "e")
                   ->keying.pointers.count,
               1, "JSON names may be any text");
}

Test(config_field, key_refuses_what_is_no_pointer)
{
  refuses("host=a key=heder",
          RULE_1 "key, column 12: expected auto, header, json or content, not \"heder\"; did you "
                 "mean \"header\"?");
  refuses("host=a key=json", RULE_1
          "key, column 12: expected json: with pointers after it, such as json:/event_id, not \"json\"");
  refuses("host=a key=json:",
          RULE_1 "key, column 17: an empty item: expected words with one comma between them");
  refuses("host=a key=json:/a,b",
          RULE_1 "key, column 20: expected a JSON pointer that begins with /, such as "
                 "/metadata/id, not \"b\"");
  refuses("host=a key=json:/a~2", RULE_1 "key, column 19: expected ~0 (for ~) or ~1 (for /), not \"~2\"");
  refuses("host=a key=json:/a~", RULE_1 "key, column 19: expected ~0 (for ~) or ~1 (for /), not \"~\"");
  refuses("host=a key=json:none",
          RULE_1 "key, column 17: expected a JSON pointer that begins with /, such as "
                 "/metadata/id, not \"none\"");
}

Test(config_field, header_adds_to_the_two_usual_ones, .fini = release)
{
  words_are(&with("header=X-Request-Id,X-Job")->keying.headers,
            "Idempotency-Key,X-Idempotency-Key,X-Request-Id,X-Job");
  words_are(&with("header=x-idempotency-key,X-Job,x-job")->keying.headers,
            "Idempotency-Key,X-Idempotency-Key,X-Job");
  words_are(&with("header=none")->keying.headers, "Idempotency-Key,X-Idempotency-Key");
  refuses("host=a header=X:Y",
          RULE_1 "header, column 15: expected a header's name such as X-Request-Id, not \"X:Y\"");
  refuses("host=a header=X-*",
          RULE_1 "header, column 15: expected a header's name such as X-Request-Id, not \"X-*\"");
}

Test(config_field, vary_replaces_the_default_list, .fini = release)
{
  words_are(&with("vary=Accept,X-Model-*")->keying.vary, "Accept,X-Model-*");
  words_are(&with("vary=Accept,accept")->keying.vary, "Accept");
  words_are(&with("vary=none")->keying.vary, "");
  words_are(&with("mark=on")->keying.vary, "*");
  words_are(&with("vary=*,-X-Stamp,User-Agent")->keying.vary, "*,-X-Stamp,User-Agent");
  refuses("host=a vary=",
          RULE_1 "vary, column 13: an empty item: expected words with one comma between them");
  refuses("host=a vary=Accept,(x)",
          RULE_1 "vary, column 20: expected a header's name or a glob over names, such as "
                 "OpenAI-*, not \"(x)\"");
}

Test(config_field, ignore_lists_pointers, .fini = release)
{
  words_are(&with("ignore=/metadata/ts,/user")->keying.ignore, "/metadata/ts,/user");
  words_are(&with("ignore=none")->keying.ignore, "");
  refuses("host=a ignore=metadata",
          RULE_1 "ignore, column 15: expected a JSON pointer that begins with /, such as "
                 "/metadata/id, not \"metadata\"");
}

Test(config_field, redact_lists_pointers_that_keep_counting, .fini = release)
{
  words_are(&with("redact=/user/email,/messages")->redact, "/user/email,/messages");
  words_are(&with("redact=/a")->keying.ignore, "");
  words_are(&with("ttl=1h")->redact, "");
  refuses("host=a redact=metadata",
          RULE_1 "redact, column 15: expected a JSON pointer that begins with /, such as "
                 "/metadata/id, not \"metadata\"");
}

Test(config_field, a_list_has_a_limit)
{
  char rules[512] = "host=a ignore=/0";

  for (int i = 1; i <= 64; i++)
    snprintf(rules + strlen(rules), sizeof rules - strlen(rules), ",/%d", i);
  refuses(rules, RULE_1 "ignore, column 261: expected at most 64 items");
}

Test(config_field, words_of_the_choices, .fini = release)
{
  cr_expect_eq(with("repeats=auto")->repeats, IDEM_REPEATS_AUTO);
  cr_expect_eq(with("repeats=fresh")->repeats, IDEM_REPEATS_FRESH);
  cr_expect_eq(with("repeats=sequence")->repeats, IDEM_REPEATS_SEQUENCE);
  cr_expect_eq(with("mismatch=reject")->mismatch, IDEM_MISMATCH_REJECT);
  cr_expect_eq(with("mismatch=bypass")->mismatch, IDEM_MISMATCH_BYPASS);
  cr_expect_eq(with("indoubt=fail")->indoubt, IDEM_INDOUBT_FAIL);
  cr_expect_eq(with("churn=join")->churn, IDEM_CHURN_JOIN);
  cr_expect_eq(with("pace=original")->pace, IDEM_PACE_ORIGINAL);
  cr_expect(with("guard=on")->guard);
  cr_expect(!with("mark=off")->mark);
  refuses("host=a repeats=Fresh",
          RULE_1 "repeats, column 16: expected replay, auto, fresh or sequence, not \"Fresh\"; did "
                 "you mean \"fresh\"?");
  refuses("host=a mismatch=422",
          RULE_1 "mismatch, column 17: expected replay, reject or bypass, not \"422\"");
  refuses("host=a indoubt=maybe", RULE_1 "indoubt, column 16: expected resend or fail, not \"maybe\"");
  refuses("host=a churn=jion",
          RULE_1 "churn, column 14: expected warn or join, not \"jion\"; did you mean \"join\"?");
  refuses("host=a pace=fast", RULE_1 "pace, column 13: expected instant or original, not \"fast\"");
  refuses("host=a guard=yes", RULE_1 "guard, column 14: expected off or on, not \"yes\"");
  refuses("host=a mark=0", RULE_1 "mark, column 13: expected off or on, not \"0\"");
}

#define STATUS "expected a status from 100 to 599, or a range such as 200-299, not "

Test(config_field, status_lists_codes_and_ranges, .fini = release)
{
  const struct idem_rule *rule = with("status=200-299,304,404");

  cr_expect_eq(rule->status_count, 3);
  cr_expect(idem_rule_accepts(rule, 200));
  cr_expect(idem_rule_accepts(rule, 299));
  cr_expect(idem_rule_accepts(rule, 304));
  cr_expect(!idem_rule_accepts(rule, 199));
  cr_expect(!idem_rule_accepts(rule, 300));
  cr_expect(!idem_rule_accepts(rule, 305));
  cr_expect(!idem_rule_accepts(rule, 0));
  cr_expect(!idem_rule_accepts(rule, -200));
  cr_expect(idem_rule_accepts(with("status=100-599"), 599));
}

Test(config_field, status_refuses_what_no_server_sends)
{
  refuses("host=a status=", RULE_1 "status, column 15: " STATUS "\"\"");
  refuses("host=a status=2xx", RULE_1 "status, column 15: " STATUS "\"2xx\"");
  refuses("host=a status=200,99", RULE_1 "status, column 19: " STATUS "\"99\"");
  refuses("host=a status=600", RULE_1 "status, column 15: " STATUS "\"600\"");
  refuses("host=a status=299-200", RULE_1 "status, column 15: " STATUS "\"299-200\"");
  refuses("host=a status=200-", RULE_1 "status, column 15: " STATUS "\"200-\"");
  refuses("host=a status=200,", RULE_1 "status, column 19: " STATUS "\"\"");
  refuses("host=a status=200,201,202,203,204,205,206,207,208",
          RULE_1 "status, column 47: expected at most 8 statuses or ranges");
}

Test(config_field, inject_is_one_headers_name_or_off, .fini = release)
{
  cr_expect_str_eq(with("inject=X-Request-Id")->inject, "X-Request-Id");
  cr_expect_null(with("inject=off")->inject);
  refuses("host=a inject=",
          RULE_1 "inject, column 15: an empty item: expected words with one comma between them");
  refuses("host=a inject='A B'",
          RULE_1 "inject, column 16: expected a header's name such as X-Request-Id, not "
                 "\"A B\"");
  refuses("host=a inject=A,B",
          RULE_1 "inject, column 15: expected one header's name, auto or off, not \"A,B\"");
  refuses("host=a inject=on",
          RULE_1 "inject, column 15: expected one header's name, auto or off, not \"on\"");
  cr_expect_str_eq(with("inject=auto")->inject, "Idempotency-Key");
  cr_expect(with("inject=auto")->inject_auto);
  cr_expect_not(with("inject=Idempotency-Key")->inject_auto);
}

Test(config_field, max_body_is_a_size, .fini = release)
{
  cr_expect_eq(with("max_body=64k")->max_body, 65536);
  cr_expect_eq(with("max_body=1")->max_body, 1);
  cr_expect_eq(with("max_body=1")->max_answer, 1);
  cr_expect_eq(with("max_body=1,2k")->max_body, 1);
  cr_expect_eq(with("max_body=1,2k")->max_answer, 2048);
  refuses("host=a max_body=1,",
          RULE_1 "max_body, column 19: expected a size such as 512, 64k, 16M or 4GiB, not \"\"");
  refuses("host=a max_body=0,1k",
          RULE_1 "max_body, column 17: expected a size such as 512, 64k, 16M or 4GiB, not \"0\"");
  refuses("host=a max_body=1k,0",
          RULE_1 "max_body, column 20: expected a size such as 512, 64k, 16M or 4GiB, not \"0\"");
  refuses("host=a max_body=0",
          RULE_1 "max_body, column 17: expected a size such as 512, 64k, 16M or 4GiB, not \"0\"");
  refuses("host=a max_body=1X",
          RULE_1 "max_body, column 17: expected a size such as 512, 64k, 16M or 4GiB, not \"1X\"");
}

Test(config_field, of_a_word_of_vary_that_comes_again_the_last_place_counts, .fini = release)
{
  words_are(&with("vary=X-A,-X-A,x-a")->keying.vary, "-X-A,X-A");
  words_are(&with("vary=X-A,none,X-B")->keying.vary, "X-B");
  words_are(&with("vary=*,-*")->keying.vary, "");
}

Test(config_field, tenant_is_a_word_or_a_place, .fini = release)
{
  cr_expect_eq(with("mark=on")->keying.tenant, IDEM_TENANT_CREDENTIALS);
  cr_expect_eq(with("tenant=none")->keying.tenant, IDEM_TENANT_NONE);
  cr_expect_eq(with("tenant=header:X-User")->keying.tenant, IDEM_TENANT_HEADER);
  words_are(&with("tenant=header:X-User")->keying.tenant_of, "X-User");
  words_are(&with("tenant=json:/user/id")->keying.tenant_of, "/user/id");
  cr_expect_eq(with("tenant=json:/user/id")->keying.tenant, IDEM_TENANT_JSON);
  refuses("host=a tenant=header:", RULE_1
          "tenant, column 15: expected credentials, none, header:NAME or json:/POINTER, not \"header:\"");
  refuses("host=a tenant=header:A,B",
          RULE_1 "tenant, column 15: expected one header or one pointer, not \"header:A,B\"");
  refuses("host=a tenant=json:id", RULE_1
          "tenant, column 20: expected a JSON pointer that begins with /, such as /metadata/id, not \"id\"");
}

Test(config_field, equal_keyings_have_one_name, .fini = release)
{
  char first[512];

  snprintf(first, sizeof first, "%s",
           with("vary=B,A-* ignore=/b,/a repeats=fresh header=X-Job")->keying.canonical);
  cr_expect_str_eq(first,
                   "key=auto\nheader=idempotency-key,x-idempotency-key,x-job\nvary=b,a-*\nignore=/a,/b\n"
                   "tenant=credentials");
  cr_expect_str_eq(with("header=x-job ignore=/a,/b,/a vary=b,a-* ttl=1h repeats=fresh")->keying.canonical,
                   first);
  cr_expect_str_neq(with("header=x-job ignore=/a vary=b,a-* repeats=fresh")->keying.canonical, first);
  cr_expect_str_eq(with("header=x-job ignore=/a,/b vary=b,a-*")->keying.canonical, first,
                   "an answer is found whatever repeats= was");
  cr_expect_str_neq(with("header=x-job ignore=/A,/b vary=b,a-* repeats=fresh")->keying.canonical, first);
  cr_expect_str_neq(with("header=x-job ignore=/a,/b vary=a-*,b repeats=fresh")->keying.canonical, first);
  cr_expect_str_neq(with("tenant=none header=x-job ignore=/a,/b vary=b,a-* repeats=fresh")->keying.canonical,
                    first);
}

/* What was made of a rule that is gone is not taken for that of another one in its place. */
Test(config_field, every_keying_has_a_serial_of_its_own, .fini = release)
{
  uint64_t first = with("vary=a")->keying.serial, second = with("vary=b")->keying.serial;

  cr_expect(first && second > first && with("vary=b")->keying.serial > second);
  idem_config_release(&config);
  load_rules(&config, "host=a.example\nhost=b.example vary=none");
  cr_expect_neq(config.rules[0].keying.serial, config.rules[1].keying.serial);
}

Test(config_field, a_keying_names_only_what_its_kind_looks_at, .fini = release)
{
  cr_expect_str_eq(with("key=content header=X-Job vary=none")->keying.canonical,
                   "key=content\nvary=\nignore=\ntenant=credentials");
  cr_expect_str_eq(with("key=json:/b,/a header=X-Job vary=none")->keying.canonical,
                   "key=json\npointers=/b,/a\nvary=\nignore=\ntenant=credentials");
}
