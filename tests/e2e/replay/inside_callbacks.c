/* SPDX-License-Identifier: MIT */
/* What an app does from inside the callbacks of a call, and calls that meet themselves: the app sees what it
 * sees without us. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(odd_moments, .init = open_world, .fini = close_world);

static const char slow_target[] = "/v1/chat/completions?mock=size%3D100000,chunk%3D20000,chunk_delay_ms%3D10";

static struct run odd(bool shim, const char *name)
{
  struct run run =
      run_argv(&w, shim, (const char *const[]){"inside_callbacks", name, world_url(&w, slow_target), NULL});
  if (!strcmp(name, "reset"))
    strip_one_read(run.out);
  return run;
}

/* The lines of both runs up to where a checksum, which differs from answer to answer, begins. */
static void expect_same_lines(const struct run *plain, const struct run *shim)
{
  const char *a = plain->out, *b = shim->out;
  while (*a || *b) {
    size_t a_len = strcspn(a, "\n"), b_len = strcspn(b, "\n");
    const char *a_sum = memmem(a, a_len, " checksum=", 10), *b_sum = memmem(b, b_len, " checksum=", 10);
    if (*a != '{')
      expect_same_bytes("a line", a, a_sum ? (size_t)(a_sum - a) : a_len, b,
                        b_sum ? (size_t)(b_sum - b) : b_len);
    a += a_len + (a[a_len] == '\n');
    b += b_len + (b[b_len] == '\n');
  }
}

/* The case without us, live, and again. */
static void expect_as_without_us(const char *name, long requests)
{
  struct run plain = odd(false, name), live = odd(true, name), again = odd(true, name);
  expect_success(&plain);
  expect_success(&live);
  expect_success(&again);
  cr_expect(strstr(plain.out, "rc=0"), "%s", plain.out);
  expect_same_lines(&plain, &live);
  expect_same_lines(&plain, &again);
  cr_expect_eq(mock_count(&w).requests, requests, "%s: %ld requests", name, mock_count(&w).requests);
  run_release(&plain);
  run_release(&live);
  run_release(&again);
}

/* The texts that named the request are gone by then, so there is nothing to store the answer under. */
Test(odd_moments, options_that_are_set_in_a_write_callback_leave_nothing_to_store)
{
  expect_as_without_us("set-options", 3);
  cr_expect_eq(log_events(&w, "not_stored"), 2);
  cr_expect(log_contains(&w, "options changed during the transfer"));
}

Test(odd_moments, a_reset_in_a_write_callback)
{
  expect_as_without_us("reset", 3);
  cr_expect_eq(log_events(&w, "not_stored"), 2);
}

/* libcurl refuses that, and goes on with the transfer, which is stored. */
Test(odd_moments, a_call_on_the_very_handle_that_a_callback_is_of)
{
  expect_as_without_us("perform-itself", 2);
  cr_expect_eq(log_events(&w, "not_stored"), 0);
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  struct run stored = odd(true, "pause-the-rest");
  struct run replay = odd(true, "perform-itself"), itself = odd(false, "perform-itself");
  expect_success(&stored);
  expect_same_lines(&itself, &replay);
  run_release(&stored);
  run_release(&replay);
  run_release(&itself);
}

/* Two requests without us, the copy's each time, and one for the call itself. */
Test(odd_moments, a_copy_that_is_made_in_a_write_callback_has_the_app_s_callbacks)
{
  expect_as_without_us("duplicate", 5);
  cr_expect_eq(log_events(&w, "bypass"), 2);
}

static json_int_t sent_size(const json_t *requests, size_t i)
{
  return json_integer_value(json_object_get(json_array_get(requests, i), "body_size"));
}

/* A form has no name by which it could be set on the copy of a handle again. */
Test(odd_moments, a_copy_that_is_made_during_a_replay_sends_its_form)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  expect_as_without_us("duplicate-form", 5);
  cr_expect_eq(log_events(&w, "hit"), 1);
  json_t *requests = mock_requests(&w);
  cr_assert_gt(sent_size(requests, 0), 0);
  for (size_t i = 1; i < json_array_size(requests); i++)
    cr_expect_eq(sent_size(requests, i), sent_size(requests, 0), "request %zu", i);
  json_decref(requests);
}

Test(odd_moments, a_call_that_is_made_during_the_same_call_does_not_wait_for_itself)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 wait=progress");
  expect_as_without_us("perform-another", 4);
  cr_expect(log_contains(&w, "made during the same call"));
  cr_expect_eq(log_events(&w, "hit"), 2);
}

Test(odd_moments, a_callback_may_take_what_it_gets_and_pause_the_rest)
{
  expect_as_without_us("pause-the-rest", 2);
  cr_expect_eq(log_events(&w, "hit"), 1);
}

/* The owner fails late in the follower's time; what is left is too short for a call of its own. */
static void expect_wait_to_count(void)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D5000,fail_first%3D1:503");
  struct run owner = start_shim(&w, "curl", "-sS", "-d", "{}", url, NULL);
  wait_until(mock_count(&w).requests == 1);
  struct run follower = run_shim(&w, "curl", "-sS", "-m", "6", "-d", "{}", url, NULL);
  run_wait(&owner);
  cr_expect_eq(follower.status, 28, "%d: %s", follower.status, follower.err);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&owner);
  run_release(&follower);
}

Test(odd_moments, waiting_for_another_call_counts_against_the_app_s_timeout)
{
  expect_wait_to_count();
}

/* A rescue has a clock of its own for the app's timeout; here it is libcurl's alone. */
Test(odd_moments, waiting_for_another_call_counts_without_rescue_too)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off");
  expect_wait_to_count();
}

Test(odd_moments, a_log_that_is_a_pipe_without_a_reader_holds_nobody_up)
{
  world_env(&w, "IDEMSHIM_LOG", "%s", world_path(&w, "pipe"));
  cr_assert_eq(mkfifo(world_path(&w, "pipe"), 0600), 0);
  struct run run = run_shim(&w, "curl", "-sS", "-m", "20", "-d", "{}", world_url(&w, slow_target), NULL);
  expect_success(&run);
  cr_expect(!run.timed_out);
  cr_expect(strstr(run.err, "cannot write to IDEMSHIM_LOG="), "%s", run.err);
  cr_expect(!strstr(run.err, "calls go out"), "%s", run.err);
  run_release(&run);
}

/* Takes the lines of X- headers away, the marks among them. */
static void strip_extensions(char *text)
{
  char *line;
  while ((line = strstr(text, "200 X-"))) {
    char *next = line + strcspn(line, "\n");
    next += *next == '\n';
    memmove(line, next, strlen(next) + 1);
  }
}

/* Also while an interim answer or a redirect goes by. */
static void expect_same_status_by_line(const char *script)
{
  const char *url = world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", script));
  struct run live = run_shim(&w, "unusual_headers", url, NULL),
             replay = run_shim(&w, "unusual_headers", url, NULL);
  expect_success(&live);
  expect_success(&replay);
  cr_expect(strstr(live.out, "103 HTTP/1.1 103") || strstr(live.out, "307 HTTP/1.1 307"), "%s", live.out);
  strip_extensions(live.out);
  strip_extensions(replay.out);
  cr_expect_str_eq(live.out, replay.out);
  run_release(&live);
  run_release(&replay);
}

Test(odd_moments, each_header_line_comes_with_the_status_of_its_own_answer)
{
  expect_same_status_by_line("informational%3D1");
  expect_same_status_by_line("redirect%3D%2Fv1%2Fmessages");
  cr_expect_eq(log_events(&w, "hit"), 2);
}
