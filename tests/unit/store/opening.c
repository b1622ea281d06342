/* SPDX-License-Identifier: MIT */
/*
 * A process is killed while it opens a store, at each of its calls in turn, beside another one that is
 * opening it and has come to each of its locks. That one stores, and a third replays.
 */
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* Calls of this process so far, and the one before which it stops; 0: none. */
static _Atomic int calls, stops_at;
static bool counts_locks;

static void come_to_a_call(bool is_lock)
{
  if (stops_at && is_lock >= counts_locks && ++calls == stops_at)
    raise(SIGSTOP);
}

/* These stand before libc's for the store and for LMDB. */
EXPORT int open(const char *path, int flags, ...)
{
  va_list args;
  come_to_a_call(false);
  va_start(args, flags);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, va_arg(args, int));
  va_end(args);
  return fd;
}

EXPORT int fcntl(int fd, int command, ...)
{
  va_list args;
  come_to_a_call(command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK);
  va_start(args, command);
  int rc = (int)syscall(SYS_fcntl, fd, command, va_arg(args, void *));
  va_end(args);
  return rc;
}

EXPORT off_t lseek(int fd, off_t at, int from)
{
  come_to_a_call(false);
  return syscall(SYS_lseek, fd, at, from);
}

EXPORT int ftruncate(int fd, off_t len)
{
  come_to_a_call(false);
  return (int)syscall(SYS_ftruncate, fd, len);
}

static void set_up(void)
{
  open_fixture();
  idem_store_close(fixture.store);
  fixture.store = NULL;
  fixture.options.patience_ms = 30000;
}

TestSuite(store_opening, .init = set_up, .fini = close_fixture, .timeout = 600);

/* Opens it and asks. Ends with 0 if that has this verdict, or either where it is -1. */
static pid_t start(bool at_a_lock, int at, int verdict)
{
  struct idem_error error = {""};
  pid_t pid = fork();
  if (pid)
    return pid;
  counts_locks = at_a_lock;
  stops_at = at;
  int rc = idem_store_open(&fixture.store, &fixture.options, &error);
  stops_at = 0;
  if (rc < 0) {
    fprintf(stderr, "%s\n", error.text);
    _exit(1);
  }
  struct caller caller = caller_of(&fixture, "{}");
  int got = caller_ask(&caller, "{\"answer\":1}");
  idem_store_close(fixture.store);
  _exit(got == verdict || verdict < 0 ? 0 : 2);
}

static void wait_ms(long ms)
{
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* False: it had not so many calls, and has ended. */
static bool stops(pid_t pid)
{
  int status;
  cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
  cr_assert(WIFSTOPPED(status) || (WIFEXITED(status) && !WEXITSTATUS(status)), "%#x", (unsigned)status);
  return WIFSTOPPED(status);
}

static void expect_well(pid_t pid, int at, int other_at)
{
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_expect_eq(status, 0, "killed at call %d, the other one at lock %d", at, other_at);
}

/* The one that is killed may wait for the other before it comes to its call. How long each is waited for
 * decides how much is found, not whether it is well. False: one of them has no such call. */
static bool kill_at(int at, int other_at, int verdict)
{
  int status;
  pid_t other = start(true, other_at, verdict);
  bool both = stops(other);
  if (!both)
    return false;
  pid_t killed = start(false, at, verdict), ended = 0;
  /* Before its first lock the other one is in nobody's way. */
  for (int ms = 0; ms < 3 && !ended; ms++) {
    ended = waitpid(killed, &status, other_at > 1 ? WUNTRACED | WNOHANG : WUNTRACED);
    wait_ms(ended ? 0 : 1);
  }
  kill(other, SIGCONT);
  wait_ms(1);
  both = !ended || WIFSTOPPED(status);
  if (both) {
    kill(killed, SIGKILL);
    waitpid(killed, &status, 0);
  }
  expect_well(other, at, other_at);
  expect_well(start(false, 0, IDEM_HIT), at, other_at);
  return both;
}

static void forget(void)
{
  static const char *const files[] = {"data.mdb", "lock.mdb", "claims"};
  for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
    unlink(fixture_path(&fixture, files[i]));
}

static void kill_at_each(int verdict)
{
  for (int at = 1, both = 1; both; at++)
    for (int other = 1, goes_on = 1; goes_on; other++) {
      if (verdict < 0)
        forget();
      goes_on = kill_at(at, other, verdict);
      both = goes_on || other > 1;
      cr_assert(at > 10 || both, "it opens no store");
    }
}

/* It has an answer, and nobody has it open. */
Test(store_opening, that_is_killed_leaves_the_store_to_who_waits)
{
  expect_well(start(false, 0, IDEM_OWNED), 0, 0);
  kill_at_each(IDEM_HIT);
}

Test(store_opening, that_makes_the_store_and_is_killed_leaves_it_to_who_waits)
{
  kill_at_each(-1);
}
