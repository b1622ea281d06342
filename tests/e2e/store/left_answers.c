/* SPDX-License-Identifier: MIT */
/* SYNC=off: answers of a burst are written together, and given to whoever asks before that. */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 20 };

static void set_up(void)
{
  open_world();
  world_unset(&w, "IDEMSHIM_LOG");
}

TestSuite(left_answers, .init = set_up, .fini = close_world);

static struct run start_job(int prompts, const char *out)
{
  return start_shim(&w, "batch", world_text(&w, "%d", prompts), world_text(&w, "%d", prompts),
                    world_url(&w, "/v1/chat/completions"), world_path(&w, out), NULL);
}

static void finish(struct run *job)
{
  run_wait(job);
  expect_success(job);
  run_release(job);
}

static bool is_written(int prompt)
{
  char path[PATH_MAX], text[64];
  size_t len = 0;
  snprintf(path, sizeof(path), "%s/data.mdb", w.store);
  snprintf(text, sizeof(text), "This is prompt %d.", prompt);
  char *data = file_read(path, &len);
  bool is = memmem(data, len, text, strlen(text)) != NULL;
  free(data);
  return is;
}

Test(left_answers, a_process_that_ends_has_written_all_of_its_own)
{
  struct run job = start_job(PROMPTS, "out");
  finish(&job);
  for (int i = 0; i < PROMPTS; i++)
    cr_expect(is_written(i), "%d", i);
}

static size_t lines_of(const char *text)
{
  size_t lines = 0;
  for (; (text = strchr(text, '\n')); text++)
    lines++;
  return lines;
}

/* What it has written down was given to it. */
Test(left_answers, commands_show_those_of_a_killed_process)
{
  enum { MANY = 1000 };
  size_t len;
  struct run job = start_job(MANY, "out");
  wait_until(mock_count(&w).requests >= 3 * PROMPTS);
  run_signal(&job, SIGKILL);
  run_wait(&job);
  run_release(&job);
  struct run shown = run_plain(&w, "idemshim", "ls", "--json", NULL);
  expect_success(&shown);
  char *out = file_read(world_path(&w, "out"), &len);
  size_t given = lines_of(out), answers = lines_of(shown.out);
  cr_expect(given >= 3 * PROMPTS - 2 && answers >= given, "%zu given, %zu shown", given, answers);
  free(out);
  run_release(&shown);
}

Test(left_answers, two_processes_that_ask_the_same_at_once_pay_once)
{
  struct run one = start_job(PROMPTS, "one"), two = start_job(PROMPTS, "two");
  finish(&one);
  finish(&two);
  cr_expect_eq(mock_count(&w).work, PROMPTS);
}
