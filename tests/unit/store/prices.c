/* SPDX-License-Identifier: MIT */
/* What a file of prices says that a model's tokens cost, and what it is refused for. */
#include "store/judge/prices.h"
#include "tests/unit/in_use.h"
#include "tests/unit/store/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[32], path[64];
static struct prices *prices;
static struct idem_error error;

static void open_dir(void)
{
  snprintf(dir, sizeof(dir), "/tmp/idem-prices-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  snprintf(path, sizeof(path), "%s/prices", dir);
}

static void close_dir(void)
{
  prices_free(prices);
  unlink(path);
  rmdir(dir);
}

TestSuite(store_prices, .init = open_dir, .fini = close_dir);

static int load(struct idem_span text)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  cr_assert_eq(write(fd, text.data, text.len), (ssize_t)text.len);
  close(fd);
  prices_free(prices);
  prices = NULL;
  return prices_load(&prices, path, &error);
}

static void loaded(const char *text)
{
  cr_assert_eq(load(SPAN(text)), 0, "%s", error.text);
}

static bool near(double a, double b)
{
  return a - b < 1e-12 && b - a < 1e-12;
}

/* In dollars for a million. */
static void costs(const char *model, double input, double output, double cached, double written)
{
  double rate[PRICE_RATES] = {-7, -7, -7, -7};
  cr_assert(prices_find(prices, SPAN(model), rate), "%s", model);
  cr_expect(near(rate[PRICE_INPUT] * 1e6, input) && near(rate[PRICE_OUTPUT] * 1e6, output) &&
                near(rate[PRICE_CACHED] * 1e6, cached) && near(rate[PRICE_WRITTEN] * 1e6, written),
            "%s: %g %g %g %g", model, rate[0], rate[1], rate[2], rate[3]);
}

static void has_no_price(const char *model)
{
  double rate[PRICE_RATES] = {-7, -7, -7, -7};
  cr_expect(!prices_find(prices, SPAN(model), rate), "%s", model);
  for (int i = 0; i < PRICE_RATES; i++)
    cr_expect_eq(rate[i], -7, "%s", model);
}

static void refused(const char *text, int code, const char *why)
{
  error.text[0] = '\0';
  cr_expect_eq(load(SPAN(text)), code, "%s", text);
  cr_expect(strstr(error.text, why) && strstr(error.text, path), "expected \"%s\" in: %s", why, error.text);
  cr_expect_null(prices, "%s", text);
}

/* Lines. */

Test(store_prices, a_line_is_a_model_and_two_to_four_prices)
{
  loaded("# of today\n\n"
         "gpt-4o 2.50 10\n"
         "  claude\t3 15 0.3 3.75\t# with a cache\r\n"
         "gemini 1 2 0.5\n"
         "free 0 0");
  costs("gpt-4o", 2.5, 10, 2.5, 2.5);
  costs("claude", 3, 15, 0.3, 3.75);
  costs("gemini", 1, 2, 0.5, 1);
  costs("free", 0, 0, 0, 0);
  has_no_price("gpt-4");
  has_no_price("gpt-4oo");
  has_no_price("z");
  has_no_price("");
}

Test(store_prices, a_line_with_a_mistake_is_named)
{
  static const char *const wrong[] = {"a",      "a 1",     "a 1 2 3 4 5", "a 1 x",      "a 1 -2",
                                      "a 1 2x", "a 1 inf", "a nan 2",     "a 1 2 #3\nb"};
  char text[128], line[16];
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
    bool below = strchr(wrong[i], '\n');
    snprintf(text, sizeof(text), "# prices\nm 1 2\n%s\nn 1 2\n", wrong[i]);
    snprintf(line, sizeof(line), "line %d: ", below ? 4 : 3);
    refused(text, -EINVAL, line);
  }
}

/* There is room for as much, and not for all that a file may have. */
Test(store_prices, a_number_has_63_characters_at_most)
{
  char text[512];
  for (int len = 62; len < 400; len++) {
    snprintf(text, sizeof(text), "a 1 %0*d\n", len, 2);
    cr_expect_eq(load(SPAN(text)), len < 64 ? 0 : -EINVAL, "%d", len);
  }
}

Test(store_prices, a_file_without_a_price_is_refused)
{
  refused("", -ENODATA, "no model has a price in it");
  refused("# later\n\n", -ENODATA, "no model has a price in it");
  refused("{}", -ENODATA, "no model has a price in it");
  refused("{\"m\":{\"output_cost_per_token\":1}}", -ENODATA, "no model has a price in it");
}

/* Who adds a line at the end of the file means it. */
Test(store_prices, of_two_lines_of_one_model_the_later_holds)
{
  loaded("m 1 1\nl 9 9\nm 2 2\nn 9 9\nm 3 3\n");
  costs("m", 3, 3, 3, 3);
  loaded("{\"m\":{\"input_cost_per_token\":1e-6},\"m\":{\"input_cost_per_token\":2e-6}}");
  costs("m", 2, 0, 2, 2);
}

/* More than there is room for at first, in an order that is not theirs. */
Test(store_prices, each_of_many_models_has_its_own)
{
  enum { MODELS = 500 };
  static char text[MODELS * 32];
  char name[16], *at = text;
  for (int i = 0; i < MODELS; i++)
    at += sprintf(at, "m%d %d %d\n", i * 7 % MODELS, i * 7 % MODELS, i * 7 % MODELS + 1);
  loaded(text);
  for (int i = 0; i < MODELS; i++) {
    snprintf(name, sizeof(name), "m%d", i);
    costs(name, i, i + 1, i, i);
  }
  has_no_price("m");
  has_no_price("m500");
}

/* JSON. */

Test(store_prices, the_json_of_litellm_is_known_by_its_brace)
{
  loaded(" \r\n\t{\"sample_spec\":{\"input_cost_per_token\":0,\"mode\":\"one of chat\"},\n"
         "\"gpt-4o\":{\"max_tokens\":16384,\"input_cost_per_token\":2.5e-06,"
         "\"output_cost_per_token\":1e-05,\"cache_read_input_token_cost\":1.25e-06,"
         "\"cache_creation_input_token_cost\":3e-06,\"search\":{\"input_cost_per_token\":7},\"l\":[1]},\n"
         "\"embed\":{\"input_cost_per_token\":1e-07},\"image\":{\"output_cost_per_token\":4},\n"
         "\"odd\":{\"input_cost_per_token\":\"1\"},\"count\":5}");
  costs("gpt-4o", 2.5, 10, 1.25, 3);
  costs("embed", 0.1, 0, 0.1, 0.1);
  costs("sample_spec", 0, 0, 0, 0);
  has_no_price("image");
  has_no_price("odd");
  has_no_price("search");
  has_no_price("count");
}

Test(store_prices, a_name_with_escapes_is_what_it_says)
{
  loaded("{\"openai\\/gpt\\u002d4o\":{\"input_cost_per_token\":1e-06},"
         "\"b\":{\"input_cost_per_token\":2e-06}}");
  costs("openai/gpt-4o", 1, 0, 1, 1);
  costs("b", 2, 0, 2, 2);
}

/* A longer one counts as it is written: there is no room to say it in. */
Test(store_prices, of_256_bytes_at_most)
{
  static char text[2048], name[1024];
  for (int len = 255; len < 1000; len += len < 260 ? 1 : 97) {
    sprintf(text, "{\"%0*d\\u0062\":{\"input_cost_per_token\":1e-06}}", len - 6, 0);
    sprintf(name, "%0*db", len - 6, 0);
    loaded(text);
    if (len <= 256)
      costs(name, 1, 0, 1, 1);
    else
      has_no_price(name);
  }
}

Test(store_prices, json_that_is_none_is_named_by_the_line_where_it_ends)
{
  refused("{\"a\":{\"input_cost_per_token\":1},\n\"b\":\n{]}", -EILSEQ, "line 3: it is no JSON");
  refused("{\"a\":{\"input_cost_per_token\":1}", -EILSEQ, "line 1: it is no JSON");
  refused("{\"a\":{\"input_cost_per_token\":1}}\nx", -EILSEQ, "line 2: it is no JSON");
}

/* Names. */

Test(store_prices, a_prefixed_name_has_the_price_of_the_plain_one_where_it_has_none)
{
  loaded("gpt-4o 1 1\nazure/gpt-4o 2 2\nopenrouter/openai/o1 3 3\n");
  costs("models/gpt-4o", 1, 1, 1, 1);
  costs("openrouter/openai/gpt-4o", 1, 1, 1, 1);
  costs("azure/gpt-4o", 2, 2, 2, 2);
  costs("openrouter/openai/o1", 3, 3, 3, 3);
  has_no_price("o1");
  loaded("gpt-4o 1 1\nopenai/gpt-4o 4 4\n");
  costs("openrouter/openai/gpt-4o", 4, 4, 4, 4);
  has_no_price("gpt-4o/");
  has_no_price("/");
}

Test(store_prices, a_dated_name_has_the_price_of_the_plain_one_where_it_has_none)
{
  loaded("gpt-4o 1 1\ngpt-4o-2024-05-13 2 2\nclaude 3 3\n");
  costs("gpt-4o-2024-08-06", 1, 1, 1, 1);
  costs("gpt-4o-2024-05-13", 2, 2, 2, 2);
  costs("claude-20240806", 3, 3, 3, 3);
  costs("models/claude-20240806", 3, 3, 3, 3);
  has_no_price("claude-4");
  has_no_price("claude-001");
  has_no_price("claude-2024080");
  has_no_price("2024-08-06");
  has_no_price("-20240806");
}

/* Files. */

Test(store_prices, a_file_that_cannot_be_read_is_said)
{
  cr_expect_eq(prices_load(&prices, path, &error), -ENOENT);
  cr_expect(strstr(error.text, path) && strstr(error.text, "No such file"), "%s", error.text);
  cr_expect_eq(prices_load(&prices, dir, &error), -EISDIR);
  cr_assert_eq(mkfifo(path, 0600), 0);
  cr_expect_eq(prices_load(&prices, path, &error), -ESPIPE, "a pipe, which could be waited for");
  unlink(path);
  cr_assert_eq(load(SPAN("m 1 1")), 0);
  struct prices *none = NULL;
  cr_assert_eq(truncate(path, (64 << 20) + 1), 0);
  cr_expect_eq(prices_load(&none, path, &error), -EFBIG);
}

Test(store_prices, no_descriptor_stays_open)
{
  int before = open_count();
  loaded("m 1 1");
  refused("m", -EINVAL, "line 1");
  cr_expect_eq(prices_load(&prices, dir, &error), -EISDIR);
  cr_expect_eq(open_count(), before);
}
