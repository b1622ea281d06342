/* SPDX-License-Identifier: MIT */
/* `fleet`: the store that this machine shares with others: is it set up well, what is in it,
 * and what does it lack? */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "config/hex.h"
#include "config/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* check */

/* For idem_store_fleet_check(). `list` takes the findings for JSON; without one each is a line at once. The
 * server's words may be in it. */
static void print_finding(void *list, enum idem_fleet_finding finding, const char *what, const char *text)
{
  static const char *const words[] = {"ok", "warning", "bad"};
  if (list) {
    json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "finding", words[finding], "what", what, "text",
                                          cli_json_string(text)));
    return;
  }
  printf("%-8s %-17s ", words[finding], what);
  cli_put_line(stdout, text, strlen(text), CLI_UNCUT);
  putchar('\n');
}

/* The one verb that needs no store, for it is what one asks before the first call. Exits 1 if something is
 * bad, also if it was printed as JSON; 3 if the fleet cannot be asked. */
static int check(const struct cli_options *options)
{
  static struct idem_config config;
  struct idem_store *store = NULL;
  struct idem_error error = {""};
  int code = cli_load_store_config(options, &config);
  if (code != CLI_OK)
    return code;
  if (!config.fleet)
    return cli_fail(CLI_STORE, "there is no fleet: IDEMSHIM_FLEET is not set");
  int result = cli_open_store(&config, &store, &error);
  if (result < 0 && result != -ENOENT)
    return cli_fail(CLI_STORE, "%s", error.text);
  json_t *list = options->json ? json_array() : NULL;
  result = idem_store_fleet_check(store, config.fleet, print_finding, list, &error);
  idem_store_close(store);
  if (list && result >= 0)
    cli_print_json(list);
  else if (list)
    json_decref(list);
  return result < 0 ? cli_fail(CLI_STORE, "%s", error.text) : result ? CLI_NO : CLI_OK;
}

/* ls */

/* For idem_store_fleet_each(). The states are those of fleet/fleet.h; an id is the beginning of a key, as
 * that of an answer is. */
static int list_one(void *arg, const uint8_t *key, char state, uint64_t generation)
{
  const char *word = state == 'A'   ? "answered"
                     : state == 'S' ? "sent"
                     : state == 'C' ? "claimed"
                                    : "released";
  char id[IDEM_ID_SIZE];
  idem_hex(key, IDEM_ID_SIZE / 2, id);
  if (arg)
    json_array_append_new(
        arg, json_pack("{s:s, s:s, s:I}", "id", id, "state", word, "generation", (json_int_t)generation));
  else
    printf("%s  %s\n", id, word);
  return 0;
}

static int list(const struct cli_options *options, struct idem_store *store)
{
  json_t *array = options->json ? json_array() : NULL;
  struct idem_error error = {""};
  int result = idem_store_fleet_each(store, list_one, array, &error);
  if (array && result >= 0)
    cli_print_json(array);
  else if (array)
    json_decref(array);
  return result < 0 ? cli_fail(CLI_STORE, "%s", error.text) : CLI_OK;
}

/* push */

/* Where another machine is at an operation, the rest is left for later, and the exit is 1. */
static int push(const struct cli_options *options, struct idem_store *store)
{
  char number[CLI_UNIT_SIZE];
  struct idem_error error = {""};
  uint64_t pushed;
  int result = idem_store_fleet_push(store, options->all, &pushed, &error);
  if (result < 0 && result != -EBUSY)
    return cli_fail(CLI_STORE, "%s", error.text);
  if (options->json)
    cli_print_json(json_pack("{s:I}", "pushed", (json_int_t)pushed));
  else
    printf("told the fleet of %s %s\n", cli_count(number, pushed), idem_word(pushed, "answer", "answers"));
  return result < 0 ? cli_fail(CLI_NO, "%s; the rest stays for later", error.text) : CLI_OK;
}

/* No commands of their own, as those of `tape` are: they share their options. */
static const struct {
  const char *name;
  int (*run)(const struct cli_options *options);
  int (*on_store)(const struct cli_options *options, struct idem_store *store);
} verbs[] = {{"check", check, NULL}, {"ls", NULL, list}, {"push", NULL, push}};

static int fleet(const struct cli_options *options, int argc, char **operands)
{
  (void)argc;
  struct idem_store *store;
  for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
    if (strcmp(operands[0], verbs[i].name) != 0)
      continue;
    if (verbs[i].run)
      return verbs[i].run(options);
    int code = cli_find_store(options, false, &store);
    if (code != CLI_OK)
      return code;
    code = verbs[i].on_store(options, store);
    idem_store_close(store);
    return code;
  }
  return cli_fail(CLI_USAGE, "expected check, ls or push, not %s", operands[0]);
}

const struct cli_command cli_command_fleet = {
    .name = "fleet",
    .operands = "check|ls|push",
    .summary = "the store that this machine shares with others (IDEMSHIM_FLEET)",
    .details = "check: how it is reached and set up; exit 1 if something is bad. ls: the operations that it "
               "knows of. push: tells it of "
               "the answers that this machine has stored while it was away.",
    .options =
        CLI_OPTIONS(CLI_OPTION_JSON, CLI_OPTION_STORE,
                    CLI_OPTION("all", NULL, CLI_FLAG, all, "push: of everything that this machine has")),
    .min_operands = 1,
    .max_operands = 1,
    .run = fleet,
};
