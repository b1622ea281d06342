/* SPDX-License-Identifier: MIT */
/* The main job: the second run of an unmodified program makes no call and gives the same bytes. */
#include "store/base/kept.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(replay, .init = open_tls_world, .fini = close_world);

static const char prompt[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
static const char stream_prompt[] =
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

static struct run curl_json(const char *url)
{
  return run_shim(&w, "curl", "-sSi", CURL_JSON(prompt), url, NULL);
}

static void expect_replay_of(struct run *first, struct run *again)
{
  expect_success(first);
  expect_success(again);
  cr_expect_eq(strip_marks(first->out), 0, "a live call carries no marks");
  cr_expect_eq(strip_marks(again->out), 4, "a replay carries four marks");
  expect_same_bytes("headers and body", first->out, strlen(first->out), again->out, strlen(again->out));
}

Test(replay, the_second_run_of_curl_makes_no_call_and_carries_four_marks)
{
  struct run first = curl_json(world_url(&w, "/v1/chat/completions"));
  struct run again = curl_json(world_url(&w, "/v1/chat/completions"));
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect(strstr(again.out, "X-Idempotency-Replayed: true\r\n"));
  cr_expect(strstr(again.out, "X-From-Cache: true\r\n"));
  cr_expect(strstr(again.out, "X-Original-Request-Time: "));
  cr_expect(strstr(again.out, "X-Idemshim-Id: "));
  expect_replay_of(&first, &again);
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "hit"), 1);
  run_release(&first);
  run_release(&again);
}

Test(replay, it_works_over_tls_with_the_server_stopped)
{
  const char *url = world_tls_url(&w, "/v1/chat/completions");
  struct run first = curl_json(url);
  mock_stop(&w);
  struct run again = curl_json(url);
  expect_replay_of(&first, &again);
  run_release(&first);
  run_release(&again);
}

Test(replay, a_replay_opens_no_network_socket)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
  struct run first = curl_json(world_url(&w, "/v1/chat/completions"));
  struct run again =
      run_plain(&w, "strace", "-f", "-e", "trace=network", "-E",
                world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", world_path(&w, "trace"),
                "curl", "-sS", CURL_JSON(prompt), world_url(&w, "/v1/chat/completions"), NULL);
  char *trace = file_read(world_path(&w, "trace"), NULL);
  cr_assert_not_null(trace);
  cr_expect_eq(again.status, 0, "%s", again.err);
  cr_expect_null(strstr(trace, "AF_INET"), "%s", trace);
  cr_expect_eq(mock_count(&w).connections, 1);
  free(trace);
  run_release(&first);
  run_release(&again);
}

Test(replay, an_event_stream_keeps_its_bytes_and_its_chunks)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=chunk_delay_ms%3D30");
  struct run first = run_shim(&w, "fetch-openssl", "--stream", "--body", stream_prompt, url, NULL);
  struct run again = run_shim(&w, "fetch-openssl", "--stream", "--body", stream_prompt, url, NULL);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect(strstr(first.out, "chunk "), "%s", first.out);
  expect_same_output(&first, &again);
  run_release(&first);
  run_release(&again);
}

Test(replay, each_provider_s_stream_is_an_answer)
{
  static const char *const paths[] = {"/v1/chat/completions", "/v1/responses", "/v1/messages",
                                      "/v1beta/models/m:streamGenerateContent?alt=sse", "/api/chat"};
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    const char *url = world_url(&w, paths[i]);
    struct run first = run_shim(&w, "curl", "-sSiN", CURL_JSON(stream_prompt), url, NULL);
    struct run again = run_shim(&w, "curl", "-sSiN", CURL_JSON(stream_prompt), url, NULL);
    expect_replay_of(&first, &again);
    cr_expect_eq(mock_count(&w).requests, (long)i + 1, "%s", paths[i]);
    run_release(&first);
    run_release(&again);
  }
}

Test(replay, pace_original_takes_the_time_that_it_took_live)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 pace=original");
  const char *url = world_url(&w, "/v1/chat/completions?mock=chunk_delay_ms%3D60");
  struct run first = run_shim(&w, "curl", "-sSN", CURL_JSON(stream_prompt), url, NULL);
  struct run again =
      run_shim(&w, "curl", "-sSN", CURL_JSON(stream_prompt), "-w", "\n%{time_total}", url, NULL);
  char *total = strrchr(again.out, '\n');
  cr_assert_not_null(total);
  cr_expect_geq(atof(total), 0.3, "%s", total);
  *total = '\0';
  cr_expect_str_eq(first.out, again.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

Test(replay, mark_off_adds_nothing)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off");
  struct run first = curl_json(world_url(&w, "/v1/chat/completions"));
  struct run again = curl_json(world_url(&w, "/v1/chat/completions"));
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

Test(replay, key_order_and_white_space_do_not_count)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run a = run_shim(&w, "curl", "-sS", CURL_JSON("{\"a\":1,\"b\":[1, 2]}"), url, NULL);
  struct run b = run_shim(&w, "curl", "-sS", CURL_JSON("{ \"b\": [1,2], \"a\": 1 }"), url, NULL);
  struct run c = run_shim(&w, "curl", "-sS", CURL_JSON("{\"b\":[2,1],\"a\":1}"), url, NULL);
  cr_expect_str_eq(a.out, b.out);
  cr_expect_str_neq(a.out, c.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&b);
  run_release(&c);
}

Test(replay, a_body_from_a_read_callback_is_part_of_the_key)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run a = run_shim(&w, "fetch-openssl", "--upload-callback", "--body", "{\"a\":1}", url, NULL);
  struct run b = run_shim(&w, "fetch-openssl", "--upload-callback", "--body", "{\"a\":1}", url, NULL);
  struct run c = run_shim(&w, "fetch-openssl", "--upload-callback", "--body", "{\"a\":2}", url, NULL);
  expect_success(&a);
  cr_expect_str_eq(a.out, b.out);
  cr_expect_str_neq(a.out, c.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&b);
  run_release(&c);
}

Test(replay, a_url_in_a_handle_is_read_when_the_transfer_starts)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run a = run_shim(&w, "curlu", url, "{}", NULL);
  struct run b = run_shim(&w, "curlu", url, "{}", NULL);
  expect_success(&a);
  expect_same_output(&a, &b);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&b);
}

/* The paths of all requests so far, oldest first. */
static const char *paths_so_far(void)
{
  json_t *requests = mock_requests(&w), *request;
  const char *text = "";
  size_t i;
  json_array_foreach(requests, i, request) text =
      world_text(&w, "%s %s", text, json_string_value(json_object_get(request, "path")));
  json_decref(requests);
  return text;
}

/* Older ones of libcurl go to the text then, and 8.12 and newer nowhere: neither is what the handle said. */
Test(replay, a_url_in_a_handle_that_is_taken_away_names_no_call)
{
  static const char *const ways[] = {"auto", "auto", "transport"};
  const char *handle = world_url(&w, "/v1/completions"), *text = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "curlu", handle, "{}", text, NULL);
  expect_success(&plain);
  const char *bare = paths_so_far();
  strip_checksums(plain.out);
  for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", ways[i]);
    struct run run = run_shim(&w, "curlu", handle, "{}", text, NULL);
    expect_success(&run);
    strip_checksums(run.out);
    cr_expect_str_eq(run.out, plain.out, "%zu: %s", i, run.out);
    const char *once = libcurl_version() < 0x080c00 ? " /v1/chat/completions" : "";
    cr_expect_str_eq(paths_so_far(), i ? once : bare, "%zu: %s", i, paths_so_far());
    run_release(&run);
  }
  run_release(&plain);
}

/* libcurl sends its parts; a text of them would be cut elsewhere, or refused. */
Test(replay, a_url_that_no_text_can_say_goes_live)
{
  world_env(&w, "IDEMSHIM_HOSTS", "127.0.0.1");
  struct run plain = run_plain(&w, "curlu_parts", NULL), shim = run_shim(&w, "curlu_parts", NULL);
  expect_success(&plain);
  expect_same_output(&plain, &shim);
  /* libcurl 7.74 sends "q%3da+b" for the second, which a text can say. */
  int hits = libcurl_version() < 0x075500 ? 8 : 7;
  cr_expect_eq(log_events(&w, "hit"), hits);
  cr_expect_geq(log_events(&w, "bypass"), 2 * (13 - hits));
  run_release(&plain);
  run_release(&shim);
}

Test(replay, a_body_over_the_limit_goes_live_whole)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=1k");
  char body[4096];
  memset(body, 'x', sizeof(body));
  const char *file = world_write(&w, "body", body, sizeof(body));
  const char *url = world_url(&w, "/v1/chat/completions");
  for (int i = 0; i < 2; i++) {
    struct run r =
        run_shim(&w, "fetch-openssl", "--upload-callback", "--body", world_text(&w, "@%s", file), url, NULL);
    expect_success(&r);
    run_release(&r);
  }
  json_t *requests = mock_requests(&w);
  cr_expect_eq(json_array_size(requests), 2);
  cr_expect_eq(json_integer_value(json_object_get(json_array_get(requests, 0), "body_size")),
               (int)sizeof(body));
  cr_expect_eq(log_events(&w, "bypass"), 2);
  json_decref(requests);
}

Test(replay, the_upstream_gets_one_idempotency_key_that_the_app_did_not_send)
{
  struct run r = curl_json(world_url(&w, "/v1/chat/completions"));
  json_t *requests = mock_requests(&w);
  const char *key = mock_header(json_array_get(requests, 0), "Idempotency-Key");
  cr_assert_not_null(key);
  cr_expect_eq(strlen(key), 36);
  json_decref(requests);
  run_release(&r);
}

Test(replay, another_host_is_left_alone)
{
  world_env(&w, "IDEMSHIM_HOSTS", "localhost:%d", w.port + 1);
  struct run first = curl_json(world_url(&w, "/v1/chat/completions"));
  struct run again = curl_json(world_url(&w, "/v1/chat/completions"));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_null(file_read(w.log, NULL));
  run_release(&first);
  run_release(&again);
}

Test(replay, observe_changes_nothing_and_tells_what_would_have_been_saved)
{
  world_env(&w, "IDEMSHIM_MODE", "observe");
  struct run first = curl_json(world_url(&w, "/v1/chat/completions"));
  struct run again = curl_json(world_url(&w, "/v1/chat/completions"));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(strip_marks(again.out), 0);
  cr_expect_eq(log_events(&w, "would_hit"), 1);
  json_t *requests = mock_requests(&w);
  cr_expect_null(mock_header(json_array_get(requests, 0), "Idempotency-Key"));
  json_decref(requests);
  run_release(&first);
  run_release(&again);
}

Test(replay, off_is_as_if_the_shim_were_not_there)
{
  world_env(&w, "IDEMSHIM_MODE", "off");
  struct run first = curl_json(world_url(&w, "/v1/chat/completions"));
  struct run again = curl_json(world_url(&w, "/v1/chat/completions"));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_null(file_read(w.store, NULL));
  run_release(&first);
  run_release(&again);
}

Test(replay, stats_count_what_was_saved)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D50");
  for (int i = 0; i < 3; i++) {
    struct run r = curl_json(url);
    expect_success(&r);
    run_release(&r);
  }
  struct run stats = run_plain(&w, "idemshim", "stats", "--json", NULL);
  json_t *all = json_loads(stats.out, 0, NULL);
  cr_assert_not_null(all, "%s%s", stats.out, stats.err);
  json_t *counters = json_object_get(all, "counters") ? json_object_get(all, "counters") : all;
  cr_expect_eq(json_integer_value(json_object_get(counters, "calls")), 3);
  cr_expect_eq(json_integer_value(json_object_get(counters, "hits")), 2);
  cr_expect_eq(json_integer_value(json_object_get(counters, "live")), 1);
  cr_expect_eq(json_integer_value(json_object_get(counters, "stored")), 1);
  cr_expect_geq(json_integer_value(json_object_get(counters, "ms_saved")), 100);
  long tokens = (long)json_integer_value(json_object_get(counters, "output_tokens_saved"));
  cr_expect(tokens > 0 && tokens < 1000, "tokens count once for a key: %ld", tokens);
  json_decref(all);
  run_release(&stats);
}

/* libcurl forbids it of a header line only, and apps do it there too. So often that a long answer is given
 * without a copy in the end. */
Test(replay, a_callback_may_write_into_what_it_is_given)
{
  /* A program that sums a megabyte a thousand times takes a minute under the thread sanitizer. */
  const char *const sizes[] = {"100", "70000", is_under_thread_sanitizer() ? "300000" : "1000000"};
  const size_t calls = KEPT_REPEATS + 5;
  for (size_t i = 0; i < 3; i++) {
    const char *url = world_url(&w, world_text(&w, "/v1/chat/completions?mock=size%%3D%s", sizes[i]));
    mock_reset(&w);
    struct run run = run_shim(&w, "writes_into", url, world_text(&w, "%zu", calls), NULL);
    expect_success(&run);
    cr_expect_eq(mock_count(&w).requests, 1);
    size_t line = strcspn(run.out, "\n") + 1;
    cr_assert_eq(strlen(run.out), calls * line, "%zu lines of one length", calls);
    for (size_t k = 1; k < calls; k++)
      cr_expect_eq(memcmp(run.out, run.out + k * line, line), 0, "call %zu: %s", k + 1, run.out + k * line);
    run_release(&run);
  }
}

/* A header line of more than 16 KB has its NUL, too, as has the fullest piece of a body. The marks are no
 * part of the live call's header. */
Test(replay, what_a_callback_is_given_ends_with_a_nul)
{
  static char wire[200000];
  enum { LONG_LINE = 40000, BODY = 70000 };
  int len =
      sprintf(wire,
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Long: %0*d\r\nContent-Length: %d\r\n"
              "\r\n{\"a\":\"%0*d\"}",
              LONG_LINE, 7, BODY + 8, BODY, 7);
  static const char *const modes[] = {"read", "write"};
  const size_t calls = 4;
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off");
  for (size_t i = 0; i < 2; i++) {
    mock_reset(&w);
    world_store_anew(&w);
    mock_lay(&w, "strings", wire, (size_t)len);
    struct run plain = run_plain(&w, "takes_strings", modes[i], world_url(&w, "/wire/strings"), "1", NULL);
    struct run run = run_shim(&w, "takes_strings", modes[i], world_url(&w, "/wire/strings"),
                              world_text(&w, "%zu", calls), NULL);
    expect_success(&plain);
    expect_success(&run);
    cr_expect_eq(mock_count(&w).requests, 2, "one of each program");
    size_t line = strcspn(run.out, "\n") + 1;
    cr_assert_eq(strlen(run.out), calls * line, "%zu lines of one length", calls);
    cr_expect(strstr(plain.out, "lines=0 "), "libcurl ends its lines: %s", plain.out);
    const char *came = strstr(plain.out, "header=");
    for (size_t k = 1; k < calls; k++) {
      const char *said = run.out + k * line;
      cr_expect_eq(strncmp(said, "open: lines=0 pieces=0 shown=0 ", 31), 0, "call %zu: %.200s", k + 1, said);
      cr_expect_eq(strncmp(strstr(said, "header="), came, strlen(came)), 0, "call %zu: %.200s", k + 1, said);
    }
    run_release(&run);
    run_release(&plain);
  }
}

/* With CURLOPT_HEADER a line comes by the write callback first, a long one in pieces; it
 * is no part of the body. */
Test(replay, a_header_line_that_is_written_first_is_no_body)
{
  static char wire[60000];
  enum { LONG_LINE = 40000 };
  int len =
      sprintf(wire,
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Long: %0*d\r\nContent-Length: 7\r\n"
              "\r\n{\"a\":1}",
              LONG_LINE, 7);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off");
  mock_lay(&w, "long", wire, (size_t)len);
  const char *url = world_url(&w, "/wire/long");
  struct run plain = run_plain(&w, "stream_edge_cases", "easy", "include", url, "{}", NULL);
  struct run first = run_shim(&w, "stream_edge_cases", "easy", "include", url, "{}", NULL);
  struct run again = run_shim(&w, "stream_edge_cases", "easy", "include", url, "{}", NULL);
  struct run other = run_shim(&w, "curl", "-sS", "-d", "{}", url, NULL);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_str_eq(other.out, "{\"a\":1}");
  char *end = strstr(plain.out, "\nrc=0 ");
  cr_assert_not_null(end, "%s", plain.out);
  size_t said = (size_t)(end - plain.out);
  expect_same_bytes("the miss", plain.out, said, first.out,
                    strlen(first.out) < said ? strlen(first.out) : said);
  expect_same_bytes("the hit", plain.out, said, again.out,
                    strlen(again.out) < said ? strlen(again.out) : said);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
  run_release(&other);
}

/* Nor is one at which the header callback pauses: libcurl gives it that again, and
 * does not write it again. */
Test(replay, a_header_line_that_pauses_is_no_body)
{
  static const char wire[] =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
      "7\r\n{\"a\":1}\r\n0\r\n\r\n";
  mock_lay(&w, "pause", wire, sizeof(wire) - 1);
  const char *url = world_url(&w, "/wire/pause");
  struct run first = run_shim(&w, "stream_edge_cases", "easy", "include-pause", url, prompt, NULL);
  struct run again = run_shim(&w, "stream_edge_cases", "easy", "include-pause", url, prompt, NULL);
  cr_expect(strstr(first.out, "\npause\n") && strstr(first.out, "\nrc=0 "), "%s", first.out);
  cr_expect(strstr(again.out, "\npause\n") && strstr(again.out, "\nrc=0 "), "%s", again.out);
  struct run plain = run_plain(&w, "curl", "-sSi", "-d", prompt, url, NULL);
  struct run shim = run_shim(&w, "curl", "-sSi", "-d", prompt, url, NULL);
  strip_marks(shim.out);
  cr_expect_eq(strlen(shim.out), strlen(plain.out), "%s%s", shim.out, plain.out);
  run_release(&first);
  run_release(&again);
  run_release(&plain);
  run_release(&shim);
}
