/* SPDX-License-Identifier: MIT */
/* keepalive=: the connection of a call in flight is kept alive, and nothing else is. */
#include "tests/harness/network.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

TestSuite(kept_alive, .init = open_world, .fini = close_world, .timeout = 120);

static const char as_it_is[] = "- idle=7200 interval=75 count=9";

/* What the client says of its calls under these rules. */
static void says(const char *rules, const char *const steps[], const char *expected)
{
  const char *argv[12] = {"kept_alive"};
  for (int i = 0; steps[i]; i++)
    argv[i + 1] = steps[i];
  world_store_anew(&w);
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 %s", rules);
  struct run run = run_argv(&w, true, argv);
  expect_success(&run);
  cr_expect_str_eq(run.out, expected, "%s:\n%sand not\n%s", rules, run.out, expected);
  run_release(&run);
}

#define STEPS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define POST_NEW   "post new: alive idle=60 interval=60 count=9\n"
#define POST_OLD   "post reused: alive idle=60 interval=60 count=9\n"

Test(kept_alive, a_new_connection_by_libcurls_options)
{
  says("", STEPS("post", "post"), POST_NEW POST_OLD);
  says("", STEPS("multi", "post"), POST_NEW);
  says("keepalive=1500ms", STEPS("post"), "post new: alive idle=2 interval=2 count=9\n");
  says("keepalive=24h", STEPS("post"), "post new: alive idle=32767 interval=32767 count=9\n");
}

Test(kept_alive, a_connection_that_was_there_before_by_its_socket)
{
  need_libcurl(0x075000, "prerequest callback");
  says("", STEPS("get", "post"), world_text(&w, "get new: %s\n" POST_OLD, as_it_is));
  says("", STEPS("multi", "get", "post"), world_text(&w, "get new: %s\n" POST_OLD, as_it_is));
}

Test(kept_alive, not_of_calls_that_are_not_ours)
{
  says("", STEPS("post", "fresh=1", "get"), world_text(&w, POST_NEW "get new: %s\n", as_it_is));
  says("keepalive=off", STEPS("get", "post"),
       world_text(&w, "get new: %s\npost reused: %s\n", as_it_is, as_it_is));
  says("action=bypass", STEPS("post"), world_text(&w, "post new: %s\n", as_it_is));
  says("", STEPS("unix", "post"), "post new: - idle=-1 interval=-1 count=-1\n");
  world_env(&w, "IDEMSHIM_MODE", "observe");
  says("", STEPS("post"), world_text(&w, "post new: %s\n", as_it_is));
}

/* Each of the four, whatever its value. */
Test(kept_alive, not_where_the_app_has_said_how)
{
  static const char *const set[] = {"alive=0", "idle=60", "interval=30"};
  for (int i = 0; i < 3; i++)
    says("", STEPS(set[i], "get", "post", "fresh=1", "post"),
         world_text(&w, "get new: %s\npost reused: %s\npost new: %s\n", as_it_is, as_it_is, as_it_is));
  says("", STEPS("alive=1", "post"), POST_NEW);
  says("keepalive=5s", STEPS("alive=1", "post"), POST_NEW);
}

Test(kept_alive, the_apps_own_function_has_the_last_word)
{
  says("", STEPS("own=77", "post", "post"),
       "post new: alive idle=77 interval=60 count=9\npost reused: alive idle=77 interval=60 count=9\n");
  says("", STEPS("own=0", "post", "post"),
       "post new: - idle=60 interval=60 count=9\npost reused: - idle=60 interval=60 count=9\n");
  says("", STEPS("own=77", "get", "post"),
       "get new: alive idle=77 interval=75 count=9\npost reused: alive idle=77 interval=75 count=9\n");
}

/* Behind a router that forgets connections: the server's side is this process's, the router and the
 * client have a network each. */

TestSuite(kept_alive_behind_nat, .fini = close_world, .timeout = 120);

static struct run router, client;
static char client_network[64];

static const char set_up[] =
    "router() { nsenter --net=/proc/%d/ns/net \"$@\"; }; client() { nsenter --net=/proc/%d/ns/net \"$@\"; }\n"
    "ip link add dev tosrv type veth peer name torouter\n"
    "ip link set dev tosrv netns %d; ip address add 10.77.2.2/24 dev torouter; ip link set torouter up\n"
    "router ip address add 10.77.2.1/24 dev tosrv; router ip link set tosrv up\n"
    "ip link add dev tocli type veth peer name toroute\n"
    "ip link set dev tocli netns %d; ip link set dev toroute netns %d\n"
    "router ip address add 10.77.1.1/24 dev tocli; router ip link set tocli up\n"
    "client ip address add 10.77.1.2/24 dev toroute; client ip link set toroute up\n"
    "client ip link set lo up; client ip route add default via 10.77.1.1\n"
    "router nft 'add table ip nat'\n"
    "router nft 'add chain ip nat out { type nat hook postrouting priority 100 ; }'\n"
    "router nft 'add rule ip nat out oifname tosrv masquerade'\n"
    "router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; cd /proc/sys/net/netfilter\n"
    "  echo 5 >nf_conntrack_tcp_timeout_established; echo 0 >nf_conntrack_tcp_loose'\n"
    "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet\n"
    "nft 'add table ip nat'; nft 'add chain ip nat in { type nat hook prerouting priority -100 ; }'\n"
    "nft 'add rule ip nat in ip daddr 10.77.2.2 dnat to 127.0.0.1'\n";

static void go_behind_nat(const char *rules)
{
  network_leave();
  open_world();
  router = network_begin(&w);
  client = network_begin(&w);
  int at = (int)router.pid, from = (int)client.pid;
  char script[sizeof(set_up) + 64];
  snprintf(script, sizeof(script), set_up, at, from, at, at, from);
  network_connect(&w, script);
  snprintf(client_network, sizeof(client_network), "--net=/proc/%d/ns/net", from);
  world_env(&w, "IDEMSHIM_RULES", "host=10.77.2.2 %s", rules);
}

static void come_back(void)
{
  run_signal(&router, SIGKILL);
  run_signal(&client, SIGKILL);
  run_wait(&router);
  run_wait(&client);
  run_release(&router);
  run_release(&client);
}

static const char *far_url(void)
{
  return world_text(&w, "http://10.77.2.2:%d/v1/chat/completions?mock=latency_ms%%3D20000", w.port);
}

static const char body[] = "{\"n\":1}";

static struct run start_fetch(bool shim, const char *limit_ms)
{
  return start_argv(&w, shim,
                    (const char *const[]){"nsenter", client_network, "fetch-openssl", "--print-body",
                                          "--timeout-ms", limit_ms, "--body", body, far_url(), NULL});
}

/* One call has been made, and its answer is there. */
static void expect_its_answer(void)
{
  struct run again = start_fetch(true, "15000"); /* a call that goes out takes longer */
  run_wait(&again);
  expect_success(&again);
  cr_expect(strstr(again.out, "chatcmpl"), "%s", again.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&again);
}

Test(kept_alive_behind_nat, a_call)
{
  go_behind_nat("keepalive=2s");
  struct run bare = start_fetch(false, "23000");
  run_wait(&bare);
  cr_expect(strstr(bare.out, "rc 28"), "the router does not forget: %s", bare.out);
  mock_reset(&w);
  struct run ours = start_fetch(true, "23000");
  run_wait(&ours);
  expect_success(&ours);
  cr_expect(strstr(ours.out, "chatcmpl"), "%s", ours.out);
  expect_its_answer();
  run_release(&bare);
  run_release(&ours);
  come_back();
}

Test(kept_alive_behind_nat, a_call_that_is_rescued)
{
  go_behind_nat("keepalive=2s");
  struct run run = start_fetch(true, "500");
  run_wait(&run);
  cr_expect(strstr(run.out, "rc 28"), "%s", run.out);
  wait_until(log_events(&w, "rescued") == 1);
  expect_its_answer();
  run_release(&run);
  come_back();
}

Test(kept_alive_behind_nat, a_call_whose_program_is_killed)
{
  go_behind_nat("keepalive=2s guard=on");
  struct run run = start_fetch(true, "23000");
  wait_until(world_orphans(&w) > 0);
  run_signal(&run, SIGKILL);
  run_wait(&run);
  wait_until(log_events(&w, "rescued") == 1);
  expect_its_answer();
  run_release(&run);
  come_back();
}
