/* SPDX-License-Identifier: MIT */
/* Rescue and trailers over HTTP/2: nginx speaks it in front of the mock. */
#include "tests/harness/free_port.h"
#include "tests/harness/suite.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct run nginx;
static int port;
static bool can;

static const char configuration[] =
    "daemon off; pid nginx.pid; error_log stderr; worker_processes 1; events {} http { access_log off;"
    "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;"
    "server { listen 127.0.0.1:%d ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem; location "
    "/ {"
    "proxy_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:%d; } location /trailers/ {"
    "add_trailer X-Sum abc; add_trailer X-Sum $request_method; proxy_pass http://127.0.0.1:%d/; } } }";

static const char certificate[] = "cd '%s' && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out "
                                  "cert.pem -days 2 -subj /CN=localhost "
                                  "-addext subjectAltName=IP:127.0.0.1";

static struct sockaddr_in loopback(int number)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool answers(void)
{
  struct sockaddr_in at = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
  close(fd);
  return connected;
}

static void set_up(void)
{
  open_world();
  struct run made = run_shell_plain(&w, world_text(&w, certificate, w.dir));
  struct run asked = run_shell_plain(&w, "PATH=$PATH:/usr/sbin nginx -V 2>&1 | grep -q http_v2_module");
  can = made.status == 0 && asked.status == 0;
  run_release(&made);
  run_release(&asked);
  if (!can)
    return;
  port = free_port();
  const char *text = world_text(&w, configuration, port, w.port, w.port);
  world_write(&w, "nginx.conf", text, strlen(text));
  nginx = start_plain(&w, "/usr/sbin/nginx", "-p", w.dir, "-c", world_path(&w, "nginx.conf"), NULL);
  wait_until(answers());
  world_env(&w, "CURL_CA_BUNDLE", "%s", world_path(&w, "cert.pem"));
  world_env(&w, "IDEMSHIM_HOSTS", "127.0.0.1");
}

static void tear_down(void)
{
  if (can) {
    run_signal(&nginx, SIGTERM);
    run_wait(&nginx);
    run_release(&nginx);
  }
  close_world();
}

TestSuite(rescue_h2, .init = set_up, .fini = tear_down, .timeout = 120);

static const char body[] = "{\"model\":\"m\",\"stream\":true,\"messages\":[]}";

static const char *url_of(const char *script)
{
  if (!can)
    cr_skip_test("no nginx with HTTP/2");
  return world_text(&w, "https://127.0.0.1:%d/v1/chat/completions?mock=%s", port, script);
}

static void flavour(const char *program)
{
  if (!world_has(&w, program))
    cr_skip_test("not built: %s", program);
  const char *url = url_of("events%3D40,stall_ms%3D1500");
  struct run run = run_shim(&w, program, "--timeout-ms", "700", "--print-body", "--body", body, url, NULL);
  struct run again = run_shim(&w, program, "--print-body", "--body", body, url, NULL);
  struct run third = run_shim(&w, program, "--print-body", "--body", body, url, NULL);
  cr_expect(strstr(run.out, "rc 28"), "%s", run.out);
  expect_success(&again);
  cr_expect(strstr(again.out, "[DONE]"));
  expect_same_output(&again, &third);
  wait_until(log_events(&w, "rescued") == 1);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&run);
  run_release(&again);
  run_release(&third);
}

Test(rescue_h2, with_openssl)
{
  flavour("fetch-openssl");
}

Test(rescue_h2, with_gnutls)
{
  flavour("fetch-gnutls");
}

Test(rescue_h2, a_connection_that_carries_other_calls_is_not_split)
{
  const char *url = url_of("latency_ms%3D1200");
  struct run run = run_shim(&w, "timeouts_multi", "shared", url, "{\"a\":1}", "{\"b\":1}", NULL);
  expect_success(&run);
  cr_expect(strstr(run.out, "first rc=28"), "%s", run.out);
  cr_expect(strstr(run.out, "other rc=0 status=200"), "%s", run.out);
  cr_expect_eq(log_events(&w, "rescue"), 0);
  cr_expect(log_contains(&w, "not rescued: its connection carries other calls"));
  run_release(&run);
}

/* As headers come, and by the header API. */
Test(rescue_h2, trailers_come_again)
{
  static const char *const ways[] = {"auto", "auto", "transport"};
  struct run runs[3];
  url_of("");
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 mark=off");
  for (int i = 0; i < 3; i++) {
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", ways[i]);
    runs[i] = run_shim(&w, "fetch-openssl", "--print-headers", "--print-body", "--header-api", "--body", body,
                       world_text(&w, "https://127.0.0.1:%d/trailers/v1/chat/completions", port), NULL);
    expect_success(&runs[i]);
    cr_expect(strstr(runs[i].out, "HTTP/2 200"), "%s", runs[i].out);
    cr_expect(strstr(runs[i].out, "api x-sum: POST (2 of 2,"), "%s", runs[i].out);
    if (i)
      expect_same_output(&runs[0], &runs[i]);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
  for (int i = 0; i < 3; i++)
    run_release(&runs[i]);
}
