/* SPDX-License-Identifier: MIT */
/* What an identical call means: repeats=auto tells samples from retries, and replay says that
 * there is another way. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_auto(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=auto");
}

TestSuite(repeats, .init = open_auto, .fini = close_world);

enum { SAMPLES = 30, THREADS = 8, PROCESSES = 32, LINES_MOST = 64 };

static const char body[] = "{\"model\":\"m\",\"messages\":[]}";

static const char *chat(const char *script)
{
  return world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", script));
}

static int by_text(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* How many different answers a program shows (reply_print of tests/clients/post.h), which
 * are sorted into `all`. */
static int answers_of(const struct run *run, char *all, size_t size)
{
  char *sums[LINES_MOST];
  int count = 0, different = 0;
  for (char *at = run->out; (at = strstr(at, "checksum=")) && count < LINES_MOST; at += 9)
    sums[count++] = at;
  qsort(sums, (size_t)count, sizeof(*sums), by_text);
  all[0] = '\0';
  for (int i = 0; i < count; i++) {
    different += i == 0 || strncmp(sums[i], sums[i - 1], 25) != 0;
    snprintf(all + strlen(all), size - strlen(all), "%.25s\n", sums[i]);
  }
  return different;
}

Test(repeats, eight_threads_are_eight_samples)
{
  char all[LINES_MOST * 32];
  struct run r = run_shim(&w, "stampede", "8", chat("latency_ms%3D200"), body, NULL);
  expect_success(&r);
  cr_expect_eq(answers_of(&r, all, sizeof(all)), THREADS);
  cr_expect_eq(mock_count(&w).requests, THREADS);
  run_release(&r);
}

Test(repeats, thirty_two_processes_are_one_call, .timeout = 120)
{
  struct run runs[PROCESSES];
  char url[128];
  snprintf(url, sizeof(url), "%s", chat("latency_ms%3D1500"));
  for (int i = 0; i < PROCESSES; i++)
    runs[i] = start_shim(&w, "stampede", "1", url, body, NULL);
  for (int i = 0; i < PROCESSES; i++) {
    run_wait(&runs[i]);
    expect_success(&runs[i]);
    expect_same_bytes("what each process got", runs[0].out, runs[0].out_len, runs[i].out, runs[i].out_len);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "new_sample"), 0);
  for (int i = 0; i < PROCESSES; i++)
    run_release(&runs[i]);
}

Test(repeats, thirty_handles_of_a_multi_are_thirty_samples_and_the_same_in_a_rerun)
{
  char first[LINES_MOST * 32], again[LINES_MOST * 32];
  world_env(&w, "TIMES", "30");
  for (int run = 0; run < 2; run++) {
    struct run r =
        run_shim(&w, "multi_calls", run ? "epoll" : "poll", "1", chat("latency_ms%3D50"), body, NULL);
    expect_success(&r);
    cr_expect_eq(answers_of(&r, run ? again : first, sizeof(first)), SAMPLES);
    run_release(&r);
  }
  cr_expect_str_eq(again, first);
  cr_expect_eq(mock_count(&w).requests, SAMPLES);
}

/* Three calls of one process; each answer says which of the server's it is. */
static struct run ask_three_times(const char *prompt)
{
  struct run r = run_shim(&w, "fetch-openssl", "--reuse-handle", "--repeat", "3", "--print-body", "--body",
                          prompt, chat(""), NULL);
  expect_success(&r);
  return r;
}

Test(repeats, a_loop_that_asks_until_it_validates_ends)
{
  struct run r = ask_three_times(body);
  cr_expect(strstr(r.out, "answer 1,") && strstr(r.out, "answer 2,") && strstr(r.out, "answer 3,"), "%s",
            r.out);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "new_sample"), 2);
  cr_expect_null(strstr(r.err, "idemshim"), "%s", r.err);
  run_release(&r);
  r = run_plain(&w, "idemshim", "stats", "--json", NULL);
  cr_expect(strstr(r.out, "\"new_sample\": 2"), "%s", r.out);
  run_release(&r);
  r = ask_three_times("{\"temperature\":0}");
  cr_expect_eq(count_of(r.out, "answer 4,"), 3, "%s", r.out);
  run_release(&r);
  r = ask_three_times("{\"seed\":-1}");
  cr_expect(strstr(r.out, "answer 5,") && strstr(r.out, "answer 6,") && strstr(r.out, "answer 7,"), "%s",
            r.out);
  run_release(&r);
}

/* Three calls are two samples more; a second run is answered. */
Test(repeats, idemshim_run_says_at_the_end_how_many_were_sent_again)
{
  static const char says[] =
      "2 sampled calls were sent again after this process had an answer to the same one";
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_unset(&w, "IDEMSHIM_LOG");
  for (int run = 0; run < 2; run++) {
    struct run r = run_plain(&w, "idemshim", "run", "--", "fetch-openssl", "--repeat", "3", "--body", body,
                             chat(""), NULL);
    expect_success(&r);
    cr_expect_eq(count_of(r.err, says), run == 0, "%s", r.err);
    run_release(&r);
  }
  world_env(&w, "IDEMSHIM_SUMMARY", "off");
  struct run r = run_plain(&w, "idemshim", "run", "--", "fetch-openssl", "--repeat", "3", "--body", "[]",
                           chat(""), NULL);
  cr_expect_str_eq(r.err, "");
  run_release(&r);
}

/* The default: the first is live, the second a hit, the third the one that tells. */
Test(repeats, a_program_that_samples_under_replay_is_told_once)
{
  world_unset(&w, "IDEMSHIM_RULES");
  world_unset(&w, "IDEMSHIM_LOG");
  struct run r = ask_three_times(body);
  cr_expect_eq(count_of(r.out, "answer 1,"), 3, "%s", r.out);
  cr_expect_eq(count_of(r.err, "repeats=auto"), 1, "%s", r.err);
  run_release(&r);
  r = run_shim(&w, "fetch-openssl", "--repeat", "40", "--body", body, chat(""), NULL);
  cr_expect_eq(count_of(r.err, "repeats=auto"), 1, "%s", r.err);
  run_release(&r);
  r = run_shim(&w, "fetch-openssl", "--repeat", "1", "--body", body, chat(""), NULL);
  cr_expect_str_eq(r.err, "");
  run_release(&r);
  r = ask_three_times("{\"temperature\":0}");
  cr_expect_str_eq(r.err, "");
  run_release(&r);
}

static void expect_event(int n, const char *name, const char *id)
{
  char *log = file_read(w.log, NULL), *line = log;
  for (int i = 0; line && i <= n; i++)
    line = strstr(i ? line + 1 : line, world_text(&w, "\"event\":\"%s\"", name));
  cr_expect(line && strstr(line, "\"id\":\"") && strncmp(strstr(line, "\"id\":\"") + 6, id, 16) == 0,
            "%d %s %s: %s", n, name, id, line);
  free(log);
}

Test(repeats, a_retry_after_an_error_is_the_number_that_failed)
{
  struct run r = run_shim(&w, "fetch-openssl", "--reuse-handle", "--repeat", "3", "--body", body,
                          chat("fail_first%3D1%3A500"), NULL);
  cr_expect_eq(mock_count(&w).requests, 3);
  json_t *last = log_last(&w, "not_stored");
  const char *id = json_string_value(json_object_get(last, "id"));
  cr_assert_not_null(id);
  expect_event(0, "live", id);
  expect_event(1, "live", id);
  expect_event(0, "stored", id);
  cr_expect_eq(log_events(&w, "new_sample"), 1, "the third");
  json_decref(last);
  run_release(&r);
}

/* Each thread gives its call up and makes it again until it is answered. */
Test(repeats, a_retry_gets_what_was_rescued_of_its_number)
{
  char all[LINES_MOST * 32];
  struct run r = run_shim(&w, "retrying", "600", chat("latency_ms%3D1500"), body, body, body, NULL);
  expect_success(&r);
  cr_expect_eq(answers_of(&r, all, sizeof(all)), 3, "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 3);
  wait_until(log_events(&w, "rescued") == 3);
  cr_expect_eq(log_events(&w, "new_sample"), 0);
  run_release(&r);
}

/* Its own limit passes while another process sends number 0; then it asks once more, without one. */
Test(repeats, a_follower_that_gave_up_leaves_its_number_free)
{
  const char *url = chat("latency_ms%3D2000");
  struct run owner = start_shim(&w, "stampede", "1", url, body, NULL);
  wait_until(mock_count(&w).requests == 1);
  struct run r = run_shim(&w, "timeouts", "timeout", url, body, NULL);
  expect_success(&r);
  run_wait(&owner);
  expect_success(&owner);
  cr_expect(strstr(r.out, "again rc=0 status=200"), "%s", r.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&owner);
  run_release(&r);
}

/* In the middle of number 0 a child makes number 1; later both sides go on behind 0, and meet its answer. */
Test(repeats, a_child_goes_on_with_its_parents_numbers)
{
  char all[LINES_MOST * 32];
  struct run r = run_shim(&w, "forker", chat(""), body, body, NULL);
  expect_success(&r);
  cr_expect_eq(answers_of(&r, all, sizeof(all)), 2, "%s", r.out);
  cr_expect_eq(count_of(r.out, "checksum="), 4);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&r);
}

Test(repeats, observe_counts_as_they_would_be)
{
  world_env(&w, "IDEMSHIM_MODE", "observe");
  struct run r = ask_three_times(body);
  run_release(&r);
  cr_expect_eq(log_events(&w, "would_hit"), 0);
  cr_expect_eq(log_events(&w, "new_sample"), 2);
  r = ask_three_times(body);
  run_release(&r);
  cr_expect_eq(log_events(&w, "would_hit"), 3, "a rerun asks for the same three");
}

Test(repeats, a_tape_has_their_numbers_so_that_a_retry_is_told_from_a_sample)
{
  static const int numbers[] = {0, 0, 1};
  world_env(&w, "IDEMSHIM_MODE", "record");
  world_env(&w, "IDEMSHIM_TAPE", "%s", world_path(&w, "tape"));
  struct run r = run_shim(&w, "fetch-openssl", "--reuse-handle", "--repeat", "3", "--body", body,
                          chat("fail_first%3D1%3A500"), NULL);
  run_release(&r);
  for (int i = 0; i < 3; i++) {
    r = run_plain(&w, "idemshim", "tape", "show", "--json", world_path(&w, "tape"),
                  world_text(&w, "%d", i + 1), NULL);
    cr_expect(strstr(r.out, world_text(&w, "\"number_of_content\": %d,", numbers[i])), "%s%s", r.out, r.err);
    run_release(&r);
  }
  r = run_plain(&w, "idemshim", "tape", "report", world_path(&w, "tape"), NULL);
  cr_expect_eq(count_of(r.out, "again after <a"), 1);
  cr_expect_eq(count_of(r.out, "<dt>number of its content</dt><dd>1<"), 1);
  run_release(&r);
}
