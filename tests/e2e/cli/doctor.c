/* SPDX-License-Identifier: MIT */
/* idemshim doctor: what it says of programs that are covered, in part or not.
 */
#include "tests/e2e/cli/doctor.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The doctor's own server is the only one that counts here. */
TestSuite(cli_doctor, .init = open_bare_world, .fini = close_world);

void doctor_expect(struct run *r, int status, const char *verdict, const char *reason)
{
  cr_expect_eq(r->status, status, "exit %d: %s%s", r->status, r->out, r->err);
  cr_expect(strstr(r->out, world_text(&w, ": %s\n", verdict)), "expected \"%s\" in:\n%s", verdict, r->out);
  cr_expect(strstr(r->out, reason), "expected \"%s\" in:\n%s", reason, r->out);
  run_release(r);
}

static void expect_refusal(struct run *r, int status, const char *message)
{
  cr_expect_eq(r->status, status, "exit %d", r->status);
  cr_expect_eq(r->out_len, 0, "%s", r->out);
  cr_expect(strstr(r->err, message), "expected \"%s\" in: %s", message, r->err);
  run_release(r);
}

static const char *client(const char *name)
{
  return world_text(&w, "%s/tests/%s", w.build, name);
}

static const char *script(const char *name, const char *text)
{
  const char *path = world_write(&w, name, text, strlen(text));
  cr_assert_eq(chmod(path, 0755), 0);
  return path;
}

const char *doctor_compile(const char *name, const char *flags, const char *source)
{
  const char *path = world_path(&w, name), *file = world_path(&w, "source.c");
  world_write(&w, "source.c", source, strlen(source));
  struct run r = run_shell_plain(&w, world_text(&w, "cc -w %s -o %s %s -ldl", flags, path, file));
  expect_success(&r);
  run_release(&r);
  return path;
}

/* ---- commands ---- */

Test(cli_doctor, curl_is_covered_and_its_flavour_is_named)
{
  struct run r = run_plain(&w, "idemshim", "doctor", "curl", NULL);

  cr_expect(strstr(r.out, "libcurl.so.4"), "%s", r.out);
  cr_expect(strstr(r.out, "(OpenSSL)"), "%s", r.out);
  doctor_expect(&r, 0, "covered", "+ calls libcurl ");
}

Test(cli_doctor, the_gnutls_flavour_is_told_from_the_other)
{
  if (!world_has(&w, "fetch-gnutls"))
    cr_skip_test("this machine has no GnuTLS flavour of libcurl");
  struct run r = run_plain(&w, "idemshim", "doctor", "fetch-gnutls", NULL);

  doctor_expect(&r, 0, "covered", "(GnuTLS)");
}

Test(cli_doctor, a_program_without_libcurl_is_not_covered)
{
  struct run r = run_plain(&w, "idemshim", "doctor", "no_libcurl", NULL);

  doctor_expect(&r, 1, "not covered", "- no libcurl in it");
}

Test(cli_doctor, a_static_program_is_not_covered)
{
  struct run r = run_plain(&w, "idemshim", "doctor", "no_libcurl-static", NULL);

  doctor_expect(&r, 1, "not covered", "! it is linked statically");
}

Test(cli_doctor, a_setuid_program_is_not_covered)
{
  if (geteuid() != 0)
    cr_skip_test("only root can make a setuid program of another user");
  struct run copy =
      run_shell_plain(&w, "cp \"$(command -v curl)\" \"$HOME/other\" && chown 1 \"$HOME/other\" && "
                          "chmod 4755 \"$HOME/other\" && chmod 755 \"$HOME\"");
  expect_success(&copy);
  struct run r = run_plain(&w, "idemshim", "doctor", world_path(&w, "other"), NULL);

  doctor_expect(&r, 1, "not covered", "! it is setuid");
  run_release(&copy);
}

Test(cli_doctor, file_capabilities_are_seen_by_those_whom_they_would_raise)
{
  if (geteuid() != 0)
    cr_skip_test("only root can give a file capabilities");
  struct run r = run_shell_plain(
      &w,
      "cp \"$(command -v curl)\" \"$HOME/other\" && setcap cap_net_raw+ep \"$HOME/other\" && chmod 755 "
      "\"$HOME\" "
      "&& IDEM=$(command -v idemshim) && cd / && exec setpriv --reuid 65534 --clear-groups \"$IDEM\" doctor "
      "\"$HOME/other\"");
  if (strstr(r.err, "setcap"))
    cr_skip_test("no setcap here, or a file system without capabilities");
  doctor_expect(&r, 1, "not covered", "! it has file capabilities");
}

Test(cli_doctor, a_program_that_one_may_not_see_is_not_said_to_be_missing)
{
  struct run r = run_shell_plain(
      &w,
      "mkdir -m 700 \"$HOME/private\" && cp /bin/true \"$HOME/private\" && chmod 755 \"$HOME\" && chmod 0 "
      "\"$HOME/private\" && IDEM=$(command -v idemshim) && cd / && if [ \"$(id -u)\" = 0 ]; then exec "
      "setpriv "
      "--reuid 65534 --clear-groups \"$IDEM\" doctor \"$HOME/private/true\"; else \"$IDEM\" doctor "
      "\"$HOME/private/true\"; fi");

  cr_expect_eq(r.status, 3);
  cr_expect(strstr(r.err, "Permission denied"), "%s", r.err);
  run_release(&r);
}

Test(cli_doctor, a_python_script_is_covered_where_it_uses_pycurl)
{
  const char *plain = script("plain", "#!/usr/bin/python3\nimport pycurl\n");
  const char *by_env =
      script("by-env", "#!/usr/bin/env -S PYTHONUTF8=1 /usr/bin/python3 -u\nimport pycurl\n");
  const char *const scripts[] = {plain, by_env};
  for (size_t i = 0; i < 2; i++) {
    struct run r = run_plain(&w, "idemshim", "doctor", scripts[i], NULL);

    cr_expect(strstr(r.out, "httpx"), "%s", r.out);
    cr_expect(strstr(r.out, world_text(&w, "script        %s\n", scripts[i])), "%s", r.out);
    doctor_expect(&r, 1, "partly covered", "? covered where it uses pycurl (libcurl ");
  }
}

Test(cli_doctor, php_is_covered_but_for_its_streams)
{
  if (access("/usr/bin/php", X_OK) != 0)
    cr_skip_test("no php here");
  struct run r = run_plain(&w, "idemshim", "doctor", "/usr/bin/php", NULL);

  cr_expect(strstr(r.out, "curl (libcurl "), "%s", r.out);
  cr_expect(strstr(r.out, "allow_url_fopen=0"), "%s", r.out);
  doctor_expect(&r, 1, "partly covered", "- not covered: PHP streams");
}

Test(cli_doctor, without_the_hooks_php_is_not_covered)
{
  if (access("/usr/bin/php", X_OK) != 0)
    cr_skip_test("no php here");
  world_env(&w, "IDEMSHIM_HOOK_DL", "off");
  struct run r = run_plain(&w, "idemshim", "doctor", "/usr/bin/php", NULL);

  doctor_expect(&r, 1, "not covered", "RTLD_DEEPBIND");
}

Test(cli_doctor, a_shell_script_is_judged_by_what_it_starts)
{
  struct run r = run_plain(&w, "idemshim", "doctor", script("job", "#!/bin/sh\ncurl x\n"), NULL);

  doctor_expect(&r, 1, "cannot tell", "programs that it starts get the preload too");
}

Test(cli_doctor, a_script_that_clears_the_environment_is_not_covered)
{
  struct run r =
      run_plain(&w, "idemshim", "doctor", script("job", "#!/usr/bin/env -S -i /usr/bin/python3\n"), NULL);

  doctor_expect(&r, 1, "not covered", "! LD_PRELOAD did not come through");
}

Test(cli_doctor, a_go_program_is_told_by_its_build_information)
{
  struct run go = run_shell_plain(&w, "command -v go || command -v gofmt || command -v fzf");
  go.out[strcspn(go.out, "\n")] = '\0';
  if (!*go.out)
    cr_skip_test("no Go program here");
  struct run r = run_plain(&w, "idemshim", "doctor", go.out, NULL);

  doctor_expect(&r, 1, "not covered", "is a Go program");
  run_release(&go);
}

/* By what its panics would name; the command itself has those names to look for. */
Test(cli_doctor, a_rust_program_is_told_and_not_taken_for_the_command)
{
  const char *rust =
      doctor_compile("rust", "",
                     "const char *volatile std = \"/rustc/90b35a6239c3/library/std/src/io.rs\","
                     "*volatile crate = \"/registry/src/reqwest-0.11.22/src/lib.rs\";"
                     "int main(void) { return !*std; }");
  struct run r = run_plain(&w, "idemshim", "doctor", rust, NULL);
  struct run own = run_plain(&w, "idemshim", "doctor", world_text(&w, "%s/idemshim", w.build), NULL);

  doctor_expect(&r, 1, "not covered", "is a Rust program with an HTTP stack of its own (reqwest)");
  cr_expect_null(strstr(own.out, "Rust"), "%s", own.out);
  run_release(&own);
}

/* ---- libcurl in other places ---- */

#define FAKE                                                                                                 \
  "const char *version = \"libcurl/8.5.0\";\n"                                                               \
  "int curl_easy_perform(void *easy) { return easy ? 1 : *version == 0; }\n"

Test(cli_doctor, a_libcurl_that_is_linked_in_is_out_of_reach)
{
  struct run kept = run_plain(&w, "idemshim", "doctor",
                              doctor_compile("kept", "", FAKE "int main(void) { return 0; }"), NULL);
  struct run stripped = run_plain(
      &w, "idemshim", "doctor", doctor_compile("stripped", "-s", FAKE "int main(void) { return 0; }"), NULL);

  doctor_expect(&kept, 1, "not covered", "kept has a libcurl inside, out of reach");
  doctor_expect(&stripped, 1, "not covered", "stripped has a libcurl inside, out of reach");
}

Test(cli_doctor, a_libcurl_inside_that_calls_itself_by_name_is_within_reach)
{
  doctor_compile("libinside.so", "-shared -fPIC", FAKE "int call(void) { return curl_easy_perform(0); }");
  const char *flags = world_text(&w, "-L%s -Wl,-rpath,'$ORIGIN' -linside -Wl,--no-as-needed", w.dir);
  const char *program = doctor_compile("outside", world_text(&w, "-Wl,--no-as-needed %s", flags),
                                       "int main(void) { return 0; }");
  struct run r = run_plain(&w, "idemshim", "doctor", program, NULL);

  doctor_expect(&r, 1, "cannot tell", "? libinside.so has a libcurl inside");
}

Test(cli_doctor, a_program_that_opens_libcurl_by_itself_needs_the_hooks)
{
  const char *program = doctor_compile(
      "opener", "", "const char *name = \"libcurl.so.4\"; int main(void) { return *name == 0; }");
  struct run r = run_plain(&w, "idemshim", "doctor", program, NULL);
  doctor_expect(&r, 1, "cannot tell", "? opens libcurl.so by itself");

  world_env(&w, "IDEMSHIM_HOOK_DL", "off");
  struct run without = run_plain(&w, "idemshim", "doctor", program, NULL);
  doctor_expect(&without, 1, "not covered", "- opens libcurl.so by itself, and there is no dlsym hook");
}

Test(cli_doctor, a_library_that_is_nowhere_is_named)
{
  doctor_compile("libgone.so", "-shared", "int gone;");
  const char *program = doctor_compile("needy", world_text(&w, "-L%s -Wl,--no-as-needed -lgone", w.dir),
                                       "int main(void) { return 0; }");
  struct run r = run_plain(&w, "idemshim", "doctor", program, NULL);
  doctor_expect(&r, 1, "not covered", "- it needs libgone.so, which is not found");

  world_env(&w, "LD_LIBRARY_PATH", "%s", w.dir);
  struct run found = run_plain(&w, "idemshim", "doctor", program, NULL);
  doctor_expect(&found, 1, "not covered", "- no libcurl in it");
}

/* Each truncation is another damage: none may end the doctor by a signal. */
Test(cli_doctor, a_damaged_file_is_an_answer_or_a_message)
{
  size_t size;
  char *bytes = file_read(client("no_libcurl"), &size);
  cr_assert_not_null(bytes);
  for (size_t len = size; len > 16; len = len * 3 / 4) {
    const char *path = world_write(&w, "cut", bytes, len);
    cr_assert_eq(chmod(path, 0755), 0);
    struct run r = run_plain(&w, "idemshim", "doctor", path, NULL);
    cr_expect(r.status == 1 || r.status == 3, "%zu bytes: exit %d, signal %d", len, r.status, r.signal);
    run_release(&r);
  }
  for (size_t at = 16; at < 4096 && at < size; at += 7) {
    char kept = bytes[at];
    bytes[at] = (char)0xff;
    const char *path = world_write(&w, "bent", bytes, size);
    cr_assert_eq(chmod(path, 0755), 0);
    struct run r = run_plain(&w, "idemshim", "doctor", path, NULL);
    cr_expect(r.status == 1, "byte %zu: exit %d, signal %d", at, r.status, r.signal);
    run_release(&r);
    bytes[at] = kept;
  }
  free(bytes);
}

/* ---- what stands around it ---- */

Test(cli_doctor, another_preload_counts_by_its_place)
{
  const char *other =
      doctor_compile("other.so", "-shared -fPIC", "int curl_easy_perform(void *easy) { return easy != 0; }");
  const char *ours = world_text(&w, "%s/libidemshim.so", w.build);
  const char *lists[] = {world_text(&w, "%s:%s", other, ours), world_text(&w, "%s:%s", ours, other), other};
  static const struct {
    int status;
    const char *verdict, *reason;
  } expected[] = {
      {1, "partly covered", "- another preload comes first"},
      {0, "covered", "comes after ours"},
      {0, "covered", "comes after ours"},
  };
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("the sanitizer's runtime has to come first");
  for (size_t i = 0; i < 3; i++) {
    struct run r = run_shell_plain(&w, world_text(&w, "LD_PRELOAD=%s exec idemshim doctor curl", lists[i]));

    doctor_expect(&r, expected[i].status, expected[i].verdict, expected[i].reason);
  }
}

Test(cli_doctor, a_mode_that_sends_everything_and_a_mistake_are_told)
{
  world_env(&w, "IDEMSHIM_MODE", "off");
  struct run off = run_plain(&w, "idemshim", "doctor", "curl", NULL);
  doctor_expect(&off, 1, "not covered", "! IDEMSHIM_MODE is off");

  world_env(&w, "IDEMSHIM_MODE", "of");
  struct run mistake = run_plain(&w, "idemshim", "doctor", "curl", NULL);
  doctor_expect(&mistake, 1, "not covered", "! the configuration has a mistake");
}

/* ---- processes ---- */

static const char curl_that_waits[] =
    "mkfifo \"$HOME/fifo\"; exec curl -sS -T \"$HOME/fifo\" -o \"$HOME/out\" ";

static bool has_mapped(pid_t pid, const char *name)
{
  char path[64], *line = NULL;
  size_t size;
  bool has = false;
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(path, "re");
  while (maps && !has && getline(&line, &size, maps) > 0)
    has = strstr(line, name);
  free(line);
  if (maps)
    fclose(maps);
  return has;
}

static struct run doctor_of(struct run *program)
{
  return run_plain(&w, "idemshim", "doctor", world_text(&w, "%d", (int)program->pid), NULL);
}

/* What it has read is known from its first handle on. */
static bool has_settings(struct run *program)
{
  struct run r = doctor_of(program);
  bool has = strstr(r.out, "has not opened the store");
  run_release(&r);
  return has;
}

Test(cli_doctor, a_process_under_the_preload_is_covered)
{
  struct run program =
      start_shim(&w, "sh", "-c", world_text(&w, "%s%s", curl_that_waits, world_url(&w, "/")), NULL);
  wait_until(has_mapped(program.pid, "/libcurl.so"));
  wait_until(has_settings(&program));
  struct run r = doctor_of(&program);

  cr_expect(strstr(r.out, "has libidemshim.so in memory"), "%s", r.out);
  cr_expect(strstr(r.out, "no call has met one of its"), "%s", r.out);
  doctor_expect(&r, 0, "covered", "+ has loaded libcurl ");
  run_release(&program);
}

Test(cli_doctor, a_process_s_settings_are_named_with_their_sources)
{
  const char *conf = world_write(&w, "idemshim.conf", "# here\nIDEMSHIM_SCOPE=night\n", 28);
  cr_assert_eq(chmod(conf, 0600), 0);
  world_env(&w, "IDEMSHIM_CONFIG", "%s", conf);
  world_env(&w, "IDEMSHIM_SYNC", "off");
  struct run program =
      start_shim(&w, "sh", "-c", world_text(&w, "%s%s", curl_that_waits, world_url(&w, "/")), NULL);
  wait_until(has_settings(&program));
  struct run r = doctor_of(&program);

  cr_expect(strstr(r.out, "IDEMSHIM_SYNC comes from its environment"), "%s", r.out);
  doctor_expect(&r, 0, "covered", world_text(&w, "IDEMSHIM_SCOPE comes from %s line 2", conf));
  run_release(&program);
}

Test(cli_doctor, a_process_that_was_started_without_it_is_not)
{
  struct run program =
      start_plain(&w, "sh", "-c", world_text(&w, "%s%s", curl_that_waits, world_url(&w, "/")), NULL);
  wait_until(has_mapped(program.pid, "/libcurl.so"));
  struct run without = doctor_of(&program);

  doctor_expect(&without, 1, "not covered", "! was started without libidemshim.so");
  run_release(&program);
}

Test(cli_doctor, a_process_whose_preload_was_cleared_is_told_so)
{
  world_env(&w, "IDEMSHIM_SCOPE", "job-1");
  struct run program = start_shim(&w, "sh", "-c", "exec env -u LD_PRELOAD sleep 600", NULL);
  wait_until(!has_mapped(program.pid, "/libidemshim.so") && has_mapped(program.pid, "sleep"));
  struct run r = doctor_of(&program);

  doctor_expect(&r, 1, "not covered", "! LD_PRELOAD did not come through");
  run_release(&program);
}

Test(cli_doctor, a_process_in_secure_mode_is_told_so)
{
  if (geteuid() != 0)
    cr_skip_test("only root can make a setuid program of another user");
  struct run copy =
      run_shell_plain(&w, "cp \"$(command -v sleep)\" \"$HOME/other\" && chown 1 \"$HOME/other\" && "
                          "chmod 4755 \"$HOME/other\" && chmod 755 \"$HOME\"");
  expect_success(&copy);
  struct run program = start_shim(&w, world_path(&w, "other"), "600", NULL);
  wait_until(has_mapped(program.pid, "/other") && has_mapped(program.pid, "/libc"));
  struct run r = doctor_of(&program);

  doctor_expect(&r, 1, "not covered", "! runs in secure mode");
  run_release(&program);
  run_release(&copy);
}

/* ---- for programs, and mistakes ---- */

Test(cli_doctor, json_says_what_the_text_says)
{
  struct run r = run_plain(&w, "idemshim", "doctor", "--json", "curl", NULL);
  const char *verdict, *program, *tls;
  json_t *document = json_loads(r.out, 0, NULL), *findings = json_object_get(document, "findings");

  expect_success(&r);
  cr_assert_eq(json_unpack(document, "{s:s, s:s, s:[{s:s}]}", "verdict", &verdict, "program", &program,
                           "libcurl", "tls", &tls),
               0, "%s", r.out);
  cr_expect_str_eq(verdict, "covered");
  cr_expect(strstr(program, "/curl"), "%s", program);
  cr_expect_str_eq(tls, "OpenSSL");
  cr_expect_str_eq(json_string_value(json_object_get(json_array_get(findings, 0), "code")), "linked");
  json_decref(document);
  run_release(&r);
}

Test(cli_doctor, bad_usage_is_exit_2)
{
  struct run none = run_plain(&w, "idemshim", "doctor", NULL);
  struct run option = run_plain(&w, "idemshim", "doctor", "--proof", "curl", NULL);
  struct run process = run_plain(&w, "idemshim", "doctor", "--prove", "1", NULL);
  struct run live = run_plain(&w, "idemshim", "doctor", "--live", "curl", NULL);

  expect_refusal(&none, 2, "an operand is missing");
  expect_refusal(&option, 2, "unknown option \"--proof\"");
  expect_refusal(&process, 2, "--prove runs a command");
  expect_refusal(&live, 2, "--live is a way to --prove");
}

Test(cli_doctor, what_cannot_be_read_is_exit_3)
{
  struct run absent = run_plain(&w, "idemshim", "doctor", "no-such-program", NULL);
  struct run process = run_plain(&w, "idemshim", "doctor", "2147483647", NULL);
  struct run text = run_plain(&w, "idemshim", "doctor", script("text", "no program\n"), NULL);
  struct run orphan =
      run_plain(&w, "idemshim", "doctor", script("orphan", "#!/nonexistent/interpreter\n"), NULL);

  expect_refusal(&absent, 3, "no-such-program: No such file");
  expect_refusal(&process, 3, "process 2147483647 cannot be looked at: No such process");
  expect_refusal(&text, 3, "neither an ELF program nor a script");
  expect_refusal(&orphan, 3, "its interpreter /nonexistent/interpreter: No such file");
}
