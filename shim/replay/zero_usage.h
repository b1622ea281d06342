/* SPDX-License-Identifier: MIT */
/*
 * zero_usage: usage=zero of a rule: a replay says that it took no tokens, to an app that adds them up.
 *
 *     if (request->rule->usage == IDEM_USAGE_ZERO)
 *       zero_usage(request);    // op.answer.body is then a copy of the record's, which goes with the request
 *
 * A tape gets what upstream has said: `whole` of the request. Without memory the answer stays as it is.
 */
#ifndef IDEMSHIM_SHIM_ZERO_USAGE_H
#define IDEMSHIM_SHIM_ZERO_USAGE_H

#include "shim/request/request.h"

void zero_usage(struct request *request);

#endif
