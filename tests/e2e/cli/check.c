/* SPDX-License-Identifier: MIT */
/* idemshim check: what is configured, which rule a call meets, and whether the manual knows every name. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_HOSTS");
}

TestSuite(cli_check, .init = set_up, .fini = close_world);

static void expect_output(struct run *r, int status, const char *text)
{
  cr_expect_eq(r->status, status, "exit %d: %s", r->status, r->err);
  cr_expect(strstr(r->out, text), "expected \"%s\" in:\n%s", text, r->out);
  run_release(r);
}

Test(cli_check, a_call_to_a_known_provider_meets_a_built_in_rule)
{
  struct run r = run_plain(&w, "idemshim", "check", "https://api.openai.com/v1/chat/completions", NULL);

  expect_output(&r, 0, "host=api.openai.com path=/v1/chat/completions");
}

Test(cli_check, a_call_that_meets_no_rule_is_exit_1)
{
  struct run other = run_plain(&w, "idemshim", "check", "https://example.com/", NULL);
  struct run get =
      run_plain(&w, "idemshim", "check", "GET", "https://api.openai.com/v1/chat/completions", NULL);

  expect_output(&other, 1, "no rule matches; --hosts or --rules of run adds one\n");
  expect_output(&get, 1, "no rule matches");
}

Test(cli_check, host_port_and_path_are_taken_from_the_url_as_libcurl_would)
{
  static const struct {
    const char *rule, *url;
    int status;
  } cases[] = {
      {"host=a.example:443", "https://a.example/x", 0},
      {"host=a.example:443", "http://a.example/x", 1},
      {"host=a.example:80", "http://A.Example", 0},
      {"host=a.example:8080", "https://me:pw@a.example:8080/x?q", 0},
      {"host=[::1]:8080", "http://[::1]:8080/x", 0},
      {"host=a.example path=/v1/*", "https://a.example/v1/x?y=/v2/", 0},
      {"host=a.example path=/v1/*", "https://a.example/v2/x", 1},
      {"host=a.example path=/", "https://a.example?x", 0},
      {"host=a.example path=/v1/x", "https://a.example/v2/../v1/./x?/../y", 0},
      {"host=a.example path=/v1/", "https://a.example/../v1/x/..#x", 0},
      {"host=a.example path=/...", "https://a.example/.../.", 1},
      {"host=a.example:443", "a.example/x", 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    world_env(&w, "IDEMSHIM_RULES", "%s", cases[i].rule);
    struct run r = run_plain(&w, "idemshim", "check", cases[i].url, NULL);

    cr_expect_eq(r.status, cases[i].status, "%s with %s: exit %d\n%s", cases[i].url, cases[i].rule, r.status,
                 r.out);
    run_release(&r);
  }
}

Test(cli_check, what_a_rule_gives_up_is_said)
{
  world_env(&w, "IDEMSHIM_RULES", "host=a.example tenant=none; host=b.example trust=none; host=c.example");
  struct run all = run_plain(&w, "idemshim", "check", NULL);
  cr_expect(strstr(all.out, "! tenant=none: an answer is given to everybody"), "%s", all.out);
  cr_expect(strstr(all.out, "! trust=none: "), "%s", all.out);
  run_release(&all);
  struct run one = run_plain(&w, "idemshim", "check", "https://c.example/", NULL);
  cr_expect_not(strstr(one.out, "!"), "%s", one.out);
  run_release(&one);
}

Test(cli_check, the_first_rule_wins_and_bypass_is_told)
{
  world_env(&w, "IDEMSHIM_RULES", "host=a.example path=/private action=bypass; host=a.example ttl=7d");
  struct run bypass = run_plain(&w, "idemshim", "check", "https://a.example/private", NULL);
  struct run stored = run_plain(&w, "idemshim", "check", "https://a.example/public", NULL);

  expect_output(&bypass, 0, "action=bypass");
  expect_output(&stored, 0, "ttl       7d");
}

Test(cli_check, json_says_what_the_text_says)
{
  world_env(&w, "IDEMSHIM_RULES", "host=a.example ttl=7d vary=X-One,X-Two");
  world_env(&w, "IDEMSHIM_SCOPE", "job-1");
  struct run r = run_plain(&w, "idemshim", "check", "--json", "https://a.example/", NULL);
  const char *mode, *scope, *dir, *origin, *ttl, *vary, *key;
  json_t *document = json_loads(r.out, 0, NULL);

  expect_success(&r);
  cr_assert_eq(json_unpack(document, "{s:s, s:s, s:{s:s}, s:{s:{s:s}, s:{s:s, s:s, s:s}}}", "mode", &mode,
                           "scope", &scope, "store", "dir", &dir, "call", "rule", "origin", &origin,
                           "treatment", "ttl", &ttl, "vary", &vary, "key", &key),
               0, "%s", r.out);
  cr_expect_str_eq(mode, "idempotent");
  cr_expect_str_eq(scope, "job-1");
  cr_expect_str_eq(dir, w.store);
  cr_expect_str_eq(origin, "IDEMSHIM_RULES");
  cr_expect_str_eq(ttl, "7d");
  cr_expect_str_eq(vary, "X-One,X-Two");
  cr_expect_str_eq(key, "auto");
  json_decref(document);
  run_release(&r);
}

Test(cli_check, a_mistake_is_exit_2_and_names_the_place)
{
  world_env(&w, "IDEMSHIM_RULES", "host=a.example; host=b.example tll=3d");
  struct run r = run_plain(&w, "idemshim", "check", NULL);

  cr_expect_eq(r.status, 2);
  cr_expect_eq(r.out_len, 0, "%s", r.out);
  cr_expect(strstr(r.err, "IDEMSHIM_RULES: rule 2, column"), "%s", r.err);
  cr_expect(strstr(r.err, "did you mean \"ttl\"?"), "%s", r.err);
  run_release(&r);
}

Test(cli_check, a_store_that_cannot_be_used_is_exit_3)
{
  struct run missing = run_plain(&w, "idemshim", "check", NULL);
  expect_output(&missing, 0, "not made yet");

  cr_assert_eq(mkdir(w.store, 0777), 0);
  cr_assert_eq(chmod(w.store, 0777), 0);
  struct run open_to_all = run_plain(&w, "idemshim", "check", NULL);
  expect_output(&open_to_all, 3, w.store);
}

/* The manual. */

static char *read_page(const char *path)
{
  size_t len;
  char *page = file_read(path, &len);
  cr_assert_not_null(page, "%s cannot be read from the top of the source tree", path);
  return page;
}

/* Tabs end the parts of a line of `check --docs`. */
static char *next_part(char **line)
{
  return strsep(line, "\t");
}

Test(cli_check, the_manual_describes_every_variable_and_field)
{
  struct run r = run_plain(&w, "idemshim", "check", "--docs", NULL);
  char *variables = read_page("docs/idemshim.7"), *fields = read_page("docs/idemshim-rules.5");
  size_t rows = 0;

  expect_success(&r);
  for (char *text = r.out, *line; (line = strsep(&text, "\n")) && *line; rows++) {
    const char *kind = next_part(&line), *name = next_part(&line);
    bool variable = strcmp(kind, "variable") == 0;
    const char *entry = world_text(&w, variable ? ".It Ev %s\n" : ".It Cm %s Ns = Ns ", name);
    cr_assert(strstr(variable ? variables : fields, entry), "%s %s has no entry in the manual", kind, name);
  }
  cr_expect_gt(rows, 25);
  free(variables);
  free(fields);
  run_release(&r);
}

Test(cli_check, the_manual_lists_no_variable_or_field_that_is_gone)
{
  struct run r =
      run_shell_plain(&w, "idemshim check --docs | cut -f2 | sort > \"$HOME/known\";"
                          "{ sed -n 's/^\\.It Ev \\(IDEMSHIM_.*\\)/\\1/p' docs/idemshim.7;"
                          "  sed -n 's/^\\.It Cm \\([a-z_]*\\) Ns = .*/\\1/p' docs/idemshim-rules.5; } |"
                          "sort > \"$HOME/listed\"; test -s \"$HOME/listed\" &&"
                          "diff \"$HOME/known\" \"$HOME/listed\"");

  expect_success(&r);
  run_release(&r);
}

Test(cli_check, the_manual_names_every_command_and_option)
{
  static const char *const commands[] = {"run",  "record",   "replay", "check", "stats",  "ls",
                                         "show", "explain",  "rm",     "gc",    "verify", "doctor",
                                         "help", "complete", "top",    "tail"};
  char *page = read_page("docs/idemshim.1");

  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", commands[i], "--help", NULL);
    expect_success(&r);
    cr_expect(strstr(page, world_text(&w, ".It Cm %s\n", commands[i])), "%s", commands[i]);
    for (char *at = strstr(r.out, "options:\n"); (at = strstr(at, "\n  -")); at++) {
      const char *name = strstr(at, "--") + 2;
      int len = (int)strcspn(name, " \n");
      const char *option = world_text(&w, "Fl -%.*s", len, name);
      cr_expect(strstr(page, option), "%s --%.*s is not in idemshim.1", commands[i], len, name);
    }
    run_release(&r);
  }
  free(page);
}

Test(cli_check, a_variable_whose_name_is_mistyped_is_named_with_the_nearest)
{
  world_env(&w, "IDEMSHIM_HOST", "api.example");
  world_env(&w, "IDEMSHIM_QZX", "1");
  struct run r = run_plain(&w, "idemshim", "check", NULL);
  cr_expect_eq(r.status, 0);
  cr_expect(strstr(r.err, "IDEMSHIM_HOST is no variable of idemshim; did you mean \"HOSTS\"?\n"), "%s",
            r.err);
  cr_expect(strstr(r.err, "IDEMSHIM_QZX is no variable of idemshim\n"), "%s", r.err);
  cr_expect_null(strstr(r.err, "IDEMSHIM_LOG"), "%s", r.err);
  run_release(&r);
}

Test(cli_check, rules_and_hosts_that_are_given_stand_in_place_of_the_variables)
{
  world_env(&w, "IDEMSHIM_RULES", "host=api.example ttl=1h");
  struct run given = run_plain(&w, "idemshim", "check", "--rules", "host=other.example ttl=7m", "--hosts",
                               "third.example", "https://other.example/v1", NULL);
  struct run host =
      run_plain(&w, "idemshim", "check", "--hosts", "third.example", "https://third.example/v1", NULL);
  struct run gone =
      run_plain(&w, "idemshim", "check", "--rules", "host=other.example", "https://api.example/v1", NULL);

  expect_success(&given);
  cr_expect(strstr(given.out, "7m"), "%s", given.out);
  expect_success(&host);
  cr_expect_eq(gone.status, 1, "%s", gone.out);
  run_release(&given);
  run_release(&host);
  run_release(&gone);
}

/* What `check --json` says of a request, and the same request sent by curl. */
static void expect_named_as_sent(const char *target, const char *const headers[2], const char *body)
{
  const char *url = world_url(&w, target);
  struct run sent =
      run_shim(&w, "curl", "-sS", "-A", "a/1", "-H", headers[0], "-H", headers[1], "-d", body, url, NULL);
  struct run asked = run_plain(&w, "idemshim", "check", "--json", "-H", headers[0], "--header", headers[1],
                               "-d", body, url, NULL);
  json_t *event = log_last(&w, "live"), *said = json_loads(asked.out, 0, NULL);
  const json_t *request = json_object_get(json_object_get(said, "call"), "request");
  expect_success(&sent);
  expect_success(&asked);
  cr_expect(json_equal(json_object_get(event, "id"), json_object_get(request, "id")), "%s: %s", target,
            asked.out);
  cr_expect(json_is_string(json_object_get(request, "id")));
  cr_expect_null(strstr(asked.out, "test-credential"));
  json_decref(event);
  json_decref(said);
  run_release(&sent);
  run_release(&asked);
}

Test(cli_check, a_request_is_named_as_the_shim_names_it)
{
  static const char *const plain[] = {"X-Foo: 1", "Accept:"};
  static const char *const secret[] = {"Authorization: Bearer test-credential-alpha",
                                       "Cookie: s=test-credential-beta; AWSALB=7"};
  static const char *const keyed[] = {"Idempotency-Key: one", "Host: other.example"};
  static const char *const coded[] = {"Accept-Encoding: gzip", "Content-Type: application/json"};
  static const char *const joined[] = {"Accept-Encoding:gzip", "Content-Type: text/plain"};
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/at");
  expect_named_as_sent("/v1/chat/completions", plain, "{\"a\":1}");
  expect_named_as_sent("/v1/chat/completions?n=1", secret, "{\"at\":1}");
  expect_named_as_sent("/v1/chat/completions", keyed, "a=1");
  expect_named_as_sent("/v1/chat/completions", coded, "{\"a\":2}");
  expect_named_as_sent("/v1/chat/completions", joined, "{\"a\":3}");
  expect_named_as_sent("/v1/x/../chat/./completions?n=/../2", plain, "{\"a\":4}");
  expect_named_as_sent("/v1/.x/..", plain, "{\"a\":5}");
}

Test(cli_check, what_is_left_out_of_a_request_is_told_by_its_name)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ignore=/at vary=*,-X-Foo");
  struct run r =
      run_plain(&w, "idemshim", "check", "-H", "X-Foo: 1", "-H", "X-Bar: 2", "-H", "Host: o.example", "-H",
                "Cookie: s=test-credential-alpha; AWSALB=7", "-d", "{\"at\":1}",
                "http://me:test-credential-beta@127.0.0.1/v1/x?api_key=test-credential-gamma", NULL);
  cr_expect(strstr(r.out, "\n  tenant       cookie s, query api_key, the URL's user and password\n"), "%s",
            r.out);
  cr_expect(strstr(r.out, "\n  key          content, id not known before there is a store\n"), "%s", r.out);
  cr_expect(strstr(r.out, "\n  headers      header X-Bar, header Accept, header Content-Type\n"), "%s",
            r.out);
  cr_expect(strstr(r.out, "\n  left out     header X-Foo, cookie AWSALB, body /at\n"), "%s", r.out);
  run_release(&r);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 key=json:/id");
  struct run other = run_plain(&w, "idemshim", "check", "-d", "{}", "http://127.0.0.1/v1/x", NULL);
  expect_output(&other, 0, "the rule's key is not in this request");
}

Test(cli_check, what_an_identical_call_would_be_is_told)
{
  static const struct {
    const char *rule, *body, *says;
  } calls[] = {
      {"", "{}", "sampled: the same operation"},
      {"repeats=auto", "{}", "sampled: the n-th of a process is operation n, and the id is that of number 0"},
      {"repeats=auto", "{\"seed\":1}", "deterministic: the same operation"},
      {"repeats=auto key=json:/id", "{\"id\":1}", "with a key of its own: the same operation"},
      {"repeats=sequence", "{\"seed\":1}", "deterministic: the n-th of a process"},
      {"repeats=fresh", "{}", "sampled: another operation once the answer was delivered"},
  };
  for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
    world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 %s", calls[i].rule);
    struct run r = run_plain(&w, "idemshim", "check", "-d", calls[i].body, "http://127.0.0.1/v1/x", NULL);
    cr_expect(strstr(r.out, world_text(&w, "\n  again        %s", calls[i].says)), "%s", r.out);
    run_release(&r);
  }
}
