/* SPDX-License-Identifier: MIT */
/* counts: the tokens that a document says it took, wherever its provider writes them and by whatever name. */
#ifndef IDEMSHIM_STORE_JUDGE_COUNTS_H
#define IDEMSHIM_STORE_JUDGE_COUNTS_H

#include "store/judge/document.h"

/* How deep they stand at most. */
enum { COUNTS_DEPTH = 3 };

/* For a member at `depth`, at most COUNTS_DEPTH: whether its name leads to a place of theirs. `escaped`:
 * there are backslashes in it. */
void counts_enter(struct document_reader *reader, size_t depth, bool escaped);
/* For a member that is a number. */
void counts_take(struct document_reader *reader, size_t depth, bool escaped);
/* When the document is over. */
void counts_end(struct document_reader *reader);

#endif
