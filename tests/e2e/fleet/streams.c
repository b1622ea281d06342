/* SPDX-License-Identifier: MIT */
/* A stream that one machine is getting, and another follows as it comes. */
#include "tests/e2e/fleet/fleet.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(fleet_streams, .init = open_fleet, .fini = close_fleet, .timeout = 180);

static const char body[] = "{\"model\":\"m\",\"stream\":true,\"messages\":[]}";

enum { ALL = 1000 };

/* One URL for all, since it is a part of the key. Pieces are held but for the first. */
static const char *held(void)
{
  static char url[256];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions?mock=hold%%3D1,events%%3D12", w.port);
  return url;
}

static struct run start(const char *machine, const char *option)
{
  on_machine(machine);
  return start_shim(&w, "curl", "-sSN", option, "-d", body, held(), NULL);
}

static size_t has_come(struct run *run)
{
  run_look(run);
  return run->out_len;
}

/* Upstream sends the next one only when all have this one. */
static void next_piece(struct run *owner, struct run *follower)
{
  size_t before = owner->out_len;
  mock_release(&w, 1);
  wait_until(has_come(owner) > before);
  wait_until(has_come(follower) >= owner->out_len);
}

static void follow_to_the_end(const char *option)
{
  struct run owner = start("A", "-N");
  wait_until(has_come(&owner) > 0);
  struct run follower = start("B", option);
  wait_until(has_come(&follower) == owner.out_len);
  for (int i = 0; i < 4; i++)
    next_piece(&owner, &follower);
  mock_release(&w, ALL);
  run_wait(&owner);
  run_wait(&follower);
  expect_success(&owner);
  expect_success(&follower);
  expect_same_bytes("the follower's stream", owner.out, owner.out_len, follower.out, follower.out_len);
  cr_expect_not_null(strstr(follower.out, "[DONE]"));
  cr_expect_eq(mock_count(&w).requests, 1);
  cr_expect_eq(events_of("B", "join"), 1);
  run_release(&owner);
  run_release(&follower);
}

Test(fleet_streams, a_follower_has_each_piece_before_upstream_sends_the_next)
{
  follow_to_the_end("-N");
}

Test(fleet_streams, so_has_one_in_a_multi)
{
  follow_to_the_end("-Z");
}

Test(fleet_streams, so_has_one_through_libcurl)
{
  world_env(&w, "IDEMSHIM_DELIVERY", "transport");
  follow_to_the_end("-N");
}

Test(fleet_streams, encrypted_too)
{
  world_env(&w, "IDEMSHIM_KEY_FILE", "%s", world_write(&w, "key", "0123456789abcdef0123456789abcdef", 32));
  follow_to_the_end("-N");
  redis("SAVE");
  cr_expect(!file_contains(world_path(&w, "dump.rdb"), "data: {"));
}

/* Who listens for the machine is killed, and the next goes on behind what there is. */
Test(fleet_streams, when_the_listener_dies_the_next_one_goes_on)
{
  struct run owner = start("A", "-N");
  wait_until(has_come(&owner) > 0);
  struct run first = start("B", "-N");
  wait_until(has_come(&first) == owner.out_len);
  next_piece(&owner, &first);
  struct run second = start("B", "-N");
  wait_until(has_come(&second) == owner.out_len);
  next_piece(&owner, &second);
  run_signal(&first, SIGKILL);
  run_wait(&first);
  for (int i = 0; i < 3; i++)
    next_piece(&owner, &second);
  mock_release(&w, ALL);
  run_wait(&owner);
  run_wait(&second);
  expect_success(&second);
  expect_same_bytes("the second follower's stream", owner.out, owner.out_len, second.out, second.out_len);
  cr_expect_eq(mock_count(&w).requests, 1);
  run_release(&owner);
  run_release(&first);
  run_release(&second);
}

/* CURLE_RECV_ERROR: half of an answer is none, and another one would not go on with it. */
Test(fleet_streams, when_the_owner_dies_in_the_middle_its_followers_have_lost_their_connection)
{
  fleet_attributes("lease=3s");
  struct run owner = start("A", "-N");
  wait_until(has_come(&owner) > 0);
  struct run follower = start("B", "-N");
  wait_until(has_come(&follower) == owner.out_len);
  next_piece(&owner, &follower);
  run_signal(&owner, SIGKILL);
  run_wait(&owner);
  run_wait(&follower);
  cr_expect_eq(follower.status, 56, "curl ended with %d: %s", follower.status, follower.err);
  run_release(&owner);
  run_release(&follower);
}

/* The app gives up, the copy of its process goes on, and who asks on another machine waits for that. */
Test(fleet_streams, what_a_copy_finishes_on_one_machine_the_other_gets)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=latency_ms%3D4000");
  struct run owner = start_shim(&w, "curl", "-sS", "-m", "1", "-d", "{\"p\":1}", url, NULL);
  run_wait(&owner);
  cr_expect_eq(owner.status, 28, "%s", owner.err);
  on_machine("B");
  struct run retry = start_shim(&w, "curl", "-sS", "-d", "{\"p\":1}", url, NULL);
  run_wait(&retry);
  expect_success(&retry);
  cr_expect_not_null(strstr(retry.out, "This is answer 1"), "%s", retry.out);
  cr_expect_eq(mock_count(&w).requests, 1);
  wait_until(events_of("A", "rescued") == 1);
  cr_expect_eq(events_of("B", "join") + events_of("B", "hit"), 1);
  run_release(&owner);
  run_release(&retry);
}
