/* SPDX-License-Identifier: MIT */
/* scenes: exchanges one after the other, with a clock that is moved by hand. */
#ifndef IDEMSHIM_TESTS_SCENES_H
#define IDEMSHIM_TESTS_SCENES_H

#include "tape/tape.h"

struct scene {
  struct tape_writer *writer;
  const struct idem_rule *rule;
  int64_t now_us;
};

/* What happens, and how long it takes; zero is usual: a POST to /v1/chat/completions, a 200 of JSON. */
struct act {
  uint32_t lane, process;
  const char *origin, *path, *query, *header, *request;
  const char *id;
  enum tape_what what;
  unsigned status, curl_code;
  const char *error, *headers, *body;
  size_t body_size; /* where the body has zeros in it */
  unsigned wait_ms, stream_ms, chunks;
};

/* Records it at the scene's time, and moves that on by `after_ms`. */
void perform(struct scene *scene, const struct act *act, unsigned after_ms);

void play_day(struct scene *scene, long count);
void play_other_day(struct scene *scene, long count);
void play_hostile(struct scene *scene, long count);
void play_many(struct scene *scene, long count);
void play_crowd(struct scene *scene, long count);

#endif
