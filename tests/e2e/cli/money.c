/* SPDX-License-Identifier: MIT */
/* stats --prices: what calls have cost, and what their repeats would have. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(cli_money, .init = open_world, .fini = close_world);

static void call(const char *model, const char *prompt)
{
  struct run r =
      run_shim(&w, "curl", "-sS", "-d",
               world_text(&w, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                          model, prompt),
               world_url(&w, "/v1/chat/completions"), NULL);
  expect_success(&r);
  run_release(&r);
}

static json_t *money_by(const char *prices)
{
  struct run r = run_plain(&w, "idemshim", "stats", "--json", "--prices", prices, NULL);
  json_t *document = json_loads(r.out, 0, NULL), *money = json_incref(json_object_get(document, "money"));
  expect_success(&r);
  json_decref(document);
  run_release(&r);
  return money;
}

static double at(const json_t *money, const char *model, const char *name)
{
  return json_number_value(json_object_get(json_object_get(json_object_get(money, "models"), model), name));
}

static const char *written(const char *text)
{
  return world_write(&w, "prices", text, strlen(text));
}

/* The tokens of an answer, as `ls` has them. */
static double cost_of(const char *model, double input_rate, double output_rate)
{
  struct run r = run_plain(&w, "idemshim", "ls", "--json", NULL);
  json_t *list = json_loads(r.out, 0, NULL), *answer;
  size_t i;
  double usd = 0;
  json_array_foreach(list, i, answer)
  {
    const json_t *tokens = json_object_get(answer, "tokens");
    if (strcmp(json_string_value(json_object_get(answer, "model")), model) == 0)
      usd += json_number_value(json_object_get(tokens, "input")) * input_rate +
             json_number_value(json_object_get(tokens, "output")) * output_rate;
  }
  json_decref(list);
  run_release(&r);
  return usd;
}

Test(cli_money, what_was_paid_and_saved_is_told_by_model_by_both_forms_of_prices)
{
  call("dear", "one");
  call("dear", "one");
  call("dear", "two");
  call("cheap", "one");
  call("new", "one");
  json_t *lines = money_by(written("# dollars for a million\ndear 1000 4000\ncheap 1 2 0.5\n"));
  json_t *litellm =
      money_by(written("{\"dear\":{\"input_cost_per_token\":0.001,\"output_cost_per_token\":0.004},"
                       "\"cheap\":{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6}}"));
  double one = cost_of("dear", 0.001, 0.004) / 2;

  cr_expect_gt(one, 0);
  cr_expect_float_eq(at(lines, "dear", "paid_usd"), 2 * one, one / 10);
  cr_expect_float_eq(at(lines, "dear", "saved_usd"), one, one / 10);
  cr_expect_float_eq(at(lines, "dear", "saved_usd") + at(lines, "dear", "paid_usd"),
                     at(litellm, "dear", "saved_usd") + at(litellm, "dear", "paid_usd"), 1e-12);
  cr_expect_float_eq(at(lines, "cheap", "saved_usd"), 0, 1e-12);
  cr_expect_eq(at(lines, "new", "without_price"), 1);
  cr_expect_eq(json_integer_value(json_object_get(lines, "without_price")), 1);
  json_decref(lines);
  json_decref(litellm);
}

/* Its tokens were read when it was judged. */
Test(cli_money, an_answer_that_its_program_decodes_itself_has_its_price)
{
  struct run r =
      run_shim(&w, "curl", "-sS", "-o", "/dev/null", "-H", "Accept-Encoding: gzip", "-d",
               "{\"model\":\"zipped\"}", world_url(&w, "/v1/chat/completions?mock=encoding%3Dgzip"), NULL);
  json_t *money = money_by(written("zipped 1000 1000\n"));

  cr_expect_gt(at(money, "zipped", "paid_usd"), 0);
  expect_success(&r);
  run_release(&r);
  json_decref(money);
}

Test(cli_money, what_has_no_price_says_so_and_a_dated_model_has_that_of_the_plain_one)
{
  call("new", "one");
  call("gpt-4o-2024-08-06", "one");
  const char *prices = written("gpt-4o 1000 1000\n");
  struct run r = run_plain(&w, "idemshim", "stats", "--prices", prices, NULL);
  json_t *money = money_by(prices);

  struct run metrics = run_plain(&w, "idemshim", "stats", "--prometheus", "--prices", prices, NULL);
  cr_expect(strstr(r.out, "     no price     no price     no price           $0\n"), "%s", r.out);
  cr_expect_null(strstr(metrics.out, "paid_dollars{model=\"new\"}"), "%s", metrics.out);
  cr_expect(strstr(metrics.out, "answers_without_price{model=\"new\"} 1\n"), "%s", metrics.out);
  cr_expect(strstr(metrics.out, "answers_without_price{model=\"gpt-4o-2024-08-06\"} 0\n"), "%s", metrics.out);
  run_release(&metrics);
  cr_expect_gt(at(money, "gpt-4o-2024-08-06", "paid_usd"), 0);
  json_decref(money);
  run_release(&r);
}

Test(cli_money, a_mistake_in_the_prices_is_named_with_its_line)
{
  call("m", "one");
  struct run r = run_plain(&w, "idemshim", "stats", "--prices", written("m 1 2\nm two\n"), NULL);
  cr_expect_eq(r.status, 2);
  cr_expect(strstr(r.err, "line 2: expected MODEL INPUT OUTPUT"), "%s", r.err);
  run_release(&r);
}

/* Else every sum would be nothing, as if nothing had cost anything. */
Test(cli_money, a_file_without_a_price_is_refused)
{
  call("dear", "one");
  const char *const files[] = {world_path(&w, "."), written(""), world_write(&w, "notes", "# soon\n", 7),
                               world_write(&w, "other", "{\"a\":1,\"b\":{}}", 14)};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    struct run r = run_plain(&w, "idemshim", "stats", "--prices", files[i], NULL);
    cr_expect_eq(r.status, 2, "%s: %s", files[i], r.out);
    cr_expect(strstr(r.err, i == 0 ? ": Is a directory\n" : ": no model has a price in it; "), "%s: %s",
              files[i], r.err);
    run_release(&r);
  }
}

Test(cli_money, the_prices_of_a_configuration_file_are_used_where_no_option_names_others)
{
  call("m", "one");
  const char *dear = written("m 1000 1000\n");
  const char *conf = world_write(&w, "conf", world_text(&w, "IDEMSHIM_PRICES=%s\n", dear), strlen(dear) + 17);
  cr_assert_eq(chmod(conf, 0600), 0);
  world_env(&w, "IDEMSHIM_CONFIG", "%s", conf);
  struct run r = run_plain(&w, "idemshim", "stats", "--json", NULL);
  struct run other =
      run_plain(&w, "idemshim", "stats", "--prices", world_write(&w, "other", "x 1 1\n", 6), NULL);
  json_t *document = json_loads(r.out, 0, NULL);
  cr_expect_gt(at(json_object_get(document, "money"), "m", "paid_usd"), 0, "%s%s", r.out, r.err);
  cr_expect(strstr(other.out, "no price"), "%s", other.out);
  json_decref(document);
  run_release(&r);
  run_release(&other);
}
