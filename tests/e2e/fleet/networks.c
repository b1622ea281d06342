/* SPDX-License-Identifier: MIT */
/* Two machines, each in a network of its own: what they have together goes over wires, which lose what is
 * sent to the server while upstream can be reached still. */
#include "tests/e2e/fleet/fleet.h"
#include "tests/harness/free_port.h"
#include "tests/harness/network.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SERVER "10.78.0.1"

static struct run network[2];
static int port;

/* The server and upstream are at one address, whichever wire leads there. */
static const char set_up[] =
    "ip address add " SERVER "/32 dev lo\n"
    "connect() {\n"
    "  ip link add dev to$1 type veth peer name server netns $2\n"
    "  ip address add 10.78.$3.1/24 dev to$1; ip link set to$1 up\n"
    "  nsenter --net=/proc/$2/ns/net sh -e -c \"ip address add 10.78.$3.2/24 dev server; ip link set lo up\n"
    "    ip link set server up; ip route add default via 10.78.$3.1\"\n"
    "}\n"
    "connect A %d 1; connect B %d 2\n"
    "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet\n"
    "nft 'add table ip fleet'; nft 'add chain ip fleet nat { type nat hook prerouting priority -100 ; }'\n"
    "nft 'add rule ip fleet nat ip daddr " SERVER " dnat to 127.0.0.1'\n"
    "nft 'add chain ip fleet lost { type filter hook input priority 0 ; }'\n";

static void open_networks(void)
{
  static const char *const machines[] = {"A", "B"};
  static char server[64];
  network_leave();
  open_world();
  for (int i = 0; i < 2; i++)
    network[i] = network_begin(&w);
  char script[sizeof(set_up) + 64];
  snprintf(script, sizeof(script), set_up, (int)network[0].pid, (int)network[1].pid);
  network_connect(&w, script);
  port = free_port();
  open_fleet_here(world_text(&w, "port %d\nprotected-mode no\n", port));
  fleet_attributes("near=1ms&lease=2s");
  world_env(&w, "IDEMSHIM_HOSTS", SERVER ":%d", w.port);
  snprintf(server, sizeof(server), "redis://" SERVER ":%d", port);
  for (int i = 0; i < 2; i++)
    fleet_place((struct fleet_place){
        .machine = machines[i], .server = server, .upstream = SERVER, .network = network[i].pid});
}

static void close_networks(void)
{
  for (int i = 0; i < 2; i++)
    run_release(&network[i]);
  close_fleet();
}

TestSuite(fleet_networks, .init = open_networks, .fini = close_networks, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

static void rule(const char *words)
{
  struct run run = run_shell_plain(&w, world_text(&w, "PATH=$PATH:/usr/sbin:/sbin; nft '%s'", words));
  expect_success(&run);
  run_release(&run);
}

/* No packet of its comes to the server any more, of no connection. */
static void cut_off(const char *machine)
{
  rule(world_text(&w, "add rule ip fleet lost iifname to%s tcp dport %d drop", machine, port));
}

static void heal(void)
{
  rule("flush chain ip fleet lost");
}

/* Both have it at last, without another call. */
static void expect_one_answer(const struct run *answer)
{
  static const char *const machines[] = {"A", "B"};
  long before = mock_count(&w).requests;
  for (int i = 0; i < 2; i++) {
    struct run run = {0};
    wait_until((run_release(&run), run = fleet_post_on(machines[i], body, ""),
                !strcmp(fleet_text_of(&run), fleet_text_of(answer))));
    cr_expect(fleet_is_replay(&run));
    run_release(&run);
  }
  cr_expect_eq(mock_count(&w).requests, before);
}

Test(fleet_networks, processes_of_both_make_one_call)
{
  enum { PROCESSES = 10 };
  struct run runs[2 * PROCESSES];
  int replayed = 0;
  for (int i = 0; i < 2 * PROCESSES; i++) {
    on_machine(i % 2 ? "B" : "A");
    runs[i] = fleet_post_begin(body, "latency_ms%3D1000");
  }
  for (int i = 0; i < 2 * PROCESSES; i++) {
    run_wait(&runs[i]);
    expect_success(&runs[i]);
    cr_expect_str_eq(fleet_text_of(&runs[i]), fleet_text_of(&runs[0]));
    replayed += fleet_is_replay(&runs[i]);
  }
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(replayed, 2 * PROCESSES - 1);
  cr_expect_eq(events_of("A", "fleet_away") + events_of("B", "fleet_away"), 0);
  for (int i = 0; i < 2 * PROCESSES; i++)
    run_release(&runs[i]);
}

Test(fleet_networks, what_is_removed_on_one_is_gone_on_the_other)
{
  fleet_post_and_forget("A", body);
  struct run had = fleet_post_on("B", body, "");
  cr_expect(fleet_is_replay(&had));
  fleet_remove_last_of("A");
  struct run anew = fleet_post_on("B", body, "");
  cr_expect(!fleet_is_replay(&anew));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_str_neq(key_sent(0), key_sent(1));
  run_release(&had);
  run_release(&anew);
}

/* Both pay, under one key, and the fleet has the one that could tell it. */
Test(fleet_networks, one_that_cannot_reach_the_server_sends_the_same_key_and_gives_way_later)
{
  fleet_post_and_forget("A", "{\"first\":1}");
  fleet_post_and_forget("B", "{\"first\":1}");
  mock_reset(&w);
  cut_off("A");
  struct run a, b;
  fleet_both_pay(body, &a, &b);
  heal();
  expect_one_answer(&b);
  run_release(&a);
  run_release(&b);
}

/* It is cut off after it has sent, and its lease ends; its app has its answer all the
 * same, and nobody else has. */
Test(fleet_networks, an_owner_that_is_cut_off_is_passed_over)
{
  mock_default(&w, "gate=g,gate_first=1");
  on_machine("A");
  struct run owner = fleet_post_begin(body, "");
  wait_until(mock_count(&w).requests == 1);
  cut_off("A");
  mock_default(&w, "");
  struct run next = fleet_post_on("B", body, "");
  cr_expect(!fleet_is_replay(&next));
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_neq(key_sent(0)[0], '\0');
  cr_expect_str_eq(key_sent(0), key_sent(1));
  cr_expect_eq(events_of("B", "in_doubt"), 1);
  mock_open(&w, "g");
  run_wait(&owner);
  expect_success(&owner);
  cr_expect_str_neq(fleet_text_of(&owner), fleet_text_of(&next));
  heal();
  expect_one_answer(&next);
  run_release(&owner);
  run_release(&next);
}
