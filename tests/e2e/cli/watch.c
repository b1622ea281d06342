/* SPDX-License-Identifier: MIT */
/* top and tail: what goes on, while it goes on. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(cli_watch, .init = open_world, .fini = close_world);

#define BODY "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"

static struct run call(const char *body)
{
  return run_shim(&w, "curl", "-sS", "-d", body, world_url(&w, "/v1/chat/completions"), NULL);
}

static json_t *look(void)
{
  struct run r = run_plain(&w, "idemshim", "top", "--once", "--json", "--log", w.log, NULL);
  json_t *document = json_loads(r.out, 0, NULL);
  cr_assert(document, "%s%s", r.out, r.err);
  run_release(&r);
  return document;
}

static long at(const json_t *document, const char *a, const char *b)
{
  return (long)json_integer_value(json_object_get(json_object_get(document, a), b));
}

/* Looks until what is upstream is one call of that process, which somebody waits for or not. */
static bool sees(pid_t pid, bool waited)
{
  json_t *document = look(), *first = json_array_get(json_object_get(document, "upstream"), 0);
  bool is = json_integer_value(json_object_get(first, "pid")) == pid &&
            json_is_true(json_object_get(first, "waited_for")) == waited &&
            strcmp(json_string_value(json_object_get(first, "program")), "curl") == 0 &&
            strcmp(json_string_value(json_object_get(first, "path")), "/v1/chat/completions") == 0;
  json_decref(document);
  return is;
}

Test(cli_watch, top_shows_what_is_upstream_and_who_is_waited_for)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run made = call("{}"); /* a store to look at */
  struct run owner = start_shim(&w, "curl", "-sS", "-d", BODY, "-H", "X-Mock: latency_ms=60000", url, NULL);
  wait_until(sees(owner.pid, false));
  struct run follower =
      start_shim(&w, "curl", "-sS", "-d", BODY, "-H", "X-Mock: latency_ms=60000", url, NULL);
  wait_until(sees(owner.pid, true));
  run_signal(&follower, SIGKILL);
  run_signal(&owner, SIGKILL);
  run_wait(&follower);
  run_wait(&owner);
  json_t *document = look();
  cr_expect_eq(json_array_size(json_object_get(document, "upstream")), 0);
  json_decref(document);
  run_release(&made);
  run_release(&owner);
  run_release(&follower);
}

Test(cli_watch, top_counts_by_host_and_says_why_calls_were_not_ours)
{
  struct run first = call(BODY), again = call(BODY);
  struct run passed = run_shim(&w, "curl", "-sS", "-z", "Mon, 01 Jan 2024 00:00:00 GMT", "-d", "{}",
                               world_url(&w, "/v1/chat/completions"), NULL);
  json_t *document = look(), *reasons = json_object_get(document, "bypass_reasons");
  const json_t *host =
      json_object_get(json_object_get(document, "hosts"), world_text(&w, "127.0.0.1:%d", w.port));

  char *text = json_dumps(document, 0);
  cr_expect_eq(json_integer_value(json_object_get(host, "calls")), 2, "%s", text);
  free(text);
  cr_expect_eq(json_integer_value(json_object_get(host, "answered")), 1);
  cr_expect_eq(json_object_size(reasons), 1);
  cr_expect_eq(at(document, "saved", "bytes"), (long)again.out_len);
  struct run screen = run_plain(&w, "idemshim", "top", "--once", "--log", w.log, NULL);
  cr_expect(strstr(screen.out, "3 calls  1 answered  0 joined  1 sent  1 bypassed"), "%s", screen.out);
  cr_expect(strstr(screen.out, json_object_iter_key(json_object_iter(reasons))), "%s", screen.out);
  cr_expect_null(strchr(screen.out, '\033'));
  json_decref(document);
  run_release(&first);
  run_release(&again);
  run_release(&passed);
  run_release(&screen);
}

/* Else it would never end. */
Test(cli_watch, top_without_a_terminal_is_printed_once)
{
  struct run made = call(BODY);
  struct run r = run_plain(&w, "idemshim", "top", NULL);
  expect_success(&r);
  char *head = strstr(r.out, "idemshim top ");
  cr_assert(head, "%s", r.out);
  cr_expect_null(strstr(head + 1, "idemshim top "), "%s", r.out);
  run_release(&made);
  run_release(&r);
}

Test(cli_watch, top_without_a_log_has_the_counters_all_the_same)
{
  struct run made = call(BODY);
  world_unset(&w, "IDEMSHIM_LOG");
  struct run r = run_plain(&w, "idemshim", "top", "--once", NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "1 call  0 answered"), "%s", r.out);
  cr_expect(strstr(r.out, "no log: "), "%s", r.out);
  run_release(&made);
  run_release(&r);
}

Test(cli_watch, top_says_why_a_log_that_is_named_is_not_read)
{
  struct run made = call(BODY);
  struct run gone = run_plain(&w, "idemshim", "top", "--once", "--log", "/nonexistent/log", NULL);
  struct run directory = run_plain(&w, "idemshim", "top", "--once", "--log", world_path(&w, "."), NULL);
  cr_expect(strstr(gone.out, "no log: /nonexistent/log: No such file or directory\n"), "%s", gone.out);
  cr_expect(strstr(directory.out, ": Is a directory\n"), "%s", directory.out);
  expect_success(&gone);
  expect_success(&directory);
  run_release(&made);
  run_release(&gone);
  run_release(&directory);
}

/* The log's events as `tail` has them, and whether it has got as far. */
static bool has(struct run *tail, const char *text)
{
  run_look(tail);
  return tail->out && strstr(tail->out, text);
}

Test(cli_watch, tail_follows_the_log_over_its_rotation)
{
  struct run first = call(BODY);
  struct run tail = start_plain(&w, "idemshim", "tail", "--log", w.log, NULL);
  wait_until(has(&tail, " stored "));
  struct run again = call(BODY);
  wait_until(has(&tail, " hit "));
  cr_assert_eq(rename(w.log, world_path(&w, "log.1")), 0);
  struct run other = call("{\"model\":\"other\"}");
  wait_until(has(&tail, "/v1/chat/completions"));
  wait_until((run_look(&tail), strstr(strstr(tail.out, " hit "), " stored ")));
  run_signal(&tail, SIGTERM);
  run_wait(&tail);
  cr_expect_null(strchr(tail.out, '\033'));
  run_release(&first);
  run_release(&again);
  run_release(&other);
  run_release(&tail);
}

Test(cli_watch, tail_once_ends_and_shows_the_last)
{
  for (int i = 0; i < 3; i++) {
    struct run r = call(BODY);
    run_release(&r);
  }
  struct run all = run_plain(&w, "idemshim", "tail", "--once", "--log", w.log, NULL);
  struct run last =
      run_plain(&w, "idemshim", "tail", "--once", "--limit", "1", "--json", "--log", w.log, NULL);
  json_t *event = json_loads(last.out, 0, NULL);

  expect_success(&all);
  cr_expect(strstr(all.out, " live ") && strstr(all.out, " stored ") && strstr(all.out, " hit "), "%s",
            all.out);
  cr_expect_str_eq(json_string_value(json_object_get(event, "event")), "hit");
  cr_expect_eq(strchr(last.out, '\n'), last.out + last.out_len - 1, "%s", last.out);
  json_decref(event);
  run_release(&all);
  run_release(&last);
}

Test(cli_watch, tail_says_which_log_is_missing)
{
  world_unset(&w, "IDEMSHIM_LOG");
  struct run none = run_plain(&w, "idemshim", "tail", "--once", NULL);
  struct run gone = run_plain(&w, "idemshim", "tail", "--once", "--log", "/nonexistent/log", NULL);

  cr_expect_eq(none.status, 2);
  cr_expect(strstr(none.err, "no log is named; set IDEMSHIM_LOG"), "%s", none.err);
  cr_expect_eq(gone.status, 3);
  cr_expect(strstr(gone.err, "/nonexistent/log: No such file"), "%s", gone.err);
  struct run directory = run_plain(&w, "idemshim", "tail", "--once", "--log", world_path(&w, "."), NULL);
  cr_expect_eq(directory.status, 3);
  cr_expect(strstr(directory.err, ": Is a directory\n"), "%s", directory.err);
  run_release(&directory);
  run_release(&none);
  run_release(&gone);
}
