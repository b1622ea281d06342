/* SPDX-License-Identifier: MIT */
/*
 * form_file: the files of a form, read when the call is named, and again by libcurl when it is sent.
 *
 *     const char *reason = form_file_read(&text, &files, path, size, limit);   // NULL: it is all there
 *     ...the call goes out...
 *     if (form_files_changed(&files))
 *       ...what upstream got is not what was named: its answer is not kept...
 *     form_files_release(&files);
 *
 * `files` is a buffer that begins empty. Takes no lock.
 */
#ifndef IDEMSHIM_SHIM_FORM_FILE_H
#define IDEMSHIM_SHIM_FORM_FILE_H

#include "shim/base/buffer.h"

#include <stdint.h>

/*
 * Appends at most `size` bytes of a regular file to `text`, which may come to `limit` bytes, and notes in
 * `files` what it is now. NULL, or why it was not read whole.
 */
const char *form_file_read(struct buffer *text, struct buffer *files, const char *path, int64_t size,
                           uint64_t limit);

/* True if one of them has been touched since. */
bool form_files_changed(const struct buffer *files);

void form_files_release(struct buffer *files);

#endif
