/* SPDX-License-Identifier: MIT */
/* Programs that want nothing from the shim, or use libcurl at odd times: nothing changes for them, and
 * nothing leaks. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(bystanders, .init = open_world, .fini = close_world);

static const char body[] = "{\"a\":1}";

Test(bystanders, programs_without_libcurl)
{
  static const char *const programs[] = {"no_libcurl", "no_libcurl-static", "true"};
  for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
    struct run plain = run_plain(&w, programs[i], NULL), shim = run_shim(&w, programs[i], NULL);
    expect_same_output(&plain, &shim);
    cr_expect_eq(plain.status, shim.status);
    run_release(&plain);
    run_release(&shim);
  }
  cr_expect_null(file_read(w.log, NULL));
  cr_expect_neq(access(w.store, F_OK), 0, "no store was made for them");
}

/* Those of tests/everything.list that any Debian has; scripts/everything runs all of it. */
Test(bystanders, programs_that_are_installed)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first, and is not everybody's");
  if (run_shell_plain(&w, "command -v dpkg-query && command -v python3").status != 0)
    cr_skip_test("this is not Debian, or python3 is not installed");
  setenv("IDEM_RUN_DEADLINE_MS", "240000", 0); /* it runs two dozen programs eight times */
  struct run r = run_shell_plain(&w, world_text(&w,
                                                "B='%s' scripts/everything --here apt bash binutils "
                                                "coreutils cpp curl dash debianutils diffutils dpkg "
                                                "findutils gcc grep gzip login make mount passwd "
                                                "perl-base procps python3-minimal sed strace tar "
                                                "util-linux",
                                                w.build));
  cr_expect_eq(r.status, 0, "%s%s", r.out, r.err);
  int passed = 0;
  const char *count = strstr(r.out, " passed, 0 failed");
  while (count && count > r.out && count[-1] != '\n')
    count--;
  cr_expect(count && sscanf(count, "%d passed", &passed) == 1 && passed >= 20, "%s", r.out);
  run_release(&r);
}

/* Made by `command` as $HOME/program; it runs bare and preloaded to the same end. */
static void expect_that_it_starts(const char *command, int status)
{
  struct run made = run_shell_plain(&w, world_text(&w, "cd \"$HOME\" && %s", command));
  cr_assert_eq(made.status, 0, "%s: %s", command, made.err);
  const char *program = world_path(&w, "program");
  struct run plain = run_plain(&w, program, NULL), shim = run_shim(&w, program, NULL);
  expect_same_output(&plain, &shim);
  cr_expect_eq(plain.status, status);
  cr_expect_eq(shim.status, status, "%s", shim.err);
  run_release(&made);
  run_release(&plain);
  run_release(&shim);
}

Test(bystanders, a_program_of_another_libc)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime needs glibc");
  if (run_shell_plain(&w, "command -v musl-gcc").status != 0)
    cr_skip_test("musl-gcc is not installed (musl-tools)");
  expect_that_it_starts(
      "printf '#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0 ? 1 : 3; }\n' >p.c && "
      "musl-gcc -o program p.c",
      3);
}

/* As an old system or a stripped build has it. */
static const char few_functions[] =
    "#include <stdarg.h>\n#include <stdio.h>\n"
    "static int handle;\nstatic const char *url;\n"
    "void *curl_easy_init(void) { return &handle; }\n"
    "int curl_easy_setopt(void *easy, int option, ...) { va_list rest; va_start(rest, option);\n"
    "  url = va_arg(rest, char *); va_end(rest); return easy && option == 10002 ? 0 : 43; }\n"
    "int curl_easy_perform(void *easy) { return puts(url), easy == &handle ? 7 : 1; }\n"
    "void curl_easy_cleanup(void *easy) { puts(easy == &handle ? \"over\" : \"whose?\"); }\n";
static const char few_functions_user[] =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n"
    "void *curl_easy_init(void); int curl_easy_setopt(void *, int, ...);\n"
    "int curl_easy_perform(void *); void curl_easy_cleanup(void *);\n"
    "int main(void) { void *easy = curl_easy_init(); if (!easy) return 9;\n"
    "  int set = curl_easy_setopt(easy, 10002, \"http://api.openai.com/\"), code = curl_easy_perform(easy);\n"
    "  printf(\"%d %d %d\\n\", set, code, dlsym(RTLD_DEFAULT, \"curl_easy_header\") != NULL);\n"
    "  curl_easy_cleanup(easy); return 3; }\n";

static void expect_that_few_functions_suffice(const char *cc)
{
  struct run made = run_shell_plain(
      &w,
      world_text(&w,
                 "cd \"$HOME\" && %s -w -shared -fPIC -Wl,-soname,libcurl.so.4 -o libcurl.so.4 libcurl.c && "
                 "%s -w -o program user.c ./libcurl.so.4 -Wl,-rpath,\"$HOME\" -ldl",
                 cc, cc));
  expect_success(&made);
  struct run plain = run_plain(&w, world_path(&w, "program"), NULL),
             shim = run_shim(&w, world_path(&w, "program"), NULL);
  cr_expect_str_eq(plain.out, "http://api.openai.com/\n0 7 0\nover\n");
  cr_expect_str_eq(shim.out, plain.out);
  cr_expect_eq(shim.status, 3);
  run_release(&made);
  run_release(&plain);
  run_release(&shim);
}

Test(bystanders, a_libcurl_that_lacks_functions)
{
  world_write(&w, "libcurl.c", few_functions, sizeof(few_functions) - 1);
  world_write(&w, "user.c", few_functions_user, sizeof(few_functions_user) - 1);
  expect_that_few_functions_suffice("cc");
  if (!getenv("IDEM_SAN_PRELOAD") && run_shell_plain(&w, "command -v musl-gcc").status == 0)
    expect_that_few_functions_suffice("musl-gcc");
}

Test(bystanders, a_libcurl_that_lacks_functions_is_said_and_does_not_replay)
{
  world_unset(&w, "IDEMSHIM_LOG");
  world_write(&w, "libcurl.c", few_functions, sizeof(few_functions) - 1);
  world_write(&w, "user.c", few_functions_user, sizeof(few_functions_user) - 1);
  expect_that_few_functions_suffice("cc");
  struct run live = run_shim(&w, world_path(&w, "program"), NULL);
  cr_expect(strstr(live.err, "this libcurl has no curl_global_init(); calls go out"), "%s", live.err);
  world_env(&w, "IDEMSHIM_MODE", "off");
  struct run off = run_shim(&w, world_path(&w, "program"), NULL);
  cr_expect_eq(off.status, 3);
  cr_expect_eq(off.err_len, 0, "%s", off.err);
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  struct run replay = run_shim(&w, world_path(&w, "program"), NULL);
  cr_expect_eq(replay.status, 9, "%s", replay.out);
  run_release(&live);
  run_release(&off);
  run_release(&replay);
}

Test(bystanders, a_program_without_any_libc)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime needs glibc");
  expect_that_it_starts(
      "printf '#include <sys/syscall.h>\nvoid _start(void);\nvoid _start(void)\n{\n#ifdef __x86_64__\n"
      "__asm__ volatile(\"syscall\" : : \"a\"(SYS_exit_group), \"D\"(3));\n#else\n"
      "register long number __asm__(\"x8\") = SYS_exit_group, code __asm__(\"x0\") = 3;\n"
      "__asm__ volatile(\"svc 0\" : : \"r\"(number), \"r\"(code));\n#endif\n"
      "__builtin_unreachable();\n}\n' >p.c && gcc -O1 -nostdlib -nostartfiles -fpie -pie -o program p.c",
      3);
}

Test(bystanders, a_setuid_program)
{
  if (geteuid() != 0)
    cr_skip_test("only root can make a setuid program of another user");
  char from[PATH_MAX + 32];
  snprintf(from, sizeof(from), "%s/tests/no_libcurl", w.build);
  struct run copy = run_plain(&w, "cp", from, world_path(&w, "suid"), NULL);
  chmod(world_path(&w, "suid"), 04755);
  chmod(w.dir, 0755);
  struct run r = run_shell(&w, "cd \"$HOME\" && exec setpriv --reuid 65534 --clear-groups ./suid");
  cr_expect_eq(r.signal, 0);
  cr_expect_eq(r.status, 0, "%s", r.err);
  run_release(&copy);
  run_release(&r);
}

Test(bystanders, a_program_that_forks_in_the_middle)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run r = run_shim(&w, "forker", url, body, "{\"child\":1}", NULL);
  expect_success(&r);
  struct run again = run_shim(&w, "forker", url, body, "{\"child\":1}", NULL);
  expect_success(&again);
  cr_expect_eq(mock_count(&w).requests, 2, "%ld", mock_count(&w).requests);
  cr_expect_eq(world_orphans(&w), 0);
  run_release(&r);
  run_release(&again);
}

/* Its locks are as another thread had them, for ever. */
Test(bystanders, a_child_of_a_thread_beside_libcrypto)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "forks_beside_crypto", url, "100", NULL);
  if (plain.status == 77)
    cr_skip_test("no OpenSSL 3 here");
  expect_success(&plain);
  mock_reset(&w);
  struct run r = run_shim(&w, "forks_beside_crypto", url, "100", NULL);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 8, "%ld", mock_count(&w).requests);
  run_release(&plain);
  run_release(&r);
}

Test(bystanders, a_child_of_a_process_that_opens_the_store)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a child waits for a lock of the sanitizer's allocator that another thread had at the fork");
  struct run r = run_shim(&w, "forks_while_opening", world_url(&w, "/v1/chat/completions"), "60", NULL);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 60, "%ld", mock_count(&w).requests);
  run_release(&r);
}

/* Its thread that registers the handlers for a fork is not there in a child: the child registers
 * them, and does not wait. */
Test(bystanders, a_child_of_a_process_that_registers_the_fork_handlers)
{
  const char *const moments[] = {"before", "after"};
  if (is_under_thread_sanitizer())
    cr_skip_test(
        "the thread sanitizer registers handlers of its own before a program can have a function called");
  for (int i = 0; i < 2; i++) {
    struct run r =
        run_shim(&w, "forks_while_registering", moments[i], world_url(&w, "/v1/chat/completions"), NULL);
    expect_success(&r);
    cr_expect(strstr(r.err, "entered=1\n"), "%s: %s", moments[i], r.err);
    cr_expect(strstr(r.out, "grandchild rc=0"), "%s: %s", moments[i], r.out);
    cr_expect_eq(mock_count(&w).requests, 1, "%ld", mock_count(&w).requests);
    run_release(&r);
  }
}

/* The child's own call is not stored, and is a hit where the process's has been. */
static void expect_child(const char *how, long plain_requests, long first_requests)
{
  if (is_under_thread_sanitizer())
    cr_skip_test("the thread sanitizer has no children that share memory");
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "shared_memory", how, url, body, NULL);
  expect_success(&plain);
  cr_expect_eq(mock_count(&w).requests, plain_requests, "%s", how);
  mock_reset(&w);
  struct run first = run_shim(&w, "shared_memory", how, url, body, NULL);
  expect_success(&first);
  cr_expect_eq(mock_count(&w).requests, first_requests, "%s: %ld", how, mock_count(&w).requests);
  mock_reset(&w);
  struct run again = run_shim(&w, "shared_memory", how, url, body, NULL);
  expect_success(&again);
  cr_expect_eq(mock_count(&w).requests, 0, "%s: %ld", how, mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "stored"), 2, "%s", how);
  run_release(&plain);
  run_release(&first);
  run_release(&again);
}

Test(bystanders, a_child_by_vfork_calls_untouched)
{
  expect_child("vfork", 3, 3);
}

Test(bystanders, a_child_by_clone_that_shares_memory_calls_untouched)
{
  expect_child("clone", 3, 3);
}

/* Nothing of such a child is noted, recorded or found in a tape that is being written. */
static void expect_unseen_child(const char *mode, const char *event)
{
  if (is_under_thread_sanitizer())
    cr_skip_test("the thread sanitizer has no children that share memory");
  const char *url = world_url(&w, "/v1/chat/completions"), *tape = world_path(&w, "tape");
  world_env(&w, "IDEMSHIM_MODE", "%s", mode);
  if (strcmp(mode, "observe") != 0)
    world_env(&w, "IDEMSHIM_TAPE", "%s", tape);
  struct run run = run_shim(&w, "shared_memory", "vfork", url, body, NULL);
  expect_success(&run);
  cr_expect_eq(mock_count(&w).requests, 3, "%s: %ld", mode, mock_count(&w).requests);
  if (event)
    cr_expect_eq(log_events(&w, event), 2, "%s: %d", mode, log_events(&w, event));
  world_unset(&w, "IDEMSHIM_MODE");
  world_unset(&w, "IDEMSHIM_TAPE");
  struct run ls = run_plain(&w, "idemshim", "tape", "ls", tape, NULL);
  if (strcmp(mode, "observe") != 0)
    cr_expect_eq(count_of(ls.out, "/v1/chat"), 2, "%s: %s", mode, ls.out);
  run_release(&ls);
  run_release(&run);
}

Test(bystanders, a_child_by_vfork_is_not_observed)
{
  expect_unseen_child("observe", "live");
}

Test(bystanders, a_child_by_vfork_is_not_recorded)
{
  expect_unseen_child("record", NULL);
}

Test(bystanders, a_child_by_vfork_is_not_on_the_tape_of_a_run)
{
  expect_unseen_child("idempotent", "live");
}

Test(bystanders, a_child_by_posix_spawn_is_no_child_of_ours)
{
  expect_child("spawn", 2, 2);
}

/* It has memory of its own, and what it stores is for its parent, too. */
Test(bystanders, a_child_by_fork_is_covered)
{
  expect_child("fork", 3, 2);
}

Test(bystanders, a_plugin_that_brings_libcurl_and_is_closed)
{
  struct run plain = run_plain(&w, "unload_plugin", world_url(&w, "/v1/chat/completions"), body, NULL);
  struct run r = run_shim(&w, "unload_plugin", world_url(&w, "/v1/chat/completions"), body, NULL);
  expect_success(&plain);
  expect_success(&r);
  cr_expect_eq(mock_count(&w).requests, 4, "three without us, one with us: %ld", mock_count(&w).requests);
  run_release(&plain);
  run_release(&r);
}

/* What the first round has opened (the store) stays, and no more comes. */
Test(bystanders, no_descriptor_and_no_thread_leaks)
{
  struct run r = run_shim(&w, "unload_plugin", world_url(&w, "/v1/chat/completions"), body, NULL);
  expect_success(&r);
  long first = -1, fds, tasks, rounds = 0;
  for (char *line = r.out; (line = strstr(line, "after fds=")); line++)
    if (sscanf(line, "after fds=%ld tasks=%ld", &fds, &tasks) == 2) {
      first = first < 0 ? fds : first;
      rounds++;
      cr_expect_eq(tasks, 1, "%s", r.out);
      cr_expect_eq(fds, first, "%s", r.out);
    }
  cr_expect_eq(rounds, 3, "%s", r.out);
  run_release(&r);
}

static void cut_at_the_destructor(struct run *run)
{
  char *line = strstr(run->out, "destructor rc=0");
  cr_assert(line, "%s", run->out);
  *line = '\0';
  run->out_len = strlen(run->out);
}

Test(bystanders, calls_before_constructors_and_after_destructors)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run first = run_plain(&w, "call_in_constructor", url, NULL);
  const char *later = first.signal ? "later" : NULL;
  mock_reset(&w);
  struct run plain = run_plain(&w, "call_in_constructor", url, later, NULL);
  struct run live = run_shim(&w, "call_in_constructor", url, later, NULL);
  long calls = mock_count(&w).requests / 2;
  struct run replay = run_shim(&w, "call_in_constructor", url, later, NULL);
  cr_expect_eq(plain.status, live.status);
  cr_expect_eq(live.signal, 0);
  /* Who calls before constructors comes before our end, and its destructors' calls do, too. */
  if (later)
    cut_at_the_destructor(&live), cut_at_the_destructor(&replay);
  expect_same_output(&live, &replay);
  cr_expect_eq(calls, later ? 4 : 5);
  cr_expect_eq(mock_count(&w).requests, 2 * calls + (later ? 1 : 0), "all others were replayed");
  run_release(&first);
  run_release(&plain);
  run_release(&live);
  run_release(&replay);
}

Test(bystanders, curl_in_parallel_mode_makes_one_call_of_two)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D200");
  struct run r = run_shim(&w, "curl", "-sS", "-Z", "-d", "{}", url, url, NULL);
  expect_success(&r);
  cr_expect_eq(r.out_len % 2, 0);
  expect_same_bytes("the two answers", r.out, r.out_len / 2, r.out + r.out_len / 2, r.out_len / 2);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(log_events(&w, "join"), 1);
  run_release(&r);
}

static const char clears[] =
    "import ctypes, sys\nctypes.CDLL(None).clearenv()\nimport pycurl, io\n"
    "for i in range(2):\n  c = pycurl.Curl(); c.setopt(c.URL, sys.argv[1]); c.setopt(c.POSTFIELDS, '{}')\n"
    "  c.setopt(c.WRITEFUNCTION, io.BytesIO().write); c.perform()\n";

/* A daemon that clears its environment, as php-fpm does with its workers. */
Test(bystanders, the_environment_at_the_start_counts)
{
  struct run cleared =
      run_shim(&w, "/usr/bin/python3", "-c", clears, world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&cleared);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&cleared);
}

/* Nothing of it is left in memory, nor in /proc. */
Test(bystanders, the_environment_at_the_start_counts_where_a_title_was_written_over_it)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "overwrites_environment", url, body, NULL);
  struct run shim = run_shim(&w, "overwrites_environment", url, body, NULL);
  expect_success(&plain);
  expect_success(&shim);
  cr_expect_eq(mock_count(&w).requests, 2 + 1);
  cr_expect_eq(log_events(&w, "hit"), 1);
  run_release(&plain);
  run_release(&shim);
}

/* Where no variable of ours is set nothing is kept at the start, but the user has a configuration file: where
 * his home is stands in /proc. */
Test(bystanders, the_home_at_the_start_counts_for_who_clears_his_environment)
{
  static const char *const ours[] = {"IDEMSHIM_STORE", "IDEMSHIM_HOSTS", "IDEMSHIM_SYNC", "IDEMSHIM_CONFIG",
                                     "IDEMSHIM_LOG"};
  char text[1024];
  int len =
      snprintf(text, sizeof(text), "IDEMSHIM_STORE=%s\nIDEMSHIM_HOSTS=\"127.0.0.1:%d\"\n", w.store, w.port);
  for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
    world_unset(&w, ours[i]);
  cr_assert_eq(mkdir(world_path(&w, ".config"), 0700), 0);
  cr_assert_eq(mkdir(world_path(&w, ".config/idemshim"), 0700), 0);
  const char *file = world_write(&w, ".config/idemshim/idemshim.conf", text, (size_t)len);
  cr_assert_eq(chmod(file, 0600), 0);
  struct run cleared =
      run_shim(&w, "/usr/bin/python3", "-c", clears, world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&cleared);
  cr_expect_str_eq(cleared.err, "");
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&cleared);
}
