/* SPDX-License-Identifier: MIT */
/*
 * info: what a delivery leaves behind on a handle. curl_easy_getinfo() and the header API answer from it
 * until the next transfer, so that an app cannot tell a replay from the live call.
 *
 *     shadow->replayed = info_begin_answer(shadow, answer, marks) ? REPLAYED_DIRECT : REPLAYED_NOT;
 *     ...
 *     if (shadow->replayed && info_getinfo(shadow, CURLINFO_RESPONSE_CODE, &status))
 *       return CURLE_OK;                       // else the real one knows
 *
 * It tells the facts of the live transfer (info_record.h). Times are its own, but where a tape has them. Apps
 * also ask from inside their callbacks: whoever delivers keeps `passed` and its neighbours, and an info is
 * told only once libcurl would know it. It belongs to the handle, and to the handle's thread; without memory
 * there is none, and the delivery fails.
 */
#ifndef IDEMSHIM_SHIM_INFO_H
#define IDEMSHIM_SHIM_INFO_H

#include "shim/info/info_record.h"

struct header_index;

struct info {
  struct buffer headers;              /* every header block, the marks included */
  struct buffer facts, earlier_facts; /* the app may still hold texts of the earlier ones */
  int64_t marks_len;                  /* less what upstream had sent under their names */
  bool begun;     /* a handle may be in a multi handle for long before its transfer begins */
  bool connected; /* the app has been told of the connection (PREREQFUNCTION), before any header line */
  bool passing; /* the headers are being delivered: RESPONSE_CODE is `status`, that of the last status line */
  bool unsized; /* the transfer failed before the length of the body was looked at */
  int status;
  size_t passed;                               /* how much of the headers the app has been given */
  size_t taken;                                /* how much of that it has taken: HEADER_SIZE */
  size_t trailed;                              /* how much of the trailers it has been given */
  int64_t started_us, first_byte_us, ended_us; /* CLOCK_MONOTONIC */
  int64_t downloaded;                          /* bytes of the network that direct delivery has got to */
  int64_t delivered;                           /* what the write callback has taken */
  int64_t uncounted;              /* bytes that libcurl has counted in a transport, and would not have live */
  struct curl_certinfo *certinfo; /* made when it is first asked */
  struct header_index *index;     /* of the header API, made when it is first asked */
  struct curl_header out[2];      /* what curl_easy_header and _nextheader gave last */
};

/* Why this handle cannot be told of this answer, whichever way it is delivered, or NULL. */
const char *info_refuses(const struct shadow *shadow, const struct idem_answer *answer);

/* True if the live call followed a redirect to this answer. */
bool info_was_redirected(const struct idem_answer *answer);

/* The shadow's info, emptied (its memory is kept); NULL without memory. */
struct info *info_begin(struct shadow *shadow);

/* The same, with the facts and headers of an answer. `marks` are header lines that go in before the blank
 * line that ends the last header; may be "". */
struct info *info_begin_answer(struct shadow *shadow, const struct idem_answer *answer, const char *marks);

/* For the end of the handle. */
void info_free(struct shadow *shadow);

/* Other facts than it began with: those of the transfer's end. Without memory it keeps the first. */
void info_take_facts(struct info *info, struct idem_span facts);

/* A fact of the whole transfer, for those who deliver it; `fallback` if there is none. */
int64_t info_number(const struct info *info, CURLINFO which, int64_t fallback);

/* Answers curl_easy_getinfo() for a handle whose last transfer was a delivery. False: ask the real one. */
bool info_getinfo(struct shadow *shadow, CURLINFO info, void *out);

/* curl_easy_header() and curl_easy_nextheader() over the delivered headers (header_api.c). */
CURLHcode info_header(struct shadow *shadow, const char *name, size_t index, unsigned origin, int request,
                      struct curl_header **out);
struct curl_header *info_nextheader(struct shadow *shadow, unsigned origin, int request,
                                    struct curl_header *previous);

#endif
