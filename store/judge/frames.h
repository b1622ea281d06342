/* SPDX-License-Identifier: MIT */
/*
 * frames: application/vnd.amazon.eventstream, as Bedrock sends it: length, length of headers, checksum,
 * headers, payload, checksum.
 *
 *     struct frames frames = {0};
 *     used = frames_feed(&frames, text, &document);      // whole frames off the front
 *     ...what is left is given again, with what has come behind it...
 *
 * It keeps no bytes. Lengths are looked at before they are followed: one that cannot be is `malformed`, and
 * nothing is taken from there on.
 */
#ifndef IDEMSHIM_STORE_JUDGE_FRAMES_H
#define IDEMSHIM_STORE_JUDGE_FRAMES_H

#include "store/judge/document.h"

struct frames {
  bool any;       /* a whole frame was there */
  bool failed;    /* an exception was in it */
  bool malformed; /* it is no frame */
  bool no_memory; /* what is in it could not be read */
  bool begun;     /* messageStart or message_start, which a stop follows */
  bool ended;     /* that stop */
};

/* `document` has the usage and the reasons of the payloads. Returns how much of the text was taken. */
size_t frames_feed(struct frames *frames, struct idem_span text, struct document *document);

#endif
