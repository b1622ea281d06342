/* SPDX-License-Identifier: MIT */
/*
 * play: an answer goes out, with the faults that its script asks for.
 */
#ifndef MOCK_PLAY_H
#define MOCK_PLAY_H

#include "tests/mock/answer.h"
#include "tests/mock/script.h"

#include <microhttpd.h>
#include <stdbool.h>

struct play {
  struct answer *answer; /* owned */
  struct script script;
  int socket;
  bool stalled; /* the stall is behind us */
  bool passed;  /* its gate */
  bool leaving; /* ledger_leaving() was said */
  size_t piece;
};

/* The response that plays it; the play must outlive it. NULL: no memory. */
struct MHD_Response *play_response(struct play *play);

/* True if what is played is a whole 2xx answer. */
bool play_is_whole(const struct play *play);

/* Waits for the gate of the script, if there is one, the first time. False: the server is stopping. */
bool play_pass_gate(struct play *play);

/* Sends a TCP RST at once, after what was written before has left, and whatever the HTTP library does later.
 */
void play_reset(int socket);

#endif
