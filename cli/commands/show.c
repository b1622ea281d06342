/* SPDX-License-Identifier: MIT */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "cli/view/headers.h"
#include "cli/view/prompt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void call_fact(const struct idem_answer *answer)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return;
  cli_answer_put_call(out, answer);
  if (fclose(out) == 0)
    cli_fact("call", "%s", text);
  free(text);
}

static void prompt_fact(const struct idem_answer *answer)
{
  char *prompt = cli_prompt(answer->request_body);
  if (prompt && *prompt)
    cli_fact("prompt", "%s", prompt);
  free(prompt);
}

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

static void time_facts(const struct idem_answer *answer, int64_t now_us)
{
  char when[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE], ago[CLI_UNIT_SIZE];
  cli_fact("called", "%s, took %s", cli_time(when, answer->started_us),
           cli_duration(took, answer->duration_ms));
  cli_fact("stored", "%s (%s)", cli_time(when, answer->stored_us), cli_ago(ago, answer->stored_us));
  expiry_fact(answer, now_us);
}

static void tokens_fact(const struct idem_usage *usage)
{
  char input[CLI_UNIT_SIZE] = "?", output[CLI_UNIT_SIZE] = "?";
  if (usage->input < 0 && usage->output < 0)
    return;
  if (usage->input >= 0)
    cli_count(input, (uint64_t)usage->input);
  if (usage->output >= 0)
    cli_count(output, (uint64_t)usage->output);
  cli_fact("tokens", "%s in, %s out", input, output);
}

static void key_facts(const struct idem_answer *answer)
{
  char hex[2 * IDEM_KEY_SIZE + 1];
  cli_fact("key", "%s (made of %s)", cli_hex(hex, answer->key, IDEM_KEY_SIZE), cli_answer_key_kind(answer));
  cli_fact("fingerprint", "%s", cli_hex(hex, answer->fingerprint, IDEM_KEY_SIZE));
  cli_fact("tenant", "%s", cli_hex(hex, answer->tenant, IDEM_KEY_SIZE));
  if (answer->scope.len)
    cli_fact("scope", "%.*s", (int)answer->scope.len, answer->scope.data);
  if (answer->sequence)
    cli_fact("sequence", "%" PRIu32 " identical calls came before it", answer->sequence);
}

static void answer_facts(const struct idem_answer *answer)
{
  char size[CLI_UNIT_SIZE], chunks[CLI_UNIT_SIZE];
  cli_fact("status", "%u", answer->status);
  cli_fact("answer", "%s, %s in %s piece%s%s", cli_answer_kind(answer), cli_bytes(size, answer->body.len),
           cli_count(chunks, answer->chunk_count), answer->chunk_count == 1 ? "" : "s",
           answer->delivered ? "" : "; the app of the live call did not get all of it");
  tokens_fact(&answer->usage);
}

static void headers_part(const char *title, struct idem_span headers, bool raw)
{
  if (headers.len == 0)
    return;
  printf("\n%s%s%s\n", cli_style(CLI_BOLD), title, cli_style(CLI_PLAIN));
  cli_put_headers(stdout, headers, "  ", (struct cli_header_style){.raw = raw});
}

static int print_page(const struct idem_answer *answer, const struct cli_options *options)
{
  char size[CLI_UNIT_SIZE];
  int64_t now_us = cli_now_us();
  cli_fact("id", "%s", answer->id);
  call_fact(answer);
  prompt_fact(answer);
  answer_facts(answer);
  time_facts(answer, now_us);
  key_facts(answer);
  cli_fact("request body", "%s%s", cli_bytes(size, answer->request_body_len),
           answer->request_body.len < answer->request_body_len ? " (only its beginning is kept)" : "");
  headers_part("request headers that count", answer->request_headers, options->raw);
  headers_part("response headers", answer->headers, options->raw);
  return CLI_OK;
}

/* Stored bytes go out as they are, unless a terminal would have to read them. */
static void put_bytes(struct idem_span bytes, bool raw)
{
  if (raw || !cli_on_terminal())
    fwrite(bytes.data, 1, bytes.len, stdout);
  else
    cli_put_block(stdout, bytes.data, bytes.len);
}

static int print_body(const struct idem_answer *answer, const struct cli_options *options)
{
  put_bytes(answer->body, options->raw);
  return CLI_OK;
}

static int print_request(const struct idem_answer *answer, const struct cli_options *options)
{
  put_bytes(answer->request_body, options->raw);
  if (answer->request_body.len < answer->request_body_len)
    cli_warn("only the first %zu of %" PRIu64 " bytes were kept", answer->request_body.len,
             answer->request_body_len);
  return CLI_OK;
}

static int print_headers(const struct idem_answer *answer, const struct cli_options *options)
{
  struct cli_header_style style = {.raw = options->raw, .exact = options->raw || !cli_on_terminal()};
  cli_put_headers(stdout, answer->headers, "", style);
  return CLI_OK;
}

static int print_document(const struct idem_answer *answer, const struct cli_options *options)
{
  json_t *document = cli_answer_json(answer, cli_now_us());
  if (document)
    cli_answer_json_content(document, answer, options->raw);
  return cli_print_json(document);
}

static int visit(void *arg, const struct idem_answer *answer)
{
  const struct cli_options *options = arg;
  const struct {
    bool wanted;
    int (*print)(const struct idem_answer *, const struct cli_options *);
  } forms[] = {
      {options->json, print_document},
      {options->body, print_body},
      {options->headers, print_headers},
      {options->request, print_request},
  };
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
    if (forms[i].wanted)
      return forms[i].print(answer, options);
  return print_page(answer, options);
}

static int show(struct idem_store *store, const struct cli_options *options, const char *id)
{
  struct idem_error error = {""};
  struct cli_options copy = *options;
  int result = idem_store_show(store, id, visit, &copy, &error);
  return result < 0 ? cli_not_found(result, &error) : result;
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  struct idem_store *store;
  (void)argc;
  if (options->json + options->body + options->headers + options->request > 1)
    return cli_fail(CLI_USAGE, "--json, --body, --headers and --request exclude each other; give one");
  int code = cli_find_store(options, &store);
  if (code != CLI_OK)
    return code;
  code = show(store, options, argv[0]);
  idem_store_close(store);
  return code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION("body", NULL, CLI_FLAG, body, "the answer's body, byte for byte"),
    CLI_OPTION("headers", NULL, CLI_FLAG, headers, "the response headers"),
    CLI_OPTION("request", NULL, CLI_FLAG, request, "the request's body"),
    CLI_OPTION("raw", NULL, CLI_FLAG, raw, "show cookies, and do not escape what a terminal could obey"),
    CLI_OPTION_JSON,
    CLI_OPTION_STORE,
    CLI_OPTION_END,
};

const struct cli_command cli_command_show = {
    .name = "show",
    .operands = "ID",
    .summary = "everything that is known of one answer",
    .details =
        "ID is what the X-Idemshim-Id header says, or its beginning.\n"
        "On a terminal, control characters are printed as escapes; to a file or a pipe, --body, --headers\n"
        "and --request are exact. Cookies are [redacted] unless --raw.",
    .options = options_table,
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
