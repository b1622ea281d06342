/* SPDX-License-Identifier: MIT */
/* Forms: the same content is one operation whatever its boundary, another content is another one, and what
 * goes out is what goes out without us. */
#include "tests/e2e/replay/form.h"

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

TestSuite(forms, .init = open_world, .fini = close_world);

ParameterizedTestParameters(forms, one_content_is_one_operation)
{
  static struct form_case cases[] = {
      {"data"},        {"escaped"},         {"file"},       {"reader"},      {"sized-reader"},
      {"reader-once"}, {"replaced-reader"}, {"parts"},      {"alternative"}, {"headers"},
      {"base64"},      {"base64-claimed"},  {"related"},    {"no-parts"},    {"duplicate"},
      {"list"},        {"list-file"},       {"list-files"}, {"list-buffer"},
  };
  return cr_make_param_array(struct form_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct form_case *form_case, forms, one_content_is_one_operation)
{
  const char *name = form_case->name;
  open_world();
  const char *text = form_text(&w, name);
  struct run plain = form(&w, false, name, text, "more.png");
  struct run live = form(&w, true, name, text, "more.png");
  struct run again = form(&w, true, name, text, "more.png");
  expect_success(&plain);
  expect_success(&live);
  expect_same_output(&live, &again);
  cr_expect_str_eq(form_callbacks(&plain), form_callbacks(&live), "%s", name);
  cr_expect_eq(log_events(&w, "stored"), 1, "%s", name);
  cr_expect_eq(log_events(&w, "hit"), 1, "%s", name);
  expect_same_requests(&w, name);
  run_release(&plain);
  run_release(&live);
  run_release(&again);
  close_world();
}

static void expect_two(const char *a, const char *text_a, const char *b, const char *text_b,
                       const char *more_b)
{
  struct run first = form(&w, true, a, text_a, "shown.txt"), other = form(&w, true, b, text_b, more_b);
  expect_success(&first);
  expect_success(&other);
  cr_expect_eq(mock_count(&w).requests, 2, "%s and %s: %ld requests", a, b, mock_count(&w).requests);
  run_release(&first);
  run_release(&other);
  mock_reset(&w);
}

/* Each case has texts of its own: a reader that tells its size sends what one that does not would. */
Test(forms, another_content_is_another_operation)
{
  static const char *const names[] = {"data",   "reader", "sized-reader", "parts",  "alternative",
                                      "base64", "list",   "list-buffer",  "headers"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    expect_two(names[i], world_text(&w, "X-%s: 1", names[i]), names[i], world_text(&w, "X-%s: 2", names[i]),
               "shown.txt");
}

Test(forms, what_surrounds_the_content_counts_too)
{
  const char *path = world_write(&w, "upload.txt", "content", 7);
  expect_two("data", "same", "related", "same", "shown.txt");
  if (libcurl_version() >= 0x075100) /* CURLOPT_MIME_OPTIONS */
    expect_two("data", "other", "escaped", "other", "shown.txt");
  expect_two("base64", "same", "base64-claimed", "same", "shown.txt");
  expect_two("file-as", path, "file-as", path, "shown.png");
}

Test(forms, a_handle_is_used_again)
{
  static const char *const names[] = {"reader-twice", "changed"};
  static const int requests[] = {1, 2};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    struct run live = form(&w, true, names[i], "some text", "other text");
    struct run again = form(&w, true, names[i], "some text", "other text");
    expect_success(&live);
    expect_success(&again);
    cr_expect_eq(mock_count(&w).requests, requests[i], "%s: %ld", names[i], mock_count(&w).requests);
    mock_reset(&w);
    run_release(&live);
    run_release(&again);
  }
}

/* Through libcurl, which gets the method back after the replay. */
Test(forms, replays_by_transport)
{
  static const char *const names[] = {"reader-twice", "list-file", "parts"};
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    const char *text = form_text(&w, names[i]);
    struct run live = form(&w, true, names[i], text, ""), again = form(&w, true, names[i], text, "");
    expect_success(&live);
    cr_expect(strstr(again.out, "rc=0 status=200"), "%s", again.out);
    cr_expect_eq(mock_count(&w).requests, 1, "%s: %ld", names[i], mock_count(&w).requests);
    mock_reset(&w);
    run_release(&live);
    run_release(&again);
  }
}

Test(forms, nothing_is_remembered_where_no_rule_could_match)
{
  world_env(&w, "IDEMSHIM_MODE", "off");
  struct run plain = form(&w, false, "reader", "some text", ""),
             off = form(&w, true, "reader", "some text", "");
  expect_success(&off);
  cr_expect_str_eq(form_callbacks(&plain), form_callbacks(&off));
  expect_same_requests(&w, "off");
  run_release(&plain);
  run_release(&off);
}
ParameterizedTestParameters(forms, what_cannot_be_named_goes_out_as_without_us)
{
  static struct form_case cases[] = {
      {"paused-reader"}, {"shared-reader"}, {"freed"}, {"reused-address"}, {"list-stream"},
  };
  return cr_make_param_array(struct form_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct form_case *form_case, forms, what_cannot_be_named_goes_out_as_without_us)
{
  const char *name = form_case->name;
  open_world();
  struct run plain = form(&w, false, name, "some text", ""), live = form(&w, true, name, "some text", "");
  expect_success(&plain);
  expect_success(&live);
  cr_expect_str_eq(form_callbacks(&plain), form_callbacks(&live), "%s", name);
  cr_expect_gt(log_events(&w, "bypass"), 0, "%s", name);
  cr_expect_eq(log_events(&w, "stored"), 0, "%s", name);
  expect_same_requests(&w, name);
  run_release(&plain);
  run_release(&live);
  close_world();
}
