/* SPDX-License-Identifier: MIT */
/*
 * What a delivery leaves behind on a handle: curl_easy_getinfo() and the header API answer from it until the
 * next transfer.
 *
 * The facts of the live transfer are stored with its answer as a list of (number, value), keyed by the number
 * of the CURLINFO without its type, so that CURLINFO_SIZE_DOWNLOAD and CURLINFO_SIZE_DOWNLOAD_T are one.
 * Times are never stored: a replay's are its own.
 */
#ifndef IDEMSHIM_SHIM_REPLAY_H
#define IDEMSHIM_SHIM_REPLAY_H

#include "shim/shadow.h"

struct header_entry;

struct replay {
  struct buffer headers; /* every header block, the marks included */
  struct buffer facts;
  size_t marks_len;
  bool passing; /* the headers are being delivered: RESPONSE_CODE is `status`, that of the last status line */
  int status;
  int64_t started_us, first_byte_us, ended_us; /* CLOCK_MONOTONIC */
  int64_t downloaded;                          /* bytes that the app got; for the speeds */
  struct curl_certinfo *certinfo;              /* made when it is first asked */
  struct header_entry *entries;                /* of the header API, made when it is first asked */
  size_t entry_count;
  int requests;
  struct curl_header out;
};

/* The shadow's replay, emptied (its memory is kept); NULL without memory. */
struct replay *replay_begin(struct shadow *shadow);

/* The same, with the facts and headers of an answer. `marks` are header lines that go in before the blank
 * line that ends the last header; may be "". */
struct replay *replay_begin_answer(struct shadow *shadow, const struct idem_answer *answer,
                                   const char *marks);
void replay_free(struct replay *replay);

/* Reads the facts of the live transfer that has just ended on the handle into `facts`. A credential in the
 * URL's query is left out and put back when it is asked for. False without memory. */
bool replay_collect_facts(const struct shadow *shadow, struct buffer *facts);

/* Its times and speeds, which only a tape keeps: a replay from the store tells its own. */
bool replay_collect_times(const struct shadow *shadow, struct buffer *facts);

/* One fact, for an answer that we make ourselves. */
bool replay_add_number(struct buffer *facts, CURLINFO info, int64_t value);
bool replay_add_text(struct buffer *facts, CURLINFO info, const char *value);

/* When the live call began, as the mark X-Original-Request-Time says it: written once, so that a hit need
 * not. */
bool replay_add_date(struct buffer *facts, int64_t started_us);
const char *replay_date(struct idem_span facts); /* or NULL */

/* False if the app wants the certificates of a handshake that were not asked for when the answer was stored.
 */
bool replay_has_certificates(const struct shadow *shadow, struct idem_span facts);

/* A stored fact by number; `fallback` if it is not there. */
int64_t replay_number(const char *facts, size_t len, CURLINFO info, int64_t fallback);

/* Answers curl_easy_getinfo() for a handle whose last transfer was a delivery. False: ask the real one. */
bool replay_getinfo(struct shadow *shadow, CURLINFO info, void *out);

/* curl_easy_header() and curl_easy_nextheader() over the delivered headers. */
CURLHcode replay_header(struct shadow *shadow, const char *name, size_t index, unsigned origin, int request,
                        struct curl_header **out);
struct curl_header *replay_nextheader(struct shadow *shadow, unsigned origin, int request,
                                      struct curl_header *previous);

#endif
