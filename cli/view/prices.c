/* SPDX-License-Identifier: MIT */
#include "cli/view/prices.h"

#include "cli/output/label.h"
#include "cli/output/output.h"
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kept as the document that LiteLLM has; lines become one. */
struct cli_prices {
  json_t *models;
};

/* Of a prompt cache: how long an entry lives after its last use, how much has to be there, and in which steps. These are
 * OpenAI's and Anthropic's shortest, read 2026-11. */
enum { CACHE_US = 300000000, CACHE_LEAST = 1024, CACHE_STEP = 128 };

static const char *const rates[] = {"input_cost_per_token", "output_cost_per_token",
                                    "cache_read_input_token_cost", "cache_creation_input_token_cost"};
enum { INPUT, OUTPUT, CACHED, WRITTEN, RATES };

/* "gpt-4o 2.50 10 1.25"; false for what is neither that nor a comment. */
static bool read_line(json_t *models, char *line)
{
  char *rest = line, *word, *end;
  line[strcspn(line, "#\r\n")] = '\0';
  json_t *model = NULL;
  for (int i = -1; (word = strsep(&rest, " \t"));) {
    if (!*word)
      continue;
    if (i < 0) {
      json_object_set_new(models, word, model = json_object());
    } else {
      /* The first word is the model, and each further one a rate in the order of the table; two must be
       * there. */
      double million = strtod(word, &end);
      if (i == RATES || *end || !isfinite(million) || million < 0)
        return false;
      json_object_set_new(model, rates[i], json_real(million / 1e6));
    }
    i++;
  }
  return !model || json_object_size(model) >= 2;
}

/* Nothing of a file with a mistake is used: a sum with one model less would look like a sum. */
static json_t *read_lines(FILE *file, const char *path)
{
  json_t *models = json_object();
  char *line = NULL;
  size_t room = 0, number = 0;
  bool good = true;
  while (good && getline(&line, &room, file) >= 0) {
    number++;
    good = read_line(models, line);
  }
  free(line);
  if (good)
    return models;
  cli_fail(CLI_USAGE,
           "%s: line %zu: expected MODEL INPUT OUTPUT [CACHED [WRITTEN]], dollars for a million tokens", path,
           number);
  json_decref(models);
  return NULL;
}

/* What it gives is the caller's own text, or lives as long as the command; a mistake in the settings is as
 * if none were named. */
const char *cli_prices_file(const char *named)
{
  static char path[4096];
  struct idem_config config;
  if (named || idem_config_load_store(&config, getenv, NULL) < 0)
    return named;
  snprintf(path, sizeof(path), "%s", config.prices ? config.prices : "");
  idem_config_release(&config);
  return *path ? path : NULL;
}

/* Without one, every sum would be nothing, and look like a sum. */
static bool has_price(json_t *models)
{
  const char *name;
  json_t *model;
  json_object_foreach(models, name, model)
  {
    if (json_is_number(json_object_get(model, rates[INPUT])))
      return true;
  }
  return false;
}

/* Which form it has is told by what is in the file, and not by its name, which is the user's. */
struct cli_prices *cli_prices_load(const char *path)
{
  json_error_t problem;
  FILE *file = cli_readable_file(path) ? fopen(path, "re") : NULL;
  struct cli_prices *prices = calloc(1, sizeof(*prices));
  int first;
  if (!file || !prices) {
    cli_fail(CLI_USAGE, "%s: %s", path, strerror(errno));
  } else {
    /* The first byte that is no blank tells. Then it is read from its beginning, so that messages count its
     * lines rightly. */
    while ((first = fgetc(file)) != EOF && isspace(first))
      ;
    rewind(file);
    /* What begins as an object is LiteLLM's file, and anything else lines. */
    if (first == '{' && !(prices->models = json_loadf(file, 0, &problem)))
      cli_fail(CLI_USAGE, "%s: line %d: %s", path, problem.line, problem.text);
    else if (first != '{')
      prices->models = read_lines(file, path);
  }
  if (file)
    fclose(file);
  if (prices && prices->models && has_price(prices->models))
    return prices;
  if (prices && prices->models)
    cli_fail(
        CLI_USAGE,
        "%s: no model has a price in it; expected the JSON that LiteLLM publishes, or lines of MODEL INPUT "
        "OUTPUT",
        path);
  cli_prices_free(prices);
  return NULL;
}

void cli_prices_free(struct cli_prices *prices)
{
  if (prices)
    json_decref(prices->models);
  free(prices);
}

/* -1 says that it is not told. */
static int64_t known(int64_t n)
{
  return n > 0 ? n : 0;
}

/* An answer that tells nothing of its cache has read and written nothing in it. */
struct cli_tokens_used cli_tokens_used(const struct cli_reply *reply)
{
  return (struct cli_tokens_used){known(reply->usage.input), known(reply->cached), known(reply->written),
                                  known(reply->usage.output)};
}

/* The replayed answer's own usage, but as a second request would have had it: what the first one wrote to the
 * provider's cache would be read from there, as long as it lives. */
struct cli_tokens_used cli_tokens_of_repeat(const struct cli_reply *reply, int64_t since_us)
{
  struct cli_tokens_used used = cli_tokens_used(reply);
  /* Nothing is left in the cache: a repeat costs what the first one did. */
  if (since_us > CACHE_US)
    return used;
  /* Who writes by request tells what it wrote; who caches by itself takes whole steps of a long prompt. */
  if (reply->written >= 0)
    used.cached += used.written;
  else if (used.input >= CACHE_LEAST && used.input / CACHE_STEP * CACHE_STEP > used.cached)
    used.cached = used.input / CACHE_STEP * CACHE_STEP;
  used.written = 0;
  return used;
}

/* A dated or a prefixed name has the price of the plain one where it has none itself: "gpt-4o-2024-08-06", "models/gemini-pro",
 * "us.anthropic.claude". */
static const json_t *find(const json_t *models, const char *name)
{
  char plain[128];
  const json_t *model = json_object_get(models, name);
  const char *slash = strrchr(name, '/');
  /* As it is written first: a provider's own price of a model may stand under its prefix. */
  if (model || !*name)
    return model;
  /* A prefix may have prefixes of its own: "openrouter/openai/gpt-4o". */
  if (slash && slash[1])
    return find(models, slash + 1);
  snprintf(plain, sizeof(plain), "%s", name);
  size_t len = strlen(plain), digits = len;
  /* "-2024-08-06" or "-20240806"; fewer digits are a version, such as "-4" or "-001", and another price. */
  while (digits > 0 && (isdigit((unsigned char)plain[digits - 1]) || plain[digits - 1] == '-'))
    digits--;
  if (len - digits < 9 || strlen(name) != len) /* "-20240806" */
    return NULL;
  plain[digits] = '\0';
  return json_object_get(models, plain);
}

/* Dollars of all four kinds of tokens. A model without a price of its input has none at all. */
double cli_price(const struct cli_prices *prices, const char *model, const struct cli_tokens_used *used)
{
  const json_t *of = find(prices->models, model);
  double rate[RATES];
  for (int i = 0; i < RATES; i++) {
    const json_t *value = json_object_get(of, rates[i]);
    rate[i] = json_is_number(value) ? json_number_value(value) : -1;
  }
  if (rate[INPUT] < 0)
    return -1;
  /* Cached and written tokens are a part of the input, and cost as it does where they have no rate;
   * embeddings have no output. */
  int64_t plain = used->input - used->cached - used->written;
  return (double)(plain > 0 ? plain : 0) * rate[INPUT] +
         (double)used->cached * (rate[CACHED] < 0 ? rate[INPUT] : rate[CACHED]) +
         (double)used->written * (rate[WRITTEN] < 0 ? rate[INPUT] : rate[WRITTEN]) +
         (double)used->output * (rate[OUTPUT] < 0 ? 0 : rate[OUTPUT]);
}

const char *cli_dollars(char out[40], double usd)
{
  /* As many digits as keep two or three that count: a call is a fraction of a cent, and a month is a thousand
   * dollars. */
  snprintf(out, 40,
           usd == 0        ? "$0"
           : usd >= 100    ? "$%.0f"
           : usd >= 0.1    ? "$%.2f"
           : usd >= 0.0001 ? "$%.4f"
                           : "$%.7f",
           usd);
  return out;
}

/* Names longer than a row has room for are one row if they begin alike, and so are those that are printed alike. */
struct cli_money_row *cli_money_row(struct cli_money *money, const char *model)
{
  char name[sizeof(money->row[0].model)];
  snprintf(name, sizeof(name), "%s", *model ? model : "(no model)");
  for (size_t i = 0; i < money->count; i++)
    if (cli_labels_equal(money->row[i].model, name))
      return &money->row[i];
  /* Full: the last row stands for all that come after it, and got that name when it was made. */
  if (money->count == CLI_MONEY_ROWS)
    return &money->row[CLI_MONEY_ROWS - 1];
  struct cli_money_row *row = &money->row[money->count++];
  *row = (struct cli_money_row){0};
  snprintf(row->model, sizeof(row->model), "%s", money->count == CLI_MONEY_ROWS ? "(others)" : name);
  return row;
}

/* By what was paid and what would have been. */
static int by_worth(const void *a, const void *b)
{
  const struct cli_money_row *x = a, *y = b;
  double left = x->paid + x->saved + x->would_save, right = y->paid + y->saved + y->would_save;
  return left != right ? (left < right ? 1 : -1) : strcmp(x->model, y->model);
}

/* Once, when all is counted: sorting moves the row of others from its place, which cli_money_row() relies
 * on. */
void cli_money_finish(struct cli_money *money)
{
  struct cli_money_row *sum = &money->sum;
  *sum = (struct cli_money_row){.model = "all"};
  for (size_t i = 0; i < money->count; i++) {
    sum->calls += money->row[i].calls;
    sum->unpriced += money->row[i].unpriced;
    sum->paid += money->row[i].paid;
    sum->saved += money->row[i].saved;
    sum->given_up += money->row[i].given_up;
    sum->would_save += money->row[i].would_save;
    sum->would_unpriced += money->row[i].would_unpriced;
  }
  qsort(money->row, money->count, sizeof(*money->row), by_worth);
}
