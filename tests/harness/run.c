/* SPDX-License-Identifier: MIT */
#include "tests/harness/own.h"

#include "config/kernel.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ARGUMENTS = 64, RUNS = 512 };

static pid_t under_way[RUNS]; /* 0: a free place */

bool run_is_under_way(pid_t pid)
{
  for (size_t i = 0; i < RUNS; i++)
    if (under_way[i] == pid)
      return true;
  return false;
}

static void replace_under_way(pid_t old, pid_t new)
{
  size_t i = 0;

  while (i < RUNS && under_way[i] != old)
    i++;
  if (i == RUNS)
    give_up("more than %d programs at once", RUNS);
  under_way[i] = new;
}

void run_input(struct world *w, const void *bytes, size_t len)
{
  w->input = bytes;
  w->input_len = len;
}

/* The kernel locks no position of such a file: two programs that write at once would
 * write over each other. */
static int appended(int fd)
{
  if (fcntl(fd, F_SETFL, O_APPEND) < 0)
    give_up("O_APPEND: %m");
  return fd;
}

/* Output goes to memory and not through pipes: a child that outlives the program must not hold us up. */
static int memory(const char *name)
{
  int fd = memfd_create(name, MFD_CLOEXEC);

  if (fd < 0)
    give_up("memfd_create: %m");
  return fd;
}

static int input_of(struct world *w)
{
  int fd = memory("stdin");

  if (w->input_len && pwrite(fd, w->input, w->input_len, 0) != (ssize_t)w->input_len)
    give_up("cannot write a program's input: %m");
  run_input(w, NULL, 0);
  return fd;
}

const char *world_preload(struct world *w)
{
  const char *sanitizer = getenv("IDEM_SAN_PRELOAD");

  return world_text(w, "LD_PRELOAD=%s%s%s/libidemshim.so", sanitizer ? sanitizer : "", sanitizer ? ":" : "",
                    w->build);
}

/* In the child. The program dies with its test, whatever becomes of the test, and has three descriptors,
 * whatever the runner has open. */
static _Noreturn void become(const char *const *argv, char **env, int in, const struct run *run)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(in, STDIN_FILENO);
  dup2(run->out_fd, STDOUT_FILENO);
  dup2(run->err_fd, STDERR_FILENO);
  idem_close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  environ = env;
  execvp(*argv, (char *const *)(uintptr_t)argv);
  dprintf(STDERR_FILENO, "harness: cannot run %s: %m\n", *argv);
  _exit(127);
}

struct run start_argv(struct world *w, bool shim, const char *const *argv)
{
  struct run run = {.status = -1, .out_fd = appended(memory("stdout")), .err_fd = memory("stderr")};
  char **env = world_environment(w, shim ? world_preload(w) : NULL);
  int in = input_of(w);

  clock_gettime(CLOCK_MONOTONIC, &run.started);
  run.pid = fork();
  if (!run.pid)
    become(argv, env, in, &run);
  if (run.pid < 0)
    give_up("fork: %m");
  replace_under_way(0, run.pid);
  close(in);
  free(env);
  return run;
}

static void look(int fd, char **text, size_t *len)
{
  struct stat info;

  if (fstat(fd, &info) || !(*text = realloc(*text, (size_t)info.st_size + 1)))
    give_up("cannot look at a program's output: %m");
  *len = 0;
  while (*len < (size_t)info.st_size) {
    ssize_t n = pread(fd, *text + *len, (size_t)info.st_size - *len, (off_t)*len);
    if (n <= 0)
      break;
    *len += (size_t)n;
  }
  (*text)[*len] = 0;
}

void run_look(struct run *run)
{
  look(run->out_fd, &run->out, &run->out_len);
  look(run->err_fd, &run->err, &run->err_len);
}

void run_signal(struct run *run, int signal)
{
  if (run->pid)
    kill(run->pid, signal);
}

int64_t run_deadline_ms(void)
{
  const char *longer = getenv("IDEM_RUN_DEADLINE_MS");

  return longer ? atol(longer) : RUN_DEADLINE_MS;
}

static bool ends_in_time(const struct run *run)
{
  struct pollfd end = {.fd = idem_pidfd_open(run->pid), .events = POLLIN};
  int64_t left = run_deadline_ms() - ms_since(&run->started);
  int ready;

  if (end.fd < 0)
    give_up("pidfd_open: %m");
  do
    ready = poll(&end, 1, left > 0 ? (int)left : 0);
  while (ready < 0 && errno == EINTR);
  close(end.fd);
  return ready > 0;
}

void run_wait(struct run *run)
{
  int status;

  if (!run->pid)
    return;
  run->timed_out = !ends_in_time(run);
  if (run->timed_out)
    kill(run->pid, SIGKILL);
  while (waitpid(run->pid, &status, 0) < 0)
    if (errno != EINTR)
      give_up("waitpid: %m");
  run->ms = ms_since(&run->started);
  replace_under_way(run->pid, 0);
  run->pid = 0;
  run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  run_look(run);
}

struct run run_argv(struct world *w, bool shim, const char *const *argv)
{
  struct run run = start_argv(w, shim, argv);

  run_wait(&run);
  return run;
}

void run_release(struct run *run)
{
  run_signal(run, SIGKILL);
  run_wait(run);
  free(run->out);
  free(run->err);
  if (run->out_fd)
    close(run->out_fd);
  if (run->err_fd)
    close(run->err_fd);
  *run = (struct run){.status = -1};
}

/* Argument lists. */

static void collect(const char **argv, const char *program, va_list more)
{
  size_t n = 0;

  argv[n++] = program;
  while ((argv[n] = va_arg(more, const char *)))
    if (++n == ARGUMENTS)
      give_up("more than %d arguments", ARGUMENTS - 1);
}

#define DEFINE_RUN(name, how, shim)                                                                          \
  struct run name(struct world *w, const char *program, ...)                                                 \
  {                                                                                                          \
    const char *argv[ARGUMENTS];                                                                             \
    va_list more;                                                                                            \
                                                                                                             \
    va_start(more, program);                                                                                 \
    collect(argv, program, more);                                                                            \
    va_end(more);                                                                                            \
    return how(w, shim, argv);                                                                               \
  }

DEFINE_RUN(run_shim, run_argv, true)
DEFINE_RUN(run_plain, run_argv, false)
DEFINE_RUN(start_shim, start_argv, true)
DEFINE_RUN(start_plain, start_argv, false)

struct run run_shell(struct world *w, const char *script)
{
  return run_shim(w, "sh", "-c", script, NULL);
}

struct run run_shell_plain(struct world *w, const char *script)
{
  return run_plain(w, "sh", "-c", script, NULL);
}

static bool has_terminals(void)
{
  int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  bool can = fd >= 0 && !grantpt(fd) && !unlockpt(fd) && !access(ptsname(fd), R_OK | W_OK);

  if (fd >= 0)
    close(fd);
  return can;
}

struct run run_terminal(struct world *w, int columns, const char *script)
{
  if (!has_terminals())
    cr_skip_test("no terminal can be made here");
  return run_shell_plain(w, world_text(w, "script -qec 'stty cols %d && %s' /dev/null", columns, script));
}

bool run_sleeps_on_a_futex(pid_t pid)
{
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
  FILE *file = fopen(path, "r");
  long call = -1;
  bool sleeps = file && fscanf(file, "%ld", &call) == 1 && call == SYS_futex;
  if (file)
    fclose(file);
  return sleeps;
}
