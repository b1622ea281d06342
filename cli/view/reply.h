/* SPDX-License-Identifier: MIT */
/*
 * What a model answered, put together from what came: the text of all pieces of a stream, its tools, why it
 * ended, and what of the input came out of the provider's cache. Providers are not told apart: their words
 * for the same thing are tried one after the other.
 *
 *     struct cli_reply reply;
 *     cli_reply_read(&reply, headers, body, encoded);
 *     if (*reply.text) ...                                   "Paris is the capital of France."
 *     cli_reply_release(&reply);
 */
#ifndef IDEMSHIM_CLI_REPLY_H
#define IDEMSHIM_CLI_REPLY_H

#include "store/store.h"

struct cli_reply {
  char *id, *model,
      *reasons;            /* "" where it does not say; reasons: one for each choice, with commas between */
  char *text, *tools;      /* "" where there is none; tools: "name(arguments)", a line each */
  struct idem_usage usage; /* as everywhere: cached and reasoning tokens are in it once */
  /* Of the input: read from the provider's cache, and written to it; -1: it does not say. */
  int64_t cached, written;
};

/* A body that is no JSON, or has only begun, gives what can be read of it. All members are set; without
 * memory they are empty. */
void cli_reply_read(struct cli_reply *reply, struct idem_span headers, struct idem_span body, bool encoded);
void cli_reply_release(struct cli_reply *reply);

#endif
