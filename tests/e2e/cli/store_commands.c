/* SPDX-License-Identifier: MIT */
/* The commands that look at a store and look after it, on answers that real calls have left there. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(cli_store, .init = open_world, .fini = close_world);

/* Calls. */

struct id {
  char text[17];
};

/* A call under the shim, made with this key, and its output. */
static struct run call_as(const char *key, const char *script, const char *body)
{
  struct run r = run_shim(&w, "curl", "-sS", "-H", world_text(&w, "Authorization: Bearer %s", key), "-H",
                          "Content-Type: application/json", "-H", world_text(&w, "X-Mock: %s", script), "-d",
                          body, world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&r);
  return r;
}

static struct run call(const char *body)
{
  return call_as("test-credential-alpha", "", body);
}

/* The id of the newest answer. */
static struct id newest(void)
{
  struct id id = {""};
  json_t *event = log_last(&w, "stored");
  const char *text = json_string_value(json_object_get(event, "id"));
  cr_assert(text && strlen(text) == 16, "no stored event with an id");
  memcpy(id.text, text, sizeof id.text);
  json_decref(event);
  return id;
}

static struct id stored(const char *body)
{
  struct run r = call(body);
  run_release(&r);
  return newest();
}

/* What a command says. */

static void expect_says(struct run *r, int status, const char *text)
{
  cr_expect_eq(r->status, status, "exit %d: %s", r->status, r->err);
  cr_expect(strstr(r->out, text) || strstr(r->err, text), "expected \"%s\" in:\n%s%s", text, r->out, r->err);
  run_release(r);
}

static json_t *document(struct run *r)
{
  json_error_t error;
  json_t *json = json_loadb(r->out, r->out_len, 0, &error);
  cr_assert(json, "no JSON: %s\n%s%s", error.text, r->out, r->err);
  run_release(r);
  return json;
}

static long number(const json_t *object, const char *name)
{
  const json_t *value = json_object_get(object, name);
  cr_assert(json_is_number(value), "no number \"%s\"", name);
  return (long)json_number_value(value);
}

static size_t answers(void)
{
  struct run r = run_plain(&w, "idemshim", "ls", "--json", NULL);
  json_t *list = document(&r);
  size_t count = json_array_size(list);
  json_decref(list);
  return count;
}

#define BODY  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"why is the sky blue?\"}]}"
#define OTHER "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"and the sea?\"}]}"

/* Stats. */

static void one_live_call_and_two_hits(void)
{
  for (int i = 0; i < 3; i++) {
    struct run r = call(BODY);
    run_release(&r);
  }
}

Test(cli_store, stats_count_what_was_saved)
{
  one_live_call_and_two_hits();
  struct run r = run_plain(&w, "idemshim", "stats", "--json", NULL);
  json_t *stats = document(&r);

  cr_expect_eq(number(stats, "calls"), 3);
  cr_expect_eq(number(stats, "hits"), 2);
  cr_expect_eq(number(stats, "duplicates_prevented"), 2);
  cr_expect_eq(number(stats, "live"), 1);
  cr_expect_eq(number(stats, "stored"), 1);
  cr_expect_eq(number(stats, "answers"), 1);
  cr_expect_gt(number(stats, "input_tokens_saved") + number(stats, "output_tokens_saved"), 0);
  cr_expect_gt(number(stats, "bytes_saved"), 0);
  cr_expect_gt(number(stats, "capacity_bytes"), 1 << 20);
  cr_expect_float_eq(json_number_value(json_object_get(stats, "hit_rate")), 2 / 3., 1e-9);
  json_decref(stats);
}

Test(cli_store, stats_are_readable_and_scrapable)
{
  one_live_call_and_two_hits();
  struct run text = run_plain(&w, "idemshim", "stats", NULL);
  struct run metrics = run_plain(&w, "idemshim", "stats", "--prometheus", NULL);

  cr_expect(strstr(metrics.out, "# HELP idemshim_hits_total "), "%s", metrics.out);
  cr_expect(strstr(metrics.out, "# TYPE idemshim_answers gauge\nidemshim_answers 1\n"), "%s", metrics.out);
  expect_says(&metrics, 0, "# TYPE idemshim_hits_total counter\nidemshim_hits_total 2\n");
  expect_says(&text, 0, "66.7 %");
}

Test(cli_store, counting_begins_at_zero_again_and_the_answers_stay)
{
  one_live_call_and_two_hits();
  struct run zero = run_plain(&w, "idemshim", "stats", "--zero", NULL);
  struct run none = run_plain(&w, "idemshim", "stats", "--json", NULL);
  struct run hit = call(BODY);
  struct run one = run_plain(&w, "idemshim", "stats", "--json", NULL);
  json_t *before = document(&none), *after = document(&one);

  expect_success(&zero);
  cr_expect_eq(number(before, "calls") + number(before, "hits") + number(before, "ms_saved"), 0);
  cr_expect_eq(number(before, "answers"), 1);
  cr_expect_eq(number(after, "calls"), 1);
  cr_expect_eq(number(after, "hits"), 1);
  cr_expect_eq(number(after, "input_tokens_saved"), 0, "saved once for each answer");
  json_decref(before);
  json_decref(after);
  run_release(&zero);
  run_release(&hit);
}

/* Somebody else's collector reads what the owner of the store writes. */
Test(cli_store, metrics_go_into_a_file_that_appears_whole_and_that_a_collector_may_read)
{
  one_live_call_and_two_hits();
  struct run r = run_shell_plain(
      &w, "umask 022; idemshim stats --prometheus -o \"$HOME/m.prom\"; stat -c %a \"$HOME/m.prom\"; "
          "idemshim stats --json > \"$HOME/json\"; "
          "jq() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]] / 1000)' "
          "\"$HOME/json\" ms_saved; }; jq; "
          "sed -n 's/^idemshim_saved_seconds_total //p; /^idemshim_build_info{/p' \"$HOME/m.prom\"; "
          "ls \"$HOME\" | grep -c m.prom");
  char *line = strchr(r.out, '\n'), *seconds = line ? line + 1 : r.out, *end = strchr(seconds, '\n');

  expect_success(&r);
  cr_expect_eq(strncmp(r.out, "644\n", 4), 0, "%s", r.out);
  cr_assert(end);
  cr_expect_float_eq(strtod(seconds, NULL), strtod(end + 1, NULL), 1e-9, "%s", r.out);
  cr_expect(strstr(end, "\nidemshim_build_info{version=\"0.2.0\"} 1\n1\n"), "%s", r.out);
  run_release(&r);
}

Test(cli_store, metrics_are_what_prometheus_takes)
{
  one_live_call_and_two_hits();
  struct run r = run_shell_plain(
      &w, "command -v promtool >/dev/null || exit 77; idemshim stats --prometheus | promtool check metrics");
  if (r.status == 77)
    cr_skip_test("promtool (package prometheus) is not installed");
  expect_success(&r);
  cr_expect_eq(r.out_len + r.err_len, 0, "%s%s", r.out, r.err);
  run_release(&r);
}

Test(cli_store, another_store_is_named_by_an_option)
{
  one_live_call_and_two_hits();
  world_unset(&w, "IDEMSHIM_STORE");
  struct run r = run_plain(&w, "idemshim", "stats", "--json", "--store", w.store, NULL);
  json_t *stats = document(&r);

  cr_expect_eq(number(stats, "answers"), 1);
  json_decref(stats);
}

Test(cli_store, a_mistake_in_a_rule_does_not_hide_the_store)
{
  one_live_call_and_two_hits();
  world_env(&w, "IDEMSHIM_RULES", "nonsense");
  struct run r = run_plain(&w, "idemshim", "stats", NULL);

  expect_says(&r, 0, "66.7 %");
}

/* Ls and show. */

Test(cli_store, ls_shows_the_prompt_and_the_newest_last)
{
  struct id first = stored(BODY), second = stored(OTHER);
  struct run r = run_plain(&w, "idemshim", "ls", NULL);
  const char *one = strstr(r.out, first.text), *two = strstr(r.out, second.text);

  expect_success(&r);
  cr_assert(one && two && one < two, "%s", r.out);
  cr_expect(strstr(one, "\"why is the sky blue?\"") < two, "%s", r.out);
  cr_expect(strstr(two, "\"and the sea?\""), "%s", r.out);
  run_release(&r);
}

Test(cli_store, ls_limits_to_the_newest)
{
  struct id first = stored(BODY), second = stored(OTHER);
  struct run r = run_plain(&w, "idemshim", "ls", "--limit", "1", NULL);

  cr_expect_null(strstr(r.out, first.text), "%s", r.out);
  expect_says(&r, 0, second.text);
}

Test(cli_store, an_expired_answer_is_listed_on_request_only)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=1ms");
  struct id id = stored(BODY);
  struct run r = {0};
  wait_until((run_release(&r), r = run_plain(&w, "idemshim", "ls", NULL), !strstr(r.out, id.text)));
  run_release(&r);
  struct run all = run_plain(&w, "idemshim", "ls", "--all", NULL);

  expect_says(&all, 0, id.text);
}

Test(cli_store, ls_json_has_what_programs_ask_for)
{
  struct id id = stored(BODY);
  struct run r = run_plain(&w, "idemshim", "ls", "--json", NULL);
  const char *got, *url, *prompt, *kind, *method;
  int status;
  json_t *list = document(&r);

  cr_assert_eq(json_unpack(list, "[{s:s, s:s, s:s, s:s, s:s, s:i}]", "id", &got, "url", &url, "prompt",
                           &prompt, "kind", &kind, "method", &method, "status", &status),
               0);
  cr_expect_str_eq(got, id.text);
  cr_expect_str_eq(url, world_url(&w, "/v1/chat/completions"));
  cr_expect_str_eq(prompt, "why is the sky blue?");
  cr_expect_str_eq(kind, "json");
  cr_expect_str_eq(method, "POST");
  cr_expect_eq(status, 200);
  json_decref(list);
}

Test(cli_store, a_stream_is_listed_as_one)
{
  struct id id =
      stored("{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
  struct run r = run_plain(&w, "idemshim", "show", id.text, NULL);

  expect_says(&r, 0, "stream, ");
}

Test(cli_store, show_gives_body_and_request_byte_for_byte)
{
  struct run live = call(BODY);
  struct id id = newest();
  struct run body = run_plain(&w, "idemshim", "show", "--body", id.text, NULL);
  struct run request = run_plain(&w, "idemshim", "show", "--request", id.text, NULL);

  expect_same_bytes("body", live.out, live.out_len, body.out, body.out_len);
  expect_same_bytes("request", BODY, strlen(BODY), request.out, request.out_len);
  run_release(&live);
  run_release(&body);
  run_release(&request);
}

Test(cli_store, show_json_has_the_exchange)
{
  struct run live = call(BODY);
  struct id id = newest();
  struct run r = run_plain(&w, "idemshim", "show", "--json", id.text, NULL);
  const char *request, *response, *headers;
  json_t *json = document(&r);

  cr_assert_eq(json_unpack(json, "{s:{s:s}, s:{s:s, s:s}}", "request", "body", &request, "response", "body",
                           &response, "headers", &headers),
               0);
  cr_expect_str_eq(request, BODY);
  cr_expect_str_eq(response, live.out);
  cr_expect_eq(strncmp(headers, "HTTP/1.1 200", 12), 0, "%s", headers);
  json_decref(json);
  run_release(&live);
}

Test(cli_store, an_id_may_be_cut_short)
{
  struct id id = stored(BODY);
  struct run r = run_plain(&w, "idemshim", "show", world_text(&w, "%.6s", id.text), NULL);

  expect_says(&r, 0, id.text);
}

Test(cli_store, an_id_that_is_not_there_is_exit_1)
{
  struct id id = stored(BODY);
  id.text[0] = id.text[0] == 'f' ? '0' : 'f';
  static const char *const commands[] = {"show", "explain", "rm"};

  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", commands[i], id.text, NULL);
    expect_says(&r, 1, "idemshim ls --all");
  }
}

Test(cli_store, cookies_are_redacted_unless_raw)
{
  struct run live = call_as("test-credential-alpha", "cookie=1", BODY);
  struct id id = newest();
  static const char *const forms[] = {"--headers", "--json", NULL};

  for (size_t i = 0; i < 3; i++) {
    struct run hidden = run_plain(&w, "idemshim", "show", id.text, forms[i], NULL);
    struct run raw = run_plain(&w, "idemshim", "show", id.text, "--raw", forms[i], NULL);
    const char *cookie = strstr(raw.out, "Set-Cookie: ");

    cr_assert(cookie, "the mock sets a cookie: %s", raw.out);
    cookie += strlen("Set-Cookie: ");
    cr_expect_null(strstr(hidden.out, world_text(&w, "%.20s", cookie)), "%s", hidden.out);
    run_release(&raw);
    expect_says(&hidden, 0, "Set-Cookie: [redacted]");
  }
  run_release(&live);
}

Test(cli_store, no_credential_is_ever_shown)
{
  struct id id = stored(BODY);
  struct run r = run_plain(&w, "idemshim", "show", "--json", "--raw", id.text, NULL);

  cr_expect_null(strstr(r.out, "test-credential"), "%s", r.out);
  run_release(&r);
}

/* Rm, gc, verify. */

Test(cli_store, a_removed_answer_is_called_for_again)
{
  struct id id = stored(BODY);
  struct run r = run_plain(&w, "idemshim", "rm", id.text, NULL);
  expect_says(&r, 0, "removed");
  struct run again = call(BODY);

  cr_expect_eq(mock_count(&w).served, 2);
  run_release(&again);
}

Test(cli_store, everything_is_removed_only_after_a_yes)
{
  stored(BODY);
  stored(OTHER);
  struct run asked = run_plain(&w, "idemshim", "rm", "--all", NULL);
  expect_says(&asked, 2, "would remove 2 answers");
  cr_expect_eq(answers(), 2);

  struct run done = run_plain(&w, "idemshim", "rm", "--all", "--yes", NULL);
  expect_says(&done, 0, "removed 2 answers");
  cr_expect_eq(answers(), 0);
}

Test(cli_store, gc_removes_what_has_expired)
{
  stored(OTHER);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=1ms");
  struct id id = stored(BODY);
  struct run r = {0};
  wait_until((run_release(&r), r = run_plain(&w, "idemshim", "ls", NULL), !strstr(r.out, id.text)));
  run_release(&r);
  struct run gc = run_plain(&w, "idemshim", "gc", "--json", NULL);
  json_t *done = document(&gc);

  cr_expect_eq(number(done, "removed"), 1);
  cr_expect_gt(number(done, "bytes"), 0);
  cr_expect_eq(answers(), 1);
  json_decref(done);
}

Test(cli_store, verify_finds_nothing_in_a_sound_store)
{
  stored(BODY);
  struct run text = run_plain(&w, "idemshim", "verify", NULL);
  struct run r = run_plain(&w, "idemshim", "verify", "--json", NULL);
  json_t *verify = document(&r);

  expect_says(&text, 0, "1 answer (");
  cr_expect_eq(number(verify, "answers"), 1);
  cr_expect_eq(number(verify, "damaged"), 0);
  json_decref(verify);
}

/* Changes the first occurrence of `text` in the store's files. */
static void damage(const char *text)
{
  struct run r =
      run_shell_plain(&w, world_text(&w, "sed -i 's/%s/%s/' \"$IDEMSHIM_STORE\"/data.mdb", text, "XXXXXXXX"));
  expect_success(&r);
  run_release(&r);
}

Test(cli_store, verify_names_a_damaged_answer)
{
  struct run live = call(BODY);
  cr_assert(file_contains(w.store, "chatcmpl"), "the answer is in the store's files as it is");
  damage("chatcmpl");
  struct run r = run_plain(&w, "idemshim", "verify", "--json", NULL);

  cr_expect_eq(r.status, 1, "%s%s", r.out, r.err);
  json_t *verify = document(&r);
  cr_expect_eq(number(verify, "damaged"), 1);
  cr_expect_eq(json_array_size(json_object_get(verify, "findings")), 1);
  json_decref(verify);
  run_release(&live);
}

/* Explain. */

/* Large stores. */

static void fill(const char *count, const char *seconds)
{
  struct run r = run_plain(&w, "store-load", w.store, "fill", count, seconds, NULL);
  expect_success(&r);
  run_release(&r);
}

/* KiB, of which what the command has mapped of the store is a part. */
static long memory_of(const char *command)
{
  struct run r = run_shell_plain(
      &w, world_text(&w,
                     "python3 -c 'import resource, subprocess, sys\n"
                     "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
                     "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' idemshim %s",
                     command));
  expect_success(&r);
  long kib = atol(r.out);
  run_release(&r);
  return kib;
}

Test(cli_store, a_command_has_no_more_memory_for_a_store_ten_times_as_large)
{
  enum { MORE_KIB = 4096 };
  static const char *const commands[] = {
      "ls --limit 5",  "ls",
      "ls --json",     "stats",
      "explain",       "explain --json",
      "explain --all", "show $(idemshim ls --limit 1 --json | grep -o '[0-9a-f]\\{16\\}')"};
  long before[sizeof commands / sizeof *commands];
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer keeps what is freed");
  fill("2000", "3600");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    before[i] = memory_of(commands[i]);
  fill("18000", "3600");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    long now = memory_of(commands[i]);
    cr_expect_lt(now, before[i] + MORE_KIB, "%s: %ld KiB, and %ld before", commands[i], now, before[i]);
  }
  struct run all = run_shell_plain(&w, "idemshim ls | tail -n 5 | cut -c -16"),
             last = run_shell_plain(&w, "idemshim ls --limit 5 | tail -n 5 | cut -c -16");
  expect_same_output(&all, &last);
  run_release(&all);
  run_release(&last);
}

Test(cli_store, a_limit_larger_than_the_store_shows_all_of_it)
{
  fill("300", "3600");
  struct run all = run_plain(&w, "idemshim", "ls", "--json", NULL),
             last = run_plain(&w, "idemshim", "ls", "--json", "--limit", "1000", NULL);
  json_t *a = document(&all), *b = document(&last);
  cr_expect_eq(json_array_size(a), 300);
  cr_expect_eq(json_array_size(b), 300);
  for (size_t i = 0; i < 300; i++)
    cr_expect(!strcmp(json_string_value(json_object_get(json_array_get(a, i), "id")),
                      json_string_value(json_object_get(json_array_get(b, i), "id"))),
              "%zu", i);
  json_decref(a);
  json_decref(b);
}

Test(cli_store, explain_looks_at_the_newest_and_says_so)
{
  fill("5020", "3600");
  struct run r = run_plain(&w, "idemshim", "explain", NULL),
             all = run_plain(&w, "idemshim", "explain", "--all", NULL),
             json = run_plain(&w, "idemshim", "explain", "--json", NULL);
  cr_expect(strstr(r.out, "the newest 5,000 of 5,020 answers; --all looks at every one"), "%s", r.out);
  cr_expect_null(strstr(all.out, "--all"), "%s", all.out);
  json_t *told = document(&json);
  cr_expect_eq(number(told, "looked_at"), 5000);
  cr_expect_eq(number(told, "answers"), 5020);
  json_decref(told);
  run_release(&r);
  run_release(&all);
}

Test(cli_store, explain_looks_at_fewer_where_they_are_long)
{
  mock_default(&w, "size=2000000");
  for (int i = 0; i < 10; i++)
    stored(world_text(&w, "{\"model\":\"m\",\"n\":%d}", i));
  struct run r = run_plain(&w, "idemshim", "explain", NULL),
             all = run_plain(&w, "idemshim", "explain", "--all", NULL);
  cr_expect(strstr(r.out, "the newest 9 of 10 answers; --all looks at every one"), "%s", r.out);
  cr_expect_null(strstr(all.out, "--all"), "%s", all.out);
  run_release(&r);
  run_release(&all);
}

/* A parent that ignores SIGPIPE, as a service manager does, has that inherited. */
Test(cli_store, a_list_whose_reader_has_gone_ends_without_a_word)
{
  fill("20000", "3600");
  struct run r =
      run_shell_plain(&w, "idemshim ls | head -n 2 | wc -l; "
                          "(trap '' PIPE; idemshim ls --json; echo \"status $?\" >&2) | head -n 1; "
                          "(trap '' PIPE; idemshim verify; true) | true");
  expect_success(&r);
  cr_expect_str_eq(r.out, "2\n[\n");
  cr_expect_str_eq(r.err, "status 141\n");
  run_release(&r);
}

static long file_size(void)
{
  struct stat stat_of;
  cr_assert_eq(stat(world_text(&w, "%s/data.mdb", w.store), &stat_of), 0);
  return (long)stat_of.st_size;
}

/* `ls` into a pipe that nobody reads on. */
static struct run start_pager(void)
{
  static const char *const pager[] = {"sh", "-c",
                                      "idemshim ls --json | { read -r line; echo read; sleep 60; }", NULL};
  struct run run = start_argv(&w, false, pager);
  wait_until((run_look(&run), strstr(run.out, "read")));
  return run;
}

/* A snapshot that is held keeps what is dropped from being used again, and the file grows. */
Test(cli_store, a_list_that_nobody_reads_on_holds_nothing)
{
  fill("3000", "3600");
  struct run pager = start_pager();
  for (int i = 0; i < 2; i++) {
    struct run r = run_plain(&w, "store-load", w.store, "commits", "500", NULL);
    expect_success(&r);
    run_release(&r);
  }
  long before = file_size();
  struct run r = run_plain(&w, "store-load", w.store, "replaced", "1500", NULL);
  expect_success(&r);
  cr_expect_leq(file_size(), before + before / 4, "%ld to %ld", before, file_size());
  run_release(&r);
  run_release(&pager);
}

/* What comes after that is more than the file may have. */
static void expect_room(void)
{
  struct run r = run_plain(&w, "store-load", w.store, "commits", "12000", NULL);
  expect_success(&r);
  run_release(&r);
}

/* Its pipe is full, or it is stopped: the snapshot that it was answered from is long over. */
Test(cli_store, an_app_that_takes_no_more_of_its_answer_keeps_no_room)
{
  mock_default(&w, "size=1000000");
  struct run live = call(BODY);
  world_env(&w, "STORE_LOAD_MIB", "8");
  const char *const reads_little[] = {
      "sh", "-c",
      world_text(
          &w,
          "curl -sS -H 'Authorization: Bearer test-credential-alpha' -H 'Content-Type: application/json' -d "
          "'%s' '%s' | { head -c 1 >/dev/null; echo read; sleep 60; }",
          BODY, world_url(&w, "/v1/chat/completions")),
      NULL};
  struct run app = start_argv(&w, true, reads_little);
  wait_until((run_look(&app), strstr(app.out, "read")));
  expect_room();
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&app);
  run_release(&live);
}

/* Another process has the store open all the time, for who is alone begins the table of readers anew. */
Test(cli_store, a_reader_that_was_killed_keeps_no_room)
{
  world_env(&w, "STORE_LOAD_MIB", "8");
  fill("3000", "3600");
  struct run pager = start_pager(), pinned = start_plain(&w, "store-load", w.store, "pinned", NULL);
  wait_until((run_look(&pinned), strstr(pinned.out, "pinned")));
  run_signal(&pinned, SIGKILL);
  run_wait(&pinned);
  expect_room();
  run_release(&pinned);
  run_release(&pager);
}

Test(cli_store, explain_names_the_member_that_differs_and_how_to_ignore_it)
{
  stored("{\"model\":\"m\",\"metadata\":{\"ts\":1}}");
  stored("{\"model\":\"m\",\"metadata\":{\"ts\":2}}");
  struct run r = run_plain(&w, "idemshim", "explain", NULL);
  cr_expect(strstr(r.out, "JSON /metadata/ts"), "%s", r.out);
  expect_says(&r, 0, "ignore=/metadata/ts");
}

Test(cli_store, the_advice_of_explain_works)
{
  stored("{\"model\":\"m\",\"metadata\":{\"ts\":1}}");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/metadata/ts");
  struct run first = call("{\"model\":\"m\",\"metadata\":{\"ts\":2}}");
  struct run again = call("{\"model\":\"m\",\"metadata\":{\"ts\":3}}");

  cr_expect_eq(mock_count(&w).served, 2);
  expect_same_output(&first, &again);
  run_release(&first);
  run_release(&again);
}

Test(cli_store, explain_tells_of_another_api_key_and_never_shows_it)
{
  struct run alpha = call_as("test-credential-alpha", "", BODY),
             beta = call_as("test-credential-beta", "", BODY);
  struct run r = run_plain(&w, "idemshim", "explain", NULL);

  cr_expect_eq(mock_count(&w).served, 2);
  cr_expect_null(strstr(r.out, "test-credential"), "%s", r.out);
  expect_says(&r, 0, "two API keys never share an answer");
  run_release(&alpha);
  run_release(&beta);
}

Test(cli_store, explain_tells_of_another_scope)
{
  world_env(&w, "IDEMSHIM_SCOPE", "monday");
  stored(BODY);
  world_env(&w, "IDEMSHIM_SCOPE", "tuesday");
  stored(BODY);
  struct run r = run_plain(&w, "idemshim", "explain", NULL);

  cr_expect(strstr(r.out, "scope"), "%s", r.out);
  expect_says(&r, 0, "IDEMSHIM_SCOPE differs");
}

Test(cli_store, explain_says_plainly_when_nothing_is_similar)
{
  struct id id = stored(BODY);
  struct run text = run_plain(&w, "idemshim", "explain", id.text, NULL);
  struct run r = run_plain(&w, "idemshim", "explain", "--json", NULL);

  expect_says(&text, 1, "no other request for this URL");
  cr_expect_eq(r.status, 1);
  json_t *json = document(&r);
  cr_expect_null(json_object_get(json, "nearest"));
  json_decref(json);
}
