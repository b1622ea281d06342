/* SPDX-License-Identifier: MIT */
/*
 * drift: the same content, but for its headers, has an answer already. With vary=* a header that is new with
 * each call switches idemshim off in silence; this names it.
 *
 *     drift_note(store, request, call, &name);       // call->drift: "X-My-Stamp,X-Other", or ""
 *
 * The call must have its snapshot pinned. It costs a lookup for a miss by content, and reads that answer's
 * head and header lines where there is one. Nothing is said of an encrypted store, whose lines are sealed.
 */
#ifndef IDEMSHIM_STORE_CALL_DRIFT_H
#define IDEMSHIM_STORE_CALL_DRIFT_H

#include "store/key/key.h"
#include "store/state/state.h"

void drift_note(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                const struct name *name);

#endif
