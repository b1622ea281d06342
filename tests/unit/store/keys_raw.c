/* SPDX-License-Identifier: MIT */
/* The raw name of a call, by which one that came before is found again. */
#include "store/key/key.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

TestSuite(store_raw_names, .init = open_fixture, .fini = close_fixture);

static void raw_of(const struct caller *caller, bool compared, struct hash_contexts *memo,
                   uint8_t out[IDEM_KEY_SIZE])
{
  static const uint8_t secret[IDEM_KEY_SIZE] = {1}, text_secret[KEY_TEXT_SECRET] = {2};

  key_raw(secret, compared ? text_secret : NULL, &caller->request, memo, out);
}

/* The same header counts or not by the rule, which has taken the place of the one before it in memory. */
Test(store_raw_names, what_came_before_changes_no_digest)
{
  static const char *const rules[] = {"", "vary=-x-team", "tenant=header:x-team", "", "key=header"};
  static const char *const lines[] = {"X-Team: a", "X-Team: b",       "X-Team: a",
                                      "X-Team:a ", "X-Request-Id: a", "X-Team:"};
  enum { RULES = sizeof(rules) / sizeof(*rules), LINES = sizeof(lines) / sizeof(*lines) };
  static struct hash_contexts memo;
  struct hash_contexts last;
  unsigned known = 0;

  for (size_t i = 0; i < RULES * LINES; i++) {
    fixture_rule(&fixture, rules[i % RULES]);
    struct caller caller = caller_of(&fixture, "{}");
    caller_header(&caller, lines[i / RULES]);
    caller.request.headers = caller.headers;
    caller.request.rule = fixture.config.rules;
    for (int again = 0; again < 4; again++) {
      struct hash_contexts nothing = {.sent = {.next = 0}};
      uint8_t by_memo[IDEM_KEY_SIZE], anew[IDEM_KEY_SIZE];
      last = memo;
      raw_of(&caller, again & 1, &memo, by_memo);
      known += last.sent.next == memo.sent.next;
      raw_of(&caller, again & 1, &nothing, anew);
      cr_expect_arr_eq(by_memo, anew, sizeof(anew), "%s, %s", rules[i % RULES], lines[i / RULES]);
    }
  }
  cr_expect_geq(known, 90u);
}

/* A rule says what a call is. By the raw name of another rule it would get an answer before
 * anybody asks what it is. */
Test(store_raw_names, each_rule_has_raw_names_of_its_own)
{
  static const char *const rules[] = {"",           "ignore=/a", "tenant=none", "key=json:/a", "key=json:/b",
                                      "key=header", ""};
  enum { RULES = sizeof(rules) / sizeof(*rules) };
  uint8_t raw[RULES][IDEM_KEY_SIZE];
  struct hash_contexts memo = {.sent = {.next = 0}};
  struct caller caller = caller_of(&fixture, "{\"a\":1,\"b\":2}");

  caller.request.headers = caller.headers;
  for (size_t i = 0; i < RULES; i++) {
    fixture_rule(&fixture, rules[i]);
    caller.request.rule = fixture.config.rules;
    raw_of(&caller, true, &memo, raw[i]);
    for (size_t k = 0; k < i; k++)
      cr_expect_eq(memcmp(raw[i], raw[k], IDEM_KEY_SIZE) == 0, strcmp(rules[i], rules[k]) == 0, "%s and %s",
                   rules[i], rules[k]);
  }
}

/* 192 bytes that are worth no more than 32 would not be what XXH3 asks for. */
Test(store_raw_names, no_part_of_the_secret_for_texts_is_another_ones)
{
  static const uint8_t secret[IDEM_KEY_SIZE] = {1};
  uint8_t made[KEY_TEXT_SECRET];
  key_text_secret(secret, made);
  for (size_t i = 0; i < KEY_TEXT_SECRET; i += IDEM_KEY_SIZE)
    for (size_t k = 0; k < i; k += IDEM_KEY_SIZE)
      cr_expect(memcmp(made + i, made + k, IDEM_KEY_SIZE) != 0, "%zu and %zu", i, k);
}

/* Whoever moves a store to an older processor finds its answers there. */
Test(store_raw_names, wide_registers_change_no_hash)
{
  static const uint8_t secret[TEXT_HASH_SECRET] = {1, 2, 3};
  static uint8_t text[5000], hash[TEXT_HASH_SIZE];

  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (uint8_t)(i * i >> 3);
  cr_expect_not(text_hash_suits(TEXT_HASH_LONG - 1));
  for (size_t len = TEXT_HASH_LONG; text_hash_suits(len) && len <= sizeof(text); len += 1 + len / 64) {
    const XXH128_hash_t plain = XXH3_128bits_withSecret(text, len, secret, sizeof(secret));
    text_hash_wide(secret, text, len, hash);
    cr_expect_arr_eq(hash, (const uint8_t *)&plain, sizeof(hash), "%zu bytes", len);
  }
}

/* Of a tracing header, which is another with each call, the roles are looked for, and nothing is hashed. */
Test(store_raw_names, a_header_that_does_not_count_is_hashed_with_nothing)
{
  struct hash_contexts memo = {.sent = {.next = 0}};
  uint8_t first[IDEM_KEY_SIZE], second[IDEM_KEY_SIZE];
  const char *const lines[] = {"X-Request-Id: 1", "X-Request-Id: 2"};

  for (size_t i = 0; i < 2; i++) {
    struct caller caller = caller_of(&fixture, "{}");
    caller_header(&caller, lines[i]);
    caller.request.headers = caller.headers;
    caller.request.rule = fixture.config.rules;
    raw_of(&caller, true, &memo, i ? second : first);
  }
  cr_expect_arr_eq(first, second, sizeof(first));
  cr_expect_eq(memo.sent.next, 2u);
  cr_expect_eq(memo.counted.next, 1u);
}

/* A list that is longer than there is room for is hashed each time. */
Test(store_raw_names, what_is_too_long_to_be_remembered_is_named_all_the_same)
{
  enum { HEADERS = HASH_MEMO_TEXTS - 8 };
  struct hash_contexts memo = {.sent = {.next = 0}};
  struct caller caller = caller_of(&fixture, "{}");
  struct idem_span headers[HEADERS], credentials[] = {SPAN("a:b"), SPAN("a:c")};
  uint8_t raw[3][IDEM_KEY_SIZE];

  for (size_t i = 0; i < HEADERS; i++)
    headers[i] = SPAN("X-Team: a");
  caller.request.headers = headers;
  caller.request.header_count = HEADERS;
  caller.request.rule = fixture.config.rules;
  raw_of(&caller, true, &memo, raw[0]);
  cr_expect_eq(memo.sent.next, 1u);
  caller.request.credential_count = 1;
  for (size_t i = 0; i < 2; i++) {
    caller.request.credentials = &credentials[i];
    raw_of(&caller, true, &memo, raw[1 + i]);
  }
  cr_expect_eq(memo.sent.next, 1u);
  cr_expect_neq(memcmp(raw[0], raw[1], IDEM_KEY_SIZE), 0);
  cr_expect_neq(memcmp(raw[1], raw[2], IDEM_KEY_SIZE), 0);
}

/* What counts is compared as far as it is still there: of a long text the end alone is. */
Test(store_raw_names, two_long_texts_that_end_alike_have_two_raw_names)
{
  static char text[2 * HASH_GATHERED];
  struct hash_contexts memo = {.sent = {.next = 0}};
  struct caller caller = caller_of(&fixture, "{}");
  uint8_t raw[2][IDEM_KEY_SIZE];

  memset(text, 'x', sizeof(text));
  caller.request.headers = caller.headers;
  caller.request.rule = fixture.config.rules;
  caller.request.scope = (struct idem_span){text, sizeof(text)};
  for (int i = 0; i < 2; i++) {
    text[0] = "ab"[i];
    raw_of(&caller, true, &memo, raw[i]);
  }
  cr_expect_neq(memcmp(raw[0], raw[1], IDEM_KEY_SIZE), 0);
}

/* Whichever way it is named: a raw name that two requests share is one answer for both, as
 * far as nobody compares. */
Test(store_raw_names, all_that_counts_is_in_the_raw_name)
{
  enum { OTHERS = 22 };
  struct caller plain = caller_of(&fixture, "{}"), other[OTHERS];
  struct idem_span users[][2] = {{SPAN("user:password")},
                                 {SPAN("X-Team: a")},
                                 {SPAN("user:passwort")},
                                 {SPAN("user:"), SPAN("password")}};
  /* As a header is written that has the role 1: a name of 6 bytes, and a value of 93. */
  char cookie[102];
  snprintf(cookie, sizeof(cookie), "cookie: %093d", 0);
  char passed[100];
  snprintf(passed, sizeof(passed), "ookie%c%093d", 93, 0);
  struct idem_span forged[] = {SPAN("\6"), {passed, 'c'}};
  struct hash_contexts memo = {.sent = {.next = 0}};

  for (size_t i = 0; i < OTHERS; i++)
    other[i] = plain;
  other[0].request.scope = SPAN("s");
  other[1].request.method = SPAN("PUT");
  other[2].request.origin = SPAN("https://b:443");
  other[3].request.trust = SPAN("t");
  other[4].request.path = SPAN("/v1/chat2");
  other[5].request.query = SPAN("a=1");
  other[6].request.shape = SPAN("br");
  other[7].request.body = SPAN("{} ");
  other[8].request.credentials = users[0];
  /* A text that is a header, or a credential. */
  caller_bare(&other[9]);
  caller_header(&other[9], "X-Team: a");
  caller_bare(&other[10]);
  other[10].request.credentials = users[1];
  other[11].request.credentials = users[2];
  other[12].request.credentials = users[3];
  other[8].request.credential_count = other[10].request.credential_count =
      other[11].request.credential_count = 1;
  other[12].request.credential_count = 2;
  caller_bare(&other[13]);
  caller_header(&other[13], cookie);
  caller_bare(&other[14]);
  other[14].request.credentials = forged;
  other[14].request.credential_count = 2;
  static const char *const lines[] = {"X-Teams: a", "X-Team: b", "x: y"};
  for (size_t i = 0; i < 3; i++) {
    caller_bare(&other[15 + i]);
    caller_header(&other[15 + i], lines[i]);
  }
  /* As the last of them is written, where it has the role 5, with an empty shape behind it. */
  other[17].request.shape = SPAN("");
  caller_bare(&other[18]);
  other[18].request.shape = (struct idem_span){"\1x\1y", 5};
  for (size_t i = 19; i < OTHERS; i++) {
    other[i].request.credentials = users[3];
    other[i].request.credential_count = 2;
  }
  other[19].request.credential_kinds = IDEM_CREDENTIAL_USER | IDEM_CREDENTIAL_PASSWORD << 4;
  other[20].request.credential_kinds = IDEM_CREDENTIAL_PASSWORD | IDEM_CREDENTIAL_USER << 4;
  other[21].request.auth = 64;
  for (int compared = 0; compared < 2; compared++) {
    uint8_t raw[OTHERS][IDEM_KEY_SIZE], of_plain[IDEM_KEY_SIZE];
    plain.request.headers = plain.headers;
    plain.request.rule = fixture.config.rules;
    raw_of(&plain, compared, &memo, of_plain);
    for (size_t i = 0; i < OTHERS; i++) {
      other[i].request.headers = other[i].headers;
      other[i].request.rule = plain.request.rule;
      raw_of(&other[i], compared, &memo, raw[i]);
      cr_expect(memcmp(raw[i], of_plain, IDEM_KEY_SIZE) != 0, "%zu", i);
      for (size_t k = 0; k < i; k++)
        cr_expect(memcmp(raw[i], raw[k], IDEM_KEY_SIZE) != 0, "%zu and %zu", i, k);
    }
  }
}
