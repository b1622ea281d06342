/* SPDX-License-Identifier: MIT */
/*
 * event_stream: an answer that comes in pieces, cut into them as it comes: the lines of JSON lines, and the
 * events of server-sent events as the HTML standard has them ("parsing an event stream").
 *
 *     struct event_stream stream = {.events = true, .take = take_event, .arg = self};
 *     event_stream_feed(&stream, piece, false);              // as often as something comes
 *     event_stream_feed(&stream, (struct idem_span){"", 0}, true);
 *     event_stream_release(&stream);
 *
 * Only what has come of an event that is not over is kept. Without memory `failed` is set, and nothing is
 * told any more.
 */
#ifndef IDEMSHIM_STORE_JUDGE_EVENT_STREAM_H
#define IDEMSHIM_STORE_JUDGE_EVENT_STREAM_H

#include "store/store.h"

/* Bytes that grow. Zeroed it is empty; whoever has it frees `data`. */
struct event_text {
  char *data;
  size_t len, room;
};

struct event_stream {
  bool events; /* server-sent events; else each line that is not empty is one */
  bool strays; /* takes as events also what is none to a browser: a name with its end and without data, a line
                  "error: ...", which has that name, and a line that is an object without a field */
  /* For each event that has data: its name ("" if none), and its data lines joined by newlines. An event at
   * the end that nothing closes counts too: what it says is for the caller to judge. */
  void (*take)(void *arg, struct idem_span name, struct idem_span data);
  void *arg;
  bool failed;

  struct event_text line, data, name; /* private from here */
  bool begun, after_cr, has_data;
};

/* Calls `take` for what `piece` completes, and with `last` also for what nothing completes any more. The
 * piece need not stay. */
void event_stream_feed(struct event_stream *stream, struct idem_span piece, bool last);
void event_stream_release(struct event_stream *stream);

/* False: no memory. */
bool event_text_add(struct event_text *text, struct idem_span more);

/* The next line of `*rest` without its CRLF, LF or CR; false at the end. */
bool event_stream_line(struct idem_span *rest, struct idem_span *line);

#endif
