/* SPDX-License-Identifier: MIT */
#include "cli/output/json.h"
#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/progress.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"

#include <string.h>

static void found(void *arg, const char *what)
{
  json_t *list = arg;
  struct idem_span text = {what, strlen(what)};
  if (list) {
    json_array_append_new(list, cli_json_text(text));
    return;
  }
  cli_progress_end();
  fputs(cli_style(CLI_RED), stdout);
  cli_put_line(stdout, text.data, text.len, CLI_UNCUT);
  puts(cli_style(CLI_PLAIN));
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
  char name[] = "tape verify, bytes";
  (void)arg;
  cli_progress(name, done, total);
}

static int print_document(const struct tape_totals *totals, json_t *findings)
{
  return cli_print_json(json_pack(
      "{s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "exchanges", (json_int_t)totals->exchanges, "segments",
      (json_int_t)totals->segments, "bytes", (json_int_t)totals->bytes, "torn", (json_int_t)totals->torn,
      "damaged", (json_int_t)totals->damaged, "encrypted", totals->encrypted, "findings", findings));
}

static void print_text(const struct tape_totals *totals)
{
  char exchanges[CLI_UNIT_SIZE], segments[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], torn[CLI_UNIT_SIZE],
      damaged[CLI_UNIT_SIZE];
  printf("%s exchange%s in %s segment%s (%s%s) read; %s torn, %s damaged\n",
         cli_count(exchanges, totals->exchanges), totals->exchanges == 1 ? "" : "s",
         cli_count(segments, totals->segments), totals->segments == 1 ? "" : "s",
         cli_bytes(bytes, totals->bytes), totals->encrypted ? ", encrypted" : "",
         cli_count(torn, totals->torn), cli_count(damaged, totals->damaged));
  if (totals->torn)
    puts("a torn record was being written when its process died; what was complete is there");
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc;
  json_t *findings = options->json ? json_array() : NULL;
  struct idem_error error = {""};
  struct tape_totals totals;
  struct tape_source source = {
      .dir = argv[0], .key_file = cli_tape_key(options), .found = found, .arg = findings};
  int result = tape_verify(&source, &totals, progress, &error);
  cli_progress_end();
  if (result < 0) {
    json_decref(findings);
    return cli_fail(CLI_USAGE, "%s", error.text);
  }
  int code = findings ? print_document(&totals, findings) : CLI_OK;
  if (!findings)
    print_text(&totals);
  return code == CLI_OK && totals.torn + totals.damaged ? CLI_NO : code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_JSON,
    CLI_OPTION_KEY,
    CLI_OPTION_END,
};

const struct cli_command cli_tape_verify = {
    .name = "tape verify",
    .operands = "DIR",
    .summary = "read every exchange and check it",
    .details = "Exits 1 if something is torn or damaged, 2 if there is no tape that can be read.",
    .options = options_table,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
