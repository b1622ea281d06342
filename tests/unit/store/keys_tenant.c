/* SPDX-License-Identifier: MIT */
/* Whose call it is: what is a credential, and what of it counts. */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_tenants, .init = open_fixture, .fini = close_fixture);

static const char *tenant_with(const char *line)
{
  struct caller caller = caller_of(&fixture, "{}");

  caller_bare(&caller);
  if (line)
    caller_header(&caller, line);
  return caller_key(&caller);
}

Test(store_tenants, each_credential_is_another_tenant)
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

Test(store_tenants, the_key_of_the_query_is_a_credential)
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
Test(store_tenants, whatever_is_a_credential_in_a_query_is_tenant_and_no_content)
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
Test(store_tenants, a_header_that_vary_leaves_out_by_name_is_no_credential)
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

Test(store_tenants, a_header_that_vary_names_is_content_and_no_credential)
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

Test(store_tenants, cookies_of_load_balancers_are_nobody)
{
  const char *one = tenant_with("Cookie: session=a; __cf_bm=1");
  cr_expect_str_eq(tenant_with("Cookie: AWSALB=xyz; session=a; _ga_X1=2; ARRAffinitySameSite=3"), one);
  cr_expect_str_neq(tenant_with("Cookie: session=b; __cf_bm=1"), one);
  cr_expect_str_eq(tenant_with("Cookie: cf_clearance=1"), tenant_with(NULL));
}

Test(store_tenants, a_tenant_that_is_named_is_all_that_counts)
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

Test(store_tenants, a_tenant_may_stand_in_the_body)
{
  fixture_rule(&fixture, "tenant=json:/user ignore=/user");
  struct caller a = caller_of(&fixture, "{\"user\":\"a\"}"), b = caller_of(&fixture, "{\"user\":\"b\"}"),
                none = caller_of(&fixture, "{}");
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
  cr_expect_eq(caller_enter(&none), IDEM_NO_TENANT);
  caller_leave(&none, false);
}

Test(store_tenants, with_tenant_none_all_are_one)
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

Test(store_tenants, a_query_loses_no_page_where_the_rule_says_whose_call_it_is)
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

Test(store_tenants, other_credentials_of_a_request_count)
{
  struct caller a = caller_of(&fixture, "{}"), b = a;
  struct idem_span alpha = SPAN("user:test-credential-alpha"), beta = SPAN("user:test-credential-beta");

  a.request.credentials = &alpha, a.request.credential_count = 1;
  b.request.credentials = &beta, b.request.credential_count = 1;
  cr_expect_str_neq(caller_key(&a), caller_key(&b));
}

/* One text in two places of libcurl's is two callers. */
Test(store_tenants, what_a_credential_is_counts)
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

Test(store_tenants, of_an_aws_signature_only_the_access_key_id_counts)
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

Test(store_tenants, of_a_presigned_url_only_the_access_key_id_counts)
{
  char first[80];
  snprintf(first, sizeof(first), "%s", key_of_query(SPAN(PRESIGNED("TESTALPHA", "20260101", "aa"))));
  cr_expect_str_eq(first, key_of_query(SPAN(PRESIGNED("TESTALPHA", "20260102", "bb"))));
  cr_expect_str_neq(first, key_of_query(SPAN(PRESIGNED("TESTALPHB", "20260101", "aa"))));
  cr_expect_str_neq(first, key_of_query(SPAN("n=1&" PRESIGNED("TESTALPHA", "20260101", "aa"))));
  cr_expect_str_neq(first, key_of_query(SPAN("")));
}

/* Without an id nobody would tell one caller from another. */
Test(store_tenants, a_signature_without_an_id_counts_itself)
{
  char first[80];
  snprintf(first, sizeof(first), "%s", key_of_query(SPAN("X-Amz-Date=1&X-Amz-Signature=aa")));
  cr_expect_str_neq(first, key_of_query(SPAN("X-Amz-Date=1&X-Amz-Signature=bb")));
  cr_expect_str_neq(first, key_of_query(SPAN("X-Amz-Date=2&X-Amz-Signature=aa")));
  cr_expect_str_neq(first, key_of_query(SPAN("X-Amz-Credential=&X-Amz-Date=1&X-Amz-Signature=aa")));
}

Test(store_tenants, of_every_signature_with_a_steady_id_the_id_counts)
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

Test(store_tenants, a_time_that_is_signed_anew_does_not_count)
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

Test(store_tenants, two_stores_do_not_agree_on_tenants)
{
  struct fixture other;
  struct caller here = caller_of(&fixture, "{}"), there;

  fixture_open(&other, "");
  there = caller_of(&other, "{}");
  cr_expect_str_neq(caller_key(&here), caller_key(&there));
  /* Nor on a raw name: whoever has one can try neither credentials against its first half, nor
   * texts against its second. */
  const uint8_t *raw[] = {here.call.priv.raw, there.call.priv.raw};
  cr_expect_neq(memcmp(raw[0], raw[1], IDEM_KEY_SIZE / 2), 0);
  cr_expect_neq(memcmp(raw[0] + IDEM_KEY_SIZE / 2, raw[1] + IDEM_KEY_SIZE / 2, IDEM_KEY_SIZE / 2), 0);
  fixture_close(&other);
}
