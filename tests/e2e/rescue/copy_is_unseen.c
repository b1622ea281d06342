/* SPDX-License-Identifier: MIT */
/* What a program may do while a copy of it finishes its call: it neither sees the copy nor disturbs it. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "POST_TIMEOUT_MS", "300");
}

TestSuite(rescue_life, .init = set_up, .fini = close_world, .timeout = 120);

static const char body[] = "{\"model\":\"m\",\"messages\":[]}",
                  streamed[] = "{\"stream\":true,\"messages\":[]}";

static const char *slow_url(void)
{
  return world_url(&w, "/v1/chat/completions?mock=latency_ms%3D1500");
}

static struct run aftermath(const char *moment)
{
  struct run run = run_shim(&w, "after_the_end", moment, slow_url(), body, NULL);
  expect_success(&run);
  return run;
}

static void expect_rescues(int count)
{
  wait_until(log_events(&w, "rescued") == count);
  wait_until(world_orphans(&w) == 0);
  cr_expect_eq(mock_count(&w).requests, count);
}

Test(rescue_life, a_program_that_forks_has_rescues_of_its_own)
{
  struct run run = aftermath("fork");
  expect_rescues(2);
  run_release(&run);
}

Test(rescue_life, a_program_that_execs_is_gone_and_its_call_is_finished)
{
  struct run run = aftermath("exec");
  cr_expect(strstr(run.out, "another program"));
  expect_rescues(1);
  run_release(&run);
}

Test(rescue_life, a_program_that_exits_runs_its_handlers_once)
{
  struct run run = aftermath("exit");
  expect_rescues(1);
  cr_expect_eq(count_of(run.out, "exit handler"), 1, "%s", run.out);
  run_release(&run);
}

Test(rescue_life, a_program_that_cleans_libcurl_up_gets_the_answer)
{
  struct run run = aftermath("cleanup");
  cr_expect(strstr(run.out, "again rc=0 status=200"), "%s", run.out);
  expect_rescues(1);
  run_release(&run);
}

Test(rescue_life, nobody_can_wait_for_the_copy)
{
  struct run run = aftermath("wait");
  cr_expect(strstr(run.out, "strange=0 signals=0"), "%s", run.out);
  expect_rescues(1);
  run_release(&run);
}

Test(rescue_life, threads_that_allocate_do_not_hold_it_up)
{
  struct run run = aftermath("busy");
  cr_expect(strstr(run.out, "again rc=0 status=200"), "%s", run.out);
  expect_rescues(1);
  run_release(&run);
}

Test(rescue_life, a_plugin_is_unloaded_meanwhile_and_leaves_no_descriptor)
{
  struct run run = run_shim(&w, "unload_plugin", slow_url(), body, NULL);
  cr_expect_eq(run.signal, 0);
  cr_expect(strstr(run.out, "rc=28"), "%s", run.out);
  const char *first = strstr(run.out, "after fds=");
  const char *last = first;
  for (const char *at = first; at; at = strstr(at + 1, "after fds="))
    last = at;
  cr_assert(first && last > first, "%s", run.out);
  cr_expect_eq(atoi(first + 10), atoi(last + 10), "%s", run.out);
  expect_rescues(1);
  run_release(&run);
}

static const char *stalling_url(void)
{
  world_env(&w, "POST_TIMEOUT_MS", "30000");
  return world_url(&w, "/v1/chat/completions?mock=events%3D20,stall_ms%3D1000");
}

/* It may end in the middle of what is ours, and the others live on. */
static void call_in_a_thread_that_is_cancelled(const char *way)
{
  const char *url = stalling_url();
  struct run run = run_shim(&w, "cancelled", way, url, streamed, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "cancelled\nagain rc=0 status=200"), "%s", run.out);
  expect_rescues(1);
  run_release(&run);
}

Test(rescue_life, a_thread_is_cancelled_in_the_callback_that_gives_its_call_up)
{
  call_in_a_thread_that_is_cancelled("easy");
}

/* Newer ones lend a buffer to a turn. Where it was cut off the multi has none for
 * another, and fails all calls. */
static bool libcurl_goes_on_after_a_turn_that_was_cut_off(void)
{
  struct run run = run_plain(&w, "cancelled", "go-on", stalling_url(), streamed, NULL);
  expect_success(&run);
  cr_assert(strstr(run.out, "cancelled\ngoes on rc="), "%s", run.out);
  bool goes_on = strstr(run.out, "goes on rc=0 ");
  run_release(&run);
  mock_reset(&w);
  return goes_on;
}

/* Where libcurl cannot go on, a copy cannot either: nothing passes for the answer, and the call is made once
 * more. Who has followed the copy has its error. */
static void expect_another_call_after_one_that_is_cut_off(void)
{
  const char *url = stalling_url();
  struct run run = run_shim(&w, "cancelled", "multi", url, streamed, NULL);
  cr_expect_eq(run.signal, 0, "%s", run.err);
  cr_expect(strstr(run.out, "cancelled\nagain rc="), "%s", run.out);
  wait_until(log_events(&w, "not_stored") == 1);
  wait_until(world_orphans(&w) == 0);
  struct run next = run_shim(&w, "curl", "-sS", "-d", streamed, url, NULL);
  expect_success(&next);
  cr_expect(strstr(next.out, "[DONE]"), "%s", next.out);
  cr_expect_eq(log_events(&w, "rescued"), 0);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&next);
  run_release(&run);
}

Test(rescue_life, a_thread_is_cancelled_in_its_turn_of_a_multi_that_another_one_cleans_up)
{
  if (libcurl_goes_on_after_a_turn_that_was_cut_off())
    call_in_a_thread_that_is_cancelled("multi");
  else
    expect_another_call_after_one_that_is_cut_off();
}

/* What it has sent is in doubt from then on, and not when the process ends. */
Test(rescue_life, a_thread_is_cancelled_while_it_waits_for_its_answer)
{
  struct run run = run_shim(&w, "cancelled", "wait", stalling_url(), streamed, NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "cancelled\nagain rc=0 status=200"), "%s", run.out);
  cr_expect_eq(log_events(&w, "in_doubt"), 1);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&run);
}

static const char pid_1[] =
    "unshare --user --map-root-user --pid --fork --mount-proc after_the_end wait '%s' '%s'";

Test(rescue_life, the_first_process_of_a_container_sees_none_either)
{
  struct run able = run_shell_plain(&w, "unshare --user --map-root-user --pid --fork --mount-proc true");
  if (able.status != 0)
    cr_skip_test("no user namespaces here");
  struct run run = run_shell(&w, world_text(&w, pid_1, slow_url(), body));
  expect_success(&run);
  cr_expect(strstr(run.out, "again rc=0 status=200"), "%s", run.out);
  cr_expect(strstr(run.out, "strange=0 signals=0"), "%s", run.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&able);
  run_release(&run);
}

/* The copy has nothing of the app's open, and still its events are where the app's are. */
Test(rescue_life, events_go_to_the_programs_stderr_while_it_lives)
{
  world_env(&w, "IDEMSHIM_LOG", "stderr");
  const char *later = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D4000");
  struct run run = run_shell(
      &w, world_text(&w, "curl -sS --max-time 1 -d '%s' '%s' --next -sS -d '%s' '%s' 2>&1 >'%s' | cat", body,
                     slow_url(), body, later, world_path(&w, "out")));
  expect_success(&run);
  cr_expect_eq(count_of(run.out, "\"event\":\"rescued\""), 1, "%s", run.out);
  run_release(&run);
}

static void call_into(const char *redirection, const char *err)
{
  struct run run = run_shell(
      &w, world_text(&w, "curl -sS --max-time 1 -d '%s' '%s' %s'%s'", body, slow_url(), redirection, err));
  cr_expect_eq(run.status, 28);
  run_release(&run);
}

Test(rescue_life, events_go_to_a_file_to_which_the_programs_stderr_was_appended)
{
  world_env(&w, "IDEMSHIM_LOG", "stderr");
  char err[256];
  snprintf(err, sizeof(err), "%s", world_path(&w, "err"));
  call_into("2>>", err);
  wait_until(file_contains(err, "\"event\":\"rescued\""));
}

/* Where the app writes next would be in the middle of it. */
Test(rescue_life, no_event_goes_to_a_file_at_whose_end_it_would_be_written_over)
{
  world_env(&w, "IDEMSHIM_LOG", "stderr");
  char err[256];
  snprintf(err, sizeof(err), "%s", world_path(&w, "err"));
  call_into("2>", err);
  wait_until(world_orphans(&w) == 0);
  cr_expect(file_contains(err, "\"event\":\"rescue\""));
  cr_expect(!file_contains(err, "\"event\":\"rescued\""));
}

/* What it would have to load to look into the answer, another thread of the program may have kept it from. */
Test(rescue_life, a_copy_loads_nothing)
{
  const char *library = world_text(&w, "%s/tests/slow_library.so", w.build);
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D600,encoding%3Dgzip");
  struct run run = run_shim(&w, "loads_slowly", library, url, "{}", "200", NULL);
  cr_expect(strstr(run.out, "loads_slowly rc=28"), "%s", run.out);
  wait_until(log_events(&w, "rescued") == 1);
  wait_until(world_orphans(&w) == 0);
  run_release(&run);
}

/* It ends long before the time that a rescue may take, and whoever asks again does not wait for that. */
Test(rescue_life, a_copy_that_hangs_is_ended)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D600,honour_key%3D1");
  struct run run = run_shim(&w, "copy_hangs", url, "{}", "200", NULL);
  cr_expect(strstr(run.out, "rc=28"), "%s", run.out);
  cr_expect_eq(log_events(&w, "rescue"), 1);
  cr_expect_eq(world_orphans(&w), 1);
  struct run again = run_shim(&w, "curl", "-sS", "-d", "{}", url, NULL);
  expect_success(&again);
  cr_expect_eq(log_events(&w, "owner_stalled"), 1);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(mock_count(&w).work, 1);
  wait_until(world_orphans(&w) == 0);
  run_release(&run);
  run_release(&again);
}
