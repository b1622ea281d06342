/* SPDX-License-Identifier: MIT */
/* The moment before the first byte of an OWNED call leaves: the claim is recorded then, by libcurl's
 * prerequest callback. A call that gets no connection leaves nothing behind. */
#ifndef IDEMSHIM_SHIM_PREREQUEST_H
#define IDEMSHIM_SHIM_PREREQUEST_H

#include "shim/live/tee.h"

/* False with a libcurl that has no such callback: the record is then written when the call is claimed. */
bool prerequest_is_supported(const struct shadow *shadow);

/* Puts our callback in front of the app's for one transfer, which the tee listens to. */
void prerequest_attach(struct tee *tee);

/* True if a byte of the request has been sent; what was said to a proxy before does not count. */
bool prerequest_is_past(const struct request *request);

/* For the end of a call: true if it has, and `code` does not tell what became of it. */
bool prerequest_outcome_unknown(const struct request *request, CURLcode code);

#endif
