/* SPDX-License-Identifier: MIT */
#include "tests/e2e/fleet/fleet.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t server;
static char path[300], machine_log[300];

static void begin(void)
{
  pid_t test = getpid();
  server = fork();
  if (server != 0)
    return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != test || !freopen("/dev/null", "w", stdout))
    _exit(1);
  execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--dir", w.dir, "--save", "",
         "--appendonly", "no", "--loglevel", "warning", "--logfile", "redis.log", (char *)NULL);
  _exit(127);
}

static bool answers(void)
{
  int status;
  if (waitpid(server, &status, WNOHANG) == server) {
    server = 0;
    cr_skip_test("redis-server is not installed");
  }
  return !strcmp(redis("PING"), "PONG\n");
}

void fleet_start(void)
{
  begin();
  wait_until(answers());
}

void open_fleet_here(void)
{
  if (access(world_text(&w, "%s/libidemshim-fleet.so", w.build), F_OK) != 0)
    cr_skip_test("libidemshim-fleet.so is not built: hiredis or c-ares is missing");
  snprintf(path, sizeof(path), "%s/redis", w.dir);
  fleet_start();
  fleet_attributes("");
  on_machine("A");
}

void open_fleet(void)
{
  open_world();
  open_fleet_here();
}

void close_fleet(void)
{
  if (server > 0)
    fleet_stop();
  close_world();
}

void fleet_attributes(const char *attributes)
{
  world_env(&w, "IDEMSHIM_FLEET",
            "redis+unix://%s?connect-timeout=1s&operation-timeout=2500ms&call-timeout=10s%s%s", path,
            *attributes ? "&" : "", attributes);
}

void fleet_signal(int number)
{
  kill(server, number);
}

void fleet_stop(void)
{
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  server = 0;
}

void on_machine(const char *name)
{
  snprintf(machine_log, sizeof(machine_log), "%s/%s.log", w.dir, name);
  snprintf(w.log, sizeof(w.log), "%.260s", machine_log);
  world_env(&w, "IDEMSHIM_STORE", "%s/%s", w.dir, name);
  world_env(&w, "IDEMSHIM_LOG", "%s", machine_log);
}

int events_of(const char *machine, const char *event)
{
  on_machine(machine);
  return log_events(&w, event);
}

const char *redis(const char *words)
{
  static char said[16384];
  struct run run = run_shell_plain(&w, world_text(&w, "redis-cli -s %s %s", path, words));
  snprintf(said, sizeof(said), "%s", run.out);
  run_release(&run);
  return said;
}

long redis_commands(void)
{
  const char *at = strstr(redis("INFO stats"), "total_commands_processed:");
  return at ? atol(strchr(at, ':') + 1) : -1;
}

const char *key_sent(size_t i)
{
  static char keys[8][64];
  static unsigned next;
  char *key = keys[next++ % 8];
  json_t *requests = mock_requests(&w);
  const char *value = mock_header(json_array_get(requests, i), "Idempotency-Key");
  snprintf(key, sizeof(keys[0]), "%s", value ? value : "");
  json_decref(requests);
  return key;
}

struct run fleet_post_begin(const char *body, const char *script)
{
  const char *url =
      world_url(&w, world_text(&w, "/v1/chat/completions%s%s", *script ? "?mock=" : "", script));
  return start_shim(&w, "curl", "-sS", "-i", "-H", "Content-Type: application/json", "-d", body, url, NULL);
}

struct run fleet_post(const char *body, const char *script)
{
  struct run run = fleet_post_begin(body, script);
  run_wait(&run);
  return run;
}

unsigned fleet_free_port(void)
{
  for (;;) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    if (ntohs(address.sin_port) < 55536)
      return ntohs(address.sin_port);
  }
}

void fleet_outlives_closed_descriptors(const char *how)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  struct run plain = run_plain(&w, "closes_descriptors", how, url, NULL);
  struct run first = run_shim(&w, "closes_descriptors", how, url, NULL);
  on_machine("B");
  struct run other = run_shim(&w, "closes_descriptors", how, url, NULL);
  cr_expect_eq(plain.status, first.status, "%s%s", first.out, first.err);
  cr_expect_eq(plain.status, other.status, "%s%s", other.out, other.err);
  cr_expect_str_eq(first.err, "");
  cr_expect_str_eq(other.err, "");
  run_release(&plain);
  run_release(&first);
  run_release(&other);
}
