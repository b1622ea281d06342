/* SPDX-License-Identifier: MIT */
#include "tests/e2e/replay/form.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char *program_of(const char *name)
{
  static const char *const of_readers[] = {"reader", "once", "threads"};
  for (size_t i = 0; i < sizeof(of_readers) / sizeof(of_readers[0]); i++)
    if (strstr(name, of_readers[i]))
      return "form_readers";
  return strncmp(name, "list", 4) == 0 ? "form_lists" : "forms";
}

struct run form(struct world *w, bool shim, const char *name, const char *text, const char *more)
{
  const char *const argv[] = {program_of(name), name, world_url(w, FORM_TARGET), text, more, NULL};
  return run_argv(w, shim, argv);
}

/* A case about files gets a path, and one about headers a header. */
const char *form_text(struct world *w, const char *name)
{
  if (strstr(name, "file"))
    return world_write(w, "upload.txt", "some content", 12);
  return strcmp(name, "headers") == 0 ? "X-Odd: 1" : "some text";
}

/* Boundaries are random: dashes, then letters and digits. */
static char *without_boundaries(const json_t *request)
{
  static const char dashes[] = "------------------------";
  char *body = strdup(json_string_value(json_object_get(request, "body")));
  for (char *at = body; (at = strstr(at, dashes));) {
    at += strspn(at, "-");
    memset(at, 'r', strspn(at, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"));
  }
  return body;
}

void expect_same_request(const char *what, const json_t *a, const json_t *b)
{
  char *body_a = without_boundaries(a), *body_b = without_boundaries(b);
  cr_expect_str_eq(body_a, body_b, "%s: %s\n/\n%s", what, body_a, body_b);
  cr_expect(json_equal(json_object_get(a, "body_size"), json_object_get(b, "body_size")), "%s", what);
  cr_expect(json_equal(json_object_get(a, "method"), json_object_get(b, "method")), "%s", what);
  free(body_a);
  free(body_b);
}

void expect_same_requests(struct world *w, const char *what)
{
  json_t *requests = mock_requests(w);
  size_t half = json_array_size(requests) / 2;
  cr_assert_eq(json_array_size(requests), half * 2, "%s: %zu requests", what, json_array_size(requests));
  cr_expect_gt(half, 0, "%s: no request", what);
  for (size_t i = 0; i < half; i++)
    expect_same_request(what, json_array_get(requests, i), json_array_get(requests, half + i));
  json_decref(requests);
}

const char *form_callbacks(const struct run *run)
{
  const char *line = strstr(run->out, "reads ");
  for (const char *next; line && (next = strstr(line + 1, "reads "));)
    line = next;
  return line ? line : "";
}
