/* SPDX-License-Identifier: MIT */
/*
 * The file that --output names takes standard output's place while a command runs, so that no command knows
 * of it:
 *
 *     struct cli_sink sink;
 *     int code = cli_sink_open(path, operands, false, &sink);  a path of NULL: standard output stays what it is
 *     if (code == CLI_OK)
 *       code = cli_sink_close(&sink, run(...));
 *
 * It is written beside its name and renamed at the end, so that a report that failed half way does not take
 * the place of a good one; what is no file (a pipe, a terminal, /dev/stdout) is written to as it is. A link
 * is not followed, since somebody else may say where it leads, and nothing is put where it would be taken for
 * a part of the tape or of the store.
 */
#ifndef IDEMSHIM_CLI_SINK_H
#define IDEMSHIM_CLI_SINK_H

#include <stdbool.h>

struct cli_sink {
  const char *path; /* NULL: nothing was redirected */
  char *draft;      /* NULL: it is no file */
  int before;       /* what standard output was */
};

/* `sources` are what is read, ended by a NULL: directories among them get no file. With `readable`, a new
 * file is for all that the umask lets read it, else for its owner alone. Returns CLI_OK, or has said what is
 * wrong and returns the code to exit with. */
int cli_sink_open(const char *path, char *const *sources, bool readable, struct cli_sink *sink);

/* `code` is how the work went: CLI_NO keeps the file, if there is something in it. Returns
 * the code to exit with. */
int cli_sink_close(struct cli_sink *sink, int code);

#endif
