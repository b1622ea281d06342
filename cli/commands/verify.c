/* SPDX-License-Identifier: MIT */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/progress.h"
#include "cli/output/text.h"
#include "cli/output/units.h"

#include <stdio.h>
#include <string.h>

/* A finding as text goes out at once; for JSON they are collected. */
struct findings {
  json_t *list; /* NULL: print */
};

static void found(void *arg, const char *what)
{
  struct findings *findings = arg;
  struct idem_span text = {what, strlen(what)};
  if (findings->list) {
    json_array_append_new(findings->list, cli_json_text(text));
    return;
  }
  cli_progress_end();
  fputs(cli_style(CLI_RED), stdout);
  cli_put_line(stdout, text.data, text.len, CLI_UNCUT);
  puts(cli_style(CLI_PLAIN));
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
  char name[] = "verify";
  (void)arg;
  cli_progress(name, done, total);
}

static int print_verify_json(const struct idem_verify *verify, json_t *findings)
{
  return cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:o}", "answers", (json_int_t)verify->answers,
                                  "bytes", (json_int_t)verify->bytes, "damaged", (json_int_t)verify->damaged,
                                  "strays", (json_int_t)verify->strays, "findings", findings));
}

static void print_text(const struct idem_verify *verify)
{
  char answers[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], damaged[CLI_UNIT_SIZE], strays[CLI_UNIT_SIZE];
  printf("%s answer%s (%s) read; %s damaged, %s stray entries\n", cli_count(answers, verify->answers),
         verify->answers == 1 ? "" : "s", cli_bytes(bytes, verify->bytes),
         cli_count(damaged, verify->damaged), cli_count(strays, verify->strays));
  if (verify->damaged)
    puts("a damaged answer is never replayed: its call goes upstream again; idemshim rm ID removes it");
}

static int verify_store(struct idem_store *store, bool json)
{
  struct idem_verify verify = {0};
  struct idem_error error = {""};
  struct findings findings = {.list = json ? json_array() : NULL};
  int result = idem_store_verify(store, &verify, found, progress, &findings, &error);
  cli_progress_end();
  if (result < 0) {
    json_decref(findings.list);
    return cli_fail(CLI_STORE, "%s", error.text);
  }
  int code = json ? print_verify_json(&verify, findings.list) : CLI_OK;
  if (!json)
    print_text(&verify);
  return code == CLI_OK && (verify.damaged || verify.strays) ? CLI_NO : code;
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc, (void)argv;
  struct idem_store *store;
  int code = cli_find_store(options, &store);
  if (code != CLI_OK)
    return code;
  code = verify_store(store, options->json);
  idem_store_close(store);
  return code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION_JSON,
    CLI_OPTION_STORE,
    CLI_OPTION_END,
};

const struct cli_command cli_command_verify = {
    .name = "verify",
    .operands = "",
    .summary = "read every answer and check it; exits 1 if something is damaged",
    .options = options_table,
    .run = run,
};
