/* SPDX-License-Identifier: MIT */
/* Cookies that come with a replay: libcurl takes them from its own transfer, which is not https. */
#ifndef IDEMSHIM_SHIM_COOKIES_H
#define IDEMSHIM_SHIM_COOKIES_H

#include "shim/shadow.h"

/* Why libcurl's cookie engine could not take what this header sets, or NULL. */
const char *cookies_refuse(const struct shadow *shadow, struct idem_span headers, bool redirected);

/* After the transfer: those that were set as Secure become so again. */
void cookies_mend(const struct shadow *shadow, struct idem_span headers);

#endif
