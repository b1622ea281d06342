/* SPDX-License-Identifier: MIT */
/* Opening a tape for a command, and going over it. */
#include "cli/output/output.h"
#include "cli/tape/tape.h"
#include "config/words.h"

#include <inttypes.h>
#include <stdlib.h>

/* The option wins over the variable, as everywhere. What a configuration file says is put into the
 * environment, where it lives as long as the command. */
const char *cli_tape_key(const struct cli_options *options)
{
  struct idem_config config;
  if (options->tape_key_file || options->sole_key_file)
    return options->tape_key_file ? options->tape_key_file : options->sole_key_file;
  if (idem_config_load_store(&config, getenv, NULL) == 0) {
    if (config.tape_key_file)
      setenv("IDEMSHIM_TAPE_KEY_FILE", config.tape_key_file, 1);
    idem_config_release(&config);
  }
  const char *variable = getenv("IDEMSHIM_TAPE_KEY_FILE");
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
    cli_warn("%s: %" PRIu64 " torn and %" PRIu64 " damaged %s left out; idemshim tape verify names %s", dir,
             totals.torn, totals.damaged, idem_word(totals.torn + totals.damaged, "record is", "records are"),
             idem_word(totals.torn + totals.damaged, "it", "them"));
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
