/* SPDX-License-Identifier: MIT */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t server;
static char path[300], machine_log[300], configuration[300], attributes_now[300];

static struct fleet_place places[4], here;

static void begin(void)
{
  pid_t test = getpid();
  server = fork();
  if (server != 0)
    return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != test || !freopen("/dev/null", "w", stdout))
    _exit(1);
  execlp("redis-server", "redis-server", configuration, "--unixsocket", path, "--dir", w.dir, "--save", "",
         "--appendonly", "no", "--loglevel", "warning", "--logfile", "redis.log", (char *)NULL);
  _exit(127);
}

static bool answers(void)
{
  int status;
  if (waitpid(server, &status, WNOHANG) == server) {
    server = 0;
    cr_skip_test("redis-server is not installed, or does not know these options");
  }
  return !strcmp(redis("PING"), "PONG\n");
}

void fleet_start(void)
{
  begin();
  wait_until(answers());
}

void open_fleet_here(const char *options)
{
  if (access(world_text(&w, "%s/libidemshim-fleet.so", w.build), F_OK) != 0)
    cr_skip_test("libidemshim-fleet.so is not built: hiredis or c-ares is missing");
  snprintf(path, sizeof(path), "%s/redis", w.dir);
  const char *lines = world_text(&w, "port 0\n%s", options);
  snprintf(configuration, sizeof(configuration), "%s", world_write(&w, "redis.conf", lines, strlen(lines)));
  fleet_start();
  fleet_attributes("");
  on_machine("A");
}

void open_fleet(void)
{
  open_world();
  open_fleet_here("");
}

void close_fleet(void)
{
  if (server > 0)
    fleet_stop();
  close_world();
}

static void name_server(const char *url)
{
  world_env(&w, "IDEMSHIM_FLEET", "%s?connect-timeout=1s&operation-timeout=2500ms&call-timeout=10s%s%s", url,
            *attributes_now ? "&" : "", attributes_now);
}

void fleet_attributes(const char *attributes)
{
  snprintf(attributes_now, sizeof(attributes_now), "%s", attributes);
  name_server(here.server ? here.server : world_text(&w, "redis+unix://%s", path));
}

void fleet_place(struct fleet_place place)
{
  size_t i = 0;
  while (places[i].machine)
    cr_assert_lt(++i, sizeof(places) / sizeof(*places));
  places[i] = place;
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
  here = (struct fleet_place){0};
  for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
    if (places[i].machine && !strcmp(places[i].machine, name))
      here = places[i];
  if (here.server)
    name_server(here.server);
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

long redis_connections(void)
{
  const char *at = strstr(redis("INFO stats"), "total_connections_received:");
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
      world_text(&w, "http://%s:%d/v1/chat/completions%s%s", here.upstream ? here.upstream : "127.0.0.1",
                 w.port, *script ? "?mock=" : "", script);
  const char *network = world_text(&w, "--net=/proc/%d/ns/net", (int)here.network);
  const char *const words[] = {
      "nsenter", network, "curl", "-sS", "-i", "-H", "Content-Type: application/json", "-d", body, url, NULL};
  return start_argv(&w, true, here.network ? words : words + 2);
}

struct run fleet_post(const char *body, const char *script)
{
  struct run run = fleet_post_begin(body, script);
  run_wait(&run);
  return run;
}

struct run fleet_post_on(const char *machine, const char *body, const char *script)
{
  on_machine(machine);
  struct run run = fleet_post(body, script);
  expect_success(&run);
  return run;
}

void fleet_post_and_forget(const char *machine, const char *body)
{
  struct run run = fleet_post_on(machine, body, "");
  run_release(&run);
}

void fleet_both_pay(const char *body, struct run *a, struct run *b)
{
  *a = fleet_post_on("A", body, "");
  *b = fleet_post_on("B", body, "");
  cr_expect(!fleet_is_replay(a) && !fleet_is_replay(b));
  cr_expect_str_neq(fleet_text_of(a), fleet_text_of(b));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_neq(key_sent(0)[0], '\0');
  cr_expect_str_eq(key_sent(0), key_sent(1));
}

struct run fleet_command(const char *machine, int status, const char *words)
{
  on_machine(machine);
  const char *network =
      here.network ? world_text(&w, "nsenter --net=/proc/%d/ns/net", (int)here.network) : "";
  struct run run = run_shell_plain(&w, world_text(&w, "exec %s idemshim %s", network, words));
  cr_expect_eq(run.status, status, "idemshim %s: %s%s", words, run.out, run.err);
  return run;
}

void fleet_remove_last_of(const char *machine)
{
  on_machine(machine);
  json_t *stored = log_last(&w, "stored");
  const char *id = json_string_value(json_object_get(stored, "id"));
  struct run rm = fleet_command(machine, 0, world_text(&w, "rm %s", id));
  json_decref(stored);
  run_release(&rm);
}

const char *fleet_text_of(const struct run *run)
{
  const char *text = strstr(run->out, "\r\n\r\n");
  return text ? text : "";
}

bool fleet_is_replay(const struct run *run)
{
  return strstr(run->out, "X-Idempotency-Replayed: true") != NULL;
}

void fleet_meet(void)
{
  struct run run = fleet_post("{\"first\":1}", "");
  expect_success(&run);
  cr_expect_eq(run.err_len, 0, "%s", run.err);
  run_release(&run);
  mock_reset(&w);
}

void fleet_expect_one_line(const char *why)
{
  struct run one = fleet_post("{\"prompt\":1}", ""), two = fleet_post("{\"prompt\":2}", ""),
             again = fleet_post("{\"prompt\":1}", "");
  for (int i = 0; i < 3; i++) {
    const struct run *run = i == 0 ? &one : i == 1 ? &two : &again;
    expect_success(run);
    cr_expect_not_null(strstr(run->out, "200 OK"), "%s", run->out);
    cr_expect_lt(run->ms, 20000, "twice the call-timeout that tests have");
  }
  const char *line = strstr(one.err, "is away, and this machine works alone") ? one.err : two.err;
  cr_expect_not_null(strstr(line, "is away, and this machine works alone"), "%s%s", one.err, two.err);
  cr_expect_not_null(strstr(line, why), "%s", line);
  cr_expect_eq((one.err_len > 0) + (two.err_len > 0) + (again.err_len > 0), 1, "it is told once: %s%s%s",
               one.err, two.err, again.err);
  cr_expect(fleet_is_replay(&again), "its own store has it");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(events_of("A", "fleet_away"), 1);
  run_release(&one);
  run_release(&two);
  run_release(&again);
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
