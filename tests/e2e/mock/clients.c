/* SPDX-License-Identifier: MIT */
/* The subject programs without the shim: what they do under it is compared with this. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(mock_clients, .init = open_tls_world, .fini = close_world);

static void expect_work(long work)
{
  cr_expect_eq(mock_count(&w).work, work, "%ld", mock_count(&w).work);
}

static void fetch_over_tls(const char *flavour)
{
  struct run r;

  if (!world_has(&w, flavour))
    cr_skip_test("%s was not built: no such library here", flavour);
  r = run_plain(&w, flavour, "--body", "{\"stream\":true}", "--stream", "--print-body", "--header-api",
                "--write-out-all", world_tls_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "status 200\n"), "%s", r.out);
  cr_expect(strstr(r.out, "data: [DONE]\n"), "%s", r.out);
  if (libcurl_version() >= 0x075300)
    cr_expect(strstr(r.out, "api Content-Type: text/event-stream"), "%s", r.out);
  cr_expect(strstr(r.out, "EFFECTIVE_METHOD POST\n"), "%s", r.out);
  cr_expect_eq(count_of(r.out, "chunk "), 9, "an event is a chunk: %s", r.out);
  expect_work(1);
  run_release(&r);
}

Test(mock_clients, fetch_of_the_openssl_flavour)
{
  fetch_over_tls("fetch-openssl");
}

Test(mock_clients, fetch_of_the_gnutls_flavour)
{
  fetch_over_tls("fetch-gnutls");
}

/* However a body is handed over, the same bytes arrive. */
Test(mock_clients, fetch_uploads_every_way)
{
  static const char *const ways[] = {"--upload-callback", "--upload-chunked", "--copypostfields", "--dup",
                                     "--fail"};
  const char body[] = "{\"text\":\"two words\"}";
  json_t *requests, *request;
  size_t i;

  for (i = 0; i < sizeof ways / sizeof *ways; i++) {
    struct run r =
        run_plain(&w, "fetch-openssl", ways[i], "--body", body, world_url(&w, "/v1/messages"), NULL);
    expect_success(&r);
    run_release(&r);
  }
  requests = mock_requests(&w);
  json_array_foreach(requests, i, request)
      cr_expect_str_eq(json_string_value(json_object_get(request, "body")), body, "%s", ways[i]);
  cr_expect_eq(json_array_size(requests), sizeof ways / sizeof *ways);
  json_decref(requests);
}

Test(mock_clients, fetch_repeats_in_threads)
{
  struct run r = run_plain(&w, "fetch-openssl", "--threads", "3", "--repeat", "4", "--reuse-handle",
                           "--reset-between", "--body", "{}", world_url(&w, "/v1/messages"), NULL);

  expect_success(&r);
  cr_expect_eq(count_of(r.out, "rc 0 No error\n"), 12, "%s", r.out);
  expect_work(12);
  cr_expect_eq(mock_count(&w).connections, 3);
  run_release(&r);
}

Test(mock_clients, fetch_exits_with_curls_code)
{
  struct run r = run_plain(&w, "fetch-openssl", "--timeout-ms", "100", "--body", "{}",
                           world_url(&w, "/v1/messages?mock=latency_ms=5000"), NULL);

  const char *why = strstr(r.out, "error Operation timed out after ");
  int ms = why ? atoi(why + strlen("error Operation timed out after ")) : 0;
  cr_expect_eq(r.status, 28);
  cr_expect(ms >= 100 && ms < 5000, "%s", r.out);
  run_release(&r);
}

Test(mock_clients, both_flavours_in_one_process)
{
  struct run r;

  if (!world_has(&w, "plugin-gnutls.so"))
    cr_skip_test("no GnuTLS flavour of libcurl here");
  r = run_plain(&w, "two_libcurls", world_tls_url(&w, "/v1/messages"), "{}", NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "main libcurl/") && strstr(r.out, " OpenSSL/"), "%s", r.out);
  cr_expect(strstr(r.out, "plugin libcurl/") && strstr(r.out, " GnuTLS/"), "%s", r.out);
  cr_expect_eq(count_of(r.out, "rc=0 status=200"), 3, "%s", r.out);
  expect_work(3);
  run_release(&r);
}

Test(mock_clients, a_plugin_is_loaded_used_and_unloaded_three_times)
{
  struct run r = run_plain(&w, "unload_plugin", world_url(&w, "/v1/messages"), "{}", NULL);

  expect_success(&r);
  cr_expect_eq(count_of(r.out, "plugin rc=0 status=200"), 3, "%s", r.out);
  cr_expect_eq(count_of(r.out, "fds=3 tasks=1"), 4, "%s", r.out);
  run_release(&r);
}

Test(mock_clients, calls_before_and_after_main)
{
  static const char *const stages[] = {"preinit", "constructor", "main", "atexit", "destructor"};
  const char *url = world_url(&w, "/v1/messages");
  struct run first = run_plain(&w, "call_in_constructor", url, NULL);
  const int later = first.signal != 0;
  mock_reset(&w);
  struct run r = run_plain(&w, "call_in_constructor", url, later ? "later" : NULL, NULL);

  expect_success(&r);
  for (size_t i = later; i < sizeof stages / sizeof *stages; i++)
    cr_expect(strstr(r.out, world_text(&w, "%s rc=0 status=200", stages[i])), "%s: %s", stages[i], r.out);
  expect_work(5 - later);
  run_release(&first);
  run_release(&r);
}

Test(mock_clients, a_fork_in_the_middle_and_one_between)
{
  struct run r = run_plain(&w, "forker", world_url(&w, "/v1/messages"), "{}", "{\"child\":1}", NULL);

  expect_success(&r);
  cr_expect_eq(count_of(r.out, "rc=0 status=200"), 4, "%s", r.out);
  expect_work(4);
  run_release(&r);
}

Test(mock_clients, a_stampede)
{
  struct run r =
      run_plain(&w, "stampede", "16", world_url(&w, "/v1/messages"), "{}", "X-Mock: latency_ms=50", NULL);

  expect_success(&r);
  cr_expect_eq(count_of(r.out, "thread rc=0 status=200"), 16, "%s", r.out);
  expect_work(16);
  run_release(&r);
}

Test(mock_clients, a_job_writes_one_line_for_each_prompt)
{
  const char *out = world_path(&w, "answers");
  struct run r = run_plain(&w, "batch", "20", "3", world_url(&w, "/v1/chat/completions"), out, NULL);
  char *answers = file_read(out, NULL);

  expect_success(&r);
  cr_assert_not_null(answers);
  cr_expect_eq(count_of(answers, "\n"), 20);
  cr_expect_eq(count_of(answers, "\"chat.completion\""), 20);
  expect_work(20);
  free(answers);
  run_release(&r);
}

Test(mock_clients, a_job_stops_at_a_failure)
{
  struct run r;

  mock_default(&w, "status=500");
  r = run_plain(&w, "batch", "20", "3", world_url(&w, "/v1/chat/completions"), world_path(&w, "answers"),
                NULL);
  cr_expect_eq(r.status, 1);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&r);
}

Test(mock_clients, programs_without_libcurl)
{
  struct run dynamic = run_plain(&w, "no_libcurl", "word", NULL),
             fixed = run_plain(&w, "no_libcurl-static", "word", NULL);

  expect_success(&dynamic);
  cr_expect_str_eq(dynamic.out, "word\nerrno=0 fds=3 tasks=1\n");
  expect_same_output(&dynamic, &fixed);
  run_release(&dynamic);
  run_release(&fixed);
}
