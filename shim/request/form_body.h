/* SPDX-License-Identifier: MIT */
/*
 * form_body: a form as the text that names it.
 *
 *     form_body_open(&body, shadow, limit);
 *     if (body.reason)
 *       ...the call goes live: nobody can tell what libcurl will send...
 *     ...body.text is hashed; the call goes out, or an answer is replayed...
 *     changed = form_body_changed(&body);
 *     form_body_release(&body);
 *
 * What libcurl would send has a random boundary. This is the same with a boundary of our own, each part
 * followed by its length, so that no content can be taken for a boundary, and by how libcurl would encode it:
 *
 *     --idemshim-form
 *     Content-Disposition: form-data; name="model"
 *
 *     whisper-1
 *     --idemshim-form 55 bytes
 *     Content-Disposition: form-data; name="file"; filename="a.txt"
 *     Content-Type: text/plain
 *
 *     hello
 *     --idemshim-form 92 bytes, base64
 *
 * Files are read, and readers read ahead (form_reader.h), when the call is named. That may call the app's
 * callbacks, in the handle's thread; no lock is held.
 */
#ifndef IDEMSHIM_SHIM_FORM_BODY_H
#define IDEMSHIM_SHIM_FORM_BODY_H

#include "shim/base/ahead.h"
#include "shim/handle/shadow.h"

struct form_part;

struct form_body {
  const struct shadow *shadow;
  struct buffer text;
  uint64_t limit;
  struct ahead ahead;    /* all its readers together */
  const char *reason;    /* why the call cannot be named, or NULL */
  struct buffer readers; /* of struct form_reader *, to be closed */
  struct buffer files;   /* of struct form_file: as they were when they were read */
  unsigned depth;
};

/* The form that the shadow's handle sends, in a body that is zeroed but for files that are to be watched as
 * well. In every case it must be released. */
void form_body_open(struct form_body *body, const struct shadow *shadow, uint64_t limit);
void form_body_release(struct form_body *body);

/* True if a file is not what it was: libcurl may have sent something else. */
bool form_body_changed(const struct form_body *body);

#endif
