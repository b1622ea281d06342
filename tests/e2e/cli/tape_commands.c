/* SPDX-License-Identifier: MIT */
/* idemshim tape, on tapes of every shape. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(cli_tape, .init = open_world, .fini = close_world);

/* A tape of this kind in the world's directory. */
static const char *tape(const char *kind)
{
  const char *dir = world_path(&w, kind);
  struct run r = run_plain(&w, "record-tape", dir, kind, "40", NULL);
  expect_success(&r);
  run_release(&r);
  return dir;
}

static void expect_says(struct run *r, int status, const char *text)
{
  cr_expect_eq(r->status, status, "exit %d: %s", r->status, r->err);
  cr_expect(strstr(r->out, text) || strstr(r->err, text), "expected \"%s\" in:\n%s%s", text, r->out, r->err);
  run_release(r);
}

static json_t *document(struct run *r)
{
  json_error_t error;
  json_t *json = json_loadb(r->out, r->out_len, JSON_REJECT_DUPLICATES, &error);
  cr_assert(json, "no JSON: %s\n%s%s", error.text, r->out, r->err);
  run_release(r);
  return json;
}

static const char *text_at(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

static long number_at(const json_t *object, const char *name)
{
  return (long)json_integer_value(json_object_get(object, name));
}

Test(cli_tape, each_of_its_commands_explains_itself)
{
  static const char *const commands[] = {"ls", "show", "diff", "verify", "export", "report", "import"};
  struct run all = run_plain(&w, "idemshim", "tape", "--help", NULL);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", "tape", commands[i], "--help", NULL);
    cr_expect(strstr(all.out, world_text(&w, "\n%s ", commands[i])), "%s: %s", commands[i], all.out);
    expect_says(&r, 0, world_text(&w, "usage: idemshim tape %s [options] ", commands[i]));
  }
  expect_success(&all);
  run_release(&all);
}

/* Each option of the help of a command stands in its line of the synopsis. */
Test(cli_tape, the_manual_names_every_command_and_option)
{
  static const char *const commands[] = {"ls", "show", "diff", "verify", "export", "report", "import"};
  size_t len;
  char *page = file_read("docs/idemshim.1", &len);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    struct run r = run_plain(&w, "idemshim", "tape", commands[i], "--help", NULL);
    char *synopsis = strstr(page, world_text(&w, ".Cm tape %s\n", commands[i]));
    cr_assert(synopsis, "%s", commands[i]);
    const char *end = strstr(synopsis, "\n.Nm\n");
    for (char *at = strstr(r.out, "options:\n"); (at = strstr(at, "\n  --")); at++) {
      int name_len = (int)strcspn(at + 5, " \n");
      const char *found = strstr(synopsis, world_text(&w, "-%.*s", name_len, at + 5));
      bool named = (found && found < end) || strncmp(at + 5, "help", 4) == 0;
      cr_expect(named, "%s --%.*s is not in idemshim.1", commands[i], name_len, at + 5);
    }
    run_release(&r);
  }
  free(page);
}

Test(cli_tape, mistakes_are_named)
{
  static const struct {
    const char *words[2], *message;
  } mistakes[] = {
      {{NULL}, "tape: an operand is missing"},
      {{"shwo"}, "tape: unknown command \"tape shwo\"; did you mean \"show\"?"},
      {{"ls"}, "tape ls: an operand is missing; usage: idemshim tape ls DIR"},
      {{"ls", "--jsno"}, "tape ls: unknown option \"--jsno\"; did you mean \"--json\"?"},
      {{"ls", "--limit"}, "tape ls: --limit needs a value"},
      {{"diff", "."}, "tape diff: an operand is missing"},
  };
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    const char *argv[] = {"idemshim", "tape", mistakes[i].words[0], mistakes[i].words[1], NULL};
    struct run r = run_argv(&w, false, argv);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    expect_says(&r, 2, mistakes[i].message);
  }
}

/* Listing and showing. */

Test(cli_tape, ls_has_a_line_for_each_exchange_in_order)
{
  struct run r = run_plain(&w, "idemshim", "tape", "ls", tape("day"), NULL);
  size_t lines = 0;
  for (const char *at = r.out; (at = strchr(at, '\n')); at++)
    lines++;
  cr_expect_eq(lines, 1 + 16);
  cr_expect(strstr(r.out, "OPERATION_TIMEDOUT"), "%s", r.out);
  expect_says(&r, 0, "COULDNT_RESOLVE_HOST api.elsewhere.example/v1/chat/completions");
}

Test(cli_tape, ls_tells_what_was_asked_and_of_whom)
{
  const char *dir = tape("day");
  struct run piped = run_plain(&w, "idemshim", "tape", "ls", dir, NULL);
  struct run seen = run_terminal(&w, 200, world_text(&w, "idemshim tape ls %s", dir));

  expect_success(&seen);
  cr_expect(strstr(piped.out, "  api.example.com/v1/chat/completions  gpt-4o-mini  \"Tell me a story.\"\n"),
            "%s", piped.out);
  cr_expect(strstr(seen.out, " B  gpt-4o-mini  \"Tell me a story.\""),
            "the call is that of the line above: %s", seen.out);
  cr_expect(strstr(seen.out, "COULDNT_RESOLVE_HOST api.elsewhere.example"), "another call: %s", seen.out);
  run_release(&piped);
  run_release(&seen);
}

Test(cli_tape, show_says_what_libcurls_numbers_mean)
{
  const char *dir = world_path(&w, "recorded");
  /* A sanitized library in a program that is not: its runtime cannot come first. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  struct run made = run_plain(&w, "idemshim", "record", "-o", dir, "--", "curl", "-sS", "-d", "{}",
                              world_url(&w, "/v1/chat/completions"), NULL);
  struct run shown = run_plain(&w, "idemshim", "tape", "show", dir, "1", NULL);

  expect_success(&made);
  expect_says(&shown, 0, "  HTTP_VERSION             2  HTTP/1.1\n");
  run_release(&made);
}

Test(cli_tape, ls_as_json_and_only_the_last)
{
  struct run r = run_plain(&w, "idemshim", "tape", "ls", "--json", "--limit", "7", tape("day"), NULL);
  json_t *list = document(&r), *first = json_array_get(list, 0);
  cr_expect_eq(json_array_size(list), 7);
  cr_expect_eq(number_at(first, "number"), 10);
  cr_expect_str_eq(text_at(first, "what"), "hit");
  cr_expect_str_eq(text_at(first, "model"), "gpt-4o-mini");
  cr_expect_str_eq(text_at(first, "prompt"), "Summarise ticket 1042 in two sentences.");
  cr_expect_str_eq(text_at(first, "url"), "https://api.example.com/v1/chat/completions");
  cr_expect_str_eq(text_at(first, "started"), "2026-11-22T10:10:03.830Z");
  json_decref(list);
}

Test(cli_tape, show_has_what_libcurl_said)
{
  struct run r = run_plain(&w, "idemshim", "tape", "show", tape("day"), "7", NULL);
  cr_expect(strstr(r.out, "RECV_ERROR (56): Recv failure: Connection reset by peer"), "%s", r.out);
  cr_expect(strstr(r.out, "set-cookie: session=[redacted]******; Path=/"), "%s", r.out);
  cr_expect(strstr(r.out, "Authorization: Bearer [redacted]"), "%s", r.out);
  cr_expect_null(strstr(r.out, "test-credential"), "%s", r.out);
  expect_says(&r, 0, "STARTTRANSFER_TIME_T     300000");
}

Test(cli_tape, show_gives_the_bytes)
{
  static const char speech[] = "\xff\xfb\x90\x64\0\0\0\0\x80\xfe\xff";
  const char *dir = tape("day");
  struct run body = run_plain(&w, "idemshim", "tape", "show", "--body", dir, "12", NULL);
  struct run request = run_plain(&w, "idemshim", "tape", "show", "--request", dir, "13", NULL);
  struct run json = run_plain(&w, "idemshim", "tape", "show", "--json", dir, "12", NULL);

  expect_same_bytes("body", speech, sizeof speech - 1, body.out, body.out_len);
  cr_expect_str_eq(request.out, "{\"input\":\"fire\"}");
  json_t *document_of = document(&json), *response = json_object_get(document_of, "response");
  cr_expect_str_eq(text_at(response, "body_base64"), "//uQZAAAAACA/v8=");
  cr_expect_eq(number_at(json_object_get(response, "facts"), "CONNECT_TIME_T"), 2000);
  json_decref(document_of);
  run_release(&body);
  run_release(&request);
}

Test(cli_tape, an_exchange_that_is_not_there_is_exit_1)
{
  const char *dir = tape("day");
  struct run none = run_plain(&w, "idemshim", "tape", "show", dir, "17", NULL);
  struct run word = run_plain(&w, "idemshim", "tape", "show", dir, "last", NULL);
  expect_says(&none, 1, "there is no exchange 17; it has 16");
  expect_says(&word, 2, "expected the number of an exchange");
}

Test(cli_tape, a_hostile_tape_does_not_reach_the_terminal)
{
  const char *dir = tape("hostile");
  struct run r =
      run_terminal(&w, 250, world_text(&w, "idemshim tape ls %s; idemshim tape show %s 4", dir, dir));
  cr_expect_null(strstr(r.out, "\033]"), "%s", r.out);
  expect_says(&r, 0, "\\x1b]0;owned");
}

/* Bad tapes: one message, exit 2. */

static void expect_bad(const char *dir, const char *text)
{
  static const char *const commands[][3] = {{"ls"},     {"show", "1"},       {"diff", "."},
                                            {"verify"}, {"export", "--har"}, {"report"}};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    const char *argv[] = {"idemshim", "tape", commands[i][0], dir, commands[i][1], NULL};
    struct run r = run_argv(&w, false, argv);
    cr_expect_eq(r.status, 2, "%s: exit %d: %s", commands[i][0], r.status, r.err);
    cr_expect_eq(r.out_len, 0, "%s", r.out);
    cr_expect(strstr(r.err, text), "%s: expected \"%s\" in: %s", commands[i][0], text, r.err);
    cr_expect_eq(strchr(r.err, '\n'), r.err + r.err_len - 1, "%s: not one line: %s", commands[i][0], r.err);
    run_release(&r);
  }
}

static const char *tape_of_one_file(const char *name, const void *bytes, size_t len)
{
  const char *dir = world_path(&w, name);
  cr_assert_eq(mkdir(dir, 0700), 0);
  world_write(&w, world_text(&w, "%s/00000001.tape", name), bytes, len);
  return dir;
}

Test(cli_tape, what_is_no_tape_is_one_message_and_exit_2)
{
  size_t len;
  char *bytes = file_read(world_text(&w, "%s/00000001.tape", tape("day")), &len);

  expect_bad(world_path(&w, "nowhere"), "there is no tape at ");
  expect_bad(w.dir, "is not a tape: there is no file like 00000001.tape in it");
  expect_bad(tape_of_one_file("text", "hello", 5), "is not a tape: it does not begin with");
  expect_bad(tape_of_one_file("empty", "", 0), "is not a tape");
  expect_bad(tape_of_one_file("short", bytes, 100), "is damaged");
  bytes[8] = 9;
  expect_bad(tape_of_one_file("newer", bytes, len), "the tape has version 9, this idemshim knows version 3");
  free(bytes);
}

Test(cli_tape, a_key_that_is_missing_or_wrong_is_one_message_and_exit_2)
{
  world_write(&w, "right", "a test key of thirty-two bytes!!", 32);
  world_write(&w, "wrong", "another test key of 32 bytes !!!", 32);
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_path(&w, "right"));
  const char *dir = tape("day");
  struct run r = run_plain(&w, "idemshim", "tape", "verify", dir, NULL);
  expect_says(&r, 0, "encrypted");
  cr_expect_not(file_contains(dir, "Summarise"));

  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_path(&w, "wrong"));
  expect_bad(dir, "was encrypted with another key than the one given");
  world_unset(&w, "IDEMSHIM_KEY_FILE");
  expect_bad(dir, "the tape is encrypted; --tape-key-file or IDEMSHIM_TAPE_KEY_FILE names its key");
  r = run_plain(&w, "idemshim", "tape", "ls", "--key-file", world_path(&w, "right"), dir, NULL);
  expect_says(&r, 0, "OPERATION_TIMEDOUT");
}

/* Either option is the key, before any variable; the one that is for a tape alone wins. */
Test(cli_tape, each_command_that_opens_a_tape_takes_its_key_by_either_option)
{
  static const char *const commands[] = {"tape ls KEY day",
                                         "tape show KEY day 1",
                                         "tape diff KEY day day",
                                         "tape verify KEY day",
                                         "tape export KEY --har day",
                                         "tape report KEY day",
                                         "replay KEY day -- true",
                                         "record KEY -o day -- true",
                                         "tape import KEY --hosts api.example.com -o day day.har",
                                         "check KEY"};
  world_write(&w, "right", "a test key of thirty-two bytes!!", 32);
  world_write(&w, "wrong", "another test key of 32 bytes !!!", 32);
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_path(&w, "right"));
  tape("day");
  struct run har =
      run_shell_plain(&w, world_text(&w, "cd %s && idemshim tape export --har -o day.har day", w.dir));
  expect_success(&har);
  world_unset(&w, "IDEMSHIM_KEY_FILE");
  world_env(&w, "IDEMSHIM_TAPE_KEY_FILE", "%s", world_path(&w, "wrong"));
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    static const char *const keys[][2] = {{"--key-file right", "0"},
                                          {"--tape-key-file right", "0"},
                                          {"--key-file wrong --tape-key-file right", "0"},
                                          {"--tape-key-file right --key-file wrong", "0"},
                                          {"--key-file right --tape-key-file wrong", "[23]"},
                                          {"", "[23]"}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
      /* What `check` opens is the tape of a replay, which has a variable for its place and
       * none of ours for its key. */
      bool check = strncmp(commands[i], "check", 5) == 0;
      if (check && strncmp(keys[k][0], "--key-file right", 16) == 0)
        continue;
      const char *at = strstr(commands[i], "KEY");
      struct run r = run_shell_plain(
          &w, world_text(&w,
                         "cd %s && %s idemshim %.*s%s%s >out 2>err; code=$?; case $code in %s) ;; *) echo "
                         "\"$code\"; cat err ;; esac",
                         w.dir, check ? "IDEMSHIM_MODE=replay IDEMSHIM_TAPE=day" : "",
                         (int)(at - commands[i]), commands[i], keys[k][0], at + 3, keys[k][1]));
      cr_expect_str_eq(r.out, "", "%s with \"%s\": %s%s", commands[i], keys[k][0], r.out, r.err);
      run_release(&r);
    }
  }
  world_unset(&w, "IDEMSHIM_TAPE_KEY_FILE");
  expect_bad(world_path(&w, "day"), "--tape-key-file or IDEMSHIM_TAPE_KEY_FILE names its key");
  run_release(&har);
}

Test(cli_tape, what_is_damaged_is_named_and_the_rest_is_there)
{
  size_t len;
  char *bytes = file_read(world_text(&w, "%s/00000001.tape", tape("day")), &len);
  bytes[len - 1] ^= 1;
  bytes[300] ^= 1;
  const char *dir = tape_of_one_file("damaged", bytes, len);
  struct run ls = run_plain(&w, "idemshim", "tape", "ls", dir, NULL);
  struct run verify = run_plain(&w, "idemshim", "tape", "verify", dir, NULL);
  struct run json = run_plain(&w, "idemshim", "tape", "verify", "--json", dir, NULL);
  cr_expect_eq(verify.status, 1);
  cr_expect(strstr(ls.out, "OPERATION_TIMEDOUT"), "%s", ls.out);
  expect_says(&ls, 0, "0 torn and 1 damaged record is left out");
  expect_says(&verify, 1, "00000001.tape: the record at offset 128 is damaged");
  json_t *totals = document(&json);
  cr_expect_eq(number_at(totals, "damaged"), 2);
  cr_expect_eq(number_at(totals, "exchanges"), 14);
  json_decref(totals);
  free(bytes);
}

/* Comparing. */

Test(cli_tape, diff_names_what_differs_and_where)
{
  const char *day = tape("day"), *other = tape("other");
  struct run r = run_plain(&w, "idemshim", "tape", "diff", day, other, NULL);
  cr_expect(strstr(r.out,
                   "    16     16  answer: JSON /choices/0/message/content at offset 0 (\"Goodbye.\" / "
                   "\"Farewell.\")"),
            "%s", r.out);
  cr_expect(strstr(r.out, "     -     17  only in the second: "), "%s", r.out);
  expect_says(&r, 1, "15 the same, 1 differs, 0 only in the first, 1 only in the second");
  r = run_plain(&w, "idemshim", "tape", "diff", day, day, NULL);
  expect_says(&r, 0, "16 the same, 0 differ");
  r = run_plain(&w, "idemshim", "tape", "diff", "--json", other, day, NULL);
  json_t *json = document(&r);
  cr_expect_eq(number_at(json, "only_in_first"), 1);
  cr_expect_eq(json_array_size(json_object_get(json, "differences")), 2);
  json_decref(json);
}

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

/* The report. */

static char *report_of(const char *kind)
{
  const char *out = world_path(&w, "report.html");
  struct run r = run_plain(&w, "idemshim", "tape", "report", "--output", out, tape(kind), NULL);
  size_t len;
  expect_success(&r);
  run_release(&r);
  return file_read(out, &len);
}

Test(cli_tape, a_report_has_every_call_in_its_picture_and_in_its_list)
{
  char *html = report_of("day");
  cr_expect_eq(count_of(html, "<details id=e"), 16);
  cr_expect_eq(count_of(html, "<rect class=wait"), 16);
  cr_expect_eq(count_of(html, "<path class=retry"), 3);
  cr_expect_eq(count_of(html, "<details id=e6 class='failed' "), 1);
  cr_expect(strstr(html, "RECV_ERROR (56) Recv failure: Connection reset by peer"));
  cr_expect(strstr(html, "name=viewport"));
  cr_expect_null(strstr(html, "test-credential"));
  free(html);
}

/* Two events that say "joined by " and "the report", in gzip, under each header that
 * says no more than that. */
Test(cli_tape, a_report_reads_an_answer_in_a_coding_as_the_judge_does)
{
  static const char body[] =
      "\037\213\010\000\000\000\000\000\002\003\245\315\061\016\002\041\020\106\341\236\123\220"
      "\277\246\260\246\326\126\017\260\331\030\204\061\213\141\147\066\060\046\032\302\335\335"
      "\322\302\316\372\275\344\113\101\203\267\035\253\044\052\360\130\341\020\027\311\221\032"
      "\374\324\221\071\321\013\376\340\260\167\015\360\035\121\130\211\165\237\037\222\231\222"
      "\275\275\055\206\303\075\163\156\313\265\122\150\302\360\374\054\145\314\303\230\364\017"
      "\241\013\331\112\233\124\375\101\240\251\154\370\102\246\343\345\174\232\215\371\000\133"
      "\264\361\330\326\000\000\000";
  static const char *const codings[] = {"gzip", "identity, gzip", "gzip \t, none"};
  for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
    char response[512];
    int head = snprintf(response, sizeof response,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: %s\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        codings[i], sizeof body - 1);
    memcpy(response + head, body, sizeof body - 1);
    mock_lay(&w, world_text(&w, "coded%zu?exact=1", i), response, (size_t)head + sizeof body - 1);
    const char *dir = world_path(&w, world_text(&w, "tape%zu", i));
    struct run r =
        run_plain(&w, "idemshim", "record", "-o", dir, "--", "curl", "-sS", "-o", "/dev/null", "-d", "{}",
                  "-H", "Accept-Encoding: gzip", world_url(&w, world_text(&w, "/wire/coded%zu", i)), NULL);
    expect_success(&r);
    run_release(&r);
    r = run_plain(&w, "idemshim", "tape", "report", dir, NULL);
    cr_expect(strstr(r.out, "joined by the report"), "%s: %s", codings[i], r.err);
    run_release(&r);
  }
}

Test(cli_tape, in_a_report_processes_that_came_one_after_the_other_share_a_lane)
{
  char *html = report_of("crowd");
  cr_expect_eq(count_of(html, "<rect class=lane"), 1);
  cr_expect(strstr(html, ">40 threads</text>"));
  cr_expect(strstr(html, "process 40 (pid 4750), thread 1"));
  free(html);
}

Test(cli_tape, a_report_fetches_nothing)
{
  static const char *const fetching[] = {" src=", "url(", "@import", "<link", "<iframe", "fetch(", "XMLHttp"};
  char *html = report_of("day");
  for (size_t i = 0; i < sizeof fetching / sizeof *fetching; i++)
    cr_expect_null(strstr(html, fetching[i]), "%s", fetching[i]);
  cr_expect(strstr(html, "default-src 'none'"));
  free(html);
}

Test(cli_tape, a_report_takes_nothing_on_the_tape_for_markup)
{
  static const char *const markup[] = {"<img", "<svg/",        "<h1>owned",    "<script>document",
                                       "\033", "\xe2\x80\xa8", "\xe2\x80\xae", "\xff",
                                       "\xc0"};
  char *html = report_of("hostile");
  for (size_t i = 0; i < sizeof markup / sizeof *markup; i++)
    cr_expect_null(strstr(html, markup[i]), "%s", markup[i]);
  cr_expect_eq(count_of(html, "<script>"), 1);
  cr_expect_eq(count_of(html, "</details>"), 9);
  cr_expect(strstr(html, "&lt;/script&gt;&lt;script&gt;document.title='owned'"));
  free(html);
}

/* The page as a browser has it after its script has run. */
static struct run browse(const char *url)
{
  return run_plain(&w, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-crash-reporter",
                   world_text(&w, "--user-data-dir=%s", world_path(&w, "profile")),
                   "--virtual-time-budget=3000", "--dump-dom", url, NULL);
}

/* The page with a script of the test's own behind it, which the page's policy would not let run. */
static char *played(const char *script)
{
  static char *made;
  made = made ? made : report_of("day");
  char *html = strdup(made), *policy = strstr(html, "<meta http-equiv=Content-Security-Policy"), *page = NULL;
  memset(policy, ' ', strcspn(policy, "\n"));
  cr_assert_gt(asprintf(&page, "%s<script>%s</script>", html, script), 0);
  world_write(&w, "played.html", page, strlen(page));
  free(html);
  free(page);
  struct run r = browse(world_text(&w, "file://%s", world_path(&w, "played.html")));
  char *told = strstr(r.out, "<title>told "),
       *out = told ? strndup(told + 12, strcspn(told + 12, "<")) : strdup("");
  run_release(&r);
  return out;
}

#define TELL        "document.title = 'told ' + "
#define COUNT(what) "document.querySelectorAll('" what "').length"

Test(cli_tape, a_report_is_searched_sorted_and_zoomed, .timeout = 180)
{
  struct run there = run_shell_plain(&w, "command -v chromium");
  if (there.status != 0)
    cr_skip_test("there is no chromium");
  run_release(&there);
  char *found = played("var f = document.querySelector('[type=search]'); f.value = 'tell me a STORY';"
                       "f.dispatchEvent(new Event('input')); setTimeout(function () {" TELL COUNT(
                           "details:not([hidden])") " + ' ' + " COUNT(".run a:not(.off)") "; }, 400);");
  cr_expect_str_eq(found, "2 2");
  char *failed = played("var f = document.querySelector('[type=checkbox]'); f.checked = true;"
                        "f.dispatchEvent(new Event('change'));" TELL COUNT(
                            "details:not([hidden])") " + ' ' + " COUNT(".run a:not(.off)") ";");
  cr_expect_str_eq(failed, "6 6");
  char *sorted = played(
      "var f = document.querySelector('select'); f.value = 'took'; f.dispatchEvent(new Event('change'));" TELL
      "document.querySelector('.list > details').id;");
  cr_expect_str_eq(sorted, "e14");
  char *zoomed =
      played("var s = document.querySelector('.overview svg'), b = s.getBoundingClientRect();"
             "['pointerdown', 'pointermove', 'pointerup'].forEach(function (t, i) { s.dispatchEvent(new "
             "PointerEvent(t, {clientX: b.left + b.width * (i ? .6 : .5)})); });" TELL
             "(document.querySelector('.scroll').clientWidth * 10 - "
             "document.querySelector('.run').getBoundingClientRect().width < 2);");
  cr_expect_str_eq(zoomed, "true");
  char *copied = played("document.execCommand = function () { " TELL
                        "JSON.stringify(document.activeElement.value); return true; };"
                        "var c = document.getElementById('e2'); c.open = true; setTimeout(function () { "
                        "c.querySelector('.copy button').click(); }, 200);");
  cr_expect(strstr(copied, "curl 'https://api.example.com/v1/chat/completions'"), "%s", copied);
  cr_expect(strstr(copied, "--data-binary"), "%s", copied);
  free(found);
  free(failed);
  free(sorted);
  free(zoomed);
  free(copied);
}

Test(cli_tape, a_number_stays_in_its_tile, .timeout = 120)
{
  struct run there = run_shell_plain(&w, "command -v chromium");
  if (there.status != 0)
    cr_skip_test("there is no chromium");
  run_release(&there);
  char *out =
      played("var n = 0; document.querySelectorAll('.sums span').forEach(function (s) {"
             "s.firstChild.data = '888,888,888,888 ';"
             "var tile = s.closest('.sums div').getBoundingClientRect(), b = s.getBoundingClientRect();"
             "n += b.right > tile.right - 14 || b.left < tile.left + 14; }); " TELL
             "n + ' of ' + " COUNT(".sums span") ";");
  cr_expect(strncmp(out, "0 of ", 5) == 0 && atoi(out + 5) > 3, "%s", out);
  free(out);
}

Test(cli_tape, a_report_tells_what_one_would_work_out)
{
  char *html = report_of("day"), *retried = strstr(html, "<details id=e8 "),
       *timeout = strstr(html, "<details id=e3 ");
  cr_assert(retried && timeout);
  cr_expect(strstr(retried, "<dt>difference to that</dt><dd>none: the same request</dd>"));
  cr_expect(strstr(retried, "Once upon a time there was a tape.</pre>"), "the pieces of a stream, joined");
  cr_expect(strstr(timeout, "<dt>not stored</dt><dd>"));
  cr_expect_eq(count_of(html, "<dt>not stored</dt>"), 5);
  free(html);
}

Test(cli_tape, a_report_with_prices_tells_what_was_paid)
{
  const char *dir = tape("day"), *prices = world_write(&w, "prices", "gpt-4o-mini 1000 1000\n", 22);
  struct run r = run_plain(&w, "idemshim", "tape", "report", "--prices", prices, dir, NULL);
  expect_success(&r);
  cr_expect(strstr(r.out, "<dt>Paid, and saved</dt>"));
  cr_expect(strstr(r.out, "<tr><td>gpt-4o-mini<td>"), "%.3000s", r.out);
  cr_expect(strstr(r.out, "<dt>cost</dt><dd>$0.0610</dd>"), "19 tokens in, 42 out");
  cr_expect(strstr(r.out, "<dt>saved</dt><dd>$0.0610</dd>"), "a hit");
  run_release(&r);
}

Test(cli_tape, a_report_works_in_a_browser, .timeout = 120)
{
  struct run there = run_shell_plain(&w, "command -v chromium");
  if (there.status != 0)
    cr_skip_test("there is no chromium");
  run_release(&there);
  free(report_of("hostile"));
  struct run r = browse(world_text(&w, "file://%s#e3", world_path(&w, "report.html")));
  cr_expect(strstr(r.out, "<title>Tape "), "%.300s %.300s", r.out, r.err);
  cr_expect_null(strstr(r.out, "<title>owned"));
  /* Text in place of JSON may be what somebody's own API answers. */
  cr_expect_null(strstr(r.out, "it is no JSON"));
  const char *call = strstr(r.out, "<details id=\"e3\" class=\"live\""),
             *opened = call ? strstr(call, " open=\"\">") : NULL;
  cr_expect(opened && opened < strchr(call, '>'), "the fragment opens its call");
  cr_expect(strstr(r.out, "style=\"display: flex;\""), "the filter is shown by the script");
  run_release(&r);
}
