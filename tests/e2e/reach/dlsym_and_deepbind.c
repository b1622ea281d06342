/* SPDX-License-Identifier: MIT */
/* Callers that a preload alone does not reach: FFI by dlsym(), and PHP by RTLD_DEEPBIND. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(reach, .init = open_world, .fini = close_world);

static const char target[] = "/v1/chat/completions";

/* Twice, the second time without the server. */
static void expect_idempotent(const char *const *argv)
{
  struct run first = run_argv(&w, true, argv);
  expect_success(&first);
  cr_expect_eq(mock_count(&w).requests, 1, "%s: %ld requests", argv[0], mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "stored"), 1, "%s was not reached", argv[0]);
  mock_stop(&w);
  struct run again = run_argv(&w, true, argv);
  expect_success(&again);
  expect_same_output(&first, &again);
  run_release(&first);
  run_release(&again);
}

static const char ctypes_program[] =
    "import ctypes, sys\n"
    "curl = ctypes.CDLL(sys.argv[1])\n"
    "curl.curl_easy_init.restype = ctypes.c_void_p\n"
    "handle = ctypes.c_void_p(curl.curl_easy_init())\n"
    "parts = []\n"
    "@ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)\n"
    "def write(data, size, count, user):\n"
    "  parts.append(ctypes.string_at(data, size * count))\n"
    "  return size * count\n"
    "curl.curl_easy_setopt(handle, 10002, sys.argv[2].encode())\n"
    "curl.curl_easy_setopt(handle, 10015, b'{\"from\":\"ctypes\"}')\n"
    "curl.curl_easy_setopt(handle, 20011, write)\n"
    "print(curl.curl_easy_perform(handle), b''.join(parts))\n"
    "curl.curl_easy_cleanup(handle)\n";

Test(reach, ctypes_with_the_openssl_flavour)
{
  const char *file = world_write(&w, "ffi.py", ctypes_program, sizeof(ctypes_program) - 1);
  const char *argv[] = {"/usr/bin/python3", file, "libcurl.so.4", world_url(&w, target), NULL};
  expect_idempotent(argv);
}

Test(reach, ctypes_with_the_gnutls_flavour)
{
  const char *file = world_write(&w, "ffi.py", ctypes_program, sizeof(ctypes_program) - 1);
  const char *argv[] = {"/usr/bin/python3", file, "libcurl-gnutls.so.4", world_url(&w, target), NULL};
  expect_idempotent(argv);
}

static const char php_program[] =
    "<?php $c = curl_init($argv[1]);\n"
    "curl_setopt_array($c, [CURLOPT_POSTFIELDS => '{\"from\":\"php\"}', CURLOPT_RETURNTRANSFER => true,\n"
    "  CURLOPT_HEADERFUNCTION => function($c, $line) { if (!preg_match('/^X-[IFO]/', $line)) "
    "echo $line; return strlen($line); }]);\n"
    "echo curl_exec($c), curl_getinfo($c, CURLINFO_RESPONSE_CODE), curl_getinfo($c, CURLINFO_CONTENT_TYPE),\n"
    "  curl_getinfo($c, CURLINFO_PRIMARY_IP), curl_errno($c), curl_error($c);\n";

static bool no_php(void)
{
  struct run r = run_plain(&w, "sh", "-c", "php -m | grep -qx curl", NULL);
  bool missing = r.status != 0;
  run_release(&r);
  return missing;
}

Test(reach, php_whose_extensions_are_bound_deep)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime refuses RTLD_DEEPBIND before it comes to us");
  if (no_php())
    cr_skip_test("php-cli with php-curl is not installed");
  const char *file = world_write(&w, "ask.php", php_program, sizeof(php_program) - 1);
  const char *argv[] = {"php", file, world_url(&w, target), NULL};
  expect_idempotent(argv);
}

Test(reach, hook_dl_off_leaves_them_alone)
{
  world_env(&w, "IDEMSHIM_HOOK_DL", "off");
  const char *file = world_write(&w, "ffi.py", ctypes_program, sizeof(ctypes_program) - 1);
  for (int i = 0; i < 2; i++) {
    struct run r = run_shim(&w, "/usr/bin/python3", file, "libcurl.so.4", world_url(&w, target), NULL);
    expect_success(&r);
    run_release(&r);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
}

/* A feature test such as that of D's std.net.curl. */
Test(reach, a_program_that_asks_whether_it_has_libcurl_has_none)
{
  static const char script[] = "import ctypes\n"
                               "try:\n  ctypes.CDLL(None).curl_easy_init\n  print('found')\n"
                               "except AttributeError:\n  print('none')\n";
  struct run r = run_shim(&w, "/usr/bin/python3", "-c", script, NULL);
  cr_expect_str_eq(r.out, "none\n");
  run_release(&r);
}

/* Its libcurl has a libc of its own, and is not ours. */
static void expect_own_functions(void)
{
  struct run plain = run_plain(&w, "namespaces", world_url(&w, target), "{}", NULL);
  struct run shim = run_shim(&w, "namespaces", world_url(&w, target), "{}", NULL);
  cr_expect_eq(shim.status, plain.status, "%s", shim.err);
  cr_expect_eq(shim.status, 0, "%s", shim.err);
  expect_same_output(&plain, &shim);
  cr_expect_eq(mock_count(&w).requests, 4);
  run_release(&plain);
  run_release(&shim);
}

Test(reach, a_libcurl_in_a_namespace_of_its_own_gets_its_own_functions)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime does not come into other namespaces");
  expect_own_functions();
  mock_reset(&w);
  world_env(&w, "IDEMSHIM_MODE", "off");
  expect_own_functions();
}

/* As profilers and overlays have it. */
static const char another_dlsym[] =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\n"
    "void *dlsym(void *handle, const char *name) {\n"
    "  static void *(*next)(void *, const char *);\n"
    "  if (!next && !(next = dlvsym(RTLD_NEXT, \"dlsym\", \"GLIBC_2.34\")) &&\n"
    "      !(next = dlvsym(RTLD_NEXT, \"dlsym\", \"GLIBC_2.2.5\"))) next = dlvsym(RTLD_NEXT, \"dlsym\", "
    "\"GLIBC_2.17\");\n"
    "  return next(handle, name); }\n";

Test(reach, a_dlsym_of_another_preload_that_comes_first_is_said)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_unset(&w, "IDEMSHIM_LOG");
  const char *file = world_write(&w, "ffi.py", ctypes_program, sizeof(ctypes_program) - 1);
  world_write(&w, "another.c", another_dlsym, sizeof(another_dlsym) - 1);
  struct run made =
      run_shell_plain(&w, "cc -w -shared -fPIC -o \"$HOME/another.so\" \"$HOME/another.c\" -ldl");
  expect_success(&made);
  const char *both = world_text(&w, "%s/another.so:%s/libidemshim.so", w.dir, w.build);
  struct run first =
      run_shell_plain(&w, world_text(&w, "LD_PRELOAD='%s' /usr/bin/python3 '%s' libcurl.so.4 '%s'", both,
                                     file, world_url(&w, target)));
  expect_success(&first);
  cr_expect(strstr(first.err, "another.so comes before that of libidemshim.so"), "%s", first.err);
  struct run after = run_shell_plain(&w, world_text(&w,
                                                    "LD_PRELOAD='%s/libidemshim.so:%s/another.so' "
                                                    "/usr/bin/python3 '%s' libcurl.so.4 '%s'",
                                                    w.build, w.dir, file, world_url(&w, target)));
  expect_success(&after);
  cr_expect_eq(after.err_len, 0, "%s", after.err);
  struct run doctor = run_shell_plain(&w, world_text(&w, "LD_PRELOAD='%s' idemshim doctor curl", both));
  cr_expect(strstr(doctor.out, "another preload comes first and takes dlsym()"), "%s", doctor.out);
  run_release(&made);
  run_release(&first);
  run_release(&after);
  run_release(&doctor);
}

/* As cwrap's libraries do: libc is looked for under the lock that each of their functions takes. */
static const char wrapper[] =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <pthread.h>\n"
    "static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n"
    "static void *find(const char *name) { pthread_mutex_lock(&lock);\n"
    "  void *libc = dlopen(\"libc.so.10\", RTLD_LAZY | RTLD_DEEPBIND);\n"
    "  if (!libc) libc = dlopen(\"libc.so.6\", RTLD_LAZY | RTLD_DEEPBIND);\n"
    "  void *found = dlsym(libc, name); pthread_mutex_unlock(&lock); return found; }\n"
    "long syscall(long n, long a, long b, long c, long d, long e, long f) {\n"
    "  return ((long (*)(long, ...))find(\"syscall\"))(n, a, b, c, d, e, f); }\n"
    "int open(const char *path, int flags, int mode) {\n"
    "  return ((int (*)(const char *, int, ...))find(\"open\"))(path, flags, mode); }\n"
    "__attribute__((constructor)) static void begin(void) { find(\"open\"); }\n";

Test(reach, a_wrapper_that_opens_libc_under_a_lock_is_not_held_up)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_write(&w, "wrapper.c", wrapper, sizeof(wrapper) - 1);
  struct run made =
      run_shell_plain(&w, "cc -w -shared -fPIC -o \"$HOME/wrapper.so\" \"$HOME/wrapper.c\" -ldl -lpthread");
  expect_success(&made);
  struct run r = run_shell_plain(
      &w, world_text(&w, "LD_PRELOAD='%s/libidemshim.so:%s/wrapper.so' timeout 20 curl -s '%s' -d '{}'",
                     w.build, w.dir, world_url(&w, target)));
  expect_success(&r);
  run_release(&made);
  run_release(&r);
}

/* As tracers and limiters have it: some of libcurl's functions are wrapped, and the others are not there. */
static const char some_of_libcurl[] =
    "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdarg.h>\n#include <unistd.h>\n"
    "#define NEXT(name) (next ? next : (next = dlsym(RTLD_NEXT, name)))\n"
    "void *curl_easy_init(void) { static void *(*next)(void); return NEXT(\"curl_easy_init\")(); }\n"
    "int curl_easy_setopt(void *handle, int option, ...) { static int (*next)(void *, int, ...); va_list "
    "list;\n"
    "  va_start(list, option); void *value = va_arg(list, void *); va_end(list);\n"
    "  return NEXT(\"curl_easy_setopt\")(handle, option, value); }\n"
    "int curl_easy_perform(void *handle) { static int (*next)(void *); write(2, \"wrapped\\n\", 8);\n"
    "  return NEXT(\"curl_easy_perform\")(handle); }\n";

Test(reach, a_preload_that_wraps_some_of_libcurl_may_come_before_or_after)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first");
  world_write(&w, "some.c", some_of_libcurl, sizeof(some_of_libcurl) - 1);
  struct run made = run_shell_plain(&w, "cc -w -shared -fPIC -o \"$HOME/some.so\" \"$HOME/some.c\" -ldl");
  expect_success(&made);
  run_release(&made);
  for (int after = 0; after < 2; after++) {
    const char *command =
        world_text(&w, "LD_PRELOAD='%s/%s %s/%s' fetch-openssl --body '{\"after\":%d}' '%s'",
                   after ? w.build : w.dir, after ? "libidemshim.so" : "some.so", after ? w.dir : w.build,
                   after ? "some.so" : "libidemshim.so", after, world_url(&w, target));
    struct run first = run_shell_plain(&w, command), again = run_shell_plain(&w, command);
    expect_success(&first);
    cr_expect_str_eq(first.err, "wrapped\n");
    expect_same_output(&first, &again);
    cr_expect_eq(mock_count(&w).requests, after + 1);
    cr_expect_eq(log_events(&w, "hit"), after + 1);
    run_release(&first);
    run_release(&again);
  }
}

/* RUNPATH and RTLD_NEXT depend on who calls; at -O0 too, where nothing is a tail call. */
Test(reach, dlopen_and_dlsym_still_know_their_caller)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test(
        "a sanitizer's runtime calls dlopen() in the program's place, so that the caller is lost before us");
  static const char build[] =
      "cd \"$HOME\" && mkdir -p sub && echo 'int answer(void) { return 42; }' >b.c && "
      "cat >a.c <<'C'\n"
      "#include <dlfcn.h>\n#include <stdio.h>\n"
      "int puts(const char *s) { int (*next)(const char *) = dlsym(RTLD_NEXT, \"puts\"); return next(s); }\n"
      "int ask(void) { void *b = dlopen(\"libb.so\", RTLD_NOW); int (*f)(void) = b ? dlsym(b, \"answer\") : "
      "0;\n"
      "  if (!f) { puts(dlerror()); return 0; } puts(\"next\"); return f(); }\n"
      "C\n"
      "echo 'int ask(void); int main(void) { return ask() != 42; }' >main.c && "
      "for o in -O0 -O2; do cc $o -D_GNU_SOURCE -fPIC -shared -o sub/libb.so b.c && "
      "cc $o -D_GNU_SOURCE -fPIC -shared -o liba.so a.c -ldl -Wl,-rpath,\"$HOME/sub\" && "
      "cc $o -o main$o main.c -L. -la -Wl,-rpath,\"$HOME\" || exit 1; done";
  struct run made = run_shell_plain(&w, build);
  cr_assert_eq(made.status, 0, "%s", made.err);
  static const char *const programs[] = {"main-O0", "main-O2"};
  for (int i = 0; i < 2; i++) {
    struct run r = run_shim(&w, world_path(&w, programs[i]), NULL);
    cr_expect_eq(r.status, 0, "%s: %s", programs[i], r.out);
    cr_expect_str_eq(r.out, "next\n");
    run_release(&r);
  }
  run_release(&made);
}
