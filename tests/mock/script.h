/* SPDX-License-Identifier: MIT */
/*
 * script: how one request wants to be treated.
 *
 * The text is `name=value,name=value`. It comes from the server's default (control endpoint), from the query
 * parameter `mock`, or from the request header `X-Mock`; a later one overrides single names of an earlier
 * one.
 *
 *   latency_ms=N       wait before the header
 *   status=N           fail with N (300-599) in the provider's own error shape; 429, 503 with Retry-After
 *   fail_first=N:S     the first N calls with this path and body fail with status S
 *   reset=headers|body|reused
 *                      TCP RST instead of the header, or after half of the body; reused: instead of the header
 *                      if the connection has carried a request before
 *   stall_ms=N         wait in the middle of the body
 *   truncate=1|2       1: a stream ends well, but without what ends it: the last finish_reason, and its marker;
 *                      2 (or no stream): it stops half way, its framing unfinished
 *   error_event=1|2    an error event in the middle of a stream: 1 ends it, 2 goes on to the regular end
 *   size=BYTES         pad the answer to about so many bytes
 *   events=N           text events of a stream (6)
 *   chunk=BYTES        cut the body into pieces of so many bytes (a stream: one piece for each event)
 *   chunk_delay_ms=N   wait before each piece but the first
 *   hold=1             wait before each piece but the first until a POST to /_mock/release
 *   gate=NAME          the same until that gate is opened by a POST to /_mock/open; with gate_first=1 also before the
 *                      header
 *   length=close       no Content-Length, no chunked coding: the body ends with the connection
 *   encoding=gzip      a Content-Encoding, whether the client accepts it or not
 *   cookie=1           a Set-Cookie that differs each time
 *   marks=1            headers that mark a replay, as a cache upstream may send them
 *   redirect=TARGET    307 to TARGET, unless the request is for TARGET already
 *   informational=1    103 Early Hints first (plain HTTP only)
 *   honour_key=1       the same Idempotency-Key gets the same answer and is no new work
 *   row=SHAPE, case=X  what a row of rows.c has: whole, stream, fail1 and so on
 *   still=N            what differs from call to call (id, number, time) is made from N alone
 *   echo=1             a JSON answer has a member "echo": the request as it was received
 */
#ifndef MOCK_SCRIPT_H
#define MOCK_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum script_reset { RESET_NEVER, RESET_HEADERS, RESET_BODY, RESET_REUSED };

struct script {
  uint64_t latency_ms, status, stall_ms, truncate, error_event, size, events, chunk, chunk_delay_ms, cookie;
  uint64_t marks, hold, gate_first, informational, honour_key, echo, still;
  uint64_t fail_count, fail_status;
  uint64_t reset, ends_by_close, gzip; /* places in a field's words, 0 being unset */
  char redirect[256];
  char row[32], which[16], gate[64];
};

/* What a request gets that asks for nothing. */
#define SCRIPT_DEFAULT                                                                                       \
  {                                                                                                          \
    .events = 6                                                                                              \
  }

/* Adds what `text` says to `script`. False: `complaint` names what is wrong in one line. */
bool script_parse(struct script *script, const char *text, char *complaint, size_t size);

#endif
