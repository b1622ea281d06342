/* SPDX-License-Identifier: MIT */
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/find_store.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/text.h"
#include "cli/units.h"

#include <stdlib.h>
#include <string.h>

/* With --limit the newest lines are kept until the end; else each is printed at once. */
struct listing {
  const struct cli_options *options;
  int64_t now_us;
  size_t columns;
  char **kept; /* a ring of `limit` lines */
  uint64_t seen, printed;
};

static void put_tokens(FILE *out, const struct idem_usage *usage)
{
  char text[CLI_UNIT_SIZE] = "-", a[CLI_UNIT_SIZE] = "-", b[CLI_UNIT_SIZE] = "-";
  if (usage->input >= 0)
    cli_count(a, (uint64_t)usage->input);
  if (usage->output >= 0)
    cli_count(b, (uint64_t)usage->output);
  if (usage->input >= 0 || usage->output >= 0)
    snprintf(text, sizeof(text), "%.16s+%.16s", a, b);
  fprintf(out, "%11s  ", text);
}

/* The columns before the call; they are as wide as put_heading() says. */
static void put_facts(FILE *out, const struct idem_answer *answer, int64_t now_us)
{
  char age[CLI_UNIT_SIZE], size[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE];
  int64_t old_us = now_us > answer->stored_us ? now_us - answer->stored_us : 0;
  bool expired = cli_answer_expired(answer, now_us);
  fprintf(out, "%s%-16s  %4s%s  %6u  %-6s  %9s  %7s  ", expired ? cli_style(CLI_DIM) : "", answer->id,
          cli_age(age, (uint64_t)old_us), expired ? "!" : " ", answer->status, cli_answer_kind(answer),
          cli_bytes(size, answer->body.len), cli_duration(took, answer->duration_ms));
  put_tokens(out, &answer->usage);
}

enum { FACTS_WIDTH = 16 + 2 + 5 + 2 + 6 + 2 + 6 + 2 + 9 + 2 + 7 + 2 + 11 + 2 };

static void put_heading(void)
{
  printf("%s%-16s  %4s   %6s  %-6s  %9s  %7s  %11s  %s%s\n", cli_style(CLI_BOLD), "ID", "AGE", "STATUS",
         "KIND", "SIZE", "TOOK", "TOKENS", "CALL AND PROMPT", cli_style(CLI_PLAIN));
}

/* The call and the prompt's first words, in what is left of the line. */
static void put_call(FILE *out, const struct idem_answer *answer, size_t columns)
{
  char *text = NULL, *prompt = cli_prompt(answer->request_body);
  size_t size = 0;
  FILE *line = open_memstream(&text, &size);
  if (line) {
    cli_answer_put_call(line, answer);
    if (prompt && *prompt)
      fprintf(line, "  \"%s\"", prompt);
    fclose(line);
    cli_put_line(out, text, size, columns);
  }
  free(text);
  free(prompt);
}

static void put_row(FILE *out, const struct listing *listing, const struct idem_answer *answer)
{
  size_t left = listing->columns > FACTS_WIDTH + 20 ? listing->columns - FACTS_WIDTH : 20;
  put_facts(out, answer, listing->now_us);
  put_call(out, answer, listing->columns == CLI_UNCUT ? 200 : left);
  fputs(cli_style(CLI_PLAIN), out);
}

static char *row(const struct listing *listing, const struct idem_answer *answer)
{
  char *text = NULL;
  size_t size = 0;
  if (listing->options->json) {
    json_t *document = cli_answer_json(answer, listing->now_us);
    text = json_dumps(document, cli_json_flags());
    json_decref(document);
    return text;
  }
  FILE *out = open_memstream(&text, &size);
  if (!out)
    return NULL;
  put_row(out, listing, answer);
  fclose(out);
  return text;
}

static void print_row(struct listing *listing, char *text)
{
  const char *before = !listing->options->json ? "" : listing->printed ? ",\n" : "\n";
  printf("%s%s%s", before, text, listing->options->json ? "" : "\n");
  listing->printed++;
  free(text);
}

static int visit(void *arg, const struct idem_answer *answer)
{
  struct listing *listing = arg;
  if (!listing->options->all && cli_answer_expired(answer, listing->now_us))
    return 0;
  char *text = row(listing, answer);
  if (!text)
    return cli_fail(CLI_STORE, "out of memory; try --limit");
  if (!listing->kept) {
    print_row(listing, text);
    return 0;
  }
  char **place = &listing->kept[listing->seen++ % listing->options->limit];
  free(*place);
  *place = text;
  return 0;
}

static void print_kept(struct listing *listing)
{
  uint64_t limit = listing->options->limit, first = listing->seen > limit ? listing->seen - limit : 0;
  for (uint64_t i = first; listing->kept && i < listing->seen; i++)
    print_row(listing, listing->kept[i % limit]);
  free(listing->kept);
}

static int list(struct idem_store *store, struct listing *listing)
{
  struct idem_error error = {""};
  bool json = listing->options->json;
  if (json)
    putchar('[');
  else
    put_heading();
  int result = idem_store_each(store, visit, listing, &error);
  print_kept(listing);
  if (json)
    fputs(listing->printed ? "\n]\n" : "]\n", stdout);
  return result < 0 ? cli_fail(CLI_STORE, "%s", error.text) : result;
}

static int run(const struct cli_options *options, int argc, char **argv)
{
  (void)argc, (void)argv;
  struct listing listing = {.options = options, .now_us = cli_now_us(), .columns = cli_columns()};
  struct idem_store *store;
  int code = cli_find_store(options, &store);
  if (code != CLI_OK)
    return code;
  if (options->limit)
    listing.kept = calloc(options->limit, sizeof(*listing.kept));
  code = options->limit && !listing.kept ? cli_fail(CLI_STORE, "out of memory; try a smaller --limit")
                                         : list(store, &listing);
  idem_store_close(store);
  return code;
}

static const struct cli_option options_table[] = {
    {"all",   NULL, "expired answers too, marked with \"!\"", CLI_FLAG,  offsetof(struct cli_options, all)  },
    {"limit", "N",  "only the newest N",                      CLI_COUNT, offsetof(struct cli_options, limit)},
    CLI_OPTION_JSON,
    CLI_OPTION_STORE,
    CLI_OPTION_END,
};

const struct cli_command cli_command_ls = {
    .name = "ls",
    .operands = "",
    .summary = "list the answers in the store, the newest last",
    .options = options_table,
    .run = run,
};
