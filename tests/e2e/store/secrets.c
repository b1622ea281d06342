/* SPDX-License-Identifier: MIT */
/* Whatever is a credential is written nowhere: not into the store, a tape, the log, what is exported, or what
 * is shown. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 redact=/secret,/deep/0/token");
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
}

TestSuite(secrets, .init = set_up, .fini = close_world);

static const char planted[] = "planted-secret";

/* Each number has a way of its own to say a secret. */
static const struct {
  const char *option, *value;
} ways[] = {
    {"-H", "Authorization: Bearer planted-secret-01"},
    {"-H", "X-Api-Key: planted-secret-02"},
    {"-H", "api-key: planted-secret-03"},
    {"-H", "x-goog-api-key: planted-secret-04"},
    {"-H", "Cookie: session=planted-secret-05; __cf_bm=planted-secret-05b"},
    {"-H", "X-Acme-Token: planted-secret-06"},
    {"-H", "acmeApiKey: planted-secret-07"},
    {"-H", "X-Acme-Client-Secret: planted-secret-08"},
    {"-H", "X-Password: planted-secret-09"},
    {"-H", "Proxy-Authorization: Basic planted-secret-10"},
    {"-H", "X-CSRF-Token: planted-secret-11"},
    {"-H", "X-Amz-Security-Token: planted-secret-12"},
    {"-H", "Sec-Custom: planted-secret-13"},
    {"-u", "me:planted-secret-14"},
    {"-b", "session=planted-secret-15"},
    {"--oauth2-bearer", "planted-secret-16"},
    {"?", "api_key=planted-secret-17"},
    {"?", "access_token=planted-secret-18&sig=planted-secret-18b"},
    {"?", "api%5Fkey=planted-secret-19"},
    {"@", "me:planted-secret-20"},
};

static void send_all(void)
{
  static const char body[] =
      "{\"secret\":\"planted-secret-21\",\"deep\":[{\"token\":\"planted-secret-22\"}],\"n\":1}";
  for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
    bool query = *ways[i].option == '?', user = *ways[i].option == '@';
    const char *url =
        world_text(&w, "http://%s%s127.0.0.1:%d/v1/chat/completions%s%s", user ? ways[i].value : "",
                   user ? "@" : "", w.port, query ? "?" : "", query ? ways[i].value : "");
    struct run r = run_shim(&w, "curl", "-sS", "-H", "Content-Type: application/json", "-d", body, url,
                            query || user ? NULL : ways[i].option, ways[i].value, NULL);
    expect_success(&r);
    run_release(&r);
  }
}

static void expect_nothing_in(struct run *r, const char *what)
{
  cr_expect_eq(r->status, 0, "%s: %s", what, r->err);
  cr_expect_gt(strlen(r->out), 20, "%s", what);
  cr_expect_not(strstr(r->out, planted), "%s: %s", what, r->out);
  run_release(r);
}

Test(secrets, are_written_nowhere)
{
  send_all();
  cr_expect_eq(mock_count(&w).requests, (long)(sizeof(ways) / sizeof(*ways)) - 2, "10, 11 and 13 are nobody");
  cr_expect_not(file_contains(w.store, planted), "store");
  cr_expect_not(log_contains(&w, planted), "log");
  const char *tape = world_text(&w, "%s/tape", w.dir);
  cr_expect_not(file_contains(tape, planted), "tape");
  cr_expect(file_contains(tape, "[redacted]"), "the search finds what is there");
  cr_expect(file_contains(w.store, "[redacted]"));
  struct run har = run_plain(&w, "idemshim", "tape", "export", "--har", tape, NULL);
  expect_nothing_in(&har, "HAR");
  struct run ls = run_plain(&w, "idemshim", "ls", "--json", NULL);
  expect_nothing_in(&ls, "ls");
}
