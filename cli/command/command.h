/* SPDX-License-Identifier: MIT */
/*
 * cli: the `idemshim` command.
 *
 * A subcommand is a file with one table row: what it is called, what it takes, how it runs. Dispatch, --help
 * and the parsing of options are made from the row, so that a command has no code for any of them:
 *
 *     static int gc(const struct cli_options *options, struct idem_store *store, char **operands)
 *     {
 *       ...
 *       return CLI_OK;
 *     }
 *
 *     const struct cli_command cli_command_gc = {
 *         .name = "gc", .operands = "", .summary = "remove what has expired",
 *         .options = CLI_OPTIONS(CLI_OPTION_JSON, CLI_OPTION_STORE), .on_store = gc,
 *     };
 *
 * A new one is such a file, a declaration below and a place in the table of commands/table.c (or of
 * commands/tape.c).
 */
#ifndef IDEMSHIM_CLI_H
#define IDEMSHIM_CLI_H

#include "cli/output/output.h"
#include "store/store.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tape;
struct cli_commands;

/* How often an option of kind CLI_LIST may be given. */
#define CLI_LIST_MAX 64

/* Every option of every subcommand; a subcommand's table says which of them it takes. What was not given is
 * NULL, 0 or false; texts are those of argv, and nobody frees them. */
struct cli_options {
  const char *store, *mode, *scope, *rules, *hosts, *log, *store_size;
  const char *tape, *tape_size, *tape_age, *pace, *match, *exhausted;
  const char *given_headers[CLI_LIST_MAX], *data;
  const char *edits[CLI_LIST_MAX]; /* ended by a NULL where there are fewer */
  uint64_t limit;                  /* 0: none */
  bool no_sync, offline, strict;
  bool json, prometheus, docs;
  bool all, yes, old, prove, live, recent;
  bool body, headers, request, raw;
  const char *key_file, *output, *prices, *durable, *keep, *run, *faults, *live_faults, *tape_key_file,
      *sole_key_file, *replay_output, *on_miss, *live_from, *max_age;
  const char *origins[CLI_LIST_MAX];
  bool har, otlp, once, runs, zero;
};

/* What an option's value is. A flag has none; a list may be given several times. */
enum cli_option_kind { CLI_FLAG, CLI_TEXT, CLI_COUNT, CLI_LIST };

/* A row of a command's table. --help, the parse and the manual page's test read the same row. */
struct cli_option {
  const char *name;     /* without the dashes; NULL ends a table */
  const char *argument; /* what --help calls the value; NULL for a flag */
  const char *help;
  enum cli_option_kind kind;
  size_t offset; /* in struct cli_options: bool, const char *, uint64_t or const char *[] by kind */
  char letter;   /* of the short form; 0: none */
};

/* A row of a table; `field` is the member of struct cli_options that the option sets. */
#define CLI_SHORT_OPTION(letter, name, argument, kind, field, help)                                          \
  {                                                                                                          \
    name, argument, help, kind, offsetof(struct cli_options, field), letter                                  \
  }
#define CLI_OPTION(name, argument, kind, field, help) CLI_SHORT_OPTION(0, name, argument, kind, field, help)
#define CLI_OPTION_STORE                                                                                     \
  CLI_OPTION("store", "DIR", CLI_TEXT, store, "the store (default: as the shim finds it)"),                  \
      CLI_OPTION("key-file", "FILE", CLI_TEXT, key_file,                                                     \
                 "the key of an encrypted store (default: IDEMSHIM_KEY_FILE)")
/* Every command that opens a tape has this. Where there is no store --key-file is the tape's too, and the
 * store of a program that is started has nothing of it. */
#define CLI_OPTION_TAPE_KEY                                                                                  \
  CLI_OPTION("tape-key-file", "FILE", CLI_TEXT, tape_key_file,                                               \
             "the key of an encrypted tape (default: IDEMSHIM_TAPE_KEY_FILE)")
#define CLI_OPTION_KEY                                                                                       \
  CLI_OPTION_TAPE_KEY, CLI_OPTION("key-file", "FILE", CLI_TEXT, sole_key_file,                               \
                                  "the same, as it is for a store (default: IDEMSHIM_KEY_FILE)")
#define CLI_OPTION_OUTPUT                                                                                    \
  CLI_SHORT_OPTION('o', "output", "FILE", CLI_TEXT, output, "where to write it (default: standard output)")
#define CLI_OPTION_PRICES                                                                                    \
  CLI_OPTION("prices", "FILE", CLI_TEXT, prices,                                                             \
             "what tokens cost: LiteLLM's JSON, or MODEL INPUT OUTPUT lines")
/* What says which calls are ours, and what a tape may take. */
#define CLI_OPTION_RULES                                                                                     \
  CLI_OPTION("rules", "R", CLI_TEXT, rules, "rules, or @FILE with rules"),                                   \
      CLI_OPTION("hosts", "H", CLI_TEXT, hosts, "hosts with the default treatment")
#define CLI_OPTION_CALLS                                                                                     \
  CLI_OPTION_RULES, CLI_OPTION("log", "L", CLI_TEXT, log, "where events go: stderr or a file")
#define CLI_OPTION_TAPE                                                                                      \
  CLI_OPTION("tape-size", "N", CLI_TEXT, tape_size, "what the tape may take: 512M; the oldest makes room"),  \
      CLI_OPTION("tape-age", "T", CLI_TEXT, tape_age, "how long exchanges stay on it: 7d")
/* What every command that prints something has: JSON is the interface for programs, and its
 * members do not change their names. */
#define CLI_OPTION_JSON CLI_OPTION("json", NULL, CLI_FLAG, json, "print JSON, for programs")

/* The table of a row: `.options = CLI_OPTIONS(CLI_OPTION_JSON, CLI_OPTION_STORE)`. */
#define CLI_OPTIONS(...)                                                                                     \
  (const struct cli_option[])                                                                                \
  {                                                                                                          \
    __VA_ARGS__,                                                                                             \
    {                                                                                                        \
      NULL, NULL, NULL, CLI_FLAG, 0, 0                                                                       \
    }                                                                                                        \
  }

/* A row. `argv` and `operands` hold the operands alone, from [0] on, ended by a NULL; every run returns the
 * code to exit with (enum cli_exit). One of the last four is set; what on_store and on_tape are given is
 * opened before and closed after, and what is wrong with it has been said. */
struct cli_command {
  const char *name;     /* "ls", "tape ls" */
  const char *operands; /* as the usage line shows them; "" if there are none */
  const char *summary;  /* one line, for the list of commands */
  const char *details;  /* what --help says below the options; NULL for nothing more */
  const struct cli_option *options;
  int min_operands, max_operands;
  bool only_reads; /* root may look into the store of another user */
  bool public;     /* what --output writes holds nothing of a call: others may read the file */
  bool stops;      /* options end at the first operand: the rest belongs to another program */
  int (*run)(const struct cli_options *options, int argc, char **argv);
  int (*on_store)(const struct cli_options *options, struct idem_store *store, char **operands);
  int (*on_tape)(const struct cli_options *options, const struct tape *tape,
                 char **operands);     /* of operands[0] */
  const struct cli_commands *commands; /* the operands are a command line of one of these */
};

/* For max_operands. */
#define CLI_ANY_NUMBER INT_MAX

/* One for each file of cli/commands that is a command of its own. */
extern const struct cli_command cli_command_run, cli_command_record, cli_command_replay, cli_command_check,
    cli_command_stats, cli_command_ls, cli_command_show, cli_command_explain, cli_command_rm, cli_command_gc,
    cli_command_verify, cli_command_doctor, cli_command_tape, cli_command_help, cli_command_complete,
    cli_command_top, cli_command_tail, cli_command_fleet;

/* What a parse ends with for --help, beside the exit codes that it ends with otherwise. */
enum { CLI_HELP = -1 };

/* Reads argv[1..] into `options`; `*first` is the index of the first operand, for operands are moved
 * to the end. argv[0] is the command's name. Returns CLI_OK, CLI_HELP, or CLI_USAGE after saying what
 * is wrong. */
int cli_options_parse(const struct cli_command *command, int argc, char **argv, struct cli_options *options,
                      int *first);

/* "usage: idemshim ls [options]", the options with their help, and the details. */
void cli_options_help(const struct cli_command *command);

#endif
