/* SPDX-License-Identifier: MIT */
/* What a machine has stored while the fleet was away, what is removed, and the command. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(fleet_outbox, .init = open_fleet, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

/* A machine that has been away, and has an answer of its own. */
static void be_alone(const char *machine, const char *prompt)
{
  fleet_post_and_forget(machine, "{\"first\":1}");
  fleet_stop();
  fleet_post_and_forget(machine, prompt);
  fleet_start();
}

Test(fleet_outbox, what_was_stored_alone_is_pushed_by_the_command)
{
  be_alone("A", body);
  struct run push = fleet_command("A", 0, "fleet push");
  cr_expect_str_eq(push.out, "told the fleet of 1 answer\n");
  struct run b = fleet_post_on("B", body, ""), again = fleet_command("A", 0, "fleet push");
  cr_expect(fleet_is_replay(&b));
  cr_expect_str_eq(again.out, "told the fleet of 0 answers\n");
  run_release(&push);
  run_release(&b);
  run_release(&again);
}

Test(fleet_outbox, what_was_stored_alone_is_pushed_by_a_later_call)
{
  be_alone("A", body);
  for (int i = 0; i < 300 && !strstr(redis("KEYS '*:a'"), ":a"); i++)
    fleet_post_and_forget("A", world_text(&w, "{\"later\":%d}", i));
  long before = mock_count(&w).requests;
  for (int i = 0; i < 100; i++) {
    fleet_post_and_forget("A", world_text(&w, "{\"more\":%d}", i));
    if (strstr(redis("DBSIZE"), "(nil)"))
      break;
    struct run b = fleet_post_on("B", body, "");
    bool done = fleet_is_replay(&b);
    run_release(&b);
    if (done)
      return;
    cr_assert_lt(mock_count(&w).requests, before + 3, "B has sent it");
  }
  cr_assert_fail("it was never pushed");
}

/* Upstream is not asked any more: all that A has is hits of its own. */
Test(fleet_outbox, what_was_stored_alone_is_pushed_by_a_later_hit)
{
  be_alone("A", body);
  fleet_attributes("near=1ms");
  wait_until((fleet_post_and_forget("A", body), strstr(redis("KEYS '*:a'"), ":a")));
  struct run b = fleet_post_on("B", body, "");
  cr_expect(fleet_is_replay(&b));
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&b);
}

/* What processes have told each other is gone, as where one has died before it could. */
Test(fleet_outbox, what_was_stored_alone_is_pushed_by_a_process_that_was_not_told)
{
  be_alone("A", body);
  struct run forget = run_shell_plain(&w, world_text(&w, "rm %s/A/fleet/*/stats*", w.dir));
  expect_success(&forget);
  fleet_attributes("near=1h");
  fleet_post_and_forget("A", "{\"another\":1}");
  struct run b = fleet_post_on("B", body, "");
  cr_expect(fleet_is_replay(&b));
  run_release(&forget);
  run_release(&b);
}

/* Both were alone; when they are not any more, one answer wins everywhere. */
Test(fleet_outbox, after_a_partition_one_answer_wins_everywhere)
{
  fleet_post_and_forget("A", "{\"first\":1}");
  fleet_post_and_forget("B", "{\"first\":1}");
  fleet_stop();
  mock_reset(&w);
  struct run a, b;
  fleet_both_pay(body, &a, &b);
  fleet_start();
  struct run push_a = fleet_command("A", 0, "fleet push"), push_b = fleet_command("B", 0, "fleet push");
  /* The breaker of a machine may be open still. */
  struct run again = {0};
  for (int i = 0; i < 100; i++) {
    again = fleet_post_on("B", body, "");
    if (fleet_is_replay(&again))
      break;
    run_release(&again);
  }
  const char *first = strstr(a.out, "\r\n\r\n"), *last = strstr(again.out, "\r\n\r\n");
  cr_expect_str_eq(first, last, "what A had first is what B has now");
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&b);
  run_release(&push_a);
  run_release(&push_b);
  run_release(&again);
}

static const char held[] = "gate%3Dg,gate_first%3D1";

/* A letter a line. */
static const char *states_of_claims(void)
{
  return redis(world_text(&w, "--scan --pattern '*:c' | xargs -I@ redis-cli -s %s/redis HGET @ s", w.dir));
}

/* Each of its replies takes 0.4 s, and a long answer has many. */
Test(fleet_outbox, a_push_leaves_time_to_say_that_the_next_call_goes_out)
{
  static const char slowly[] =
      "import socket,sys,threading,time\n"
      "def copy(a,b,pause):\n"
      "  while True:\n"
      "    data=a.recv(1<<16)\n"
      "    time.sleep(pause)\n"
      "    if not data: break\n"
      "    b.sendall(data)\n"
      "s=socket.socket(socket.AF_UNIX);s.bind(sys.argv[1]+'/redis');s.listen(9);print('there',flush=True)\n"
      "while True:\n"
      "  a=s.accept()[0];b=socket.socket(socket.AF_UNIX);b.connect(sys.argv[1]+'/behind')\n"
      "  threading.Thread(target=copy,args=(a,b,0)).start()\n"
      "  threading.Thread(target=copy,args=(b,a,0.4)).start()\n";
  fleet_post_and_forget("A", "{\"first\":1}");
  fleet_stop();
  struct run alone = fleet_post(body, "size%3D5000000");
  expect_success(&alone);
  fleet_start();
  struct run proxy = run_shell_plain(&w, world_text(&w, "mv %s/redis %s/behind", w.dir, w.dir));
  expect_success(&proxy);
  run_release(&proxy);
  proxy = start_plain(&w, "python3", "-c", slowly, w.dir, NULL);
  wait_until((run_look(&proxy), proxy.out_len + proxy.err_len > 0));
  cr_assert_not_null(strstr(proxy.out, "there"), "%s", proxy.err);
  fleet_attributes("connect-timeout=4s&operation-timeout=4s&call-timeout=10s");
  /* It is left alone for a second. */
  usleep(1500000);
  mock_reset(&w);
  struct run next = fleet_post_begin("{\"prompt\":2}", held);
  wait_until(mock_count(&w).requests == 1);
  const char *states = states_of_claims();
  cr_expect_not_null(strchr(states, 'S'), "nobody knows that it has been sent: %s", states);
  mock_open(&w, "g");
  run_wait(&next);
  expect_success(&next);
  run_release(&alone);
  run_release(&proxy);
  run_release(&next);
}

Test(fleet_outbox, a_server_that_has_lost_everything_is_told_again)
{
  fleet_post_and_forget("A", body);
  redis("FLUSHALL");
  struct run push = fleet_command("A", 0, "fleet push --all");
  cr_expect_str_eq(push.out, "told the fleet of 1 answer\n");
  struct run b = fleet_post_on("B", body, "");
  cr_expect(fleet_is_replay(&b));
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&push);
  run_release(&b);
}

/* What the fleet has of ours stays here as well: it may lose it. */
Test(fleet_outbox, an_answer_that_was_pushed_again_outlives_the_server)
{
  fleet_post_and_forget("A", body);
  struct run push = fleet_command("A", 0, "fleet push --all");
  redis("FLUSHALL");
  struct run a = fleet_post_on("A", body, "");
  cr_expect(fleet_is_replay(&a));
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&push);
  run_release(&a);
}

Test(fleet_outbox, what_is_removed_on_one_machine_is_gone_on_the_others)
{
  fleet_attributes("near=1s");
  fleet_post_and_forget("A", body);
  fleet_post_and_forget("B", body);
  fleet_remove_last_of("A");
  /* From then on no call begins with what it had. */
  usleep(1100000);
  struct run b = fleet_post_on("B", body, "");
  cr_expect(!fleet_is_replay(&b));
  run_release(&b);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_str_neq(key_sent(0), key_sent(1), "another key, for it is asked for anew");
}

/* More than the server tells at once, most of operations that this machine has never heard of. */
Test(fleet_outbox, what_is_removed_after_thousands_of_others_is_gone_at_the_next_look)
{
  static const char thousands[] =
      "EVAL \"for i=1,3500 do redis.call('XADD','idemshim:default:removed','*','k',string.format('%064x',i)) "
      "end\" 0";
  fleet_attributes("near=1ms");
  fleet_post_and_forget("A", body);
  struct run b = fleet_post_on("B", body, "");
  cr_assert(fleet_is_replay(&b));
  run_release(&b);
  redis(thousands);
  fleet_remove_last_of("A");
  b = fleet_post_on("B", body, "");
  cr_expect(!fleet_is_replay(&b));
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&b);
}

/* A machine that was away while one was removed has it, and is asked to tell all that it has. */
Test(fleet_outbox, what_was_removed_is_not_told_to_the_fleet_again)
{
  fleet_attributes("near=1h");
  fleet_post_and_forget("A", body);
  fleet_post_and_forget("B", body);
  fleet_remove_last_of("A");
  struct run push = fleet_command("B", 0, "fleet push --all");
  cr_expect_str_eq(push.out, "told the fleet of 0 answers\n");
  struct run c = fleet_post_on("C", body, "");
  cr_expect(!fleet_is_replay(&c));
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&push);
  run_release(&c);
}

Test(fleet_outbox, the_command_lists_what_there_is_and_says_how_it_is_set_up)
{
  fleet_post_and_forget("A", body);
  struct run ls = fleet_command("A", 0, "fleet ls"), check = fleet_command("A", 0, "fleet check");
  cr_expect_not_null(strstr(ls.out, "  answered\n"), "%s", ls.out);
  cr_expect_not_null(strstr(check.out, "ok       rights"), "%s", check.out);
  cr_expect_not_null(strstr(check.out, "warning  append-only file"), "%s", check.out);
  redis("CONFIG SET maxclients 1");
  struct run full = fleet_command("A", 0, "fleet check");
  cr_expect_not_null(strstr(full.out, "warning  clients"), "%s", full.out);
  run_release(&full);
  redis("CONFIG SET maxclients 1000");
  redis("CONFIG SET maxmemory 100mb");
  redis("CONFIG SET maxmemory-policy allkeys-lru");
  struct run bad = fleet_command("A", 1, "fleet check");
  cr_expect_not_null(strstr(bad.out, "bad      eviction"), "%s", bad.out);
  world_unset(&w, "IDEMSHIM_FLEET");
  struct run none = fleet_command("A", 3, "fleet ls");
  run_release(&ls);
  run_release(&check);
  run_release(&bad);
  run_release(&none);
}

/* What one asks who sets a machine up: it has no store yet, and has never been in the fleet. */
Test(fleet_outbox, the_command_checks_before_the_first_call)
{
  struct run check = fleet_command("A", 0, "fleet check"), ls = fleet_command("A", 3, "fleet ls");
  cr_expect_not_null(strstr(check.out, "ok       rights"), "%s", check.out);
  cr_expect_not_null(strstr(ls.err, "there is no store"), "%s", ls.err);
  fleet_stop();
  struct run away = fleet_command("A", 1, "fleet check");
  cr_expect_not_null(strstr(away.out, "bad      reach"), "%s", away.out);
  fleet_post_and_forget("A", body);
  struct run list = fleet_command("A", 3, "fleet ls");
  cr_expect_not_null(strstr(list.err, "idemshim fleet check says whether it can"), "%s", list.err);
  run_release(&check);
  run_release(&ls);
  run_release(&away);
  run_release(&list);
}
