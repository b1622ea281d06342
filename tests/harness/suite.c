/* SPDX-License-Identifier: MIT */
#include "tests/harness/suite.h"

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
