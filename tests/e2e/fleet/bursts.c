/* SPDX-License-Identifier: MIT */
/* One process gets many answers from the fleet, one right after the other: their near copies are written
 * several at a time, and some may be in the queue of the store when it ends. Nobody can tell that from how
 * the machine goes on. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(fleet_bursts, .init = open_fleet, .fini = close_fleet, .timeout = 180);

enum { CALLS = 40 };

/* What curl does then: each of the calls, and what `then` says. */
static const char *calls(const char *name, const char *then)
{
  char *text, *end = strdup(then); /* world_url() below uses its room again */
  size_t len;
  FILE *file = open_memstream(&text, &len);
  cr_assert(file && end);
  for (int i = 0; i < CALLS; i++)
    fprintf(file,
            "%ssilent\nshow-error\nfail\nurl = \"%s\"\nheader = \"Content-Type: application/json\"\n"
            "data = \"{\\\"prompt\\\":%d}\"\n",
            i ? "next\n" : "", world_url(&w, "/v1/chat/completions"), i);
  fputs(end, file);
  fclose(file);
  free(end);
  const char *path = world_write(&w, name, text, len);
  free(text);
  return path;
}

static struct run begin(const char *machine, const char *path)
{
  const char *const words[] = {"curl", "-K", path, NULL};
  on_machine(machine);
  return start_argv(&w, true, words);
}

static struct run burst_on(const char *machine)
{
  struct run run = begin(machine, calls("calls", ""));
  run_wait(&run);
  expect_success(&run);
  return run;
}

/* A has paid for all of them; the server looks like one that nobody has asked yet. */
static struct run pay(void)
{
  struct run paid = burst_on("A");
  cr_assert_eq(mock_count(&w).requests, CALLS);
  redis("CONFIG RESETSTAT");
  return paid;
}

static void expect_the_same(const struct run *run, const struct run *paid)
{
  cr_expect_eq(run->out_len, paid->out_len);
  cr_expect_str_eq(run->out, paid->out);
}

/* Each has been a hit of this machine alone, `times` so often. */
static void expect_near(const char *machine, const struct run *paid, int times)
{
  fleet_attributes("near=1h");
  redis("CONFIG RESETSTAT");
  struct run again = burst_on(machine);
  expect_the_same(&again, paid);
  cr_expect_eq(events_of(machine, "hit"), times * CALLS);
  const char *said = redis("INFO commandstats");
  cr_expect_null(strstr(said, "cmdstat_eval"), "%s", said);
  cr_expect_eq(mock_count(&w).requests, CALLS);
  run_release(&again);
}

static int listed_on(const char *machine)
{
  struct run run = fleet_command(machine, 0, "ls --json");
  int count = count_of(run.out, "\"id\":");
  run_release(&run);
  return count;
}

Test(fleet_bursts, what_was_had_from_the_fleet_is_near_though_the_process_has_ended)
{
  struct run paid = pay(), first = burst_on("B");
  expect_the_same(&first, &paid);
  cr_expect_eq(events_of("B", "hit"), CALLS);
  const char *said = redis("INFO commandstats");
  cr_expect_not_null(strstr(said, "cmdstat_evalsha:calls=1,"), "the others are read without a claim: %s",
                     said);
  expect_near("B", &paid, 2);
  run_release(&paid);
  run_release(&first);
}

Test(fleet_bursts, what_was_had_from_the_fleet_is_listed_and_counted)
{
  struct run paid = pay(), first = burst_on("B"), second = burst_on("C"), third = burst_on("D");
  cr_expect_eq(listed_on("B"), CALLS);
  struct run stats = fleet_command("C", 0, "stats --json");
  cr_expect_not_null(strstr(stats.out, world_text(&w, "\"answers\": %d", CALLS)), "%s", stats.out);
  on_machine("D");
  json_t *hit = log_last(&w, "hit");
  struct run show =
      fleet_command("D", 0, world_text(&w, "show %s", json_string_value(json_object_get(hit, "id"))));
  json_decref(hit);
  run_release(&paid);
  run_release(&first);
  run_release(&second);
  run_release(&third);
  run_release(&stats);
  run_release(&show);
}

/* It waits for somebody who writes to a pipe, with no call under way. */
static struct run stay_after_a_burst(const char *machine)
{
  const char *pipe = world_path(&w, "pipe");
  cr_assert_eq(mkfifo(pipe, 0600), 0);
  struct run run =
      begin(machine, calls("calls and a pipe", world_text(&w, "next\nsilent\nurl = \"file://%s\"\n", pipe)));
  wait_until(events_of(machine, "hit") == CALLS);
  return run;
}

static void kill_it(struct run *run)
{
  run_signal(run, SIGKILL);
  run_wait(run);
  cr_expect_eq(run->signal, SIGKILL, "it had ended before: exit %d, %s", run->status, run->err);
}

Test(fleet_bursts, what_was_had_from_the_fleet_is_near_though_the_process_was_killed)
{
  struct run paid = pay(), first = stay_after_a_burst("B");
  kill_it(&first);
  expect_the_same(&first, &paid);
  expect_near("B", &paid, 2);
  run_release(&paid);
  run_release(&first);
}

/* The last one is asked for once more, and has another answer than before. */
static void expect_the_last_is_paid_for_again(const char *machine, const struct run *paid)
{
  fleet_attributes("near=1ms");
  struct run again = burst_on(machine);
  cr_expect_str_neq(again.out, paid->out);
  cr_expect_eq(mock_count(&w).requests, CALLS + 1);
  struct run once_more = burst_on(machine);
  cr_expect_str_eq(once_more.out, again.out);
  cr_expect_eq(mock_count(&w).requests, CALLS + 1);
  run_release(&again);
  run_release(&once_more);
}

static const char *last_hit_of(const char *machine)
{
  on_machine(machine);
  json_t *hit = log_last(&w, "hit");
  const char *id = world_text(&w, "rm %s", json_string_value(json_object_get(hit, "id")));
  json_decref(hit);
  return id;
}

static void expect_what_is_removed_there_to_be_given_to_nobody(const char *machine)
{
  struct run paid = pay(), first = stay_after_a_burst("B");
  struct run rm = fleet_command(machine, 0, last_hit_of("B"));
  kill_it(&first);
  expect_the_last_is_paid_for_again("B", &paid);
  run_release(&paid);
  run_release(&first);
  run_release(&rm);
}

Test(fleet_bursts, what_was_removed_while_it_was_not_written_yet_is_given_to_nobody)
{
  expect_what_is_removed_there_to_be_given_to_nobody("B");
}

Test(fleet_bursts, nor_is_what_was_removed_on_another_machine)
{
  expect_what_is_removed_there_to_be_given_to_nobody("A");
}

/* How often the server was written to, each time for one round trip: by a process that makes the
 * calls on this machine. */
static int round_trips_of(const char *machine)
{
  on_machine(machine);
  struct run run =
      run_plain(&w, "strace", "-f", "-s", "16", "-o", world_path(&w, "sent"), "-e", "trace=sendto", "env",
                world_preload(&w), "curl", "-K", world_path(&w, "calls"), NULL);
  expect_success(&run);
  run_release(&run);
  size_t len;
  char *text = file_read(world_path(&w, "sent"), &len);
  cr_assert_not_null(text);
  int count = count_of(text, "\"*");
  free(text);
  return count;
}

/* A claim, whether it may be sent, and the answer. What else there is belongs to the process, and not to a
 * call: its first connection, who the fleet is, the script, and what was removed. */
Test(fleet_bursts, a_call_has_three_round_trips_and_a_hit_one)
{
  enum { OF_THE_PROCESS = 20 };
  if (run_plain(&w, "strace", "-o", "/dev/null", "true", NULL).status != 0)
    cr_skip_test("strace traces nothing here");
  fleet_attributes("near=1h");
  calls("calls", "");
  int live = round_trips_of("A"), hits = round_trips_of("B");
  cr_expect_eq(mock_count(&w).requests, CALLS);
  cr_expect_eq(events_of("B", "hit"), CALLS);
  cr_expect(live >= 3 * CALLS && live < 3 * CALLS + OF_THE_PROCESS, "%d for %d calls", live, CALLS);
  cr_expect(hits >= CALLS && hits < CALLS + OF_THE_PROCESS, "%d for %d hits", hits, CALLS);
}

/* Where too few are left for libcurl the store is not opened; with one more than that all
 * of it goes on as ever. */
Test(fleet_bursts, few_descriptors_make_nothing_wrong)
{
  static const int limits[] = {12, 24, 30, 32, 34, 35, 36, 38, 40, 48, 64};
  struct run paid = pay();
  for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
    const char *machine = world_text(&w, "of %d", limits[i]);
    on_machine(machine);
    struct run run =
        run_shell(&w, world_text(&w, "ulimit -n %d; exec curl -K %s", limits[i], world_path(&w, "calls")));
    expect_success(&run);
    int hits = events_of(machine, "hit");
    cr_expect(hits == CALLS || limits[i] < 64, "%d hits with %d descriptors: %s", hits, limits[i], run.err);
    if (hits == CALLS)
      expect_the_same(&run, &paid);
    if (hits)
      cr_expect_eq(listed_on(machine), CALLS, "with %d descriptors, %d hits: %s", limits[i], hits, run.err);
    run_release(&run);
  }
  run_release(&paid);
}
