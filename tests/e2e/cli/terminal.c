/* SPDX-License-Identifier: MIT */
/* What the command sends to a terminal: no colour where it is not wanted, and nothing that a prompt could do.
 */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
  open_world();
  world_env(&w, "TERM", "xterm");
}

TestSuite(cli_terminal, .init = set_up, .fini = close_world);

/* A title change in JSON's own escapes, a C1 control sequence and a mark that turns the direction, as UTF-8.
 */
#define TITLE "\\u001b]0;owned\\u0007"
#define CLEAR                                                                                                \
  "\xc2\x9b"                                                                                                 \
  "2J"
#define TURN    "\xe2\x80\xae"
#define HOSTILE "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"" TITLE CLEAR TURN "end\"}]}"

static void make_call(void)
{
  struct run r = run_shim(&w, "curl", "-sS", "-H", "X-Mock: echo=1", "-d", HOSTILE,
                          world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&r);
  run_release(&r);
}

static struct run on_terminal_of(int columns, const char *command)
{
  struct run r = run_terminal(&w, columns, command);
  cr_assert_eq(r.status, 0, "%s%s", r.out, r.err);
  return r;
}

static struct run on_terminal(const char *command)
{
  return on_terminal_of(250, command);
}

static const char *id(void)
{
  json_t *event = log_last(&w, "stored");
  const char *text = world_text(&w, "%s", json_string_value(json_object_get(event, "id")));
  json_decref(event);
  return text;
}

static void expect_harmless(const struct run *r)
{
  cr_expect_null(strstr(r->out, "\033]"), "a title: %s", r->out);
  cr_expect_null(strstr(r->out, CLEAR), "a control sequence: %s", r->out);
  cr_expect_null(strstr(r->out, TURN), "a direction: %s", r->out);
  cr_expect(strstr(r->out, "end"), "%s", r->out);
}

Test(cli_terminal, a_hostile_prompt_is_listed_as_escapes)
{
  make_call();
  struct run terminal = on_terminal("idemshim ls"), pipe = run_plain(&w, "idemshim", "ls", NULL);

  expect_harmless(&terminal);
  expect_harmless(&pipe);
  cr_expect(strstr(pipe.out, "\\x1b]0;owned\\a\\u009b2J\\u202eend"), "%s", pipe.out);
  run_release(&terminal);
  run_release(&pipe);
}

Test(cli_terminal, no_form_of_show_lets_it_through)
{
  static const char *const forms[] = {"", "--request", "--body", "--json"};
  make_call();

  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    struct run r = on_terminal(world_text(&w, "idemshim show %s %s", forms[i], id()));
    expect_harmless(&r);
    run_release(&r);
  }
}

Test(cli_terminal, raw_lets_it_through_on_request)
{
  make_call();
  struct run r = on_terminal(world_text(&w, "idemshim show --request --raw %s", id()));

  cr_expect(strstr(r.out, CLEAR TURN "end"), "%s", r.out);
  run_release(&r);
}

Test(cli_terminal, a_pipe_gets_the_bytes)
{
  make_call();
  struct run r = run_plain(&w, "idemshim", "show", "--request", id(), NULL);

  expect_same_bytes("request", HOSTILE, strlen(HOSTILE), r.out, r.out_len);
  run_release(&r);
}

Test(cli_terminal, colour_only_on_a_terminal_and_without_no_color)
{
  make_call();
  struct run terminal = on_terminal("idemshim ls"), pipe = run_plain(&w, "idemshim", "ls", NULL);
  world_env(&w, "NO_COLOR", "1");
  struct run plain = on_terminal("idemshim ls");

  cr_expect(strstr(terminal.out, "\033[1m"), "%s", terminal.out);
  cr_expect_null(strchr(pipe.out, '\033'));
  cr_expect_null(strchr(plain.out, '\033'));
  run_release(&terminal);
  run_release(&pipe);
  run_release(&plain);
}

static size_t columns_of(const char *line)
{
  size_t columns = 0;
  for (const char *c = line; *c && *c != '\r'; c++)
    columns += ((unsigned char)*c & 0xc0) != 0x80;
  return columns;
}

Test(cli_terminal, a_list_fits_the_terminal_and_shows_some_of_the_prompt)
{
  static const int widths[] = {80, 100, 132, 200};
  struct run call = run_shim(&w, "curl", "-sS", "-d", "{\"model\":\"m\",\"prompt\":\"begin and never end\"}",
                             world_url(&w, "/v1/completions"), NULL);
  expect_success(&call);
  run_release(&call);
  world_env(&w, "NO_COLOR", "1");

  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
    struct run r = on_terminal_of(widths[i], "idemshim ls");
    cr_expect(strstr(r.out, "\"begin"), "%s", r.out);
    for (char *text = r.out, *line; (line = strsep(&text, "\n"));)
      cr_expect_leq(columns_of(line), (size_t)widths[i], "%s", line);
    run_release(&r);
  }
}
