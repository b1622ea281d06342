/* SPDX-License-Identifier: MIT */
/* Processes that outlive the program that started them: a rescue, or a leak. */
#include "tests/harness/own.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void orphans_adopt(void)
{
  if (prctl(PR_SET_CHILD_SUBREAPER, 1))
    give_up("PR_SET_CHILD_SUBREAPER: %m");
}

int world_each_child(const struct world *w, int (*visit)(pid_t pid))
{
  char path[64];
  FILE *children;
  int pid, sum = 0;

  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  children = fopen(path, "re");
  if (!children)
    give_up("cannot read %s: %m", path);
  while (fscanf(children, "%d", &pid) == 1)
    if (pid != w->mock)
      sum += visit(pid);
  fclose(children);
  return sum;
}

static int is_living_orphan(pid_t pid)
{
  return !run_is_under_way(pid) && waitpid(pid, NULL, WNOHANG) == 0;
}

int world_orphans(const struct world *w)
{
  return world_each_child(w, is_living_orphan);
}

static int end_one(pid_t pid)
{
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return 1;
}

/* Again until there are none: the end of one may leave another. */
void orphans_kill(const struct world *w)
{
  while (world_each_child(w, end_one))
    ;
}
