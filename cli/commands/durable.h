/* SPDX-License-Identifier: MIT */
/*
 * A durable run: a program that is started again and again until it has ended well, and makes each call once.
 * `run --durable NAME` gives it a scope of its own, in which every call is counted (repeats=sequence), what
 * is killed is finished (guard=on), and answers stay for --keep. They are dropped when the program exits with
 * 0; else the run is unfinished, and `ls --runs` lists it.
 *
 *     return options->durable ? cli_durable_run(options, argv) : cli_launch(argv, NULL);
 *
 * The program is a child here, since somebody has to see how it ends: signals are passed on, and its exit is
 * ours.
 */
#ifndef IDEMSHIM_CLI_DURABLE_H
#define IDEMSHIM_CLI_DURABLE_H

#include "cli/command/command.h"

/* A name is a part of a scope (IDEM_RUN_SCOPE), which has 256 bytes, and stands in messages. */
enum { CLI_RUN_NAME_MOST = 120 };

/* The variables of the options have been set. Returns what to exit with. */
int cli_durable_run(const struct cli_options *options, char **argv);

/* `ls --runs` and `rm --run NAME`. */
int cli_runs_list(const struct cli_options *options, struct idem_store *store);
int cli_runs_remove(struct idem_store *store, const char *name);

#endif
