/* SPDX-License-Identifier: MIT */
/* A bad day, recorded; then the server is gone and the network is cut, and the program sees it all again. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAY(name, text) mock_lay(&w, name, text, sizeof(text) - 1)

static void lay_all(void)
{
  LAY("trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n"
                  "X-Sum: 1\r\n\r\n");
  LAY("bare", "HTTP/1.1 200 OK\r\n\r\nhello");
  LAY("cut", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Hal");
  LAY("nothing", "");
  LAY("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\nworld\r\n");
}

static void set_up(void)
{
  open_tls_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 method=GET,POST; host=*.invalid");
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  world_env(&w, "IDEMSHIM_MODE", "record");
  lay_all();
}

TestSuite(tape_replay, .init = set_up, .fini = close_world);

/* What runs a program without any network: as root, or as somebody whom the kernel lets have a namespace. */
static const char *cut_off(void)
{
  static const char *const ways[] = {"-n", "-rn"};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    struct run r = run_plain(&w, "unshare", ways[i], "true", NULL);
    bool works = r.status == 0;
    run_release(&r);
    if (works)
      return ways[i];
  }
  return NULL;
}

static struct run record(const char *const *argv)
{
  struct run live = run_argv(&w, true, argv);
  cr_assert(strlen(live.out) > 1000, "%s\n%s", live.out, live.err);
  mock_stop(&w);
  return live;
}

static struct run replay(const char *const *argv)
{
  enum { MOST = 32 };
  const char *all[MOST + 1] = {"unshare", cut_off()};
  size_t n = all[1] ? 2 : 0;
  for (; *argv; argv++) {
    cr_assert_lt(n, MOST);
    all[n++] = *argv;
  }
  all[n] = NULL;
  static int count;
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_REPLAY_STATE", "%s/state%d", w.dir, count++);
  return run_argv(&w, true, all);
}

static void expect_same_day(const char *const *argv, bool also_by_transport)
{
  struct run live = record(argv), again = replay(argv);
  expect_same_output(&live, &again);
  expect_same_bytes("standard error", live.err, live.err_len, again.err, again.err_len);
  if (also_by_transport) {
    world_env(&w, "IDEMSHIM_DELIVERY", "transport");
    struct run by_transport = replay(argv);
    expect_same_output(&live, &by_transport);
    expect_same_bytes("standard error", live.err, live.err_len, by_transport.err, by_transport.err_len);
    run_release(&by_transport);
  }
  cr_expect_eq(log_events(&w, "not_recorded"), 0);
  run_release(&live);
  run_release(&again);
}

#define PORTS world_text(&w, "%d", w.port), world_text(&w, "%d", w.tls_port)

Test(tape_replay, every_way_to_fail_by_perform)
{
  expect_same_day((const char *[]){"incident", "easy", PORTS, NULL}, true);
}

Test(tape_replay, every_way_to_fail_in_a_multi)
{
  expect_same_day((const char *[]){"incident", "multi", PORTS, NULL}, false);
}

/* It fails for want of a descriptor, as a call would, and the next one is replayed. */
Test(tape_replay, without_descriptors_a_url_in_a_handle_goes_nowhere)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run live = run_shim(&w, "curlu_few_descriptors", url, "64", NULL);
  expect_success(&live);
  cr_expect_eq(mock_count(&w).requests, 2);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  struct run again = run_shim(&w, "curlu_few_descriptors", url, "0", NULL);
  expect_success(&again);
  cr_expect(strstr(again.out, "first rc=27 status=0 bytes=0 "), "%s", again.out);
  cr_expect(strstr(again.out, "second rc=0 status=200 "), "%s", again.out);
  cr_expect(strstr(again.out, "sockets 0\n"), "%s", again.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&live);
  run_release(&again);
}

Test(tape_replay, every_way_to_fail_in_eight_threads)
{
  expect_same_day((const char *[]){"incident", "threads", PORTS, NULL}, true);
}

Test(tape_replay, the_curl_tool)
{
  expect_same_day((const char *[]){"sh", "tests/clients/incident/curl.sh", PORTS, NULL}, true);
}

static void skip_without(const char *program, const char *script)
{
  struct run r = run_plain(&w, "sh", "-c", script, NULL);
  bool there = r.status == 0;
  run_release(&r);
  if (!there)
    cr_skip_test("not installed: %s", program);
}

Test(tape_replay, php)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime refuses RTLD_DEEPBIND before it comes to us");
  skip_without("php-curl", "php -r 'exit(extension_loaded(\"curl\") ? 0 : 1);'");
  expect_same_day((const char *[]){"php", "tests/clients/incident/easy.php", PORTS, NULL}, true);
}

Test(tape_replay, pycurl)
{
  skip_without("python3-pycurl", "/usr/bin/python3 -c 'import pycurl'");
  expect_same_day((const char *[]){"/usr/bin/python3", "tests/clients/incident/easy.py", PORTS, NULL}, true);
}

/* Recorded times are told as they were, at every pace; what has to be seen is that the program took them. */
static double seconds_told(const char *out)
{
  double sum = 0;
  for (const char *at = out; (at = strstr(at, "info TOTAL_TIME ")); at++)
    sum += atof(at + strlen("info TOTAL_TIME "));
  return sum;
}

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A body that the program is slow to give comes before there is anything to record; that time is in the
 * duration, and so before the start no more. Nor does an answer begin before its request was there. */
Test(tape_replay, start_duration_and_first_byte_count_from_one_instant)
{
  int64_t before = now_ms();
  struct run live = run_shell(
      &w,
      world_text(&w, "{ sleep 1; date +%%s%%3N >\"$HOME/given\"; echo '{}'; } | curl -sS -X POST -T - '%s'",
                 world_url(&w, "/v1/chat/completions")));
  int64_t after = now_ms();
  char *given = file_read(world_path(&w, "given"), &(size_t){0});
  struct run shown = run_plain(&w, "idemshim", "tape", "show", "--json", world_path(&w, "tape"), "1", NULL);
  json_t *exchange = json_loads(shown.out, 0, NULL);
  const char *started = json_string_value(json_object_get(exchange, "started"));
  double took_ms = json_number_value(json_object_get(exchange, "duration_ms"));
  double first_ms = json_number_value(json_object_get(exchange, "first_byte_ms"));
  struct tm at = {0};
  int ms = 0;

  expect_success(&live);
  cr_assert(given);
  cr_assert(started, "%s%s", shown.out, shown.err);
  cr_assert_eq(sscanf(started, "%d-%d-%dT%d:%d:%d.%dZ", &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour,
                      &at.tm_min, &at.tm_sec, &ms),
               7, "%s", started);
  at.tm_year -= 1900;
  at.tm_mon -= 1;
  double start = (double)timegm(&at) * 1000 + ms;
  cr_expect_geq(start, (double)before);
  cr_expect_geq(start + first_ms, strtod(given, NULL) - 1, "%s", shown.out);
  cr_expect_leq(first_ms, took_ms, "%s", shown.out);
  cr_expect_leq(start + took_ms, (double)after + 1, "%s took %.3f ms and was over %.3f ms too late", started,
                took_ms, start + took_ms - (double)after);
  free(given);
  json_decref(exchange);
  run_release(&live);
  run_release(&shown);
}

Test(tape_replay, original_pace_takes_the_time_that_it_took)
{
  const char *const argv[] = {"incident", "easy", PORTS, NULL};
  struct run live = record(argv);
  world_env(&w, "IDEMSHIM_PACE", "original");
  struct run original = replay(argv);
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  struct run by_transport = replay(argv);
  double told = seconds_told(live.out);

  expect_same_output(&live, &original);
  expect_same_output(&live, &by_transport);
  cr_expect_geq((double)original.ms, 0.95 * 1000 * told, "%lld ms of %f s", (long long)original.ms, told);
  cr_expect_geq((double)by_transport.ms, 0.95 * 1000 * told, "%lld ms of %f s", (long long)by_transport.ms,
                told);
  run_release(&live);
  run_release(&original);
  run_release(&by_transport);
}

Test(tape_replay, opens_no_network_socket)
{
  static const char *const deliveries[] = {"auto", "transport"};
  const char *const argv[] = {"incident", "easy", PORTS, NULL};
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
  struct run live = record(argv);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  for (size_t i = 0; i < sizeof deliveries / sizeof *deliveries; i++) {
    const char *trace = world_path(&w, deliveries[i]);
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", deliveries[i]);
    struct run again = run_plain(&w, "strace", "-f", "-e", "trace=network", "-E",
                                 world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", trace,
                                 argv[0], argv[1], argv[2], argv[3], NULL);
    expect_same_output(&live, &again);
    /* An old libcurl looks whether there is IPv6, with a socket that it does not use. */
    cr_expect_not(file_contains(trace, "AF_INET,"), "%s", deliveries[i]);
    cr_expect_not(file_contains(trace, "sin6_addr"), "%s", deliveries[i]);
    run_release(&again);
  }
  run_release(&live);
}

/* In the ordinary mode, with a tape set. */

static struct run ask(const char *body, const char *key)
{
  return run_shim(&w, "curl", "-sS", "-i", "-w", "\n%{json}", "-H",
                  world_text(&w, "Idempotency-Key: %s", key), CURL_JSON(body),
                  world_url(&w, "/v1/chat/completions"), NULL);
}

Test(tape_replay, hits_and_refusals_come_back_as_they_were)
{
  world_env(&w, "IDEMSHIM_MODE", "idempotent");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mismatch=reject");
  struct run first[] = {ask("{\"a\":1}", "one"), ask("{\"a\":1}", "one"), ask("{\"a\":2}", "one")};
  const char *bodies[] = {"{\"a\":1}", "{\"a\":1}", "{\"a\":2}"};
  cr_expect_eq(mock_count(&w).served, 1);
  cr_expect(strstr(first[1].out, "X-Idempotency-Replayed"), "%s", first[1].out);
  cr_expect(strstr(first[2].out, "HTTP/1.1 422"), "%s", first[2].out);
  mock_stop(&w);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_REPLAY_STATE", "%s/state", w.dir);
  for (size_t i = 0; i < 3; i++) {
    struct run again = ask(bodies[i], "one");
    expect_same_output(&first[i], &again);
    run_release(&again);
    run_release(&first[i]);
  }
}

Test(tape_replay, joins_come_back_as_they_were)
{
  const char *const argv[] = {"stampede", "4", world_url(&w, "/v1/chat/completions?mock=latency_ms%3D200"),
                              "{\"a\":1}", NULL};
  world_env(&w, "IDEMSHIM_MODE", "idempotent");
  struct run live = run_argv(&w, true, argv);
  cr_expect_eq(mock_count(&w).served, 1);
  cr_expect_eq(log_events(&w, "join"), 3);
  mock_stop(&w);
  struct run again = replay(argv);
  expect_same_output(&live, &again);
  run_release(&live);
  run_release(&again);
}

Test(tape_replay, what_is_larger_than_max_body_does_not_pass_for_whole)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=1k");
  const char *const argv[] = {"curl", "-sS", CURL_JSON("{\"stream\":true}"),
                              world_url(&w, "/v1/chat/completions?mock=chunk_delay_ms%3D10"), NULL};
  struct run live = record(argv), again = replay(argv);
  expect_success(&live);
  cr_expect_eq(again.status, 18, "%s", again.err);
  cr_expect(again.out_len > 0 && again.out_len <= 1024 && !memcmp(again.out, live.out, again.out_len));
  cr_expect(strstr(again.err, "the tape has only the first"), "%s", again.err);
  cr_expect_eq(log_events(&w, "truncated"), 1);
  run_release(&live);
  run_release(&again);
}

Test(tape_replay, a_call_that_no_key_can_be_made_for_is_on_the_tape)
{
  world_env(&w, "IDEMSHIM_MODE", "idempotent");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 key=header");
  const char *const argv[] = {"curl", "-sS", "-i", CURL_JSON("{}"), world_url(&w, "/v1/chat/completions"),
                              NULL};
  struct run live = run_argv(&w, true, argv);
  cr_expect_eq(log_events(&w, "bypass"), 1);
  mock_stop(&w);
  struct run again = replay(argv);
  expect_same_output(&live, &again);
  run_release(&live);
  run_release(&again);
}

Test(tape_replay, calls_that_no_rule_wants_go_on_if_there_is_a_tape)
{
  struct run empty =
      run_shell_plain(&w, "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0 idemshim record true");
  expect_success(&empty);
  run_release(&empty);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_RULES", "host=nowhere.invalid");
  world_unset(&w, "IDEMSHIM_HOSTS");
  struct run r = run_shim(&w, "curl", "-sS", CURL_JSON("{}"), world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&r);
  world_env(&w, "IDEMSHIM_TAPE", "%s/none", w.dir);
  r = run_shim(&w, "curl", "-sS", CURL_JSON("{}"), world_url(&w, "/v1/chat/completions"), NULL);
  cr_expect_eq(r.status, 7);
  cr_expect(strstr(r.err, "there is no tape at"), "%s", r.err);
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&r);
}

Test(tape_replay, a_callback_may_end_it_now_as_it_did_not_then)
{
  const char *const whole[] = {"curl", "-sS",       CURL_JSON("{}"),
                               "-o",   "/dev/null", world_url(&w, "/v1/chat/completions?mock=size%3D50000"),
                               NULL};
  const char *const full[] = {"curl", "-sS",       CURL_JSON("{}"),
                              "-o",   "/dev/full", world_url(&w, "/v1/chat/completions?mock=size%3D50000"),
                              NULL};
  static const char *const deliveries[] = {"auto", "transport"};
  struct run live = run_argv(&w, true, whole);
  expect_success(&live);
  for (size_t i = 0; i < 2; i++) {
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", deliveries[i]);
    struct run again = replay(full);
    cr_expect_eq(again.status, 23, "%s: %d, %s", deliveries[i], again.status, again.err);
    run_release(&again);
  }
  run_release(&live);
}

Test(tape_replay, without_descriptors_it_fails_and_calls_nobody)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime opens files of its own");
  const char *const argv[] = {"incident", "multi", PORTS, NULL};
  struct run live = run_argv(&w, true, argv);
  long before = mock_count(&w).requests;
  world_env(&w, "IDEMSHIM_MODE", "replay");
  struct run again =
      run_shell(&w, world_text(&w, "ulimit -n 8; exec incident multi %d %d", w.port, w.tls_port));
  cr_expect(strstr(again.out, "result 27"), "%s%s", again.out, again.err);
  cr_expect_eq(again.status, 3);
  cr_expect_eq(mock_count(&w).requests, before);
  run_release(&live);
  run_release(&again);
}

Test(tape_replay, what_came_after_the_app_had_given_up_is_for_people_alone)
{
  const char *const impatient[] = {
      "curl", "-sS",           "-m",
      "0.3",  CURL_JSON("{}"), world_url(&w, "/v1/chat/completions?mock=latency_ms%3D600"),
      NULL};
  world_env(&w, "IDEMSHIM_MODE", "idempotent");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=1m");
  struct run live = run_argv(&w, true, impatient);
  cr_expect_eq(live.status, 28);
  wait_until(log_events(&w, "rescued") == 1);
  struct run ls = run_plain(&w, "idemshim", "tape", "ls", world_path(&w, "tape"), NULL);
  cr_expect(strstr(ls.out, " live ") && strstr(ls.out, " rescue "), "%s", ls.out);
  mock_stop(&w);
  struct run again = replay(impatient), beyond = replay(impatient);
  expect_same_output(&live, &again);
  expect_same_output(&live, &beyond);
  run_release(&live);
  run_release(&ls);
  run_release(&again);
  run_release(&beyond);
}

Test(tape_replay, a_mistake_in_the_configuration_lets_no_call_out)
{
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_PACE", "fast");
  struct run r = run_shim(&w, "curl", "-sS", CURL_JSON("{}"), world_url(&w, "/v1/chat/completions"), NULL);
  cr_expect_eq(r.status, 7);
  cr_expect(strstr(r.err, "IDEMSHIM_PACE: expected instant, original or a factor"), "%s", r.err);
  cr_expect(strstr(r.err, "nothing was sent"), "%s", r.err);
  cr_expect_eq(mock_count(&w).requests, 0);
  run_release(&r);
}

/* It is in the tree as 0.1 wrote it: POSTs of {"q":1} and {"q":2} to port 18998. */
Test(tape_replay, a_tape_of_0_1_is_replayed_by_what_the_calls_ask_for)
{
  static const struct {
    const char *body, *answer;
  } calls[] = {{"{\"q\": 2}", "{\"a\":2}"}, {"{\"q\": 1}", "{\"a\":1}"}};
  char *here = realpath("tests/e2e/tape/recorded-by-0.1", NULL);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1:18998");
  world_env(&w, "IDEMSHIM_TAPE", "%s", here);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    struct run r =
        run_shim(&w, "curl", "-sS", "-d", calls[i].body, "http://127.0.0.1:18998/v1/embeddings", NULL);
    cr_expect_str_eq(r.out, calls[i].answer, "%s%s", r.out, r.err);
    run_release(&r);
  }
  struct run other =
      run_shim(&w, "curl", "-sS", "-d", "{\"q\":3}", "http://127.0.0.1:18998/v1/embeddings", NULL);
  cr_expect_eq(other.status, 7);
  run_release(&other);
  free(here);
}
