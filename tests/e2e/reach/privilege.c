/* SPDX-License-Identifier: MIT */
/* Programs that have more rights than whoever starts them, and programs that take rights from themselves. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(privilege, .init = open_world, .fini = close_world);

static const char target[] = "/v1/chat/completions";

/* /etc is another one for what follows, and has a preload for every program. */
#define WITH_PRELOAD_OF_THE_SYSTEM                                                                           \
  "unshare -m sh -e -c 'mkdir -p \"$HOME/etc\"; mount -t tmpfs none \"$HOME/etc\"; cp -a /etc/. "            \
  "\"$HOME/etc\"; "                                                                                          \
  "mount --bind \"$HOME/etc\" /etc; printf %%s \"$LIBRARY\" >/etc/ld.so.preload; %s'"

static struct run run_with_preload(const char *script)
{
  if (geteuid() != 0)
    cr_skip_test("only root can have a preload for the system");
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first, and setuid programs have none");
  struct run able = run_plain(&w, "unshare", "-m", "true", NULL);
  if (able.status != 0)
    cr_skip_test("no file system may be mounted here");
  run_release(&able);
  struct run copy =
      run_shell_plain(&w, "for name in plain secure; do cp \"$(command -v curl)\" \"$HOME/$name\"; "
                          "done; chown 65534 \"$HOME/secure\" && chmod 4755 \"$HOME/secure\"");
  expect_success(&copy);
  run_release(&copy);
  chmod(w.dir, 0777);
  world_env(&w, "LIBRARY", "%s/libidemshim.so", w.build);
  world_env(&w, "URL", "%s", world_url(&w, target));
  return run_shell_plain(&w, world_text(&w, WITH_PRELOAD_OF_THE_SYSTEM, script));
}

Test(privilege, a_setuid_program_that_has_the_preload_makes_its_calls_untouched)
{
  struct run secure = run_with_preload("for i in 1 2; do \"$HOME/secure\" -sS -d {} \"$URL\"; done");
  expect_success(&secure);
  cr_expect_eq(mock_count(&w).requests, 2, "%s", secure.err);
  cr_expect_neq(access(w.store, F_OK), 0, "a store was made for it");
  cr_expect_neq(access(w.log, F_OK), 0, "a log was written for it");
  struct run plain = run_with_preload("for i in 1 2; do \"$HOME/plain\" -sS -d {} \"$URL\"; done");
  expect_success(&plain);
  cr_expect_eq(mock_count(&w).requests, 3, "the same without more rights is covered: %s", plain.err);
  run_release(&secure);
  run_release(&plain);
}

Test(privilege, the_doctor_says_that_we_are_off_in_it)
{
  struct run run = run_with_preload(
      "\"$HOME/secure\" -sS -d {} \"$URL?mock=latency_ms%3D20000\" & "
      "while ! grep -q libidemshim /proc/$!/maps || ! grep -q libssl /proc/$!/maps; do sleep 0.1; done; "
      "LD_PRELOAD= idemshim doctor $! || true; kill $!");
  cr_expect(strstr(run.out, ": not covered\n"), "%s%s", run.out, run.err);
  cr_expect(strstr(run.out, "in which libidemshim.so is off"), "%s", run.out);
  run_release(&run);
}

Test(privilege, a_store_that_is_opened_early_is_there_in_a_sandbox)
{
  const char *url = world_url(&w, target);
  world_unset(&w, "IDEMSHIM_LOG");
  struct run plain = run_plain(&w, "sandboxed", url, "{}", NULL),
             late = run_shim(&w, "sandboxed", url, "{}", NULL);
  if (plain.status == 3)
    cr_skip_test("no seccomp here");
  expect_success(&plain);
  cr_expect_eq(late.signal, SIGSYS, "opened at the first call: %d", late.signal);
  world_env(&w, "IDEMSHIM_OPEN", "early");
  mock_reset(&w);
  struct run live = run_shim(&w, "sandboxed", url, "{}", NULL),
             again = run_shim(&w, "sandboxed", url, "{}", NULL);
  expect_success(&live);
  expect_success(&again);
  expect_same_output(&live, &again);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&plain);
  run_release(&late);
  run_release(&live);
  run_release(&again);
}
