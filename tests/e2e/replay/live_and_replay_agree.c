/* SPDX-License-Identifier: MIT */
/* A replay looks like the live call: to the curl tool, to pycurl, and to C programs of either flavour, in
 * every way that they can look. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without marks, so that everything must be the same. */
static void set_up(void)
{
  open_tls_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off");
}

TestSuite(identity, .init = set_up, .fini = close_world);

static const char prompt[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
static const char stream_prompt[] =
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

/* Times and what is computed from them differ between any two transfers; newer tools have more of them. */
static void drop_times(json_t *variables)
{
  const char *name;
  json_t *value;
  void *next;
  size_t dropped = 0;
  json_object_foreach_safe(variables, next, name, value)
  {
    bool timed = strncmp(name, "time_", 5) == 0 || strncmp(name, "speed_", 6) == 0;
    dropped += timed && json_object_del(variables, name) == 0;
  }
  cr_expect_geq(dropped, 9);
}

static json_t *write_out(struct run *r)
{
  char *last = strrchr(r->out, '\n');
  json_t *variables = last ? json_loads(last + 1, 0, NULL) : NULL;
  cr_assert_not_null(variables, "%s", r->out);
  *last = '\0';
  return variables;
}

static void expect_same_variables(json_t *a, json_t *b)
{
  const char *name;
  json_t *value;
  json_object_foreach(a, name, value)
      cr_expect(json_equal(value, json_object_get(b, name)), "%%{%s} differs: %s / %s", name,
                json_dumps(value, JSON_ENCODE_ANY), json_dumps(json_object_get(b, name), JSON_ENCODE_ANY));
  cr_expect_eq(json_object_size(a), json_object_size(b));
}

static void expect_curl_sees_no_difference(const char *const *argv)
{
  struct run live = run_argv(&w, true, argv);
  struct run replay = run_argv(&w, true, argv);
  json_t *live_out = write_out(&live), *replay_out = write_out(&replay);
  drop_times(live_out);
  drop_times(replay_out);
  expect_same_variables(live_out, replay_out);
  cr_expect_str_eq(live.out, replay.out);
  cr_expect_eq(live.status, replay.status);
  cr_expect_eq(mock_count(&w).requests, 1);
  json_decref(live_out);
  json_decref(replay_out);
  run_release(&live);
  run_release(&replay);
}

Test(identity, every_write_out_variable_of_curl_over_tls)
{
  const char *argv[] = {
      "curl", "-sSi", CURL_JSON(prompt), "-w", "\n%{json}", world_tls_url(&w, "/v1/chat/completions"), NULL};
  expect_curl_sees_no_difference(argv);
}

Test(identity, every_write_out_variable_of_curl_for_a_stream)
{
  const char *argv[] = {
      "curl", "-sSiN", CURL_JSON(stream_prompt), "-w", "\n%{json}", world_url(&w, "/v1/messages"), NULL};
  expect_curl_sees_no_difference(argv);
}

Test(identity, the_header_api_behind_header_json)
{
  need_libcurl(0x075300, "header API");
  const char *argv[] = {
      "curl", "-sS", CURL_JSON(prompt), "-w", "\n%{header_json}", world_url(&w, "/v1/chat/completions"),
      NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv);
  cr_expect(strstr(live.out, "\"content-type\":[\"application/json\"]"), "%s", live.out);
  expect_same_output(&live, &replay);
  run_release(&live);
  run_release(&replay);
}

Test(identity, after_a_redirect)
{
  const char *argv[] = {
      "curl", "-sSiL",     CURL_JSON(prompt),
      "-w",   "\n%{json}", world_url(&w, "/v1/chat/completions?mock=redirect%3D/v1/embeddings"),
      NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv);
  json_t *live_out = write_out(&live), *replay_out = write_out(&replay);
  drop_times(live_out);
  drop_times(replay_out);
  cr_expect_eq(json_integer_value(json_object_get(live_out, "num_redirects")), 1);
  expect_same_variables(live_out, replay_out);
  cr_expect_str_eq(live.out, replay.out);
  cr_expect_eq(log_events(&w, "hit"), 1);
  json_decref(live_out);
  json_decref(replay_out);
  run_release(&live);
  run_release(&replay);
}

Test(identity, the_marks_are_counted_as_header)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
  const char *argv[] = {
      "curl", "-sSi", CURL_JSON(prompt), "-w", "\n%{json}", world_url(&w, "/v1/chat/completions"), NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv);
  json_t *live_out = write_out(&live), *replay_out = write_out(&replay);
  long header = (long)json_integer_value(json_object_get(replay_out, "size_header"));
  cr_expect_eq((size_t)header, (size_t)(strstr(replay.out, "\r\n\r\n") + 4 - replay.out),
               "HEADER_SIZE finds the body");
  cr_expect_eq(json_integer_value(json_object_get(replay_out, "num_headers")),
               json_integer_value(json_object_get(live_out, "num_headers")) + 4);
  json_decref(live_out);
  json_decref(replay_out);
  run_release(&live);
  run_release(&replay);
}

/* libcurl takes them from a connection that is not TLS in a replay, but the app is shown what came. */
Test(identity, a_secure_cookie_is_in_the_header_and_in_the_jar)
{
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               "Set-Cookie: a=1; Secure\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}";
  char jars[2][512], *kept[2], url[512];
  struct run runs[2];
  mock_lay(&w, "secure", answer, sizeof(answer) - 1);
  snprintf(url, sizeof(url), "%s", world_tls_url(&w, "/wire/secure"));
  for (int i = 0; i < 2; i++) {
    snprintf(jars[i], sizeof(jars[i]), "%s", world_path(&w, i ? "replay" : "live"));
    runs[i] = run_shim(&w, "curl", "-sSi", "-b", "", "-c", jars[i], "-d", prompt, url, NULL);
    expect_success(&runs[i]);
    kept[i] = file_read(jars[i], NULL);
  }
  cr_expect(strstr(runs[0].out, "Set-Cookie: a=1; Secure\r\n"), "%s", runs[0].out);
  expect_same_output(&runs[0], &runs[1]);
  cr_assert(kept[0] && kept[1]);
  cr_expect_eq(count_of(kept[0], "\ta\t1"), 1, "%s", kept[0]);
  cr_expect_str_eq(kept[1], kept[0], "%s", kept[1]);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect(log_contains(&w, "\"via\":\"transport\""));
  for (int i = 0; i < 2; i++) {
    free(kept[i]);
    run_release(&runs[i]);
  }
}

Test(identity, a_replay_s_times_are_its_own)
{
  const char *argv[] = {"curl",
                        "-sS",
                        CURL_JSON(prompt),
                        "-o",
                        "/dev/null",
                        "-w",
                        "%{time_total} %{time_connect}",
                        world_url(&w, "/v1/chat/completions?mock=latency_ms%3D400"),
                        NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv);
  cr_expect_geq(atof(live.out), 0.4);
  cr_expect(atof(replay.out) > 0 && atof(replay.out) < atof(live.out), "%s", replay.out);
  cr_expect_str_eq(strchr(replay.out, ' '), " 0.000000", "it made no connection");
  run_release(&live);
  run_release(&replay);
}

Test(identity, the_progress_meter_is_shown_as_live)
{
  const char *argv[] = {"curl", CURL_JSON(prompt), world_url(&w, "/v1/chat/completions"), NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv);
  cr_expect(strstr(replay.err, "% Total    % Received"), "%s", replay.err);
  cr_expect_str_eq(live.out, replay.out);
  cr_expect_eq(strchr(replay.err, '\r') - replay.err, strchr(live.err, '\r') - live.err);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&live);
  run_release(&replay);
}

/* A column of five has a number, or one of thousands or more: "12345", "  20k". */
static double column(const char *text)
{
  char *unit;
  double number = strtod(text, &unit);
  return *unit == 'k'   ? number * 1024
         : *unit == 'M' ? number * 1048576
         : *unit == 'G' ? number * 1073741824
                        : number;
}

/* Each of the last line's speeds is of the same time, and the current one is that of both ways. */
Test(identity, the_progress_meter_adds_what_was_sent_to_the_current_speed)
{
  static char sent[20001];
  char *word[16] = {NULL}, *rest = NULL;
  size_t count = 0;
  memset(sent, 'x', sizeof(sent) - 1);
  const char *argv[] = {"curl", "-H", "Expect:", "-d", sent, world_url(&w, "/v1/chat/completions"), NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv);
  char *line = strrchr(replay.err, '\r');
  cr_assert_not_null(line, "%s", replay.err);
  for (char *at = line; count < 16 && (word[count] = strtok_r(at, " \r\n", &rest)); at = NULL)
    count++;
  cr_assert_eq(count, 12);
  cr_expect_gt(column(word[7]), column(word[6]), "what was sent is larger");
  cr_expect_geq(column(word[11]), column(word[7]), "%s and not %s", word[11], word[7]);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&live);
  run_release(&replay);
}

/* A replay has no socket: the two infos that tell one are -1. */
static void drop_sockets(struct run *r)
{
  static const char *const names[] = {"LASTSOCKET ", "ACTIVESOCKET "};
  for (size_t i = 0; i < 2; i++)
    for (char *at; (at = strstr(r->out, names[i]));) {
      char *end = strchr(at, '\n') + 1;
      memmove(at, end, strlen(end) + 1);
    }
  r->out_len = strlen(r->out);
}

static void expect_same_but_for_sockets(struct run *a, struct run *b)
{
  drop_sockets(a);
  drop_sockets(b);
  expect_same_output(a, b);
}

/* C programs, with everything that they can ask for */

struct look {
  char option[32];
  char more[32];
};

ParameterizedTestParameters(identity, c_programs_of_both_flavours)
{
  static struct look looks[] = {
      {"--print-headers", ""},
      {"--write-out-all", ""},
      {"--header-api", ""},
      {"--stream", "--print-body"},
      {"--copypostfields", "--print-body"},
      {"--upload-callback", "--write-out-all"},
      {"--upload-chunked", "--print-body"},
      {"--dup", "--write-out-all"},
      {"--compressed", "--write-out-all"},
      {"--cookies", "--print-headers"},
      {"--fail", "--print-headers"},
      {"--follow", "--write-out-all"},
  };
  return cr_make_param_array(struct look, looks, sizeof(looks) / sizeof(looks[0]));
}

static void compare_client(const char *client, const struct look *look, const char *target)
{
  const char *argv[] = {client,   look->option, look->more[0] ? look->more : "--print-body",
                        "--body", prompt,       world_url(&w, target),
                        NULL};
  struct run live = run_argv(&w, true, argv), replay = run_argv(&w, true, argv),
             plain = run_argv(&w, false, argv);
  expect_success(&live);
  expect_same_but_for_sockets(&live, &replay);
  cr_expect_eq(plain.status, live.status);
  cr_expect_eq(mock_count(&w).requests, 2, "%s %s: %ld requests", client, look->option,
               mock_count(&w).requests);
  run_release(&live);
  run_release(&replay);
  run_release(&plain);
  mock_reset(&w);
}

ParameterizedTest(struct look *look, identity, c_programs_of_both_flavours)
{
  compare_client("fetch-openssl", look, "/v1/chat/completions?flavour=openssl");
  if (world_has(&w, "fetch-gnutls"))
    compare_client("fetch-gnutls", look, "/v1/chat/completions?flavour=gnutls");
}

Test(identity, one_handle_for_hit_miss_hit_with_a_reset_between)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run first = run_shim(&w, "fetch-openssl", "--body", prompt, "--repeat", "4", "--reuse-handle",
                              "--reset-between", "--write-out-all", "--print-body", url, NULL);
  struct run again = run_shim(&w, "fetch-openssl", "--body", prompt, "--repeat", "4", "--reuse-handle",
                              "--reset-between", "--write-out-all", "--print-body", url, NULL);
  expect_success(&first);
  expect_same_but_for_sockets(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

Test(identity, a_short_write_fails_as_it_does_live)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run live =
      run_plain(&w, "fetch-openssl", "--stream", "--chunk-limit", "2", "--body", stream_prompt, url, NULL);
  struct run fill = run_shim(&w, "fetch-openssl", "--body", stream_prompt, url, NULL);
  struct run replay =
      run_shim(&w, "fetch-openssl", "--stream", "--chunk-limit", "2", "--body", stream_prompt, url, NULL);
  const char *live_end = strstr(live.out, "rc 23 "), *replay_end = strstr(replay.out, "rc 23 ");
  cr_assert(live_end && replay_end, "%s%s", live.out, replay.out);
  cr_expect_eq(strcspn(live_end, "\n"), strcspn(replay_end, "\n"));
  const char *live_error = strstr(live_end, "\nerror "), *replay_error = strstr(replay_end, "\nerror ");
  cr_assert(live_error && replay_error);
  cr_expect_eq(strncmp(live_error, replay_error, strcspn(live_error + 1, "\n") + 2), 0, "%s%s", live.out,
               replay.out);
  cr_expect_eq(live.status, replay.status);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&live);
  run_release(&fill);
  run_release(&replay);
}

Test(identity, pycurl_which_is_loaded_local_and_speaks_gnutls)
{
  static const char script[] = "import pycurl, io, sys\n"
                               "body, head = io.BytesIO(), io.BytesIO()\n"
                               "c = pycurl.Curl()\n"
                               "c.setopt(c.URL, sys.argv[1])\n"
                               "c.setopt(c.HTTPHEADER, ['Content-Type: application/json', 'Authorization: "
                               "Bearer test-credential-py'])\n"
                               "c.setopt(c.POSTFIELDS, '{\"from\":\"python\"}')\n"
                               "c.setopt(c.WRITEFUNCTION, body.write)\n"
                               "c.setopt(c.HEADERFUNCTION, head.write)\n"
                               "c.perform()\n"
                               "print('GnuTLS' in pycurl.version, c.getinfo(c.RESPONSE_CODE), "
                               "c.getinfo(c.SIZE_DOWNLOAD), c.getinfo(c.EFFECTIVE_URL),\n"
                               "      c.getinfo(c.PRIMARY_IP), c.getinfo(c.LOCAL_PORT), "
                               "c.getinfo(c.CONTENT_TYPE), c.getinfo(c.HEADER_SIZE))\n"
                               "print(head.getvalue(), body.getvalue())\n";
  const char *file = world_write(&w, "ask.py", script, sizeof(script) - 1);
  const char *argv[] = {"/usr/bin/python3", file, world_url(&w, "/v1/chat/completions"), NULL};
  struct run live = run_argv(&w, true, argv);
  mock_stop(&w);
  struct run replay = run_argv(&w, true, argv);
  expect_success(&live);
  cr_expect(strncmp(live.out, "True 200", 8) == 0, "%s", live.out);
  expect_same_output(&live, &replay);
  run_release(&live);
  run_release(&replay);
}

Test(identity, two_flavours_in_one_process_each_through_its_own)
{
  if (!world_has(&w, "plugin-gnutls.so"))
    cr_skip_test("there is no GnuTLS flavour on this machine");
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "two_libcurls", url, prompt, NULL);
  struct run live = run_shim(&w, "two_libcurls", url, prompt, NULL);
  struct run replay = run_shim(&w, "two_libcurls", url, prompt, NULL);
  expect_success(&live);
  cr_expect(strstr(live.out, "OpenSSL") && strstr(live.out, "GnuTLS"), "%s", live.out);
  expect_same_output(&live, &replay);
  cr_expect_eq(mock_count(&w).requests, 4, "three without us, one for both flavours with us");
  run_release(&plain);
  run_release(&live);
  run_release(&replay);
}
