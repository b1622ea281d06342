/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/find_store.h"
#include "cli/in_force.h"
#include "cli/library.h"
#include "cli/message.h"
#include "cli/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What env(1) and shells exit with when a program cannot be started. */
enum { CANNOT_RUN = 126, NO_PROGRAM = 127 };

enum value_kind { AS_IT_IS, PATH, RULES, LOG };

/* Which option sets which variable. Paths are made absolute: the program may change its directory. */
static const struct {
  const char *variable;
  size_t offset;
  enum value_kind kind;
} settings[] = {
    {"IDEMSHIM_MODE",       offsetof(struct cli_options, mode),       AS_IT_IS},
    {"IDEMSHIM_STORE",      offsetof(struct cli_options, store),      PATH    },
    {"IDEMSHIM_SCOPE",      offsetof(struct cli_options, scope),      AS_IT_IS},
    {"IDEMSHIM_RULES",      offsetof(struct cli_options, rules),      RULES   },
    {"IDEMSHIM_HOSTS",      offsetof(struct cli_options, hosts),      AS_IT_IS},
    {"IDEMSHIM_LOG",        offsetof(struct cli_options, log),        LOG     },
    {"IDEMSHIM_STORE_SIZE", offsetof(struct cli_options, store_size), AS_IT_IS},
};

static bool is_path(enum value_kind kind, const char *value)
{
  return kind == PATH || (kind == RULES && value[0] == '@') || (kind == LOG && strcmp(value, "stderr") != 0);
}

/* The value as the variable takes it; the caller frees it. */
static char *prepare(enum value_kind kind, const char *value)
{
  const char *at = kind == RULES ? "@" : "";
  char *out = NULL;
  if (!is_path(kind, value) || !*value)
    return strdup(value);
  char *path = cli_absolute(value + strlen(at));
  if (path && asprintf(&out, "%s%s", at, path) < 0)
    out = NULL;
  free(path);
  return out;
}

static int set_variables(const struct cli_options *options)
{
  for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
    const char *value = *(const char *const *)((const char *)options + settings[i].offset);
    if (!value)
      continue;
    char *prepared = prepare(settings[i].kind, value);
    int failed = !prepared || setenv(settings[i].variable, prepared, 1) < 0;
    free(prepared);
    if (failed)
      return cli_fail(CLI_USAGE, "%s cannot be set: %s", settings[i].variable, strerror(errno));
  }
  if (options->no_sync)
    setenv("IDEMSHIM_SYNC", "off", 1);
  return CLI_OK;
}

/* A recording that records nothing, and a replay that calls the network, are worse than none. */
static int check_mode(const struct idem_config *config)
{
  if (cli_mode_in_force(config->mode))
    return CLI_OK;
  return cli_fail(CLI_USAGE,
                  "mode %s is not yet in force, so nothing was started; choose idempotent, observe or off",
                  cli_mode_name(config->mode));
}

static int check_config(void)
{
  struct idem_config config;
  struct idem_error error = {""};
  if (idem_config_load(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  int code = check_mode(&config);
  idem_config_release(&config);
  return code;
}

static void warn_of_program(const char *name)
{
  char reason[256];
  if (cli_program_problem(name, reason, sizeof(reason)))
    cli_warn("%s %s; its calls will go out as if idemshim were not there", name, reason);
}

static int start(char **argv)
{
  execvp(argv[0], argv);
  return cli_fail(errno == ENOENT ? NO_PROGRAM : CANNOT_RUN, "%s: %s", argv[0], strerror(errno));
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc;
  int code = set_variables(options);
  if (code == CLI_OK)
    code = check_config();
  if (code == CLI_OK)
    code = cli_preload_library();
  if (code != CLI_OK)
    return code;
  warn_of_program(argv[0]);
  return start(argv);
}

static const struct cli_option options_table[] = {
    CLI_OPTION("mode", "M", CLI_TEXT, mode, "idempotent, observe or off"),
    CLI_OPTION("store", "DIR", CLI_TEXT, store, "where answers are kept"),
    CLI_OPTION("scope", "S", CLI_TEXT, scope, "the set of operations: a job, an event"),
    CLI_OPTION("rules", "R", CLI_TEXT, rules, "rules, or @FILE with rules"),
    CLI_OPTION("hosts", "H", CLI_TEXT, hosts, "hosts with the default treatment"),
    CLI_OPTION("log", "L", CLI_TEXT, log, "where events go: stderr or a file"),
    CLI_OPTION("store-size", "N", CLI_TEXT, store_size, "what answers may take: 512M"),
    CLI_OPTION("no-sync", NULL, CLI_FLAG, no_sync, "faster, and a crash of the machine loses answers"),
    CLI_OPTION_END,
};

const struct cli_command cli_command_run = {
    .name = "run",
    .operands = "[--] COMMAND [ARGUMENT...]",
    .summary = "run a program so that a finished call is never paid for twice",
    .details = "Each option sets the variable of its name (IDEMSHIM_MODE, ...) for the program; idemshim(7) "
               "has all of\n"
               "them. Exits as the program does; 126 if it cannot be run, 127 if there is none, 2 if the\n"
               "configuration has a mistake: nothing is started then.",
    .options = options_table,
    .min_operands = 1,
    .max_operands = CLI_ANY_NUMBER,
    .stops = true,
    .run = run,
};
