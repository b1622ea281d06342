/* SPDX-License-Identifier: MIT */
/* Where a service's answers are: in what systemd has made for it, and in no home of another user. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Others must reach the objects, wherever this is built. */
static void set_up(void)
{
  open_world();
  if (geteuid() != 0)
    cr_skip_test("only root can become another user");
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_unset(&w, "IDEMSHIM_STORE");
  world_env(&w, "BUILD", "%s", w.build);
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  struct run run = run_shell_plain(
      &w, "cp \"$BUILD\"/libidemshim*.so \"$BUILD/idemshim\" \"$HOME\" && chmod 755 \"$HOME\" "
          "&& touch \"$IDEMSHIM_LOG\" && chmod 666 \"$IDEMSHIM_LOG\"");
  expect_success(&run);
  run_release(&run);
}

TestSuite(whose_store, .init = set_up, .fini = close_world);

#define AS_NOBODY "setpriv --reuid 65534 --regid 65534 --clear-groups "
#define CALL      "env LD_PRELOAD=\"$HOME/libidemshim.so\" curl -sS -d '{}' \"$URL\" && "

Test(whose_store, is_where_systemd_has_made_a_place_and_commands_find_it)
{
  struct run run =
      run_shell_plain(&w, "mkdir \"$HOME/cache\" && chown 65534 \"$HOME/cache\" && export "
                          "CACHE_DIRECTORY=\"$HOME/cache:/other\" && " AS_NOBODY CALL AS_NOBODY CALL AS_NOBODY
                          "\"$HOME/idemshim\" ls && " AS_NOBODY "\"$HOME/idemshim\" check");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", run.err);
  cr_expect(strstr(run.out, "/v1/chat/completions"), "%s", run.out);
  cr_expect(strstr(run.out, "/cache/idemshim  found by CACHE_DIRECTORY"), "%s", run.out);
  cr_expect_eq(access(world_path(&w, "cache/idemshim/data.mdb"), F_OK), 0);
  run_release(&run);
}

Test(whose_store, that_cannot_be_made_is_told_with_the_first_errno_and_the_way_out)
{
  world_unset(&w, "IDEMSHIM_LOG");
  struct run run = run_shell_plain(&w, "mkdir \"$HOME/roots\" && export HOME=\"$HOME/roots\" "
                                       "CACHE_DIRECTORY=\"$HOME/roots\" BACK=\"$HOME\" && cd / && " AS_NOBODY
                                       "env LD_PRELOAD=\"$BACK/libidemshim.so\" curl -sS -d '{}' \"$URL\"");
  expect_success(&run);
  cr_expect(strstr(run.out, "chat.completion"), "%s", run.out);
  cr_expect(
      strstr(run.err, "/roots/idemshim: Permission denied; IDEMSHIM_STORE=DIR names a place for uid 65534"),
      "%s", run.err);
  run_release(&run);
}

Test(whose_store, in_a_read_only_home_is_told_by_calls_and_by_check)
{
  world_unset(&w, "IDEMSHIM_LOG");
  struct run run = run_shell_plain(&w, "unshare -m true || exit 77; mkdir \"$HOME/ro\" && unshare -m sh -c "
                                       "'mount -t tmpfs -o ro none \"$HOME/ro\" && "
                                       "export LIBRARY=\"$HOME/libidemshim.so\" HOME=\"$HOME/ro\" && "
                                       "LD_PRELOAD=$LIBRARY curl -sS -d {} \"$URL\" && "
                                       "idemshim check'");
  if (run.status == 77)
    cr_skip_test("no mount namespace can be made here");
  cr_expect_eq(run.status, 3, "a store that cannot be used is what check says: %d", run.status);
  cr_expect(strstr(run.out, "chat.completion"), "%s", run.out);
  cr_expect(strstr(run.err, "/ro/.cache: Read-only file system; IDEMSHIM_STORE=DIR names a place for uid 0"),
            "%s", run.err);
  cr_expect(strstr(run.out, "/ro: Read-only file system; IDEMSHIM_STORE=DIR names a place for uid 0"), "%s",
            run.out);
  run_release(&run);
}

Test(whose_store, is_ones_own_whatever_the_umask_is)
{
  struct run run = run_shell_plain(&w, "mkdir \"$HOME/cache\" && chown 65534 \"$HOME/cache\" && export "
                                       "IDEMSHIM_STORE=\"$HOME/cache/store\" && " AS_NOBODY
                                       "sh -c 'umask 0777 && " CALL CALL "\"$HOME/idemshim\" verify'");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", run.err);
  cr_expect(strstr(run.out, "1 answer "), "%s", run.out);
  run_release(&run);
}

Test(whose_store, on_a_medium_that_cannot_be_written_is_read_and_not_changed)
{
  struct run run = run_shell_plain(
      &w,
      "unshare -m true || exit 77; mkdir \"$HOME/medium\" && export IDEMSHIM_STORE=\"$HOME/medium/store\" "
      "&& " CALL "unshare -m sh -c 'mount --bind \"$HOME/medium\" \"$HOME/medium\" && "
      "mount -o remount,bind,ro \"$HOME/medium\" && idemshim ls && idemshim stats && idemshim verify && "
      "idemshim show $(idemshim ls --json | grep -o \"[0-9a-f]\\{16\\}\" | head -n 1) && "
      "{ idemshim explain || [ $? -eq 1 ]; }; code=$?; idemshim gc; idemshim rm --all --yes; exit $code'");
  if (run.status == 77)
    cr_skip_test("no mount namespace can be made here");
  expect_success(&run);
  cr_expect(strstr(run.out, "/v1/chat/completions"), "%s", run.out);
  cr_expect(strstr(run.out, "stored                   1"), "the counters as they were: %s", run.out);
  cr_expect(strstr(run.err, "gc: "), "%s", run.err);
  cr_expect(strstr(run.err, "rm: "), "%s", run.err);
  cr_expect(strstr(run.err, "/medium/store: Read-only file system"), "%s", run.err);
  run_release(&run);
}

/* What a link in it leads to is the user's alone. */
Test(whose_store, of_another_user_is_read_by_root_as_that_user)
{
  struct run run = run_shell_plain(
      &w,
      "export IDEMSHIM_STORE=\"$HOME/cache/store\" && mkdir \"$HOME/cache\" && chown 65534 \"$HOME/cache\" "
      "&& " AS_NOBODY CALL "cd \"$HOME\" && idemshim ls && idemshim stats && idemshim verify && "
      "idemshim show $(idemshim ls --json | grep -o '[0-9a-f]\\{16\\}' | head -n 1) && "
      "{ idemshim explain || [ $? -eq 1 ]; } && ! find \"$IDEMSHIM_STORE\" ! -user 65534 | grep . && "
      "rm \"$IDEMSHIM_STORE/lock.mdb\" && echo precious >\"$HOME/roots\" && "
      "ln -s \"$HOME/roots\" \"$IDEMSHIM_STORE/lock.mdb\" && idemshim ls; grep -x precious \"$HOME/roots\"");
  expect_success(&run);
  cr_expect(strstr(run.out, "/v1/chat/completions"), "%s", run.out);
  cr_expect(strstr(run.out, "0 damaged"), "%s%s", run.out, run.err);
  run_release(&run);
}

Test(whose_store, of_another_user_is_changed_by_that_user_alone)
{
  static const char *const commands[] = {"gc", "rm --all --yes"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run run =
        run_shell_plain(&w, world_text(&w,
                                       "mkdir -p -m 700 \"$HOME/store\" && chown 65534 \"$HOME/store\" && "
                                       "idemshim %s --store \"$HOME/store\"",
                                       commands[i]));
    cr_expect_eq(run.status, 3);
    cr_expect(strstr(run.err, "/store: belongs to another user (uid 65534); look as its user: sudo -u "),
              "%s", run.err);
    run_release(&run);
  }
}

Test(whose_store, of_another_user_is_not_looked_into_by_others)
{
  struct run run = run_shell_plain(&w, "mkdir -m 755 \"$HOME/store\" && " AS_NOBODY
                                       "\"$HOME/idemshim\" ls --store \"$HOME/store\"");
  cr_expect_eq(run.status, 3);
  cr_expect(
      strstr(run.err, "/store: belongs to another user (uid 0); look as its user: sudo -u root idemshim"),
      "%s", run.err);
  run_release(&run);
}

/* As Apache and php-fpm do: libcurl is first used by root's process, and the calls are made by another
 * user's, which may have no environment any more. Both are to have one store, in `dir` of the world. */
static void expect_store_of_daemon(const char *change, const char *dir)
{
  const char *daemon = world_text(&w,
                                  "import os, pycurl\n"
                                  "c = pycurl.Curl(); url = os.environ['URL']\n"
                                  "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
                                  "%s\n"
                                  "c.setopt(c.URL, url); c.setopt(c.POSTFIELDS, '{}'); c.perform()\n",
                                  change);
  world_write(&w, "daemon.py", daemon, strlen(daemon));
  struct run run = run_shell_plain(
      &w, "mkdir \"$HOME/of-nobody\" && chown 65534 \"$HOME/of-nobody\" && for i in 1 2; do "
          "LD_PRELOAD=\"$HOME/libidemshim.so\" /usr/bin/python3 \"$HOME/daemon.py\" || exit 1; done");
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", run.err);
  cr_expect_eq(access(world_path(&w, world_text(&w, "%s/data.mdb", dir)), F_OK), 0, "%s", run.err);
  run_release(&run);
}

Test(whose_store, is_of_the_user_that_a_daemon_has_become)
{
  expect_store_of_daemon("os.environ['HOME'] += '/of-nobody'", "of-nobody/.cache/idemshim");
}

Test(whose_store, is_systemds_also_where_a_daemon_has_become_another_user_without_environment)
{
  world_env(&w, "CACHE_DIRECTORY", "%s/of-nobody", w.dir);
  expect_store_of_daemon("os.environ.clear()", "of-nobody/idemshim");
}

/* What was refused to root's process is asked for at once when it is another's. */
Test(whose_store, that_was_refused_to_root_is_opened_by_whom_it_belongs_to)
{
  struct run made = run_shell_plain(&w, "mkdir -m 700 \"$HOME/store\" && chown 65534 \"$HOME/store\"");
  expect_success(&made);
  run_release(&made);
  world_env(&w, "IDEMSHIM_STORE", "%s/store", w.dir);
  world_env(&w, "IDEMSHIM_OPEN", "early");
  expect_store_of_daemon("pass", "store");
}
