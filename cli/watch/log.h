/* SPDX-License-Identifier: MIT */
/*
 * The event log (IDEMSHIM_LOG) as it is written: one event after the other, also what is appended later, and
 * over the log's rotation. Lines that are no JSON are passed over, for other programs may write there, too.
 *
 *     struct cli_log log;
 *     int code = cli_log_open(&log, options);
 *     while (code == CLI_OK && cli_log_next(&log, &event)) ...       false: no more for now
 *     cli_log_close(&log);
 */
#ifndef IDEMSHIM_CLI_LOG_H
#define IDEMSHIM_CLI_LOG_H

#include "cli/command/command.h"

#include <jansson.h>
#include <sys/types.h>

struct cli_log {
  char *path;
  int fd;
  int problem; /* errno, of a log that is named and cannot be read yet */
  ino_t inode;
  char *text; /* what has come of a line that is not over, and lines that were not taken */
  size_t len, at, room;
  json_t *document; /* of the last event */
};

/* Texts are "" where the event has none, and live until the next one. */
struct cli_event {
  int64_t time_us, ms; /* ms: -1 where it has none */
  pid_t pid;
  int status;
  const char *name, *id, *reason, *via, *method, *origin, *path, *scope;
};

/* --log, else IDEMSHIM_LOG as the library finds it. Begins at most so many bytes before the end, with a
 * whole line. Returns CLI_OK, or has said what is wrong and returns the code to exit with; with `optional`,
 * a log that is not named or not there yet is none, and gives no events. Close it in any case. */
int cli_log_open(struct cli_log *log, const struct cli_options *options, size_t before, bool optional);
bool cli_log_next(struct cli_log *log, struct cli_event *event);
void cli_log_close(struct cli_log *log);

/* "python3" of a process that lives, else "?". */
const char *cli_program_of(pid_t pid, char out[32]);

/* "api.openai.com" of "https://api.openai.com:443". */
const char *cli_host_of(const char *origin, char out[128]);

#endif
