/* SPDX-License-Identifier: MIT */
/*
 * The store that the shim would use, or the one that --store names. It is never made: a command that looks at
 * answers has nothing to look at in a store that is not there, and a typing mistake would leave an empty one
 * behind.
 *
 *     struct idem_store *store;
 *     int code = cli_find_store(options, false, &store);   said what is wrong: code is what to exit with
 *     if (code != CLI_OK)
 *       return code;
 *     ...
 *     idem_store_close(store);
 */
#ifndef IDEMSHIM_CLI_FIND_STORE_H
#define IDEMSHIM_CLI_FIND_STORE_H

#include "cli/command/command.h"
#include "store/store.h"

/*
 * Finds and opens an existing store. Only the variables that concern the store are looked at: a mistake in a
 * rule does not keep anybody from looking at what is stored. Returns CLI_OK, or has said what is wrong and
 * returns the code to exit with. Close with idem_store_close(). With `only_reads`, root becomes the owner of
 * the store for as long as this process lives, as by sudo -u: what lies there is the owner's, and so is what
 * it may lead to.
 */
int cli_find_store(const struct cli_options *options, bool only_reads, struct idem_store **out);

/* The configuration of the store and of the fleet that cli_find_store() goes by. CLI_OK, or as it. */
int cli_load_store_config(const struct cli_options *options, struct idem_config *config);

/* Opens the store of a configuration, if it is there: 0, -ENOENT, or -errno with the message. One of a fleet
 * refers to the configuration for as long as it is open. */
int cli_open_store(const struct idem_config *config, struct idem_store **out, struct idem_error *error);

/* The same as the library does it: one that is not there is made. */
int cli_open_or_make_store(const struct idem_config *config, struct idem_store **out,
                           struct idem_error *error);

/* Warns of each configuration file that is not read, by itself in cli_find_store(). */
void cli_tell_ignored(const struct idem_config *config);

/* Says why an answer named by its id was not found, and returns the code to exit with: `result` and `error`
 * are what idem_store_show() or idem_store_remove() gave. */
int cli_not_found(int result, const struct idem_error *error);

/* A path that stays right when the working directory changes; NULL with errno set if that is unknown. The
 * caller frees it. */
char *cli_absolute(const char *path);

#endif
