/* SPDX-License-Identifier: MIT */
#include "cli/output/json.h"
#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"
#include "cli/view/exchange_json.h"
#include "cli/view/headers.h"
#include "cli/view/prompt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Facts. */

static void call_fact(const struct tape_record *record)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return;
  cli_tape_put_url(out, record);
  if (fclose(out) == 0)
    cli_fact("call", "%.*s %s", (int)record->method.len, record->method.data, text);
  free(text);
}

static void prompt_fact(const struct tape_record *record)
{
  char *prompt = cli_prompt(record->request_body);
  if (prompt && *prompt)
    cli_fact("prompt", "%s", prompt);
  free(prompt);
}

static void outcome_facts(const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  char size[CLI_UNIT_SIZE], count[CLI_UNIT_SIZE];
  if (outcome->curl_code)
    cli_fact("error", "%s (%" PRIu32 "): %.*s", cli_curl_error(outcome->curl_code), outcome->curl_code,
             (int)outcome->error_text.len, outcome->error_text.data);
  if (outcome->status)
    cli_fact("status", "%u", outcome->status);
  cli_fact("answer", "%s in %s piece%s%s%s", cli_bytes(size, outcome->body_len),
           cli_count(count, outcome->chunk_count), outcome->chunk_count == 1 ? "" : "s",
           outcome->body.len < outcome->body_len ? "; only its beginning is on the tape" : "",
           outcome->delivered ? "" : "; the app did not get all of it");
}

static void time_facts(const struct tape_record *record)
{
  char when[CLI_UNIT_SIZE], wait[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE];
  int64_t first_us = record->outcome.first_byte_us;
  cli_fact("started", "%s", cli_timestamp(when, record->call.started_us));
  if (first_us < 0)
    cli_fact("took", "%s, without a byte", cli_duration(took, record->call.duration_us / 1000));
  else
    cli_fact("took", "%s, the first byte after %s", cli_duration(took, record->call.duration_us / 1000),
             cli_duration(wait, (uint64_t)first_us / 1000));
}

static void tokens_fact(const struct tape_record *record)
{
  struct idem_usage usage = cli_tape_usage(record);
  char input[CLI_UNIT_SIZE] = "?", output[CLI_UNIT_SIZE] = "?";
  if (usage.input < 0 && usage.output < 0)
    return;
  if (usage.input >= 0)
    cli_count(input, (uint64_t)usage.input);
  if (usage.output >= 0)
    cli_count(output, (uint64_t)usage.output);
  cli_fact("tokens", "%s in, %s out", input, output);
}

static void name_facts(const struct tape_record *record)
{
  char hex[2 * IDEM_KEY_SIZE + 1];
  if (*record->call.id)
    cli_fact("operation", "%s", record->call.id);
  cli_fact("key", "%s", cli_hex(hex, record->call.key, IDEM_KEY_SIZE));
  cli_fact("fingerprint", "%s", cli_hex(hex, record->call.fingerprint, IDEM_KEY_SIZE));
}

/* Pages. What is secret never reached the tape, so headers are printed with what they have. */

static void title(const char *text)
{
  printf("\n%s%s%s\n", cli_style(CLI_BOLD), text, cli_style(CLI_PLAIN));
}

static void headers_part(const char *text, struct idem_span headers)
{
  if (!headers.len)
    return;
  title(text);
  cli_put_headers(stdout, headers, "  ", (struct cli_header_style){.raw = true});
}

static void body_part(const char *text, struct idem_span body)
{
  enum { SHOWN = 4096 };
  if (!body.len)
    return;
  title(text);
  cli_put_block(stdout, body.data, body.len < SHOWN ? body.len : SHOWN);
  if (body.len > SHOWN)
    printf("%s... and %zu bytes more; --body and --request have all of it%s", cli_style(CLI_DIM),
           body.len - SHOWN, cli_style(CLI_PLAIN));
  putchar('\n');
}

static void info_part(const struct tape_outcome *outcome)
{
  int64_t number;
  struct idem_span text;
  if (!outcome->facts.len)
    return;
  title("what curl_easy_getinfo() told");
  for (unsigned i = 0; i < CLI_INFOS; i++) {
    if (!cli_curl_info(i))
      continue;
    if (tape_fact_number(outcome, i, &number)) {
      printf("  %-24s %" PRId64 "\n", cli_curl_info(i), number);
    } else if (tape_fact_text(outcome, i, &text)) {
      printf("  %-24s ", cli_curl_info(i));
      cli_put_line(stdout, text.data, text.len, CLI_UNCUT);
      putchar('\n');
    }
  }
}

static int print_page(const struct tape_record *record, const struct cli_options *options)
{
  (void)options;
  cli_fact("exchange", "%" PRIu64 ", %s, process %" PRIu32 " (pid %" PRIu32 "), thread %" PRIu32,
           record->number, tape_what_name(record->call.what), record->process, record->call.pid,
           record->call.lane);
  call_fact(record);
  prompt_fact(record);
  outcome_facts(record);
  time_facts(record);
  tokens_fact(record);
  name_facts(record);
  headers_part("request headers", record->request_headers);
  body_part("request body", record->request_body);
  headers_part("response headers", record->outcome.headers);
  body_part("response body", record->outcome.body);
  info_part(&record->outcome);
  return CLI_OK;
}

static void put_bytes(struct idem_span bytes, bool raw)
{
  if (raw || !cli_on_terminal())
    fwrite(bytes.data, 1, bytes.len, stdout);
  else
    cli_put_block(stdout, bytes.data, bytes.len);
}

static int print_body(const struct tape_record *record, const struct cli_options *options)
{
  put_bytes(record->outcome.body, options->raw);
  return CLI_OK;
}

static int print_request(const struct tape_record *record, const struct cli_options *options)
{
  put_bytes(record->request_body, options->raw);
  return CLI_OK;
}

static int print_headers(const struct tape_record *record, const struct cli_options *options)
{
  struct cli_header_style style = {.raw = true, .exact = options->raw || !cli_on_terminal()};
  cli_put_headers(stdout, record->outcome.headers, "", style);
  return CLI_OK;
}

static int print_document(const struct tape_record *record, const struct cli_options *options)
{
  json_t *document = cli_tape_json(record);
  (void)options;
  if (document)
    cli_tape_json_content(document, record);
  return cli_print_json(document);
}

static int print(const struct tape_record *record, const struct cli_options *options)
{
  const struct {
    bool wanted;
    int (*print)(const struct tape_record *, const struct cli_options *);
  } forms[] = {
      {options->json, print_document},
      {options->body, print_body},
      {options->headers, print_headers},
      {options->request, print_request},
  };
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
    if (forms[i].wanted)
      return forms[i].print(record, options);
  return print_page(record, options);
}

static int show(const struct cli_options *options, const struct tape *tape, const char *word)
{
  char *end;
  struct idem_error error = {""};
  struct tape_record record = {0};
  errno = 0;
  uint64_t number = strtoull(word, &end, 10);
  if (errno || *end || end == word || *word == '-')
    return cli_fail(CLI_USAGE, "expected the number of an exchange, as idemshim tape ls has it, not \"%s\"",
                    word);
  int code = tape_read(tape, number, &record, &error) < 0 ? cli_fail(CLI_NO, "%s", error.text)
                                                          : print(&record, options);
  tape_record_release(&record);
  return code;
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  struct tape *tape;
  (void)argc;
  if (options->json + options->body + options->headers + options->request > 1)
    return cli_fail(CLI_USAGE, "--json, --body, --headers and --request exclude each other; give one");
  int code = cli_tape_open(options, argv[0], &tape);
  if (code != CLI_OK)
    return code;
  code = show(options, tape, argv[1]);
  tape_close(tape);
  return code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION("body", NULL, CLI_FLAG, body, "the body of the answer, as far as it came, byte for byte"),
    CLI_OPTION("headers", NULL, CLI_FLAG, headers, "the response headers, every block of them"),
    CLI_OPTION("request", NULL, CLI_FLAG, request, "the request's body"),
    CLI_OPTION("raw", NULL, CLI_FLAG, raw, "do not escape what a terminal could obey"),
    CLI_OPTION_JSON,
    CLI_OPTION_KEY,
    CLI_OPTION_END,
};

const struct cli_command cli_tape_show = {
    .name = "tape show",
    .operands = "DIR N",
    .summary = "everything that is known of exchange N",
    .options = options_table,
    .min_operands = 2,
    .max_operands = 2,
    .run = run,
};
