/* SPDX-License-Identifier: MIT */
/* Each command that the README, the manual pages and the page of services show is run as it stands there, and
 * each rule of theirs is read. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void put_program(const char *name, const char *text)
{
  const char *path = world_write(&w, name, text, strlen(text));
  cr_assert_eq(chmod(path, 0700), 0);
}

/* The programs and files that the examples have. A process that has used libcurl stands for each that pidof
 * is asked for, and there is one user alone. */
static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_LOG");
  world_env(&w, "IDEMSHIM_HOSTS", "127.0.0.1:%d,api.openai.com", w.port);
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  const char *app = world_text(
      &w, "#!/bin/sh\nfor n in $(seq 17); do curl -sS " CURL_JSON_WORDS " \"{\\\"n\\\":$n}\" '%s'; done\n",
      world_url(&w, "/v1/chat/completions"));
  put_program("legacy-app", app);
  put_program("summarise-all", app);
  mkdir(world_path(&w, "bin"), 0700);
  put_program("bin/pidof", "#!/bin/sh\necho \"$PPID\"\n");
  put_program("bin/sudo", "#!/bin/sh\n[ \"$1\" != -u ] || shift 2\nexec \"$@\"\n");
  world_write(&w, "fixed.json", "{}", 2);
  world_write(&w, "better.json", "{}", 2);
}

TestSuite(documented, .init = set_up, .fini = close_world);

/* What an example exits with that does not exit with 0, and what is not run here: it is
 * told by its beginning. */
static const struct {
  const char *begins;
  int status; /* -1: another test runs it, or it is no command */
} others[] = {
    {"idemshim fleet check", 3},                      /* there is none */
    {"make ", -1},                                    /* scripts/distros, cli_installed and readme */
    {"idemshim doctor ./", 1},                        /* a shell script: what it starts is not to be seen */
    {"idemshim doctor $(pidof", 1},                   /* a shell, which makes no calls itself */
    {"IDEMSHIM_RULES=@/etc", -1},                     /* a file that is not there */
    {"IDEMSHIM_STORE=/var/cache", -1},                /* a line of a configuration file: cli_config_file */
    {"IDEMSHIM_RULES=\"host=api.openai.com ttl", -1}, /* and another */
    {"#", -1},
    {"curl_easy_perform", -1},
};

static int expected(const char *line)
{
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strncmp(line, others[i].begins, strlen(others[i].begins)) == 0)
      return others[i].status;
  return 0;
}

/* The id of the manual is of no answer here. */
static void put_id(char *line)
{
  static const char shown[] = "3f9c0d1a2b4e5f60";
  char *at = strstr(line, shown);
  struct run r = at ? run_plain(&w, "sh", "-c", "idemshim ls --json | grep -o -m1 '[0-9a-f]\\{16\\}'", NULL)
                    : (struct run){0};
  if (at) {
    cr_assert_geq(r.out_len, sizeof shown - 1, "%s", r.err);
    memcpy(at, r.out, sizeof shown - 1);
  }
  run_release(&r);
}

/* Directories that are not there: the store is that of this world, and the collector's is its own. */
static const char *put_places(const char *line)
{
  static char out[1200];
  const struct {
    const char *shown, *here;
  } places[] = {{"/var/cache/idemshim-www-data", w.store}, {"/var/lib/prometheus/node-exporter", w.dir}};
  snprintf(out, sizeof out, "%s", line);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const char *at = strstr(line, places[i].shown);
    if (at)
      snprintf(out, sizeof out, "%.*s%s%s", (int)(at - line), line, places[i].here,
               at + strlen(places[i].shown));
  }
  return out;
}

/* Rules are read by check. A variable alone on a line is for the command that follows it. */
static void run_line(const char *document, char *line)
{
  char script[1200];
  int status = expected(line);
  if (status < 0 || !*line)
    return;
  put_id(line);
  if (strncmp(line, "host=", 5) == 0)
    snprintf(script, sizeof script, "IDEMSHIM_RULES='%s' idemshim check", line);
  else if (strncmp(line, "IDEMSHIM_", 9) == 0 && !strstr(line, "idemshim "))
    snprintf(script, sizeof script, "%s idemshim check", line);
  else
    snprintf(script, sizeof script, "%s", put_places(line));
  cr_expect(strstr(script, "idemshim "), "%s shows what is no command of ours: %s", document, line);
  struct run r = run_shell_plain(&w, world_text(&w, "cd \"$HOME\" && PATH=\"$HOME/bin:$PATH\"; %s", script));
  cr_expect_eq(r.status, status, "%s: %s: exit %d\n%s%s", document, line, r.status, r.out, r.err);
  run_release(&r);
}

/* Runs what stands between `begin` and `end`, line by line; one that ends in a bar goes on. How
 * many blocks there are. */
static int run_blocks(const char *document, const char *begin, const char *end)
{
  char *text = file_read(document, &(size_t){0}), *rest = text, *line, whole[1000] = "";
  bool inside = false;
  int blocks = 0;
  cr_assert(text, "%s", document);
  while ((line = strsep(&rest, "\n"))) {
    if (!inside) {
      inside = strncmp(line, begin, strlen(begin)) == 0 && strcmp(line, "```text") != 0;
      blocks += inside;
      continue;
    }
    if (strcmp(line, end) == 0) {
      inside = false;
      continue;
    }
    line += strspn(line, " ");
    line += strncmp(line, "$ ", 2) == 0 ? 2 : 0;
    snprintf(whole + strlen(whole), sizeof whole - strlen(whole), "%s ", line);
    if (*line && line[strlen(line) - 1] == '|')
      continue;
    whole[strlen(whole) - 1] = '\0';
    run_line(document, whole);
    *whole = '\0';
  }
  free(text);
  return blocks;
}

/* What stands within a sentence, behind `macro` on a line of its own; `before` and `after` make a command of
 * it. How many there are. */
static int run_words(const char *document, const char *macro, const char *before, const char *after)
{
  char *text = file_read(document, &(size_t){0}), *rest = text, *line, whole[1000];
  int words = 0;
  cr_assert(text, "%s", document);
  while ((line = strsep(&rest, "\n"))) {
    size_t len = strlen(line);
    if (strncmp(line, macro, strlen(macro)) != 0)
      continue;
    /* The end of the sentence is a word of its own. */
    len -= len > 2 && line[len - 2] == ' ' ? 2 : 0;
    line[len] = '\0';
    line += strlen(".Ql ");
    bool is_whole = strncmp(line, before, strlen(before)) == 0;
    snprintf(whole, sizeof whole, "%s%s%s", is_whole ? "" : before, line, after);
    run_line(document, whole);
    words++;
  }
  free(text);
  return words;
}

Test(documented, every_command_of_the_readme)
{
  cr_expect_geq(run_blocks("README.md", "```sh", "```"), 4);
}

Test(documented, every_example_of_the_command_s_page)
{
  if (system("command -v jq >/dev/null") != 0)
    cr_skip_test("jq is not installed");
  cr_expect_geq(run_blocks("docs/idemshim.1", ".Bd -literal", ".Ed"), 5);
  cr_expect_geq(run_words("docs/idemshim.1", ".Ql ", "idemshim ", ""), 3);
}

Test(documented, every_example_of_the_rules_and_the_library)
{
  cr_expect_geq(run_blocks("docs/idemshim-rules.5", ".Bd -literal", ".Ed"), 3);
  cr_expect_geq(run_blocks("docs/idemshim.7", ".Bd -literal", ".Ed"), 1);
  cr_expect_eq(
      run_words("docs/idemshim.7", ".Li openssl ", "", " && IDEMSHIM_KEY_FILE=\"$PWD/FILE\" idemshim check"),
      1);
}

/* Of a store that is there. */
Test(documented, every_command_of_the_page_of_services)
{
  struct run first = run_shell_plain(&w, "cd \"$HOME\" && idemshim run ./legacy-app");
  expect_success(&first);
  cr_expect_eq(run_blocks("docs/services.md", "```sh", "```"), 1);
  run_release(&first);
}
