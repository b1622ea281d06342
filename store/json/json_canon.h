/* SPDX-License-Identifier: MIT */
/*
 * json_canon: a digest of what a JSON text says. The order of members, white space and escapes do not count,
 * nor how a fraction is written (0.70, 7e-1); everything else does, numbers by their digits and at any
 * length:
 *
 *   1 and 1.0 differ (a server may refuse one of them), 0.1 and 0.10 do not. Members of one name count in
 *   the order in which they come, since one parser takes the first and another the last.
 *
 *     uint8_t digest[IDEM_KEY_SIZE];
 *     rc = json_canon(body, &(struct json_canon_options){.ignore = &rule->keying.ignore}, digest);
 *     if (rc == 0)
 *       hash_digest(&hash, digest);
 *     else
 *       hash_field(&hash, body);            // -EINVAL, not JSON: byte by byte
 *
 * One pass, no recursion. Each value becomes 32 bytes: itself where it is short, else SHA-256 of it. They
 * wait on a stack of the heap until their container closes, so the memory is that of what is open, not of the
 * text.
 */
#ifndef IDEMSHIM_STORE_JSON_CANON_H
#define IDEMSHIM_STORE_JSON_CANON_H

#include "store/base/hash.h"

struct json_canon_options {
  const struct idem_words *ignore; /* RFC 6901: what does not count; NULL: everything does */
  /* Gives what counts in the place of a string that is a value; NULL data: no memory. NULL: the string
   * itself. */
  struct idem_span (*replace)(void *arg, struct idem_span text);
  void *arg;
};

/* 0; -EINVAL: the text is not JSON; -ENOMEM: nobody knows whether it is. */
int json_canon(struct idem_span text, const struct json_canon_options *options,
               uint8_t digest[IDEM_KEY_SIZE]);

#endif
