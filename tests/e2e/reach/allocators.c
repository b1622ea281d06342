/* SPDX-License-Identifier: MIT */
/* Programs with another malloc() than libc's: preloaded, before us or after us, or their own. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char preload[2 * PATH_MAX];

static void set_up(void)
{
  open_world();
  preload[0] = '\0';
}

TestSuite(allocators, .init = set_up, .fini = close_world, .timeout = 180);

struct allocator {
  char library[32], package[32];
  bool after_us;
};

/* Both orders of one allocator are two tests. */
#define BOTH(library, package)                                                                               \
  {library, package, false},                                                                                 \
  {                                                                                                          \
    library, package, true                                                                                   \
  }
static struct allocator allocators[] = {BOTH("libjemalloc.so.2", "libjemalloc2"),
                                        BOTH("libmimalloc.so.2", "libmimalloc2.0"),
                                        BOTH("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4")};

static struct run run_with(const char *library, const char *program, const char *const *arguments)
{
  const char *argv[16] = {"env", library, program};
  size_t n = 3;
  for (; *arguments; arguments++) {
    cr_assert_lt(n, 15);
    argv[n++] = *arguments;
  }
  return run_argv(&w, false, argv);
}

#define RUN(program, ...) run_with(preload, program, (const char *const[]){__VA_ARGS__, NULL})

/* The loader leaves out what it does not find. */
static void set_preload(const struct allocator *with)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has an allocator of its own");
  const char *first = with->after_us ? "" : with->library, *last = with->after_us ? with->library : "";
  snprintf(preload, sizeof(preload), "LD_PRELOAD=%s %s/libidemshim.so %s", first, w.build, last);
  struct run maps = RUN("cat", "/proc/self/maps");
  bool has = strstr(maps.out, with->library);
  run_release(&maps);
  if (!has)
    cr_skip_test("not installed: %s", with->package);
}

static const char *slow(const char *target)
{
  return world_url(&w, world_text(&w, "%s?mock=latency_ms%%3D1500", target));
}

static void expect_hit(const char *body)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  long before = mock_count(&w).requests;
  struct run first = RUN("curl", "-sS", "-d", body, url), again = RUN("curl", "-sS", "-d", body, url);
  expect_success(&first);
  cr_expect(strstr(first.out, "chat.completion"), "%s", first.out);
  cr_expect_str_eq(first.err, "");
  expect_same_output(&first, &again);
  cr_expect_str_eq(again.err, "");
  cr_expect_eq(mock_count(&w).requests, before + 1);
  run_release(&first);
  run_release(&again);
}

/* What was given up is finished by a copy of the process, and is there the next time. */
static void expect_rescue(void)
{
  const char *url = slow("/v1/chat/completions");
  long before = mock_count(&w).requests;
  struct run late = RUN("curl", "-sS", "-m", "0.3", "-d", "{\"late\":1}", url);
  cr_expect_eq(late.status, 28, "curl ended with %d, signal %d: %s", late.status, late.signal, late.err);
  wait_until(log_events(&w, "rescued") == 1 && world_orphans(&w) == 0);
  struct run again = RUN("curl", "-sS", "-d", "{\"late\":1}", url);
  expect_success(&again);
  cr_expect(strstr(again.out, "chat.completion"), "%s", again.out);
  cr_expect_eq(mock_count(&w).requests, before + 1);
  run_release(&late);
  run_release(&again);
}

/* Two at once: the second reads the stream of the first as it comes, on a thread of ours in a multi. */
static void expect_follower(void)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=chunk_delay_ms%3D20");
  long before = mock_count(&w).requests;
  struct run both = RUN("curl", "-sS", "-N", "--parallel", "--parallel-immediate", "-d", "{\"stream\":true}",
                        url, "-o", world_path(&w, "one"), url, "-o", world_path(&w, "two"));
  expect_success(&both);
  size_t one_len = 0, two_len = 0;
  char *one = file_read(world_path(&w, "one"), &one_len), *two = file_read(world_path(&w, "two"), &two_len);
  cr_assert(one && two);
  cr_expect(strstr(one, "[DONE]"), "%s", one);
  expect_same_bytes("what was followed", one, one_len, two, two_len);
  cr_expect_eq(mock_count(&w).requests, before + 1);
  free(one);
  free(two);
  run_release(&both);
}

static void expect_recorded_and_replayed(void)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  world_env(&w, "IDEMSHIM_MODE", "record");
  struct run recorded = RUN("curl", "-sS", "-i", "-d", "{\"tape\":1}", url);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  mock_stop(&w);
  struct run replayed = RUN("curl", "-sS", "-i", "-d", "{\"tape\":1}", url);
  expect_success(&recorded);
  cr_expect(strstr(recorded.out, "chat.completion"), "%s", recorded.out);
  expect_same_output(&recorded, &replayed);
  run_release(&recorded);
  run_release(&replayed);
}

ParameterizedTestParameters(allocators, a_preloaded_one_sees_all_of_a_programs_calls_through)
{
  return cr_make_param_array(struct allocator, allocators, sizeof(allocators) / sizeof(*allocators));
}

ParameterizedTest(struct allocator *with, allocators, a_preloaded_one_sees_all_of_a_programs_calls_through)
{
  set_preload(with);
  expect_hit("{\"short\":1}");
  expect_hit("{\"stream\":true}");
  expect_follower();
  expect_rescue();
  expect_recorded_and_replayed();
}

/* It says so if it is to free what it has not made. */
Test(allocators, one_of_the_program_itself)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has an allocator of its own");
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "own_allocator", url, "{\"a\":1}", NULL);
  expect_success(&plain);
  cr_expect(strstr(plain.out, "rc=0 status=200"), "%s", plain.out);
  struct run first = run_shim(&w, "own_allocator", url, "{\"a\":1}", "3", NULL),
             again = run_shim(&w, "own_allocator", url, "{\"a\":1}", "3", NULL);
  expect_success(&first);
  cr_expect_str_eq(first.err, "");
  expect_same_output(&first, &again);
  cr_expect_eq(mock_count(&w).requests, 2);
  world_env(&w, "POST_TIMEOUT_MS", "300");
  struct run late = run_shim(&w, "own_allocator", slow("/v1/chat/completions"), "{\"b\":1}", NULL);
  cr_expect(strstr(late.out, "rc=28"), "%s%s", late.out, late.err);
  wait_until(log_events(&w, "rescued") == 1 && world_orphans(&w) == 0);
  cr_expect_eq(mock_count(&w).requests, 3);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
  run_release(&late);
}

TestSuite(allocators_fleet, .init = open_fleet, .fini = close_fleet, .timeout = 180);

/* The object that speaks to the fleet has libraries of its own. */
Test(allocators_fleet, an_answer_comes_from_another_machine)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has an allocator of its own");
  const char *url = world_url(&w, "/v1/chat/completions");
  on_machine("A");
  struct run here = run_shim(&w, "own_allocator", url, "{\"a\":1}", NULL);
  on_machine("B");
  struct run there = run_shim(&w, "own_allocator", url, "{\"a\":1}", NULL);
  expect_success(&here);
  cr_expect_str_eq(here.err, "");
  expect_same_output(&here, &there);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&here);
  run_release(&there);
}
