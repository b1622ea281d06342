/* SPDX-License-Identifier: MIT */
/*
 * canon: a digest of a JSON text that does not depend on white space, on the order of members, or on how a
 * character is escaped. One pass and no tree, for it is made of every call that is recorded.
 *
 * It is not proof against somebody who makes two texts with one digest: nobody gains by a tape that confuses
 * them.
 */
#ifndef IDEMSHIM_TAPE_CANON_H
#define IDEMSHIM_TAPE_CANON_H

#include "store/store.h"

struct canon {
  uint64_t low, high;
};

/* The digest of the text without what the pointers name; of its bytes, where it is not JSON. */
struct canon canon_body(struct idem_span body, const struct idem_words *ignore);

/* The digest of one value, known to be one. */
struct canon canon_value(struct idem_span value);

#endif
