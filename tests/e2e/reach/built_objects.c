/* SPDX-License-Identifier: MIT */
/* The built objects: what they export, what they need, and what a hit does to the system. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(objects, .init = open_world, .fini = close_world);

Test(objects, the_front_exports_exactly_its_map)
{
  char source[PATH_MAX], script[2 * PATH_MAX + 256];
  cr_assert(getcwd(source, sizeof(source)));
  snprintf(script, sizeof(script),
           "cd \"$HOME\" && sed -n 's/^ *\\([a-z_]*\\);$/\\1/p' %s/shim/exports.map | sort >map && "
           "nm -D --defined-only %s/libidemshim.so | sed 's/.* //' | sort >exported && diff map exported",
           source, w.build);
  struct run r = run_shell_plain(&w, script);
  cr_expect_eq(r.status, 0, "%s%s", r.out, r.err);
  run_release(&r);
}

Test(objects, the_front_needs_libc_alone)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer build needs its runtime");
  char object[PATH_MAX + 32];
  snprintf(object, sizeof(object), "%s/libidemshim.so", w.build);
  struct run r = run_plain(&w, "readelf", "-d", object, NULL);
  int needed = count_of(r.out, "(NEEDED)");
  cr_expect(strstr(r.out, "[libc.so.6]"), "%s", r.out);
#if __GLIBC_PREREQ(2, 34)
  cr_expect_eq(needed, 1, "%s", r.out);
#else
  cr_expect(needed == 3 && strstr(r.out, "[libpthread.so.0]") && strstr(r.out, "[libdl.so.2]"), "%s", r.out);
#endif
  run_release(&r);
}

/* It is mapped into every program that is started: what the loader looks for then, and which pages it copies
 * because something is written to them. */
Test(objects, the_front_asks_little_of_a_program_that_never_calls_it)
{
  enum { NAMES_MOST = 18, COPIED_PAGES = 3, PAGE = 4096 };
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer build is not made to be small");
  struct run r = run_plain(&w, "readelf", "-dlrW", world_text(&w, "%s/libidemshim.so", w.build), NULL);
  unsigned long start = 0, len = 0;
  expect_success(&r);
  for (const char *at = r.out; (at = strstr(at, "  LOAD ")); at++)
    if (sscanf(at, " LOAD %*x %lx %*x %lx %*x RW ", &start, &len) == 2 &&
        strstr(at, " RW ") < strchr(at, '\n'))
      break;
  cr_expect(len && (start + len - 1) / PAGE - start / PAGE < COPIED_PAGES, "%lx bytes from %lx", len, start);
  cr_expect_leq(count_of(r.out, "_GLOB_DA"), NAMES_MOST, "%s", r.out);
  cr_expect_null(strstr(r.out, "(FINI) "), "%s", r.out);
  run_release(&r);
}

/* The newest glibc that an object asks for, as 2017 for 2.17. */
static int newest_glibc(const char *object)
{
  struct run r = run_shell_plain(
      &w, world_text(&w, "readelf --dyn-syms -W %s/%s | grep -o '@GLIBC_2[.][0-9]*'", w.build, object));
  int newest = 0;
  expect_success(&r);
  for (char *at = r.out; (at = strstr(at, "GLIBC_2.")); at++) {
    int minor = atoi(at + strlen("GLIBC_2."));
    newest = minor > newest ? minor : newest;
  }
  run_release(&r);
  return 2000 + newest;
}

/* A loader that does not know a version refuses the object, and of the front the whole program. */
Test(objects, ask_for_no_newer_glibc_than_is_supported)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer build needs its runtime");
  cr_expect_leq(newest_glibc("libidemshim.so"), 2017);
  cr_expect_leq(newest_glibc("libidemshim-store.so"), 2028);
  if (access(world_text(&w, "%s/libidemshim-fleet.so", w.build), F_OK) == 0)
    cr_expect_leq(newest_glibc("libidemshim-fleet.so"), 2028);
}

/* What glibc 2.34 took over from libpthread and libdl has a second version of that number. Most programs of
 * an older one have neither library, and a name that is not there keeps a program from starting, unless it is
 * weak. */
Test(objects, the_front_imports_weakly_what_older_glibcs_have_elsewhere)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer build needs its runtime");
  struct run r =
      run_shell_plain(&w, world_text(&w,
                                     "cd \"$HOME\" && nm -D --undefined-only '%s/libidemshim.so' | sed -n "
                                     "'s/^ *U \\([^@]*\\).*/\\1/p' | sort "
                                     ">strong && test -s strong && nm -D --defined-only \"$(ldd /bin/sh | "
                                     "awk '/libc.so.6/ { print $3 }')\" | "
                                     "sed -n 's/.* \\(.*\\)@@GLIBC_2[.]\\(3[4-9]\\|[4-9].\\)$/\\1/p' | sort "
                                     ">moved && comm -12 strong moved",
                                     w.build));
  expect_success(&r);
  cr_expect_str_eq(r.out, "");
  run_release(&r);
}

Test(objects, the_store_exports_its_table_the_tapes_and_memory_functions)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has an allocator of its own");
  struct run r = run_shell_plain(
      &w, world_text(&w, "nm -D --defined-only %s/libidemshim-store.so | sed 's/.* //'", w.build));
  cr_expect_str_eq(r.out, "aligned_alloc\ncalloc\nfree\nidem_store_api\nidem_tape_api\nmalloc\n"
                          "malloc_usable_size\nmemalign\nposix_memalign\nrealloc\n");
  run_release(&r);
}

/* The system calls of a run of `hits` hits on one handle, but for those that print and grow the client's own
 * report. */
static size_t calls_of(const char *hits)
{
  const char *trace = world_path(&w, hits);
  struct run r = run_plain(&w, "strace", "-f", "-e", "trace=!write,brk,mmap,munmap,mremap", "-E",
                           world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", trace,
                           "fetch-openssl", "--reuse-handle", "--repeat", hits, "--body", "{}",
                           world_url(&w, "/v1/chat/completions"), NULL);
  cr_expect_eq(r.status, 0, "%s", r.err);
  run_release(&r);
  char *text = file_read(trace, NULL);
  size_t lines = 0;
  for (const char *at = text; at && (at = strchr(at, '\n')); at++)
    lines++;
  free(text);
  return lines;
}

/* No futex, no file lock, no pwrite, no fsync: a hundred hits more do not show in the trace. */
Test(objects, a_repeated_hit_takes_no_lock_and_writes_nothing)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("sanitizers make system calls of their own");
  world_unset(&w, "IDEMSHIM_LOG");
  struct run fill =
      run_shim(&w, "fetch-openssl", "--body", "{}", world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&fill);
  run_release(&fill);
  size_t few = calls_of("3"), many = calls_of("103");
  cr_expect_gt(few, 0);
  cr_expect_eq(few, many, "%zu and %zu system calls", few, many);
  cr_expect_eq(mock_count(&w).requests, 1);
}

/* The same of numbers: each process takes and uses up those that a run before has filled. */
Test(objects, a_repeated_sample_takes_no_lock_and_writes_nothing)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("sanitizers make system calls of their own");
  world_unset(&w, "IDEMSHIM_LOG");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=auto");
  struct run fill = run_shim(&w, "fetch-openssl", "--reuse-handle", "--repeat", "103", "--body", "{}",
                             world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&fill);
  run_release(&fill);
  size_t few = calls_of("3"), many = calls_of("103");
  cr_expect_gt(few, 0);
  cr_expect_eq(few, many, "%zu and %zu system calls", few, many);
  cr_expect_eq(mock_count(&w).requests, 103);
}

Test(objects, installed_elsewhere_it_finds_its_other_half)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("the script preloads the shim without the sanitizer's runtime");
  char script[3 * PATH_MAX];
  /* A relative path in LD_PRELOAD, and a program that has left the directory by the time of its first call.
   */
  snprintf(script, sizeof(script),
           "cd \"$HOME\" && mkdir -p there/lib && cp %s/libidemshim.so %s/libidemshim-store.so there/lib/ && "
           "cd there && "
           "for i in 1 2; do "
           "LD_PRELOAD=lib/libidemshim.so /usr/bin/python3 -c \""
           "import os, pycurl; os.chdir('/'); c = pycurl.Curl(); c.setopt(c.URL, '%s'); "
           "c.setopt(c.POSTFIELDS, '{}'); c.perform()\""
           " || exit 1; done",
           w.build, w.build, world_url(&w, "/v1/chat/completions"));
  struct run r = run_shell_plain(&w, script);
  cr_expect_eq(r.status, 0, "%s", r.err);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", r.err);
  run_release(&r);
}

Test(objects, make_install_is_all_it_takes)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("the installed command preloads the shim without the sanitizer's runtime");
  char script[3 * PATH_MAX];
  snprintf(
      script, sizeof(script),
      "MAKEFLAGS= make -s install B='%s' PREFIX=/usr DESTDIR=\"$HOME/root\" && cd \"$HOME\" && "
      "test -s root/usr/share/man/man1/idemshim.1 && front=$(find \"$PWD/root\" -name libidemshim.so) && "
      "once() { \"$@\" curl -sS -d '{}' %s || exit 1; } && "
      "once root/usr/bin/idemshim run -- && once root/usr/bin/idemshim run -- && "
      "once env LD_LIBRARY_PATH=\"${front%%%%/libidemshim.so}\" LD_PRELOAD=libidemshim.so && "
      "once env LD_PRELOAD=\"$PWD/root/usr/\\$LIB/libidemshim.so\"",
      w.build, world_url(&w, "/v1/chat/completions"));
  struct run r = run_shell_plain(&w, script);
  cr_expect_eq(r.status, 0, "%s", r.err);
  cr_expect_str_empty(r.err);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", r.err);
  run_release(&r);
  snprintf(
      script, sizeof(script),
      "MAKEFLAGS= make -s uninstall B='%s' PREFIX=/usr DESTDIR=\"$HOME/root\" && find \"$HOME/root\" -type f",
      w.build);
  r = run_shell_plain(&w, script);
  cr_expect_str_eq(r.out, "", "uninstall has left %s", r.out);
  run_release(&r);
}
