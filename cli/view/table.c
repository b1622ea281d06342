/* SPDX-License-Identifier: MIT */
#include "cli/view/table.h"

#include "cli/output/output.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "cli/view/prompt.h"

#include <stdlib.h>
#include <string.h>

typedef void fill_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us);

static void id_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  (void)now_us;
  memcpy(cell, answer->id, IDEM_ID_SIZE);
}

static void age_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  int64_t old_us = now_us > answer->stored_us ? now_us - answer->stored_us : 0;
  cli_age(cell, (uint64_t)old_us);
  strcat(cell, cli_answer_expired(answer, now_us) ? "!" : " ");
}

static void status_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  (void)now_us;
  snprintf(cell, CLI_UNIT_SIZE, "%u", answer->status);
}

static void kind_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  (void)now_us;
  strcpy(cell, cli_answer_kind(answer));
}

static void size_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  (void)now_us;
  cli_bytes(cell, answer->body.len);
}

static void took_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  (void)now_us;
  cli_duration(cell, answer->duration_ms);
}

static void tokens_cell(char cell[CLI_UNIT_SIZE], const struct idem_answer *answer, int64_t now_us)
{
  char input[CLI_UNIT_SIZE] = "-", output[CLI_UNIT_SIZE] = "-";
  (void)now_us;
  if (answer->usage.input >= 0)
    cli_count(input, (uint64_t)answer->usage.input);
  if (answer->usage.output >= 0)
    cli_count(output, (uint64_t)answer->usage.output);
  bool unknown = answer->usage.input < 0 && answer->usage.output < 0;
  snprintf(cell, CLI_UNIT_SIZE, unknown ? "-" : "%.16s+%.16s", input, output);
}

/* A negative width is for text, which begins at the left. */
static const struct column {
  const char *title;
  int width;
  bool wide_only;
  fill_cell *fill;
} table[] = {
    {"ID", -16, false, id_cell},       {"AGE ", 5, false, age_cell},  {"STATUS", 6, true, status_cell},
    {"KIND", -6, false, kind_cell},    {"SIZE", 9, false, size_cell}, {"TOOK", 7, true, took_cell},
    {"TOKENS", 11, true, tokens_cell},
};

#define COLUMN_COUNT (sizeof(table) / sizeof(table[0]))

/* Below NARROW columns the prompt would have no room; without a terminal, lines end somewhere all the same.
 */
enum { NARROW = 120, BETWEEN = 2, LEAST = 12, LONGEST = 240 };

static bool is_shown(const struct column *column, size_t columns)
{
  return !column->wide_only || columns >= NARROW;
}

static size_t room_left(size_t columns)
{
  size_t used = 0;
  for (size_t i = 0; i < COLUMN_COUNT; i++)
    used += is_shown(&table[i], columns) ? (size_t)abs(table[i].width) + BETWEEN : 0;
  if (columns == CLI_UNCUT)
    return LONGEST;
  return columns > used + LEAST ? columns - used : LEAST;
}

void cli_row_heading(FILE *out, size_t columns)
{
  fputs(cli_style(CLI_BOLD), out);
  for (size_t i = 0; i < COLUMN_COUNT; i++)
    if (is_shown(&table[i], columns))
      fprintf(out, "%*s%*s", table[i].width, table[i].title, BETWEEN, "");
  fprintf(out, "CALL AND PROMPT%s", cli_style(CLI_PLAIN));
}

/* At most half of the room, so that some of the prompt is seen too. Without a terminal, all of it. */
static size_t put_call(FILE *out, const struct idem_answer *answer, size_t room)
{
  char *text = NULL;
  size_t size = 0, used = 0;
  FILE *line = open_memstream(&text, &size);
  if (!line)
    return 0;
  cli_answer_put_short_call(line, answer);
  if (fclose(line) == 0)
    used = cli_put_line(out, text, size, room);
  free(text);
  return used;
}

static void put_prompt(FILE *out, const struct idem_answer *answer, size_t room)
{
  char *prompt = cli_prompt(answer->request_body);
  if (prompt && *prompt && room > 4) {
    fputs("  \"", out);
    cli_put_line(out, prompt, strlen(prompt), room - 4);
    fputc('"', out);
  }
  free(prompt);
}

void cli_row(FILE *out, const struct idem_answer *answer, int64_t now_us, size_t columns)
{
  size_t room = room_left(columns);
  fputs(cli_answer_expired(answer, now_us) ? cli_style(CLI_DIM) : "", out);
  for (size_t i = 0; i < COLUMN_COUNT; i++) {
    char cell[CLI_UNIT_SIZE];
    if (!is_shown(&table[i], columns))
      continue;
    table[i].fill(cell, answer, now_us);
    fprintf(out, "%*s%*s", table[i].width, cell, BETWEEN, "");
  }
  size_t used = put_call(out, answer, columns == CLI_UNCUT ? room : room / 2);
  put_prompt(out, answer, room - used);
  fputs(cli_style(CLI_PLAIN), out);
}
