/* SPDX-License-Identifier: MIT */
/* What each command prints with --json is as docs/output.schema.json says, and the schema lets nothing else
 * pass. */
#include "tests/e2e/cli/tape.h"
#include "tests/e2e/fleet/fleet.h"
#include "tests/harness/schema.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *schema;

static void set_up(void)
{
  open_world();
  /* The command itself puts the library first, and sh leaks by design. */
  world_env(&w, "ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0");
  world_env(&w, "URL", "%s", world_url(&w, "/v1/chat/completions"));
  schema = schema_read("output.schema.json");
}

TestSuite(outputs, .init = set_up, .fini = close_world);

/* ---- holding a document to the schema ---- */

static bool fits(const char *definition, json_t *document, char fault[SCHEMA_FAULT])
{
  char ref[64];
  snprintf(ref, sizeof ref, "#/$defs/%s", definition);
  return schema_fits(schema, ref, document, fault);
}

/* One more member in any object of it makes it wrong, so that none that is printed can be missing from the
 * schema. */
static void expect_closed(const char *definition, json_t *document, json_t *inside)
{
  char fault[SCHEMA_FAULT];
  const char *name;
  json_t *value;
  size_t i;
  json_array_foreach(inside, i, value) expect_closed(definition, document, value);
  if (!json_is_object(inside))
    return;
  json_object_foreach(inside, name, value) expect_closed(definition, document, value);
  json_object_set_new(inside, "surprise", json_true());
  cr_expect(!fits(definition, document, fault), "%s takes any member", definition);
  json_object_del(inside, "surprise");
}

static void expect_fits(const char *definition, json_t *document, const char *words)
{
  char fault[SCHEMA_FAULT];
  cr_expect(fits(definition, document, fault), "%s: %s", words, fault);
  cr_expect(schema_fits(schema, "#", document, fault), "%s: no command prints that", words);
  expect_closed(definition, document, document);
}

/* What `idemshim WORDS` prints, the caller's to json_decref(). */
static json_t *printed(int status, const char *definition, const char *words)
{
  struct run r = run_shell_plain(&w, world_text(&w, "idemshim %s", words));
  cr_expect_eq(r.status, status, "%s: exit %d: %s%s", words, r.status, r.out, r.err);
  json_t *made = document(&r);
  expect_fits(definition, made, words);
  return made;
}

static void expect_printed(int status, const char *definition, const char *words)
{
  json_decref(printed(status, definition, words));
}

/* A list, which has so many items. */
static void expect_list(size_t size, const char *definition, const char *words)
{
  json_t *list = printed(0, definition, words);
  cr_expect_eq(json_array_size(list), size, "%s: %zu items", words, json_array_size(list));
  json_decref(list);
}

/* A call under the library, whose answer is not looked at. */
static void call(const char *words)
{
  struct run r = run_shell(&w, world_text(&w, "curl -sS -o /dev/null " CURL_JSON_WORDS " %s", words));
  expect_success(&r);
  run_release(&r);
}

/* ---- the commands ---- */

/* What is told of the request that was asked about. */
static json_t *request_of(json_t *check)
{
  return json_object_get(json_object_get(check, "call"), "request");
}

Test(outputs, check_is_as_the_schema_says)
{
  static const char asked[] = "check --json -H 'Cookie: a=b' -H 'X-A: 1' -d '{\"a\":1}' POST \"$URL?b=1\"";
  expect_printed(0, "check", "check --json");
  expect_printed(1, "check", "check --json GET https://nobody.example/");
  json_t *named = printed(0, "check", asked);
  cr_expect_str_eq(text_at(request_of(named), "key"), "content");
  json_decref(named);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 key=json:/none");
  json_t *live = printed(0, "check", asked);
  cr_expect_str_neq(text_at(request_of(live), "live"), "");
  json_decref(live);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 action=bypass");
  json_t *bypass = printed(0, "check", asked);
  cr_expect(json_is_null(request_of(bypass)));
  json_decref(bypass);
  world_env(&w, "IDEMSHIM_STORE", "%s", world_write(&w, "file", "", 0));
  expect_printed(3, "check", asked);
}

Test(outputs, check_of_a_tape_is_as_the_schema_says)
{
  static const char conf[] = "IDEMSHIM_SCOPE=a\n";
  world_env(&w, "IDEMSHIM_CONFIG", "%s", world_write(&w, "conf", conf, strlen(conf)));
  world_env(&w, "IDEMSHIM_MODE", "replay");
  world_env(&w, "IDEMSHIM_TAPE", "%s", tape("day"));
  world_env(&w, "IDEMSHIM_TAPE_AGE", "7d");
  world_env(&w, "IDEMSHIM_PACE", "2.5");
  json_t *check = printed(0, "check", "check --json");
  cr_expect(json_is_object(json_object_get(check, "tape")));
  cr_expect_str_eq(text_at(check, "scope"), "a");
  json_decref(check);
}

Test(outputs, doctor_is_as_the_schema_says)
{
  expect_printed(0, "doctor", "doctor --json curl");
  expect_printed(1, "doctor", "doctor --json true");
  expect_printed(1, "doctor", "doctor --json $$");
  json_t *proven = printed(0, "doctor", "doctor --json --prove -- curl -sS -d {} {URL}");
  cr_expect_eq(json_array_size(json_object_get(json_object_get(proven, "proof"), "runs")), 2);
  json_decref(proven);
  expect_printed(1, "doctor", "doctor --json --prove -- sh -c 'echo no >&2; exit 3' {URL}");
}

/* Of `top` without --once, as long as it runs; the reader has whole ones as they come. */
static void expect_a_document_a_line(void)
{
  struct run top = start_plain(&w, "idemshim", "top", "--json", NULL);
  wait_until((run_look(&top), top.out && count_of(top.out, "\n") >= 1));
  *strchr(top.out, '\n') = '\0';
  json_t *first = json_loads(top.out, 0, NULL);
  cr_assert(first, "no JSON: %s", top.out);
  expect_fits("top", first, "top");
  json_decref(first);
  run_signal(&top, SIGTERM);
  run_wait(&top);
  cr_expect_eq(top.status, 0, "%s", top.err);
  run_release(&top);
}

Test(outputs, tail_and_top_are_as_the_schema_says)
{
  call("{} \"$URL\"");
  call("{} \"$URL\"");
  call("{} -H 'Cache-Control: no-store' \"$URL\"");
  struct run owner = start_shim(&w, "sh", "-c", "exec curl -sS -d 1 \"$URL?mock=latency_ms%3D60000\"", NULL);
  json_t *top = NULL;
  wait_until((json_decref(top), top = printed(0, "top", "top --once --json"),
              json_array_size(json_object_get(top, "upstream")) == 1));
  cr_expect_eq(json_object_size(json_object_get(top, "hosts")), 1);
  cr_expect_geq(json_object_size(json_object_get(top, "programs")), 1);
  cr_expect_eq(json_object_size(json_object_get(top, "bypass_reasons")), 1);
  json_decref(top);
  expect_a_document_a_line();
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  run_release(&owner);

  struct run tail = run_plain(&w, "idemshim", "tail", "--once", "--json", NULL);
  char *rest = tail.out, *line;
  int lines = 0;
  while ((line = strsep(&rest, "\n")) && *line) {
    json_t *event = json_loads(line, 0, NULL);
    cr_assert(event, "no JSON: %s", line);
    expect_fits("tail", event, "tail");
    json_decref(event);
    lines++;
  }
  cr_expect_geq(lines, 5, "%s", tail.err);
  run_release(&tail);
}

/* An answer of each kind, and calls that were not stored or left alone. */
static void fill_the_store(void)
{
  call("'{\"model\":\"m\",\"a\":1}' \"$URL\"");
  call("'{\"model\":\"m\",\"a\":1}' \"$URL\"");
  call("'{\"model\":\"m\",\"a\":2,\"stream\":true}' \"$URL\"");
  call("'{\"a\":3}' -H 'Accept-Encoding: gzip' \"$URL?mock=encoding%3Dgzip\"");
  call("\"$(printf '\\377')\" \"$URL\"");
  call("'{\"a\":4}' \"$URL?mock=status%3D500\"");
  call("'{\"a\":5}' -H 'Cache-Control: no-store' \"$URL\"");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=forever");
  call("'{\"a\":6}' -H 'Idempotency-Key: one' \"$URL\"");
}

Test(outputs, stats_are_as_the_schema_says)
{
  fill_the_store();
  world_env(&w, "PRICES", "%s", world_write(&w, "prices", "m 1 2\n", 6));
  json_t *stats = printed(0, "stats", "stats --json"),
         *priced = printed(0, "stats", "stats --json --prices \"$PRICES\"");
  cr_expect_geq(json_array_size(json_object_get(stats, "reasons")), 2);
  cr_expect_null(json_object_get(stats, "money"));
  cr_expect_geq(json_object_size(json_object_get(json_object_get(priced, "money"), "models")), 2);
  json_decref(stats);
  json_decref(priced);
}

Test(outputs, answers_are_as_the_schema_says)
{
  size_t i, encoded = 0;
  json_t *answer;
  fill_the_store();
  expect_list(0, "ls-runs", "ls --runs --json");
  json_t *list = printed(0, "ls", "ls --json");
  cr_expect_eq(json_array_size(list), 5);
  json_array_foreach(list, i, answer)
  {
    json_t *whole = printed(0, "show", world_text(&w, "show --json %s", text_at(answer, "id")));
    encoded += json_object_get(json_object_get(whole, "request"), "body_base64") != NULL;
    encoded += json_object_get(json_object_get(whole, "response"), "body_base64") != NULL;
    json_decref(whole);
  }
  cr_expect_eq(encoded, 2, "%zu bodies are in base64", encoded);
  json_decref(list);
}

Test(outputs, explanations_are_as_the_schema_says)
{
  call("'{\"a\":1}' \"$URL\"");
  expect_printed(1, "explain-alone", "explain --json");
  fill_the_store();
  expect_printed(0, "explain", "explain --json");
  expect_list(2, "explain-recent", "explain --recent --json");
  json_t *recent = printed(0, "explain-recent", "explain --recent --json"), *decision;
  size_t i;
  json_array_foreach(recent, i, decision) if (strcmp(text_at(decision, "event"), "not_stored") == 0)
      expect_printed(0, "explain-decision", world_text(&w, "explain --json %s", text_at(decision, "id")));
  json_decref(recent);
}

Test(outputs, gc_and_verify_are_as_the_schema_says)
{
  call("{} \"$URL\"");
  expect_printed(0, "gc", "gc --json");
  expect_printed(0, "verify", "verify --json");
  struct run damage = run_shell_plain(&w, "sed -i s/chatcmpl/XXXXXXXX/ \"$IDEMSHIM_STORE/data.mdb\"");
  expect_success(&damage);
  json_t *verify = printed(1, "verify", "verify --json");
  cr_expect_eq(json_array_size(json_object_get(verify, "findings")), 1);
  json_decref(verify);
  run_release(&damage);
}

Test(outputs, a_program_whose_name_is_no_text_is_in_top)
{
  struct run copy = run_shell_plain(&w, "cp \"$(command -v curl)\" ~/\"$(printf 'c\\377')\"");
  expect_success(&copy);
  struct run owner = start_shim(&w, "sh", "-c", "exec ~/c* -sS -d 1 \"$URL?mock=latency_ms%3D60000\"", NULL);
  wait_until(mock_count(&w).requests == 1);
  json_t *top = NULL;
  wait_until((json_decref(top), top = printed(0, "top", "top --once --json"),
              json_array_size(json_object_get(top, "upstream")) == 1));
  cr_expect_eq(json_object_size(json_object_get(top, "programs")), 1);
  json_decref(top);
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  run_release(&owner);
  run_release(&copy);
}

Test(outputs, a_durable_run_is_as_the_schema_says)
{
  struct run r =
      run_shell_plain(&w, "idemshim run --durable night -- sh -c 'curl -sS -d {} \"$URL\"; exit 3'");
  cr_expect_eq(r.status, 3, "exit %d: %s", r.status, r.err);
  expect_list(1, "ls-runs", "ls --runs --json");
  run_release(&r);
}

Test(outputs, a_fleet_is_as_the_schema_says)
{
  open_fleet_here("");
  fleet_post_and_forget("A", "{\"a\":1}");
  expect_list(1, "fleet-ls", "fleet ls --json");
  expect_printed(0, "fleet-push", "fleet push --json");
  json_t *check = printed(0, "fleet-check", "fleet check --json");
  cr_expect_geq(json_array_size(check), 1);
  json_decref(check);
  fleet_stop();
}

Test(outputs, a_tape_is_as_the_schema_says)
{
  static const char *const kinds[] = {"day", "other", "hostile"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    world_env(&w, "TAPE", "%s", tape(kinds[i]));
    json_t *list = printed(0, "tape-ls", "tape ls --json \"$TAPE\"");
    cr_expect_geq(json_array_size(list), 4);
    for (size_t n = 1; n <= json_array_size(list); n++)
      expect_printed(0, "tape-show", world_text(&w, "tape show --json \"$TAPE\" %zu", n));
    expect_printed(0, "tape-verify", "tape verify --json \"$TAPE\"");
    json_decref(list);
  }
  json_t *diff = printed(1, "tape-diff", "tape diff --json ~/other ~/day");
  cr_expect_eq(json_array_size(json_object_get(diff, "differences")), 2);
  cr_assert_eq(truncate(world_path(&w, "day/00000001.tape"), 2000), 0);
  json_t *torn = printed(1, "tape-verify", "tape verify --json ~/day");
  cr_expect_geq(json_array_size(json_object_get(torn, "findings")), 1);
  json_decref(diff);
  json_decref(torn);
}

/* An archive may say anything of an operation; a half of a character is no name. */
Test(outputs, a_foreign_name_of_an_operation_is_not_taken)
{
  static const char har[] =
      "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"a\",\"version\":\"1\"},\"entries\":[{"
      "\"_operation\":\"\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251x\","
      "\"startedDateTime\":\"2026-11-01T10:00:00.000Z\",\"time\":1,\"request\":{\"method\":\"POST\","
      "\"url\":\"http://a.example/\",\"httpVersion\":\"HTTP/1.1\",\"headers\":[],\"queryString\":[],"
      "\"cookies\":[],\"headersSize\":-1,\"bodySize\":0},\"response\":{\"status\":200,\"statusText\":\"OK\","
      "\"httpVersion\":\"HTTP/1.1\",\"headers\":[],\"cookies\":[],\"content\":{\"size\":1,\"mimeType\":"
      "\"text/plain\",\"text\":\"a\"},\"redirectURL\":\"\",\"headersSize\":-1,\"bodySize\":1},"
      "\"cache\":{},\"timings\":{\"send\":0,\"wait\":1,\"receive\":0}}]}}";
  world_env(&w, "HAR", "%s", world_write(&w, "har", har, strlen(har)));
  struct run r = run_shell_plain(&w, "idemshim tape import --hosts a.example -o ~/imported \"$HAR\"");
  expect_success(&r);
  json_t *list = printed(0, "tape-ls", "tape ls --json ~/imported");
  cr_expect_eq(json_array_size(list), 1);
  expect_printed(0, "tape-show", "tape show --json ~/imported 1");
  json_decref(list);
  run_release(&r);
}

/* ---- the same ones everywhere ---- */

/* What a command of the shell prints, a member or a word of the schema a line. */
static void expect_known(const char *script, json_t *names, size_t least)
{
  struct run r = run_shell_plain(&w, script);
  char *rest = r.out, *name;
  size_t count = 0;
  expect_success(&r);
  while ((name = strsep(&rest, "\n")) && *name) {
    bool known = json_object_get(names, name) != NULL;
    size_t i;
    json_t *word;
    json_array_foreach(names, i, word) known |= strcmp(json_string_value(word), name) == 0;
    cr_expect(known, "docs/output.schema.json has no %s", name);
    count++;
  }
  cr_expect_geq(count, least);
  cr_expect_eq(count, json_is_array(names) ? json_array_size(names) : json_object_size(names));
  run_release(&r);
}

Test(outputs, the_source_has_no_other_finding_and_no_other_fact)
{
  json_t *definitions = json_object_get(schema, "$defs"), *codes = NULL, *facts = NULL;
  json_unpack(definitions, "{s:{s:{s:{s:{s:{s:{s:o}}}}}}, s:{s:o}}", "doctor", "properties", "findings",
              "items", "properties", "code", "enum", &codes, "facts", "properties", &facts);
  expect_known("grep -oE '^X\\([A-Z_]+, \"[^\"]+' cli/doctor/findings.def | cut -d'\"' -f2", codes, 50);
  expect_known("grep -oE '(X|TEXT)\\([0-9]+, [A-Z_]+' cli/view/curl_infos.def | cut -d' ' -f2", facts, 50);
}

/* ---- what is wrong is refused ---- */

Test(outputs, what_is_not_so_is_refused)
{
  static const struct {
    const char *definition, *document, *fault;
  } wrong[] = {
      {"gc", "{\"removed\":0,\"bytes\":0,\"claims\":0,\"readers\":0,\"more\":0}", "/more: the rule false"},
      {"gc", "{\"removed\":0,\"bytes\":0,\"claims\":0}", ": required \"readers\""},
      {"gc", "{\"removed\":\"0\",\"bytes\":0,\"claims\":0,\"readers\":0}", "/removed: type \"integer\""},
      {"gc", "{\"removed\":1.5,\"bytes\":0,\"claims\":0,\"readers\":0}", "/removed: type \"integer\""},
      {"gc", "{\"removed\":-1,\"bytes\":0,\"claims\":0,\"readers\":0}", "/removed: minimum 0"},
      {"gc", "[]", ": type \"object\""},
      {"tape-diff/properties/differences", "[{\"a\":true,\"b\":null,\"difference\":\"\"}]", "/0/a: type ["},
      {"fleet-ls", "[{\"id\":\"0123456789abcdef\",\"state\":\"away\",\"generation\":1}]", "/0/state: enum ["},
      {"fleet-ls", "[{\"id\":\"0123\",\"state\":\"sent\",\"generation\":1}]", "/0/id: pattern \"^["},
      {"show/properties/response", "{\"headers\":\"\",\"chunks\":[]}", ": oneOf ["},
      {"show/properties/response", "{\"headers\":\"\",\"chunks\":[],\"body\":\"\",\"body_base64\":\"\"}",
       ": oneOf ["},
      {"stats/properties/reasons", "[{\"event\":\"none\",\"reason\":\"\",\"count\":1}]", "/0/event: anyOf ["},
      {"tail", "{\"time\":\"2026-11-26T10:00:00.000Z\",\"pid\":1,\"event\":\"stored\",\"status\":200}",
       ": required \"id\""},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char fault[SCHEMA_FAULT] = "";
    json_t *document = json_loads(wrong[i].document, 0, NULL);
    cr_assert(document, "no JSON: %s", wrong[i].document);
    cr_expect(!fits(wrong[i].definition, document, fault), "%s is let pass", wrong[i].document);
    cr_expect(strncmp(fault, wrong[i].fault, strlen(wrong[i].fault)) == 0, "%s: %s", wrong[i].document,
              fault);
    json_decref(document);
  }
}

Test(outputs, a_rule_that_nobody_holds_a_document_to_is_refused)
{
  static const char *const rules[] = {
      "{\"maximum\":1}",
      "{\"items\":{\"type\":\"integer\",\"multipleOf\":2}}",
      "{\"properties\":{\"a\":{\"anyOf\":[{\"const\":1}]}}}",
      "{\"$defs\":{\"unused\":{\"format\":\"date\"}}}",
      "{\"additionalProperties\":{\"not\":{}}}",
      "{\"type\":\"int\"}",
      "{\"type\":[\"integer\",\"nil\"]}",
      "{\"$ref\":\"#/$defs/none\"}",
      "{\"$ref\":\"events.schema.json#/properties/none\"}",
      "{\"items\":[]}",
  };
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    char fault[SCHEMA_FAULT];
    json_t *rule = json_loads(rules[i], 0, NULL);
    cr_assert(rule, "no JSON: %s", rules[i]);
    cr_expect(!schema_is_known(rule, fault), "%s is let pass", rules[i]);
    json_decref(rule);
  }
}
