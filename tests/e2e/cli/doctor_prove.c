/* SPDX-License-Identifier: MIT */
/* idemshim doctor --prove: whether its proof is one. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The doctor's own server is the only one that counts here, but for live proofs. */
TestSuite(cli_doctor_prove, .init = open_bare_world, .fini = close_world);
TestSuite(cli_doctor_prove_live, .init = open_world, .fini = close_world);

/* The proof, of which the verdict of the whole is made, whatever the files of the command say. */
static json_t *prove_by(const char *flag, int status, const char *const *command)
{
  static const struct {
    const char *outcome, *verdict;
  } verdicts[] = {
      {"proven", "covered"}, {"partly", "partly"}, {"refuted", "not"}, {"nothing", "cannot-tell"}};
  const char *argv[16] = {"idemshim", "doctor", "--json", "--prove", flag};
  for (size_t i = 0; command[i]; i++)
    argv[5 + i] = command[i];
  struct run r = run_argv(&w, false, argv);
  json_t *document = json_loads(r.out, 0, NULL), *proof = json_object_get(document, "proof");
  const char *verdict = "", *outcome = "";

  cr_expect_eq(r.status, status, "exit %d: %s%s", r.status, r.out, r.err);
  cr_assert_eq(json_unpack(document, "{s:s, s:{s:s}}", "verdict", &verdict, "proof", "outcome", &outcome), 0,
               "%s", r.out);
  for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
    if (strcmp(verdicts[i].outcome, outcome) == 0)
      cr_expect_str_eq(verdict, verdicts[i].verdict, "%s: %s", outcome, r.out);
  json_incref(proof);
  json_decref(document);
  run_release(&r);
  return proof;
}

static json_t *prove(int status, const char *const *command)
{
  return prove_by("--", status, command);
}

static void expect_verdict(json_t *proof, const char *words)
{
  const char *verdict = json_string_value(json_object_get(proof, "verdict"));
  cr_expect(strstr(verdict, words), "expected \"%s\" in \"%s\"", words, verdict);
  json_decref(proof);
}

static void expect_run(const json_t *proof, size_t index, const int counts[4])
{
  static const char *const names[] = {"requests", "live", "stored", "hit"};
  const json_t *run = json_array_get(json_object_get(proof, "runs"), index);
  for (size_t i = 0; i < 4; i++)
    cr_expect_eq(json_integer_value(json_object_get(run, names[i])), counts[i], "run %zu, %s", index,
                 names[i]);
}

Test(cli_doctor_prove, curl_is_proven_live_stored_and_replayed)
{
  json_t *proof = prove(0, (const char *const[]){"curl", "-sS", "-d", "{}", "{URL}", NULL});

  expect_run(proof, 0, (const int[]){1, 1, 1, 0});
  expect_run(proof, 1, (const int[]){0, 0, 0, 1});
  expect_verdict(proof, "proven");
}

/* Chunks, trailers, and a client that waits for the server's word before it sends them. */
Test(cli_doctor_prove, its_server_takes_what_clients_send)
{
  static const char code[] =
      "import socket, sys, urllib.parse as p\n"
      "u = p.urlsplit(sys.argv[1]); s = socket.create_connection((u.hostname, u.port)); f = "
      "s.makefile('rb')\n"
      "s.sendall(b'POST ' + u.path.encode() + b' HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: "
      "chunked\\r\\n'\n"
      "          b'Expect: 100-continue\\r\\n\\r\\n')\n"
      "assert f.readline() == b'HTTP/1.1 100 Continue\\r\\n' and f.readline() == b'\\r\\n'\n"
      "for part in b'3;x=y\\r\\n{\\n}', b'\\r\\n2\\r\\n0\\r', b'\\r\\n0\\r\\nTrailer: 1\\r\\n', b'\\r\\n': "
      "s.sendall(part)\n"
      "assert b' 200 ' in f.readline() and f.read().endswith(b'}\\n')\n";
  json_t *proof = prove(1, (const char *const[]){"/usr/bin/python3", "-c", code, "{URL}", NULL});
  const json_t *first = json_array_get(json_object_get(proof, "runs"), 0);

  cr_expect_eq(json_integer_value(json_object_get(first, "requests")), 1);
  cr_expect_eq(json_integer_value(json_object_get(first, "status")), 0, "%s",
               json_string_value(json_object_get(first, "complaint")));
  json_decref(proof);
}

Test(cli_doctor_prove, a_program_that_calls_nobody_is_not_proven)
{
  expect_verdict(prove(1, (const char *const[]){"no_libcurl", NULL}), "no request arrived: write {URL}");
  expect_verdict(prove(1, (const char *const[]){"no_libcurl", "{URL}", NULL}),
                 "no request arrived: the program did not");
}

Test(cli_doctor_prove, a_program_that_calls_past_libcurl_is_not_reached)
{
  static const char code[] = "import sys, urllib.request as u\nu.urlopen(sys.argv[1], b'{}').read()\n";
  json_t *proof = prove(1, (const char *const[]){"/usr/bin/python3", "-c", code, "{URL}", NULL});

  expect_run(proof, 0, (const int[]){1, 0, 0, 0});
  expect_run(proof, 1, (const int[]){1, 0, 0, 0});
  expect_verdict(proof, "not reached");
}

Test(cli_doctor_prove, a_request_that_no_rule_takes_proves_nothing)
{
  expect_verdict(prove(1, (const char *const[]){"curl", "-sS", "{URL}", NULL}), "the request was a GET");
}

Test(cli_doctor_prove, a_request_that_differs_each_time_is_told_from_one_that_is_not_reached)
{
  static const char command[] = "curl -sS -d \"{\\\"at\\\":$$}\" \"$0\"";
  expect_verdict(prove(1, (const char *const[]){"sh", "-c", command, "{URL}", NULL}), "was not the same");
}

Test(cli_doctor_prove, the_users_own_store_and_log_are_left_alone)
{
  world_env(&w, "IDEMSHIM_STORE", "%s", w.store);
  world_env(&w, "IDEMSHIM_LOG", "%s", w.log);
  world_env(&w, "TMPDIR", "%s", w.dir);
  json_decref(prove(0, (const char *const[]){"curl", "-sS", "-d", "{}", "{URL}", NULL}));

  cr_expect_neq(access(w.store, F_OK), 0);
  cr_expect_neq(access(w.log, F_OK), 0);
  struct run r = run_shell_plain(&w, "ls \"$HOME\"");
  cr_expect_eq(r.out_len, 0, "left behind: %s", r.out);
  run_release(&r);
}

/* ---- what is said first ---- */

Test(cli_doctor_prove, the_headline_is_what_the_proof_shows)
{
  static const struct {
    const char *command, *headline, *by_files;
  } proofs[] = {
      {"curl -sS -d '{}' '{URL}'", "curl: covered, proven\n", "covered"},
      {"curl -sS -d '{}' -H 'Cache-Control: no-store' '{URL}'", "curl: not covered, the proof has failed\n",
       "covered"},
      {"curl --version", "curl: cannot tell, the proof shows nothing\n", "covered"},
      {"sh -c 'curl -sS -d {} $0; curl -sS -d $$ $0' '{URL}'", "sh: partly covered, proven in part\n",
       "cannot-tell"},
  };
  for (size_t i = 0; i < sizeof proofs / sizeof *proofs; i++) {
    struct run text = run_shell_plain(&w, world_text(&w, "idemshim doctor --prove %s", proofs[i].command));
    struct run json =
        run_shell_plain(&w, world_text(&w, "idemshim doctor --prove --json %s", proofs[i].command));

    cr_expect_eq(strncmp(text.out, proofs[i].headline, strlen(proofs[i].headline)), 0, "%s%s", text.out,
                 text.err);
    cr_expect(strstr(json.out, world_text(&w, "\"by_files\": \"%s\"", proofs[i].by_files)), "%s", json.out);
    run_release(&text);
    run_release(&json);
  }
}

/* ---- live ---- */

static void need_no_sanitizer(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime must come first, and doctor preloads the library alone");
}

/* A program whose address is in its code. */
static const char *make_fixed(const char *body)
{
  need_no_sanitizer();
  const char *source = world_text(&w,
                                  "#include <curl/curl.h>\n#include <stdio.h>\n#include <unistd.h>\n"
                                  "int main(void) {\n"
                                  "  CURL *easy = curl_easy_init();\n"
                                  "  char body[64];\n"
                                  "  snprintf(body, sizeof body, \"%s\", getpid());\n"
                                  "  curl_easy_setopt(easy, CURLOPT_URL, \"%s\");\n"
                                  "  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);\n"
                                  "  return curl_easy_perform(easy);\n"
                                  "}\n",
                                  body, world_url(&w, "/v1/chat/completions"));
  world_write(&w, "fixed.c", source, strlen(source));
  struct run r = run_shell_plain(&w, "cc -w -o \"$HOME/fixed\" \"$HOME/fixed.c\" -lcurl");
  expect_success(&r);
  run_release(&r);
  return world_path(&w, "fixed");
}

Test(cli_doctor_prove_live, a_program_with_its_own_address_is_proven_by_events)
{
  json_t *proof = prove_by("--live", 0, (const char *const[]){make_fixed("{}"), NULL});
  const char *servers = json_string_value(json_object_get(proof, "servers"));

  expect_run(proof, 0, (const int[]){1, 1, 1, 0});
  expect_run(proof, 1, (const int[]){0, 0, 0, 1});
  cr_assert_not_null(servers);
  cr_expect_eq(strncmp(world_url(&w, "/"), servers, strlen(servers)), 0, "%s", servers);
  cr_expect(json_is_true(json_object_get(proof, "live")));
  expect_verdict(proof, "proven");
  cr_expect_eq(mock_count(&w).requests, 1);
}

Test(cli_doctor_prove_live, what_is_sent_again_is_told)
{
  const char *program = make_fixed("{\\\"at\\\":%d}");
  json_t *proof = prove_by("--live", 1, (const char *const[]){program, NULL});

  expect_run(proof, 1, (const int[]){1, 1, 1, 0});
  expect_verdict(proof, "was not the same");
  struct run r = run_plain(&w, "idemshim", "doctor", "--prove", "--live", program, NULL);
  cr_expect(strstr(r.out, "first run     1 request sent; live 1, stored 1"), "%s", r.out);
  cr_expect(strstr(r.out, "sent to       http://127.0.0.1:"), "%s", r.out);
  run_release(&r);
}

Test(cli_doctor_prove_live, a_program_that_calls_past_it_shows_nothing)
{
  static const char code[] = "import sys, urllib.request as u\nu.urlopen(sys.argv[1], b'{}').read()\n";
  json_t *proof = prove_by(
      "--live", 1,
      (const char *const[]){"/usr/bin/python3", "-c", code, world_url(&w, "/v1/chat/completions"), NULL});

  expect_run(proof, 0, (const int[]){0, 0, 0, 0});
  expect_verdict(proof, "or it went to its server past it");
}

/* A GET, which no rule takes. */
Test(cli_doctor_prove_live, what_no_rule_takes_is_told_with_its_server)
{
  need_no_sanitizer();
  const char *url = world_url(&w, "/v1/chat/completions"), *server = world_url(&w, "");
  const char *both = world_text(&w, "curl -sS -d '{}' '%s'; curl -sS '%s'", url, url);
  json_t *mixed = prove_by("--live", 1, (const char *const[]){"sh", "-c", both, NULL});
  json_t *none = prove_by("--live", 1, (const char *const[]){"curl", "-sS", url, NULL});
  struct run r = run_plain(&w, "idemshim", "doctor", "--prove", "--live", "sh", "-c", both, NULL);

  cr_expect_str_eq(json_string_value(json_object_get(mixed, "untaken")), server);
  cr_expect_str_eq(json_string_value(json_object_get(none, "servers")), server);
  cr_expect(strstr(r.out, world_text(&w, "no rule for   %s\n", server)), "%s", r.out);
  expect_run(mixed, 1, (const int[]){0, 0, 0, 1});
  expect_verdict(mixed, "partly: what a rule takes was replayed; what none takes went out untouched, to");
  expect_verdict(none, "no rule takes any of its calls");
  run_release(&r);
}

Test(cli_doctor_prove_live, the_users_own_store_is_left_alone)
{
  json_decref(prove_by("--live", 0, (const char *const[]){make_fixed("{}"), NULL}));

  cr_expect_neq(access(w.store, F_OK), 0);
  cr_expect_neq(access(w.log, F_OK), 0);
}
