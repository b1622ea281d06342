/* SPDX-License-Identifier: MIT */
/* idemshim doctor: what it says of runtimes, servers and libraries. They are made here, with the names and in
 * the places that real ones have; the doctor reads files and runs nothing. */
#include "tests/e2e/cli/doctor.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(cli_doctor_programs, .init = open_bare_world, .fini = close_world);

#define MAIN  "int main(void) { return 0; }\n"
#define CALLS "int curl_easy_perform(void *); int call(void *easy) { return curl_easy_perform(easy); }\n"
#define LINKS "-Wl,--no-as-needed -lcurl "
/* A libcurl of this version, as its file is seen. */
#define LIBCURL(version)                                                                                     \
  "const char *version = \"libcurl/" version "\";\n"                                                         \
  "int curl_multi_perform(void *multi, int *running) { return *version == 0; }\n"                            \
  "int curl_easy_perform(void *easy) { return curl_multi_perform(easy, 0); }\n"
#define MODULE "-shared -fPIC " LINKS

static void make_directories(const char *path)
{
  struct run r = run_shell_plain(&w, world_text(&w, "mkdir -p \"$(dirname \"$HOME/%s\")\"", path));
  expect_success(&r);
  run_release(&r);
}

static const char *make(const char *path, const char *flags, const char *source)
{
  make_directories(path);
  return doctor_compile(path, flags, source);
}

/* After a table, so that a test fails at the row that is wrong. */
static void expect_of(const char *program, int status, const char *verdict, const char *reason)
{
  struct run r = run_plain(&w, "idemshim", "doctor", world_path(&w, program), NULL);
  doctor_expect(&r, status, verdict, reason);
}

/* ---- runtimes ---- */

Test(cli_doctor_programs, a_runtime_that_calls_any_library_by_name_cannot_be_told)
{
  static const char *const runtimes[] = {"guile",   "guile-3.0",    "racket", "sbcl",
                                         "cobcrun", "luajit-2.1.0", "julia",  "bun"};
  for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++) {
    make(world_text(&w, "usr/bin/%s", runtimes[i]), "", MAIN);
    expect_of(world_text(&w, "usr/bin/%s", runtimes[i]), 1, "cannot tell",
              "~ whether its code calls libcurl by ");
  }
}

Test(cli_doctor_programs, a_runtime_that_needs_a_module_for_that_is_not_covered_without_one)
{
  static const char *const runtimes[] = {"perl5.36", "node", "lua5.4", "tclsh8.6"};
  for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++) {
    make(world_text(&w, "usr/bin/%s", runtimes[i]), "", MAIN);
    expect_of(world_text(&w, "usr/bin/%s", runtimes[i]), 1, "not covered",
              "- not covered, for libcurl has no part in it: ");
  }
}

/* The program, the module, the verdict with it. */
static const struct {
  const char *program, *module, *verdict, *reason;
  int status;
} runtimes_with_modules[] = {
    {"slsh", "usr/lib/x86_64-linux-gnu/slang/v2/modules/curl-module.so", "covered",
     "+ makes its calls by way of slang-curl (libcurl ", 0},
    {"gbr3", "usr/lib/x86_64-linux-gnu/gambas3/gb.net.curl.so", "covered",
     "+ makes its calls by way of gb.net.curl (libcurl ", 0},
    {"tclsh8.6", "usr/lib/tcltk/x86_64-linux-gnu/TclCurl7.22.0/libTclCurl7.22.0.so", "partly covered",
     "? covered where it uses TclCurl (libcurl ", 1},
    {"python3.11", "usr/lib/python3/dist-packages/pycurl.cpython-311.so", "partly covered",
     "? covered where it uses pycurl (libcurl ", 1},
    {"python3.12", "usr/local/lib/python3.12/dist-packages/pycurl.so", "partly covered",
     "? covered where it uses pycurl (libcurl ", 1},
    {"php-fpm8.2", "usr/lib/php/20220829/curl.so", "partly covered", "? covered where it uses curl (libcurl ",
     1},
    {"ruby3.1",
     "usr/lib/x86_64-linux-gnu/rubygems-integration/3.1.0/extensions/x86_64-linux/3.1.0/curb-1.0.5/"
     "curb_core.so",
     "partly covered", "? covered where it uses curb (libcurl ", 1},
    {"luajit", "usr/lib/x86_64-linux-gnu/lua/5.1/lcurl.so", "partly covered",
     "? covered where it uses lua-curl (libcurl ", 1},
};

Test(cli_doctor_programs, a_runtime_is_covered_by_its_modules)
{
  for (size_t i = 0; i < sizeof runtimes_with_modules / sizeof *runtimes_with_modules; i++) {
    const char *program = world_text(&w, "usr/bin/%s", runtimes_with_modules[i].program);
    make(program, "", MAIN);
    make(runtimes_with_modules[i].module, MODULE, CALLS);
    expect_of(program, runtimes_with_modules[i].status, runtimes_with_modules[i].verdict,
              runtimes_with_modules[i].reason);
  }
}

Test(cli_doctor_programs, modules_that_open_libcurl_by_name_are_known_by_being_there)
{
  static const char *const modules[][3] = {
      {"usr/bin/perl", "usr/lib/x86_64-linux-gnu/perl5/5.36/FFI/Platypus.pm", "FFI::Platypus"},
      {"usr/bin/php8.2", "usr/lib/php/20220829/ffi.so", "FFI"},
  };
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
    make(modules[i][0], "", MAIN);
    make_directories(modules[i][1]);
    world_write(&w, modules[i][1], "", 0);
    expect_of(modules[i][0], 1, "partly covered",
              world_text(&w, "? covered where it uses %s (through", modules[i][2]));
  }
}

/* A wheel brings a libcurl beside the module, which is reached, or one inside, which is not. */
Test(cli_doctor_programs, a_copy_of_libcurl_beside_a_module_is_told_from_one_inside)
{
  make("venv/bin/python3", "", MAIN);
  make("venv/lib/python3.11/site-packages/curl_cffi/_wrapper.abi3.so", "-shared -fPIC",
       "const char *version = \"libcurl/8.7.1-IMPERSONATE\";\n");
  expect_of("venv/bin/python3", 1, "cannot tell",
            "  curl_cffi has a libcurl of its own inside, out of reach");

  make("venv/lib/python3.11/site-packages/pycurl.libs/libcurl-1a2b3c4d.so.4.8.0",
       "-shared -fPIC -Wl,-soname,libcurl-1a2b3c4d.so.4.8.0", LIBCURL("8.6.0"));
  make("venv/lib/python3.11/site-packages/pycurl.cpython-311-x86_64-linux-gnu.so",
       world_text(&w,
                  "-shared -fPIC -Wl,--no-as-needed -L%s/venv/lib/python3.11/site-packages/pycurl.libs "
                  "-l:libcurl-1a2b3c4d.so.4.8.0 -Wl,-rpath,'$ORIGIN/pycurl.libs'",
                  w.dir),
       CALLS);
  expect_of("venv/bin/python3", 1, "partly covered", "? covered where it uses pycurl (libcurl 8.6.0");
}

/* ---- servers and helpers ---- */

static const struct {
  const char *program, *plugin, *other;
} servers[] = {
    {"usr/lib/postgresql/15/bin/postgres", "usr/lib/postgresql/15/lib/http.so",
     "usr/lib/postgresql/15/lib/plain.so"},
    {"usr/sbin/kamailio", "usr/lib/x86_64-linux-gnu/kamailio/modules/http_client.so",
     "usr/lib/x86_64-linux-gnu/kamailio/modules/sl.so"},
    {"usr/sbin/freeradius", "usr/lib/freeradius/rlm_rest.so", "usr/lib/freeradius/rlm_pap.so"},
    {"usr/sbin/apache2", "usr/lib/apache2/modules/mod_md.so", "usr/lib/apache2/modules/mod_dir.so"},
    {"usr/bin/uwsgi", "usr/lib/uwsgi/plugins/curl_cron_plugin.so", "usr/lib/uwsgi/plugins/echo_plugin.so"},
    {"usr/sbin/collectd", "usr/lib/collectd/write_http.so", "usr/lib/collectd/cpu.so"},
};

Test(cli_doctor_programs, a_server_is_covered_where_it_loads_the_plugin_that_calls_libcurl)
{
  static const char opener[] =
      "void *dlopen(const char *, int); int main(void) { return dlopen(\"x\", 1) != 0; }\n";
  for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
    const char *name = strrchr(servers[i].plugin, '/') + 1;
    make(servers[i].program, "", opener);
    make(servers[i].other, "-shared -fPIC", "int other;\n");
    expect_of(servers[i].program, 1, "cannot tell",
              "~ opens plugins by dlopen, which its file does not name");
    make(servers[i].plugin, MODULE, CALLS);
    expect_of(servers[i].program, 1, "cannot tell",
              world_text(&w, "? covered where it uses %s (libcurl ", name));
  }
}

Test(cli_doctor_programs, a_plugin_that_runs_code_in_a_language_is_named)
{
  make("usr/sbin/apache2", "", MAIN);
  make("usr/lib/libphp8.2.so", "-shared -fPIC -Wl,-soname,libphp8.2.so", "int php;\n");
  make("usr/lib/apache2/modules/mod_php.so",
       world_text(&w, "-shared -fPIC -Wl,--no-as-needed -L%s/usr/lib -lphp8.2 -Wl,-rpath,%s/usr/lib", w.dir,
                  w.dir),
       "int module;\n");
  expect_of("usr/sbin/apache2", 1, "cannot tell",
            "~ mod_php.so runs code in PHP, which may make calls in ways of its own");
}

Test(cli_doctor_programs, a_helper_makes_the_calls_of_its_program)
{
  make("usr/bin/git", "", MAIN);
  expect_of("usr/bin/git", 1, "not covered", "- no libcurl in it");
  make("usr/lib/git-core/git-remote-https", LINKS, CALLS MAIN);
  expect_of("usr/bin/git", 0, "covered", "+ makes its calls by way of git-remote-https (libcurl ");
}

/* ---- programs and libraries ---- */

Test(cli_doctor_programs, a_program_that_asks_for_the_functions_by_name_is_covered_by_the_hooks)
{
  static const char by_name[] =
      "void *dlopen(const char *, int), *dlsym(void *, const char *);\n"
      "int main(void) { return dlsym(dlopen(\"libcurl.so.4\", 1), \"curl_easy_perform\") != 0; }\n";
  make("by-name", "", by_name);
  expect_of("by-name", 0, "covered", "+ by-name asks for libcurl's functions by name");

  world_env(&w, "IDEMSHIM_HOOK_DL", "off");
  expect_of("by-name", 1, "not covered", "- opens libcurl.so by itself, and there is no dlsym hook");
}

Test(cli_doctor_programs, a_library_that_may_open_libcurl_for_its_program_is_named)
{
  make("libphobos2.so", "-shared -fPIC",
       "const char *names[] = {\"libcurl.so.4\", \"curl_easy_perform\"};\n");
  make("d-program", world_text(&w, "-Wl,--no-as-needed -L%s -lphobos2 -Wl,-rpath,%s", w.dir, w.dir), MAIN);
  expect_of("d-program", 1, "cannot tell", "? libphobos2.so opens libcurl.so by itself");
}

Test(cli_doctor_programs, a_language_inside_of_a_program_is_named)
{
  make("libcob.so.4", "-shared -fPIC -Wl,-soname,libcob.so.4", "int cob;\n");
  make("payroll", world_text(&w, "-Wl,--no-as-needed -L%s -l:libcob.so.4 -Wl,-rpath,%s", w.dir, w.dir), MAIN);
  expect_of("payroll", 1, "cannot tell", "~ it runs code in COBOL, which may make calls in ways of its own");
}

Test(cli_doctor_programs, a_libcurl_that_nobody_calls_by_name_cannot_be_told)
{
  make("linked", LINKS, MAIN);
  expect_of("linked", 1, "cannot tell", "is linked, and nothing calls a transfer function of it by name");
}

/* ---- versions ---- */

static void expect_of_libcurl(const char *version, int status, const char *verdict, const char *reason)
{
  make("libcurl.so.4", "-shared -fPIC -Wl,-soname,libcurl.so.4", version);
  make("uses-it", world_text(&w, "-Wl,--no-as-needed -L%s -l:libcurl.so.4 -Wl,-rpath,%s", w.dir, w.dir),
       CALLS MAIN);
  expect_of("uses-it", status, verdict, reason);
}

Test(cli_doctor_programs, a_libcurl_that_we_do_not_know_is_named)
{
  expect_of_libcurl(LIBCURL("8.22.0"), 0, "covered", "+ calls libcurl 8.22.0");
  expect_of_libcurl(LIBCURL("8.99.0"), 0, "covered",
                    "  libcurl 8.99.0 has options that this idemshim does not know");
  expect_of_libcurl(LIBCURL("7.52.1"), 1, "partly covered", "- libcurl 7.52.1 is older than 7.68");
  expect_of_libcurl(LIBCURL("8.7.1") "int curl_easy_impersonate(void *easy) { return 0; }\n", 0, "covered",
                    "libcurl.so.4 (curl_easy_impersonate) has options that this idemshim does not know");
}

Test(cli_doctor_programs, a_libc_that_is_too_old_is_told)
{
  const char *versions =
      "GLIBC_2.2.5 { global: __libc_start_main; exit; };\nGLIBC_2.12 { global: newest; };\n";
  world_write(&w, "versions", versions, strlen(versions));
  make(
      "old/libc.so.6",
      world_text(&w, "-shared -fPIC -nostdlib -Wl,-soname,libc.so.6 -Wl,--version-script=%s/versions", w.dir),
      "int __libc_start_main, exit, newest;\n");
  make("old/program",
       world_text(&w,
                  "-nostdlib -Wl,-e,main -Wl,--no-as-needed -L%s/old -l:libc.so.6 -Wl,-rpath,%s/old "
                  "-Wl,--as-needed",
                  w.dir, w.dir),
       MAIN);
  expect_of("old/program", 1, "not covered", "! its libc has the symbols of glibc 2.12, and libidemshim");
}

Test(cli_doctor_programs, musl_is_told)
{
  if (run_shell_plain(&w, "command -v musl-gcc").status != 0)
    cr_skip_test("musl-gcc is not installed (musl-tools)");
  world_write(&w, "m.c", MAIN, strlen(MAIN));
  struct run made = run_shell_plain(&w, "musl-gcc -o \"$HOME/m\" \"$HOME/m.c\"");
  expect_success(&made);
  expect_of("m", 1, "not covered", "! it is linked with musl, and libidemshim.so is made for glibc");
  run_release(&made);
}
