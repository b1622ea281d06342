/* SPDX-License-Identifier: MIT */
/* What makes two calls the same operation, and what does not. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_keys, .init = open_fixture, .fini = close_fixture);

/* Both bodies, under the rule of the fixture. */
static bool same_body(const char *a, const char *b)
{
  struct caller x = caller_of(&fixture, a), y = caller_of(&fixture, b);
  const char *key = caller_key(&x);

  return strcmp(key, caller_key(&y)) == 0;
}

/* A call with one header more. */
static const char *key_with(const char *line)
{
  struct caller caller = caller_of(&fixture, "{}");

  if (line)
    caller_header(&caller, line);
  return caller_key(&caller);
}

Test(store_keys, json_says_the_same_in_any_order_and_spelling)
{
  static const char *const same[][2] = {
      {"{\"a\":1,\"b\":[1,2]}", "{ \"b\" : [1, 2],\n \"a\" : 1 }"},
      {"{\"a\":\"\\u00e9\\/\"}", "{\"a\":\"\xc3\xa9/\"}"},
      {"{\"a\":0.70,\"b\":1e2}", "{\"b\":100.0,\"a\":0.7}"},
      {"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":2,\"x\":1}}"},
      {" [1, 2]", "\xef\xbb\xbf[1,2]"},
      {"{\"a\":\"b\xff\"}", "{\"a\":\"\\u0062\xff\"}"},
  };
  for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
    cr_expect(same_body(same[i][0], same[i][1]), "%s and %s", same[i][0], same[i][1]);
}

Test(store_keys, everything_in_a_body_counts)
{
  static const char *const other[][2] = {
      {"{\"a\":1}", "{\"a\":2}"},
      {"{\"a\":1}", "{\"a\":1.0}"},
      {"{\"a\":1}", "{\"a\":\"1\"}"},
      {"{\"a\":[1,2]}", "{\"a\":[2,1]}"},
      {"{\"a\":null}", "{}"},
      {"{\"a\":\"x\"}", "{\"a\":\"x \"}"},
      {"{\"a\":\"\\u0062\xff\"}", "{\"a\":\"\\u0062\xff\xff\"}"},
      {"{\"a\":\"\\ud83d\"}", "{\"a\":\"\xff\xd8\x3d\"}"},
      {"{\"a\":\"\\ud83d\\ud83d\"}", "{\"a\":\"\\ud83d\xff\xd8\x3d\"}"},
      {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
      {"{\"n\":12345678901234567890}", "{\"n\":12345678901234567891}"},
      {"{\"a\":0.1}", "{\"a\":0.10000000000000002}"},
      {"a=1", "a=2"},
      {"", "{}"},
      {"{\"a\":1", "{\"a\":1 "},
  };
  for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
    cr_expect(!same_body(other[i][0], other[i][1]), "%s and %s", other[i][0], other[i][1]);
}

Test(store_keys, text_that_looks_like_json_counts_byte_by_byte)
{
  static const char *const pairs[][2] = {{"{\"a\":1}", "{ \"a\":1}"},
                                         {"[1, 2]", "[1,2]"},
                                         {"1.50", "15e-1"},
                                         {"\"a\"", "\"\\u0061\""},
                                         {"\"a\"", " \"a\""}};
  /* How many of the pairs are one call under it. */
  static const struct {
    const char *type;
    size_t alike;
  } types[] = {{"Content-Type: text/plain", 0},
               {"content-type:Text/Plain; charset=utf-8", 0},
               {"Content-Type: application/json", 2},
               {"content-type: application/vnd.a+JSON", 2},
               {"Content-Type: application/x-www-form-urlencoded", 2},
               {"Content-Type:", 2},
               {"Content-Type: application/text/x", 1},
               {"Content-Type: application/octet-stream", 1},
               {"Content-Type: audio/wav", 1}};
  for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
    for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++) {
      struct caller a = caller_of(&fixture, pairs[i][0]), b = caller_of(&fixture, pairs[i][1]);
      caller_bare(&a), caller_bare(&b);
      caller_header(&a, types[k].type), caller_header(&b, types[k].type);
      cr_expect_eq(strcmp(caller_key(&a), caller_key(&b)) == 0, i < types[k].alike, "%s as %s", pairs[i][0],
                   types[k].type);
    }
  fixture_rule(&fixture, "ignore=/at");
  struct caller first = caller_of(&fixture, "{\"at\":1}"), later = caller_of(&fixture, "{\"at\":2}");
  caller_bare(&first), caller_bare(&later);
  caller_header(&first, types[0].type), caller_header(&later, types[0].type);
  cr_expect_str_eq(caller_key(&first), caller_key(&later));
}

Test(store_keys, a_body_with_a_nul_counts_to_its_end)
{
  struct caller a = caller_of(&fixture, ""), b = a;

  a.request.body = (struct idem_span){"x\0a", 3};
  b.request.body = (struct idem_span){"x\0b", 3};
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
}

Test(store_keys, ignored_fields_do_not_count)
{
  fixture_rule(&fixture, "ignore=/metadata/sent_at,/messages/0/id,/a~1b");
  cr_expect(same_body("{\"metadata\":{\"sent_at\":1,\"u\":1}}", "{\"metadata\":{\"sent_at\":2,\"u\":1}}"));
  cr_expect(same_body("{\"messages\":[{\"id\":1,\"t\":1}]}", "{\"messages\":[{\"t\":1}]}"));
  cr_expect(same_body("{\"a/b\":1}", "{}"));
  cr_expect(!same_body("{\"metadata\":{\"sent_at\":1,\"u\":1}}", "{\"metadata\":{\"sent_at\":1,\"u\":2}}"));
  cr_expect(!same_body("{\"messages\":[{},{\"id\":1}]}", "{\"messages\":[{},{\"id\":2}]}"));
}

/* A form with that boundary, as Guzzle writes one. */
static const char *form_key(const char *boundary, const char *content)
{
  static char line[128], body[512];
  struct caller caller;
  snprintf(line, sizeof(line), "Content-Type: multipart/form-data; boundary=\"%s\"; charset=utf-8", boundary);
  snprintf(body, sizeof(body),
           "--%s\r\nContent-Disposition: form-data; "
           "name=\"model\"\r\n\r\nwhisper-1\r\n--%s\r\nContent-Disposition: "
           "form-data; name=\"file\"\r\n\r\n%s\r\n--%s--\r\n",
           boundary, boundary, content, boundary);
  caller = caller_of(&fixture, body);
  caller_bare(&caller);
  caller_header(&caller, line);
  return caller_key(&caller);
}

Test(store_keys, the_boundary_of_a_form_does_not_count)
{
  const char *key = form_key("3f2a9c01", "sound");
  cr_expect_str_eq(form_key("77aa01bcde", "sound"), key);
  cr_expect_str_neq(form_key("3f2a9c01", "noise"), key);
  cr_expect_str_neq(form_key("3f2a9c01", "sound\r\n--3f2a9c01\r\n"), key);
  cr_expect_str_neq(form_key("77aa01bcde", "--3f2a9c01"), form_key("3f2a9c01", "--77aa01bcde"));
}

Test(store_keys, each_part_of_the_target_counts)
{
  struct caller plain = caller_of(&fixture, "{}");
  const char *key = caller_key(&plain);
  struct {
    const char *what;
    struct caller caller;
  } other[] = {
      {"scope", plain}, {"method", plain}, {"origin", plain},
      {"path", plain},  {"query", plain},  {"shape", plain},
  };
  other[0].caller.request.scope = SPAN("job-1");
  other[1].caller.request.method = SPAN("PUT");
  other[2].caller.request.origin = SPAN("https://api.example.com:444");
  other[3].caller.request.path = SPAN("/v1/chats");
  other[4].caller.request.query = SPAN("a=1");
  other[5].caller.request.shape = SPAN("br");
  for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
    cr_expect_str_neq(caller_key(&other[i].caller), key, "%s", other[i].what);
}

Test(store_keys, fields_cannot_run_into_each_other)
{
  struct caller a = caller_of(&fixture, "{}"), b = a;

  a.request.path = SPAN("/a"), a.request.query = SPAN("bc");
  b.request.path = SPAN("/ab"), b.request.query = SPAN("c");
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
}

Test(store_keys, every_header_counts_but_those_that_are_known_to_change)
{
  static const char *const out[] = {"X-Request-Id: 17",
                                    "Proxy-Authorization: Basic test-credential",
                                    "User-Agent: x/2",
                                    "traceparent: 00-1",
                                    "X-Stainless-Retry-Count: 2",
                                    "Foo-Attempt: 2",
                                    "X-Retry-After: 1",
                                    "Cache-Control: no-cache",
                                    "Sec-Fetch-Mode: cors",
                                    "X-CSRF-Token: a",
                                    "X-Forwarded-For: 10.0.0.1",
                                    "X-B3-TraceId: 1"};
  static const char *const in[] = {"X-Amzn-Bedrock-GuardrailIdentifier: g",
                                   "Helicone-Target-Url: u",
                                   "X-Keyboard: q",
                                   "Accept-Language: de",
                                   "X-Made-Up: 1",
                                   "Referer: a",
                                   "X-Attempts: 2"};
  const char *key = key_with(NULL);
  for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++)
    cr_expect_str_eq(key_with(out[i]), key, "%s", out[i]);
  for (size_t i = 0; i < sizeof(in) / sizeof(*in); i++)
    cr_expect_str_neq(key_with(in[i]), key, "%s", in[i]);
  cr_expect_str_eq(key_with("openai-beta:assistants=v2 "), key_with("OpenAI-Beta: assistants=v2"));
  cr_expect_str_neq(key_with("OpenAI-Beta: assistants=v1"), key_with("OpenAI-Beta: assistants=v2"));
}

Test(store_keys, the_last_word_of_vary_about_a_header_counts)
{
  fixture_rule(&fixture, "vary=*,-X-Stamp*,X-Stamp-Model,User-Agent");
  const char *key = key_with(NULL);
  cr_expect_str_eq(key_with("X-Stamp: 1"), key);
  cr_expect_str_eq(key_with("X-Stamp-Time: 1"), key);
  cr_expect_str_neq(key_with("X-Stamp-Model: 1"), key);
  cr_expect_str_neq(key_with("User-Agent: x"), key);
  cr_expect_str_neq(key_with("X-Other: x"), key);
  fixture_rule(&fixture, "vary=Accept");
  key = key_with(NULL);
  cr_expect_str_eq(key_with("X-Other: x"), key);
  cr_expect_str_neq(key_with("Accept: x"), key);
  fixture_rule(&fixture, "vary=none");
  cr_expect_str_eq(key_with("Accept: x"), key_with(NULL));
}

Test(store_keys, lines_of_one_header_count_in_the_order_of_the_wire)
{
  struct caller a = caller_of(&fixture, "{}"), b = a, c = a;
  static const char high[] = "anthropic-beta: one", low[] = "anthropic-beta: two";
  caller_header(&a, high), caller_header(&a, low);
  caller_header(&b, low), caller_header(&b, high);
  char again[2][32];
  strcpy(again[1], high), strcpy(again[0], low);
  caller_header(&c, again[1]), caller_header(&c, again[0]);
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
  cr_expect_str_eq(caller_key(&a), caller_key(&c));
}

/* Whether a second try with another such header is the same content as the first. */
static bool no_mismatch(const char *line)
{
  struct caller first = caller_of(&fixture, "{}"), second = first;
  caller_header(&first, "Idempotency-Key: one");
  caller_header(&second, "Idempotency-Key: one");
  caller_header(&second, line);
  caller_ask(&first, "{\"answer\":1}");
  int verdict = caller_ask(&second, "{\"answer\":2}");
  idem_store_remove(fixture.store, first.call.id, NULL);
  return verdict == IDEM_HIT;
}

Test(store_keys, beside_a_key_only_headers_that_are_named_count)
{
  fixture_rule(&fixture, "mismatch=reject");
  cr_expect(no_mismatch("X-Attempt: 2"));
  cr_expect(no_mismatch("X-Made-Up: 2"));
  cr_expect_not(no_mismatch("OpenAI-Beta: v2"));
  cr_expect_not(no_mismatch("X-Amzn-Bedrock-Trace: on"));
  cr_expect_not(no_mismatch("X-Goog-User-Project: p"));
  cr_expect(no_mismatch("X-Goog-Api-Client: gccl-attempt/2"));
  fixture_rule(&fixture, "mismatch=reject vary=*,X-Made-Up");
  cr_expect_not(no_mismatch("X-Made-Up: 2"));
  cr_expect(no_mismatch("X-Attempt: 2"));
}

Test(store_keys, the_order_of_headers_does_not_count)
{
  struct caller a = caller_of(&fixture, "{}"), b = a;

  caller_bare(&b);
  caller_header(&a, "OpenAI-Project: p");
  caller_header(&b, "OpenAI-Project: p");
  caller_header(&b, "Authorization: Bearer test-credential-alpha");
  caller_header(&b, "Content-Type: application/json");
  cr_expect_str_eq(caller_key(&a), caller_key(&b));
}

Test(store_keys, vary_never_takes_a_credential_or_a_key_as_content)
{
  fixture_rule(&fixture, "vary=* key=content");
  const char *key = key_with(NULL);
  cr_expect_str_eq(key_with("Idempotency-Key: 1"), key);
  cr_expect_str_neq(key_with("X-Other: 1"), key);
}

Test(store_keys, auto_takes_the_header_and_then_the_body_does_not_count)
{
  struct caller a = caller_of(&fixture, "{\"a\":1}"), b = caller_of(&fixture, "{\"a\":2}"), c = b;

  caller_header(&a, "Idempotency-Key: one");
  caller_header(&b, "idempotency-key:  one");
  caller_header(&c, "Idempotency-Key: two");
  cr_expect_str_eq(caller_key(&a), caller_key(&b));
  cr_expect_str_neq(caller_key(&a), caller_key(&c));
}

Test(store_keys, the_first_header_of_the_rule_wins)
{
  struct caller a = caller_of(&fixture, "{}"), b = a;

  caller_header(&a, "Idempotency-Key: one");
  caller_header(&b, "X-Idempotency-Key: two");
  caller_header(&b, "Idempotency-Key: one");
  cr_expect_str_eq(caller_key(&a), caller_key(&b));
}

Test(store_keys, two_lines_of_one_header_are_the_key_together)
{
  struct caller a = caller_of(&fixture, "{}"), b = a, c = a, d = a;

  caller_header(&a, "Idempotency-Key: one");
  caller_header(&b, "Idempotency-Key: one");
  caller_header(&b, "idempotency-key: one ");
  cr_expect_str_eq(caller_key(&a), caller_key(&b), "said twice");
  caller_header(&c, "Idempotency-Key: one");
  caller_header(&c, "Idempotency-Key: two");
  caller_header(&d, "Idempotency-Key: one");
  caller_header(&d, "Idempotency-Key: three");
  cr_expect_str_neq(caller_key(&a), caller_key(&c));
  cr_expect_str_neq(caller_key(&c), caller_key(&d));
  cr_expect_str_eq(caller_key(&c), caller_key(&c));
}

Test(store_keys, a_strict_header_that_is_missing_is_no_key)
{
  fixture_rule(&fixture, "key=header");
  struct caller caller = caller_of(&fixture, "{}");
  cr_expect_eq(caller_enter(&caller), IDEM_NO_KEY);
  caller_leave(&caller, false);
  caller_header(&caller, "Idempotency-Key:");
  cr_expect_eq(caller_enter(&caller), IDEM_NO_KEY);
  caller_leave(&caller, false);
  caller_header(&caller, "X-Idempotency-Key: 1");
  cr_expect_eq(caller_enter(&caller), IDEM_OWNED);
  caller_leave(&caller, false);
}

Test(store_keys, json_fields_name_the_operation)
{
  fixture_rule(&fixture, "key=json:/tool_call_id,/run/0");
  cr_expect(same_body("{\"tool_call_id\":\"a\",\"run\":[1],\"x\":1}",
                      "{\"tool_call_id\":\"a\",\"run\":[1],\"x\":2}"));
  cr_expect(!same_body("{\"tool_call_id\":\"a\",\"run\":[1]}", "{\"tool_call_id\":\"a\",\"run\":[2]}"));
  cr_expect(!same_body("{\"tool_call_id\":\"1\",\"run\":[1]}", "{\"tool_call_id\":1,\"run\":[1]}"));
  static const char *const missing[] = {"{\"tool_call_id\":\"a\"}", "{\"tool_call_id\":null,\"run\":[1]}",
                                        "no json", ""};
  for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++) {
    struct caller caller = caller_of(&fixture, missing[i]);
    cr_expect_eq(caller_enter(&caller), IDEM_NO_KEY, "%s", missing[i]);
    caller_leave(&caller, false);
  }
}
