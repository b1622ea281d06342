/* SPDX-License-Identifier: MIT */
/*
 * prerequest: the moment before the first byte of an OWNED call leaves. The claim is recorded then, by
 * libcurl's prerequest callback, so that a call that gets no connection leaves nothing behind, and one that
 * has been sent is in doubt whatever happens to the process.
 *
 *     tee_attach(&tee, request);
 *     prerequest_attach(&tee);
 *     code = real->easy_perform(handle);
 *     override_restore_all(shadow);
 *     unknown = prerequest_outcome_unknown(request, code);
 *
 * A claim that cannot be recorded stops the request where the rule says indoubt=fail, and is reported in any
 * case. The callback runs in the thread that drives the transfer.
 */
#ifndef IDEMSHIM_SHIM_PREREQUEST_H
#define IDEMSHIM_SHIM_PREREQUEST_H

#include "shim/live/tee.h"

/* False with a libcurl before 7.80, which has no such callback: the record is then written when the call is
 * claimed. */
bool prerequest_is_supported(const struct shadow *shadow);

/* Puts our callback in front of the app's for one transfer, which the tee listens to. */
void prerequest_attach(struct tee *tee);

/* True if a byte of the request has been sent; what was said to a proxy before does not count. */
bool prerequest_is_past(const struct request *request);

/* True if bytes of the request were sent and `code`, the end of the call, does not say whether upstream
 * acted on them. The claim then stays in doubt. */
bool prerequest_outcome_unknown(const struct request *request, CURLcode code);

#endif
