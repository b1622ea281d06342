/* SPDX-License-Identifier: MIT */
/*
 * record-tape DIR KIND [COUNT]: writes a tape, for the tests of what reads one.
 *
 *   day      every shape of an exchange: answers, a stream, 429s and a retry, a reset, a timeout, a hit, ...
 *   other    the same day, with some of it different
 *   hostile  texts that would like to be markup, script or control sequences
 *   many     COUNT exchanges of 2 KB each way, from 8 lanes
 *
 * IDEMSHIM_KEY_FILE encrypts it. The times are made up, so that two runs write the same.
 */
#include "tests/clients/tape/scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *get_nothing(const char *name)
{
  return strcmp(name, "HOME") == 0 ? (char *)(uintptr_t) "/nonexistent" : NULL;
}

static int play(struct scene *scene, const char *kind, const char *count)
{
  static const struct {
    const char *name;
    void (*play)(struct scene *scene, long count);
  } kinds[] = {{"day", play_day},
               {"other", play_other_day},
               {"hostile", play_hostile},
               {"many", play_many},
               {"crowd", play_crowd}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, kind) == 0) {
      kinds[i].play(scene, count ? atol(count) : 0);
      return 0;
    }
  return fprintf(stderr, "record-tape: no such kind: %s\n", kind), 2;
}

int main(int argc, char **argv)
{
  struct scene scene = {.now_us = 1795341600000000};
  struct idem_config config;
  struct idem_error error = {""};
  if (argc < 3)
    return fprintf(stderr, "usage: record-tape DIR day|other|hostile|many|crowd [COUNT]\n"), 2;
  struct tape_options options = {.dir = argv[1], .key_file = getenv("IDEMSHIM_KEY_FILE")};
  if (idem_config_load(&config, get_nothing, &error) < 0 ||
      tape_open_writer(&scene.writer, &options, &error) < 0)
    return fprintf(stderr, "record-tape: %s\n", error.text), 1;
  /* Of no provider, for api.example.com is none. */
  struct idem_rule own_api = config.rules[0];
  own_api.name = NULL;
  scene.rule = &own_api;
  int code = play(&scene, argv[2], argv[3]);
  tape_close_writer(scene.writer);
  idem_config_release(&config);
  return code;
}
