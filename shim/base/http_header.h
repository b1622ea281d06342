/* SPDX-License-Identifier: MIT */
/*
 * http_header: header blocks as text, as libcurl passes their lines to a header callback: those of every
 * response in turn, interim ones and redirects included, each with its status line and its empty line.
 *
 *     struct idem_span block = header_last_block(blocks);
 *     struct idem_span type = header_find(block, "content-type");
 *     if (type.len)
 *       ...
 *
 * The last block is the header of the response whose body was delivered. Spans point into what was given;
 * nothing is copied or allocated, no lock is taken, and nothing fails: what is not there is empty.
 */
#ifndef IDEMSHIM_SHIM_HTTP_HEADER_H
#define IDEMSHIM_SHIM_HTTP_HEADER_H

#include "store/store.h"

struct idem_span header_last_block(struct idem_span blocks);

/* 200 of "HTTP/1.1 200 OK"; 0 for a line that is no status line. */
int header_status(const char *line, size_t len);

/* "404 Not Found" of the last block. */
struct idem_span header_words(struct idem_span blocks);

/* True for a response that libcurl follows, if it is told to. */
bool header_redirects(int status, struct idem_span blocks);

/* True if a redirect was followed on the way to the last block. A challenge (401) is none. */
bool header_was_redirected(struct idem_span blocks);

/* The value of the first line with this name (lower case), without surrounding blanks; `data` is NULL if
 * there is none. */
struct idem_span header_find(struct idem_span block, const char *name);

/* The attribute "Secure" in the value of a Set-Cookie field, or NULL. */
const char *header_find_secure(struct idem_span cookie);

/* True for a line of a header that marks a replay: these names are ours. */
bool header_is_mark(const char *line, size_t len);

/* True if the last block's body has a content coding, and nobody `decodes` it on the way to the app. */
bool header_is_encoded(struct idem_span blocks, bool decodes);

/* True if the last block's body came in chunks of HTTP/1.1. */
bool header_is_chunked(struct idem_span blocks);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) for seconds since 1970. No lock, no locale: gmtime_r()
 * takes one. */
#define HEADER_DATE_SIZE 30
void header_date(int64_t seconds, char out[HEADER_DATE_SIZE]);

#endif
