/* SPDX-License-Identifier: MIT */
/* The command line itself: help, mistakes, exit codes. */
#include "tests/harness/schema.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(cli_usage, .init = open_world, .fini = close_world);

static const char *const commands[] = {"run",     "check", "stats",    "ls",     "show",
                                       "explain", "rm",    "gc",       "verify", "doctor",
                                       "tape",    "help",  "complete", "top",    "tail"};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

/* Exit code 2, nothing on standard output, and one line that begins and goes on as it should. */
static void expect_refusal(struct run *r, const char *message)
{
  cr_expect_eq(r->status, 2, "exit %d: %s", r->status, r->err);
  cr_expect_eq(r->out_len, 0, "%s", r->out);
  cr_expect_eq(strncmp(r->err, "idemshim: ", 10), 0, "%s", r->err);
  cr_expect(strstr(r->err, message), "expected \"%s\" in: %s", message, r->err);
  cr_expect_eq(strchr(r->err, '\n'), r->err + r->err_len - 1, "not one line: %s", r->err);
  run_release(r);
}

Test(cli_usage, the_overview_names_every_command_and_the_exit_codes)
{
  struct run r = run_plain(&w, "idemshim", "--help", NULL);

  expect_success(&r);
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    cr_expect(strstr(r.out, world_text(&w, "\n  %s ", commands[i])), "%s is missing: %s", commands[i], r.out);
  cr_expect(strstr(r.out, "exit codes: 0"), "%s", r.out);
  run_release(&r);
}

Test(cli_usage, every_command_explains_itself_in_two_ways)
{
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    struct run option = run_plain(&w, "idemshim", commands[i], "--help", NULL);
    struct run word = run_plain(&w, "idemshim", "help", commands[i], NULL);

    expect_success(&option);
    expect_same_output(&option, &word);
    cr_expect(strstr(option.out, world_text(&w, "usage: idemshim %s ", commands[i])), "%s", option.out);
    run_release(&option);
    run_release(&word);
  }
}

/* Calls `visit` for every command, and for those of commands, as `complete` lists them: "ls", "tape ls". */
static int each_command(const char *of, void (*visit)(const char *command, const char *help))
{
  int count = 0;
  struct run list = run_shell_plain(&w, world_text(&w, "idemshim complete -- %s ''", of));
  for (char *line = list.out, *end; (end = strchr(line, '\t')); line = strchr(end, '\n') + 1) {
    /* Not world_text(), which is used for many more texts meanwhile. */
    char command[64];
    snprintf(command, sizeof command, "%s%s%.*s", of, *of ? " " : "", (int)(end - line), line);
    struct run help = run_shell_plain(&w, world_text(&w, "idemshim %s --help", command));
    expect_success(&help);
    visit(command, help.out);
    count++;
    if (strcmp(command, "tape") == 0)
      count += each_command(command, visit);
    run_release(&help);
  }
  run_release(&list);
  return count;
}

static bool is_one_of(const char *command, const char *const *list)
{
  while (*list && strcmp(command, *list) != 0)
    list++;
  return *list != NULL;
}

/* A command is one of those that open nothing, or has the key's option; a new one is held to it as well. */
static void expect_keys(const char *command, const char *help)
{
  static const char *const opens_nothing[] = {"doctor", "tail", "tape", "help", "complete", NULL};
  static const char *const opens_a_tape[] = {"run", "record", "replay", "check", NULL};
  bool tape = is_one_of(command, opens_a_tape) || strncmp(command, "tape ", 5) == 0;
  cr_expect_eq(strstr(help, "  --key-file FILE ") != NULL, !is_one_of(command, opens_nothing), "%s", help);
  cr_expect_eq(strstr(help, "  --tape-key-file FILE ") != NULL, tape, "%s", help);
}

Test(cli_usage, every_command_that_opens_a_store_or_a_tape_takes_its_key)
{
  int count = each_command("", expect_keys);
  cr_expect_geq(count, 25, "%d commands were seen", count);
}

/* Nothing is done by it: an option with a value lacks it, and a flag has one too many. */
static void expect_known(const char *command, const char *help)
{
  for (const char *at = strstr(help, "\noptions:\n"); (at = strstr(at, "--")) != NULL;) {
    const char *name = at + 2;
    int len = (int)strspn(name, "abcdefghijklmnopqrstuvwxyz-");
    bool value = name[len] == ' ' && name[len + 1] != ' ';
    at = strchr(at, '\n');
    if (strncmp(name, "help ", 5) == 0)
      return;
    struct run r =
        run_shell_plain(&w, world_text(&w, "idemshim %s --%.*s%s", command, len, name, value ? "" : "=x"));
    expect_refusal(&r, world_text(&w, value ? "--%.*s needs a value" : "--%.*s takes no value", len, name));
  }
}

Test(cli_usage, every_option_of_the_help_is_known)
{
  cr_expect_geq(each_command("", expect_known), 25);
}

/* The schema names a form after its command: "tape-ls"; one of several goes on: "fleet-ls". */
static void expect_form(const char *command, const char *help)
{
  json_t *schema = schema_read("output.schema.json"), *form;
  const char *name;
  size_t len = strlen(command);
  bool found = false;
  json_object_foreach(json_object_get(schema, "$defs"), name, form)
  {
    size_t i = 0;
    while (i < len && (name[i] == command[i] || (name[i] == '-' && command[i] == ' ')))
      i++;
    found |= i == len && (name[i] == '\0' || name[i] == '-');
  }
  cr_expect(found || !strstr(help, "  --json "), "docs/output.schema.json has no %s", command);
  json_decref(schema);
}

Test(cli_usage, every_command_that_prints_json_has_its_form_in_the_schema)
{
  cr_expect_geq(each_command("", expect_form), 25);
}

Test(cli_usage, help_of_a_command_of_a_command_is_the_same_in_two_ways)
{
  struct run option = run_plain(&w, "idemshim", "tape", "ls", "--help", NULL);
  struct run words = run_plain(&w, "idemshim", "help", "tape", "ls", NULL);
  struct run none = run_plain(&w, "idemshim", "help", "ls", "tape", NULL);

  expect_success(&option);
  expect_same_output(&option, &words);
  expect_refusal(&none, "ls has no commands of its own, such as \"tape\"");
  run_release(&option);
  run_release(&words);
}

Test(cli_usage, without_a_command_it_says_what_there_is_and_fails)
{
  struct run r = run_plain(&w, "idemshim", NULL);

  cr_expect_eq(r.status, 2);
  cr_expect_eq(r.out_len, 0);
  cr_expect(strstr(r.err, "usage: idemshim"), "%s", r.err);
  run_release(&r);
}

Test(cli_usage, version_is_one_line)
{
  struct run r = run_plain(&w, "idemshim", "--version", NULL);

  expect_success(&r);
  cr_expect_eq(strncmp(r.out, "idemshim ", 9), 0, "%s", r.out);
  cr_expect_eq(strchr(r.out, '\n'), r.out + r.out_len - 1);
  run_release(&r);
}

Test(cli_usage, a_mistyped_command_or_option_gets_a_suggestion)
{
  struct run command = run_plain(&w, "idemshim", "stast", NULL);
  struct run option = run_plain(&w, "idemshim", "ls", "--jsno", NULL);

  expect_refusal(&command, "did you mean \"stats\"?");
  expect_refusal(&option, "did you mean \"--json\"?");
}

Test(cli_usage, what_resembles_nothing_is_sent_to_the_help)
{
  struct run command = run_plain(&w, "idemshim", "frobnicate", NULL);
  struct run option = run_plain(&w, "idemshim", "gc", "-z", NULL);

  expect_refusal(&command, "see idemshim --help");
  expect_refusal(&option, "see idemshim gc --help");
}

Test(cli_usage, each_mistake_in_options_and_operands_is_named)
{
  static const struct {
    const char *words[4], *message;
  } mistakes[] = {
      {{"ls", "--limit", "many"}, "ls: --limit: expected a number"},
      {{"ls", "--limit", "0"}, "ls: --limit: expected a number from 1 on, got \"0\""},
      {{"check", "-H", "bad", "http://h/"}, "check: --header: expected \"Name: value\", got \"bad\""},
      {{"ls", "--limit"}, "ls: --limit needs a value"},
      {{"ls", "--json=yes"}, "ls: --json takes no value"},
      {{"ls", "extra"}, "ls: unexpected operand \"extra\""},
      {{"show"}, "show: an operand is missing"},
      {{"show", "abc", "--json", "--body"}, "show: --json, --body, --headers and --request"},
      {{"stats", "--json", "--prometheus"}, "stats: --json and --prometheus"},
      {{"stats", "--zero", "--json"}, "stats: --zero prints no figures"},
      {{"rm"}, "rm: give the ids"},
      {{"rm", "--all", "abc"}, "rm: give the ids"},
      {{"run"}, "run: an operand is missing"},
      {{"check", "ftp://example.com/"}, "check: ftp://example.com/: expected an http"},
      {{"check", "https://host:99999/"}, "expected a URL such as"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    const char *const *word = mistakes[i].words;
    const char *argv[] = {"idemshim", word[0], word[1], word[2], word[3], NULL};
    struct run r = run_argv(&w, false, argv);

    expect_refusal(&r, mistakes[i].message);
  }
}

Test(cli_usage, a_store_that_is_not_there_is_exit_3_and_none_is_made)
{
  static const char *const readers[] = {"stats", "ls", "gc", "verify", "explain"};

  for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
    struct run r = run_plain(&w, "idemshim", readers[i], "--store", world_path(&w, "nowhere"), NULL);

    cr_expect_eq(r.status, 3, "%s: exit %d: %s", readers[i], r.status, r.err);
    cr_expect(strstr(r.err, "there is no store at "), "%s", r.err);
    run_release(&r);
  }
  cr_expect_null(file_read(world_path(&w, "nowhere"), &(size_t){0}));
}

Test(cli_usage, output_that_cannot_be_written_is_not_taken_for_success)
{
  struct run r = run_shell_plain(&w, "idemshim check --docs > /dev/full");

  cr_expect_eq(r.status, 3);
  cr_expect(strstr(r.err, "the output cannot be written"), "%s", r.err);
  run_release(&r);
}

Test(cli_usage, control_characters_in_a_mistake_do_not_reach_the_terminal)
{
  struct run r = run_plain(&w, "idemshim", "ls\033[2J", NULL);

  cr_expect_eq(r.status, 2);
  cr_expect_null(strchr(r.err, '\033'));
  cr_expect(strstr(r.err, "\\x1b[2J"), "%s", r.err);
  run_release(&r);
}
