/* SPDX-License-Identifier: MIT */
/* How often the disk is flushed for a call, before its first byte and before its app has the answer;
 * and for many at once. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char target[] = "/v1/chat/completions";

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_SYNC");
  /* What a new store costs is no matter here. */
  struct run r = run_shim(&w, "curl", "-sS", "-d", "{\"first\":1}", world_url(&w, target), NULL);
  expect_success(&r);
  run_release(&r);
}

TestSuite(flushes, .init = set_up, .fini = close_world);

/* A flush is fdatasync, fsync, msync, or a write through a descriptor that was opened with O_DSYNC. */
struct flushes {
  int before, after; /* the request was sent */
};

static bool is_flush(const char *line, char dsync[16])
{
  const char *opened = strstr(line, "O_DSYNC"), *number = strrchr(line, '=');
  if (opened && number)
    snprintf(dsync, 16, "(%d,", atoi(number + 1));
  return strstr(line, " fdatasync(") || strstr(line, " fsync(") || strstr(line, " msync(") ||
         (strstr(line, " pwrite64(") && *dsync && strstr(line, dsync));
}

static struct flushes trace(const char *body, bool goes_out)
{
  struct flushes flushes = {0, 0};
  struct run r =
      run_plain(&w, "strace", "-f", "-qq", "-s", "16", "-e",
                "trace=openat,fdatasync,fsync,msync,pwrite64,sendto,sendmsg,write,writev", "-E",
                world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", world_path(&w, "trace"),
                "curl", "-sS", "-o", "/dev/null", "-d", body, world_url(&w, target), NULL);
  cr_assert_eq(r.status, 0, "%s", r.err);
  char *text = file_read(world_path(&w, "trace"), NULL), dsync[16] = "";
  cr_assert_not_null(text);
  bool sent = false;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    sent |= strstr(line, "\"POST /v1") != NULL;
    if (is_flush(line, dsync))
      ++*(sent ? &flushes.after : &flushes.before);
  }
  cr_expect_eq(sent, goes_out);
  free(text);
  run_release(&r);
  return flushes;
}

static void skip_where_nothing_is_traced(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
}

Test(flushes, there_are_two_for_a_call_and_none_before_its_first_byte)
{
  skip_where_nothing_is_traced();
  struct flushes flushes = trace("{\"a\":1}", true);
  cr_expect_eq(flushes.before, 0, "%d", flushes.before);
  cr_expect_eq(flushes.after, 2, "%d", flushes.after);
  flushes = trace("{\"a\":1}", false);
  cr_expect_eq(flushes.before + flushes.after, 0, "a hit");
}

/* That its app has the answer is told with it. */
Test(flushes, there_are_no_more_where_identical_calls_are_new_ones)
{
  skip_where_nothing_is_traced();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=fresh");
  for (int i = 0; i < 2; i++) {
    struct flushes flushes = trace("{\"a\":1}", true);
    cr_expect_eq(flushes.before, 0, "%d", flushes.before);
    cr_expect_eq(flushes.after, 2, "%d", flushes.after);
  }
}

Test(flushes, a_claim_that_must_not_be_lost_is_flushed_before_the_first_byte)
{
  static const char *const rules[] = {"host=127.0.0.1 indoubt=fail", "host=127.0.0.1 inject=Idempotency-Key"};
  skip_where_nothing_is_traced();
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    world_env(&w, "IDEMSHIM_RULES", "%s", rules[i]);
    struct flushes flushes = trace(i ? "{\"a\":1}" : "{\"b\":1}", true);
    cr_expect(flushes.before >= 1 && flushes.before <= 2, "%s: %d", rules[i], flushes.before);
    cr_expect_eq(flushes.after, 2, "%s: %d", rules[i], flushes.after);
  }
}

Test(flushes, there_are_none_with_sync_off)
{
  skip_where_nothing_is_traced();
  world_env(&w, "IDEMSHIM_SYNC", "off");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  struct flushes flushes = trace("{\"a\":1}", true);
  cr_expect_eq(flushes.before + flushes.after, 0);
}

/* store-load callers: how many calls were made, with a disk that takes 5 ms for each flush. */
static long calls_of(struct run *r)
{
  run_wait(r);
  const char *calls = strstr(r->out, "calls ");
  cr_assert(r->status == 0 && calls, "%d: %s%s", r->status, r->out, r->err);
  long made = atol(calls + strlen("calls "));
  run_release(r);
  return made;
}

static struct run start_callers(const char *threads)
{
  return start_plain(&w, "env", world_text(&w, "LD_PRELOAD=%s/tests/slow_disk.so", w.build), "store-load",
                     w.store, "callers", threads, "1", NULL);
}

static long count_flushes(void)
{
  struct stat status;
  cr_assert_eq(stat(world_path(&w, "flushes"), &status), 0);
  return (long)status.st_size;
}

static void slow_down(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime comes before what is preloaded");
  world_env(&w, "STORE_LOAD_PATIENCE_MS", "60000");
  world_env(&w, "SLOW_DISK_US", "5000");
  world_env(&w, "SLOW_DISK_COUNT", "%s", world_path(&w, "flushes"));
  world_env(&w, "IDEMSHIM_SYNC", "on");
}

Test(flushes, threads_share_them)
{
  slow_down();
  struct run r = start_callers("16");
  long calls = calls_of(&r);
  cr_expect_lt(count_flushes(), calls, "%ld flushes for %ld calls", count_flushes(), calls);
}

Test(flushes, processes_share_them)
{
  enum { PROCESSES = 8 };
  struct run r[PROCESSES];
  long calls = 0;
  slow_down();
  for (int i = 0; i < PROCESSES; i++)
    r[i] = start_callers("2");
  for (int i = 0; i < PROCESSES; i++)
    calls += calls_of(&r[i]);
  cr_expect_lt(count_flushes(), calls, "%ld flushes for %ld calls", count_flushes(), calls);
}

/* While the first commit is under way, the answers of the others come, and go into the next. */
Test(flushes, the_calls_of_a_multi_share_them)
{
  enum { CALLS = 32 };
  skip_where_nothing_is_traced();
  if (run_plain(&w, "strace", "-o", "/dev/null", "-e", "inject=getpid:delay_enter=1", "true", NULL).status !=
      0)
    cr_skip_test("strace cannot delay system calls here");
  struct run r = run_plain(
      &w, "strace", "-f", "-qq", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=300000", "-E",
      world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", world_path(&w, "trace"), "sh", "-c",
      "url=$1; set --; while [ $# -lt 32 ]; do set -- \"$@\" \"{\\\"n\\\":$#}\"; done; exec multi_calls poll "
      "1 \"$url\" \"$@\"",
      "sh", world_url(&w, target), NULL);
  expect_success(&r);
  char *text = file_read(world_path(&w, "trace"), NULL);
  int flushes = count_of(text, "fdatasync(");
  cr_expect(flushes >= 1 && flushes < CALLS / 2, "%d: %s", flushes, text);
  cr_expect_eq(log_events(&w, "stored"), 1 + CALLS);
  free(text);
  run_release(&r);
}

/* Whatever it waits with: what has ended is told when another thread has written it. */
Test(flushes, the_loop_of_a_multi_makes_none)
{
  static const char *const loops[] = {"poll", "wait", "fdset", "sleep", "epoll", "all"};
  skip_where_nothing_is_traced();
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run r = run_plain(&w, "strace", "-f", "-qq", "-e", "trace=execve,fdatasync", "-E",
                             world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o",
                             world_path(&w, "trace"), "multi_calls", loops[i], "1", world_url(&w, target),
                             "{\"n\":1}", "{\"n\":2}", "{\"n\":3}", NULL);
    expect_success(&r);
    char *text = file_read(world_path(&w, "trace"), NULL);
    int flushes = 0, main_thread = atoi(text);
    for (const char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
      if (strstr(line, "fdatasync(")) {
        cr_expect_neq(atoi(line), main_thread, "%s: %s", loops[i], line);
        flushes++;
      }
    cr_expect_gt(flushes, 0, "%s", loops[i]);
    cr_expect(!strstr(r.out, "running") && !strstr(r.out, "messages"), "%s", r.out);
    cr_expect_eq(log_events(&w, "stored"), 1 + 3 * ((int)i + 1));
    free(text);
    run_release(&r);
  }
}
