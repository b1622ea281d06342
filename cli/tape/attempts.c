/* SPDX-License-Identifier: MIT */
#include "cli/tape/attempts.h"

#include "cli/output/output.h"
#include "cli/view/exchange.h"
#include "store/records/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What attempts of one operation share as text, and where in the run this one is. */
struct attempt {
  char operation[IDEM_ID_SIZE + 8];
  uint64_t number;
  bool failed;
};

/* Tapes of before had no ids where there was no store. */
static void name(const struct tape_record *record, struct attempt *attempt)
{
  char id[IDEM_ID_SIZE];
  record_id(record->call.key, id);
  if (*record->call.id)
    snprintf(attempt->operation, sizeof(attempt->operation), "%s", record->call.id);
  else
    snprintf(attempt->operation, sizeof(attempt->operation), "%s %u", id, record->call.number & 0xffff);
}

static int by_operation(const void *a, const void *b)
{
  const struct attempt *x = a, *y = b;
  int order = strcmp(x->operation, y->operation);
  return order ? order : (x->number > y->number) - (x->number < y->number);
}

/* What a copy finished in the background the program never saw: it makes nothing good. */
int cli_attempts_read(const struct tape *tape, uint64_t **good)
{
  uint64_t count = tape_totals(tape).exchanges, kept = 0, success = 0;
  struct attempt *attempts = calloc(count + 1, sizeof(*attempts));
  struct tape_record record = {0};
  *good = calloc(count + 1, sizeof(**good));
  if (!attempts || !*good) {
    free(attempts);
    free(*good);
    *good = NULL;
    return cli_fail(CLI_STORE, "out of memory");
  }
  for (uint64_t number = 1; number <= count; number++) {
    if (tape_peek(tape, number, &record, NULL) < 0 || record.call.what == TAPE_RESCUE)
      continue;
    struct attempt *attempt = &attempts[kept++];
    attempt->number = number;
    attempt->failed = cli_record_failed(&record);
    name(&record, attempt);
  }
  tape_record_release(&record);
  qsort(attempts, kept, sizeof(*attempts), by_operation);
  /* From the last attempt of each operation to its first, so that the success at hand is the nearest one
   * behind. */
  for (uint64_t i = kept; i-- > 0;) {
    if (i + 1 == kept || strcmp(attempts[i].operation, attempts[i + 1].operation) != 0)
      success = 0;
    if (attempts[i].failed)
      (*good)[attempts[i].number - 1] = success;
    else
      success = attempts[i].number;
  }
  free(attempts);
  return CLI_OK;
}
