/* SPDX-License-Identifier: MIT */
/*
 * form_reader: a form's read callback (curl_mime_data_cb) with ours in front of it.
 *
 * To name the request its content must be read before libcurl does, and many readers can be read only once.
 * So libcurl is given our callbacks: it gets what was read ahead, then what the app's reader goes on to say.
 * The app's reader is never asked for the same bytes twice, unless it can be rewound.
 *
 *     const char *reason = form_reader_open(reader, limit, &ahead, &resumed);  // NULL: reader->read has it all
 *     ... libcurl reads, or an answer is replayed ...
 *     form_reader_close(reader);
 *
 * Like the callback's own argument, a reader belongs to one transfer at a time; its references are counted
 * atomically, for copies of a handle may live in other threads. Without memory nothing is read ahead, and the
 * call goes live with every byte that was.
 */
#ifndef IDEMSHIM_SHIM_FORM_READER_H
#define IDEMSHIM_SHIM_FORM_READER_H

#include "shim/base/ahead.h"
#include "shim/base/pieces.h"

#include "shim/libcurl/curl_compat.h"
#include <stdatomic.h>
#include <stdint.h>

struct form_reader {
  curl_read_callback read_app;
  curl_seek_callback seek_app; /* may be NULL */
  curl_free_callback free_app; /* may be NULL */
  void *arg;
  curl_off_t size;       /* libcurl asks for no more; -1: to the end */
  _Atomic unsigned refs; /* descriptions, libcurl's parts, and calls that have read ahead */
  _Atomic bool shared;   /* by a copied handle: nobody knows which one has read how much */

  struct pieces read;     /* ahead */
  size_t verdict;         /* what the app's reader returned instead of bytes, or 0 */
  const uint8_t *resumed; /* how often the app has let its readers go on, while it is open */
  uint8_t resumed_before; /* that, when the reader paused */
  bool begun;             /* the app's reader was called since its beginning */
  bool kept;              /* `read` is from the beginning */
  bool whole;             /* ... and to the end */
  bool open;
};

/* With one reference, which is libcurl's. NULL: no memory. */
struct form_reader *form_reader_new(curl_off_t size, curl_read_callback read, curl_seek_callback seek,
                                    curl_free_callback free, void *arg);
void form_reader_ref(struct form_reader *reader);
void form_reader_unref(struct form_reader *reader);

/* A copied handle will call it too; form_reader_free() ends that. */
void form_reader_share(struct form_reader *reader);

/* The callbacks that libcurl is given, with the reader as their argument. */
size_t form_reader_read(char *into, size_t size, size_t count, void *arg);
int form_reader_seek(void *arg, curl_off_t offset, int origin);
void form_reader_free(void *arg);

/* Reads ahead, to the end, a little more than `limit` bytes, or until it is late. NULL, or why the content is
 * not known; in both cases the reader must be closed when the call ends. `resumed` counts how often the app
 * has called curl_easy_pause() to let a reader go on, and must stay until then. */
const char *form_reader_open(struct form_reader *reader, uint64_t limit, struct ahead *ahead,
                             const uint8_t *resumed);
void form_reader_close(struct form_reader *reader);

#endif
