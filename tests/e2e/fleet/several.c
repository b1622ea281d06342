/* SPDX-License-Identifier: MIT */
/* Several servers, and calls under way while they change: a master that dies and is followed by its replica,
 * a cluster whose slots move and which loses a server. Whatever upstream sees twice it sees under one key,
 * and one answer is left in the end. */
#include "tests/e2e/fleet/fleet.h"
#include "tests/harness/free_port.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 6 };

static struct {
  struct run run;
  unsigned port;
} node[NODES];

static void close_several(void)
{
  for (int i = 0; i < NODES; i++)
    run_release(&node[i].run);
  close_fleet();
}

TestSuite(fleet_servers, .init = open_fleet, .fini = close_several, .timeout = 300);

/* What redis-cli says to a node, on one line. */
static const char *ask(int i, const char *words)
{
  static char said[8192];
  struct run run = run_shell_plain(
      &w, world_text(&w, "redis-cli -p %u %s 2>&1 | tr -d '\\r' | tr '\\n' ' '", node[i].port, words));
  snprintf(said, sizeof(said), "%s", run.out);
  run_release(&run);
  return said;
}

static void begin(int i, const char *first, const char *options)
{
  node[i].port = free_port();
  node[i].run =
      start_plain(&w, "sh", "-c",
                  world_text(&w,
                             "exec redis-server %s --port %u --bind 127.0.0.1 --dir %s --logfile log-%d %s "
                             ">/dev/null",
                             first, node[i].port, w.dir, i, options),
                  NULL);
  wait_until(strstr(ask(i, "PING"), "PONG"));
}

/* IDEMSHIM_FLEET_CALLS: how many calls there are at least (make torture PART=fleet). */
static int least_calls(void)
{
  const char *text = getenv("IDEMSHIM_FLEET_CALLS");
  return text ? atoi(text) : 0;
}

/* One call after the other, the same on each machine, until there is a file `enough`; quietly: a call that
 * goes out alone says so. Says how many. */
static struct run load(const char *machine)
{
  on_machine(machine);
  return start_shim(
      &w, "sh", "-c",
      world_text(&w,
                 "i=0; until [ -e %s/enough ]; do i=$((i+1)); curl -sS -f -o /dev/null -H 'Content-Type: "
                 "application/json' -d \"{\\\"p\\\":$i}\" '%s' || echo \"call $i failed\"; done; echo $i",
                 w.dir, world_url(&w, "/v1/chat/completions?mock=latency_ms%3D20")),
      NULL);
}

/* How many both have made. */
static int end_load(struct run *a, struct run *b)
{
  struct run *runs[] = {a, b};
  int calls[2];
  wait_until(mock_count(&w).requests >= least_calls());
  world_write(&w, "enough", "", 0);
  for (int i = 0; i < 2; i++) {
    run_wait(runs[i]);
    cr_expect_eq(runs[i]->status, 0);
    calls[i] = atoi(runs[i]->out);
    cr_expect_str_eq(runs[i]->out, world_text(&w, "%d\n", calls[i]), "calls have failed");
    run_release(runs[i]);
  }
  return calls[0] < calls[1] ? calls[0] : calls[1];
}

/* What upstream saw more than once had one key each time. Returns how many were seen again. */
static int expect_one_key_each(void)
{
  json_t *requests = mock_requests(&w), *keys = json_object();
  int again = 0;
  size_t i;
  const json_t *request;
  json_array_foreach(requests, i, request)
  {
    const char *prompt = json_string_value(json_object_get(request, "body"));
    const char *key = mock_header(request, "Idempotency-Key");
    const json_t *first = json_object_get(keys, prompt);
    cr_assert(prompt && key);
    if (first)
      cr_expect_str_eq(json_string_value(first), key, "%s", prompt);
    else
      json_object_set_new(keys, prompt, json_string(key));
    again += first != NULL;
  }
  json_decref(keys);
  json_decref(requests);
  return again;
}

static bool pushes_all(const char *machine)
{
  on_machine(machine);
  struct run push = run_plain(&w, "idemshim", "fleet", "push", NULL);
  bool done = push.status == 0;
  run_release(&push);
  return done;
}

/* Both machines tell what they have stored alone, once no claim is left that nobody knows of; of which calls
 * they then have different answers, without another call. */
static int count_different_answers(int calls)
{
  int different = 0;
  wait_until(pushes_all("A") && pushes_all("B"));
  long before = mock_count(&w).requests;
  for (int i = 1; i <= calls; i++) {
    char *body = strdup(world_text(&w, "{\"p\":%d}", i));
    on_machine("A");
    struct run a = fleet_post(body, "latency_ms%3D20");
    on_machine("B");
    struct run b = fleet_post(body, "latency_ms%3D20");
    const char *first = strstr(a.out, "\r\n\r\n"), *second = strstr(b.out, "\r\n\r\n");
    cr_assert(first && second, "%s%s", a.err, b.err);
    different += strcmp(first, second) != 0;
    run_release(&a);
    run_release(&b);
    free(body);
  }
  cr_expect_eq(mock_count(&w).requests, before);
  return different;
}

#define LIMITS "connect-timeout=1s&operation-timeout=1s&call-timeout=4s&near=1s&lease=2s"

Test(fleet_servers, a_master_dies_under_load_and_its_replica_goes_on)
{
  char *conf;
  begin(0, "", "--save '' --appendonly no");
  begin(1, "", "--save '' --appendonly no --repl-diskless-sync-delay 0");
  ask(1, world_text(&w, "REPLICAOF 127.0.0.1 %u", node[0].port));
  wait_until(strstr(ask(1, "INFO replication"), "master_link_status:up"));
  conf =
      strdup(world_text(&w,
                        "sentinel monitor mine 127.0.0.1 %u 1\nsentinel down-after-milliseconds mine 1000\n"
                        "sentinel failover-timeout mine 3000\n",
                        node[0].port));
  begin(2, world_text(&w, "%s --sentinel", world_write(&w, "sentinel.conf", conf, strlen(conf))), "");
  free(conf);
  wait_until(strstr(ask(2, "SENTINEL REPLICAS mine"), "name"));
  world_env(&w, "IDEMSHIM_FLEET", "redis+sentinel://127.0.0.1:%u/mine?" LIMITS, node[2].port);
  struct run a = load("A"), b = load("B");
  wait_until(mock_count(&w).requests >= 20);
  run_signal(&node[0].run, SIGKILL);
  wait_until(events_of("A", "fleet_back") && events_of("B", "fleet_back"));
  long before = mock_count(&w).requests;
  wait_until(mock_count(&w).requests >= before + 20);
  int calls = end_load(&a, &b), again = expect_one_key_each();
  printf("counted: failover calls=%d again=%d\n", calls, again);
  cr_expect_lt(again, calls, "they had nothing together");
  /* What the master had not told its replica when it died is forgotten: of each machine the
   * call that was under way. */
  cr_expect_leq(count_different_answers(calls), 2);
}

/* Masters, each with so many replicas. */
static void open_cluster(int masters, int replicas)
{
  char addresses[256] = "";
  int servers = masters * (1 + replicas);
  for (int i = 0; i < servers; i++) {
    begin(i, "",
          world_text(&w,
                     "--save '' --appendonly no --cluster-enabled yes --cluster-node-timeout 2000 "
                     "--cluster-require-full-coverage no --cluster-config-file nodes-%d --dbfilename dump-%d",
                     i, i));
    snprintf(addresses + strlen(addresses), sizeof(addresses) - strlen(addresses), " 127.0.0.1:%u",
             node[i].port);
  }
  struct run create =
      run_shell_plain(&w, world_text(&w, "redis-cli --cluster create%s --cluster-replicas %d --cluster-yes",
                                     addresses, replicas));
  expect_success(&create);
  run_release(&create);
  for (int i = 0; i < servers; i++)
    wait_until(strstr(ask(i, "CLUSTER INFO"), "cluster_state:ok"));
}

Test(fleet_servers, slots_move_under_load_and_nothing_is_paid_for_twice)
{
  char from[64], to[64];
  open_cluster(3, 0);
  world_env(&w, "IDEMSHIM_FLEET", "redis+cluster://127.0.0.1:%u?" LIMITS, node[0].port);
  on_machine("C");
  struct run meets = fleet_post("{\"first\":1}", "latency_ms%3D20");
  expect_success(&meets);
  run_release(&meets);
  mock_reset(&w);
  struct run a = load("A"), b = load("B");
  wait_until(mock_count(&w).requests >= 30);
  snprintf(from, sizeof(from), "%.40s", ask(0, "CLUSTER MYID"));
  snprintf(to, sizeof(to), "%.40s", ask(1, "CLUSTER MYID"));
  struct run move = run_shell_plain(
      &w,
      world_text(
          &w,
          "redis-cli --cluster reshard 127.0.0.1:%u --cluster-from %s --cluster-to %s --cluster-slots 1000 "
          "--cluster-pipeline 100 --cluster-yes >/dev/null",
          node[0].port, from, to));
  cr_expect_eq(move.status, 0, "%s", move.err);
  run_release(&move);
  int calls = end_load(&a, &b), again = expect_one_key_each();
  printf("counted: cluster calls=%d again=%d\n", calls, again);
  cr_expect_eq(again, 0, "nobody was away");
  cr_expect_eq(count_different_answers(calls), 0);

  /* One of them is down for good: what the others have is had, and the rest goes out. */
  run_signal(&node[2].run, SIGKILL);
  run_wait(&node[2].run);
  int hits = 0, asked = calls < 40 ? calls : 40;
  on_machine("C");
  for (int i = 1; i <= asked; i++) {
    struct run c = fleet_post(world_text(&w, "{\"p\":%d}", i), "latency_ms%3D20");
    expect_success(&c);
    cr_expect_not_null(strstr(c.out, "200 OK"), "%s%s", c.out, c.err);
    hits += fleet_is_replay(&c);
    run_release(&c);
  }
  printf("counted: asked=%d hits=%d without one of three\n", asked, hits);
  cr_expect_gt(hits, asked / 3);
  cr_expect_lt(hits, asked, "the third had something");
}

static int count_masters(int of)
{
  return count_of(ask(of, "CLUSTER NODES"), "master - 0");
}

static bool has_synced_replica(int master)
{
  return strstr(ask(master, "INFO replication"), "state=online") != NULL;
}

/* The one that is killed is not the one that the URL names; its replica has its slots then. */
Test(fleet_servers, a_master_of_a_cluster_dies_under_load_and_its_replica_goes_on)
{
  if (!least_calls())
    cr_skip_test("it takes long: make torture PART=fleet");
  open_cluster(3, 1);
  for (int i = 0; i < 3; i++)
    wait_until(has_synced_replica(i));
  world_env(&w, "IDEMSHIM_FLEET", "redis+cluster://127.0.0.1:%u,127.0.0.1:%u?" LIMITS, node[0].port,
            node[2].port);
  struct run a = load("A"), b = load("B");
  wait_until(mock_count(&w).requests >= 30);
  run_signal(&node[1].run, SIGKILL);
  run_wait(&node[1].run);
  wait_until(count_masters(0) == 3 && strstr(ask(0, "CLUSTER INFO"), "cluster_slots_ok:16384"));
  long before = mock_count(&w).requests;
  wait_until(mock_count(&w).requests >= before + 30);
  int calls = end_load(&a, &b), again = expect_one_key_each();
  printf("counted: six calls=%d again=%d\n", calls, again);
  cr_expect_lt(again, calls, "they had nothing together");
  cr_expect_leq(count_different_answers(calls), 2);
}
