/* SPDX-License-Identifier: MIT */
/* git over HTTP, which posts to its server but is nobody's LLM: it must not be touched. */
#include "tests/e2e/reach/trace.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct run server;

static void make_repository(const char *name)
{
  const char *path = world_path(&w, name);
  const char *make = world_text(
      &w, "git init -q --bare -b main '%s' && git -C '%s' config http.receivepack true", path, path);
  struct run made = run_shell_plain(&w, make);

  cr_assert_eq(made.status, 0, "%s", made.err);
  run_release(&made);
}

static bool server_is_ready(void)
{
  run_look(&server);
  return strchr(server.out, '\n');
}

/* Its rules want other paths of the very same server. */
static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 path=/v1/* method=GET,POST");
  struct run asked = run_shell_plain(&w, "command -v git");
  if (asked.status != 0)
    cr_skip_test("not installed: git");
  run_release(&asked);
  make_repository("plain.git");
  make_repository("shim.git");
  server = start_plain(&w, "/usr/bin/python3", "tests/clients/real/git_server.py", w.dir, NULL);
  wait_until(server_is_ready());
}

static void tear_down(void)
{
  run_release(&server);
  close_world();
}

TestSuite(real_git, .init = set_up, .fini = tear_down);

static struct run run_git(bool shim, const char *repository)
{
  const char *url = world_text(&w, "http://127.0.0.1:%d/%s", atoi(server.out), repository);
  const char *argv[] = {"tests/clients/real/git.sh", url, NULL};

  return run_argv(&w, shim, argv);
}

Test(real_git, clones_and_pushes_over_http_are_left_alone)
{
  struct run plain = run_git(false, "plain.git");
  struct run shim = run_git(true, "shim.git");

  expect_success(&plain);
  expect_success(&shim);
  cr_expect(strstr(plain.out, "\n1000\n"), "%s", plain.out);
  expect_same_output(&plain, &shim);
  cr_expect_null(file_read(w.log, NULL), "nothing is said of it");
  cr_expect_neq(access(w.store, F_OK), 0, "no store was made for it");
  run_release(&plain);
  run_release(&shim);
}

/* Into a copy of an empty repository, for making one tries things out under names of chance. Maintenance
 * would go on in the background while the copy is being removed. */
static const char fetch[] = "cp -r \"$HOME/shim.git\" \"$HOME/copy\" && "
                            "git -c maintenance.auto=false --git-dir=\"$HOME/copy\" fetch -q \"$1\" "
                            "main:main && rm -r \"$HOME/copy\"";

Test(real_git, a_fetch_asks_of_the_kernel_what_it_asks_without_us)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("sanitizers make system calls of their own");
  struct run filled = run_git(false, "plain.git");
  char url[128];

  expect_success(&filled);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/plain.git", atoi(server.out));
  const char *argv[] = {"sh", "-c", fetch, "sh", url, NULL};
  expect_same_trace(&w, argv);
  run_release(&filled);
}
