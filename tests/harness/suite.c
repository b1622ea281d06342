/* SPDX-License-Identifier: MIT */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct world w;

void open_world(void)
{
  world_open(&w, 0);
}

void open_tls_world(void)
{
  world_open(&w, WORLD_TLS);
}

void open_bare_world(void)
{
  static const char *const ours[] = {"IDEMSHIM_STORE", "IDEMSHIM_HOSTS", "IDEMSHIM_LOG", "IDEMSHIM_SYNC",
                                     "IDEMSHIM_CONFIG"};

  open_world();
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    world_unset(&w, ours[i]);
  /* The command puts a sanitized library into programs that are not: its runtime cannot come first there, and
   * sh leaks by design. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

void close_world(void)
{
  world_close(&w);
}

bool is_under_thread_sanitizer(void)
{
  const char *sanitizer = getenv("IDEM_SAN_PRELOAD");
  return sanitizer && strstr(sanitizer, "tsan");
}

unsigned libcurl_version(void)
{
  struct run run = run_plain(&w, "fidelity", "--libcurl", NULL);
  unsigned version = (unsigned)strtoul(run.out, NULL, 10);

  cr_assert(version, "%s", run.err);
  run_release(&run);
  return version;
}

void need_libcurl(unsigned version, const char *what)
{
  if (libcurl_version() < version)
    cr_skip_test("libcurl is older than %u.%u and has no %s", version >> 16, version >> 8 & 0xff, what);
}
