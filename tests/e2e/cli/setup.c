/* SPDX-License-Identifier: MIT */
/* scripts/setup says what it installs, and how large that is, before it does. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(setup, .init = open_bare_world, .fini = close_world);

/* Programs in front of the real ones. No package is installed, and apt-get writes down
 * what it was asked for. */
static void put(const char *name, const char *text)
{
  mkdir(world_path(&w, "bin"), 0700);
  const char *path = world_write(&w, world_text(&w, "bin/%s", name), text, strlen(text));
  cr_assert_eq(chmod(path, 0700), 0);
}

static struct run setup(const char *sets)
{
  /* One that is installed and held is not missing. */
  put("dpkg-query", "#!/bin/sh\necho 'hi , make, '\n");
  put("sudo", "#!/bin/sh\nexec \"$@\"\n");
  put("apt-get", "#!/bin/sh\necho \"$*\" >> \"$HOME/asked\"\n"
                 "case $* in *--assume-no*) cat <<END; exit 1;; esac\n"
                 "0 upgraded, 106 newly installed, 0 to remove and 0 not upgraded.\n"
                 "Need to get 85.1 MB of archives.\n"
                 "After this operation, 367 MB of additional disk space will be used.\n"
                 "END\n");
  return run_shell_plain(&w, world_text(&w, "PATH=\"$HOME/bin:$PATH\" scripts/setup %s", sets));
}

Test(setup, it_says_what_it_installs_and_how_large_that_is)
{
  struct run r = setup("demo");

  expect_success(&r);
  cr_expect(strstr(r.out, "setup: installing gcc libc6-dev libcurl4-openssl-dev "), "%s", r.out);
  cr_expect(strstr(r.out, " (106 packages, 85.1 MB to fetch, 367 MB on the disk)\n"), "%s", r.out);
  run_release(&r);
}

Test(setup, the_languages_of_the_clients_are_asked_for_by_name)
{
  struct run test = setup("test");
  cr_expect_not(file_contains(world_path(&w, "asked"), "r-cran-curl"));
  struct run clients = setup("test clients");
  cr_expect(file_contains(world_path(&w, "asked"), "r-cran-curl"));
  expect_success(&test);
  expect_success(&clients);
  run_release(&test);
  run_release(&clients);
}
