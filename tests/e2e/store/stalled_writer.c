/* SPDX-License-Identifier: MIT */
/* Somebody writes to the store and does not go on: stopped, or its disk does not
 * answer. Nobody waits for it. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char target[] = "/v1/chat/completions", first[] = "{\"a\":1}", second[] = "{\"a\":2}";
static struct run stalled;

/* Who is writing; 0: nobody. */
static pid_t writer(void)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  char path[300];
  snprintf(path, sizeof path, "%s/data.mdb", w.store);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  bool held = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return held ? lock.l_pid : 0;
}

static struct run call(const char *body)
{
  return run_shim(&w, "curl", "-sS", "-d", body, world_url(&w, target), NULL);
}

static void open_slow_world(void)
{
  open_world();
  if (run_plain(&w, "strace", "-o", "/dev/null", "-e", "inject=getpid:delay_enter=1", "true", NULL).status !=
      0)
    cr_skip_test("strace cannot delay system calls here");
}

/* A command that hangs in the flush of its commit, as on a disk that does not answer. */
static void stall(void)
{
  struct run fill = call(first);
  expect_success(&fill);
  run_release(&fill);
  world_unset(&w, "IDEMSHIM_SYNC");
  stalled = start_plain(&w, "strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:delay_enter=600000000",
                        "idemshim", "rm", "--all", "--yes", NULL);
  wait_until(writer() != 0);
  world_env(&w, "IDEMSHIM_SYNC", "off");
  world_unset(&w, "IDEMSHIM_LOG");
}

static void set_up(void)
{
  open_slow_world();
  stall();
}

static void set_up_sealed(void)
{
  open_slow_world();
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
  stall();
}

static void end_writer(void)
{
  pid_t pid = writer();
  kill(stalled.pid, SIGKILL); /* who delays it; then it can end */
  if (pid > 0)
    kill(pid, SIGKILL);
  wait_until(writer() == 0);
}

static void tear_down(void)
{
  end_writer();
  run_release(&stalled);
  close_world();
}

TestSuite(stalled_writer, .init = set_up, .fini = tear_down);
TestSuite(stalled_writer_of_a_sealed_store, .init = set_up_sealed, .fini = tear_down);

TestSuite(slow_maker, .init = open_slow_world, .fini = close_world);

static void expect_live(void)
{
  pid_t holder = writer();
  struct run r = call(second);
  expect_success(&r);
  cr_expect(strstr(r.out, "chat.completion"), "%s", r.out);
  cr_expect_eq(writer(), holder, "the writer was not waited for");
  cr_expect(strstr(r.err, world_text(&w, "process %d is writing and has not gone on", (int)holder)), "%s",
            r.err);
  run_release(&r);
}

Test(stalled_writer, is_not_waited_for_and_named)
{
  expect_live();
  cr_expect_eq(mock_count(&w).requests, 2);
}

Test(stalled_writer, that_is_stopped_is_not_waited_for)
{
  kill(writer(), SIGSTOP);
  expect_live();
  cr_expect_eq(mock_count(&w).requests, 2);
}

/* One that is not answered in time has nothing to write. */
static bool has_no_time_to_wait(bool in_a_multi, int attempt)
{
  const char *prompt = world_text(&w, "{\"b\":%d}", attempt);
  struct run r = in_a_multi
                     ? run_shim(&w, "multi_calls", "epoll", "1", world_url(&w, target), prompt, NULL)
                     : run_shim(&w, "curl", "-sS", "-m", "0.15", "-d", prompt, world_url(&w, target), NULL);
  bool has = strstr(r.err, "the call's timeout leaves no time");
  run_release(&r);
  return has;
}

/* Half of what the call has is left to it. Whether that is enough is the server's matter. */
Test(stalled_writer, is_waited_for_no_longer_than_the_timeout_of_the_call_allows)
{
  world_env(&w, "TIMEOUT_MS", "150");
  for (int way = 0; way < 2; way++) {
    bool has = false;
    for (int i = 0; i < 20 && !has; i++)
      has = has_no_time_to_wait(way, 20 * way + i);
    cr_expect(has, "%s", way ? "multi" : "easy");
  }
}

Test(stalled_writer, keeps_no_answer_from_being_replayed)
{
  struct run r = call(first);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&r);
}

/* A claim needs no writer. One of the dead is known as such, too. */
Test(stalled_writer, has_at_most_once_calls_sent_once)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail rescue=0");
  struct run r = start_shim(&w, "curl", "-sS", "-d", second,
                            world_url(&w, "/v1/chat/completions?mock=latency_ms%3D60000"), NULL);
  wait_until(mock_count(&w).requests == 2);
  kill(r.pid, SIGKILL);
  run_wait(&r);
  run_release(&r);
  r = run_shim(&w, "curl", "-sS", "-d", second, world_url(&w, "/v1/chat/completions?mock=latency_ms%3D60000"),
               NULL);
  cr_expect(strstr(r.out, "\"status\"") != NULL, "%s%s", r.out, r.err);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&r);
}

/* It waits in the queue, and is given from there: to retries, and to those who wait for the call. */
static void expect_paid_once(void)
{
  enum { FOLLOWERS = 4 };
  struct run calls[1 + FOLLOWERS];
  mock_default(&w, "latency_ms=500");
  for (int i = 0; i < 1 + FOLLOWERS; i++)
    calls[i] = start_shim(&w, "curl", "-sS", "-d", second, world_url(&w, target), NULL);
  for (int i = 0; i < 1 + FOLLOWERS; i++)
    run_wait(&calls[i]);
  struct run again = call(second);
  cr_expect(strstr(again.out, "chat.completion"), "%s", again.out);
  for (int i = 0; i < 1 + FOLLOWERS; i++) {
    expect_success(&calls[i]);
    cr_expect_str_eq(calls[i].out, again.out);
    run_release(&calls[i]);
  }
  run_release(&again);
  cr_expect_neq(writer(), 0);
  cr_expect_eq(mock_count(&w).requests, 2);
}

Test(stalled_writer, has_no_answer_paid_for_again_that_waits_for_it)
{
  expect_paid_once();
}

Test(stalled_writer_of_a_sealed_store, has_no_answer_paid_for_again_that_waits_for_it)
{
  expect_paid_once();
}

static void expect_lines_of(const char *text, const char *lines)
{
  char *copy = strdup(lines), *place = NULL;
  for (char *line = strtok_r(copy, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
    cr_expect(strstr(text, line), "not \"%s\" but\n%s", line, text);
  free(copy);
}

/* The answers of both are there before either is given: each has its own. */
static void expect_both_from_the_queue(const char *script)
{
  struct run live, again;
  const char *url = world_url(&w, world_text(&w, "%s%s", target, script));
  live = run_shim(&w, "multi_calls", "epoll", "1", url, second, "{\"a\":3}", NULL);
  again = run_shim(&w, "multi_calls", "epoll", "1", url, second, "{\"a\":3}", NULL);
  expect_success(&live);
  expect_success(&again);
  expect_lines_of(again.out, live.out);
  cr_expect_neq(writer(), 0);
  cr_expect_eq(mock_count(&w).requests, 3);
  run_release(&live);
  run_release(&again);
}

Test(stalled_writer, has_answers_to_a_multi_that_wait_for_it_told_apart)
{
  expect_both_from_the_queue("");
}

Test(stalled_writer, has_long_answers_to_a_multi_that_wait_for_it_told_apart)
{
  expect_both_from_the_queue("?mock=size%3D60000");
}

Test(stalled_writer_of_a_sealed_store, has_answers_to_a_multi_that_wait_for_it_told_apart)
{
  expect_both_from_the_queue("");
}

static bool has_spilled(void)
{
  glob_t files;
  struct stat status;
  bool has = false;
  if (glob(world_text(&w, "%s/queue/*", w.store), 0, NULL, &files) == 0) {
    has = !stat(files.gl_pathv[0], &status) && status.st_size > 0;
    globfree(&files);
  }
  return has;
}

/* It may have a moment left, and be done with waiting: then it is as in the test above. */
Test(stalled_writer, has_no_answer_paid_for_again_whose_call_was_killed)
{
  struct run killed = start_shim(&w, "curl", "-sS", "-d", second, world_url(&w, target), NULL);
  wait_until(has_spilled());
  usleep(10000); /* and has said so in the page */
  kill(killed.pid, SIGKILL);
  run_wait(&killed);
  run_release(&killed);
  struct run r = call(second);
  expect_success(&r);
  cr_expect(strstr(r.out, "chat.completion"), "%s", r.out);
  cr_expect_neq(writer(), 0);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&r);
}

/* A process that cannot open its store goes without for a while. So one that others make on a
 * slow disk is waited for. */
Test(slow_maker, is_waited_for_by_those_who_come_meanwhile)
{
  enum { OTHERS = 4 };
  struct run others[OTHERS];
  world_unset(&w, "IDEMSHIM_SYNC");
  mock_default(&w, "latency_ms=500");
  struct run maker =
      start_plain(&w, "strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:delay_enter=300000", "env",
                  world_preload(&w), "curl", "-sS", "-d", second, world_url(&w, target), NULL);
  wait_until(writer() != 0);
  for (int i = 0; i < OTHERS; i++)
    others[i] = start_shim(&w, "curl", "-sS", "-d", second, world_url(&w, target), NULL);
  run_wait(&maker);
  expect_success(&maker);
  for (int i = 0; i < OTHERS; i++) {
    run_wait(&others[i]);
    expect_success(&others[i]);
    cr_expect_str_eq(others[i].out, maker.out);
    cr_expect_str_eq(others[i].err, "");
    run_release(&others[i]);
  }
  run_release(&maker);
  cr_expect_eq(mock_count(&w).requests, 1);
}

static bool naps(pid_t pid)
{
  char path[64];
  long number = -1;
  snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
  FILE *file = fopen(path, "re");
  bool naps = file && fscanf(file, "%ld", &number) == 1 && number == SYS_clock_nanosleep;
  if (file)
    fclose(file);
  return naps;
}

/* What was to be stored later and is gone by then is told where, why, and that it is paid for again; once. */
Test(stalled_writer, and_an_answer_that_cannot_be_read_any_more_is_told)
{
  struct run left = call(second);
  cr_expect(strstr(left.err, "the answer is stored when that goes on"), "%s", left.err);
  end_writer();
  glob_t files;
  cr_assert_eq(glob(world_text(&w, "%s/queue/*", w.store), 0, NULL, &files), 0);
  for (size_t i = 0; i < files.gl_pathc; i++)
    cr_assert_eq(truncate(files.gl_pathv[i], 0), 0);
  globfree(&files);
  struct run listed = run_plain(&w, "idemshim", "ls", NULL), told = call("{\"a\":3}"),
             again = call("{\"a\":4}"), paid = call(second);
  cr_expect_eq(listed.status, 0, "%s", listed.err);
  cr_expect(strstr(told.err, world_text(&w, "%s/queue/", w.store)) && strstr(told.err, "No data available") &&
                strstr(told.err, "paid for, again"),
            "%s", told.err);
  cr_expect_str_eq(again.err, "");
  expect_success(&paid);
  cr_expect_eq(mock_count(&w).requests, 5);
  run_release(&left);
  run_release(&listed);
  run_release(&told);
  run_release(&again);
  run_release(&paid);
}

/* Longer than it would have waited; then it waits on, until the maker is gone, and makes the store itself. */
Test(slow_maker, is_not_taken_for_stopped_by_who_was)
{
  world_unset(&w, "IDEMSHIM_SYNC");
  stalled = start_plain(&w, "strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:delay_enter=600000000",
                        "env", world_preload(&w), "curl", "-sS", "-d", first, world_url(&w, target), NULL);
  wait_until(writer() != 0);
  struct run r = start_shim(&w, "curl", "-sS", "-d", second, world_url(&w, target), NULL);
  wait_until(naps(r.pid));
  kill(r.pid, SIGSTOP);
  usleep(1200000);
  kill(r.pid, SIGCONT);
  wait_until(naps(r.pid) || mock_count(&w).requests > 0);
  end_writer();
  run_wait(&r);
  run_wait(&stalled);
  expect_success(&r);
  cr_expect_str_eq(r.err, "");
  struct run again = call(second);
  cr_expect_str_eq(again.out, r.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&again);
  run_release(&r);
  run_release(&stalled);
}

/* What was paid for while nobody could write is not lost: each of many answers is there once somebody can,
 * for the call itself that asks for it. */
Test(stalled_writer, that_is_gone_is_forgotten_and_no_answer_with_it)
{
  enum { CALLS = 20 };
  struct run calls[CALLS];
  for (int i = 0; i < CALLS; i++)
    calls[i] =
        start_shim(&w, "curl", "-sS", "-d", world_text(&w, "{\"call\":%d}", i), world_url(&w, target), NULL);
  for (int i = 0; i < CALLS; i++) {
    run_wait(&calls[i]);
    expect_success(&calls[i]);
    cr_expect(strstr(calls[i].err, "the answer is stored when that goes on"), "%s", calls[i].err);
  }
  end_writer();
  for (int i = 0; i < CALLS; i++) {
    struct run replayed = call(world_text(&w, "{\"call\":%d}", i));
    expect_success(&replayed);
    cr_expect_str_eq(calls[i].out, replayed.out);
    run_release(&replayed);
    run_release(&calls[i]);
  }
  cr_expect_eq(mock_count(&w).requests, 1 + CALLS);
}
