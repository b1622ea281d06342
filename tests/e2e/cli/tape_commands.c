/* SPDX-License-Identifier: MIT */
/* idemshim tape: its help, and how tapes of every shape are listed, shown and compared. */
#include "tests/e2e/cli/tape.h"

#include <stdlib.h>
#include <string.h>

TestSuite(cli_tape, .init = open_world, .fini = close_world);

Test(cli_tape, each_of_its_commands_explains_itself)
{
  static const char *const commands[] = {"ls", "show", "diff", "verify", "export", "report", "import"};
  struct run all = run_plain(&w, "idemshim", "tape", "--help", NULL);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", "tape", commands[i], "--help", NULL);
    cr_expect(strstr(all.out, world_text(&w, "\n%s ", commands[i])), "%s: %s", commands[i], all.out);
    expect_says(&r, 0, world_text(&w, "usage: idemshim tape %s [options] ", commands[i]));
  }
  expect_success(&all);
  run_release(&all);
}

/* Each option of the help of a command stands in its line of the synopsis. */
Test(cli_tape, the_manual_names_every_command_and_option)
{
  static const char *const commands[] = {"ls", "show", "diff", "verify", "export", "report", "import"};
  size_t len;
  char *page = file_read("docs/idemshim.1", &len);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", "tape", commands[i], "--help", NULL);
    char *synopsis = strstr(page, world_text(&w, ".Cm tape %s\n", commands[i]));
    cr_assert(synopsis, "%s", commands[i]);
    const char *end = strstr(synopsis, "\n.Nm\n");
    for (char *at = strstr(r.out, "options:\n"); (at = strstr(at, "\n  --")); at++) {
      int name_len = (int)strcspn(at + 5, " \n");
      const char *found = strstr(synopsis, world_text(&w, "-%.*s", name_len, at + 5));
      bool named = (found && found < end) || strncmp(at + 5, "help", 4) == 0;
      cr_expect(named, "%s --%.*s is not in idemshim.1", commands[i], name_len, at + 5);
    }
    run_release(&r);
  }
  free(page);
}

Test(cli_tape, mistakes_are_named)
{
  static const struct {
    const char *words[2], *message;
  } mistakes[] = {
      {{NULL}, "tape: an operand is missing"},
      {{"shwo"}, "tape: unknown command \"tape shwo\"; did you mean \"show\"?"},
      {{"ls"}, "tape ls: an operand is missing; usage: idemshim tape ls DIR"},
      {{"ls", "--jsno"}, "tape ls: unknown option \"--jsno\"; did you mean \"--json\"?"},
      {{"ls", "--limit"}, "tape ls: --limit needs a value"},
      {{"diff", "."}, "tape diff: an operand is missing"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    const char *argv[] = {"idemshim", "tape", mistakes[i].words[0], mistakes[i].words[1], NULL};
    struct run r = run_argv(&w, false, argv);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    expect_says(&r, 2, mistakes[i].message);
  }
}

/* Listing and showing. */

Test(cli_tape, ls_has_a_line_for_each_exchange_in_order)
{
  struct run r = run_plain(&w, "idemshim", "tape", "ls", tape("day"), NULL);
  size_t lines = 0;
  for (const char *at = r.out; (at = strchr(at, '\n')); at++)
    lines++;
  cr_expect_eq(lines, 1 + 16);
  cr_expect(strstr(r.out, "OPERATION_TIMEDOUT"), "%s", r.out);
  expect_says(&r, 0, "COULDNT_RESOLVE_HOST api.elsewhere.example/v1/chat/completions");
}

Test(cli_tape, ls_tells_what_was_asked_and_of_whom)
{
  const char *dir = tape("day");
  struct run piped = run_plain(&w, "idemshim", "tape", "ls", dir, NULL);
  struct run seen = run_terminal(&w, 200, world_text(&w, "idemshim tape ls %s", dir));

  expect_success(&seen);
  cr_expect(strstr(piped.out, "  api.example.com/v1/chat/completions  gpt-4o-mini  \"Tell me a story.\"\n"),
            "%s", piped.out);
  cr_expect(strstr(seen.out, " B  gpt-4o-mini  \"Tell me a story.\""),
            "the call is that of the line above: %s", seen.out);
  cr_expect(strstr(seen.out, "COULDNT_RESOLVE_HOST api.elsewhere.example"), "another call: %s", seen.out);
  run_release(&piped);
  run_release(&seen);
}

Test(cli_tape, show_says_what_libcurls_numbers_mean)
{
  const char *dir = world_path(&w, "recorded");
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  struct run made = run_plain(&w, "idemshim", "record", "-o", dir, "--", "curl", "-sS", "-d", "{}",
                              world_url(&w, "/v1/chat/completions"), NULL);
  struct run shown = run_plain(&w, "idemshim", "tape", "show", dir, "1", NULL);

  expect_success(&made);
  expect_says(&shown, 0, "  HTTP_VERSION             2  HTTP/1.1\n");
  run_release(&made);
}

Test(cli_tape, ls_as_json_and_only_the_last)
{
  struct run r = run_plain(&w, "idemshim", "tape", "ls", "--json", "--limit", "7", tape("day"), NULL);
  json_t *list = document(&r), *first = json_array_get(list, 0);
  cr_expect_eq(json_array_size(list), 7);
  cr_expect_eq(number_at(first, "number"), 10);
  cr_expect_str_eq(text_at(first, "what"), "hit");
  cr_expect_str_eq(text_at(first, "model"), "gpt-4o-mini");
  cr_expect_str_eq(text_at(first, "prompt"), "Summarise ticket 1042 in two sentences.");
  cr_expect_str_eq(text_at(first, "url"), "https://api.example.com/v1/chat/completions");
  cr_expect_str_eq(text_at(first, "started"), "2026-11-22T10:10:03.830Z");
  json_decref(list);
}

Test(cli_tape, show_has_what_libcurl_said)
{
  struct run r = run_plain(&w, "idemshim", "tape", "show", tape("day"), "7", NULL);
  cr_expect(strstr(r.out, "RECV_ERROR (56): Recv failure: Connection reset by peer"), "%s", r.out);
  cr_expect(strstr(r.out, "set-cookie: session=[redacted]******; Path=/"), "%s", r.out);
  cr_expect(strstr(r.out, "Authorization: Bearer [redacted]"), "%s", r.out);
  cr_expect_null(strstr(r.out, "test-credential"), "%s", r.out);
  expect_says(&r, 0, "STARTTRANSFER_TIME_T     300000");
}

Test(cli_tape, show_gives_the_bytes)
{
  static const char speech[] = "\xff\xfb\x90\x64\0\0\0\0\x80\xfe\xff";
  const char *dir = tape("day");
  struct run body = run_plain(&w, "idemshim", "tape", "show", "--body", dir, "12", NULL);
  struct run request = run_plain(&w, "idemshim", "tape", "show", "--request", dir, "13", NULL);
  struct run json = run_plain(&w, "idemshim", "tape", "show", "--json", dir, "12", NULL);

  expect_same_bytes("body", speech, sizeof speech - 1, body.out, body.out_len);
  cr_expect_str_eq(request.out, "{\"input\":\"fire\"}");
  json_t *document_of = document(&json), *response = json_object_get(document_of, "response");
  cr_expect_str_eq(text_at(response, "body_base64"), "//uQZAAAAACA/v8=");
  cr_expect_eq(number_at(json_object_get(response, "facts"), "CONNECT_TIME_T"), 2000);
  json_decref(document_of);
  run_release(&body);
  run_release(&request);
}

Test(cli_tape, an_exchange_that_is_not_there_is_exit_1)
{
  const char *dir = tape("day");
  struct run none = run_plain(&w, "idemshim", "tape", "show", dir, "17", NULL);
  struct run word = run_plain(&w, "idemshim", "tape", "show", dir, "last", NULL);
  expect_says(&none, 1, "there is no exchange 17; it has 16");
  expect_says(&word, 2, "expected the number of an exchange");
}

Test(cli_tape, a_hostile_tape_does_not_reach_the_terminal)
{
  const char *dir = tape("hostile");
  struct run r =
      run_terminal(&w, 250, world_text(&w, "idemshim tape ls %s; idemshim tape show %s 4", dir, dir));
  cr_expect_null(strstr(r.out, "\033]"), "%s", r.out);
  expect_says(&r, 0, "\\x1b]0;owned");
}

/* Comparing. */

Test(cli_tape, diff_names_what_differs_and_where)
{
  const char *day = tape("day"), *other = tape("other");
  struct run r = run_plain(&w, "idemshim", "tape", "diff", day, other, NULL);
  cr_expect(strstr(r.out,
                   "    16     16  answer: JSON /choices/0/message/content at offset 0 (\"Goodbye.\" / "
                   "\"Farewell.\")"),
            "%s", r.out);
  cr_expect(strstr(r.out, "     -     17  only in the second: "), "%s", r.out);
  expect_says(&r, 1, "15 the same, 1 differs, 0 only in the first, 1 only in the second");
  r = run_plain(&w, "idemshim", "tape", "diff", day, day, NULL);
  expect_says(&r, 0, "16 the same, 0 differ");
  r = run_plain(&w, "idemshim", "tape", "diff", "--json", other, day, NULL);
  json_t *json = document(&r);
  cr_expect_eq(number_at(json, "only_in_first"), 1);
  cr_expect_eq(json_array_size(json_object_get(json, "differences")), 2);
  json_decref(json);
}
