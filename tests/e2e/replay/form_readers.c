/* SPDX-License-Identifier: MIT */
/* Forms whose content is read: from the program's callback, of which nothing is lost and nothing read twice,
 * or from a file. */
#include "tests/e2e/replay/form.h"

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(form_readers, .init = open_world, .fini = close_world);

/* The first attempt never got as far as to send anything. */
Test(form_readers, a_reader_is_whole_after_an_attempt_that_failed)
{
  static const char *const names[] = {"refused-once", "refused-reader"};
  const char *nobody = "http://127.0.0.1:1/";
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1");
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    struct run plain = form(&w, false, names[i], names[i], nobody);
    struct run live = form(&w, true, names[i], names[i], nobody);
    expect_success(&plain);
    expect_success(&live);
    cr_expect_eq(log_events(&w, "stored"), (int)i + 1, "%s", names[i]);
    expect_same_requests(&w, names[i]);
    mock_reset(&w);
    run_release(&plain);
    run_release(&live);
  }
}

/* libcurl was never asked to read, so it does not know that it would have to rewind. */
static void expect_whole_after_replay(const char *name)
{
  const char *elsewhere = world_url(&w, "/v1/embeddings");
  struct run live = form(&w, true, name, name, elsewhere), replayed = form(&w, true, name, name, elsewhere);
  json_t *requests = mock_requests(&w);
  size_t count = json_array_size(requests);
  expect_success(&replayed);
  cr_assert_geq(count, 2, "%s: %zu requests", name, count);
  expect_same_request(name, json_array_get(requests, 0), json_array_get(requests, count - 1));
  json_decref(requests);
  run_release(&live);
  run_release(&replayed);
  mock_reset(&w);
}

Test(form_readers, a_reader_is_whole_after_a_replay)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 path=/v1/chat/*");
  expect_whole_after_replay("reader-elsewhere");
  expect_whole_after_replay("once-elsewhere");
}

Test(form_readers, threads_make_forms_at_the_same_time)
{
  struct run live = form(&w, true, "threads", "", "");
  expect_success(&live);
  cr_expect_eq(mock_count(&w).requests, 8, "%ld", mock_count(&w).requests);
  cr_expect_eq(log_events(&w, "hit") + log_events(&w, "join"), 40);
  run_release(&live);
}

static void expect_too_large(const char *name, const char *text)
{
  struct run plain = form(&w, false, name, text, ""), live = form(&w, true, name, text, "");
  expect_success(&plain);
  expect_success(&live);
  cr_expect_str_eq(form_callbacks(&plain), form_callbacks(&live), "%s", name);
  expect_same_requests(&w, name);
  json_t *event = log_last(&w, "bypass");
  cr_assert_not_null(event, "%s", name);
  cr_expect_str_eq(json_string_value(json_object_get(event, "reason")), "max_body", "%s", name);
  json_decref(event);
  unlink(w.log);
  mock_reset(&w);
  run_release(&plain);
  run_release(&live);
}

Test(form_readers, a_form_over_the_limit_goes_live_and_is_read_once)
{
  char text[2001];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 max_body=1k");
  expect_too_large("data", text);
  expect_too_large("reader", text);
  expect_too_large("sized-reader", text);
  expect_too_large("reader-once", text);
  expect_too_large("list", text);
  expect_too_large("file", world_write(&w, "large", text, sizeof(text)));
  expect_too_large("list-file", world_path(&w, "large"));
}

/* What libcurl sent of it nobody can tell. */
Test(form_readers, a_file_that_is_written_to_meanwhile_is_not_stored)
{
  const char *path = world_write(&w, "log.txt", "first", 5);
  struct run live = form(&w, true, "file-in-motion", path, "");
  expect_success(&live);
  cr_expect_eq(log_events(&w, "stored"), 0);
  cr_expect_eq(log_events(&w, "not_stored"), 1);
  run_release(&live);
}
