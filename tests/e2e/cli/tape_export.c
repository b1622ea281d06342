/* SPDX-License-Identifier: MIT */
/* idemshim tape export: a HAR 1.2, and the file that it goes to. */
#include "tests/e2e/cli/tape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* HAR 1.2. */

struct member {
  const char *name;
  char kind; /* s: string; n: number; i: integer; a: array; o: object */
};

static bool is_kind(const json_t *value, char kind)
{
  return kind == 's'   ? json_is_string(value)
         : kind == 'n' ? json_is_number(value)
         : kind == 'i' ? json_is_integer(value)
         : kind == 'a' ? json_is_array(value)
                       : json_is_object(value);
}

static void expect_members(const json_t *object, const char *what, const struct member *members)
{
  for (; members->name; members++)
    cr_expect(is_kind(json_object_get(object, members->name), members->kind), "%s.%s", what, members->name);
}

static void expect_pairs(const json_t *list, const char *what)
{
  static const struct member pair[] = {{"name", 's'}, {"value", 's'}, {NULL, 0}};
  size_t i;
  const json_t *entry;
  json_array_foreach(list, i, entry) expect_members(entry, what, pair);
}

static void expect_message(const json_t *message, const char *what)
{
  static const struct member both[] = {{"httpVersion", 's'}, {"cookies", 'a'},  {"headers", 'a'},
                                       {"headersSize", 'i'}, {"bodySize", 'i'}, {NULL, 0}};
  expect_members(message, what, both);
  expect_pairs(json_object_get(message, "headers"), "headers");
  expect_pairs(json_object_get(message, "cookies"), "cookies");
}

/* "time" is the sum of the timings that apply, without ssl, which is a part of connect. */
static void expect_timings(const json_t *entry)
{
  static const char *const parts[] = {"blocked", "dns", "connect", "send", "wait", "receive"};
  const json_t *timings = json_object_get(entry, "timings");
  double sum = 0;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    double part = json_number_value(json_object_get(timings, parts[i]));
    cr_expect(json_is_number(json_object_get(timings, parts[i])), "%s", parts[i]);
    cr_expect(part >= 0 || (i < 3 && part == -1), "%s: %f", parts[i], part);
    sum += part > 0 ? part : 0;
  }
  cr_expect_float_eq(json_number_value(json_object_get(entry, "time")), sum, 0.01);
}

static void expect_entry(const json_t *entry)
{
  static const struct member members[] = {
      {"startedDateTime", 's'}, {"time", 'n'},    {"request", 'o'}, {"response", 'o'},
      {"cache", 'o'},           {"timings", 'o'}, {NULL, 0}};
  static const struct member request[] = {{"method", 's'}, {"url", 's'}, {"queryString", 'a'}, {NULL, 0}};
  static const struct member response[] = {
      {"status", 'i'}, {"statusText", 's'}, {"content", 'o'}, {"redirectURL", 's'}, {NULL, 0}};
  static const struct member content[] = {{"size", 'i'}, {"mimeType", 's'}, {NULL, 0}};
  int year, day, ms;
  const json_t *asked = json_object_get(entry, "request"), *got = json_object_get(entry, "response");
  const json_t *post = json_object_get(asked, "postData");
  expect_members(entry, "entry", members);
  cr_expect_eq(sscanf(text_at(entry, "startedDateTime"), "%4d-11-%2dT10:%*2d:%*2d.%3dZ", &year, &day, &ms),
               3);
  expect_message(asked, "request");
  expect_members(asked, "request", request);
  expect_pairs(json_object_get(asked, "queryString"), "queryString");
  if (post)
    expect_members(post, "postData", (struct member[]){{"mimeType", 's'}, {"text", 's'}, {NULL, 0}});
  expect_message(got, "response");
  expect_members(got, "response", response);
  expect_members(json_object_get(got, "content"), "content", content);
  expect_timings(entry);
}

static json_t *har_of(const char *kind)
{
  struct run r = run_plain(&w, "idemshim", "tape", "export", "--har", tape(kind), NULL);
  cr_expect_eq(r.status, 0, "%s", r.err);
  return document(&r);
}

static void expect_har(const json_t *har, size_t count)
{
  static const struct member log_members[] = {
      {"version", 's'}, {"creator", 'o'}, {"entries", 'a'}, {NULL, 0}};
  const json_t *log = json_object_get(har, "log"), *entry;
  size_t i;
  expect_members(log, "log", log_members);
  cr_expect_str_eq(text_at(log, "version"), "1.2");
  expect_members(json_object_get(log, "creator"), "creator",
                 (struct member[]){{"name", 's'}, {"version", 's'}, {NULL, 0}});
  cr_expect_eq(json_array_size(json_object_get(log, "entries")), count);
  json_array_foreach(json_object_get(log, "entries"), i, entry) expect_entry(entry);
}

Test(cli_tape, a_har_has_what_har_1_2_demands)
{
  static const struct {
    const char *kind;
    size_t count;
  } tapes[] = {{"day", 16}, {"hostile", 9}, {"many", 40}};
  for (size_t i = 0; i < sizeof tapes / sizeof *tapes; i++) {
    json_t *har = har_of(tapes[i].kind);
    expect_har(har, tapes[i].count);
    json_decref(har);
  }
}

static const json_t *entry_of(const json_t *har, size_t number)
{
  return json_array_get(json_object_get(json_object_get(har, "log"), "entries"), number - 1);
}

Test(cli_tape, a_har_tells_streams_bytes_and_failures)
{
  json_t *har = har_of("day");
  const json_t *stream = json_object_get(json_object_get(entry_of(har, 2), "response"), "content");
  const json_t *speech = json_object_get(json_object_get(entry_of(har, 12), "response"), "content");
  const json_t *timeout = json_object_get(entry_of(har, 6), "response");
  const json_t *query = json_object_get(json_object_get(entry_of(har, 13), "request"), "queryString");

  cr_expect(strstr(text_at(stream, "text"), "data: [DONE]"), "%s", text_at(stream, "text"));
  cr_expect_null(json_object_get(stream, "encoding"));
  cr_expect_str_eq(text_at(stream, "mimeType"), "text/event-stream");
  cr_expect_str_eq(text_at(speech, "encoding"), "base64");
  cr_expect_str_eq(text_at(speech, "text"), "//uQZAAAAACA/v8=");
  cr_expect_eq(number_at(timeout, "status"), 0);
  cr_expect_str_eq(text_at(timeout, "_error"), "OPERATION_TIMEDOUT");
  cr_expect_str_eq(text_at(json_array_get(query, 0), "value"), "[redacted]");
  json_decref(har);
}

/* Files of --output. */

Test(cli_tape, an_output_file_is_whole_or_not_there)
{
  const char *dir = tape("day"), *out = world_path(&w, "run.har");
  struct run r = run_plain(&w, "idemshim", "tape", "export", "--har", "--output", out, dir, NULL);
  expect_success(&r);
  cr_expect_eq(r.out_len, 0);
  json_t *har = json_load_file(out, 0, NULL);
  expect_har(har, 16);
  json_decref(har);
  run_release(&r);
  r = run_plain(&w, "idemshim", "tape", "report", "--output", world_path(&w, "no/such/dir"), dir, NULL);
  expect_says(&r, 3, "No such file or directory");
  r = run_shell_plain(&w, world_text(&w, "idemshim tape export --har %s > /dev/full", dir));
  expect_says(&r, 3, "cannot be written");
  r = run_plain(&w, "idemshim", "tape", "export", dir, NULL);
  expect_says(&r, 2, "--har or --otlp");
}

#define EXPORT "idemshim tape export --har --output "

/* A link of the test's own stands for /dev/stdout, which root could replace. */
Test(cli_tape, an_output_that_is_no_file_is_written_to_as_it_is)
{
  const char *dir = tape("day");
  struct run plain = run_plain(&w, "idemshim", "tape", "export", "--har", dir, NULL);
  const char *const scripts[] = {
      "mkfifo \"$HOME/pipe\"; cat \"$HOME/pipe\" & " EXPORT "\"$HOME/pipe\" %s; wait; test -p \"$HOME/pipe\"",
      "ln -s /proc/self/fd/1 \"$HOME/stdout\"; " EXPORT "\"$HOME/stdout\" %s",
      EXPORT "\"$HOME/stdout\" %s >\"$HOME/out\"; cat \"$HOME/out\"",
      EXPORT "/proc/self/fd/3 %s 3>&1 | cat",
      "ln -s /proc/self/fd/3 \"$HOME/named\"; " EXPORT "\"$HOME/named\" %s 3>&1 >/dev/null | cat",
  };
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    char script[1024];
    snprintf(script, sizeof script, "%.*s%s%s", (int)(strstr(scripts[i], "%s") - scripts[i]), scripts[i], dir,
             strstr(scripts[i], "%s") + 2);
    struct run r = run_shell_plain(&w, script);
    expect_success(&r);
    expect_same_output(&plain, &r);
    run_release(&r);
  }
  run_release(&plain);
}

/* Whoever made the link would say what is written over. */
Test(cli_tape, an_output_is_a_new_file_of_its_own_and_follows_no_link)
{
  const char *dir = tape("day");
  struct run r = run_shell_plain(
      &w, world_text(
              &w,
              "umask 0; cd \"$HOME\"; echo precious >target; ln -s target link; ln -s nowhere dangling; "
              "exec 4<target; for name in link dangling; do " EXPORT "$name %s && exit 9; done; "
              "test ! -e nowhere && grep -qx precious target && " EXPORT "target %s && grep -qx precious <&4 "
              "&& stat -c %%a target && ls -A | grep -c target",
              dir, dir));
  expect_success(&r);
  cr_expect_str_eq(r.out, "600\n1\n");
  cr_expect(strstr(r.err, "link is a link, and not followed"), "%s", r.err);
  run_release(&r);
}

Test(cli_tape, an_output_is_not_put_into_the_tape_or_the_store)
{
  const char *dir = tape("day");
  world_env(&w, "DAY", "%s", dir);
  struct run r = run_shell_plain(
      &w,
      "ls -A $DAY >\"$HOME/before\"; mkdir -p -m 700 \"$IDEMSHIM_STORE/below\"; ln -s $DAY \"$HOME/linked\"; "
      "for name in $DAY/run.har \"$HOME/linked/run.har\" \"$IDEMSHIM_STORE/below/run.har\"; do " EXPORT
      "$name $DAY; [ $? -eq 2 ] || exit 9; done; cd $DAY && " EXPORT "run.har . ; [ $? -eq 2 ] || exit 8; "
      "ls -A $DAY | cmp - \"$HOME/before\" && ! find \"$IDEMSHIM_STORE\" -type f | grep .");
  expect_success(&r);
  cr_expect(strstr(r.err, "is inside of the tape"), "%s", r.err);
  cr_expect(strstr(r.err, "is inside of the store"), "%s", r.err);
  run_release(&r);
  r = run_plain(&w, "idemshim", "tape", "report", "--output", w.dir, dir, NULL);
  expect_says(&r, 3, "Is a directory");
}
