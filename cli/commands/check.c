/* SPDX-License-Identifier: MIT */
/* `check`: what is configured, and which rule a call would meet. The verdict is made from the
 * rule and the mode alone, as the shim makes it; nothing is sent and no store is made. */
#include "cli/commands/check.h"

#include "cli/command/command.h"
#include "cli/commands/check_request.h"
#include "cli/launch/find_store.h"
#include "cli/launch/launch.h"
#include "cli/output/output.h"
#include "cli/view/rules.h"
#include "config/conf_file.h"
#include "config/place.h"
#include "tape/tape.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Says nothing that the shim would not do: no rule and action=bypass come before the mode. */
const char *cli_check_verdict(const struct cli_check *check)
{
  static const char *const with_rule[] = {
      [IDEM_MODE_IDEMPOTENT] = "answered from the store; sent and stored if it is not there yet",
      [IDEM_MODE_OBSERVE] = "sent; only counted (mode observe)",
      [IDEM_MODE_RECORD] = "sent, and recorded (mode record)",
      [IDEM_MODE_REPLAY] = "answered from the tape, never sent (mode replay)",
      [IDEM_MODE_OFF] = "sent as if idemshim were not there (mode off)",
  };
  if (!check->rule)
    return "sent as if idemshim were not there: no rule matches; --hosts or --rules of run adds one";
  if (check->rule->action == IDEM_ACTION_BYPASS)
    return "sent as if idemshim were not there: the rule says action=bypass";
  if (check->left_alone)
    return "sent as if idemshim were not there: each call to such a path seems to make something of its own; "
           "a rule "
           "with this path= stores it";
  return with_rule[check->config->mode];
}

const char *cli_check_key(const struct cli_check *check)
{
  static const char *const words[] = {
      [IDEM_UPSTREAM_KEY_UNKNOWN] =
          "unknown: whether a call that is sent again is paid for again, nobody has said",
      [IDEM_UPSTREAM_KEY_HONOURED] = "honoured: a call that is sent again with its key is paid for once",
      [IDEM_UPSTREAM_KEY_IGNORED] = "ignored: a call that is sent again may be paid for twice",
      [IDEM_UPSTREAM_KEY_REFUSED] = "refused if it comes again: inject=auto sends none",
  };
  return words[check->key];
}

/* Where the first directory that is missing would be made: 0, or why it cannot be,
 * with the place in `dir`. */
static int look_above(const char *store, char dir[PATH_MAX])
{
  snprintf(dir, PATH_MAX, "%s", store);
  while (faccessat(AT_FDCWD, *dir ? dir : "/", W_OK | X_OK, AT_EACCESS) < 0) {
    char *slash = strrchr(dir, '/');
    if (errno != ENOENT || !slash)
      return errno;
    *slash = '\0';
  }
  return 0;
}

/* Opens the store to see whether that works, without making one. The caller frees the text. */
static char *look_at_store(const struct idem_config *config, int *code)
{
  struct idem_store *store;
  struct idem_error error = {""};
  char dir[PATH_MAX], *text;
  /* A tape is written and read without one. */
  if (config->mode == IDEM_MODE_RECORD || config->mode == IDEM_MODE_REPLAY)
    return strdup("not used in this mode");
  int result = cli_open_store(config, &store, &error);
  if (result == -ENOENT) {
    /* The first call would make it, if it can. */
    int why = look_above(config->store_dir, dir);
    if (!why)
      return strdup("not made yet: the first matching call makes it");
    idem_error_set(&error, result, "%s: %s", *dir ? dir : "/", strerror(why));
  }
  if (result < 0) {
    *code = CLI_STORE;
    /* Another place would not help with that. */
    if (result == -EKEYREJECTED)
      return strdup(error.text);
    return asprintf(&text, "%s; IDEMSHIM_STORE=DIR names a place for uid %u", error.text,
                    (unsigned)geteuid()) < 0
               ? NULL
               : text;
  }
  idem_store_close(store);
  return strdup("usable");
}

/* Methods are compared in upper case, as the shim sees what libcurl sends; a person may type them as they
 * like. */
static char *upper(const char *text)
{
  char *out = strdup(text);
  for (char *c = out; c && *c; c++)
    *c = (char)toupper((unsigned char)*c);
  return out;
}

/* Takes "." and ".." out of the path, as libcurl does [RFC 3986, 5.2.4] unless it is told PATH_AS_IS. */
static void remove_dots(char *url)
{
  char *scheme = strstr(url, "://"), *authority = scheme ? scheme + 3 : url;
  char *path = authority + strcspn(authority, "/?#"), *end = path + strcspn(path, "?#"), *to = path;
  for (char *from = path, *next; from < end; from = next) {
    const size_t len = strcspn(from + 1, "/?#");
    next = from + 1 + len;
    const bool up = len == 2 && from[1] == '.' && from[2] == '.', here = len == 1 && from[1] == '.';
    if (up)
      while (to > path && *--to != '/')
        ;
    if (!up && !here) {
      memmove(to, from, len + 1);
      to += len + 1;
    } else if (next == end) {
      *to++ = '/';
    }
  }
  memmove(to, end, strlen(end) + 1);
}

/* Finds the rule that the call meets. CLI_NO if none does, which is what a script asks with the
 * exit code. */
static int match(struct cli_check *check, const char *url, const struct cli_options *options)
{
  struct idem_error error = {""};
  struct idem_target target = {.method = check->method, .method_len = strlen(check->method)};
  if (cli_url_parse(url, &target, &error) < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  char *sent = strdup(url);
  if (!sent)
    return cli_fail(CLI_STORE, "out of memory");
  remove_dots(sent);
  cli_url_parse(sent, &target, &error);
  check->url = url;
  check->rule = idem_config_match(check->config, &target);
  /* In the order of the shim: a rule, then what it leaves alone all the same. */
  check->left_alone = check->rule && idem_rule_leaves(check->rule, &target);
  check->key = check->rule ? idem_provider_key(check->rule, &target) : IDEM_UPSTREAM_KEY_UNKNOWN;
  struct cli_request asked = {.config = check->config,
                              .rule = check->rule,
                              .target = &target,
                              .method = check->method,
                              .url = sent,
                              .headers = options->given_headers,
                              .body = options->data};
  /* Of a call that passes there is no name. */
  if (check->rule && check->rule->action == IDEM_ACTION_STORE)
    check->request = cli_request_name(&asked);
  free(sent);
  return check->rule ? CLI_OK : CLI_NO;
}

/* A store that cannot be used is what matters most, then a call that no rule wants. */
static int check_config(const struct idem_config *config, const char *method, const char *url,
                        const struct cli_options *options)
{
  int matched = CLI_OK, code = CLI_OK;
  char *typed = upper(method), *state = look_at_store(config, &code);
  struct cli_check check = {.config = config, .store_state = state, .method = typed, .all = options->all};
  if (!typed || !state)
    matched = cli_fail(CLI_STORE, "out of memory");
  else if (url)
    matched = match(&check, url, options);
  /* A URL that is none is said alone: settings behind it would hide it. */
  if (matched == CLI_OK || matched == CLI_NO) {
    int printed = options->json ? cli_check_print_json(&check) : cli_check_print(&check);
    code = code != CLI_OK ? code : printed != CLI_OK ? printed : matched;
  } else {
    code = matched;
  }
  json_decref(check.request);
  free(typed);
  free(state);
  return code;
}

/* Nothing reads a variable whose name is mistyped, so nothing else would say it. */
static void tell_unknown_variables(void)
{
  static const char prefix[] = "IDEMSHIM_";
  for (char **at = environ; *at; at++) {
    const char *name = *at + strlen(prefix), *const *known = idem_variable_names;
    size_t len = strncmp(*at, prefix, strlen(prefix)) == 0 ? strcspn(name, "=") : 0;
    while (*known && (strlen(*known) != len || memcmp(*known, name, len) != 0))
      known++;
    if (len && !*known)
      cli_warn("IDEMSHIM_%.*s is no variable of idemshim%s", (int)len, name,
               IDEM_SUGGEST(idem_variable_names, name, len));
  }
}

/* A replay has the rules of its tape in the place of what no variable says, and meets every call to a
 * server that is on it. */
static int add_tape(struct idem_config *config)
{
  struct tape *tape;
  struct tape_met met;
  struct idem_config with;
  struct idem_error error = {""};
  struct tape_source source = {.dir = config->tape_dir, .key_file = config->tape_key_file};
  if (config->mode != IDEM_MODE_REPLAY || !config->tape_dir)
    return CLI_OK;
  int result = tape_open(&tape, &source, &error);
  if (result == 0) {
    result = tape_meets(tape, &met, &error);
    tape_close(tape);
  }
  if (result < 0)
    return cli_fail(CLI_USAGE, "%s; a replay refuses every call", error.text);
  result = idem_config_load_replay(&with, getenv, met.rules, met.origins, &error);
  tape_met_release(&met);
  if (result < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  idem_config_release(config);
  *config = with;
  return CLI_OK;
}

/* As libcurl takes them: "Name: value", "Name:" to take one away, "Name;" for one without a value. */
static int expect_headers(const struct cli_options *options)
{
  for (size_t i = 0; i < CLI_LIST_MAX && options->given_headers[i]; i++)
    if (!options->given_headers[i][strcspn(options->given_headers[i], ":;")])
      return cli_fail(CLI_USAGE, "--header: expected \"Name: value\", got \"%s\"", options->given_headers[i]);
  return CLI_OK;
}

/* The whole environment is read here, unlike in the commands that only look at the store: a
 * mistake in a rule is what this command is for. */
static int run(const struct cli_options *options, int argc, char **argv)
{
  struct idem_config config;
  struct idem_error error = {""};
  if (options->docs) {
    cli_check_print_docs();
    return CLI_OK;
  }
  int code = expect_headers(options);
  code = code == CLI_OK ? cli_set_variables(options) : code;
  if (code != CLI_OK)
    return code;
  /* After the options were put among them, and before what they say is refused. */
  tell_unknown_variables();
  if (idem_config_load(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  cli_tell_ignored(&config);
  code = cli_expect_prices(&config, "");
  code = code == CLI_OK ? add_tape(&config) : code;
  /* The last operand is the URL, and a method may stand before it. */
  if (code == CLI_OK)
    code = check_config(&config, argc > 1 ? argv[0] : "POST", argc > 0 ? argv[argc - 1] : NULL, options);
  idem_config_release(&config);
  return code;
}

const struct cli_command cli_command_check = {
    .name = "check",
    .operands = "[[METHOD] URL]",
    .summary = "what is configured, and which rule a call would meet",
    .details = "Exits 2 if the configuration has a mistake, 3 if there is a store that cannot be used, and 1 "
               "if the\n"
               "URL meets no rule. METHOD is POST if it is left out. --rules and --hosts are looked at in "
               "place of the\n"
               "variables.",
    .options = CLI_OPTIONS(CLI_OPTION("all", NULL, CLI_FLAG, all, "list every rule, the built-in ones too"),
                           CLI_SHORT_OPTION('H', "header", "LINE", CLI_LIST, given_headers,
                                            "a header of the request, as curl -H"),
                           CLI_SHORT_OPTION('d', "data", "BODY", CLI_TEXT, data, "its body"),
                           CLI_OPTION_RULES, CLI_OPTION_JSON, CLI_OPTION_STORE, CLI_OPTION_TAPE_KEY,
                           CLI_OPTION("docs", NULL, CLI_FLAG, docs, "print tables of variables and fields")),
    .max_operands = 2,
    .run = run,
};
