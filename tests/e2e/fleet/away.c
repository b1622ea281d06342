/* SPDX-License-Identifier: MIT */
/* A fleet that is not there: the app's result is as without us, soon, with one line. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(fleet_away, .init = open_fleet, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

/* A call that goes out, whatever the server does. */
static struct run goes_out(const char *prompt)
{
  struct run run = fleet_post(prompt, "");
  expect_success(&run);
  cr_expect_not_null(strstr(run.out, "200 OK"), "%s", run.out);
  return run;
}

Test(fleet_away, a_server_that_has_gone_is_told_once_and_the_machine_goes_on)
{
  fleet_meet();
  fleet_stop();
  fleet_expect_one_line("");
}

Test(fleet_away, when_it_is_back_that_is_told_once)
{
  fleet_meet();
  fleet_stop();
  struct run run = goes_out(body);
  run_release(&run);
  fleet_start();
  int told = 0;
  for (int i = 0; i < 200 && !told; i++) {
    run = goes_out(world_text(&w, "{\"prompt\":\"again %d\"}", i));
    told = count_of(run.err, "is back");
    run_release(&run);
  }
  cr_expect_eq(told, 1);
  cr_expect_eq(events_of("A", "fleet_back"), 1);
}

/* Two pay for a silence, and the others nothing. */
Test(fleet_away, a_server_that_is_stopped_costs_all_together_a_few_timeouts)
{
  fleet_meet();
  fleet_signal(SIGSTOP);
  int64_t worst = 0, all = 0;
  int lines = 0;
  for (int i = 0; i < 10; i++) {
    struct run run = goes_out(world_text(&w, "{\"prompt\":\"%d\"}", i));
    lines += count_of(run.err, "is away");
    worst = run.ms > worst ? run.ms : worst;
    all += run.ms;
    run_release(&run);
  }
  fleet_signal(SIGCONT);
  cr_expect_eq(lines, 1);
  cr_expect_lt(worst, 30000);
  cr_expect_lt(all, 60000, "each of them waits");
  cr_expect_eq(mock_count(&w).requests, 10);
}

/* When the lease ends of the one claim that has been sent. */
static double lease(void)
{
  return atof(redis(world_text(
      &w,
      "EVAL \"local at=0; for _,k in ipairs(redis.call('KEYS','*:c')) do if redis.call('HGET',k,'s')=='S' "
      "then at=redis.call('HGET',k,'u') end end; return at\" 0")));
}

static const char held[] = "gate%3Dg,gate_first%3D1";

/* A long call is all that is left on the machine: nobody else finds out that the server is back. */
Test(fleet_away, a_call_that_is_under_way_renews_its_claim_when_the_server_is_back)
{
  fleet_attributes("connect-timeout=500ms&operation-timeout=500ms&call-timeout=2s");
  fleet_meet();
  struct run run = fleet_post_begin(body, held);
  wait_until(mock_count(&w).requests == 1);
  fleet_signal(SIGSTOP);
  struct run other = goes_out("{\"prompt\":2}");
  run_release(&other);
  other = goes_out("{\"prompt\":3}");
  fleet_signal(SIGCONT);
  cr_expect_eq(events_of("A", "fleet_away"), 1);
  /* The server had one or two before it was away. */
  for (int i = 0; i < 4; i++) {
    double before = lease();
    wait_until(lease() > before);
  }
  mock_open(&w, "g");
  run_wait(&run);
  expect_success(&run);
  struct run b = fleet_post_on("B", body, held);
  cr_expect(fleet_is_replay(&b));
  run_release(&run);
  run_release(&other);
  run_release(&b);
}

/* What was left of it after a look for removals: one silence is not two. */
Test(fleet_away, all_that_a_call_waits_is_within_its_limit)
{
  fleet_attributes("connect-timeout=1s&operation-timeout=1s&call-timeout=1s&near=1ms");
  fleet_meet();
  fleet_signal(SIGSTOP);
  struct run run = goes_out(body);
  cr_expect_str_eq(run.err, "");
  cr_expect_eq(events_of("A", "fleet_away"), 0);
  fleet_signal(SIGCONT);
  run_release(&run);
}

Test(fleet_away, a_first_start_without_it_is_the_store_of_this_machine_alone)
{
  fleet_stop();
  struct run one = goes_out(body), two = fleet_post(body, "");
  cr_expect_not_null(strstr(one.err, "this machine works alone"), "%s", one.err);
  cr_expect_str_eq(two.err, "", "it is told once");
  cr_expect_not_null(strstr(two.out, "X-Idempotency-Replayed"));
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&one);
  run_release(&two);
}

Test(fleet_away, a_server_that_takes_no_writes_is_away)
{
  fleet_meet();
  redis("REPLICAOF 127.0.0.1 1");
  struct run one = goes_out(body);
  cr_expect_not_null(strstr(one.err, "READONLY"), "%s", one.err);
  run_release(&one);
}

Test(fleet_away, a_wrong_password_is_away_and_is_not_told)
{
  redis("CONFIG SET requirepass sesame");
  world_env(&w, "IDEMSHIM_FLEET", "redis+unix://:wrongpass@%s/redis?connect-timeout=1s", w.dir);
  struct run one = goes_out(body);
  cr_expect_not_null(strstr(one.err, "WRONGPASS"), "%s", one.err);
  cr_expect_null(strstr(one.err, "wrongpass@"), "%s", one.err);
  cr_expect_not_null(strstr(one.err, ":***@"), "%s", one.err);
  cr_expect(!file_contains(world_path(&w, "A.log"), "wrongpass"));
  run_release(&one);
}

Test(fleet_away, at_most_once_may_refuse_to_go_out_without_it)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  fleet_attributes("unreachable=fail");
  fleet_meet();
  fleet_stop();
  struct run one = fleet_post(body, "");
  cr_expect_null(strstr(one.out, "200 OK"), "%s", one.out);
  cr_expect_eq(mock_count(&w).requests, 0);
  fleet_attributes("");
  struct run two = goes_out(body);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&one);
  run_release(&two);
}

/* Both send, and upstream sees one operation. */
Test(fleet_away, machines_that_work_alone_send_the_same_key)
{
  fleet_meet();
  on_machine("B");
  fleet_meet();
  fleet_stop();
  for (int i = 0; i < 2; i++) {
    on_machine(i ? "B" : "A");
    struct run run = goes_out(body);
    run_release(&run);
  }
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_neq(key_sent(0)[0], '\0');
  cr_expect_str_eq(key_sent(0), key_sent(1));
}

/* True if a call of curl's has opened it. */
static bool opens_object(const char *prompt)
{
  const char *trace = world_path(&w, "trace");
  struct run run = run_shim(&w, "strace", "-f", "-o", trace, "curl", "-sS", "-d", prompt,
                            world_url(&w, "/v1/chat/completions"), NULL);
  if (run.status == 127)
    cr_skip_test("strace is not installed");
  expect_success(&run);
  run_release(&run);
  return file_contains(trace, "libidemshim-fleet.so");
}

Test(fleet_away, without_the_variable_its_object_is_not_opened)
{
  cr_expect(opens_object("{\"x\":1}"));
  world_unset(&w, "IDEMSHIM_FLEET");
  on_machine("C");
  cr_expect(!opens_object("{\"x\":2}"));
}
