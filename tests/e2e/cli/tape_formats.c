/* SPDX-License-Identifier: MIT */
/* A tape in the formats of others: what is written holds to their schemas, and what they
 * have saved is replayed. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_up(void)
{
  open_world();
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
}

TestSuite(cli_tape_formats, .init = set_up, .fini = close_world);

static const char *made_up(const char *kind)
{
  const char *dir = world_path(&w, kind);
  struct run r = run_plain(&w, "record-tape", dir, kind, "40", NULL);
  expect_success(&r);
  run_release(&r);
  return dir;
}

/* A stream and an answer of the mock's, on one connection. */
static const char *recorded(void)
{
  const char *dir = world_path(&w, "recorded"), *url = world_url(&w, "/v1/chat/completions");
  struct run r = run_plain(&w, "idemshim", "record", "-o", dir, "--", "curl", "-sS", "-d",
                           "{\"model\":\"m\",\"stream\":true}", url, "--next", "-sS", "-d",
                           "{\"model\":\"m\",\"temperature\":0}", url, NULL);
  expect_success(&r);
  run_release(&r);
  return dir;
}

static json_t *exported(const char *format, const char *dir)
{
  struct run r = run_plain(&w, "idemshim", "tape", "export", format, dir, NULL);
  json_error_t error;
  json_t *document = json_loads(r.out, 0, &error);
  expect_success(&r);
  cr_assert(document, "%s", error.text);
  run_release(&r);
  return document;
}

static const char *text_at(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

Test(cli_tape_formats, a_har_has_the_connection_and_the_events_as_browsers_write_them)
{
  json_t *har = exported("--har", recorded()),
         *entries = json_object_get(json_object_get(har, "log"), "entries");
  const json_t *stream = json_array_get(entries, 0), *whole = json_array_get(entries, 1);
  const json_t *messages = json_object_get(stream, "_eventSourceMessages"),
               *last = json_array_get(messages, json_array_size(messages) - 1);

  cr_expect_gt(json_array_size(messages), 1);
  cr_expect_str_eq(text_at(last, "data"), "[DONE]");
  cr_expect_str_eq(text_at(last, "eventName"), "message");
  cr_expect_gt(json_number_value(json_object_get(last, "time")), 1.7e9);
  cr_expect_null(json_object_get(whole, "_eventSourceMessages"));
  cr_expect(*text_at(stream, "connection"));
  cr_expect_str_eq(text_at(stream, "connection"), text_at(whole, "connection"));
  json_decref(har);
}

Test(cli_tape_formats, a_har_holds_to_the_schema)
{
  const char *day = made_up("day"), *many = made_up("many"), *real = recorded();
  struct run r = run_shell_plain(
      &w,
      world_text(&w,
                 "for tape in %s %s %s; do idemshim tape export --har -o $tape.har $tape || exit 1; done; "
                 "OFFLINE=1 scripts/har-schema \"$HOME\"/*.har",
                 day, many, real));
  if (r.status == 77)
    cr_skip_test("the schema is not here (scripts/har-schema)");
  expect_success(&r);
  cr_expect_str_eq(r.out, "");
  run_release(&r);
}

/* The value of an attribute of a span, whatever its type; NULL: it has none of that name. */
static const json_t *attribute(const json_t *span, const char *key)
{
  const json_t *entry;
  size_t i;
  json_array_foreach(
      json_object_get(span, "attributes"), i,
      entry) if (strcmp(text_at(entry, "key"), key) ==
                 0) return json_object_iter_value(json_object_iter(json_object_get(entry, "value")));
  return NULL;
}

static const char *attribute_text(const json_t *span, const char *key)
{
  const char *text = json_string_value(attribute(span, key));
  return text ? text : "";
}

Test(cli_tape_formats, a_trace_has_a_span_for_each_call_below_that_of_the_run)
{
  const char *dir = made_up("day");
  json_t *trace = exported("--otlp", dir),
         *resource = json_array_get(json_object_get(trace, "resourceSpans"), 0);
  const json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0),
               *spans = json_object_get(scope, "spans");
  const json_t *first = json_array_get(spans, 0), *limited = json_array_get(spans, 2),
               *lost = json_array_get(spans, 5), *run = json_array_get(spans, 16);
  char *text = json_dumps(trace, 0);

  cr_expect_eq(json_array_size(spans), 17);
  cr_expect_str_eq(text_at(scope, "schemaUrl"), "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev");
  cr_expect_str_eq(text_at(first, "name"), "chat gpt-4o-mini");
  cr_expect_str_eq(text_at(first, "startTimeUnixNano"), "1795341600000000000");
  cr_expect_str_eq(text_at(first, "endTimeUnixNano"), "1795341600826000000");
  cr_expect_str_eq(text_at(first, "parentSpanId"), text_at(run, "spanId"));
  cr_expect_str_eq(text_at(run, "parentSpanId"), "");
  cr_expect_str_eq(attribute_text(first, "gen_ai.usage.output_tokens"), "42");
  cr_expect_str_eq(attribute_text(first, "server.address"), "api.example.com");
  cr_expect_str_eq(attribute_text(limited, "error.type"), "429");
  cr_expect_str_eq(attribute_text(lost, "error.type"), "OPERATION_TIMEDOUT");
  cr_expect_null(strstr(text, "ticket 1042"), "a prompt");
  cr_expect_null(strstr(text, "printer"), "an answer");
  free(text);
  json_decref(trace);
}

Test(cli_tape_formats, a_har_of_ours_comes_back_as_the_same_run)
{
  const char *dir = made_up("day"), *again = world_path(&w, "again"), *har = world_path(&w, "day.har");
  struct run written = run_plain(&w, "idemshim", "tape", "export", "--har", "-o", har, dir, NULL);
  struct run read = run_plain(&w, "idemshim", "tape", "import", har, "-o", again, "--hosts",
                              "api.example.com,api.elsewhere.example", NULL);
  struct run diff = run_plain(&w, "idemshim", "tape", "diff", dir, again, NULL);

  expect_success(&written);
  cr_expect(strstr(read.out, "16 exchanges on "), "%s%s", read.out, read.err);
  /* A HAR has no status for the answer that broke off. */
  cr_expect(strstr(diff.out, "15 the same, 1 differs, 0 only in the first, 0 only in the second"), "%s",
            diff.out);
  run_release(&written);
  run_release(&read);
  run_release(&diff);
}

/* Of a browser: HTTP/2, its own headers, a stream whose events alone were kept; and of a
 * host that no rule wants. */
static const char *browser_har(const char *url)
{
  static const char format[] =
      "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"WebInspector\",\"version\":\"537.36\"},"
      "\"entries\":["
      "{\"startedDateTime\":\"2026-11-25T12:00:01.500+01:00\",\"time\":700,\"serverIPAddress\":\"1.1.1.1\","
      "\"request\":{\"method\":\"POST\","
      "\"url\":\"%s\","
      "\"httpVersion\":\"h2\",\"headers\":[{\"name\":\":authority\",\"value\":\"x\"},{\"name\":\"content-"
      "type\",\"value\":"
      "\"application/json\"},{\"name\":\"authorization\",\"value\":\"Bearer "
      "sk-secret-secret\"}],\"postData\":{\"mimeType\":"
      "\"application/"
      "json\",\"text\":\"{\\\"model\\\":\\\"m\\\",\\\"stream\\\":true}\"}},\"response\":{\"status\":200,"
      "\"statusText\":\"\",\"httpVersion\":\"h2\",\"headers\":[{\"name\":\"content-type\",\"value\":\"text/"
      "event-stream\"},"
      "{\"name\":\"content-encoding\",\"value\":\"br\"}],\"content\":{\"size\":0,\"mimeType\":\"text/"
      "event-stream\"}},"
      "\"timings\":{\"send\":1,\"wait\":200,\"receive\":499},\"_eventSourceMessages\":[{\"time\":1795604401."
      "9,\"eventName\":"
      "\"delta\",\"eventId\":\"\",\"data\":\"{\\\"a\\\":1}\"},{\"time\":1795604402.1,\"eventName\":"
      "\"message\",\"eventId\":\"\","
      "\"data\":\"[DONE]\"}]},"
      "{\"startedDateTime\":\"2026-11-25T11:00:00Z\",\"time\":5,\"request\":{\"method\":\"GET\",\"url\":"
      "\"https://elsewhere.example/"
      "logo.png\",\"headers\":[]},\"response\":{\"status\":200,\"headers\":[],\"content\":{}},"
      "\"timings\":{}}]}}";
  char *text = NULL;
  cr_assert_gt(asprintf(&text, format, url), 0);
  const char *path = world_write(&w, "browser.har", text, strlen(text));
  free(text);
  return path;
}

Test(cli_tape_formats, what_a_browser_has_saved_is_replayed_without_a_request)
{
  const char *dir = world_path(&w, "imported");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 vary=none"); /* a browser sends other headers */
  struct run read = run_plain(&w, "idemshim", "tape", "import", "-o", dir,
                              browser_har(world_url(&w, "/v1/chat/completions")), NULL);
  struct run listed = run_plain(&w, "idemshim", "tape", "ls", dir, NULL);
  struct run replayed =
      run_plain(&w, "idemshim", "replay", dir, "--", "curl", "-sS", "-i",
                CURL_JSON("{\"model\":\"m\",\"stream\":true}"), world_url(&w, "/v1/chat/completions"), NULL);

  cr_expect(strstr(read.out, "1 exchange on "), "%s%s", read.out, read.err);
  cr_expect(strstr(read.out, "1 meets no rule: name its host with --hosts"), "%s", read.out);
  cr_expect(strstr(listed.out, "2026-11-25 "), "%s", listed.out);
  expect_success(&replayed);
  cr_expect(strstr(replayed.out, "event: delta\ndata: {\"a\":1}\n\ndata: [DONE]\n\n"), "%s%s", replayed.out,
            replayed.err);
  cr_expect_null(strstr(replayed.out, "content-encoding"), "%s", replayed.out);
  cr_expect_eq(mock_count(&w).served, 0);
  cr_expect_not(file_contains(dir, "sk-secret-secret"), "a credential");
  run_release(&read);
  run_release(&listed);
  run_release(&replayed);
}

/* HAR 1.2 has a form as its text or as what is in it; a body that cannot be read is not taken for none. */
Test(cli_tape_formats, a_form_is_had_from_its_parameters_and_bad_base64_is_told)
{
  static const char format[] =
      "{\"log\":{\"entries\":[{\"startedDateTime\":\"2026-11-25T11:00:00Z\",\"time\":5,\"request\":{"
      "\"method\":"
      "\"POST\",\"url\":\"%s\",\"headers\":[],\"postData\":{\"mimeType\":\"application/"
      "x-www-form-urlencoded\","
      "\"params\":[{\"name\":\"a "
      "b\",\"value\":\"1&2\"},{\"name\":\"c\",\"value\":\"\u00e9\"}]}},\"response\":{"
      "\"status\":200,\"headers\":[],\"content\":{\"text\":\"fine\"}}},"
      "{\"startedDateTime\":\"2026-11-25T11:00:01Z\",\"time\":5,\"request\":{\"method\":\"POST\",\"url\":\"%"
      "s\","
      "\"headers\":[]},\"response\":{\"status\":200,\"headers\":[],\"content\":{\"encoding\":\"base64\","
      "\"text\":"
      "\"no base64!\"}}}]}}";
  const char *dir = world_path(&w, "imported"), *url = world_url(&w, "/v1/forms");
  char *har = NULL;
  cr_assert_gt(asprintf(&har, format, url, url), 0);
  const char *path = world_write(&w, "form.har", har, strlen(har));
  free(har);
  struct run read =
      run_plain(&w, "idemshim", "tape", "import", "-o", dir, path, "--hosts", "127.0.0.1", NULL);
  struct run shown = run_plain(&w, "idemshim", "tape", "show", dir, "1", NULL);

  cr_expect(strstr(read.out, "1 exchange on ") && strstr(read.out, "1 is no HTTP exchange"), "%s%s", read.out,
            read.err);
  cr_expect(strstr(shown.out, "a+b=1%262&c=%C3%A9"), "%s", shown.out);
  run_release(&read);
  run_release(&shown);
}

/* "http://host:port?q" is sent as "/?q". */
Test(cli_tape_formats, a_url_without_a_path_keeps_its_query)
{
  char url[128];
  const char *dir = world_path(&w, "imported");
  snprintf(url, sizeof url, "%.*s?page=2#top", (int)strlen(world_url(&w, "/")) - 1, world_url(&w, "/"));
  struct run read =
      run_plain(&w, "idemshim", "tape", "import", "-o", dir, browser_har(url), "--hosts", "127.0.0.1", NULL);
  struct run listed = run_plain(&w, "idemshim", "tape", "ls", "--json", dir, NULL);
  cr_expect(strstr(read.out, "1 exchange on "), "%s%s", read.out, read.err);
  cr_expect(strstr(listed.out, "/?page=2\""), "%s%s", listed.out, listed.err);
  run_release(&read);
  run_release(&listed);
}

/* A URI has brackets in its host alone. */
Test(cli_tape_formats, an_address_keeps_its_brackets_and_a_query_has_none)
{
  const char *dir = world_path(&w, "imported");
  struct run read = run_plain(&w, "idemshim", "tape", "import", "-o", dir,
                              browser_har("http://[::1]:8080/a[0]?page[1]=2"), "--hosts", "[::1]", NULL);
  expect_success(&read);
  json_t *har = exported("--har", dir), *entries = json_object_get(json_object_get(har, "log"), "entries");
  const char *url = text_at(json_object_get(json_array_get(entries, 0), "request"), "url");
  cr_expect_str_eq(url, "http://[::1]:8080/a%5B0%5D?page%5B1%5D=2");
  json_decref(har);
  run_release(&read);
}

/* Eight bytes, as a number has. */
Test(cli_tape_formats, a_short_text_of_libcurl_is_shown_as_a_text)
{
  const char *dir = world_path(&w, "imported");
  struct run read =
      run_plain(&w, "idemshim", "tape", "import", "-o", dir,
                browser_har(world_url(&w, "/v1/chat/completions")), "--hosts", "127.0.0.1", NULL);
  struct run text = run_plain(&w, "idemshim", "tape", "show", dir, "1", NULL);
  struct run json = run_plain(&w, "idemshim", "tape", "show", "--json", dir, "1", NULL);
  cr_expect(strstr(text.out, " PRIMARY_IP               1.1.1.1\n"), "%s%s", text.out, read.err);
  cr_expect(strstr(json.out, "\"PRIMARY_IP\":\"1.1.1.1\"") || strstr(json.out, "\"PRIMARY_IP\": \"1.1.1.1\""),
            "%s", json.out);
  cr_expect(strstr(text.out, " RESPONSE_CODE            200\n"), "%s", text.out);
  run_release(&read);
  run_release(&text);
  run_release(&json);
}

Test(cli_tape_formats, what_is_no_har_is_named)
{
  const char *no = world_write(&w, "no.json", "{\"log\":{}}", 10);
  struct run none = run_plain(&w, "idemshim", "tape", "import", no, "-o", world_path(&w, "x"), NULL);
  struct run where =
      run_plain(&w, "idemshim", "tape", "import", browser_har(world_url(&w, "/v1/chat/completions")), NULL);
  struct run broken = run_plain(&w, "idemshim", "tape", "import", world_write(&w, "b", "{", 1), "-o",
                                world_path(&w, "x"), NULL);

  cr_expect_eq(none.status, 2);
  cr_expect(strstr(none.err, "is no HTTP archive: it has no log.entries"), "%s", none.err);
  cr_expect_eq(where.status, 2);
  cr_expect(strstr(where.err, "say where to: -o DIR"), "%s", where.err);
  cr_expect_eq(broken.status, 2);
  struct run directory =
      run_plain(&w, "idemshim", "tape", "import", world_path(&w, "."), "-o", world_path(&w, "x"), NULL);
  cr_expect_eq(directory.status, 2);
  cr_expect(strstr(directory.err, ": Is a directory\n"), "%s", directory.err);
  struct run unmet = run_plain(&w, "idemshim", "tape", "import", browser_har("https://other.example/"), "-o",
                               world_path(&w, "x"), NULL);
  cr_expect_eq(unmet.status, 1);
  cr_expect(strstr(unmet.out, "nothing was written; 2 meet no rule: name their hosts with --hosts\n"), "%s%s",
            unmet.out, unmet.err);
  cr_expect_neq(access(world_path(&w, "x"), F_OK), 0);
  run_release(&unmet);
  run_release(&directory);
  run_release(&none);
  run_release(&where);
  run_release(&broken);
}
