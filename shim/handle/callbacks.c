/* SPDX-License-Identifier: MIT */
#include "shim/handle/callbacks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* fwrite() is libcurl's own default, and WRITEDATA, if it was never set, stdout. */
static curl_write_callback write_function(const struct shadow *shadow)
{
  curl_write_callback function = (curl_write_callback)shadow->slot[SLOT_WRITEFUNCTION];
  return function ? function : (curl_write_callback)fwrite;
}

size_t callback_write(struct shadow *shadow, char *data, size_t len)
{
  return write_function(shadow)(data, 1, len, (void *)shadow->slot[SLOT_WRITEDATA]);
}

/* NULL: nobody wants it. */
static curl_write_callback header_function(const struct shadow *shadow)
{
  curl_write_callback function = (curl_write_callback)shadow->slot[SLOT_HEADERFUNCTION];
  return function || !shadow->slot[SLOT_HEADERDATA] ? function : write_function(shadow);
}

size_t callback_header(struct shadow *shadow, char *line, size_t len)
{
  curl_write_callback function = header_function(shadow);
  return function ? function(line, 1, len, (void *)shadow->slot[SLOT_HEADERDATA]) : len;
}

char *callback_copy(struct shadow *shadow, char room[CALLBACK_COPY_ROOM], const char *data, size_t len)
{
  char *copy = room;
  if (len >= CALLBACK_COPY_ROOM) {
    shadow->long_line.len = 0;
    copy = buffer_reserve(&shadow->long_line, len + 1);
  }
  if (!copy)
    return (char *)data;
  memcpy(copy, data, len);
  copy[len] = '\0';
  return copy;
}

static size_t give_copy(struct shadow *shadow, curl_write_callback function, const char *data, size_t len,
                        void *to)
{
  char room[CALLBACK_COPY_ROOM];
  bool keeps_off = function == (curl_write_callback)fwrite;
  return function(keeps_off ? (char *)data : callback_copy(shadow, room, data, len), 1, len, to);
}

size_t callback_write_copy(struct shadow *shadow, const char *data, size_t len)
{
  return give_copy(shadow, write_function(shadow), data, len, (void *)shadow->slot[SLOT_WRITEDATA]);
}

size_t callback_write_lent(struct shadow *shadow, char *data, size_t len)
{
  const char behind = data[len];
  data[len] = '\0';
  size_t taken = callback_write(shadow, data, len);
  data[len] = behind;
  return taken;
}

size_t callback_header_copy(struct shadow *shadow, const char *line, size_t len)
{
  curl_write_callback function = header_function(shadow);
  return function ? give_copy(shadow, function, line, len, (void *)shadow->slot[SLOT_HEADERDATA]) : len;
}

size_t callback_read(struct shadow *shadow, char *into, size_t room)
{
  curl_read_callback function = (curl_read_callback)shadow->slot[SLOT_READFUNCTION];
  return (function ? function : (curl_read_callback)fread)(into, 1, room,
                                                           (void *)shadow->slot[SLOT_READDATA]);
}

/* libcurl's limits of UPLOAD_BUFFERSIZE [UPLOADBUFFER_MIN, _MAX]; what it leaves free round a chunk; since
 * 8.7 its largest chunk with that [Curl_fillreadbuffer, add_chunk, CURL_CHUNKED_MAXLEN]. */
enum { UPLOAD_MIN = 16384, UPLOAD_MAX = 2 * 1024 * 1024, CHUNK_FRAME = 8 + 2 + 2, CHUNK_MAX = 65536 };

struct ahead callback_ahead(const struct shadow *shadow, bool chunked)
{
  long set = (long)shadow_value(shadow, CURLOPT_UPLOAD_BUFFERSIZE);
  size_t buffer = set < UPLOAD_MIN ? UPLOAD_MIN : set > UPLOAD_MAX ? UPLOAD_MAX : (size_t)set, room = buffer;
  if (chunked && room > CHUNK_MAX && shadow->lib->version >= 0x080700)
    room = CHUNK_MAX;
  return (struct ahead){.started_us = monotonic_us(),
                        .limit_ms = (long)shadow->slot[SLOT_TIMEOUT_MS],
                        .room = chunked ? room - CHUNK_FRAME : room,
                        .buffer = buffer};
}

void callback_error(struct shadow *shadow, const char *format, ...)
{
  char *into = (char *)shadow->slot[SLOT_ERRORBUFFER];
  if (!into)
    return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(into, CURL_ERROR_SIZE, format, arguments);
  va_end(arguments);
}

/* Its words have changed three times [sendf.c, cw-out.c]. */
CURLcode callback_refused(struct shadow *shadow, bool header, size_t len, size_t taken)
{
  unsigned version = shadow->lib->version;
  if (header && version < 0x080700)
    callback_error(shadow, "Failed writing header");
  else if (version < 0x074800)
    callback_error(shadow, "Failed writing body (%zu != %zu)", taken, len);
  else if (version < 0x080700)
    callback_error(shadow, "Failure writing output to destination");
  else if (version >= 0x080800 && taken == CURL_WRITEFUNC_ERROR)
    callback_error(shadow, "client returned ERROR on write of %zu bytes", len);
  else
    callback_error(shadow, "Failure writing output to destination, passed %zu returned %zd", len,
                   (ssize_t)taken);
  return CURLE_WRITE_ERROR;
}
