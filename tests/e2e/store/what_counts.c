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
  fprintf(stderr, "counted: pairs=%s\n", pairs ? pairs : "5000");
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
    struct run r = run_shim(&w, "what_counts", "1", "each", w.log, name, NULL);
    cr_expect_eq(r.status, 1, "%s", name);
    cr_expect(strstr(r.out, name), "%s: %s", name, r.out);
    run_release(&r);
  }
  cr_expect_gt(rows, 40);
  run_release(&list);
}

/* The rows that another rule turns round, and no others. */
static void expect_turned(const char *rule, const char *const *names)
{
  char place[64];
  size_t count = 0;
  world_env(&w, "IDEMSHIM_RULES", "host=*.example method=POST,PUT ignore=/at %s", rule);
  struct run r = run_shim(&w, "what_counts", "1", "each", w.log, NULL);
  for (; names[count]; count++) {
    snprintf(place, sizeof(place), ", %s: is ", names[count]);
    cr_expect(strstr(r.out, place), "%s, %s: %s", rule, names[count], r.out);
  }
  snprintf(place, sizeof(place), " %zu wrong\n", count);
  cr_expect(strstr(r.out, place), "%s: %s", rule, r.out);
  run_release(&r);
}

Test(what_counts, a_rule_leaves_out_what_it_says)
{
  static const char *const verify[] = {"ca",      "ca_dir",     "issuer",       "crl",
                                       "ca_blob", "revocation", "ctx_function", NULL};
  static const char *const none[] = {"ca",
                                     "ca_dir",
                                     "issuer",
                                     "crl",
                                     "ca_blob",
                                     "revocation",
                                     "ctx_function",
                                     "any_peer",
                                     "any_name",
                                     "proxy_to_any_peer",
                                     "proxy_to_any_name",
                                     "proxy_to_http",
                                     "proxy_scheme_to_http",
                                     "proxy_type_to_http",
                                     "proxy_port_to_http",
                                     "proxy_not_for_some",
                                     "proxy_before",
                                     "proxy_odd",
                                     "doh",
                                     "own_sockets",
                                     "pins",
                                     "status",
                                     "proxy_any_peer",
                                     "trust_of_redirect",
                                     NULL};
  static const char *const nobody[] = {"query_credential",
                                       "token_header",
                                       "word_header",
                                       "signer",
                                       "presigner",
                                       "userpwd",
                                       "url_user",
                                       "cookie",
                                       "netrc_login",
                                       "bearer",
                                       "bearer_let_out",
                                       "login_kept_in",
                                       "auth_none",
                                       "auth_of_process",
                                       "auth_of_process_asked",
                                       "auth_of_ticket",
                                       "auth_any_of_user",
                                       "login_of_token",
                                       "login_halves",
                                       "certificate_text",
                                       "certificate",
                                       "path_dots_cookie",
                                       "cookie_engine",
                                       "cookie_of_redirect",
                                       "cookie_of_redirected_path",
                                       "header_joined_token",
                                       "forwarded_for_whom",
                                       "login_by_halves",
                                       "cookie_login",
                                       "cookie_alike",
                                       NULL};
  static const char *const headers[] = {
      "header_any",          "header_value",  "header_lines",       "header_joined",
      "header_joined_empty", "header_folded", "forwarded_for_what", NULL};
  expect_turned("trust=verify", verify);
  expect_turned("trust=none", none);
  expect_turned("tenant=none", nobody);
  expect_turned("vary=Accept", headers);
}
