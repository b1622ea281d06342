/* SPDX-License-Identifier: MIT */
/* A batch job that is killed and started again pays for each prompt once. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SPARE: so many calls take longer than it takes to notice that a kill point has come. */
enum { PROMPTS = 1000, DISTINCT = 600, KILLS = 50, SPARE = 100 };

static void set_up(void)
{
  open_world();
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 repeats=sequence");
  world_env(&w, "IDEMSHIM_SCOPE", "job-7");
  world_unset(&w, "IDEMSHIM_LOG");
}

TestSuite(durable, .init = set_up, .fini = close_world);

static struct run start_job(void)
{
  return start_shim(&w, "batch", world_text(&w, "%d", PROMPTS), world_text(&w, "%d", DISTINCT),
                    world_url(&w, "/v1/chat/completions"), world_path(&w, "out"), NULL);
}

static size_t lines_of(const char *path)
{
  size_t len = 0, lines = 0;
  char *text = file_read(path, &len);
  for (size_t i = 0; i < len; i++)
    lines += text[i] == '\n';
  free(text);
  return lines;
}

/* How many keys the server has seen more than once, and that nobody but those in flight at a kill was sent
 * again. */
static long resent_keys(void)
{
  json_t *requests = mock_requests(&w), *seen = json_object(), *request;
  long again = 0;
  size_t i;
  json_array_foreach(requests, i, request)
  {
    const char *key = mock_header(request, "Idempotency-Key");
    cr_assert_not_null(key);
    again += json_object_get(seen, key) != NULL;
    json_object_set_new(seen, key, json_true());
  }
  cr_expect_eq(json_object_size(seen), PROMPTS, "%zu operations", json_object_size(seen));
  json_decref(seen);
  json_decref(requests);
  return again;
}

/* Kill points are spread over the job by how many calls the server has had, not by time. */
Test(durable, a_job_killed_at_fifty_points_makes_each_call_once, .timeout = 600)
{
  unsigned seed = 20261122;
  long kills = 0, at = 0;
  mock_default(&w, "latency_ms=4");
  for (int i = 0; i < KILLS; i++) {
    struct run job = start_job();
    long share = (PROMPTS - SPARE - at) / (KILLS - i);
    at += 1 + (share > 1 ? rand_r(&seed) % share : 0);
    wait_until(mock_count(&w).requests >= at);
    run_signal(&job, SIGKILL);
    run_wait(&job);
    kills += job.signal == SIGKILL;
    at = mock_count(&w).requests;
    run_release(&job);
  }
  struct run last = start_job();
  run_wait(&last);
  expect_success(&last);
  long requests = mock_count(&w).requests, again = resent_keys();
  cr_expect_eq(kills, KILLS);
  cr_expect_eq(lines_of(world_path(&w, "out")), PROMPTS);
  cr_expect_eq(requests - again, PROMPTS, "%ld requests, %ld of them resent", requests, again);
  cr_expect_leq(again, kills, "only the call in flight at a kill may be sent twice");
  run_release(&last);
}

Test(durable, a_finished_job_started_again_makes_no_call)
{
  struct run first = start_job();
  run_wait(&first);
  size_t first_len = 0, again_len = 0;
  char *first_out = file_read(world_path(&w, "out"), &first_len);
  cr_expect_eq(mock_count(&w).requests, PROMPTS);
  mock_stop(&w);
  struct run again = start_job();
  run_wait(&again);
  char *again_out = file_read(world_path(&w, "out"), &again_len);
  expect_success(&again);
  expect_same_bytes("answers", first_out, first_len, again_out, again_len);
  free(first_out);
  free(again_out);
  run_release(&first);
  run_release(&again);
}

Test(durable, identical_prompts_of_one_run_are_samples_of_their_own)
{
  struct run job = start_job();
  run_wait(&job);
  expect_success(&job);
  cr_expect_eq(mock_count(&w).work, PROMPTS, "%d prompts of which %d differ", PROMPTS, DISTINCT);
  run_release(&job);
}
