/* SPDX-License-Identifier: MIT */
/* sse: an event stream cut into its events, as the HTML standard has it (server-sent events, "parsing an
 * event stream"). */
#ifndef IDEMSHIM_STORE_SSE_H
#define IDEMSHIM_STORE_SSE_H

#include "store/store.h"

/* Calls `event` for each event that has data, with its name ("" if none) and its data lines joined by
 * newlines. An event at the end that no blank line closes counts too: what it says is for the caller to
 * judge. Returns 0, what `event` returned if not 0, or -ENOMEM. */
int sse_each(struct idem_span stream, int (*event)(void *arg, struct idem_span name, struct idem_span data),
             void *arg);

/* The next line of `*rest` without its CRLF, LF or CR; false at the end. */
bool sse_line(struct idem_span *rest, struct idem_span *line);

#endif
