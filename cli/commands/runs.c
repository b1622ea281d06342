/* SPDX-License-Identifier: MIT */
/* `ls --runs` and `rm --run`: durable runs that are not finished. What they are stands in the
 * scopes of their answers. */
#include "cli/commands/durable.h"

#include "cli/commands/ids.h"
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "config/words.h"

#include <stdlib.h>
#include <string.h>

/* A row of ls --runs: all answers of one scope. */
struct unfinished {
  char name[CLI_RUN_NAME_MOST + 1];
  uint64_t answers, bytes;
  int64_t first_us, last_us;
};

/* Grows by doubling. It is searched from its beginning for each answer, for there are few names. */
struct listing {
  struct unfinished *run;
  size_t count, room;
};

/* Adds an answer to its run's row. The oldest comes first, so the first one that is met is the beginning.
 * Scopes that only begin alike but are longer than a name can be were made by somebody else. */
static int count_answer(void *arg, const struct idem_answer *answer)
{
  struct listing *listing = arg;
  size_t prefix = strlen(IDEM_RUN_SCOPE), len = answer->scope.len - prefix, i = 0;
  if (answer->scope.len <= prefix || memcmp(answer->scope.data, IDEM_RUN_SCOPE, prefix) != 0 ||
      len > CLI_RUN_NAME_MOST)
    return 0;
  while (i < listing->count && (strlen(listing->run[i].name) != len ||
                                memcmp(listing->run[i].name, answer->scope.data + prefix, len) != 0))
    i++;
  if (i == listing->room) {
    size_t room = listing->room ? 2 * listing->room : 16;
    void *grown = reallocarray(listing->run, room, sizeof(*listing->run));
    if (!grown)
      return cli_fail(CLI_STORE, "out of memory");
    listing->run = grown;
    listing->room = room;
  }
  struct unfinished *run = &listing->run[i];
  if (i == listing->count) {
    *run = (struct unfinished){.first_us = answer->stored_us};
    memcpy(run->name, answer->scope.data + prefix, len);
    listing->count++;
  }
  run->answers++;
  run->bytes += answer->body.len;
  run->last_us = answer->stored_us;
  return 0;
}

int cli_runs_list(const struct cli_options *options, struct idem_store *store)
{
  struct listing listing = {0};
  struct idem_error error = {""};
  char count[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], first[CLI_UNIT_SIZE], last[CLI_UNIT_SIZE];
  json_t *list = options->json ? json_array() : NULL;
  int code = idem_store_each(store, IDEM_OLDEST_FIRST, count_answer, &listing, &error);
  if (code < 0)
    code = cli_fail(CLI_STORE, "%s", error.text);
  if (code == CLI_OK && !list)
    printf("%s%-24s %9s %9s  %-8s  %-8s%s\n", cli_style(CLI_BOLD), "RUN", "ANSWERS", "SIZE", "BEGUN", "LAST",
           cli_style(CLI_PLAIN));
  for (size_t i = 0; code == CLI_OK && i < listing.count; i++) {
    const struct unfinished *run = &listing.run[i];
    if (list) {
      json_array_append_new(
          list, json_pack("{s:o, s:I, s:I, s:s, s:s}", "run", cli_json_text(cli_span(run->name)), "answers",
                          (json_int_t)run->answers, "bytes", (json_int_t)run->bytes, "first",
                          cli_timestamp(first, run->first_us), "last", cli_timestamp(last, run->last_us)));
      continue;
    }
    /* The name is whole, since it is what rm --run is given; a long one moves the columns of its row. */
    size_t used = cli_put_line(stdout, run->name, strlen(run->name), CLI_UNCUT);
    printf("%*s %9s %9s  %-8s  %-8s\n", used < 24 ? (int)(24 - used) : 0, "", cli_count(count, run->answers),
           cli_bytes(bytes, run->bytes), cli_ago(first, run->first_us), cli_ago(last, run->last_us));
  }
  free(listing.run);
  /* A list that is not whole is none. */
  return list ? (code == CLI_OK ? cli_print_json(list) : (json_decref(list), code)) : code;
}

int cli_runs_remove(struct idem_store *store, const char *name)
{
  char scope[CLI_RUN_NAME_MOST + 8], what[] = "rm", count[CLI_UNIT_SIZE];
  snprintf(scope, sizeof(scope), IDEM_RUN_SCOPE "%.*s", CLI_RUN_NAME_MOST, name);
  struct cli_ids ids = {.scope = scope};
  int code = cli_ids_collect(store, &ids);
  if (code == CLI_OK && !ids.count)
    code = cli_fail(CLI_NO, "there is no run %s; idemshim ls --runs lists what there is", name);
  else if (code == CLI_OK)
    code = cli_ids_remove(store, &ids, what);
  if (code == CLI_OK)
    printf("removed the run %s, %s %s\n", name, cli_count(count, ids.count),
           idem_word(ids.count, "answer", "answers"));
  cli_ids_release(&ids);
  return code;
}
