/* SPDX-License-Identifier: MIT */
/* What the shim says: JSON lines of what became of each call, in IDEMSHIM_LOG, and one plain line for each
 * kind of problem. */
#ifndef IDEMSHIM_SHIM_EVENTS_H
#define IDEMSHIM_SHIM_EVENTS_H

#include "store/store.h"

/* One line. Spans may be empty and texts NULL: the field is then left out. No credential reaches this: the
 * URL is without its query. */
struct event {
  const char *name; /* hit, join, live, stored, not_stored, in_doubt, mismatch, key_churn, expired, bypass,
                       store_error, would_hit, replayed, not_recorded */
  const char *id;
  const char *reason;
  const char *via; /* of a hit or join: direct or transport */
  int status;
  int64_t ms; /* negative: left out */
  const struct idem_request *request;
};

/* Does nothing unless IDEMSHIM_LOG is set. */
void event_write(const struct event *event);

/* "idemshim: TEXTCONSEQUENCE" to stderr where `log` is NULL or "stderr"; else the text as a line in that
 * file. */
void event_say(const char *log, const char *text, const char *consequence);

#endif
