/* SPDX-License-Identifier: MIT */
/*
 * stream: has an answer that came in pieces come to its end? Each provider says so in its own words; the
 * connection's end says nothing, and a 200 that goes wrong half way says so in the stream.
 */
#ifndef IDEMSHIM_STORE_STREAM_H
#define IDEMSHIM_STORE_STREAM_H

#include "store/store.h"

struct stream {
  bool ended;     /* the provider's own end was there */
  bool failed;    /* an error was in it */
  bool malformed; /* the pieces do not fit together */
  struct idem_usage usage;
};

/* text/event-stream: "[DONE]", message_stop, response.completed, finishReason, message-end, ... 0 or -ENOMEM.
 */
int stream_read_events(struct idem_span body, struct stream *stream);
/* application/x-ndjson: the last line has "done": true. */
int stream_read_lines(struct idem_span body, struct stream *stream);
/* application/vnd.amazon.eventstream: whole frames up to the last byte. */
int stream_read_frames(struct idem_span body, struct stream *stream);

#endif
