/* SPDX-License-Identifier: MIT */
/* Who shares an answer and who does not: tenants, scopes, header keys with other content, keys that change on
 * every retry. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(keys, .init = open_tls_world, .fini = close_world);

static const char target[] = "/v1/chat/completions";

static struct run post(const char *header, const char *body)
{
  return run_shim(&w, "curl", "-sSi", "-H", "Content-Type: application/json", "-H", header, "-d", body,
                  world_url(&w, target), NULL);
}

static void post_only(const char *header, const char *body)
{
  struct run r = post(header, body);
  expect_success(&r);
  run_release(&r);
}

Test(keys, two_api_keys_never_share_an_answer)
{
  static const char *const headers[] = {"Authorization: Bearer test-credential-alpha",
                                        "Authorization: Bearer test-credential-beta",
                                        "x-api-key: test-credential-alpha",
                                        "x-api-key: test-credential-beta",
                                        "api-key: test-credential-alpha",
                                        "x-goog-api-key: test-credential-beta",
                                        "Cookie: session=test-credential-gamma"};
  for (int round = 0; round < 2; round++)
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
      post_only(headers[i], "{\"a\":1}");
  cr_expect_eq(mock_count(&w).requests, (long)(sizeof(headers) / sizeof(headers[0])));
}

/* What is found by a digest that is no defence is compared. */
Test(keys, two_bodies_of_one_digest_are_two_calls)
{
  struct run texts = run_plain(&w, "store-load", w.store, "collision", NULL), first[2];
  size_t len = texts.out_len / 2;
  cr_assert(len && texts.status == 0, "%s", texts.err);
  for (int i = 0; i < 4; i++) {
    const char *file = world_write(&w, i % 2 ? "other" : "one", texts.out + i % 2 * len, len);
    struct run r = run_shim(&w, "curl", "-sS", "--data-binary", world_text(&w, "@%s", file),
                            world_url(&w, target), NULL);
    expect_success(&r);
    if (i < 2) {
      first[i] = r;
      continue;
    }
    cr_expect_str_eq(r.out, first[i - 2].out);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_str_neq(first[0].out, first[1].out);
  run_release(&first[0]);
  run_release(&first[1]);
  run_release(&texts);
}

Test(keys, no_credential_is_in_the_store_or_in_the_log)
{
  static const char *const secrets[] = {"test-credential-alpha", "test-credential-beta",
                                        "test-credential-gamma", "test-credential-delta",
                                        "test-credential-epsilon"};
  post_only("Authorization: Bearer test-credential-alpha", "{\"a\":1}");
  post_only("Authorization: Bearer test-credential-alpha", "{\"a\":1}");
  post_only("x-api-key: test-credential-beta", "{\"a\":1}");
  struct run by_query =
      run_shim(&w, "curl", "-sS", "-d", "{}",
               world_url(&w, "/v1beta/models/m:generateContent?key=test-credential-gamma"), NULL);
  struct run by_user =
      run_shim(&w, "curl", "-sS", "-u", "me:test-credential-delta", "-d", "{}", world_url(&w, target), NULL);
  struct run by_cookie =
      run_shim(&w, "curl", "-sS", "-b", "s=test-credential-epsilon", "-d", "{}", world_url(&w, target), NULL);
  cr_expect_eq(log_events(&w, "stored"), 5);
  for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
    cr_expect_not(file_contains(w.store, secrets[i]), "%s is in the store", secrets[i]);
    cr_expect_not(log_contains(&w, secrets[i]), "%s is in the log", secrets[i]);
  }
  cr_expect(file_contains(w.store, "chat.completion"), "the search finds what is there");
  run_release(&by_query);
  run_release(&by_user);
  run_release(&by_cookie);
}

Test(keys, a_key_in_the_query_comes_back_in_the_effective_url)
{
  const char *url = world_url(&w, "/v1beta/models/m:generateContent?key=test-credential-gamma&alt=json");
  for (int i = 0; i < 2; i++) {
    struct run r =
        run_shim(&w, "curl", "-sS", "-o", "/dev/null", "-w", "%{url_effective}", "-d", "{}", url, NULL);
    cr_expect_str_eq(r.out, url);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
}

/* The last one of a query has nothing behind it. */
Test(keys, a_key_at_the_end_of_a_redirect_is_not_in_the_store)
{
  static const char moved[] = "HTTP/1.1 307 Temporary Redirect\r\nLocation: "
                              "/v1/chat/completions?alt=json&key=sesame-open-7\r\nContent-Length: 0\r\n\r\n";
  mock_lay(&w, "moved", moved, sizeof moved - 1);
  struct run r =
      run_shim(&w, "curl", "-sSL", "-d", "{}", world_url(&w, "/wire/moved?alt=json&key=sesame-open-7"), NULL);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_not(file_contains(w.store, "sesame-open-7"));
  cr_expect_not(file_contains(w.log, "sesame-open-7"));
  run_release(&r);
}

/* libcurl writes a URL anew when it parses it, and older ones put the user into the one
 * that a redirect leads to. */
Test(keys, no_url_that_libcurl_tells_brings_a_credential_into_the_store)
{
  static const char moved[] = "HTTP/1.1 307 Temporary Redirect\r\nLocation: "
                              "/v1/chat/completions?%s\r\nContent-Length: 0\r\n\r\n";
  static const struct {
    const char *scheme, *user, *path, *query;
    bool by_option, moves, is_stored;
  } rows[] = {
      {"HTTP://", "me:sesame-open-7@", "/v1/chat/completions", "", false, false, true},
      {"HTTP://", "", "/v1/chat/completions", "key=sesame-open-7", false, false, true},
      {"http://", "", "/v1/./chat/completions", "api_key=sesame-open-7", false, false, true},
      {"http://", "me:sesame-open-7@", "/wire/moved", "n=1", false, true, true},
      {"http://", "", "/wire/moved", "n=2", true, true, true},
      {"http://", "", "/wire/moved", "token=sesame-open-7", false, true, false},
      {"http://", "", "/wire/moved", "sig=sesame-open-7&a=1", false, true, false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    const char *text = world_text(&w, moved, rows[i].query);
    const char *rest =
        world_url(&w, world_text(&w, "%s?%s", rows[i].path, rows[i].query)) + strlen("http://");
    const char *url = world_text(&w, "%s%s%s", rows[i].scheme, rows[i].user, rest);
    const char *user = rows[i].by_option ? "me:sesame-open-7" : "";
    mock_reset(&w);
    mock_lay(&w, "moved", text, strlen(text));
    for (int k = 0; k < 2; k++) {
      struct run r = *user ? run_shim(&w, "curl", "-sSL", "-u", user, "--path-as-is", "-d", "{}", url, NULL)
                           : run_shim(&w, "curl", "-sSL", "-d", "{}", url, NULL);
      expect_success(&r);
      cr_expect_not(strstr(r.out, "sesame"));
      run_release(&r);
    }
    cr_expect_eq(mock_count(&w).requests, (rows[i].moves ? 2u : 1u) * (rows[i].is_stored ? 1u : 2u),
                 "%s: %ld", url, mock_count(&w).requests);
    cr_expect_not(file_contains(w.store, "sesame-open-7"), "%s", url);
    cr_expect_not(file_contains(w.log, "sesame-open-7"), "%s", url);
  }
}

Test(keys, what_the_app_forbids_to_libcurl_is_no_replay_either)
{
  static const char *const lists[] = {"=https", "=ftps,https", "-http"};
  const char *url = world_url(&w, target);
  struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", url, NULL);
  expect_success(&r);
  run_release(&r);
  for (int i = 0; i < 3; i++) {
    struct run plain = run_plain(&w, "curl", "-sS", "--proto", lists[i], "-d", "{}", url, NULL);
    r = run_shim(&w, "curl", "-sS", "--proto", lists[i], "-d", "{}", url, NULL);
    cr_expect_neq(plain.status, 0);
    cr_expect_eq(r.status, plain.status, "%s: %d", lists[i], r.status);
    expect_same_output(&plain, &r);
    run_release(&plain);
    run_release(&r);
  }
  cr_expect_eq(log_events(&w, "hit"), 0);
}

Test(keys, another_server_behind_the_same_url_is_another_origin)
{
  world_env(&w, "IDEMSHIM_HOSTS", "api.example");
  const char *first = world_text(&w, "api.example:80:127.0.0.1:%d", w.port);
  const char *other = world_text(&w, "api.example:80:localhost:%d", w.port);
  const char *const servers[] = {first, other, first};
  for (int i = 0; i < 3; i++) {
    struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", "--connect-to", servers[i],
                            "http://api.example/v1/chat/completions", NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
}

Test(keys, a_detour_too_long_to_name_goes_live_and_the_log_stays_whole)
{
  char detours[1200] = "*:80:127.0.0.1";
  while (strlen(detours) < sizeof(detours) - 32)
    strcat(detours, ",127.0.0.1");
  struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", "--resolve", detours, world_url(&w, target), NULL);
  expect_success(&r);
  json_t *event = log_last(&w, "bypass");
  cr_assert_not_null(event);
  cr_expect_str_eq(json_string_value(json_object_get(event, "reason")), "origin too long");
  cr_expect_null(json_object_get(event, "origin"));
  json_decref(event);
  run_release(&r);
}

Test(keys, a_signature_that_changes_is_not_the_tenant)
{
  const char *first = "Authorization: AWS4-HMAC-SHA256 "
                      "Credential=AKTEST/20261121/us-east-1/bedrock/aws4_request, Signature=aaaa";
  const char *later = "Authorization: AWS4-HMAC-SHA256 "
                      "Credential=AKTEST/20261122/us-east-1/bedrock/aws4_request, Signature=bbbb";
  const char *other = "Authorization: AWS4-HMAC-SHA256 "
                      "Credential=AKELSE/20261122/us-east-1/bedrock/aws4_request, Signature=bbbb";
  post_only(first, "{}");
  post_only(later, "{}");
  cr_expect_eq(mock_count(&w).requests, 1);
  post_only(other, "{}");
  cr_expect_eq(mock_count(&w).requests, 2);
}

/* Sends with each list of options, and says how many of both went upstream. */
static long sent_of(const char *const a[4], const char *const b[4], const char *url_a, const char *url_b)
{
  long before = mock_count(&w).requests;
  for (int i = 0; i < 2; i++) {
    const char *const *options = i ? b : a;
    const char *argv[16] = {"curl", "-sS", "-d", "{}", i ? url_b : url_a};
    for (int j = 0; j < 4 && options[j]; j++)
      argv[5 + j] = options[j];
    struct run r =
        run_shim(&w, argv[0], argv[1], argv[2], argv[3], argv[4], argv[5], argv[6], argv[7], argv[8], NULL);
    expect_success(&r);
    run_release(&r);
  }
  return mock_count(&w).requests - before;
}

/* Each row has a path of its own. */
Test(keys, what_goes_on_the_wire_counts_and_not_how_it_was_asked_for)
{
  char own_host[64]; /* what world_text() makes does not last for so many runs */
  snprintf(own_host, sizeof(own_host), "Host: 127.0.0.1:%d", w.port);
  const struct {
    const char *a[4], *b[4];
    bool same;
  } rows[] = {
      {{NULL}, {"-H", "Accept: */*"}, true},
      {{NULL}, {"-H", "Accept:"}, false},
      {{NULL}, {"-H", "accept: text/plain"}, false},
      {{NULL}, {"-H", "Content-Type: application/x-www-form-urlencoded"}, true},
      {{NULL}, {"-H", "Content-Type: text/plain"}, false},
      {{NULL}, {"-H", "X-Gone:"}, true},
      {{NULL}, {"-H", "X-Empty;"}, false},
      {{"-H", "X-Empty;"}, {"-H", "X-Empty: a"}, false},
      {{"-e", "http://a/"}, {"-H", "Referer: http://a/"}, true},
      {{"-e", "http://a/"}, {"-e", "http://b/"}, false},
      {{"-A", "one/1"}, {"-A", "two/2"}, true},
      {{NULL}, {"-H", own_host}, true},
      {{NULL}, {"-H", "Host: other.example"}, false},
      {{"-H", "Host: one.example"}, {"-H", "Host: ONE.example"}, true},
      {{"-b", "s=1"}, {"-b", "__cf_bm=x; s=1"}, true},
      {{"-b", "s=1"}, {"-b", "s=2"}, false},
      {{"-b", "AWSALB=1"}, {NULL}, true},
      {{"-u", "me:one"}, {"-u", "me:two"}, false},
      {{"-H", "X-Acme-Token: one"}, {"-H", "X-Acme-Token: two"}, false},
      {{"-H", "X-Amzn-Trace-Id: 1"}, {"-H", "X-Amzn-Trace-Id: 2"}, true},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    const char *url = world_url(&w, world_text(&w, "/v1/chat/completions?row=%zu", i));
    cr_expect_eq(sent_of(rows[i].a, rows[i].b, url, url), rows[i].same ? 1 : 2, "row %zu", i);
  }
}

/* curl calls what it posts a form if nobody says otherwise, and is used to post JSON. */
Test(keys, a_body_that_is_no_object_and_no_list_of_json_counts_as_it_is_sent)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
  static const struct {
    const char *type, *a, *b;
    bool same;
  } rows[] = {
      {"application/x-www-form-urlencoded", "1.50", "15e-1", false},
      {"application/x-www-form-urlencoded", "[1, 2]", "[1,2]", true},
      {"application/json", "\"a\"", " \"a\"", false},
      {"application/json", "{ \"a\": 1 }", "{\"a\":1}", true},
      {"application/octet-stream", "[1, 2]", "[1,2]", false},
  };
  mock_lay(&w, "any", answer, sizeof(answer) - 1);
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    long before = mock_count(&w).requests;
    for (int k = 0; k < 2; k++) {
      struct run r =
          run_shim(&w, "curl", "-sS", "-d", k ? rows[i].b : rows[i].a, "-H",
                   world_text(&w, "Content-Type: %s", rows[i].type), world_url(&w, "/wire/any"), NULL);
      expect_success(&r);
      run_release(&r);
    }
    cr_expect_eq(mock_count(&w).requests - before, rows[i].same ? 1 : 2, "%s as %s", rows[i].a, rows[i].type);
  }
}

/* As libcurl chooses them: by the name that the line gives. */
Test(keys, a_host_line_decides_which_cookies_go_along)
{
  const char *const hosts[] = {"a.example", "b.example"};
  for (int of_line = 1; of_line >= 0; of_line--) {
    mock_reset(&w);
    for (int i = 0; i < 3; i++) {
      const char *text = world_text(&w, "%s\tFALSE\t/\tFALSE\t0\tsession\t%s\n",
                                    of_line ? hosts[0] : "127.0.0.1", i == 1 ? "bravo" : "alpha");
      const char *jar = world_write(&w, "jar", text, strlen(text));
      struct run r = run_shim(&w, "curl", "-sS", "-b", jar, "-d", "{}", "-H",
                              world_text(&w, "Host: %s:8000", hosts[!of_line]), world_url(&w, target), NULL);
      expect_success(&r);
      run_release(&r);
    }
    cr_expect_eq(mock_count(&w).requests, of_line ? 2 : 1, "the cookie is the %s's",
                 of_line ? "line" : "URL");
  }
}

Test(keys, a_replay_sets_cookies_for_the_name_of_the_host_line)
{
  char *jars[2];
  for (int i = 0; i < 2; i++) {
    const char *jar = world_path(&w, "jar");
    struct run r = run_shim(&w, "curl", "-sS", "-c", jar, "-d", "{}", "-H", "Host: a.example:8000",
                            world_url(&w, "/v1/chat/completions?mock=cookie%3D1"), NULL);
    expect_success(&r);
    run_release(&r);
    cr_assert((jars[i] = file_read(jar, NULL)));
    unlink(jar);
  }
  cr_expect(strstr(jars[0], "a.example\tFALSE\t/\tFALSE\t0\tmock_session"), "%s", jars[0]);
  cr_expect_str_eq(jars[0], jars[1]);
  cr_expect_eq(mock_count(&w).requests, 1);
  free(jars[0]);
  free(jars[1]);
}

Test(keys, who_the_url_names_is_a_tenant_and_is_written_nowhere)
{
  static const char *const none[4];
  const char *url = world_url(&w, target), *rest = strstr(url, "127.");
  const char *alice = world_text(&w, "http://alice:test-credential-alpha@%s", rest);
  const char *bob = world_text(&w, "http://bob:test-credential-beta@%s", rest);
  cr_expect_eq(sent_of(none, none, alice, bob), 2);
  cr_expect_eq(sent_of(none, none, alice, bob), 0);
  cr_expect_not(file_contains(w.store, "test-credential"));
  cr_expect_not(log_contains(&w, "test-credential"));
  struct run live = run_plain(&w, "curl", "-sS", "-o", "/dev/null", "-w", "%{url_effective} %{http_code}",
                              "-d", "{}", alice, NULL);
  struct run again = run_shim(&w, "curl", "-sS", "-o", "/dev/null", "-w", "%{url_effective} %{http_code}",
                              "-d", "{}", alice, NULL);
  cr_expect_str_eq(live.out, again.out);
  run_release(&live);
  run_release(&again);
}

/* With the options of both, in turn: how many went upstream over TLS, to a path of their own. */
static long trusting_of(const char *const a[4], const char *const b[4])
{
  static int row;
  const char *url = world_tls_url(&w, world_text(&w, "/v1/chat/completions?row=%d", ++row));
  return sent_of(a, b, url, url);
}

Test(keys, an_answer_that_was_fetched_without_verification_serves_none_that_verifies)
{
  const char *const none[4] = {NULL}, *const any[4] = {"-k"}, *const same[4] = {"--cacert", w.ca};
  char copy[300];
  snprintf(copy, sizeof(copy), "%s/ca.pem", w.dir);
  const char *const other[4] = {"--cacert", copy}, *const few[4] = {"-k", "--max-redirs", "3"};
  struct run r = run_plain(&w, "cp", w.ca, copy, NULL);
  run_release(&r);
  cr_expect_eq(trusting_of(none, any), 2);
  cr_expect_eq(trusting_of(any, none), 2);
  cr_expect_eq(trusting_of(any, any), 1);
  cr_expect_eq(trusting_of(none, same), 1, "CURL_CA_BUNDLE says the same");
  cr_expect_eq(trusting_of(none, other), 2, "another certificate");
  cr_expect_eq(trusting_of(any, few), 1, "no redirect is followed");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 trust=verify");
  cr_expect_eq(trusting_of(none, any), 2);
  cr_expect_eq(trusting_of(none, other), 1);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 trust=none");
  cr_expect_eq(trusting_of(none, any), 1);
}

Test(keys, where_redirects_are_followed_it_counts_how_far)
{
  const char *const l[4] = {"-L"}, *const few[4] = {"-L", "--max-redirs", "3"};
  const char *url = world_url(&w, target);
  cr_expect_eq(sent_of(l, few, url, url), 2);
  cr_expect_eq(sent_of(l, few, url, url), 0);
}

Test(keys, a_call_without_the_tenant_of_its_rule_goes_live_and_says_so)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 tenant=header:X-User");
  post_only("X-User: alice", "{}");
  post_only("X-User: alice", "{}");
  cr_expect_eq(mock_count(&w).requests, 1);
  post_only("X: y", "{}");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect(log_contains(&w, "\"reason\":\"no tenant\""));
}

/* Who leaves it empty has named nobody: two of them must not share. */
Test(keys, an_empty_name_is_none)
{
  static const char *const rules[] = {"tenant=json:/user", "key=json:/user", "tenant=header:X-User"};
  for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 %s", rules[i]);
    for (int round = 0; round < 2; round++) {
      post_only("X-User;", "{\"user\":\"\"}");
      post_only("X-User:", "{\"user\":null}");
    }
    cr_expect_eq(mock_count(&w).requests, 4, "%s", rules[i]);
  }
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 key=json:/user,/thread");
  mock_reset(&w);
  post_only("X: y", "{\"user\":\"\",\"thread\":1}");
  post_only("X: y", "{\"user\":\"\",\"thread\":1,\"n\":2}");
  cr_expect_eq(mock_count(&w).requests, 1, "only one of the two is empty");
}

Test(keys, what_ignore_cannot_be_found_in_is_told)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/at");
  post_only("X: y", "{\"at\":1");
  cr_expect_eq(log_events(&w, "unread"), 1);
}

Test(keys, a_header_that_is_new_each_time_is_named)
{
  for (int i = 0; i < 3; i++)
    post_only(world_text(&w, "X-My-Stamp: %d", i), "{}");
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "header_drift"), 2);
  cr_expect(log_contains(&w, "\"reason\":\"X-My-Stamp\""));
  struct run r = post("X-My-Stamp: 9", "{}");
  cr_expect_str_eq(
      r.err, "idemshim: the same call was answered before under another X-My-Stamp; if it does not change "
             "the answer: vary=*,-X-My-Stamp\n");
  run_release(&r);
  struct run why = run_plain(&w, "idemshim", "explain", NULL);
  cr_expect(strstr(why.out, "if it does not change the answer, put into the rule: vary=*,-X-My-Stamp\n"),
            "%s", why.out);
  run_release(&why);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 vary=*,-X-My-Stamp");
  post_only("X-My-Stamp: 10", "{}");
  post_only("X-My-Stamp: 11", "{}");
  cr_expect_eq(mock_count(&w).requests, 5);
  post_only("X-My-Stamp: 12", "{\"other\":1}");
  cr_expect_eq(log_events(&w, "header_drift"), 4);
}

Test(keys, a_token_that_vary_takes_in_again_is_two_callers)
{
  static const char *const words[] = {"-X-Acme-Token,*", "*,-X-Acme-Token,X-Acme-*", "X-Acme-Token,*"};
  for (int i = 0; i < 3; i++) {
    world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 vary=%s", words[i]);
    post_only("X-Acme-Token: one", world_text(&w, "{\"n\":%d}", i));
    post_only("X-Acme-Token: two", world_text(&w, "{\"n\":%d}", i));
    cr_expect_eq(mock_count(&w).requests, 2 * (i + 1), "%s", words[i]);
  }
}

/* As Tencent, Volcengine and Azure have it. */
Test(keys, a_call_that_is_signed_anew_is_the_same)
{
  static const char *const signers[][2] = {
      {"Authorization: TC3-HMAC-SHA256 Credential=ID/2026-11-27/hunyuan/tc3_request, Signature=%d",
       "X-TC-Timestamp: %d"},
      {"Authorization: HMAC-SHA256 Credential=ID/20261127/cn-north-1/ark/request, Signature=%d",
       "X-Date: %d"},
      {"Authorization: HMAC-SHA256 Credential=ID&SignedHeaders=host&Signature=%d", "x-ms-date: %d"}};
  for (int i = 0; i < 6; i++) {
    char line[2][128];
    for (int k = 0; k < 2; k++) {
      /* Each line has one place for the number. */
      const char *form = signers[i / 2][k], *at = strstr(form, "%d");
      snprintf(line[k], sizeof(line[k]), "%.*s%d", (int)(at - form), form, i);
    }
    struct run r = run_shim(&w, "curl", "-sS", "-H", line[0], "-H", line[1], "-d",
                            world_text(&w, "{\"n\":%d}", i / 2), world_url(&w, target), NULL);
    expect_success(&r);
    cr_expect_eq(mock_count(&w).requests, i / 2 + 1, "%s", line[0]);
    run_release(&r);
  }
}

/* In another order, so that it is judged by what it says. */
Test(keys, a_second_attempt_is_no_mismatch)
{
  static const char *const tries[][2] = {{"1", "{\"q\":1,\"r\":2}"}, {"2", "{\"r\":2,\"q\":1}"}};
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mismatch=reject");
  for (int i = 0; i < 2; i++) {
    struct run r = run_shim(&w, "curl", "-sSf", "-H", "Idempotency-Key: k1", "-H",
                            world_text(&w, "X-Goog-Api-Client: gccl-attempt/%s", tries[i][0]), "-H",
                            "Content-Type: application/json", "-d", tries[i][1], world_url(&w, target), NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
}

Test(keys, a_new_scope_is_a_new_set_of_operations)
{
  static const char *const scopes[] = {"job-1", "job-2", "job-1", ""};
  for (int i = 0; i < 4; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", scopes[i]);
    post_only("X: y", "{}");
  }
  cr_expect_eq(mock_count(&w).requests, 3);
}

Test(keys, a_header_that_changes_the_answer_counts)
{
  post_only("OpenAI-Organization: one", "{}");
  post_only("OpenAI-Organization: two", "{}");
  post_only("X-Request-Id: a", "{}");
  post_only("X-Request-Id: b", "{}");
  cr_expect_eq(mock_count(&w).requests, 3);
}

Test(keys, ignore_leaves_a_field_out)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/metadata/at");
  post_only("X: y", "{\"metadata\":{\"at\":1},\"p\":1}");
  post_only("X: y", "{\"metadata\":{\"at\":2},\"p\":1}");
  cr_expect_eq(mock_count(&w).requests, 1);
  post_only("X: y", "{\"metadata\":{\"at\":2},\"p\":2}");
  cr_expect_eq(mock_count(&w).requests, 2);
}

Test(keys, named_fields_are_the_key)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 key=json:/event_id");
  post_only("X: y", "{\"event_id\":\"e1\",\"at\":1}");
  post_only("X: y", "{\"event_id\":\"e1\",\"at\":2}");
  cr_expect_eq(mock_count(&w).requests, 1);
  post_only("X: y", "{\"event_id\":\"e2\",\"at\":1}");
  cr_expect_eq(mock_count(&w).requests, 2);
  post_only("X: y", "{\"no\":\"id\"}");
  cr_expect(log_contains(&w, "\"reason\":\"no key\""));
}

/* The second line of the header is the only difference between the first two, and the
 * third one is a retry. */
Test(keys, two_keys_in_one_request_are_not_taken_for_the_first)
{
  static const char *const keys[][2] = {{"Idempotency-Key: k1", "Idempotency-Key: k2"},
                                        {"Idempotency-Key: k1", "Idempotency-Key: k3"},
                                        {"Idempotency-Key: k1", "Idempotency-Key: k2"},
                                        {"Idempotency-Key: k1", "Idempotency-Key: k1"}};
  for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
    struct run r = run_shim(&w, "curl", "-sS", "-H", keys[i][0], "-H", keys[i][1], "-d", "{}",
                            world_url(&w, "/v1/chat/completions"), NULL);
    expect_success(&r);
    cr_expect_eq(count_of(r.err, "more than one key"), i < 2, "%s", r.err);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "several_keys"), 2);
  post_only("Idempotency-Key: k1", "{}");
  cr_expect_eq(mock_count(&w).requests, 3, "said twice it is one");
}

static void reuse_key(const char *mismatch)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mismatch=%s", mismatch);
  post_only("Idempotency-Key: k1", "{\"n\":1}");
}

Test(keys, mismatch_replay_gives_the_first_answer_and_says_so)
{
  reuse_key("replay");
  post_only("Idempotency-Key: k1", "{\"n\":2}");
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "mismatch"), 1);
}

Test(keys, mismatch_reject_is_a_422_problem_and_sends_nothing)
{
  reuse_key("reject");
  struct run r = post("Idempotency-Key: k1", "{\"n\":2}");
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect(strncmp(r.out, "HTTP/1.1 422 ", 13) == 0, "%s", r.out);
  cr_expect(strstr(r.out, "Content-Type: application/problem+json\r\n"));
  json_t *problem = json_loads(strstr(r.out, "\r\n\r\n") + 4, 0, NULL);
  cr_assert_not_null(problem);
  cr_expect_eq(json_integer_value(json_object_get(problem, "status")), 422);
  json_decref(problem);
  run_release(&r);
  r = run_shim(&w, "curl", "-sSf", "-H", "Content-Type: application/json", "-H", "Idempotency-Key: k1", "-d",
               "{\"n\":2}", world_url(&w, target), NULL);
  cr_expect_eq(r.status, 22);
  cr_expect(strncmp(r.err, "curl: (22) The requested URL returned error: 422", 48) == 0, "%s", r.err);
  run_release(&r);
}

Test(keys, mismatch_bypass_goes_live)
{
  reuse_key("bypass");
  struct run r = post("Idempotency-Key: k1", "{\"n\":2}");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(strip_marks(r.out), 0);
  run_release(&r);
}

/* A provider that refuses a key when it comes again would refuse the retry. */
Test(keys, none_is_sent_by_itself_to_who_refuses_a_second_use)
{
  struct run r = run_plain(&w, "upstream_keys", NULL);
  expect_success(&r);
  cr_expect_str_eq(r.out, "named, unknown: Idempotency-Key: k\n"
                          "named, honoured: Idempotency-Key: k\n"
                          "named, ignored: Idempotency-Key: k\n"
                          "named, refused: Idempotency-Key: k\n"
                          "auto, unknown: Idempotency-Key: k\n"
                          "auto, honoured: Idempotency-Key: k\n"
                          "auto, ignored: Idempotency-Key: k\n"
                          "auto, refused:\n");
  run_release(&r);
}

Test(keys, a_fresh_key_on_every_retry_is_told)
{
  post_only("Idempotency-Key: k1", "{\"n\":1}");
  post_only("Idempotency-Key: k2", "{\"n\":1}");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "key_churn"), 1);
}

Test(keys, churn_join_makes_them_one_operation)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 churn=join");
  post_only("Idempotency-Key: k1", "{\"n\":1}");
  post_only("Idempotency-Key: k2", "{\"n\":1}");
  post_only("Idempotency-Key: k3", "{\"n\":1}");
  cr_expect_eq(mock_count(&w).requests, 1);
  post_only("Idempotency-Key: k3", "{\"n\":2}");
  cr_expect_eq(mock_count(&w).requests, 2);
}

Test(keys, churn_join_joins_no_two_that_differ_in_a_header)
{
  static const char *const calls[][2] = {{"Idempotency-Key: k1", "X-Model: small"},
                                         {"Idempotency-Key: k2", "X-Model: large"},
                                         {"Idempotency-Key: k3", "X-Model: small"},
                                         {"Idempotency-Key: k4", "X-Model: large"}};
  static const long sent[] = {1, 2, 2, 2};
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 churn=join");
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    struct run r = run_shim(&w, "curl", "-sS", "-H", calls[i][0], "-H", calls[i][1], "-d", "{\"n\":1}",
                            world_url(&w, target), NULL);
    expect_success(&r);
    cr_expect_eq(mock_count(&w).requests, sent[i], "%s", calls[i][0]);
    run_release(&r);
  }
}

Test(keys, repeats_fresh_samples_anew_once_the_answer_was_delivered)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=fresh");
  post_only("X: y", "{}");
  post_only("X: y", "{}");
  cr_expect_eq(mock_count(&w).requests, 2);
}

/* What is known of the host leads to https, where an answer of -k must not be given to
 * a call that verifies. */
Test(keys, a_call_that_hsts_leads_to_https_verifies_as_it_is_told)
{
  static const char known[] = "llm.test \"20991231 00:00:00\"\n";
  const char *hosts = world_write(&w, "hosts", known, strlen(known));
  const char *to = world_text(&w, "llm.test:443:127.0.0.1:%d", w.tls_port),
             *plain = world_text(&w, "llm.test:80:127.0.0.1:%d", w.port),
             *url = "http://llm.test/v1/messages";
  world_env(&w, "IDEMSHIM_RULES", "host=llm.test");
  struct run by_http =
      run_shim(&w, "curl", "-sS", "-d", "{}", "--connect-to", to, "--connect-to", plain, url, NULL);
  expect_success(&by_http);
  struct run any = run_shim(&w, "curl", "-sSk", "-d", "{}", "--hsts", hosts, "--connect-to", to,
                            "--connect-to", plain, url, NULL);
  if (any.status == 2)
    cr_skip("a curl without HSTS");
  expect_success(&any);
  cr_expect_eq(mock_count(&w).requests, 2, "an answer of http for a call that goes to https");
  struct run verifies = run_shim(&w, "curl", "-sS", "-d", "{}", "--hsts", hosts, "--connect-to", to,
                                 "--connect-to", plain, url, NULL);
  cr_expect_eq(verifies.status, 60, "%s", verifies.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&by_http);
  run_release(&any);
  run_release(&verifies);
}

Test(keys, a_list_of_hosts_that_handles_share_leads_to_https_too)
{
  static const char known[] = "llm.test \"20991231 00:00:00\"\n";
  world_env(&w, "IDEMSHIM_RULES", "host=llm.test");
  struct run r = run_shim(&w, "share_hsts", "http://llm.test/v1/messages",
                          world_write(&w, "hosts", known, strlen(known)),
                          world_text(&w, "llm.test:443:127.0.0.1:%d", w.tls_port), NULL);
  if (r.status == 3)
    cr_skip("a libcurl that shares no such list");
  expect_success(&r);
  cr_expect_str_eq(r.out, "0\n0\n60\n");
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&r);
}

/* libcurl takes dot segments out of the path, and what goes out is what a rule is about. */
Test(keys, a_rule_meets_the_path_that_goes_out)
{
  static const char *const targets[] = {"/v1/monitor", "/v1/./monitor", "/v1/x/../monitor", "/v1/./messages",
                                        "/v1/messages"};
  world_env(&w, "IDEMSHIM_RULES",
            "host=127.0.0.1:%d path=/v1/monitor action=bypass; host=127.0.0.1:%d path=/v1/messages", w.port,
            w.port);
  for (int i = 0; i < 10; i++) {
    struct run r = run_shim(&w, "curl", "-sS", "-d", "{}", world_url(&w, targets[i / 2]), NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 7);
  struct run r =
      run_shim(&w, "curl", "-sS", "--path-as-is", "-d", "{}", world_url(&w, "/v1/./messages"), NULL);
  cr_expect_eq(log_events(&w, "hit"), 3);
  run_release(&r);
}

/* Who asks is what the file of the certificate holds; for http libcurl does not read it. */
Test(keys, another_certificate_at_the_same_place_is_another_tenant)
{
  static const char *const who[] = {"alice", "bob", "alice"};
  for (int i = 0; i < 3; i++) {
    const char *file = world_write(&w, "client.pem", who[i], strlen(who[i]));
    struct run r = run_shim(&w, "curl", "-sS", "--cert", file, "-d", "{}", world_url(&w, target), NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
  struct run pipe = run_shim(&w, "sh", "-c", "mkfifo \"$1\" && exec curl -sS --cert \"$1\" -d {} \"$2\"",
                             "sh", world_path(&w, "pipe.pem"), world_url(&w, target), NULL);
  expect_success(&pipe);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect(log_contains(&w, "\"reason\":\"SSLCERT\""));
  run_release(&pipe);
}

/* libcurl keeps what RESOLVE has said, and a call that does not say it goes there too, under the name of
 * one that goes elsewhere. */
Test(keys, a_call_that_goes_where_an_earlier_one_was_told_to_is_live)
{
  const char *url = world_text(&w, "http://api.example:%d/v1/messages", w.port),
             *entry = world_text(&w, "api.example:%d:127.0.0.1", w.port);
  world_env(&w, "IDEMSHIM_RULES", "host=api.example:%d", w.port);
  for (int i = 0; i < 2; i++) {
    struct run r = run_shim(&w, "resolve_lingers", url, entry, NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(log_events(&w, "stored"), 2, "those that say where they go");
  cr_expect_eq(log_events(&w, "hit"), 2);
  cr_expect_eq(log_events(&w, "bypass"), 4);
}

/* Each place of a list counts, and one that a call does not ask for keeps it from nothing. */
Test(keys, where_earlier_calls_were_told_to_go_counts_for_each_place_of_a_list)
{
  const char *api = world_text(&w, "http://api.example:%d/v1/messages", w.port),
             *local = world_text(&w, "http://localhost:%d/v1/messages", w.port),
             *entry = world_text(&w, "api.example:%d:127.0.0.1", w.port),
             *near = world_text(&w, "b.example:%d:127.0.0.1", w.port),
             *far = world_text(&w, "elsewhere.example:%d:127.0.0.1", w.port + 1);
  const char *const lists[][3] = {{entry, near, far}, {near, entry, far}, {far, near, entry}};
  world_env(&w, "IDEMSHIM_RULES", "host=api.example:%d; host=localhost:%d", w.port, w.port);
  for (int i = 0; i < 3; i++) {
    struct run r = run_shim(&w, "resolve_lingers", api, lists[i][0], lists[i][1], lists[i][2], NULL);
    expect_success(&r);
    run_release(&r);
    cr_expect_eq(log_events(&w, "stored"), 2 * (i + 1), "%d: %d", i, log_events(&w, "stored"));
    cr_expect_eq(log_events(&w, "bypass"), 2 * (i + 1), "%d: %d", i, log_events(&w, "bypass"));
  }
  struct run r = run_shim(&w, "resolve_lingers", local, near, far, NULL);
  expect_success(&r);
  cr_expect_eq(log_events(&w, "stored"), 6 + 4);
  cr_expect_eq(log_events(&w, "bypass"), 6);
  run_release(&r);
}
