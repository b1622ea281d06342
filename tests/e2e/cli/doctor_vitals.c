/* SPDX-License-Identifier: MIT */
/* idemshim doctor PID: a process is judged by what it has done, whatever its environment says by now. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(cli_doctor_vitals, .init = open_world, .fini = close_world);

/* caller URL N [M]: makes N calls, says its process number and stays. With M, a child does that after M calls
 * of its own. It has written zeros over its environment, as daemons do. */
static const char caller[] =
    "#include <curl/curl.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
    "#include <sys/prctl.h>\n#include <unistd.h>\n"
    "extern char **environ;\n"
    "static size_t sink(char *at, size_t size, size_t count, void *to) {\n"
    "  return size * count;\n"
    "}\n"
    "static void call(const char *url, int times) {\n"
    "  CURL *easy = curl_easy_init();\n"
    "  curl_easy_setopt(easy, CURLOPT_URL, url);\n"
    "  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sink);\n"
    "  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, \"{}\");\n"
    "  struct curl_slist *no_store = curl_slist_append(NULL, \"Cache-Control: no-store\");\n"
    "  if (getenv(\"NO_STORE\")) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, no_store);\n"
    "  if (getenv(\"AS_NOBODY\")) setuid(65534);\n"
    "  while (times--) curl_easy_perform(easy);\n"
    "}\n"
    "int main(int count, char **args) {\n"
    "  call(args[1], atoi(args[2]));\n"
    "  for (char **at = environ; *at; at++) memset(*at, 0, strlen(*at));\n"
    "  if (count > 3 && fork()) pause();\n"
    "  if (count > 3) prctl(PR_SET_PDEATHSIG, 9), call(args[1], atoi(args[3]));\n"
    "  printf(\"%d\\n\", getpid());\n"
    "  fflush(stdout);\n"
    "  pause();\n"
    "}\n";

static const char *make_caller(void)
{
  world_write(&w, "caller.c", caller, strlen(caller));
  struct run r = run_shell_plain(&w, "cc -w -o \"$HOME/caller\" \"$HOME/caller.c\" -lcurl");
  expect_success(&r);
  run_release(&r);
  return world_path(&w, "caller");
}

/* What the doctor says of the process that has told its number. */
static struct run examine(struct run *program)
{
  char line[32] = "";
  wait_until(pread(program->out_fd, line, sizeof line - 1, 0) > 0 && strchr(line, '\n'));
  return run_plain(&w, "idemshim", "doctor", world_text(&w, "%d", atoi(line)), NULL);
}

static void expect_words(struct run *r, int status, const char *const *words)
{
  cr_expect_eq(r->status, status, "exit %d: %s%s", r->status, r->out, r->err);
  for (size_t i = 0; words[i]; i++)
    cr_expect(strstr(r->out, words[i]), "expected \"%s\" in:\n%s", words[i], r->out);
  run_release(r);
}
#define EXPECT_WORDS(r, status, ...) expect_words(r, status, (const char *const[]){__VA_ARGS__, NULL})

Test(cli_doctor_vitals, its_calls_are_counted_whatever_became_of_its_environment)
{
  struct run program = start_shim(&w, make_caller(), world_url(&w, "/v1/chat/completions"), "3", NULL);
  struct run r = examine(&program);

  EXPECT_WORDS(&r, 0, ": covered\n",
               "+ its calls come to libidemshim.so: 3 met a rule, of which 1 went out and 2 did not\n",
               world_text(&w, "has opened the store %s as user ", w.store),
               "IDEMSHIM_HOSTS comes from its environment");
  cr_expect_eq(mock_count(&w).served, 1);
  run_release(&program);
}

Test(cli_doctor_vitals, a_child_s_calls_are_its_own)
{
  struct run program = start_shim(&w, make_caller(), world_url(&w, "/v1/chat/completions"), "3", "2", NULL);
  struct run r = examine(&program);

  EXPECT_WORDS(&r, 0, ": covered\n", "2 met a rule, of which 0 went out and 2 did not");
  run_release(&program);
}

Test(cli_doctor_vitals, calls_that_no_rule_wants_are_told_from_none)
{
  world_env(&w, "IDEMSHIM_HOSTS", "other.example");
  const char *program_path = make_caller();
  struct run program = start_shim(&w, program_path, world_url(&w, "/v1/chat/completions"), "3", NULL);
  struct run r = examine(&program);
  EXPECT_WORDS(&r, 0, "no call has met one of its 1 rule yet", "has not opened the store",
               world_text(&w, "3 calls met no rule, and went out untouched: 127.0.0.1:%d", w.port));
  run_release(&program);
}

Test(cli_doctor_vitals, calls_that_pass_by_are_told_with_the_reason)
{
  world_env(&w, "NO_STORE", "1");
  struct run program = start_shim(&w, make_caller(), world_url(&w, "/v1/chat/completions"), "2", NULL);
  struct run r = examine(&program);

  EXPECT_WORDS(
      &r, 1, ": not covered\n",
      "! 2 of its 2 calls went out as if idemshim were not there; the first: Cache-Control: no-store");
  run_release(&program);
}

Test(cli_doctor_vitals, a_store_that_could_not_be_opened_is_told_with_the_user)
{
  world_env(&w, "IDEMSHIM_STORE", "/proc/no-such-place");
  struct run program = start_shim(&w, make_caller(), world_url(&w, "/v1/chat/completions"), "1", NULL);
  struct run r = examine(&program);

  EXPECT_WORDS(&r, 1, ": not covered\n", "! could not open its store", "/proc/no-such-place as user ",
               "No such file or directory");
  run_release(&program);
}

/* Another stack is one that passes by if the process has loaded what that needs. */
Test(cli_doctor_vitals, another_stack_counts_where_it_is_loaded)
{
  static const char code[] =
      "import os, sys, time, io\n"
      "if sys.argv[2]: __import__(sys.argv[2])\n"
      "if sys.argv[3]:\n"
      "  import pycurl\n"
      "  c = pycurl.Curl(); c.setopt(c.URL, sys.argv[1]); c.setopt(c.POSTFIELDS, '{}')\n"
      "  c.setopt(c.WRITEDATA, io.BytesIO()); c.perform()\n"
      "print(os.getpid(), flush=True)\n"
      "time.sleep(600)\n";
  static const struct {
    const char *module, *calls, *verdict, *reason;
    int status;
  } rows[] = {
      {"", "y", ": covered\n",
       "  has not loaded what these need for https, so that they make no call: urllib", 0},
      {"ssl", "y", ": partly covered\n", "- not covered, for libcurl has no part in it: urllib", 1},
      {"ssl", "", ": cannot tell\n", "~ has not loaded pycurl (libcurl ", 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct run program = start_shim(&w, "/usr/bin/python3", "-c", code, world_url(&w, "/v1/chat/completions"),
                                    rows[i].module, rows[i].calls, NULL);
    struct run r = examine(&program);
    EXPECT_WORDS(&r, rows[i].status, rows[i].verdict, rows[i].reason);
    run_release(&program);
  }
}

Test(cli_doctor_vitals, who_opened_the_store_is_who_the_process_was_then)
{
  if (geteuid() != 0)
    cr_skip_test("only root can become somebody else");
  world_env(&w, "AS_NOBODY", "1");
  const char *program_path = make_caller();
  struct run owned =
      run_shell_plain(&w, "chmod 755 \"$HOME\"; mkdir -m 700 \"$HOME/own\" && chown 65534 \"$HOME/own\"");
  expect_success(&owned);
  world_env(&w, "IDEMSHIM_STORE", "%s", world_path(&w, "own"));
  struct run program = start_shim(&w, program_path, world_url(&w, "/v1/chat/completions"), "2", NULL);
  struct run r = examine(&program);
  EXPECT_WORDS(&r, 0, "2 met a rule, of which 1 went out and 1 did not", "(65534)", "has opened the store");
  run_release(&program);

  world_env(&w, "IDEMSHIM_STORE", "%s", w.store);
  struct run made = run_shell_plain(&w, world_text(&w, "mkdir -m 700 %s", w.store));
  expect_success(&made);
  struct run refused = start_shim(&w, program_path, world_url(&w, "/v1/chat/completions"), "1", NULL);
  struct run why = examine(&refused);
  EXPECT_WORDS(&why, 1, ": not covered\n", "(65534): ", "! could not open its store");
  run_release(&refused);
  run_release(&owned);
  run_release(&made);
}

Test(cli_doctor_vitals, a_mode_and_a_mistake_are_those_that_it_has_read)
{
  static const char *const modes[][3] = {
      {"off", ": not covered\n", "! IDEMSHIM_MODE is off"},
      {"observe", ": not covered\n", "! IDEMSHIM_MODE is observe"},
      {"idempotnt", ": not covered\n",
       "! the configuration has a mistake, so every call goes out live: IDEMSHIM_MODE"},
  };
  const char *program_path = make_caller();
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    world_env(&w, "IDEMSHIM_MODE", "%s", modes[i][0]);
    struct run program = start_shim(&w, program_path, world_url(&w, "/v1/chat/completions"), "1", NULL);
    world_unset(&w, "IDEMSHIM_MODE");
    struct run r = examine(&program);
    EXPECT_WORDS(&r, 1, modes[i][1], modes[i][2]);
    run_release(&program);
  }
}

/* As where a kernel lets a process's maps be read and not its memory (Yama). */
Test(cli_doctor_vitals, a_process_whose_memory_may_not_be_read_is_not_guessed_at)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("the sanitizer's own open() comes before the one of the test");
  static const char refuse[] =
      "#include <dlfcn.h>\n#include <errno.h>\n#include <string.h>\n"
      "int open(const char *path, int flags, int mode) {\n"
      "  int (*real)(const char *, int, int) = dlsym(RTLD_NEXT, \"open\");\n"
      "  size_t len = strlen(path);\n"
      "  if (len > 4 && !strcmp(path + len - 4, \"/mem\")) return errno = EACCES, -1;\n"
      "  return real(path, flags, mode);\n"
      "}\n";
  world_write(&w, "refuse.c", refuse, strlen(refuse));
  struct run made =
      run_shell_plain(&w, "cc -w -D_GNU_SOURCE -shared -fPIC -o \"$HOME/refuse.so\" \"$HOME/refuse.c\" -ldl");
  expect_success(&made);
  struct run program = start_shim(&w, make_caller(), world_url(&w, "/v1/chat/completions"), "1", NULL);
  struct run seen = examine(&program);
  expect_success(&seen);
  struct run r = run_shell_plain(
      &w, world_text(&w, "LD_PRELOAD=\"$HOME/refuse.so\" exec idemshim doctor %d", (int)program.pid));

  EXPECT_WORDS(&r, 1, ": cannot tell\n", "~ its memory may not be read (Permission denied)", "ask as root");
  run_release(&seen);
  run_release(&program);
  run_release(&made);
}
