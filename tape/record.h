/* SPDX-License-Identifier: MIT */
/*
 * record: an exchange as the bytes between two frames, and back. Whatever the bytes are, a parse stays inside
 * them: a tape may come from anywhere.
 *
 *     tape_record_compose(&buffer, call, request, outcome, &layout);      redacted; room for tags is left
 *     tape_summary_parse(summary, &record);                               spans point into the bytes
 */
#ifndef IDEMSHIM_TAPE_RECORD_H
#define IDEMSHIM_TAPE_RECORD_H

#include "store/base/buffer.h"
#include "tape/format.h"
#include "tape/tape.h"

/* A record that is no exchange, but has the rules in force as its body. */
#define TAPE_RULES ((enum tape_what)TAPE_WHATS)
/* The longest text of them; a longer one is not written. */
enum { TAPE_RULES_MOST = 96 << 10 };

/* Where in a buffer the pieces of a record lie, from its frame on. Behind summary and content there is room
 * for a tag.
 */
struct tape_layout {
  size_t summary, summary_len, content, content_len;
};

/* Adds frame (all zero), summary and content, redacted. -ENOMEM, -EFBIG. */
int tape_record_compose(struct buffer *out, const struct tape_call *call, const struct idem_request *request,
                        const struct tape_outcome *outcome, struct tape_layout *layout);

/* Fill what they know of the record; spans point into the bytes. -EILSEQ. `chunks` takes the chunks, aligned.
 */
int tape_summary_parse(struct idem_span bytes, struct tape_record *record);
int tape_content_parse(struct idem_span bytes, struct tape_record *record, struct tape_chunk *chunks);

#endif
