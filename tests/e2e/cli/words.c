/* SPDX-License-Identifier: MIT */
/* Words beside numbers: one answer is no "1 answers", wherever it is told. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

static void open_words(void)
{
  open_world();
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(cli_words, .init = open_words, .fini = close_world);

/* "1 answers", "1 expired answers", "1 output tokens"; "21 answers" and "0.1 answers" are none, and neither
 * is a column of numbers. */
static void expect_words(const struct run *r)
{
  static const char wrong[] =
      "(^|[^0-9.,])1 ([a-z]+ )?(answers|bytes|calls|claims|copies|differ|entries|exchanges|libraries|others|"
      "pieces|processes|readers|records|requests|rules|segments|threads|times|tokens|were|are)([^a-z]|$)";
  regex_t expression;
  regmatch_t at;
  cr_assert_eq(regcomp(&expression, wrong, REG_EXTENDED | REG_NEWLINE), 0);
  for (int i = 0; i < 2; i++) {
    const char *text = i ? r->err : r->out;
    if (regexec(&expression, text, 1, &at, 0) == 0)
      cr_expect_fail("\"%.*s\" in: %s", (int)(at.rm_eo - at.rm_so), text + at.rm_so, text);
  }
  regfree(&expression);
}

static void expect_told(const char *command, const char *text)
{
  struct run r = run_shell_plain(&w, world_text(&w, "cd %s && %s", w.dir, command));
  expect_words(&r);
  cr_expect(strstr(r.out, text) || strstr(r.err, text), "%s: expected \"%s\" in: %s%s", command, text, r.out,
            r.err);
  run_release(&r);
}

/* Without a quote, so that it can stand within a command. */
static const char *curl(const char *question)
{
  const char *body =
      world_text(&w, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", question);
  world_write(&w, question, body, strlen(body));
  return world_text(&w, "curl -sS -o out -d @%s %s", question, world_url(&w, "/v1/chat/completions"));
}

Test(cli_words, of_a_store_with_one_answer)
{
  expect_told(world_text(&w, "idemshim run -- %s", curl("a")), "");
  expect_told("idemshim stats", "answers");
  expect_told("idemshim ls", "chat/completions");
  expect_told("idemshim show $(idemshim ls --json | grep -o '[0-9a-f]\\{16\\}' | head -n 1)", "in 1 piece");
  expect_told("idemshim explain --recent", "");
  expect_told("idemshim verify", "1 answer (");
  expect_told("idemshim top --once", "0 tokens in");
  expect_told("idemshim gc", "removed 0 expired answers (0 B), 0 claims and 0 readers of dead processes");
  expect_told("idemshim rm --all", "would remove 1 answer, which was paid for;");
  expect_told("idemshim rm --all --yes", "removed 1 answer\n");
  expect_told("idemshim verify", "0 answers (");
}

Test(cli_words, of_a_run_with_one_call)
{
  world_env(&w, "IDEMSHIM_SUMMARY", "on");
  expect_told(world_text(&w, "idemshim run --mode observe -- %s", curl("a")),
              "observe: 0 of 1 call would have been");
  expect_told(world_text(&w, "idemshim run --durable one -- sh -c \"%s; exit 3\"", curl("b")),
              "unfinished, 1 answer kept");
  expect_told("idemshim ls --runs", "one");
  expect_told("idemshim rm --run one", "removed the run one, 1 answer\n");
}

Test(cli_words, of_a_tape_with_one_exchange)
{
  expect_told(world_text(&w, "idemshim record -o tape -- %s", curl("a")), "");
  expect_told("idemshim tape verify tape", "1 exchange in 1 segment (");
  expect_told("idemshim tape ls tape", "chat/completions");
  expect_told("idemshim tape show tape 1", "in 1 piece");
  expect_told("idemshim tape report tape", "<svg");
  expect_told(world_text(&w, "idemshim replay tape -- %s", curl("a")), "1 of 1 exchange was used\n");
  expect_told("idemshim replay tape -- true", "0 of 1 exchange was used; the first that was not is 1");
  expect_told(world_text(&w, "idemshim replay tape -- sh -c \"%s; %s\"", curl("a"), curl("a")),
              "1 call was not on the tape");
  expect_told("idemshim replay --fault 429@1 tape -- true", "1 of 1 exchange ends as --fault says");
  expect_told("idemshim tape export --har -o one.har tape", "");
  expect_told("idemshim tape import -o again one.har", "1 exchange on ");
  expect_told("IDEMSHIM_HOSTS= idemshim tape import -o none one.har",
              "1 meets no rule: name its host with --hosts");
  expect_told(world_text(&w, "idemshim record -o other -- %s", curl("b")), "");
  expect_told("idemshim tape diff tape other", "only in the first");
}
