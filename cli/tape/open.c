/* SPDX-License-Identifier: MIT */
/* Opening a tape for a command, going over it, and the file that --output names. */
#include "cli/output/output.h"
#include "cli/tape/tape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The option wins over the variable, as everywhere. What a configuration file says is put into the environment, where it
 * lives as long as the command. */
const char *cli_tape_key(const struct cli_options *options)
{
  struct idem_config config;
  if (options->key_file)
    return options->key_file;
  if (idem_config_load_store(&config, getenv, NULL) == 0) {
    if (config.key_file)
      setenv("IDEMSHIM_KEY_FILE", config.key_file, 1);
    idem_config_release(&config);
  }
  const char *variable = getenv("IDEMSHIM_KEY_FILE");
  return variable && *variable ? variable : NULL;
}

/* Damage does not keep the rest from being looked at; it is only told. */
int cli_tape_open(const struct cli_options *options, const char *dir, struct tape **out)
{
  struct idem_error error = {""};
  struct tape_source source = {.dir = dir, .key_file = cli_tape_key(options)};
  if (tape_open(out, &source, &error) < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  struct tape_totals totals = tape_totals(*out);
  if (totals.torn + totals.damaged)
    cli_warn("%s: %" PRIu64 " torn and %" PRIu64
             " damaged records are left out; idemshim tape verify names them",
             dir, totals.torn, totals.damaged);
  return CLI_OK;
}

/* One record is used for all, so memory is that of the largest exchange. */
int cli_tape_each(const struct tape *tape, const char *what, bool whole,
                  int (*visit)(void *arg, const struct tape_record *record), void *arg)
{
  struct tape_record record = {0};
  uint64_t count = tape_totals(tape).exchanges;
  int code = CLI_OK, missing = CLI_OK;
  for (uint64_t number = 1; code == CLI_OK && number <= count; number++) {
    struct idem_error error = {""};
    if (what)
      cli_progress((void *)(uintptr_t)what, number, count);
    if ((whole ? tape_read : tape_peek)(tape, number, &record, &error) == 0) {
      code = visit(arg, &record);
      continue;
    }
    cli_progress_end();
    missing = cli_fail(CLI_NO, "%s", error.text);
  }
  cli_progress_end();
  tape_record_release(&record);
  return code == CLI_OK ? missing : code;
}

/* Sinks. */

/* Written beside the target and renamed at the end, so that a report that failed half way does
 * not take the place of a good one. */
int cli_sink_open(const struct cli_options *options, struct cli_sink *sink)
{
  *sink = (struct cli_sink){.file = stdout, .path = options->output};
  if (!sink->path)
    return CLI_OK;
  if (asprintf(&sink->draft, "%s.%d.part", sink->path, (int)getpid()) < 0)
    return cli_fail(CLI_STORE, "out of memory");
  sink->file = fopen(sink->draft, "w");
  if (sink->file)
    return CLI_OK;
  cli_fail(CLI_STORE, "%s: %s", sink->draft, strerror(errno));
  free(sink->draft);
  return CLI_STORE;
}

/* CLI_NO keeps the file: it has all that could be read. */
int cli_sink_close(struct cli_sink *sink, int code)
{
  if (!sink->path)
    return code;
  bool bad = ferror(sink->file) | fclose(sink->file);
  if (code <= CLI_NO && (bad || rename(sink->draft, sink->path) < 0))
    code = cli_fail(CLI_STORE, "%s cannot be written: %s", sink->path, strerror(errno));
  if (code > CLI_NO)
    unlink(sink->draft);
  free(sink->draft);
  return code;
}
