/* SPDX-License-Identifier: MIT */
/* The policy of curl_easy_perform() for a call that a rule wants. */
#ifndef IDEMSHIM_SHIM_PERFORM_H
#define IDEMSHIM_SHIM_PERFORM_H

#include "shim/handle/shadow.h"

CURLcode idem_easy_perform(struct shadow *shadow, const struct idem_rule *rule);

#endif
