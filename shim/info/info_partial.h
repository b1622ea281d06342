/* SPDX-License-Identifier: MIT */
/* What is known in the middle of a delivery: of a header that is passing, what has passed. */
#ifndef IDEMSHIM_SHIM_SO_FAR_H
#define IDEMSHIM_SHIM_SO_FAR_H

#include "shim/info/info.h"

/* False if the header field that this info comes from has not passed yet. */
bool info_is_known_yet(const struct info *replay, unsigned number);

/* How many redirects the blocks that have begun make; `all` in the end. */
int64_t info_redirects_yet(const struct info *replay, int64_t all);

#endif
