/* SPDX-License-Identifier: MIT */
/*
 * Files for the time of a program, and the one in which the processes of one replay count what they were
 * given. Without it each process would begin with the first recorded outcome; with it, the third process gets
 * the third.
 */
#ifndef IDEMSHIM_CLI_REPLAY_STATE_H
#define IDEMSHIM_CLI_REPLAY_STATE_H

#include <limits.h>
#include <stdbool.h>

/*
 * Makes an empty file or directory of this user alone, under a name that nobody had. Its place is the first
 * of $XDG_RUNTIME_DIR, $TMPDIR and /tmp that is an absolute path and can be written to; without the first for
 * what may be large, since that is memory.
 *
 *     char path[PATH_MAX];
 *     if (!cli_make_temporary(path, "run", CLI_LARGE_FILE))
 *       return cli_fail(CLI_STORE, "%s: %s", path, strerror(errno));
 *
 * `path` has the name that was tried also where it fails, with errno set. Who made it removes it
 * (cli_remove_at_end()).
 */
enum cli_temporary { CLI_SMALL_FILE, CLI_LARGE_FILE, CLI_LARGE_DIRECTORY };
bool cli_make_temporary(char path[PATH_MAX], const char *what, enum cli_temporary kind);

/*
 * Makes it as a CLI_SMALL_FILE, and sets IDEMSHIM_REPLAY_STATE, unless that is set already.
 * The file goes when this process ends, as whatever program it ends: a process of its own, in a session of
 * its own and nobody's child, waits for that. So the program may take this process's place, and has its pid,
 * its signals and its terminal to itself, which a parent that waits could only imitate. Returns an enum
 * cli_exit.
 */
int cli_make_replay_state(void);

/* Has the file, or the directory and the files in it, removed when this process ends, whatever
 * it has become by then. */
void cli_remove_at_end(const char *path);

#endif
