/* SPDX-License-Identifier: MIT */
/*
 * Files for the time of a program, of this user alone and under a name that nobody had.
 *
 *     char path[PATH_MAX];
 *     if (!cli_make_temporary(path, "run", CLI_LARGE_DIRECTORY))
 *       return cli_fail(CLI_STORE, "%s: %s", path, strerror(errno));
 *     cli_remove_at_end(path);
 *
 * Their place is the first of $XDG_RUNTIME_DIR, $TMPDIR and /tmp that is an absolute path and can be written
 * to; without the first for what may be large, since that is memory.
 */
#ifndef IDEMSHIM_CLI_TEMPORARY_H
#define IDEMSHIM_CLI_TEMPORARY_H

#include <limits.h>
#include <stdbool.h>

/* An empty one. `path` has the name that was tried also where it fails, with errno set. */
enum cli_temporary { CLI_SMALL_FILE, CLI_LARGE_DIRECTORY };
bool cli_make_temporary(char path[PATH_MAX], const char *what, enum cli_temporary kind);

/* Removes the file, or the directory and the files in it. */
void cli_remove_temporary(const char *path);

/* Has that done when this process ends, killed or not, and whatever program it has become by then: a process
 * of its own, in a session of its own and nobody's child, waits for that. */
void cli_remove_at_end(const char *path);

#endif
