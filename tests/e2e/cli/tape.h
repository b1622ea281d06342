/* SPDX-License-Identifier: MIT */
/* What tests of `idemshim tape` share: tape_commands.c, tape_bad.c, tape_export.c, tape_report.c.
 *
 *     struct run r = run_plain(&w, "idemshim", "tape", "ls", tape("day"), NULL);
 *     expect_says(&r, 0, "OPERATION_TIMEDOUT");
 */
#ifndef E2E_TAPE_H
#define E2E_TAPE_H

#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <string.h>

/* A tape of this kind in the world's directory. */
static inline const char *tape(const char *kind)
{
  const char *dir = world_path(&w, kind);
  struct run r = run_plain(&w, "record-tape", dir, kind, "40", NULL);
  expect_success(&r);
  run_release(&r);
  return dir;
}

/* The exit code, and a piece of what it says; releases the run. */
static inline void expect_says(struct run *r, int status, const char *text)
{
  cr_expect_eq(r->status, status, "exit %d: %s", r->status, r->err);
  cr_expect(strstr(r->out, text) || strstr(r->err, text), "expected \"%s\" in:\n%s%s", text, r->out, r->err);
  run_release(r);
}

/* What it prints, as JSON; releases the run. */
static inline json_t *document(struct run *r)
{
  json_error_t error;
  json_t *json = json_loadb(r->out, r->out_len, JSON_REJECT_DUPLICATES, &error);
  cr_assert(json, "no JSON: %s\n%s%s", error.text, r->out, r->err);
  run_release(r);
  return json;
}

static inline const char *text_at(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

static inline long number_at(const json_t *object, const char *name)
{
  return (long)json_integer_value(json_object_get(object, name));
}

#endif
