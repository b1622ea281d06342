/* SPDX-License-Identifier: MIT */
/*
 * callbacks: the app's own callbacks, called as libcurl calls them.
 *
 *     if (callback_write(shadow, data, len) != len)
 *       return callback_refused(shadow, false, len, taken);
 *
 * Each call takes whatever the shadow holds at that moment, for apps change callbacks from inside callbacks.
 * In the thread of the transfer, and with no lock held: the app may do there what it likes.
 */
#ifndef IDEMSHIM_SHIM_CALLBACKS_H
#define IDEMSHIM_SHIM_CALLBACKS_H

#include "shim/base/ahead.h"
#include "shim/handle/shadow.h"

/* The write function, or fwrite() to WRITEDATA when there is none. At most CURL_MAX_WRITE_SIZE bytes. */
size_t callback_write(struct shadow *shadow, char *data, size_t len);

/* One complete header line: the header function; else, with HEADERDATA alone, the write function with that;
 * else nobody. Returns `len` if nobody wants it. */
size_t callback_header(struct shadow *shadow, char *line, size_t len);

/* A copy of bytes that we keep, with a NUL behind it, for an app's callback: one may write into what libcurl
 * gives it, and libcurl's header lines, and nearly always its pieces of a body, are strings for those that
 * take them for one or end them themselves. It lies in `room`, which is the caller's; a longer one, which
 * only a header line is, with the handle until the next one. Without memory for that it is `data`. */
#define CALLBACK_COPY_ROOM (CURL_MAX_WRITE_SIZE + 1)
char *callback_copy(struct shadow *shadow, char room[CALLBACK_COPY_ROOM], const char *data, size_t len);

/* The callbacks with such a copy of what is given; fwrite() has none. */
size_t callback_write_copy(struct shadow *shadow, const char *data, size_t len);

/* The same without a copy: `data` and the byte behind it are the caller's to write to. The NUL is there while
 * the callback runs, and what it has written stays. */
size_t callback_write_lent(struct shadow *shadow, char *data, size_t len);
size_t callback_header_copy(struct shadow *shadow, const char *line, size_t len);

/* The read function, or fread() from READDATA. */
size_t callback_read(struct shadow *shadow, char *into, size_t room);

/* How a body or form is read ahead from now on: as much at once as libcurl would ask for where nothing is in
 * its buffer yet, less where it sends in chunks. */
struct ahead callback_ahead(const struct shadow *shadow, bool chunked);

/* Puts a message into the app's ERRORBUFFER, if it has one. */
void callback_error(struct shadow *shadow, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what libcurl says when a callback, of the header or of the body, has not taken all that it was given.
 * Returns CURLE_WRITE_ERROR. */
CURLcode callback_refused(struct shadow *shadow, bool header, size_t len, size_t taken);

#endif
