/* SPDX-License-Identifier: MIT */
/* Programs that have few descriptors left: libcurl gets what it would have without us. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(descriptors, .init = open_world, .fini = close_world);

static struct run call(bool shim, const char *when, int free)
{
  const char *number = world_text(&w, "%d", free), *url = world_url(&w, "/v1/chat/completions");
  const char *argv[] = {"few_descriptors", when, number, url, world_text(&w, "{\"free\":%d}", free), NULL};
  return run_argv(&w, shim, argv);
}

static void expect_as_without_us(const char *when)
{
  static const int left[] = {1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 17, 18, 24, 31, 32, 33, 40};
  for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) {
    struct run plain = call(false, when, left[i]), shim = call(true, when, left[i]);
    const char *without = strstr(plain.out, "call rc="), *with = strstr(shim.out, "call rc=");
    cr_assert(without && with, "%s%s", plain.out, shim.out);
    /* What the store gives back comes to those that are free. */
    cr_expect(atoi(with + 8) == 0 || atoi(with + 8) == atoi(without + 8), "%s, %d free: %s%s", when, left[i],
              shim.out, shim.err);
    run_release(&plain);
    run_release(&shim);
  }
}

Test(descriptors, the_first_call_goes_out_without_the_store)
{
  expect_as_without_us("first");
}

Test(descriptors, a_later_call_goes_out_without_a_claim)
{
  expect_as_without_us("later");
  cr_expect(log_contains(&w, "few descriptors are left"));
}

/* The store has four. It keeps one of them, by which others know that it is in use. */
Test(descriptors, those_of_the_store_are_given_back_for_a_later_call)
{
  for (int left = 4; left < 20; left++) {
    struct run plain = call(false, "counted", left), shim = call(true, "counted", left);
    const char *without = strstr(plain.out, "call rc="), *with = strstr(shim.out, "call rc=");
    cr_assert(without && with, "%d: %s%s", left, plain.out, shim.out);
    cr_expect_eq(atoi(without + 8), 0, "%d free: %s", left, plain.out);
    cr_expect_eq(atoi(with + 8), 0, "%d free: %s%s", left, shim.out, shim.err);
    run_release(&plain);
    run_release(&shim);
  }
  cr_expect(log_contains(&w, "few descriptors are left"));
}

/* What may be sent once at most is not sent where there are none to write it down with. */
Test(descriptors, without_them_a_call_of_at_most_once_is_refused)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  struct run enough = call(true, "counted", 60);
  expect_success(&enough);
  run_release(&enough);
  for (int left = 6; left < 20; left++) {
    mock_reset(&w);
    cr_assert_eq(remove(w.log), 0);
    struct run r = call(true, "counted", left);
    const char *with = strstr(r.out, "call rc=");
    cr_assert(with, "%d: %s", left, r.out);
    int sent = strstr(with, "status=200") ? 1 : 0;
    cr_expect_eq(mock_count(&w).requests, sent, "%d free: %s", left, r.out);
    cr_expect_eq(log_events(&w, "stored"), sent, "%d free: %s", left, r.out);
    run_release(&r);
  }
}

Test(descriptors, where_there_are_enough_a_call_is_stored_and_replayed)
{
  struct run first = call(true, "first", 60), again = call(true, "first", 60);
  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

/* What is compared of its lines: not the answer, which has the mock's serial. */
static char *outcomes(const struct run *run)
{
  char *text = strdup(run->out), *to = text;
  for (const char *at = text; *at; at++) {
    if (strncmp(at, " bytes=", 7) == 0)
      at += strcspn(at, "\n");
    *to++ = *at;
  }
  *to = '\0';
  return text;
}

static struct run call_at_each_limit(bool shim, const char *how)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D100");
  const char *argv[] = {"descriptor_limit", how, url, "3", "40", NULL};
  mock_reset(&w);
  struct run run = run_argv(&w, shim, argv);
  expect_success(&run);
  return run;
}

/* From a process that may have no more than the standard ones. */
static void expect_as_without_us_at_each_limit(const char *how)
{
  static const char *const modes[] = {"idempotent", "record", "observe"};
  struct run plain = call_at_each_limit(false, how);
  char *without = outcomes(&plain);
  long requests = mock_count(&w).requests;
  cr_expect_gt(requests, 30);
  world_env(&w, "IDEMSHIM_TAPE", "%s", world_path(&w, "tape"));
  for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
    world_env(&w, "IDEMSHIM_MODE", "%s", modes[i]);
    struct run run = call_at_each_limit(true, how);
    char *with = outcomes(&run);
    cr_expect_str_eq(with, without, "%s", modes[i]);
    cr_expect_eq(mock_count(&w).requests, requests, "%s: %ld, not %ld", modes[i], mock_count(&w).requests,
                 requests);
    free(with);
    run_release(&run);
  }
  free(without);
  run_release(&plain);
}

Test(descriptors, however_few_there_may_be_a_call_ends_as_without_us)
{
  expect_as_without_us_at_each_limit("easy");
}

Test(descriptors, however_few_there_may_be_eight_calls_in_a_multi_end_as_without_us)
{
  expect_as_without_us_at_each_limit("multi");
}

/* Ours are among them. What the store had is opened anew, and protection goes on. */
static void expect_protection_goes_on(const char *how)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "closes_descriptors", how, url, NULL);
  expect_success(&plain);
  mock_reset(&w);
  struct run first = run_shim(&w, "closes_descriptors", how, url, NULL);
  expect_success(&first);
  cr_expect_eq(mock_count(&w).requests, 3, "%s: %ld requests", how, mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "stored"), 3, "%s", how);
  struct run again = run_shim(&w, "closes_descriptors", how, url, NULL);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 3, "%s", how);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
}

Test(descriptors, that_a_program_closes_are_opened_anew)
{
  expect_protection_goes_on("close");
}

Test(descriptors, that_a_daemon_closes_are_opened_anew)
{
  expect_protection_goes_on("daemon");
}

Test(descriptors, that_close_range_closes_are_opened_anew)
{
  expect_protection_goes_on("range");
}

Test(descriptors, whose_numbers_are_the_apps_by_now_are_not_touched)
{
  expect_protection_goes_on("reuse");
}

Test(descriptors, that_the_apps_files_are_put_upon_are_not_touched)
{
  expect_protection_goes_on("dup");
}

/* Each of its calls is sent, and what is on the tape is replayed; it looks at its files itself. */
static void expect_recorded_and_replayed(const char *mode, const char *how)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  world_env(&w, "IDEMSHIM_TAPE", "%s", world_path(&w, how));
  world_env(&w, "IDEMSHIM_MODE", "%s", mode);
  mock_reset(&w);
  struct run first = run_shim(&w, "closes_descriptors", how, url, NULL);
  expect_success(&first);
  cr_expect_eq(mock_count(&w).requests, 4, "%s, %s", mode, how);
  if (strcmp(mode, "record") == 0) {
    world_env(&w, "IDEMSHIM_MODE", "replay");
    struct run again = run_shim(&w, "closes_descriptors", how, url, NULL);
    expect_same_output(&first, &again);
    expect_success(&again);
    cr_expect_eq(mock_count(&w).requests, 4, "%s, %s", mode, how);
    run_release(&again);
  }
  run_release(&first);
}

Test(descriptors, that_the_app_takes_away_change_no_other_mode)
{
  static const char *const hows[] = {"close", "range", "daemon", "reuse", "dup"};
  for (size_t i = 0; i < sizeof(hows) / sizeof(*hows); i++) {
    expect_recorded_and_replayed("record", hows[i]);
    expect_recorded_and_replayed("observe", hows[i]);
  }
}

/* The guard of a call, whose descriptor is newer than the call's. */
Test(descriptors, what_is_opened_during_a_call_is_not_written_to_once_it_is_the_apps)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 guard=on");
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D1500");
  struct run run = run_shim(&w, "reuses_numbers", "sent", url, "{}", NULL);
  expect_success(&run);
  cr_expect(!strstr(run.out, "touched"), "%s", run.out);
  cr_expect(!strstr(run.out, "taken=0"), "%s", run.out);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(log_events(&w, "stored"), 1);
  cr_expect_eq(log_events(&w, "rescued"), 0);
  run_release(&run);
}

/* Both a live call, whose claim is taken anew, and a replay, whose socket is made anew. */
Test(descriptors, of_a_call_in_a_multi_are_made_anew_before_its_first_turn)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "reuses_numbers", "added", url, "{}", NULL);
  expect_success(&plain);
  mock_reset(&w);
  struct run first = run_shim(&w, "reuses_numbers", "added", url, "{}", NULL);
  struct run again = run_shim(&w, "reuses_numbers", "added", url, "{}", NULL);
  expect_success(&first);
  expect_success(&again);
  cr_expect(!strstr(first.out, "touched") && !strstr(again.out, "touched"), "%s%s", first.out, again.out);
  cr_expect(!strstr(first.out, "taken=0") && !strstr(again.out, "taken=0"), "%s%s", first.out, again.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(log_events(&w, "stored"), 2);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
}
