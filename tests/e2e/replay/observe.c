/* SPDX-License-Identifier: MIT */
/* IDEMSHIM_MODE=observe promises what idempotent mode keeps: calls, time and tokens, each once. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void set_up(void)
{
  open_world();
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(observe, .init = set_up, .fini = close_world);

static long counter(const char *name)
{
  struct run r = run_plain(&w, "idemshim", "stats", "--json", NULL);
  json_t *stats = json_loads(r.out, 0, NULL);
  long value = (long)json_integer_value(json_object_get(stats, name));
  json_decref(stats);
  run_release(&r);
  return value;
}

/* One process that makes the same call three times. */
static struct run thrice(const char *const mode)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D60");
  return run_plain(&w, "idemshim", "run", "--mode", mode, "curl", "-sS", "-d", "{}", url, "--next", "-sS",
                   "-d", "{}", url, "--next", "-sS", "-d", "{}", url, NULL);
}

Test(observe, it_promises_what_idempotent_mode_saves)
{
  struct run observed = thrice("observe");
  expect_success(&observed);
  cr_expect_eq(mock_count(&w).requests, 3);
  cr_expect_eq(log_events(&w, "would_hit"), 2);
  long hits = counter("would_hit"), in = counter("input_tokens_would_save"),
       out = counter("output_tokens_would_save");
  cr_expect_eq(hits, 2);
  cr_expect_geq(counter("ms_would_save"), 2 * 60);
  cr_expect_geq(in, 1);
  cr_expect(
      strstr(observed.err, "observe: 2 of 3 calls would have been answered from the store, which saves "),
      "%s", observed.err);
  cr_expect(strstr(observed.err, world_text(&w, "%ld input and %ld output tokens", in, out)), "%s",
            observed.err);
  struct run text = run_plain(&w, "idemshim", "stats", NULL);
  cr_expect(strstr(text.out, "would hit                2  calls of observe mode"), "%s", text.out);
  run_release(&text);
  cr_expect_eq(counter("live"), 3);

  struct run saved = thrice("idempotent");
  expect_success(&saved);
  cr_expect_eq(counter("hits"), hits);
  cr_expect_eq(counter("input_tokens_saved"), in);
  cr_expect_eq(counter("output_tokens_saved"), out);
  run_release(&observed);
  run_release(&saved);
}

/* Whoever tries it first hears that it was there. */
Test(observe, a_run_of_which_nothing_would_have_been_answered_says_so)
{
  const char *script = world_text(&w, "for n in 1 2; do curl -sS -d \"{\\\"n\\\":$n}\" '%s'; done; exit 5",
                                  world_url(&w, "/v1/chat/completions"));
  struct run first = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", script, NULL);
  struct run second = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", script, NULL);
  struct run third = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", script, NULL);
  struct run idle = run_plain(&w, "idemshim", "run", "--mode", "observe", "true", NULL);

  cr_expect_eq(first.status, 5);
  cr_expect(strstr(first.err, "observe: 0 of 2 calls would have been answered from the store\n"), "%s",
            first.err);
  cr_expect(strstr(second.err, "observe: 2 of 2 calls would have been answered from the store, which saves "),
            "%s", second.err);
  cr_expect(
      strstr(third.err, ", no further tokens (counted once for each key, where an answer tells them) ("),
      "%s", third.err);
  cr_expect_str_eq(idle.err, "");
  run_release(&first);
  run_release(&second);
  run_release(&third);
  run_release(&idle);
}

/* What another mode has stored would be answered, too; its tokens are saved once. */
Test(observe, an_answer_that_is_stored_already_would_have_been_given)
{
  const char *ask = world_text(&w, "curl -sS -o /dev/null -H 'Idempotency-Key: k' -d \"$0\" '%s'",
                               world_url(&w, "/v1/chat/completions"));
  struct run stored = run_plain(&w, "idemshim", "run", "sh", "-c", ask, "{}", NULL);
  struct run first = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", ask, "{}", NULL);
  long in = counter("input_tokens_would_save");
  struct run second = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", ask, "{}", NULL);
  const char *rule = "host=127.0.0.1 mismatch=reject";
  struct run other = run_plain(&w, "idemshim", "run", "--mode", "observe", "--rules", rule, "sh", "-c", ask,
                               "{\"n\":1}", NULL);

  expect_success(&stored);
  cr_expect(strstr(first.err, "observe: 1 of 1 call would have been answered from the store, which saves "),
            "%s", first.err);
  cr_expect(strstr(second.err, "observe: 1 of 1 call would have been answered from the store"), "%s",
            second.err);
  cr_expect_gt(in, 0);
  cr_expect_eq(counter("input_tokens_would_save"), in);
  /* Another content under its key would have been refused. */
  cr_expect(strstr(other.err, "observe: 0 of 1 call would have been answered from the store"), "%s",
            other.err);
  cr_expect_eq(mock_count(&w).requests, 4);
  run_release(&stored);
  run_release(&first);
  run_release(&second);
  run_release(&other);
}

/* Who sets the counters to zero meanwhile is told of what came after that. */
Test(observe, counters_that_begin_anew_in_a_run_are_no_calls_without_end)
{
  const char *ask =
      world_text(&w, "curl -sS -o /dev/null -d '{}' '%s'", world_url(&w, "/v1/chat/completions"));
  struct run before = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c",
                                world_text(&w, "%s; %s; %s", ask, ask, ask), NULL);
  struct run zeroed = run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c",
                                world_text(&w, "idemshim stats --zero >&2; %s", ask), NULL);

  expect_success(&before);
  cr_expect(strstr(zeroed.err, "observe: 1 of 1 call would have been answered from the store, which saves "),
            "%s", zeroed.err);
  run_release(&before);
  run_release(&zeroed);
}

/* A run of one process for each model. */
static struct run ask_models(const char *const *models, size_t count)
{
  char script[1000] = "";
  for (size_t i = 0; i < count; i++)
    snprintf(script + strlen(script), sizeof script - strlen(script),
             "curl -sS -d '{\"model\":\"%s\"}' '%s'; ", models[i], world_url(&w, "/v1/chat/completions"));
  return run_plain(&w, "idemshim", "run", "--mode", "observe", "sh", "-c", script, NULL);
}

static json_t *money_of(const char *prices)
{
  struct run r = run_plain(&w, "idemshim", "stats", "--json", "--prices", prices, NULL);
  json_t *document = json_loads(r.out, 0, NULL);
  json_t *models = json_incref(json_object_get(json_object_get(document, "money"), "models"));
  expect_success(&r);
  json_decref(document);
  run_release(&r);
  return models;
}

static double would_save(const json_t *money, const char *model)
{
  return json_number_value(json_object_get(json_object_get(money, model), "would_save_usd"));
}

Test(observe, a_run_of_many_processes_says_it_in_one_line_with_the_money)
{
  /* One as PHP may write it, and one that is no UTF-8. */
  static const char *const priced[] = {"dear", "ch\\u0065ap"}, *const unpriced[] = {"new\xfe", "new\xff"};
  const char *prices = world_write(&w, "prices", "dear 2000000 2000000\ncheap 1 1\n", 31);
  world_env(&w, "IDEMSHIM_PRICES", "%s", prices);
  struct run first = ask_models(priced, 2), again = ask_models(priced, 2);
  long in = counter("input_tokens_would_save"), out = counter("output_tokens_would_save");
  json_t *money = money_of(prices);
  double dear = would_save(money, "dear");

  cr_expect_eq(count_of(again.err, "observe: "), 1, "%s", again.err);
  cr_expect(strstr(again.err, world_text(&w, "%ld input and %ld output tokens, $%.2f (", in, out, dear)),
            "%s", again.err);
  /* Half of the tokens, more or less, and a dollar is two of them. */
  cr_expect_float_eq(dear, (double)(in + out), (double)(in + out) / 10);
  cr_expect_float_eq(would_save(money, "cheap") * 2e6, dear, dear / 10);

  struct run new = ask_models(unpriced, 2), known = ask_models(unpriced, 2);
  struct run text = run_plain(&w, "idemshim", "stats", NULL);
  struct run metrics = run_plain(&w, "idemshim", "stats", "--prometheus", NULL);
  struct run checked = run_shell_plain(
      &w, "command -v promtool >/dev/null || exit 77; idemshim stats --prometheus | promtool check metrics");
  json_t *more = money_of(prices);
  cr_expect(strstr(known.err, "tokens, $0 without the models that have no price"), "%s", known.err);
  cr_expect(json_is_null(json_object_get(json_object_get(more, "new\xef\xbf\xbd"), "would_save_usd")));
  cr_expect_eq(would_save(more, "dear"), dear);
  cr_expect(strstr(text.out, "would save"), "%s", text.out);
  /* Both names of no UTF-8 are one label, for a collector takes no series twice. */
  cr_expect_eq(count_of(metrics.out, "output_tokens_would_save_by_model_total{model=\"new\xef\xbf\xbd\"} "),
               1, "%s", metrics.out);
  /* No price is no sum of nothing. */
  cr_expect_eq(count_of(metrics.out, "would_save_dollars{model=\"new"), 0, "%s", metrics.out);
  cr_expect_eq(count_of(metrics.out, "output_tokens_would_save_by_model_total{model=\"dear\"} "), 1, "%s",
               metrics.out);
  cr_expect(checked.status == 77 || (checked.status == 0 && checked.out_len + checked.err_len == 0), "%s%s",
            checked.out, checked.err);
  run_release(&metrics);
  run_release(&checked);
  struct run zero = run_plain(&w, "idemshim", "stats", "--zero", NULL);
  json_t *nothing = money_of(prices);
  cr_expect_eq(json_object_size(nothing), 0);
  json_decref(money);
  json_decref(more);
  json_decref(nothing);
  run_release(&first);
  run_release(&again);
  run_release(&new);
  run_release(&known);
  run_release(&text);
  run_release(&zero);
}

/* Where it is not `idemshim run` that started it, with IDEMSHIM_SUMMARY=on. */
Test(observe, a_program_on_its_own_says_it_at_its_end)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D60");
  const char *const once[] = {"curl", "-sS", "-d", "{}", url, NULL};
  const char *const thrice_asked[] = {"curl", "-sS",       "-d",        "{\"n\":1}", url,      "--next",
                                      "-sS",  "-d",        "{\"n\":1}", url,         "--next", "-sS",
                                      "-d",   "{\"n\":1}", url,         NULL};
  world_env(&w, "IDEMSHIM_MODE", "observe");
  world_env(&w, "IDEMSHIM_SUMMARY", "on");
  struct run first = run_argv(&w, true, once), hit = run_argv(&w, true, once);
  struct run third = run_argv(&w, true, once), several = run_argv(&w, true, thrice_asked);
  world_env(&w, "IDEMSHIM_SUMMARY", "off");
  struct run silent = run_argv(&w, true, once);
  long in = 0, out = 0;

  expect_success(&first);
  cr_expect_str_eq(first.err, "");
  const char *said =
      strstr(hit.err, "observe: 1 of 1 call would have been answered from the store, which saves 0.");
  const char *tokens = said ? strstr(said, " s, ") : NULL;
  cr_assert_not_null(tokens, "%s", hit.err);
  cr_expect_eq(sscanf(tokens, " s, %ld input and %ld output tokens (", &in, &out), 2, "%s", hit.err);
  cr_expect(in > 0 && out > 0, "%s", hit.err);
  cr_expect(strstr(third.err, "observe: 1 of 1 call "), "%s", third.err);
  cr_expect(strstr(third.err, " s, 0 input and 0 output tokens ("), "%s", third.err);
  cr_expect(
      strstr(several.err, "observe: 2 of 3 calls would have been answered from the store, which saves "),
      "%s", several.err);
  cr_expect_eq(count_of(several.err, "observe: "), 1, "%s", several.err);
  cr_expect_str_eq(silent.err, "");
  cr_expect_eq(counter("would_hit"), 5);
  run_release(&first);
  run_release(&hit);
  run_release(&third);
  run_release(&several);
  run_release(&silent);
}

/* A run within another is a part of it, and silence is silence. */
Test(observe, a_run_says_it_once_and_only_where_it_may)
{
  static const char *const model[] = {"m"};
  struct run first = ask_models(model, 1);
  const char *url = world_url(&w, "/v1/chat/completions");
  const char *const words[] = {"idemshim", "run", "--mode", "observe",           "idemshim", "run",
                               "curl",     "-sS", "-d",     "{\"model\":\"m\"}", url,        NULL};
  struct run nested = run_argv(&w, false, words);
  const char *const inner[] = {"idemshim", "run", "idemshim",          "run", "--mode", "observe", "curl",
                               "-sS",      "-d",  "{\"model\":\"m\"}", url,   NULL};
  struct run within = run_argv(&w, false, inner);
  world_env(&w, "IDEMSHIM_SUMMARY", "off");
  struct run silent = run_argv(&w, false, words);

  expect_success(&nested);
  cr_expect_eq(count_of(nested.err, "observe: "), 1, "%s", nested.err);
  cr_expect_eq(count_of(within.err, "observe: "), 1, "%s", within.err);
  cr_expect_str_eq(silent.err, "");
  run_release(&first);
  run_release(&nested);
  run_release(&within);
  run_release(&silent);
}

/* What is asked stands in no file of it. */
Test(observe, an_encrypted_store_keeps_no_names_of_models)
{
  static const char *const model[] = {"a-model-of-ours"};
  const char *key = world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32);
  cr_assert_eq(chmod(key, 0600), 0);
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", key);
  struct run first = ask_models(model, 1), again = ask_models(model, 1);
  json_t *money = money_of(world_write(&w, "prices", "m 1 1\n", 6));

  cr_expect(strstr(again.err, "observe: 1 of 1 call "), "%s", again.err);
  cr_expect(json_object_get(money, "(no model)"));
  cr_expect_not(file_contains(w.store, model[0]));
  json_decref(money);
  run_release(&first);
  run_release(&again);
}
