/* SPDX-License-Identifier: MIT */
/* Pairs of requests by mutation, judged by the table of docs/keys.md (tests/clients/what_counts.c). Nothing
 * is sent. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=*.example method=POST,PUT ignore=/at");
}

TestSuite(what_counts, .init = set_up, .fini = close_world);

/* IDEMSHIM_PAIRS and IDEMSHIM_SEED: `make torture` takes more, and others. */
Test(what_counts, pairs_are_named_as_the_table_says, .timeout = 600)
{
  const char *pairs = getenv("IDEMSHIM_PAIRS"), *seed = getenv("IDEMSHIM_SEED");
  struct run r = run_shim(&w, "what_counts", seed ? seed : "20261125", pairs ? pairs : "5000", w.log, NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, " 0 wrong\n"), "%s", r.out);
  const char *said = strstr(r.err, "SSL_CTX_FUNCTION may change whom it trusts");
  cr_expect(said && !strstr(said + 1, "SSL_CTX_FUNCTION may"), "once: %s", r.err);
  run_release(&r);
}

/* Each row in turn is said to be what it is not, and that must be seen. */
Test(what_counts, a_fault_in_any_row_is_found, .timeout = 300)
{
  struct run list = run_shim(&w, "what_counts", "1", "0", w.log, "list", NULL);
  int rows = 0;
  for (char *name = strtok(list.out, "\n"); name && !strchr(name, ' '); name = strtok(NULL, "\n"), rows++) {
    struct run r = run_shim(&w, "what_counts", "1", "100", w.log, name, NULL);
    cr_expect_eq(r.status, 1, "%s", name);
    cr_expect(strstr(r.out, name), "%s: %s", name, r.out);
    run_release(&r);
  }
  cr_expect_gt(rows, 40);
  run_release(&list);
}
