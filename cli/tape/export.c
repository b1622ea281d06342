/* SPDX-License-Identifier: MIT */
/* `tape export --har`: the archive is written entry by entry, so a tape of any length fits. */
#include "cli/output/output.h"
#include "cli/tape/har.h"
#include "cli/tape/tape.h"

/* Where the entries go; `begun`: a comma is needed before the next one. */
struct archive {
  FILE *out;
  bool begun;
};

/* A full disk ends it at once: half an archive helps nobody. */
static int visit(void *arg, const struct tape_record *record)
{
  struct archive *archive = arg;
  fputs(archive->begun ? ",\n" : "\n", archive->out);
  archive->begun = true;
  cli_har_entry(archive->out, record);
  return ferror(archive->out) ? CLI_STORE : CLI_OK;
}

/* HAR's frame, and every exchange in it. */
static int write_archive(const struct tape *tape, FILE *out)
{
  struct archive archive = {.out = out};
  fputs("{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"idemshim\",\"version\":\"" IDEM_VERSION
        "\"},\"pages\":[],\"entries\":[",
        out);
  int code = cli_tape_each(tape, "tape export", true, visit, &archive);
  fputs("\n]}}\n", out);
  return code;
}

/* What to export is asked for before the tape is looked at. */
static int export(const struct cli_options *options, int argc, char **argv)
{
  struct tape *tape;
  struct cli_sink sink;
  (void)argc;
  if (!options->har)
    return cli_fail(CLI_USAGE, "say what to export: --har is the one format that there is");
  int code = cli_tape_open(options, argv[0], &tape);
  if (code != CLI_OK)
    return code;
  code = cli_sink_open(options, &sink);
  if (code == CLI_OK)
    code = cli_sink_close(&sink, write_archive(tape, sink.file));
  tape_close(tape);
  return code;
}

const struct cli_command cli_tape_export = {
    .name = "tape export",
    .operands = "--har DIR",
    .summary = "write the run in a format that other tools read",
    .details = "A transfer that failed has the status 0 and libcurl's error in _error. Bodies that are not "
               "UTF-8 are in\n"
               "base64. Members that begin with _ are idemshim's own.",
    .options = CLI_OPTIONS(CLI_OPTION("har", NULL, CLI_FLAG, har, "a HTTP archive, version 1.2"),
                           CLI_OPTION_OUTPUT, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = 1,
    .run = export,
};
