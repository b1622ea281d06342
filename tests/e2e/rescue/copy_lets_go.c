/* SPDX-License-Identifier: MIT */
/* What a copy of a program does not keep of it, when there is none, and what people see of one. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "POST_TIMEOUT_MS", "300");
}

TestSuite(rescue_limits, .init = set_up, .fini = close_world, .timeout = 120);

static const char body[] = "{\"model\":\"m\",\"messages\":[]}";

/* The copy lives until mock_release(). */
static const char *held_url(void)
{
  return world_url(&w, "/v1/chat/completions?mock=hold%3D1,chunk%3D50");
}

static struct run hold(const char *what)
{
  struct run run = start_shim(&w, "holds", what, held_url(), body, NULL);
  wait_until((run_look(&run), strstr(run.out, "held=") || strstr(run.out, "refused")));
  if (strstr(run.out, "refused"))
    cr_skip_test("%s: %s", what, run.out);
  cr_expect(strstr(run.out, "call rc=28"), "%s", run.out);
  return run;
}

static void end(struct run *run)
{
  run_signal(run, SIGKILL);
  run_wait(run);
  mock_release(&w, 1000);
  wait_until(world_orphans(&w) == 0);
  run_release(run);
}

/* A file of /proc, which says that it has no bytes. */
static const char *proc_text(int pid, const char *name)
{
  static char text[1 << 18];
  FILE *file = fopen(world_text(&w, "/proc/%d/%s", pid, name), "re");
  size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
  text[len] = '\0';
  if (file)
    fclose(file);
  return text;
}

/* The child of this process that has this name, or 0. */
static int copy_named(const char *name)
{
  int pid, found = 0;
  FILE *children = fopen(world_text(&w, "/proc/self/task/%d/children", (int)getpid()), "re");
  while (children && !found && fscanf(children, "%d", &pid) == 1)
    if (strncmp(proc_text(pid, "comm"), name, strlen(name)) == 0)
      found = pid;
  if (children)
    fclose(children);
  return found;
}

/* The copy, whose name is the last that it gets. */
static int copy_of(const char *name)
{
  int copy;
  wait_until((copy = copy_named(name)));
  return copy;
}

static bool has_mapped(int pid, const char *name)
{
  return strstr(proc_text(pid, "maps"), name);
}

static bool has_open(int pid, const char *name)
{
  char target[256];
  for (int fd = 0; fd < 256; fd++) {
    ssize_t len = readlink(world_text(&w, "/proc/%d/fd/%d", pid, fd), target, sizeof(target) - 1);
    target[len > 0 ? len : 0] = '\0';
    if (strstr(target, name))
      return true;
  }
  return false;
}

/* The program has it, and its copy does not. */
static void expect_let_go(const struct run *run, const char *name, bool opened)
{
  int copy = copy_of("idemshim-rescue");
  cr_expect(has_mapped(run->pid, name));
  cr_expect(!has_mapped(copy, name));
  cr_expect_eq(has_open(run->pid, name), opened);
  wait_until(!has_open(copy, name));
}

/* PostgreSQL does not start while somebody is attached to what a crashed one has left. */
Test(rescue_limits, a_segment_is_gone_with_its_program_while_the_copy_lives)
{
  struct run run = hold("shm");
  struct shmid_ds status;
  int id = atoi(strstr(run.out, "held=") + 5);
  cr_assert_eq(shmctl(id, IPC_STAT, &status), 0);
  cr_expect_eq(status.shm_nattch, 1);
  expect_let_go(&run, "/SYSV", false);
  run_signal(&run, SIGKILL);
  run_wait(&run);
  cr_expect_eq(world_orphans(&w), 1);
  cr_expect(shmctl(id, IPC_STAT, &status) < 0 && (errno == EINVAL || errno == EIDRM));
  end(&run);
  cr_expect_eq(log_events(&w, "rescued"), 1);
}

Test(rescue_limits, a_ring_is_closed_with_its_program_while_the_copy_lives)
{
  struct run run = hold("io_uring");
  expect_let_go(&run, "[io_uring]", true);
  end(&run);
  cr_expect_eq(log_events(&w, "rescued"), 1);
}

/* Stands in for a GPU: what counts is the name under /dev. */
Test(rescue_limits, a_device_is_closed_and_unmapped_in_the_copy)
{
  static const char mount[] = "unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none /dev/pts'";
  struct run able = run_shell_plain(&w, mount);
  if (able.status != 0)
    cr_skip_test("no user namespaces here");
  run_release(&able);
  const char *script = world_text(
      &w, "mount -t tmpfs none /dev/pts && exec holds file '%s' '%s' /dev/pts/nvidia0", held_url(), body);
  struct run run =
      start_shim(&w, "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, NULL);
  wait_until((run_look(&run), strstr(run.out, "held=")));
  expect_let_go(&run, "nvidia0", true);
  end(&run);
  cr_expect_eq(log_events(&w, "rescued"), 1);
}

Test(rescue_limits, memory_that_is_a_file_stays)
{
  struct run run = start_shim(&w, "holds", "file", held_url(), body, world_path(&w, "mapped-file"), NULL);
  wait_until((run_look(&run), strstr(run.out, "held=")));
  int copy = copy_of("idemshim-rescue");
  cr_expect(has_mapped(copy, "mapped-file"));
  wait_until(!has_open(copy, "mapped-file"));
  end(&run);
}

static void expect_no_copy(struct run *run, const char *reason)
{
  cr_expect_eq(world_orphans(&w), 0);
  cr_expect_eq(log_events(&w, "rescue"), 0);
  cr_expect(log_contains(&w, reason));
  end(run);
}

Test(rescue_limits, there_is_no_copy_where_a_segment_cannot_be_let_go)
{
  struct run run = hold("sealed");
  expect_no_copy(&run, "its shared memory, io_uring or devices cannot be let go");
}

Test(rescue_limits, there_is_no_copy_of_a_program_that_is_too_large)
{
  world_env(&w, "IDEMSHIM_RESCUE_SIZE", "48M");
  struct run run = hold("memory");
  expect_no_copy(&run, "not rescued: the program is larger than IDEMSHIM_RESCUE_SIZE");
}

Test(rescue_limits, there_is_one_where_the_limit_is_larger_than_the_program)
{
  struct run run = hold("memory");
  cr_expect_eq(world_orphans(&w), 1);
  end(&run);
  cr_expect_eq(log_events(&w, "rescued"), 1);
}

/* It begins as the program's own. */
static void expect_named(int copy, const char *name, pid_t owner)
{
  const char *wanted = world_text(&w, "%s of %d (holds)", name, owner);
  wait_until(strcmp(proc_text(copy, "cmdline"), "holds") != 0);
  cr_expect_str_eq(proc_text(copy, "cmdline"), wanted);
}

Test(rescue_limits, a_copy_says_what_it_is_and_whose)
{
  struct run run = hold("memory");
  int copy = copy_of("idemshim-rescue");
  expect_named(copy, "idemshim-rescue", run.pid);
  end(&run);
}

Test(rescue_limits, a_guard_says_so_until_it_takes_the_call_over)
{
  world_unset(&w, "POST_TIMEOUT_MS");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 guard=on");
  world_env(&w, "IDEMSHIM_GUARD_SIZE", "4G"); /* a program under a sanitizer is large */
  struct run run =
      start_shim(&w, "holds", "memory", world_url(&w, "/v1/x?mock=gate%3Dg,gate_first%3D1"), body, NULL);
  pid_t owner = run.pid;
  expect_named(copy_of("idemshim-guard"), "idemshim-guard", owner);
  run_signal(&run, SIGKILL);
  run_wait(&run);
  expect_named(copy_of("idemshim-rescue"), "idemshim-rescue", owner);
  mock_open(&w, "g");
  end(&run);
}
