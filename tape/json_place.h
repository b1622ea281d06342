/* SPDX-License-Identifier: MIT */
/* json_place: where in a JSON text a value stands, so that it can be replaced and every other byte stays. */
#ifndef IDEMSHIM_TAPE_JSON_PLACE_H
#define IDEMSHIM_TAPE_JSON_PLACE_H

#include "store/store.h"

/* The bytes of the value that an RFC 6901 pointer names; empty if it is not there. The text is known to
 * parse. */
struct idem_span tape_json_place(struct idem_span text, const char *pointer);

#endif
