/* SPDX-License-Identifier: MIT */
/*
 * `show` and `tape show`: one exchange, as a page for people, as JSON, or one of its parts byte for byte. The
 * facts of an answer and of a record differ; everything else is the same code over the same view
 * (cli/view/exchange.h).
 */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/tape/tape.h"
#include "cli/view/curl_names.h"
#include "cli/view/exchange.h"
#include "cli/view/headers.h"
#include "cli/view/prompt.h"
#include "config/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Facts that both have. */

/* What was called, and what was asked. */
static void call_facts(const struct idem_answer *view)
{
  cli_fact_take("call", cli_call_text(view, CLI_CALL_WHOLE));
  cli_fact_take("prompt", cli_prompt(view->request_body));
}

/* Prints nothing where the answer does not tell. */
static void tokens_fact(const struct idem_usage *usage)
{
  struct cli_tokens tokens = cli_tokens(usage, "?");
  if (usage->input >= 0 || usage->output >= 0)
    cli_fact("tokens", "%s in, %s out", tokens.input, tokens.output);
}

/* Parts of a page. */

/* A heading, with an empty line before it. */
static void title(const char *text)
{
  printf("\n%s%s%s\n", cli_style(CLI_BOLD), text, cli_style(CLI_PLAIN));
}

/* Prints nothing for a block that is empty. */
static void headers_part(const char *text, struct idem_span headers, bool raw)
{
  if (!headers.len)
    return;
  title(text);
  cli_put_headers(stdout, headers, "  ", (struct cli_header_style){.raw = raw});
}

/* A long body is cut, since a page is for reading. */
static void body_part(const char *text, struct idem_span body)
{
  enum { SHOWN = 4096 };
  if (!body.len)
    return;
  title(text);
  /* The cut may be in the middle of a character, which is then shown as bytes. */
  cli_put_block(stdout, body.data, body.len < SHOWN ? body.len : SHOWN);
  if (body.len > SHOWN)
    printf("%s... and %zu %s more; --body and --request have all of it%s", cli_style(CLI_DIM),
           body.len - SHOWN, idem_word(body.len - SHOWN, "byte", "bytes"), cli_style(CLI_PLAIN));
  putchar('\n');
}

/* The page of an answer. */

/* Tells the time both as a date and as a span from now. */
static void expiry_fact(const struct idem_answer *answer, int64_t now_us)
{
  char when[CLI_UNIT_SIZE], span[CLI_UNIT_SIZE];
  int64_t left_us = answer->expires_us - now_us;
  if (answer->expires_us == INT64_MAX)
    cli_fact("expires", "never");
  else if (left_us > 0)
    cli_fact("expires", "%s (in %s)", cli_time(when, answer->expires_us),
             cli_duration(span, (uint64_t)left_us / 1000));
  else
    cli_fact("expired", "%s (%s ago)", cli_time(when, answer->expires_us),
             cli_duration(span, (uint64_t)-left_us / 1000));
}

/* Everything but the bodies, which --body and --request give. */
static void print_answer(const struct idem_answer *answer, bool raw)
{
  char a[CLI_UNIT_SIZE], b[CLI_UNIT_SIZE], hex[2 * IDEM_KEY_SIZE + 1];
  cli_fact("id", "%s", answer->id);
  call_facts(answer);
  cli_fact("status", "%u", answer->status);
  cli_fact("answer", "%s, %s in %s %s%s", cli_answer_kind(answer), cli_bytes(a, answer->body.len),
           cli_count(b, answer->chunk_count), idem_word(answer->chunk_count, "piece", "pieces"),
           answer->delivered ? "" : "; the app of the live call did not get all of it");
  tokens_fact(&answer->usage);
  cli_fact("called", "%s, took %s", cli_time(a, answer->started_us), cli_duration(b, answer->duration_ms));
  cli_fact("stored", "%s (%s)", cli_time(a, answer->stored_us), cli_ago(b, answer->stored_us));
  expiry_fact(answer, cli_now_us());
  cli_fact("key", "%s (made of %s%s)", cli_hex(hex, answer->key, IDEM_KEY_SIZE), cli_answer_key_kind(answer),
           answer->is_old ? " by idemshim 0.1: never looked up" : "");
  cli_fact("fingerprint", "%s", cli_hex(hex, answer->fingerprint, IDEM_KEY_SIZE));
  cli_fact("tenant", "%s", cli_hex(hex, answer->tenant, IDEM_KEY_SIZE));
  if (answer->scope.len)
    cli_fact("scope", "%.*s", (int)answer->scope.len, answer->scope.data);
  if (answer->sequence)
    cli_fact("sequence", "%" PRIu32 " identical %s came before it", answer->sequence,
             idem_word(answer->sequence, "call", "calls"));
  cli_fact("request body", "%s%s", cli_bytes(a, answer->request_body_len),
           answer->request_body.len < answer->request_body_len ? " (only its beginning is kept)" : "");
  headers_part("request headers that count", answer->request_headers, raw);
  headers_part("response headers", answer->headers, raw);
}

/* The page of a record. */

/* How it ended, how much came, and when. */
static void outcome_facts(const struct tape_record *record)
{
  const struct tape_outcome *outcome = &record->outcome;
  char a[CLI_UNIT_SIZE], b[CLI_UNIT_SIZE];
  if (outcome->curl_code)
    cli_fact_bad("error", "%s (%" PRIu32 "): %.*s", cli_curl_error(outcome->curl_code), outcome->curl_code,
                 (int)outcome->error_text.len, outcome->error_text.data);
  if (outcome->status)
    cli_fact("status", "%u", outcome->status);
  if (outcome->no_answer)
    cli_fact_bad("no answer", "%.*s", (int)outcome->error_text.len, outcome->error_text.data);
  cli_fact("answer", "%s in %s %s%s%s", cli_bytes(a, outcome->body_len), cli_count(b, outcome->chunk_count),
           idem_word(outcome->chunk_count, "piece", "pieces"),
           outcome->body.len < outcome->body_len ? "; only its beginning is on the tape" : "",
           outcome->delivered ? "" : "; the app did not get all of it");
  cli_fact("started", "%s", cli_timestamp(a, record->call.started_us));
  if (outcome->first_byte_us < 0)
    cli_fact("took", "%s, without a byte", cli_duration(a, record->call.duration_us / 1000));
  else
    cli_fact("took", "%s, the first byte after %s", cli_duration(a, record->call.duration_us / 1000),
             cli_duration(b, (uint64_t)outcome->first_byte_us / 1000));
}

/* Facts have libcurl's names and libcurl's order. */
static void info_part(const struct tape_outcome *outcome)
{
  int64_t number;
  struct idem_span text;
  if (!outcome->facts.len)
    return;
  title("what curl_easy_getinfo() told");
  for (unsigned i = 0; i < CLI_INFOS; i++) {
    const char *name = cli_curl_info(i);
    bool is_text = cli_curl_info_is_text(i);
    if (name && !is_text && tape_fact_number(outcome, i, &number)) {
      const char *meaning = cli_curl_info_value(i, number);
      printf(*meaning ? "  %-24s %" PRId64 "  %s\n" : "  %-24s %" PRId64 "\n", name, number, meaning);
    } else if (name && is_text && tape_fact_text(outcome, i, &text)) {
      printf("  %-24s ", name);
      cli_put_line(stdout, text.data, text.len, CLI_UNCUT);
      putchar('\n');
    }
  }
}

/* What is secret never reached the tape, so headers are printed with what they have. */
static void print_record(const struct tape_record *record, const struct idem_answer *view)
{
  char hex[2 * IDEM_KEY_SIZE + 1];
  struct idem_usage usage = cli_record_usage(record);
  cli_fact("exchange", "%" PRIu64 ", %s, process %" PRIu32 " (pid %" PRIu32 "), thread %" PRIu32,
           record->number, tape_what_name(record->call.what), record->process, record->call.pid,
           record->call.lane);
  call_facts(view);
  outcome_facts(record);
  tokens_fact(&usage);
  if (*record->call.id)
    cli_fact("operation", "%s", record->call.id);
  cli_fact("key", "%s", cli_hex(hex, record->call.key, IDEM_KEY_SIZE));
  cli_fact("fingerprint", "%s", cli_hex(hex, record->call.fingerprint, IDEM_KEY_SIZE));
  headers_part("request headers", record->request_headers, true);
  body_part("request body", record->request_body);
  headers_part("response headers", record->outcome.headers, true);
  body_part("response body", record->outcome.body);
  info_part(&record->outcome);
}

/* One of the forms. */

/* Stored bytes go out as they are, unless a terminal would have to read them. */
static void put_bytes(struct idem_span bytes, bool raw)
{
  if (raw || !cli_on_terminal())
    fwrite(bytes.data, 1, bytes.len, stdout);
  else
    cli_put_block(stdout, bytes.data, bytes.len);
}

/* `record` is NULL for an answer of the store, which is then the view itself. */
static int show(const struct cli_options *options, const struct idem_answer *view,
                const struct tape_record *record)
{
  bool raw = options->raw;
  if (options->json)
    return cli_print_json(record ? cli_record_json_whole(record) : cli_answer_json_whole(view, raw));
  if (options->body) {
    put_bytes(view->body, raw);
  } else if (options->headers) {
    /* A tape has its cookies redacted already, so there is nothing to hide of it. */
    struct cli_header_style style = {.raw = record || raw, .exact = raw || !cli_on_terminal()};
    cli_put_headers(stdout, view->headers, "", style);
  } else if (options->request) {
    put_bytes(view->request_body, raw);
    /* On standard error, so that the body is what it is. */
    if (!record && view->request_body.len < view->request_body_len)
      cli_warn("only the first %zu of %" PRIu64 " %s kept", view->request_body.len, view->request_body_len,
               idem_word(view->request_body_len, "byte was", "bytes were"));
  } else if (record) {
    print_record(record, view);
  } else {
    print_answer(view, raw);
  }
  return CLI_OK;
}

/* The store calls this with the answer that the id names. */
static int visit(void *arg, const struct idem_answer *answer)
{
  return show(arg, answer, NULL);
}

/* The options are passed through the store's void pointer, so they are copied out of const. */
static int show_answer(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct idem_error error = {""};
  struct cli_options copy = *options;
  int result = idem_store_show(store, operands[0], visit, &copy, &error);
  return result < 0 ? cli_not_found(result, &error) : result;
}

/* Numbers are those of `tape ls`. */
static int show_record(const struct cli_options *options, const struct tape *tape, char **operands)
{
  char *end;
  const char *word = operands[1];
  struct idem_error error = {""};
  struct tape_record record = {0};
  errno = 0;
  uint64_t number = strtoull(word, &end, 10);
  if (errno || *end || end == word || *word == '-')
    return cli_fail(CLI_USAGE, "expected the number of an exchange, as idemshim tape ls has it, not \"%s\"",
                    word);
  int result = tape_read(tape, number, &record, &error);
  struct idem_answer view = cli_record_view(&record);
  int code = result < 0 ? cli_fail(CLI_NO, "%s", error.text) : show(options, &view, &record);
  tape_record_release(&record);
  return code;
}

const struct cli_command cli_command_show = {
    .name = "show",
    .operands = "ID",
    .summary = "everything that is known of one answer",
    .details =
        "ID is what the X-Idemshim-Id header says, or its beginning.\n"
        "On a terminal, control characters are printed as escapes; to a file or a pipe, --body, --headers\n"
        "and --request are exact. Cookies are [redacted] unless --raw.",
    .options = CLI_OPTIONS(
        CLI_OPTION("body", NULL, CLI_FLAG, body, "the answer's body, byte for byte"),
        CLI_OPTION("headers", NULL, CLI_FLAG, headers, "the response headers"),
        CLI_OPTION("request", NULL, CLI_FLAG, request, "the request's body"),
        CLI_OPTION("raw", NULL, CLI_FLAG, raw, "show cookies, and do not escape what a terminal could obey"),
        CLI_OPTION_JSON, CLI_OPTION_OUTPUT, CLI_OPTION_STORE),
    .min_operands = 1,
    .max_operands = 1,
    .only_reads = true,
    .on_store = show_answer,
};

const struct cli_command cli_tape_show = {
    .name = "tape show",
    .operands = "DIR N",
    .summary = "everything that is known of exchange N",
    .options = CLI_OPTIONS(
        CLI_OPTION("body", NULL, CLI_FLAG, body, "the body of the answer, as far as it came, byte for byte"),
        CLI_OPTION("headers", NULL, CLI_FLAG, headers, "the response headers, every block of them"),
        CLI_OPTION("request", NULL, CLI_FLAG, request, "the request's body"),
        CLI_OPTION("raw", NULL, CLI_FLAG, raw, "do not escape what a terminal could obey"), CLI_OPTION_JSON,
        CLI_OPTION_OUTPUT, CLI_OPTION_KEY),
    .min_operands = 2,
    .max_operands = 2,
    .on_tape = show_record,
};
