/* SPDX-License-Identifier: MIT */
#include "cli/command/command.h"
#include "cli/launch/find_store.h"
#include "cli/output/json.h"
#include "cli/output/message.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "cli/view/table.h"

#include <stdlib.h>
#include <string.h>

/* With --limit the newest lines are kept until the end; else each is printed at once. */
struct listing {
  const struct cli_options *options;
  int64_t now_us;
  size_t columns;
  char **kept; /* a ring of at most `limit` lines */
  uint64_t room, seen, printed;
};

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
  cli_row(out, answer, listing->now_us, listing->columns);
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

/* The place for the next line in the ring, which grows up to its limit; NULL when memory runs out. */
static char **next_place(struct listing *listing)
{
  if (listing->seen == listing->room) {
    uint64_t room = listing->room ? 2 * listing->room : 64, limit = listing->options->limit;
    char **kept = reallocarray(listing->kept, room < limit ? room : limit, sizeof(*kept));
    if (!kept)
      return NULL;
    listing->kept = kept;
    listing->room = room < limit ? room : limit;
  }
  return &listing->kept[listing->seen];
}

static int keep_row(struct listing *listing, char *text)
{
  bool full = listing->seen >= listing->options->limit;
  char **place = full ? &listing->kept[listing->seen % listing->options->limit] : next_place(listing);
  if (!place) {
    free(text);
    return cli_fail(CLI_STORE, "out of memory; try a smaller --limit");
  }
  if (full)
    free(*place);
  *place = text;
  listing->seen++;
  return 0;
}

static int visit(void *arg, const struct idem_answer *answer)
{
  struct listing *listing = arg;
  if (!listing->options->all && cli_answer_expired(answer, listing->now_us))
    return 0;
  char *text = row(listing, answer);
  if (!text)
    return cli_fail(CLI_STORE, "out of memory; try --limit");
  if (listing->options->limit)
    return keep_row(listing, text);
  print_row(listing, text);
  return 0;
}

static void print_kept(struct listing *listing)
{
  uint64_t limit = listing->options->limit, first = listing->seen > limit ? listing->seen - limit : 0;
  for (uint64_t i = first; listing->kept && i < listing->seen; i++)
    print_row(listing, listing->kept[i % limit]);
  free(listing->kept);
}

static void print_heading(size_t columns)
{
  cli_row_heading(stdout, columns);
  putchar('\n');
}

static int list(struct idem_store *store, struct listing *listing)
{
  struct idem_error error = {""};
  bool json = listing->options->json;
  if (json)
    putchar('[');
  else
    print_heading(listing->columns);
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
  code = list(store, &listing);
  idem_store_close(store);
  return code;
}

static const struct cli_option options_table[] = {
    CLI_OPTION("all", NULL, CLI_FLAG, all, "expired answers too, marked with \"!\""),
    CLI_OPTION("limit", "N", CLI_COUNT, limit, "only the newest N"),
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
