/* SPDX-License-Identifier: MIT */
/* The built objects: what they export, what they need, and what a hit does to the system. */
#include "tests/harness/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct world w;

static void open_world(void)
{
  world_open(&w, 0);
}

static void close_world(void)
{
  world_close(&w);
}

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
  char *needed = strstr(r.out, "(NEEDED)");
  cr_assert_not_null(needed, "%s", r.out);
  cr_expect(strstr(needed, "[libc.so.6]"));
  cr_expect_null(strstr(needed + 1, "(NEEDED)"), "%s", r.out);
  run_release(&r);
}

Test(objects, the_store_exports_one_table)
{
  char object[PATH_MAX + 32];
  snprintf(object, sizeof(object), "%s/libidemshim-store.so", w.build);
  struct run r = run_plain(&w, "nm", "-D", "--defined-only", object, NULL);
  cr_expect(strstr(r.out, "idem_store_api\n"), "%s", r.out);
  cr_expect_eq(strchr(r.out, '\n'), r.out + r.out_len - 1, "%s", r.out);
  run_release(&r);
}

/* The trace of ten hits on one handle, after the first: no lock, no write, no allocation from the system. */
Test(objects, a_repeated_hit_makes_no_system_call)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("sanitizers make system calls of their own");
  world_unset(&w, "IDEMSHIM_LOG");
  const char *url = world_url(&w, "/v1/chat/completions");
  char traces[2][64], *texts[2];
  static const char *const repeats[] = {"3", "103"};
  for (int i = 0; i < 2; i++) {
    snprintf(traces[i], sizeof(traces[i]), "%s", world_path(&w, repeats[i]));
    struct run r = run_plain(
        &w, "strace", "-f", "-E", world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", traces[i],
        "fetch-openssl", "--reuse-handle", "--repeat", repeats[i], "--body", "{}", url, NULL);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_release(&r);
  }
  struct run fill =
      run_shim(&w, "fetch-openssl", "--reuse-handle", "--repeat", "3", "--body", "{}", url, NULL);
  run_release(&fill);
  /* Again, now that the store is there: a hundred hits more must not show, but for what prints them. */
  for (int i = 0; i < 2; i++) {
    struct run r =
        run_plain(&w, "strace", "-f", "-e", "trace=!write,mmap,munmap,brk,mremap", "-E",
                  world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "-o", traces[i], "fetch-openssl",
                  "--reuse-handle", "--repeat", repeats[i], "--body", "{}", url, NULL);
    cr_expect_eq(r.status, 0, "%s", r.err);
    texts[i] = file_read(traces[i], NULL);
    run_release(&r);
  }
  size_t lines[2] = {0, 0};
  for (int i = 0; i < 2; i++)
    for (const char *at = texts[i]; (at = strchr(at, '\n')); at++)
      lines[i]++;
  cr_expect_eq(lines[0], lines[1], "%zu and %zu system calls", lines[0], lines[1]);
  cr_expect_eq(mock_count(&w).requests, 1);
  free(texts[0]);
  free(texts[1]);
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
  snprintf(script, sizeof(script),
           "make -s install B='%s' PREFIX=/usr DESTDIR=\"$HOME/root\" && cd \"$HOME\" && "
           "for i in 1 2; do root/usr/bin/idemshim run -- curl -sS -d '{}' %s || exit 1; done && "
           "test -s root/usr/share/man/man1/idemshim.1",
           w.build, world_url(&w, "/v1/chat/completions"));
  struct run r = run_shell_plain(&w, script);
  cr_expect_eq(r.status, 0, "%s", r.err);
  cr_expect_eq(mock_count(&w).requests, 1, "%s", r.err);
  run_release(&r);
  snprintf(script, sizeof(script),
           "make -s uninstall B='%s' PREFIX=/usr DESTDIR=\"$HOME/root\" && find \"$HOME/root\" -type f",
           w.build);
  r = run_shell_plain(&w, script);
  cr_expect_str_eq(r.out, "", "uninstall has left %s", r.out);
  run_release(&r);
}
