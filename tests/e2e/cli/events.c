/* SPDX-License-Identifier: MIT */
/* Every event is as docs/events.schema.json says, and the manual and the source have the same ones. */
#include "tests/harness/schema.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static json_t *schema;

static void set_up(void)
{
  open_world();
  schema = schema_read("events.schema.json");
}

TestSuite(events, .init = set_up, .fini = close_world);

static json_t *get(json_t *object, const char *name, const char *member)
{
  return json_object_get(json_object_get(object, name), member);
}

/* Every line so far; how many there are. */
static int expect_valid_log(void)
{
  char *log = file_read(w.log, &(size_t){0}), *rest = log, *line;
  char fault[SCHEMA_FAULT];
  int count = 0;
  while (rest && *rest && (line = strsep(&rest, "\n"))) {
    json_t *event = json_loads(line, 0, NULL);
    cr_assert(event, "no JSON: %s", line);
    cr_expect(schema_fits(schema, "#", event, fault), "%s: %s", fault, line);
    json_decref(event);
    count++;
  }
  free(log);
  return count;
}

/* ---- what a day brings ---- */

static void call(const char *body, const char *target, const char *header)
{
  struct run r =
      run_shim(&w, "curl", "-sS", "-m", "10", CURL_JSON(body), "-H", header, world_url(&w, target), NULL);
  run_release(&r);
}

Test(events, each_line_is_as_the_schema_says)
{
  static const char target[] = "/v1/chat/completions";
  world_env(&w, "IDEMSHIM_SCOPE", "a day");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1:%d mismatch=reject", w.port);
  call("{\"a\":1}", target, "X-None: 1");
  call("{\"a\":1}", target, "X-None: 1");
  call("{\"a\":1}", target, "X-None: 2");
  call("{\"a\":2}", target, "Idempotency-Key: one");
  call("{\"a\":3}", target, "Idempotency-Key: one");
  call("{\"a\":2}", target, "Idempotency-Key: two");
  call("{\"a\":4}", target, "Cache-Control: no-store");
  call("{\"a\":5}", "/v1/chat/completions?mock=status%3D500", "X-None: 1");
  call("{\"a\":6}", "/v1/chat/completions?mock=reset", "X-None: 1");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1:%d ttl=1ms", w.port);
  call("{\"a\":7}", target, "X-None: 1");
  call("{\"a\":7}", target, "X-None: 1");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1:%d ignore=/at", w.port);
  call("no JSON", target, "X-None: 1");
  world_env(&w, "IDEMSHIM_MODE", "observe");
  call("{\"a\":8}", target, "X-None: 1");
  call("{\"a\":8}", target, "X-None: 1");
  world_env(&w, "IDEMSHIM_MODE", "record");
  world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  call("{\"a\":9,\"day\":\"2026-11-26\"}", target, "X-None: 1");
  world_env(&w, "IDEMSHIM_MODE", "replay");
  call("{\"a\":9,\"day\":\"2026-11-26\"}", target, "X-None: 1");
  call("{\"a\":10}", target, "X-None: 1");
  world_env(&w, "IDEMSHIM_MATCH", "loose");
  call("{\"a\":9,\"day\":\"2026-11-27\"}", target, "X-None: 1");
  world_unset(&w, "IDEMSHIM_MODE");
  world_unset(&w, "IDEMSHIM_TAPE");
  world_env(&w, "IDEMSHIM_STORE", "/proc/none");
  call("{\"a\":11}", target, "X-None: 1");

  cr_expect_geq(expect_valid_log(), 25);
  static const char *const seen[] = {"live",      "stored",   "hit",          "header_drift", "mismatch",
                                     "key_churn", "bypass",   "not_stored",   "expired",      "unread",
                                     "would_hit", "replayed", "not_recorded", "loosened",     "problem"};
  for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
    cr_expect_geq(log_events(&w, seen[i]), 1, "%s did not come", seen[i]);
}

/* ---- the same ones everywhere ---- */

Test(events, the_source_has_no_other)
{
  struct run r = run_shell_plain(
      &w, "grep -rhozE '(request_event\\([^\";]*|\\.name = [^\";]*|tell\\(request, |begin\\(&line, |\\? |: "
          ")\"[a-z_]+\"' shim "
          "--include=*.c | tr '\\0' '\\n' | grep -aE 'request_event|\\.name|tell\\(|begin\\(' | grep -aoE "
          "'\"[a-z_]+\"' | sort -u | tr -d '\"'");
  char *rest = r.out, *name;
  char fault[SCHEMA_FAULT];
  int count = 0;
  expect_success(&r);
  while ((name = strsep(&rest, "\n")) && *name) {
    json_t *value = json_string(name);
    cr_expect(schema_fits(schema, "#/properties/event", value, fault), "no event %s: %s", name, fault);
    json_decref(value);
    count++;
  }
  cr_expect_geq(count, 15);
  run_release(&r);
}

Test(events, the_manual_has_the_same)
{
  char *manual = file_read("docs/idemshim.7", &(size_t){0}), *section = strstr(manual, ".Sh EVENTS");
  json_t *known = json_object_get(get(schema, "properties", "event"), "enum"), *event;
  const char *member;
  size_t i;
  cr_assert_not_null(section);
  *strstr(section + 1, ".Sh ") = '\0';
  json_array_foreach(known, i, event)
      cr_expect(strstr(section, world_text(&w, "\n.It Li %s Ta ", json_string_value(event))),
                "the manual has no event %s", json_string_value(event));
  json_object_foreach(json_object_get(schema, "properties"), member, event)
      cr_expect(strstr(section, world_text(&w, "\n.It Li %s Ta ", member)) || strcmp(member, "event") == 0,
                "the manual has no member %s", member);
  cr_expect_eq((size_t)count_of(section, "\n.It Li "),
               json_array_size(known) + json_object_size(json_object_get(schema, "properties")) - 1);
  free(manual);
}
