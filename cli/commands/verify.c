/* SPDX-License-Identifier: MIT */
/* `verify` and `tape verify`: everything is read and checked, and what is wrong is told as it is found. */
#include "cli/command/command.h"
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"
#include "config/words.h"

#include <string.h>

/* What is gone over, for the progress, and for JSON the list in which findings are collected. */
struct search {
  char what[24];
  json_t *findings;
};

/* As text, a finding goes out at once. */
static void found(void *arg, const char *what)
{
  struct search *search = arg;
  if (search->findings) {
    json_array_append_new(search->findings, cli_json_string(what));
    return;
  }
  cli_progress_end();
  fputs(cli_style(CLI_RED), stdout);
  cli_put_line(stdout, what, strlen(what), CLI_UNCUT);
  puts(cli_style(CLI_PLAIN));
}

/* The store and the tape have one argument for progress and findings. */
static void progress(void *arg, uint64_t done, uint64_t total)
{
  struct search *search = arg;
  cli_progress(search->what, done, total);
}

/* The store. */

/* One line, and what a damaged answer means. */
static void print_store(const struct idem_verify *verify)
{
  char answers[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], damaged[CLI_UNIT_SIZE], strays[CLI_UNIT_SIZE];
  printf("%s %s (%s) read; %s damaged, %s stray %s\n", cli_count(answers, verify->answers),
         idem_word(verify->answers, "answer", "answers"), cli_bytes(bytes, verify->bytes),
         cli_count(damaged, verify->damaged), cli_count(strays, verify->strays),
         idem_word(verify->strays, "entry", "entries"));
  if (verify->damaged)
    puts("a damaged answer is never replayed: its call goes upstream again; idemshim rm ID removes it");
}

/* Exits 1 if anything is wrong; a store that cannot be read at all is 3. */
static int verify_store(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct idem_verify verify = {0};
  struct idem_error error = {""};
  /* In JSON, findings are known when all was read, so they are kept until then. */
  struct search search = {"verify", options->json ? json_array() : NULL};
  int code = CLI_OK;
  (void)operands;
  int result = idem_store_verify(store, &verify, found, progress, &search, &error);
  cli_progress_end();
  if (result < 0) {
    json_decref(search.findings);
    return cli_fail(CLI_STORE, "%s", error.text);
  }
  if (search.findings)
    code = cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:o}", "answers", (json_int_t)verify.answers,
                                    "bytes", (json_int_t)verify.bytes, "damaged", (json_int_t)verify.damaged,
                                    "strays", (json_int_t)verify.strays, "findings", search.findings));
  else
    print_store(&verify);
  /* A stray harms no call, but nothing else tells of it. */
  return code == CLI_OK && (verify.damaged || verify.strays) ? CLI_NO : code;
}

const struct cli_command cli_command_verify = {
    .name = "verify",
    .operands = "",
    .summary = "read every answer and check it; exits 1 if something is damaged",
    .options = CLI_OPTIONS(CLI_OPTION_JSON, CLI_OPTION_STORE),
    .only_reads = true,
    .on_store = verify_store,
};

/* A tape. It is not opened for us: one that cannot be opened in full is what this is for. */

/* Torn and damaged are told apart: the first is a process that was killed, the second a disk. */
static void print_totals(const struct tape_totals *totals)
{
  char exchanges[CLI_UNIT_SIZE], segments[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], torn[CLI_UNIT_SIZE],
      damaged[CLI_UNIT_SIZE];
  printf("%s %s in %s %s (%s%s) read; %s torn, %s damaged\n", cli_count(exchanges, totals->exchanges),
         idem_word(totals->exchanges, "exchange", "exchanges"), cli_count(segments, totals->segments),
         idem_word(totals->segments, "segment", "segments"), cli_bytes(bytes, totals->bytes),
         totals->encrypted ? ", encrypted" : "", cli_count(torn, totals->torn),
         cli_count(damaged, totals->damaged));
  /* It is no damage, but the exit code says that something is not there. */
  if (totals->torn)
    puts("a torn record was being written when its process died; what was complete is there");
}

/* Reads contents too, which opening a tape does not. */
static int verify_tape(const struct cli_options *options, int argc, char **argv)
{
  struct search search = {"tape verify, bytes",
                          options->json ? json_array() : NULL}; /* nobody knows how many records */
  struct idem_error error = {""};
  struct tape_totals totals;
  struct tape_source source = {
      .dir = argv[0], .key_file = cli_tape_key(options), .found = found, .arg = &search};
  int code = CLI_OK;
  (void)argc;
  int result = tape_verify(&source, &totals, progress, &error);
  cli_progress_end();
  if (result < 0) {
    json_decref(search.findings);
    return cli_fail(CLI_USAGE, "%s", error.text);
  }
  if (search.findings)
    code = cli_print_json(json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "exchanges", (json_int_t)totals.exchanges, "segments",
        (json_int_t)totals.segments, "bytes", (json_int_t)totals.bytes, "torn", (json_int_t)totals.torn,
        "damaged", (json_int_t)totals.damaged, "encrypted", totals.encrypted, "findings", search.findings));
  else
    print_totals(&totals);
  return code == CLI_OK && totals.torn + totals.damaged ? CLI_NO : code;
}

const struct cli_command cli_tape_verify = {
    .name = "tape verify",
    .operands = "DIR",
    .summary = "read every exchange and check it",
    .details = "Exits 1 if something is torn or damaged, 2 if there is no tape that can be read.",
    .options = CLI_OPTIONS(CLI_OPTION_JSON, CLI_OPTION_KEY),
    .min_operands = 1,
    .max_operands = 1,
    .run = verify_tape,
};
