/* SPDX-License-Identifier: MIT */
/* JSON as far as it may be taken apart on the app's stack: jansson recurses, 2,048 levels deep. */
#ifndef IDEMSHIM_STORE_SHALLOW_H
#define IDEMSHIM_STORE_SHALLOW_H

#include "store/store.h"

#include <jansson.h>

/* More than any API's requests and answers have. */
#define SHALLOW_DEPTH 100

/* json_loadb() of a text that is nested no deeper; NULL, with error->text, for a deeper one as for one that
 * does not parse. */
json_t *shallow_load(struct idem_span text, size_t flags, json_error_t *error);

#endif
