/* SPDX-License-Identifier: MIT */
/* A call that its program gives up is finished, and whoever asks again gets that answer. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(rescue, .init = open_world, .fini = close_world, .timeout = 120);
TestSuite(rescue_tls, .init = open_tls_world, .fini = close_world, .timeout = 120);

static const char body[] = "{\"model\":\"m\",\"messages\":[]}";

static const char *slow_url(void)
{
  return world_url(&w, "/v1/chat/completions?mock=latency_ms%3D3000");
}

/* One call upstream, finished by a copy that is gone by now. */
static void expect_one_rescue(void)
{
  wait_until(log_events(&w, "rescued") == 1);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "rescue"), 1);
  cr_expect_eq(log_events(&w, "in_doubt"), 0);
}

static void expect_stored_answer(const struct run *run, const char *url)
{
  struct run again = run_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  expect_success(&again);
  expect_same_output(run, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&again);
}

Test(rescue, a_shell_loop_of_curl_pays_once)
{
  const char *url = slow_url();
  struct run run =
      run_shell(&w, world_text(&w, "until curl -sS --max-time 1 -d '%s' '%s'; do :; done", body, url));
  expect_success(&run);
  cr_expect(strstr(run.err, "(28) Operation timed out after"), "%s", run.err);
  expect_one_rescue();
  expect_stored_answer(&run, url);
  cr_log_info("the loop took %lld ms", (long long)run.ms);
  run_release(&run);
}

Test(rescue, curl_with_retry_pays_once)
{
  const char *url = slow_url();
  struct run run = run_shim(&w, "curl", "-sS", "--max-time", "1", "--retry", "5", "--retry-delay", "1", "-d",
                            body, url, NULL);
  expect_success(&run);
  expect_one_rescue();
  expect_stored_answer(&run, url);
  run_release(&run);
}

static const char php[] = "$handle = curl_init($argv[1]);"
                          "curl_setopt($handle, CURLOPT_POSTFIELDS, $argv[2]);"
                          "curl_setopt($handle, CURLOPT_RETURNTRANSFER, true);"
                          "curl_setopt($handle, CURLOPT_TIMEOUT, 1);"
                          "do $answer = curl_exec($handle); while (curl_errno($handle) == 28);"
                          "echo $answer;";

static const char python[] = "import io, pycurl, sys\n"
                             "while True:\n"
                             "  got, handle = io.BytesIO(), pycurl.Curl()\n"
                             "  handle.setopt(pycurl.URL, sys.argv[1])\n"
                             "  handle.setopt(pycurl.POSTFIELDS, sys.argv[2])\n"
                             "  handle.setopt(pycurl.TIMEOUT, 1)\n"
                             "  handle.setopt(pycurl.WRITEDATA, got)\n"
                             "  try:\n"
                             "    handle.perform()\n"
                             "    break\n"
                             "  except pycurl.error as error:\n"
                             "    assert error.args[0] == 28, error\n"
                             "sys.stdout.write(got.getvalue().decode())\n";

static void pays_once(const char *program, const char *flag, const char *script, const char *packages)
{
  struct run asked = run_shell_plain(&w, world_text(&w, "dpkg -s %s", packages));
  if (asked.status != 0)
    cr_skip_test("not installed: %s", packages);
  run_release(&asked);
  const char *url = slow_url();
  struct run run = run_shim(&w, program, flag, script, url, body, NULL);
  expect_success(&run);
  expect_one_rescue();
  expect_stored_answer(&run, url);
  run_release(&run);
}

Test(rescue, php_pays_once)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("php opens its extensions in a way that the sanitizers refuse");
  pays_once("/usr/bin/php", "-r", php, "php-cli php-curl");
}

Test(rescue, pycurl_pays_once)
{
  pays_once("/usr/bin/python3", "-c", python, "python3-pycurl");
}

Test(rescue, threads_with_keys_of_their_own_pay_once_each)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D2000");
  struct run run = run_shim(&w, "retrying", "500", url, "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":4}",
                            "{\"a\":5}", "{\"a\":6}", "{\"a\":7}", "{\"a\":8}", NULL);
  expect_success(&run);
  cr_expect(!strstr(run.out, "timeouts 0"), "%s", run.out);
  wait_until(log_events(&w, "rescued") == 8);
  cr_expect_eq(mock_count(&w).requests, 8);
  run_release(&run);
}

Test(rescue, threads_with_one_key_pay_once)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D2000");
  struct run run = run_shim(&w, "retrying", "500", url, body, body, body, body, body, body, body, body, NULL);
  expect_success(&run);
  expect_one_rescue();
  run_release(&run);
}

enum { PROGRAMS = 50 };

static void fifty_programs(bool own_keys)
{
  struct run runs[PROGRAMS];
  char url[128], own[64];
  snprintf(url, sizeof(url), "%s", world_url(&w, "/v1/chat/completions?mock=latency_ms%3D4000"));
  for (int i = 0; i < PROGRAMS; i++) {
    snprintf(own, sizeof(own), "{\"n\":%d}", own_keys ? i : 0);
    runs[i] = start_shim(&w, "retrying", "1000", url, own, NULL);
  }
  for (int i = 0; i < PROGRAMS; i++) {
    run_wait(&runs[i]);
    expect_success(&runs[i]);
    cr_expect(strstr(runs[i].out, "rc=0 status=200"), "%s", runs[i].out);
    run_release(&runs[i]);
  }
  wait_until(log_events(&w, "rescued") == (own_keys ? PROGRAMS : 1));
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(mock_count(&w).requests, own_keys ? PROGRAMS : 1);
}

Test(rescue, fifty_programs_with_fifty_keys_pay_once_each)
{
  fifty_programs(true);
}

Test(rescue, fifty_programs_with_one_key_pay_once)
{
  fifty_programs(false);
}

/* Upstream gives the same key the same answer, so that a run without us can be compared. */
Test(rescue, a_stream_that_stalls_is_finished_with_the_same_bytes)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=events%3D40,stall_ms%3D2500,honour_key%3D1");
  const char *stream = "{\"model\":\"m\",\"stream\":true,\"messages\":[]}",
             *key = "Idempotency-Key: of-a-stream";
  struct run first = run_shim(&w, "curl", "-sSN", "--max-time", "1", "-H", key, "-d", stream, url, NULL);
  cr_expect_eq(first.status, 28);
  cr_assert_gt(first.out_len, 0);
  struct run again = run_shim(&w, "curl", "-sSN", "-H", key, "-d", stream, url, NULL);
  expect_success(&again);
  expect_one_rescue();
  cr_assert_gt(again.out_len, first.out_len);
  expect_same_bytes("what had come before", first.out, first.out_len, again.out, first.out_len);
  cr_expect(strstr(again.out, "[DONE]"));
  struct run undisturbed = run_plain(&w, "curl", "-sSN", "-H", key, "-d", stream, url, NULL);
  expect_same_output(&undisturbed, &again);
  cr_expect_eq(mock_count(&w).work, 1);
  run_release(&first);
  run_release(&again);
  run_release(&undisturbed);
}

/* The copy is silent for as long as upstream is; an app that asks again does not wait longer for that. */
Test(rescue, a_retry_keeps_its_limit_of_speed_while_it_waits)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=hold%3D1,chunk%3D50");
  for (int i = 0; i < 3; i++) {
    struct run run =
        run_shim(&w, "curl", "-sS", "-Y1000000", "-y1", "--max-time", "30", "-d", body, url, NULL);
    cr_expect_eq(run.status, 28, "%d", run.status);
    cr_expect(strstr(run.err, "Operation too slow. Less than 1000000 bytes/sec"), "%s", run.err);
    run_release(&run);
  }
  mock_release(&w, 1000);
  expect_one_rescue();
  struct run again = run_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  expect_success(&again);
  expect_stored_answer(&again, url);
  run_release(&again);
}

struct way {
  char name[16], script[32];
};

ParameterizedTestParameters(rescue, every_way_of_giving_up_ends_as_without_us)
{
  static struct way ways[] = {
      {"timeout", "latency_ms%3D1500"}, {"slow", "stall_ms%3D3000"},       {"write", "stall_ms%3D600"},
      {"header", "latency_ms%3D600"},   {"progress", "latency_ms%3D1500"}, {"paused", "events%3D3"},
      {"prereq", "latency_ms%3D1500"},  {"debug", "latency_ms%3D1500"},
  };
  return cr_make_param_array(struct way, ways, sizeof(ways) / sizeof(*ways));
}

/* The first line, without the time in it. */
static void words_of(const struct run *run, char *out, size_t size)
{
  size_t n = 0;
  for (const char *at = run->out; *at && *at != '\n' && n + 1 < size; at++)
    if (*at < '0' || *at > '9' || n < 12)
      out[n++] = *at;
  out[n] = '\0';
}

ParameterizedTest(struct way *way, rescue, every_way_of_giving_up_ends_as_without_us)
{
  char plain_words[256], words[256];
  const char *url = world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", way->script));
  if (strcmp(way->name, "prereq") == 0 || strcmp(way->name, "debug") == 0)
    need_libcurl(0x075000, "prerequest callback");
  struct run plain = run_plain(&w, "timeouts", way->name, url, body, NULL);
  mock_reset(&w);
  struct run run = run_shim(&w, "timeouts", way->name, url, body, NULL);
  expect_success(&run);
  words_of(&plain, plain_words, sizeof(plain_words));
  words_of(&run, words, sizeof(words));
  cr_expect_str_eq(words, plain_words);
  cr_expect(strstr(run.out, "again rc=0 status=200"), "%s", run.out);
  expect_one_rescue();
  run_release(&plain);
  run_release(&run);
}

Test(rescue, each_repeat_of_a_call_has_an_answer_of_its_own)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D1200");
  static const char *const repeats[] = {"fresh", "sequence", "auto"};
  for (int i = 0; i < 3; i++) {
    world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=%s", repeats[i]);
    mock_reset(&w);
    struct run run = run_shim(&w, "timeouts", "timeout", url, world_text(&w, "{\"i\":%d}", i), NULL);
    expect_success(&run);
    cr_expect(strstr(run.out, "again rc=0 status=200"), "%s", run.out);
    cr_expect_eq(mock_count(&w).requests, 1, "%s", repeats[i]);
    run_release(&run);
  }
}

/* What is not rescued. */

Test(rescue, there_is_a_limit_to_how_many)
{
  world_env(&w, "IDEMSHIM_RESCUES", "0");
  struct run run = run_shim(&w, "curl", "-sS", "--max-time", "1", "-d", body, slow_url(), NULL);
  cr_expect_eq(run.status, 28);
  cr_expect_eq(log_events(&w, "rescue"), 0);
  cr_expect_eq(log_events(&w, "bypass"), 1);
  cr_expect(log_contains(&w, "IDEMSHIM_RESCUES"));
  run_release(&run);
}

Test(rescue, a_rescue_ends_at_its_own_deadline_and_leaves_the_call_in_doubt)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=1s");
  struct run run = run_shim(&w, "curl", "-sS", "--max-time", "1", "-d", body, slow_url(), NULL);
  cr_expect_eq(run.status, 28);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "rescue"), 1, "a copy has it");
  cr_expect_eq(log_events(&w, "rescued"), 0, "until its deadline");
  struct run again = run_shim(&w, "curl", "-sS", "-d", body, slow_url(), NULL);
  expect_success(&again);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  json_t *requests = mock_requests(&w);
  cr_assert_eq(json_array_size(requests), 2);
  cr_expect_str_eq(mock_header(json_array_get(requests, 0), "Idempotency-Key"),
                   mock_header(json_array_get(requests, 1), "Idempotency-Key"));
  json_decref(requests);
  run_release(&run);
  run_release(&again);
}

Test(rescue, without_it_a_timed_out_call_is_in_doubt_and_at_most_once_is_kept)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off indoubt=fail");
  struct run run = run_shim(&w, "curl", "-sS", "--max-time", "1", "-d", body, slow_url(), NULL);
  struct run again =
      run_shim(&w, "curl", "-sS", "-w", "%{http_code} %{content_type}", "-d", body, slow_url(), NULL);
  cr_expect_eq(run.status, 28);
  cr_expect(strstr(again.out, "409 application/problem+json"), "%s", again.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&run);
  run_release(&again);
}

Test(rescue, a_call_that_got_no_connection_is_not_in_doubt)
{
  int port = w.port;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  mock_stop(&w);
  for (int i = 0; i < 2; i++) {
    struct run run = run_shim(&w, "curl", "-sS", "-d", body,
                              world_text(&w, "http://127.0.0.1:%d/v1/chat/completions", port), NULL);
    cr_expect_eq(run.status, 7);
    run_release(&run);
  }
  cr_expect_eq(log_events(&w, "in_doubt"), 0);
}

Test(rescue, a_call_that_needs_none_costs_no_connection)
{
  struct run plain = run_plain(&w, "fetch-openssl", "--reuse-handle", "--repeat", "3", "--body", "{}",
                               world_url(&w, "/v1/chat/completions?mock=status%3D500"), NULL);
  long connections = mock_count(&w).connections;
  mock_reset(&w);
  struct run run = run_shim(&w, "fetch-openssl", "--reuse-handle", "--repeat", "3", "--timeout-ms", "30000",
                            "--body", "{}", world_url(&w, "/v1/chat/completions?mock=status%3D500"), NULL);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(mock_count(&w).connections, connections);
  run_release(&plain);
  run_release(&run);
}

/* TLS. */

static void tls_flavour(const char *program)
{
  if (!world_has(&w, program))
    cr_skip_test("not built: %s", program);
  /* A handshake takes its time under a sanitizer. */
  const char *latency = getenv("IDEM_SAN_PRELOAD") ? "9000" : "1500";
  const char *timeout = getenv("IDEM_SAN_PRELOAD") ? "6000" : "500";
  const char *url =
      world_tls_url(&w, world_text(&w, "/v1/chat/completions?mock=latency_ms%%3D%s,size%%3D200000", latency));
  struct run run = run_shim(&w, program, "--timeout-ms", timeout, "--body", body, url, NULL);
  cr_expect(strstr(run.out, "28") || strstr(run.err, "28"), "%s %s", run.out, run.err);
  struct run again = run_shim(&w, program, "--print-body", "--body", body, url, NULL);
  struct run third = run_shim(&w, program, "--print-body", "--body", body, url, NULL);
  expect_success(&again);
  cr_assert_gt(again.out_len, 200000);
  expect_same_output(&again, &third);
  expect_one_rescue();
  run_release(&run);
  run_release(&again);
  run_release(&third);
}

Test(rescue_tls, with_openssl)
{
  tls_flavour("fetch-openssl");
}

Test(rescue_tls, with_gnutls)
{
  tls_flavour("fetch-gnutls");
}
