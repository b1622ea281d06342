/* SPDX-License-Identifier: MIT */
/* A fleet by TLS, in programs that have an OpenSSL of their own at work at the same time. */
#include "tests/e2e/fleet/fleet.h"
#include "tests/harness/free_port.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int port;

static void open_by_tls(void)
{
  open_tls_world();
  int len = (int)(strrchr(w.ca, '/') - w.ca);
  port = free_port();
  open_fleet_here(world_text(&w,
                             "tls-cert-file %.*s/cert.pem\ntls-key-file %.*s/key.pem\ntls-ca-cert-file %s\n"
                             "tls-auth-clients no\ntls-port %d\n",
                             len, w.ca, len, w.ca, w.ca, port));
  world_env(&w, "IDEMSHIM_FLEET",
            "rediss://localhost:%d?ca=%s&connect-timeout=5s&operation-timeout=2500ms&call-timeout=10s", port,
            w.ca);
}

TestSuite(fleet_tls, .init = open_by_tls, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

static void expect_shared(int answers)
{
  cr_expect_eq(count_of(redis("KEYS '*:a'"), ":a\n"), answers);
  cr_expect_eq(events_of("A", "fleet_away") + events_of("B", "fleet_away"), 0);
}

Test(fleet_tls, what_one_machine_has_the_other_gets_and_upstream_is_by_tls_too)
{
  const char *url = world_tls_url(&w, "/v1/chat/completions");
  struct run a = run_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  on_machine("B");
  struct run b = run_shim(&w, "curl", "-sS", "-d", body, url, NULL);
  expect_success(&a);
  expect_same_output(&a, &b);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "hit"), 1);
  expect_shared(1);
  run_release(&a);
  run_release(&b);
}

/* The line before `at` that made the descriptor of the connect() which stands there. */
static bool is_closed_on_exec(const char *trace, const char *at)
{
  const char *connects = at;
  while (connects > trace && strncmp(connects, "connect(", 8) != 0)
    connects--;
  const char *made = world_text(&w, " = %d\n", atoi(connects + 8));
  bool closes = false;
  for (const char *line = trace; (line = strstr(line, "socket(AF_INET")) && line < connects; line++) {
    const char *end = strchr(line, '\n');
    if (end && strncmp(end + 1 - strlen(made), made, strlen(made)) == 0)
      closes = memmem(line, (size_t)(end - line), "SOCK_CLOEXEC", 12) != NULL;
  }
  return closes;
}

Test(fleet_tls, no_thread_is_made_no_signal_is_raised_and_no_descriptor_is_left_to_a_child)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer makes threads of its own");
  struct run run = run_shim(&w, "strace", "-f", "-o", world_path(&w, "trace"), "curl", "-sS", "-d", body,
                            world_url(&w, "/v1/chat/completions"), NULL);
  if (run.status == 127)
    cr_skip_test("strace is not installed");
  size_t len;
  char *trace = file_read(world_path(&w, "trace"), &len);
  cr_assert_not_null(trace);
  const char *there = strstr(trace, world_text(&w, "htons(%d)", port));
  cr_assert_not_null(there, "it has asked the fleet");
  cr_expect(is_closed_on_exec(trace, there));
  cr_expect_eq(count_of(trace, "SIGPIPE {") + count_of(trace, "CLONE_THREAD"), 0);
  expect_shared(1);
  free(trace);
  run_release(&run);
}

ParameterizedTestParameters(fleet_tls, an_app_that_closes_what_it_does_not_know_goes_on)
{
  static char hows[][8] = {"close", "range", "reuse", "dup"};
  return cr_make_param_array(char[8], hows, sizeof(hows) / sizeof(*hows));
}

ParameterizedTest(char *how, fleet_tls, an_app_that_closes_what_it_does_not_know_goes_on)
{
  fleet_outlives_closed_descriptors(how);
}

Test(fleet_tls, an_app_that_forks_with_a_warm_connection_and_its_child_both_go_on)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  for (int i = 0; i < 2; i++) {
    on_machine(i ? "B" : "A");
    long before = redis_connections();
    struct run run = run_shim(&w, "forker", url, body, "{\"child\":1}", NULL);
    expect_success(&run);
    cr_expect_str_eq(run.err, "");
    /* One for who the fleet is, the parent's and its first child's; and our look. */
    cr_expect_eq(redis_connections() - before, 3 + 1);
    run_release(&run);
  }
  cr_expect_eq(mock_count(&w).requests, 2, "one for each content, on both machines together");
  expect_shared(2);
}

/* What the next step is written to has been closed at the other end; that is no failure, and no signal. */
Test(fleet_tls, a_connection_that_the_server_closes_under_way_is_made_anew)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=gate%3Dg,gate_first%3D1");
  struct run batch = start_shim(&w, "batch", "2", "2", url, world_path(&w, "out"), NULL);
  wait_until(mock_count(&w).requests == 1);
  cr_expect_gt(atoi(redis("CLIENT KILL TYPE normal SKIPME yes")), 0);
  mock_open(&w, "g");
  run_wait(&batch);
  expect_success(&batch);
  cr_expect_eq(batch.err_len, 0, "%s", batch.err);
  expect_shared(2);
  run_release(&batch);
}

/* Runs a program without us, on A and on B: it says the same, and upstream has the calls of the first two. */
static void expect_the_same_with_us(const char *const *argv)
{
  struct run plain = run_argv(&w, false, argv);
  expect_success(&plain);
  long requests = mock_count(&w).requests;
  for (int i = 0; i < 2; i++) {
    on_machine(i ? "B" : "A");
    struct run run = run_argv(&w, true, argv);
    expect_same_output(&plain, &run);
    run_release(&run);
  }
  expect_shared(1);
  /* Three runs of a program whose one call of libcurl is had by the last. */
  cr_expect_eq(mock_count(&w).requests, 3 * requests - 1);
  run_release(&plain);
}

static const char php_program[] =
    "<?php $context = stream_context_create(['ssl' => ['cafile' => $argv[2]]]);\n"
    "$tls = stream_socket_client(\"tls://localhost:$argv[3]\", $code, $why, 9, STREAM_CLIENT_CONNECT, "
    "$context);\n"
    "echo openssl_digest('before', 'sha256'), \"\\n\";\n"
    "$c = curl_init($argv[1]);\n"
    "curl_setopt_array($c, [CURLOPT_POSTFIELDS => '{\"from\":\"php\"}', CURLOPT_RETURNTRANSFER => true,\n"
    "  CURLOPT_CAINFO => $argv[2]]);\n"
    "echo strlen(curl_exec($c)) > 100, curl_getinfo($c, CURLINFO_RESPONSE_CODE), curl_error($c), \"\\n\";\n"
    "fwrite($tls, \"GET / HTTP/1.0\\r\\n\\r\\n\");\n"
    "echo fgets($tls), openssl_digest('after', 'sha256'), var_export(openssl_error_string(), true), "
    "\"\\n\";\n";

Test(fleet_tls, php_goes_on_with_its_own)
{
  struct run has = run_plain(&w, "sh", "-c", "php -m | grep -qx curl && php -m | grep -qx openssl", NULL);
  if (has.status != 0)
    cr_skip_test("php-cli with php-curl is not installed");
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer's runtime refuses RTLD_DEEPBIND before it comes to us");
  const char *file = world_write(&w, "ask.php", php_program, sizeof(php_program) - 1);
  expect_the_same_with_us((const char *[]){"php", file, world_tls_url(&w, "/v1/chat/completions"), w.ca,
                                           world_text(&w, "%d", w.tls_port), NULL});
  run_release(&has);
}

/* Node has an OpenSSL of its own in it, under the same names. */
static const char node_program[] =
    "const koffi = require('koffi'), https = require('https'), fs = require('fs'), crypto = "
    "require('crypto');\n"
    "const [url, ca, port] = process.argv.slice(2);\n"
    "const agent = new https.Agent({keepAlive: true, ca: fs.readFileSync(ca)});\n"
    "const get = () => new Promise((done, fail) => https.get(`https://localhost:${port}/`, {agent},\n"
    "  answer => answer.resume().on('end', () => done(answer.statusCode))).on('error', fail));\n"
    "const libcurl = koffi.load('libcurl.so.4');\n"
    "const setopt = libcurl.func('int curl_easy_setopt(void *handle, int option, ...)');\n"
    "get().then(first => {\n"
    "  const handle = libcurl.func('void *curl_easy_init()')();\n"
    "  setopt(handle, 10002, 'str', url);\n"
    "  setopt(handle, 10065, 'str', ca);\n"
    "  setopt(handle, 10165, 'str', '{\"from\":\"node\"}');\n"
    "  const code = libcurl.func('int curl_easy_perform(void *handle)')(handle);\n"
    "  koffi.load('libc.so.6').func('int fflush(void *stream)')(null);\n"
    "  return get().then(second => console.log(first, code, second, "
    "crypto.createHash('sha256').update('x').digest('hex')));\n"
    "});\n";

Test(fleet_tls, node_goes_on_with_its_own)
{
  char modules[PATH_MAX];
  if (!realpath("build/clients/node_modules", modules) || getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("koffi is not in build/clients (make clients)");
  world_env(&w, "NODE_PATH", "%s", modules);
  const char *file = world_write(&w, "ask.js", node_program, sizeof(node_program) - 1);
  expect_the_same_with_us((const char *[]){"node", file,
                                           world_tls_url(&w, "/v1/chat/completions?mock=still%3D1"), w.ca,
                                           world_text(&w, "%d", w.tls_port), NULL});
}
