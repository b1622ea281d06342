/* SPDX-License-Identifier: MIT */
/* What an app does with its multi while a thread of ours stores the answer of a call that has ended: it is
 * told when that is done, nothing of it is lost, and nobody waits without end. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char target[] = "/v1/chat/completions?mock=size%3D5000";
static const char large[] = "/v1/chat/completions?mock=size%3D1000000";

/* Each flush takes a while: that is how it is come upon. */
static void set_up(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
  open_world();
  world_unset(&w, "IDEMSHIM_SYNC");
  if (run_plain(&w, "strace", "-o", "/dev/null", "-e", "inject=getpid:delay_enter=1", "true", NULL).status !=
      0)
    cr_skip_test("strace cannot delay system calls here");
  /* What a new store costs is no matter here. */
  struct run r = run_shim(&w, "curl", "-sS", "-d", "{\"first\":1}", world_url(&w, target), NULL);
  expect_success(&r);
  run_release(&r);
  mock_reset(&w);
}

TestSuite(storing, .init = set_up, .fini = close_world, .timeout = 120);

static struct run storing(const char *name, const char *loop, const char *at, const char *inject)
{
  return run_plain(&w, "strace", "-f", "-qq", "-e", "trace=fdatasync,clone,clone3,execve", "-e", inject, "-E",
                   world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", world_path(&w, "trace"),
                   "storing", name, loop, world_url(&w, at), NULL);
}

static const char slow[] = "inject=fdatasync:delay_enter=700000";

/* The same call again: it is a replay, or goes out. */
static void expect_again(int requests)
{
  struct run r = run_shim(&w, "storing", "nothing", "poll", world_url(&w, target), NULL);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, requests, "%ld", mock_count(&w).requests);
  run_release(&r);
}

static void expect_stored(const char *name, const char *loop, const char *out)
{
  mock_reset(&w);
  world_env(&w, "IDEMSHIM_SCOPE", "%s-%s", name, loop);
  struct run r = storing(name, loop, target, slow);
  expect_success(&r);
  cr_expect(strncmp(r.out, "storing: 1\nrunning: 1\n", 22) == 0, "%s, %s: %s", name, loop, r.out);
  cr_expect(strstr(r.out, out), "%s, %s: %s", name, loop, r.out);
  run_release(&r);
  expect_again(1);
}

static const char told[] = "call rc=0 status=200 bytes=";

Test(storing, whatever_the_loop_waits_with_it_is_woken_once)
{
  static const char *const loops[] = {"poll", "wait", "fdset", "epoll", "socket", "all", "waitfds"};
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
    if (!strcmp(loops[i], "waitfds") && libcurl_version() < 0x080800)
      continue;
    expect_stored("nothing", loops[i], told);
    struct run r = storing("nothing", loops[i], "/v1/chat/completions?mock=size%3D5001", slow);
    cr_expect(strstr(r.out, "turns without a reason: 0\nrunning: 0\n"), "%s: %s", loops[i], r.out);
    run_release(&r);
  }
}

/* Each look sets the wake, for an hour where no call has a deadline: it is set for the first, and when some
 * have been stored, and not at the end of each of those that end one by one meanwhile. */
Test(storing, those_that_wait_are_looked_at_when_some_have_been_stored)
{
  enum { CALLS = 60, LOOKS_MOST = 10 };
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=auto");
  world_env(&w, "TIMES", "%d", CALLS);
  world_env(&w, "LIMIT", "1");
  struct run r = run_plain(&w, "strace", "-f", "-qq", "-e", "trace=fdatasync,timerfd_settime", "-e", slow,
                           "-E", world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o",
                           world_path(&w, "trace"), "multi_calls", "poll", "1",
                           world_url(&w, "/v1/chat/completions?mock=latency_ms%3D2"), "{\"n\":3}", NULL);
  expect_success(&r);
  char *trace = file_read(world_path(&w, "trace"), NULL);
  cr_expect_eq(log_events(&w, "stored"), CALLS + 1);
  cr_expect_gt(count_of(trace, "{tv_sec=0, tv_nsec=1}"), CALLS / 2, "%s", trace);
  int looks = count_of(trace, "{tv_sec=3600, tv_nsec=0}");
  cr_expect(looks > 0 && looks <= LOOKS_MOST, "%d looks at %d calls", looks, CALLS);
  free(trace);
  run_release(&r);
}

Test(storing, is_running_in_what_libcurl_counts)
{
  need_libcurl(0x081000, "curl_multi_get_offt()");
  struct run r = storing("count", "poll", target, slow);
  expect_success(&r);
  cr_expect(strstr(r.out, "running: 1\ntransfers running: 1\ntransfers done: 0\ntransfers added: 1\n"), "%s",
            r.out);
  cr_expect(strstr(r.out, "running: 0\ntransfers running: 0\ntransfers done: 1\ntransfers added: 1\n"), "%s",
            r.out);
  run_release(&r);
}

Test(storing, a_handle_that_is_taken_out_or_cleaned_up_leaves_its_answer)
{
  static const char *const loops[] = {"poll", "epoll"};
  for (int i = 0; i < 2; i++) {
    expect_stored("take-out", loops[i], "messages: 0");
    expect_stored("clean-up-handle", loops[i], "messages: 0");
    expect_stored("clean-up-multi", loops[i], "");
    expect_stored("reset", loops[i], "call rc=0 status=0 bytes=4");
    expect_stored("add-again", loops[i], "add: 7\nperform: 2\n");
  }
}

Test(storing, a_program_that_calls_exit_leaves_it_too)
{
  expect_stored("end", "poll", "");
}

/* And one that turns its multi while it ends waits for it there. */
Test(storing, what_ends_in_an_exit_handler_is_left_too)
{
  mock_reset(&w);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 rescue=off");
  struct run r = storing("end-with-handler", "poll", target, slow);
  expect_success(&r);
  run_release(&r);
  cr_expect_eq(log_events(&w, "stored"), 3);
  cr_expect_eq(mock_count(&w).requests, 2);
  r = run_shim(&w, "curl", "-sS", "-d", "{\"n\":2}", world_url(&w, target), NULL);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&r);
}

/* What is not on the disk is in doubt, and goes out again under its key. */
Test(storing, what_ends_at_once_or_becomes_another_program_leaves_a_claim_at_most)
{
  static const char *const names[] = {"end-at-once", "become-another"};
  for (int i = 0; i < 2; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", names[i]);
    struct run r = storing(names[i], "poll", target, slow);
    expect_success(&r);
    run_release(&r);
    expect_again(2);
    expect_again(2);
  }
}

Test(storing, a_child_has_no_part_in_it)
{
  world_env(&w, "IDEMSHIM_SCOPE", "child");
  struct run r = storing("make-child", "epoll", target, slow);
  expect_success(&r);
  cr_expect(strstr(r.out, "child: 1\nchild: 1\nchild: 1\nchild: 1\n"), "%s", r.out);
  cr_expect(strstr(r.out, told), "%s", r.out);
  run_release(&r);
  expect_again((int)mock_count(&w).requests);
}

Test(storing, its_thread_takes_no_signal_and_goes_when_there_is_nothing_to_do)
{
  struct run r = storing("signals", "poll", target, slow);
  expect_success(&r);
  cr_expect(strstr(r.out, "blocks: 1\ncall rc=0 "), "%s", r.out);
  cr_expect(strstr(r.out, "threads: 0\n"), "%s", r.out);
  run_release(&r);
}

/* It is told all the same, though nothing wakes its loop. */
Test(storing, an_app_that_closes_what_it_does_not_know_has_its_own_there)
{
  struct run r = storing("close-timer", "poll", target, slow);
  expect_success(&r);
  cr_expect(strstr(r.out, "found: 1\n") && strstr(r.out, told), "%s", r.out);
  cr_expect(strstr(r.out, "own timer: 1\n"), "%s", r.out);
  run_release(&r);
  expect_again(1);
}

/* As soon as the app is told, it has the threads of before. */
Test(storing, an_app_that_is_told_is_alone)
{
  static const char *const loops[] = {"poll", "epoll"};
  for (int i = 0; i < 2; i++) {
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    struct run r = storing("alone", loops[i], target, "inject=fdatasync:delay_enter=100000");
    expect_success(&r);
    cr_expect(strstr(r.out, "threads: 0\nalone: 1\n"), "%s", r.out);
    run_release(&r);
  }
}

/* How often the main thread flushes. */
static int own_flushes(void)
{
  char *text = file_read(world_path(&w, "trace"), NULL);
  int flushes = 0, main_thread = atoi(text);
  for (const char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    flushes += strstr(line, "fdatasync(") && atoi(line) == main_thread;
  free(text);
  return flushes;
}

Test(storing, where_no_thread_can_be_made_the_loop_does_it)
{
  struct run r = storing("nothing", "poll", target, "inject=clone,clone3:error=EAGAIN");
  expect_success(&r);
  cr_expect(strstr(r.out, told) && strstr(r.out, "storing: 0"), "%s", r.out);
  cr_expect_gt(own_flushes(), 0);
  run_release(&r);
  expect_again(1);
}

/* Such an app may look at no socket but its own; and who waits for notifications looks for
 * messages at no other time. */
Test(storing, where_the_app_would_not_be_woken_the_loop_does_it)
{
  static const char *const names[] = {"OPENS", "NOTIFIED"};
  for (int i = 0; i < (libcurl_version() < 0x081100 ? 1 : 2); i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", names[i]);
    world_env(&w, names[i], "1");
    struct run r = storing("nothing", "epoll", target, "inject=fdatasync:delay_enter=1");
    expect_success(&r);
    cr_expect(strstr(r.out, told) && strstr(r.out, "storing: 0"), "%s: %s", names[i], r.out);
    cr_expect_gt(own_flushes(), 0);
    run_release(&r);
    expect_again(1);
  }
}

Test(storing, a_large_answer_is_its_threads_too)
{
  struct run r = storing("nothing", "poll", large, slow);
  expect_success(&r);
  cr_expect(strstr(r.out, "storing: 1") && strstr(r.out, "call rc=0 status=200 bytes=9"), "%s", r.out);
  cr_expect_eq(own_flushes(), 0);
  run_release(&r);
}

/* A disk that does not keep up is waited for, rather than that memory is filled with what it should
 * have; and nothing is lost. */
Test(storing, not_more_than_so_much_waits_for_the_disk)
{
  struct run r = storing("many", "poll", "/v1/chat/completions?mock=size%3D4000000",
                         "inject=fdatasync:delay_enter=1500000");
  expect_success(&r);
  cr_expect(strstr(r.out, "many: 16\n"), "%s", r.out);
  cr_expect(strstr(r.out, "enough: 1\n"), "%s", r.out);
  cr_expect_eq(log_events(&w, "stored"), 1 + 1 + 16);
  cr_expect_eq(own_flushes(), 0);
  run_release(&r);
}

/* A flush of six seconds: at the end of its timeout the app has its answer, and is told what it is worth. */
Test(storing, the_app_does_not_wait_past_its_timeout)
{
  static const char *const loops[] = {"poll", "epoll"};
  for (int i = 0; i < 2; i++) {
    mock_reset(&w);
    world_env(&w, "IDEMSHIM_SCOPE", "%s", loops[i]);
    world_env(&w, "TIMEOUT_MS", "3000");
    struct run r = storing("nothing", loops[i], target, "inject=fdatasync:delay_enter=6000000");
    expect_success(&r);
    cr_expect(strstr(r.out, told), "%s", r.out);
    cr_expect(log_contains(&w, "not safe yet"));
    run_release(&r);
    expect_again(1);
  }
}

Test(storing, who_follows_does_not_wait_for_the_loop)
{
  struct run owner = start_shim(&w, "storing", "stand-still", "poll", world_url(&w, target), NULL);
  wait_until((run_look(&owner), strstr(owner.out, "running: ")));
  expect_again(1);
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  run_release(&owner);
}
