/* SPDX-License-Identifier: MIT */
/* What makes two calls the same operation, and what does not. */
#include "store/key/key.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
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
      {" \"text\" ", "\"text\""},
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
  static const char *const pairs[][2] = {{"1.50", "15e-1"}, {"[1, 2]", "[1,2]"}, {"{\"a\":1}", "{ \"a\":1}"}};
  static const char *const types[] = {"Content-Type: text/plain", "content-type:Text/Plain; charset=utf-8",
                                      "Content-Type: application/json", "Content-Type: application/text/x"};
  for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
    for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++) {
      struct caller a = caller_of(&fixture, pairs[i][0]), b = caller_of(&fixture, pairs[i][1]);
      caller_bare(&a), caller_bare(&b);
      caller_header(&a, types[k]), caller_header(&b, types[k]);
      cr_expect_eq(strcmp(caller_key(&a), caller_key(&b)) == 0, k > 1, "%s as %s", pairs[i][0], types[k]);
    }
  fixture_rule(&fixture, "ignore=/at");
  struct caller first = caller_of(&fixture, "{\"at\":1}"), later = caller_of(&fixture, "{\"at\":2}");
  caller_bare(&first), caller_bare(&later);
  caller_header(&first, types[0]), caller_header(&later, types[0]);
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

static const char *tenant_with(const char *line)
{
  struct caller caller = caller_of(&fixture, "{}");

  caller_bare(&caller);
  if (line)
    caller_header(&caller, line);
  return caller_key(&caller);
}

Test(store_keys, each_credential_is_another_tenant)
{
  static const char *const lines[] = {
      NULL,
      "Authorization: Bearer test-credential-alpha",
      "Authorization: Bearer test-credential-beta",
      "x-api-key: test-credential-alpha",
      "api-key: test-credential-alpha",
      "x-goog-api-key: test-credential-alpha",
      "Cookie: session=test-credential-alpha",
      "X-Acme-Token: test-credential-alpha",
      "acmeApiKey: test-credential-alpha",
      "x-acme-secret: test-credential-alpha",
      "X-Amz-Security-Token: test-credential-alpha",
  };
  enum { COUNT = sizeof(lines) / sizeof(*lines) };
  char keys[COUNT][IDEM_ID_SIZE];

  for (size_t i = 0; i < COUNT; i++) {
    strcpy(keys[i], tenant_with(lines[i]));
    for (size_t j = 0; j < i; j++)
      cr_expect_str_neq(keys[i], keys[j], "%s and %s", lines[i], lines[j] ? lines[j] : "none");
  }
}

Test(store_keys, the_key_of_the_query_is_a_credential)
{
  struct caller a = caller_of(&fixture, "{}"), b = a, c = a, d = a;

  a.request.query = SPAN("alt=sse&key=test-credential-alpha");
  b.request.query = SPAN("key=test-credential-alpha&alt=sse");
  c.request.query = SPAN("alt=sse&key=test-credential-beta");
  d.request.query = SPAN("alt=sse");
  cr_expect_str_eq(caller_key(&a), caller_key(&b));
  cr_expect_str_neq(caller_key(&a), caller_key(&c));
  cr_expect_str_neq(caller_key(&a), caller_key(&d));
}

/* The name of a call with such a query, and whether a credential is content. */
Test(store_keys, whatever_is_a_credential_in_a_query_is_tenant_and_no_content)
{
  static const char *const names[] = {"access_token", "api-key",     "apiKey", "sig",
                                      "api%5Fkey",    "auth[token]", "code"};
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    char query[2][64];
    struct caller orders[2] = {caller_of(&fixture, "{}"), caller_of(&fixture, "{}")};
    for (int j = 0; j < 2; j++) {
      snprintf(query[j], sizeof(query[j]), "a=1&%s=test-credential-%d", names[i], j);
      orders[j].request.query = SPAN(query[j]);
      caller_ask(&orders[j], "{}");
    }
    cr_expect_neq(memcmp(orders[0].call.key, orders[1].call.key, IDEM_KEY_SIZE), 0, "%s", names[i]);
    cr_expect_arr_eq(orders[0].call.fingerprint, orders[1].call.fingerprint, IDEM_KEY_SIZE, "%s", names[i]);
  }
}

/* By its own name, for a glob says nothing of whose call it is; a known name stays what it is. */
Test(store_keys, a_header_that_vary_leaves_out_by_name_is_no_credential)
{
  static const char *const lines[][3] = {
      {"vary=*,-X-Acme-Token", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=*,-X-Acme-*", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=*", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=*,-X-Acme-Token,X-Acme-Token", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=-X-Acme-Token,*", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=*,-X-Acme-Token,X-Acme-*", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=X-Acme-Token,*", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=*,X-Acme-Token,-X-Acme-*", "X-Acme-Token: one", "X-Acme-Token: two"},
      {"vary=*,-X-Api-Key", "X-Api-Key: one", "X-Api-Key: two"}};
  for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
    fixture_rule(&fixture, lines[i][0]);
    struct caller a = caller_of(&fixture, "{}"), b = a;
    caller_header(&a, lines[i][1]);
    caller_header(&b, lines[i][2]);
    char key[IDEM_ID_SIZE];
    snprintf(key, sizeof(key), "%s", caller_key(&a));
    cr_expect_eq(strcmp(key, caller_key(&b)) == 0, i == 0, "%s", lines[i][0]);
  }
}

Test(store_keys, a_header_that_vary_names_is_content_and_no_credential)
{
  fixture_rule(&fixture, "vary=*,X-Acme-Token,Authorization");
  struct caller a = caller_of(&fixture, "{}"), b = a, c = a;
  caller_header(&a, "X-Acme-Token: one");
  caller_header(&b, "X-Acme-Token: two");
  caller_bare(&c);
  caller_header(&c, "Content-Type: application/json");
  caller_header(&c, "Authorization: Bearer test-credential-beta");
  caller_header(&c, "X-Acme-Token: one");
  caller_ask(&a, "{}"), caller_ask(&b, "{}"), caller_ask(&c, "{}");
  cr_expect_neq(memcmp(a.call.fingerprint, b.call.fingerprint, IDEM_KEY_SIZE), 0);
  cr_expect_arr_eq(a.call.fingerprint, c.call.fingerprint, IDEM_KEY_SIZE);
  cr_expect_neq(memcmp(a.call.key, c.call.key, IDEM_KEY_SIZE), 0);
}

Test(store_keys, cookies_of_load_balancers_are_nobody)
{
  const char *one = tenant_with("Cookie: session=a; __cf_bm=1");
  cr_expect_str_eq(tenant_with("Cookie: AWSALB=xyz; session=a; _ga_X1=2; ARRAffinitySameSite=3"), one);
  cr_expect_str_neq(tenant_with("Cookie: session=b; __cf_bm=1"), one);
  cr_expect_str_eq(tenant_with("Cookie: cf_clearance=1"), tenant_with(NULL));
}

Test(store_keys, a_tenant_that_is_named_is_all_that_counts)
{
  fixture_rule(&fixture, "tenant=header:X-User");
  struct caller a = caller_of(&fixture, "{}"), b = caller_of(&fixture, "{}"), c = b, none = b;
  caller_bare(&b);
  caller_header(&b, "Content-Type: application/json");
  caller_header(&b, "Authorization: Bearer renewed");
  caller_header(&a, "X-User: alice"), caller_header(&b, "x-user: alice"), caller_header(&c, "X-User: bob");
  cr_expect_str_eq(caller_key(&a), caller_key(&b));
  cr_expect_str_neq(caller_key(&a), caller_key(&c));
  cr_expect_eq(caller_enter(&none), IDEM_NO_TENANT);
  caller_leave(&none, false);
  caller_header(&none, "X-User: ");
  cr_expect_eq(caller_enter(&none), IDEM_NO_TENANT);
  caller_leave(&none, false);
}

Test(store_keys, a_tenant_may_stand_in_the_body)
{
  fixture_rule(&fixture, "tenant=json:/user ignore=/user");
  struct caller a = caller_of(&fixture, "{\"user\":\"a\"}"), b = caller_of(&fixture, "{\"user\":\"b\"}"),
                none = caller_of(&fixture, "{}");
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
  cr_expect_eq(caller_enter(&none), IDEM_NO_TENANT);
  caller_leave(&none, false);
}

Test(store_keys, with_tenant_none_all_are_one)
{
  fixture_rule(&fixture, "tenant=none");
  const char *key = tenant_with(NULL);
  cr_expect_str_eq(tenant_with("Authorization: Bearer test-credential-alpha"), key);
  cr_expect_str_eq(tenant_with("Cookie: session=a"), key);
  cr_expect_str_eq(tenant_with("X-Acme-Token: a"), key);
}

static const char *key_asking(const char *query)
{
  struct caller caller = caller_of(&fixture, "{}");
  caller.request.query = SPAN(query);
  return caller_key(&caller);
}

Test(store_keys, a_query_loses_no_page_where_the_rule_says_whose_call_it_is)
{
  static const char *const counts[][2] = {{"a=1&page_token=1", "a=1&page_token=2"},
                                          {"NextToken=1", "NextToken=2"},
                                          {"unit_key=metre", "unit_key=mile"},
                                          {"code=de", "code=fr"}};
  static const char *const renewed[][2] = {{"access_token=1", "access_token=2"},
                                           {"key=1", "key=2"},
                                           {"api-key=1", "api%2Dkey=2"},
                                           {"sv=1&sig=1", "sv=1&sig=2"}};
  fixture_rule(&fixture, "tenant=none");
  for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
    cr_expect_str_neq(key_asking(counts[i][0]), key_asking(counts[i][1]), "%s", counts[i][0]);
  for (size_t i = 0; i < sizeof(renewed) / sizeof(*renewed); i++)
    cr_expect_str_eq(key_asking(renewed[i][0]), key_asking(renewed[i][1]), "%s", renewed[i][0]);
}

Test(store_keys, other_credentials_of_a_request_count)
{
  struct caller a = caller_of(&fixture, "{}"), b = a;
  struct idem_span alpha = SPAN("user:test-credential-alpha"), beta = SPAN("user:test-credential-beta");

  a.request.credentials = &alpha, a.request.credential_count = 1;
  b.request.credentials = &beta, b.request.credential_count = 1;
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
}

/* One text in two places of libcurl's is two callers. */
Test(store_keys, what_a_credential_is_counts)
{
  static const char *const kept = "user:test-credential-alpha";
  struct caller login = caller_of(&fixture, "{}");
  struct idem_span text = SPAN(kept);
  char keys[IDEM_CREDENTIAL_CERTIFICATE + 2][IDEM_ID_SIZE];

  login.request.credentials = &text, login.request.credential_count = 1;
  for (unsigned kind = 0; kind <= IDEM_CREDENTIAL_CERTIFICATE + 1; kind++) {
    struct caller caller = login;
    if (kind <= IDEM_CREDENTIAL_CERTIFICATE)
      caller.request.credential_kinds = kind;
    else
      caller.request.auth = 64;
    strcpy(keys[kind], caller_key(&caller));
    for (unsigned i = 0; i < kind; i++)
      cr_expect_str_neq(keys[kind], keys[i], "%u and %u", kind, i);
  }
}

#define SIGV4(id, date, signature)                                                                           \
  "Authorization: AWS4-HMAC-SHA256 Credential=" id "/" date                                                  \
  "/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=" signature

Test(store_keys, of_an_aws_signature_only_the_access_key_id_counts)
{
  struct caller first = caller_of(&fixture, "{}"), later = first, other = first;

  caller_bare(&first), caller_bare(&later), caller_bare(&other);
  caller_header(&first, SIGV4("TESTALPHA", "20260101", "aa"));
  caller_header(&first, "X-Amz-Date: 20260101T000000Z");
  caller_header(&later, SIGV4("TESTALPHA", "20260102", "bb"));
  caller_header(&later, "X-Amz-Date: 20260102T000000Z");
  caller_header(&later, "x-amz-security-token: test-token");
  caller_header(&other, SIGV4("TESTBETA", "20260101", "aa"));
  cr_expect_str_eq(caller_key(&first), caller_key(&later));
  cr_expect_str_neq(caller_key(&first), caller_key(&other));
}

#define PRESIGNED(id, date, signature)                                                                       \
  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" id "%2F" date                                         \
  "%2Fus-east-1%2Fbedrock%2Faws4_request&X-Amz-Date=" date                                                   \
  "T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t" signature                      \
  "&X-Amz-Signature=" signature

static const char *key_of_query(struct idem_span query)
{
  struct caller caller = caller_of(&fixture, "{}");
  caller_bare(&caller);
  caller.request.query = query;
  return caller_key(&caller);
}

Test(store_keys, of_a_presigned_url_only_the_access_key_id_counts)
{
  char first[80];
  snprintf(first, sizeof(first), "%s", key_of_query(SPAN(PRESIGNED("TESTALPHA", "20260101", "aa"))));
  cr_expect_str_eq(first, key_of_query(SPAN(PRESIGNED("TESTALPHA", "20260102", "bb"))));
  cr_expect_str_neq(first, key_of_query(SPAN(PRESIGNED("TESTALPHB", "20260101", "aa"))));
  cr_expect_str_neq(first, key_of_query(SPAN("n=1&" PRESIGNED("TESTALPHA", "20260101", "aa"))));
  cr_expect_str_neq(first, key_of_query(SPAN("")));
}

/* Without an id nobody would tell one caller from another. */
Test(store_keys, a_signature_without_an_id_counts_itself)
{
  char first[80];
  snprintf(first, sizeof(first), "%s", key_of_query(SPAN("X-Amz-Date=1&X-Amz-Signature=aa")));
  cr_expect_str_neq(first, key_of_query(SPAN("X-Amz-Date=1&X-Amz-Signature=bb")));
  cr_expect_str_neq(first, key_of_query(SPAN("X-Amz-Date=2&X-Amz-Signature=aa")));
  cr_expect_str_neq(first, key_of_query(SPAN("X-Amz-Credential=&X-Amz-Date=1&X-Amz-Signature=aa")));
}

Test(store_keys, of_every_signature_with_a_steady_id_the_id_counts)
{
  static const char *const schemes[] = {"AWS4-ECDSA-P256-SHA256 Credential=ID1/2026",
                                        "TC3-HMAC-SHA256 Credential=ID1/2026-11",
                                        "HMAC-SHA256 Credential=ID1, x=1"};
  for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
    char line[3][128];
    for (int j = 0; j < 3; j++)
      snprintf(line[j], sizeof(line[j]), "Authorization: %s, Signature=%d", schemes[i], j);
    memcpy(strstr(line[2], "ID1"), "ID2", 3);
    cr_expect_str_eq(tenant_with(line[0]), tenant_with(line[1]), "%s", schemes[i]);
    cr_expect_str_neq(tenant_with(line[0]), tenant_with(line[2]), "%s", schemes[i]);
  }
  cr_expect_str_neq(tenant_with("Authorization: Other Credential=ID1/a"),
                    tenant_with("Authorization: Other Credential=ID1/b"));
}

/* A call by who signs each one anew, at another time. */
static const char *signed_call(const char *authorization, const char *time)
{
  struct caller caller = caller_of(&fixture, "{}");

  caller_bare(&caller);
  caller_header(&caller, authorization);
  caller_header(&caller, time);
  return caller_key(&caller);
}

Test(store_keys, a_time_that_is_signed_anew_does_not_count)
{
  static const char *const calls[][4] = {
      {"Authorization: TC3-HMAC-SHA256 Credential=ID1/2026-11-27/hunyuan/tc3_request, Signature=aa",
       "Authorization: TC3-HMAC-SHA256 Credential=ID1/2026-11-28/hunyuan/tc3_request, Signature=bb",
       "X-TC-Timestamp: 1", "X-TC-Timestamp: 2"},
      {"Authorization: HMAC-SHA256 Credential=ID1/20261127/cn-north-1/ark/request, Signature=aa",
       "Authorization: HMAC-SHA256 Credential=ID1/20261128/cn-north-1/ark/request, Signature=bb", "X-Date: 1",
       "X-Date: 2"},
      {"Authorization: HMAC-SHA256 Credential=ID1&SignedHeaders=host&Signature=aa",
       "Authorization: HMAC-SHA256 Credential=ID1&SignedHeaders=host&Signature=bb", "x-ms-date: 1",
       "x-ms-date: 2"}};
  static const char *const counts[][2] = {
      {"Authorization: HMAC-SHA256 SignedHeaders=host&Signature=aa", "X-Date: "},
      {"Authorization: TC3-HMAC-SHA256 Credential=ID1/a, Signature=aa", "X-Date: "},
      {"Authorization: TC3-HMAC-SHA256 Credential=ID1/a, Signature=aa", "X-TC-Action: "},
      {"Authorization: Bearer test-credential-alpha", "X-TC-Timestamp: "}};
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
    cr_expect_str_eq(signed_call(calls[i][0], calls[i][2]), signed_call(calls[i][1], calls[i][3]), "%s",
                     calls[i][0]);
  for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
    char time[2][32];
    for (int k = 0; k < 2; k++)
      snprintf(time[k], sizeof(time[k]), "%s%d", counts[i][1], k);
    cr_expect_str_neq(signed_call(counts[i][0], time[0]), signed_call(counts[i][0], time[1]), "%s",
                      counts[i][0]);
  }
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

Test(store_keys, two_stores_do_not_agree_on_tenants)
{
  struct fixture other;
  struct caller here = caller_of(&fixture, "{}"), there;

  fixture_open(&other, "");
  there = caller_of(&other, "{}");
  cr_expect_str_neq(caller_key(&here), caller_key(&there));
  /* Nor on a raw name: whoever has one can try neither credentials against its first half, nor texts against its second. */
  const uint8_t *raw[] = {here.call.priv.raw, there.call.priv.raw};
  cr_expect_neq(memcmp(raw[0], raw[1], IDEM_KEY_SIZE / 2), 0);
  cr_expect_neq(memcmp(raw[0] + IDEM_KEY_SIZE / 2, raw[1] + IDEM_KEY_SIZE / 2, IDEM_KEY_SIZE / 2), 0);
  fixture_close(&other);
}

static void raw_of(const struct caller *caller, bool compared, struct hash_contexts *memo,
                   uint8_t out[IDEM_KEY_SIZE])
{
  static const uint8_t secret[IDEM_KEY_SIZE] = {1}, text_secret[KEY_TEXT_SECRET] = {2};

  key_raw(secret, compared ? text_secret : NULL, &caller->request, memo, out);
}

/* The same header counts or not by the rule, which has taken the place of the one before it in memory. */
Test(store_keys, what_came_before_changes_no_digest)
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

/* A rule says what a call is. By the raw name of another rule it would get an answer before anybody asks what it is. */
Test(store_keys, each_rule_has_raw_names_of_its_own)
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
Test(store_keys, no_part_of_the_secret_for_texts_is_another_ones)
{
  static const uint8_t secret[IDEM_KEY_SIZE] = {1};
  uint8_t made[KEY_TEXT_SECRET];
  key_text_secret(secret, made);
  for (size_t i = 0; i < KEY_TEXT_SECRET; i += IDEM_KEY_SIZE)
    for (size_t k = 0; k < i; k += IDEM_KEY_SIZE)
      cr_expect(memcmp(made + i, made + k, IDEM_KEY_SIZE) != 0, "%zu and %zu", i, k);
}

/* Of a tracing header, which is another with each call, the roles are looked for, and nothing is hashed. */
Test(store_keys, a_header_that_does_not_count_is_hashed_with_nothing)
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
Test(store_keys, what_is_too_long_to_be_remembered_is_named_all_the_same)
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
Test(store_keys, two_long_texts_that_end_alike_have_two_raw_names)
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

/* Whichever way it is named: a raw name that two requests share is one answer for both, as far as nobody compares. */
Test(store_keys, all_that_counts_is_in_the_raw_name)
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
