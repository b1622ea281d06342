/* SPDX-License-Identifier: MIT */
/* Threads with small stacks, on which libcurl works. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(odd_stacks, .init = open_world, .fini = close_world);

static struct run call_on(const char *kilobytes, const char *depth)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's own frames are larger than these stacks");
  return run_shim(&w, "small_stack", world_url(&w, "/v1/chat/completions"), kilobytes, depth, NULL);
}

Test(odd_stacks, on_the_smallest_a_call_goes_live_and_says_so_once)
{
  struct run run = call_on("16", "1");
  expect_success(&run);
  cr_expect(strstr(run.out, "rc=0 status=200"), "%s", run.out);
  cr_expect(log_contains(&w, "64 KB of stack"));
  cr_expect_eq(log_events(&w, "stored"), 0);
  run_release(&run);
}

Test(odd_stacks, on_a_hundred_kilobytes_a_call_is_stored_and_replayed)
{
  struct run first = call_on("100", "1"), again = call_on("100", "1");
  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

Test(odd_stacks, deep_json_is_not_taken_apart)
{
  struct run first = call_on("100", "2000"), again = call_on("100", "2000"), other = call_on("100", "1999");
  expect_success(&first);
  expect_success(&other);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&first);
  run_release(&again);
  run_release(&other);
}

static struct run call_in_coroutine(const char *kilobytes)
{
  return run_shim(&w, "small_stack", world_url(&w, "/v1/chat/completions"), kilobytes, "1", "1", NULL);
}

/* Its end is not the thread's, and is found by what is there. */
Test(odd_stacks, on_a_small_one_of_a_coroutine_a_call_goes_live)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's own frames are larger than these stacks");
  for (const char *const *size = (const char *const[]){"16", "24", "36", NULL}; *size; size++) {
    struct run run = call_in_coroutine(*size);
    expect_success(&run);
    cr_expect(strstr(run.out, "rc=0 status=200"), "%s: %s", *size, run.out);
    run_release(&run);
  }
  cr_expect(log_contains(&w, "of stack left"));
  cr_expect_eq(log_events(&w, "stored"), 0);
}

Test(odd_stacks, on_sixty_four_kilobytes_of_a_coroutine_a_call_is_stored_and_replayed)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's own frames are larger than these stacks");
  struct run first = call_in_coroutine("64"), again = call_in_coroutine("64");
  expect_success(&first);
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&again);
}

/* How often two coroutines that make a call by turns have asked the kernel what is below them. */
static int pages_tried(const char *turns)
{
  struct run run = run_plain(&w, "strace", "-f", "-qq", "-e", "trace=rt_sigprocmask", "-E",
                             world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o",
                             world_path(&w, "trace"), world_text(&w, "%s/tests/small_stack", w.build),
                             world_url(&w, "/v1/chat/completions"), "64", "1", turns, NULL);
  char *trace = file_read(world_path(&w, "trace"), NULL);
  cr_assert_not_null(trace);
  expect_success(&run);
  int tried = count_of(trace, "EINVAL");
  free(trace);
  run_release(&run);
  return tried;
}

Test(odd_stacks, hits_of_coroutines_that_take_turns_cost_no_system_call)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
  int tried = pages_tried("1");
  cr_expect_gt(tried, 0);
  cr_expect_eq(pages_tried("4"), tried);
  cr_expect_eq(mock_count(&w).requests, 1);
}

/* Variables of each thread, as some libraries have them by the megabyte: libc takes them from the stacks of
 * all threads, ours too. */
static void preload_large_variables(const char *bytes)
{
  static const char source[] = "static __thread volatile char large[BYTES];\n"
                               "__attribute__((constructor)) static void touch(void) { large[0] = 1; }\n";
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_write(&w, "large.c", source, sizeof(source) - 1);
  struct run made = run_shell_plain(
      &w,
      world_text(
          &w,
          "cc -w -shared -fPIC -ftls-model=initial-exec -DBYTES=%s -o \"$HOME/large.so\" \"$HOME/large.c\"",
          bytes));
  expect_success(&made);
  run_release(&made);
}

static struct run with_large_variables(const char *program, const char *arguments)
{
  return run_shell_plain(&w, world_text(&w, "LD_PRELOAD='%s/libidemshim.so %s/large.so' %s %s", w.build,
                                        w.dir, program, arguments));
}

ParameterizedTestParameters(odd_stacks, large_variables_of_threads_leave_ours_room)
{
  static char sizes[][8] = {"257000", "2097152"};
  return cr_make_param_array(char[8], sizes, sizeof(sizes) / sizeof(*sizes));
}

/* In a multi: what is stored is written by a thread, and a replay, a stream and what follows
 * them are fed by another. */
ParameterizedTest(char *bytes, odd_stacks, large_variables_of_threads_leave_ours_room)
{
  preload_large_variables(bytes);
  char one[300], stream[300];
  snprintf(one, sizeof(one), "poll 1 '%s' '{\"a\":1}' '{\"a\":2}' '{\"a\":1}'",
           world_url(&w, "/v1/chat/completions"));
  snprintf(stream, sizeof(stream), "poll 1 '%s' '{\"stream\":true}' '{\"stream\":true}'",
           world_url(&w, "/v1/chat/completions?mock=chunk_delay_ms%3D20"));
  const char *calls[] = {one, one, stream, stream};
  static const long requests[] = {2, 2, 3, 3};
  for (size_t i = 0; i < 4; i++) {
    struct run run = with_large_variables("multi_calls", calls[i]);
    expect_success(&run);
    cr_expect_str_eq(run.err, "");
    cr_expect_eq(mock_count(&w).requests, requests[i]);
    run_release(&run);
  }
  world_env(&w, "TIMEOUT_MS", "300");
  struct run late = with_large_variables(
      "multi_calls", world_text(&w, "poll 1 '%s' '{\"c\":1}'",
                                world_url(&w, "/v1/chat/completions?mock=latency_ms%3D1500")));
  wait_until(log_events(&w, "rescued") == 1 && world_orphans(&w) == 0);
  cr_expect_eq(late.signal, 0);
  cr_expect_eq(mock_count(&w).requests, 4);
  run_release(&late);
}
