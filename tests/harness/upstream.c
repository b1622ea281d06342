/* SPDX-License-Identifier: MIT */
/* The mock's process, and its control endpoints over a plain socket: the harness must not depend on what it
 * tests. */
#include "tests/harness/own.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 30000 };

/* Its process. */

static _Noreturn void become_mock(const struct world *w, const char *certs, int in, int out)
{
  char program[PATH_MAX + 32], cert[PATH_MAX + 32], key[PATH_MAX + 32];

  snprintf(program, sizeof program, "%s/tests/mock-llm", w->build);
  snprintf(cert, sizeof cert, "%s/cert.pem", certs ? certs : "");
  snprintf(key, sizeof key, "%s/key.pem", certs ? certs : "");
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  if (certs)
    execl(program, "mock-llm", "--cert", cert, "--key", key, (char *)NULL);
  else
    execl(program, "mock-llm", (char *)NULL);
  dprintf(STDERR_FILENO, "harness: cannot run %s: %m\n", program);
  _exit(127);
}

static void read_ports(struct world *w, int from)
{
  struct pollfd ready = {.fd = from, .events = POLLIN};
  char line[128];
  ssize_t n = poll(&ready, 1, READY_MS) == 1 ? read(from, line, sizeof line) : -1;
  json_t *ports = n > 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;

  if (!ports)
    give_up("the mock did not start (build it with: make %s/tests/mock-llm)", w->build);
  w->port = (int)json_integer_value(json_object_get(ports, "http"));
  w->tls_port = (int)json_integer_value(json_object_get(ports, "https"));
  json_decref(ports);
}

/* The mock ends when our side of its standard input closes, so it cannot outlive the test. */
void mock_start(struct world *w, const char *certs)
{
  int in[2], out[2];

  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
    give_up("pipe: %m");
  w->mock = fork();
  if (!w->mock)
    become_mock(w, certs, in[0], out[1]);
  if (w->mock < 0)
    give_up("fork: %m");
  w->mock_input = in[1];
  close(in[0]);
  close(out[1]);
  read_ports(w, out[0]);
  close(out[0]);
}

void mock_stop(struct world *w)
{
  int status;

  if (w->mock <= 0)
    return;
  close(w->mock_input);
  if (waitpid(w->mock, &status, 0) != w->mock || status)
    cr_expect_fail("the mock did not end well: wait status 0x%x", status);
  w->mock = 0;
  w->mock_input = -1;
}

/* The old one ends last, so that its port cannot be the new one's. */
void mock_start_anew(struct world *w)
{
  struct world old = {.mock = w->mock, .mock_input = w->mock_input};

  mock_start(w, NULL);
  mock_stop(&old);
}

/* Its control endpoints. */

static int connect_to(int port)
{
  struct sockaddr_in mock = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || connect(fd, (struct sockaddr *)&mock, sizeof mock))
    give_up("the mock does not answer on port %d: %m", port);
  return fd;
}

static char *read_all(int fd, size_t *len)
{
  size_t room = 4096;
  char *text = malloc(room + 1);
  ssize_t n;

  *len = 0;
  while (text && (n = read(fd, text + *len, room - *len)) > 0) {
    *len += (size_t)n;
    if (*len == room)
      text = realloc(text, (room *= 2) + 1);
  }
  if (!text)
    give_up("out of memory");
  text[*len] = 0;
  return text;
}

/* HTTP/1.0, so that the answer has no framing and ends with the connection. */
static json_t *control(struct world *w, const char *method, const char *target, const char *query)
{
  int fd = connect_to(w->port);
  size_t len;
  char *answer, *body;
  json_t *json;

  dprintf(fd, "%s %s%s HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", method, target, query);
  answer = read_all(fd, &len);
  close(fd);
  body = strstr(answer, "\r\n\r\n");
  json = body ? json_loadb(body + 4, len - (size_t)(body + 4 - answer), JSON_ALLOW_NUL, NULL) : NULL;
  if (!json)
    give_up("%s %s%s: %s", method, target, query, body ? body + 4 : answer);
  free(answer);
  return json;
}

struct mock_counts mock_count(struct world *w)
{
  json_t *json = control(w, "GET", "/_mock/count", "");
  struct mock_counts counts = {
      .requests = json_integer_value(json_object_get(json, "requests")),
      .served = json_integer_value(json_object_get(json, "served")),
      .work = json_integer_value(json_object_get(json, "work")),
      .connections = json_integer_value(json_object_get(json, "connections")),
  };

  json_decref(json);
  return counts;
}

json_t *mock_requests(struct world *w)
{
  return control(w, "GET", "/_mock/requests", "");
}

void mock_reset(struct world *w)
{
  json_decref(control(w, "POST", "/_mock/reset", ""));
}

void mock_release(struct world *w, unsigned pieces)
{
  char count[16];
  snprintf(count, sizeof(count), "%u", pieces);
  json_decref(control(w, "POST", "/_mock/release?n=", count));
}

void mock_open(struct world *w, const char *beginning)
{
  json_decref(control(w, "POST", "/_mock/open?gate=", beginning));
}

void mock_default(struct world *w, const char *script)
{
  json_decref(control(w, "POST", "/_mock/default?mock=", script));
}

void mock_lay(struct world *w, const char *name, const char *response, size_t len)
{
  const char *url = world_url(w, world_text(w, "/_mock/wire/%s", name));
  run_input(w, response, len);
  struct run r = run_plain(w, "curl", "-sS", "--data-binary", "@-", url, NULL);

  if (r.status)
    give_up("/_mock/wire/%s: %s", name, r.err);
  run_release(&r);
}

const char *mock_header(const json_t *request, const char *name)
{
  const char *key;
  json_t *values;

  json_object_foreach(json_object_get(request, "headers"), key,
                      values) if (!strcasecmp(key, name)) return json_string_value(json_array_get(values, 0));
  return NULL;
}
