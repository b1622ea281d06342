/* SPDX-License-Identifier: MIT */
/* The tape of this process, opened at the first call that a rule wants. */
#include "shim/runtime/runtime.h"

#include "tape/tape.h"

#include <pthread.h>
#include <stdio.h>

static pthread_once_t api_once = PTHREAD_ONCE_INIT, writer_once = PTHREAD_ONCE_INIT,
                      reader_once = PTHREAD_ONCE_INIT;
static const struct idem_tape_api *api;
static struct tape_writer *the_writer;
static struct tape *the_tape;
static struct tape_matcher *the_matcher;
static struct idem_error reader_error;

bool runtime_replays_tape(void)
{
  return settings()->mode == IDEM_MODE_REPLAY;
}

static void find_api(void)
{
  api = runtime_object_api("idem_tape_api", IDEM_TAPE_API_VERSION, sizeof(*api));
}

static void open_writer(void)
{
  const struct idem_config *config = settings();
  struct idem_error error = {""};
  struct tape_options options = {.dir = config->tape_dir,
                                 .max_size = config->tape_size,
                                 .max_age_ms = config->tape_age_ms,
                                 .key_file = config->key_file};
  pthread_once(&api_once, find_api);
  if (api && api->open_writer(&the_writer, &options, &error) < 0)
    fail_open(PROBLEM_NO_TAPE, "nothing is recorded: %s", error.text);
}

const struct idem_tape_api *runtime_tape_writer(struct tape_writer **writer)
{
  const struct idem_config *config = settings();
  *writer = NULL;
  if (!config->tape_dir || (config->mode != IDEM_MODE_RECORD && config->mode != IDEM_MODE_IDEMPOTENT))
    return NULL;
  pthread_once(&writer_once, open_writer);
  *writer = the_writer;
  return the_writer ? api : NULL;
}

static void note_damage(void *unused, const char *what)
{
  (void)unused;
  report_line("%s", what);
}

static void open_reader(void)
{
  const struct idem_config *config = settings();
  struct tape_source source = {.dir = config->tape_dir, .key_file = config->key_file, .found = note_damage};
  struct tape_matching matching = {
      .loose = config->match_loose, .last = config->exhausted_last, .state = config->replay_state};
  pthread_once(&api_once, find_api);
  if (!config->tape_dir)
    snprintf(reader_error.text, sizeof(reader_error.text),
             "IDEMSHIM_MODE=replay has no tape: IDEMSHIM_TAPE names none, or the configuration has a "
             "mistake; nothing was sent");
  else if (!api)
    snprintf(reader_error.text, sizeof(reader_error.text), "the tape cannot be read; nothing was sent");
  else if (api->open(&the_tape, &source, &reader_error) == 0)
    api->open_matcher(&the_matcher, the_tape, &matching, &reader_error);
}

const struct idem_tape_api *runtime_tape_reader(struct tape **tape, struct tape_matcher **matcher,
                                                struct idem_error *error)
{
  pthread_once(&reader_once, open_reader);
  *tape = the_tape;
  *matcher = the_matcher;
  *error = reader_error;
  return the_matcher ? api : NULL;
}
