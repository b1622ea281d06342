/* SPDX-License-Identifier: MIT */
/*
 * document: what a JSON document, or one event of a stream, says of the call that it answers: has it failed, is
 * it over, what did it cost. One pass over the text; the tables in document.c know the providers' words.
 *
 *     struct document document = DOCUMENT_INIT;
 *     document_read(data, &document);
 *     if (document.json && document.failed) ...
 *
 * It needs no memory but for texts that are nested more than 512 levels deep.
 */
#ifndef IDEMSHIM_STORE_JUDGE_DOCUMENT_H
#define IDEMSHIM_STORE_JUDGE_DOCUMENT_H

#include "store/store.h"

struct document {
  bool json;               /* it is JSON up to its last byte */
  bool container;          /* an object or an array, which shows its own end */
  bool failed;             /* it reports a failure, whatever the status says */
  bool error;              /* it has an `error` that is not null: in a stream that is a failure */
  bool ended;              /* an event: the provider's own end */
  bool goes_on;            /* an event: it has candidates that have not finished */
  bool done;               /* a line: "done": true */
  struct idem_usage usage; /* what it does not report stays; of several events the last counts */
};
#define DOCUMENT_INIT                                                                                        \
  {                                                                                                          \
    .usage = { -1, -1 }                                                                                      \
  }

/* Reads one document; the members of an array at the root are documents, too (Gemini). All but `usage` is set
 * anew. */
void document_read(struct idem_span text, struct document *document);

/* True if `name` is that of an event which reports a failure. */
bool document_is_failure(struct idem_span name);

#endif
