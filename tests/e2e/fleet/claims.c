/* SPDX-License-Identifier: MIT */
/* Two machines and one call: it is paid for once, whoever of them asks, and whoever dies. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(fleet_claims, .init = open_fleet, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"prompt\":1}";

static void expect_a_replay(const struct run *run)
{
  expect_success(run);
  cr_expect(fleet_is_replay(run), "%s", run->out);
}

Test(fleet_claims, what_one_machine_has_the_other_gets)
{
  struct run a = fleet_post(body, "");
  on_machine("B");
  struct run b = fleet_post(body, "");
  expect_success(&a);
  expect_a_replay(&b);
  cr_expect_str_eq(fleet_text_of(&a), fleet_text_of(&b));
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "hit"), 1);
  run_release(&a);
  run_release(&b);
}

/* Nothing of it is kept, neither here nor there, and the server takes it as it takes any other. */
Test(fleet_claims, an_answer_that_a_rule_gives_no_time_takes_nobody_away)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=0");
  for (int i = 0; i < 3; i++)
    fleet_post_and_forget("A", body);
  cr_expect_eq(events_of("A", "fleet_away"), 0);
  cr_expect_eq(mock_count(&w).requests, 3);
}

/* A process that does not run while its time for the server passes: each of its connections is begun 1.5
 * s after it wanted to. */
static struct run starved_post(const char *what)
{
  return run_plain(&w, "strace", "-f", "-o", "/dev/null", "-e", "trace=connect", "-e",
                   "inject=connect:delay_enter=1500000", "env",
                   world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "curl", "-sS", "-i", "-H",
                   "Content-Type: application/json", "-d", what, world_url(&w, "/v1/chat/completions"), NULL);
}

static void need_strace(void)
{
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("under strace the shim is preloaded without the sanitizer's runtime");
  if (run_plain(&w, "strace", "-o", "/dev/null", "-e", "inject=getpid:delay_enter=1", "true", NULL).status !=
      0)
    cr_skip_test("strace cannot delay system calls here");
}

/* What the server is asked then it answers a little later. */
Test(fleet_claims, what_one_machine_has_the_other_gets_though_it_does_not_run_for_longer_than_it_waits)
{
  need_strace();
  struct run a = fleet_post(body, "");
  on_machine("B");
  struct run other = fleet_post("{\"prompt\":2}", "");
  /* Redis before 6.2 knows no WRITE. */
  if (strcmp(redis("CLIENT PAUSE 2200 WRITE"), "OK\n") != 0)
    cr_expect_str_eq(redis("CLIENT PAUSE 2200"), "OK\n");
  struct run b = starved_post(body);
  expect_success(&a);
  expect_a_replay(&b);
  cr_expect_str_eq(fleet_text_of(&a), fleet_text_of(&b));
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&other);
  run_release(&b);
}

/* Even the call-timeout passes, by which an app is told: then that call goes out, and no other. */
Test(fleet_claims, a_process_that_does_not_run_keeps_no_other_from_asking)
{
  need_strace();
  fleet_attributes("call-timeout=1200ms");
  struct run a = fleet_post(body, "");
  on_machine("B");
  struct run starved = starved_post(body), b = fleet_post(body, "");
  expect_success(&starved);
  expect_a_replay(&b);
  cr_expect_str_eq(fleet_text_of(&a), fleet_text_of(&b));
  cr_expect_eq(events_of("B", "fleet_away"), 0);
  run_release(&a);
  run_release(&starved);
  run_release(&b);
}

static bool has_asked_twice(void)
{
  struct run run =
      run_shell_plain(&w, world_text(&w, "test $(grep -c /redis %s) -ge 2", world_path(&w, "calls")));
  bool has = run.status == 0;
  run_release(&run);
  return has;
}

/* Its first connection is given up by then, and it makes another. */
Test(fleet_claims, one_silence_of_the_server_is_no_reason_to_go_without_it)
{
  need_strace();
  struct run a = fleet_post(body, "");
  on_machine("B");
  struct run other = fleet_post("{\"prompt\":2}", "");
  fleet_signal(SIGSTOP);
  struct run b =
      start_plain(&w, "strace", "-f", "-o", world_path(&w, "calls"), "-e", "trace=connect", "env",
                  world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "curl", "-sS", "-i", "-H",
                  "Content-Type: application/json", "-d", body, world_url(&w, "/v1/chat/completions"), NULL);
  wait_until(has_asked_twice());
  fleet_signal(SIGCONT);
  run_wait(&b);
  expect_a_replay(&b);
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&other);
  run_release(&b);
}

enum { PROCESSES = 50 };

/* A second run asks the server for nothing but what was removed, and before that is
 * due for nothing at all. */
Test(fleet_claims, fifty_processes_on_each_of_two_machines_make_one_call)
{
  static struct run runs[2 * PROCESSES];
  fleet_attributes("near=1h");
  for (int i = 0; i < 2 * PROCESSES; i++) {
    on_machine(i % 2 ? "B" : "A");
    runs[i] = fleet_post_begin(body, "latency_ms%3D2000");
  }
  int replayed = 0;
  for (int i = 0; i < 2 * PROCESSES; i++) {
    run_wait(&runs[i]);
    expect_success(&runs[i]);
    cr_expect_str_eq(fleet_text_of(&runs[i]), fleet_text_of(&runs[0]));
    replayed += strstr(runs[i].out, "X-Idempotency-Replayed: true") != NULL;
  }
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(replayed, 2 * PROCESSES - 1);
  for (int i = 0; i < 2 * PROCESSES; i++)
    run_release(&runs[i]);
  long before = redis_connections();
  for (int i = 0; i < 20; i++) {
    on_machine(i % 2 ? "B" : "A");
    struct run again = fleet_post(body, "latency_ms%3D2000");
    expect_a_replay(&again);
    run_release(&again);
  }
  cr_expect_eq(redis_connections(), before + 1, "ours, for this look");
  fleet_attributes("near=1ms");
  redis("CONFIG RESETSTAT");
  struct run looks = fleet_post(body, "latency_ms%3D2000");
  expect_a_replay(&looks);
  run_release(&looks);
  const char *said = redis("INFO commandstats");
  cr_expect_not_null(strstr(said, "cmdstat_xread"), "%s", said);
  cr_expect_null(strstr(said, "cmdstat_eval"), "%s", said);
  cr_expect_eq(mock_count(&w).requests, 1);
}

/* The owner is killed. */

static const char held[] = "gate%3Dg,gate_first%3D1";

static struct run begin_held(const char *script)
{
  struct run owner = fleet_post_begin(body, script);
  wait_until(mock_count(&w).requests == 1);
  return owner;
}

static void kill_and_release(struct run *run)
{
  run_signal(run, SIGKILL);
  run_wait(run);
  run_release(run);
}

Test(fleet_claims, an_owner_that_dies_before_it_has_sent_costs_nothing)
{
  need_libcurl(0x075000, "prerequest callback");
  const char *url = world_url(&w, "/v1/chat/completions");
  fleet_attributes("lease=2s");
  struct run owner = start_shim(&w, "stops_connecting", url, body, NULL);
  wait_until((run_look(&owner), strstr(owner.out, "stops")));
  on_machine("B");
  struct run next = start_shim(&w, "stampede", "1", url, body, NULL);
  wait_until(strstr(redis("INFO commandstats"), "cmdstat_xread"));
  kill_and_release(&owner);
  run_wait(&next);
  expect_success(&next);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "in_doubt"), 0);
  run_release(&next);
}

Test(fleet_claims, an_owner_that_dies_after_it_has_sent_is_followed_by_one_with_its_key)
{
  fleet_attributes("lease=2s");
  struct run owner = begin_held(held);
  kill_and_release(&owner);
  mock_open(&w, "g");
  on_machine("B");
  struct run next = fleet_post(body, held);
  expect_success(&next);
  cr_expect_lt(next.ms, 30000, "ten times the lease and a second");
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_neq(key_sent(0)[0], '\0');
  cr_expect_str_eq(key_sent(0), key_sent(1));
  cr_expect_eq(events_of("B", "in_doubt"), 1);
  run_release(&next);
}

/* No lease is waited for where the kernel says that the owner is dead. */
Test(fleet_claims, on_its_own_machine_it_is_followed_at_once)
{
  fleet_attributes("lease=50s");
  struct run owner = begin_held(held);
  kill_and_release(&owner);
  mock_open(&w, "g");
  struct run next = fleet_post(body, held);
  expect_success(&next);
  cr_expect_lt(next.ms, 20000);
  cr_expect_str_eq(key_sent(0), key_sent(1));
  run_release(&next);
}

Test(fleet_claims, at_most_once_is_once_on_all_machines)
{
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 indoubt=fail");
  fleet_attributes("lease=2s");
  struct run owner = begin_held(held);
  kill_and_release(&owner);
  mock_open(&w, "g");
  on_machine("B");
  struct run next = fleet_post(body, held);
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "in_doubt"), 1);
  cr_expect_null(strstr(next.out, "200 OK"), "%s", next.out);
  run_release(&next);
}

/* The store of A as it was while the call was under way: as after a death between the two commits. */
Test(fleet_claims, an_answer_that_the_fleet_has_is_had_by_a_machine_that_died_before_it_kept_it)
{
  struct run owner = begin_held(held);
  struct run copy = run_shell_plain(&w, world_text(&w, "cp -r %s/A %s/C", w.dir, w.dir));
  expect_success(&copy);
  mock_open(&w, "g");
  run_wait(&owner);
  expect_success(&owner);
  on_machine("C");
  struct run next = fleet_post(body, held);
  expect_a_replay(&next);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&owner);
  run_release(&copy);
  run_release(&next);
}

/* The owner is stopped. */

/* `how`: NULL, or "multi". The other one is under way still when it comes back. */
static void pass_over_before_it_has_sent(const char *how)
{
  need_libcurl(0x075000, "prerequest callback");
  const char *url = world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", held));
  fleet_attributes("lease=1s");
  struct run owner = start_shim(&w, "stops_connecting", url, body, how, NULL);
  wait_until((run_look(&owner), strstr(owner.out, "stops")));
  on_machine("B");
  struct run next = start_shim(&w, "stampede", "1", url, body, NULL);
  wait_until(mock_count(&w).requests == 1);
  run_signal(&owner, SIGCONT);
  wait_until(events_of("A", "fenced") == 1);
  mock_open(&w, "g");
  run_wait(&next);
  expect_success(&next);
  run_wait(&owner);
  expect_success(&owner);
  cr_expect_eq(mock_count(&w).requests, 1);
  const char *got = strstr(owner.out, "bytes="), *expected = strstr(next.out, "bytes=");
  cr_expect(got && expected && !strcmp(got, expected), "%s%s", owner.out, next.out);
  run_release(&owner);
  run_release(&next);
}

Test(fleet_claims, an_owner_that_was_passed_over_before_it_has_sent_sends_nothing)
{
  pass_over_before_it_has_sent(NULL);
}

Test(fleet_claims, nor_does_one_in_a_multi)
{
  pass_over_before_it_has_sent("multi");
}

Test(fleet_claims, an_owner_that_was_passed_over_after_it_has_sent_keeps_nothing)
{
  fleet_attributes("lease=1s");
  struct run owner = begin_held(held);
  run_signal(&owner, SIGSTOP);
  mock_open(&w, "g");
  on_machine("B");
  struct run next = fleet_post(body, held);
  expect_success(&next);
  run_signal(&owner, SIGCONT);
  run_wait(&owner);
  expect_success(&owner);
  cr_expect_str_eq(key_sent(0), key_sent(1));
  cr_expect_eq(events_of("A", "stored"), 0);
  cr_expect_eq(events_of("A", "not_stored"), 1);
  on_machine("A");
  struct run again = fleet_post(body, held);
  expect_a_replay(&again);
  cr_expect_str_eq(fleet_text_of(&again), fleet_text_of(&next));
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&owner);
  run_release(&next);
  run_release(&again);
}

/* A call that takes longer than a lease keeps it, since libcurl turns. */
Test(fleet_claims, an_owner_that_goes_on_keeps_its_lease)
{
  fleet_attributes("lease=5s");
  struct run owner = begin_held("latency_ms%3D8000");
  on_machine("B");
  struct run next = fleet_post(body, "latency_ms%3D8000");
  expect_a_replay(&next);
  run_wait(&owner);
  expect_success(&owner);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&owner);
  run_release(&next);
}

/* It has what the others have paid for, and they do not have what it pays for. */
Test(fleet_claims, a_machine_that_only_reads_claims_and_stores_nothing)
{
  struct run a = fleet_post(body, "");
  on_machine("B");
  fleet_attributes("read-only");
  struct run b = fleet_post(body, ""), other = fleet_post("{\"prompt\":2}", "");
  expect_a_replay(&b);
  expect_success(&other);
  on_machine("A");
  fleet_attributes("");
  struct run again = fleet_post("{\"prompt\":2}", "");
  expect_success(&again);
  cr_expect_null(strstr(again.out, "X-Idempotency-Replayed"));
  cr_expect_eq(mock_count(&w).requests, 3);
  run_release(&a);
  run_release(&b);
  run_release(&other);
  run_release(&again);
}

/* The server refuses the answer, and could be told that the claim is over a moment later: the
 * disk takes that long. */
Test(fleet_claims, what_a_machine_has_and_could_not_tell_is_not_free_for_the_next)
{
  need_strace();
  struct run first = fleet_post("{\"first\":1}", "");
  redis("FLUSHALL");
  mock_reset(&w);
  world_env(&w, "IDEMSHIM_SYNC", "on");
  struct run a = start_plain(&w, "strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                             "inject=fdatasync:delay_enter=2000000", "env",
                             world_text(&w, "LD_PRELOAD=%s/libidemshim.so", w.build), "curl", "-sS", "-H",
                             "Content-Type: application/json", "-d", body,
                             world_url(&w, world_text(&w, "/v1/chat/completions?mock=%s", held)), NULL);
  wait_until(mock_count(&w).requests == 1);
  redis("ACL SETUSER default -set");
  mock_open(&w, "g");
  wait_until(strstr(redis("ACL LOG"), "set"));
  redis("ACL SETUSER default +set");
  run_wait(&a);
  expect_success(&a);
  const char *key = redis("--scan --pattern '*:c'");
  cr_expect_str_eq(redis(world_text(&w, "HGET '%.*s' s", (int)strcspn(key, "\n"), key)), "S\n");
  struct run push = run_plain(&w, "idemshim", "fleet", "push", NULL);
  cr_expect_str_eq(push.out, "told the fleet of 1 answer\n", "%s", push.err);
  on_machine("B");
  struct run b = fleet_post(body, held);
  expect_a_replay(&b);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&first);
  run_release(&a);
  run_release(&push);
  run_release(&b);
}

Test(fleet_claims, what_fails_upstream_is_free_for_the_next)
{
  struct run a = fleet_post(body, "fail_first%3D1:500");
  on_machine("B");
  struct run b = fleet_post(body, "fail_first%3D1:500");
  expect_success(&b);
  cr_expect_eq(mock_count(&w).requests, 2);
  cr_expect_eq(events_of("B", "in_doubt"), 0);
  run_release(&a);
  run_release(&b);
}

/* What lies in the server is no secret to whoever may read it, unless there is a key. */
Test(fleet_claims, with_a_key_file_the_server_sees_nothing_and_another_key_is_refused)
{
  static const char secret[] = "{\"prompt\":\"a very secret prompt\"}";
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
  struct run a = fleet_post(secret, "");
  on_machine("B");
  struct run b = fleet_post(secret, "");
  expect_success(&a);
  expect_a_replay(&b);
  cr_expect_str_eq(fleet_text_of(&a), fleet_text_of(&b));
  cr_expect_neq(atoi(redis("DBSIZE")), 0);
  redis("SAVE");
  cr_expect(!file_contains(world_path(&w, "dump.rdb"), "secret prompt"));
  cr_expect(!file_contains(world_path(&w, "dump.rdb"), "This is answer"));
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "other", "fedcba9876543210fedcba9876543210", 32));
  on_machine("C");
  struct run c = fleet_post(secret, "");
  expect_success(&c);
  cr_expect(file_contains(world_path(&w, "C.log"), "encrypted with another key"));
  cr_expect_eq(mock_count(&w).requests, 2);
  run_release(&a);
  run_release(&b);
  run_release(&c);
}

/* Bytes that somebody has put there: with or without a key, they are no answer. */
Test(fleet_claims, a_record_that_somebody_has_written_is_no_answer)
{
  struct run a = fleet_post(body, "");
  run_release(&a);
  const char *key = redis("KEYS '*:a'");
  redis(world_text(&w, "SETRANGE %.*s 700 xxxx", (int)strcspn(key, "\n"), key));
  on_machine("B");
  struct run b = fleet_post(body, "");
  expect_success(&b);
  cr_expect_null(strstr(b.out, "X-Idempotency-Replayed"), "%s", b.out);
  cr_expect_eq(mock_count(&w).requests, 2);
  /* It has been mended. */
  on_machine("C");
  struct run c = fleet_post(body, "");
  expect_a_replay(&c);
  run_release(&b);
  run_release(&c);
}

/* The server is well, and all others have it. */
Test(fleet_claims, an_operation_that_the_server_refuses_is_told_and_goes_out_alone)
{
  struct run a = fleet_post(body, "");
  const char *key = redis("KEYS '*:a'");
  redis(world_text(&w, "SET %.*sc mine", (int)strcspn(key, "\n") - 1, key));
  run_release(&a);
  a = fleet_post("{\"prompt\":\"another\"}", "");
  struct run b = fleet_post_on("B", body, "");
  expect_success(&b);
  cr_expect_null(strstr(b.out, "X-Idempotency-Replayed"), "%s", b.out);
  cr_expect_not_null(strstr(b.err, "cannot settle this call, which is this machine's alone"), "%s", b.err);
  cr_expect_eq(count_of(b.err, "\n"), 1, "%s", b.err);
  cr_expect_eq(events_of("B", "fleet_alone"), 1);
  cr_expect_eq(events_of("B", "fleet_away"), 0);
  struct run other = fleet_post_on("B", "{\"prompt\":\"another\"}", "");
  expect_a_replay(&other);
  cr_expect_str_eq(other.err, "");
  cr_expect_eq(mock_count(&w).requests, 3);
  run_release(&a);
  run_release(&b);
  run_release(&other);
}
