/* SPDX-License-Identifier: MIT */
/*
 * upstream_key: the Idempotency-Key header that goes with a live call which has none of its own (inject=),
 * so that upstream too knows a call that is sent again. The app's list is not touched: libcurl is given
 * nodes of ours over the app's strings.
 *
 *     upstream_key_attach(&key, request);
 *     code = real->easy_perform(handle);
 *     override_restore_all(shadow);
 *     upstream_key_release(&key);
 *
 * Without memory the call goes out without the header.
 */
#ifndef IDEMSHIM_SHIM_UPSTREAM_KEY_H
#define IDEMSHIM_SHIM_UPSTREAM_KEY_H

#include "shim/request/request.h"

/* A header whose name is so long that `line` does not take it goes without. */
struct upstream_key {
  struct curl_slist *list; /* a list of our own over the app's strings, or NULL */
  char line[128];
};

/* Sets it for one transfer, unless the app's request has a propagated key or the rule says inject=off. */
void upstream_key_attach(struct upstream_key *key, const struct request *request);

/* Frees the nodes; call it once the overrides are restored. */
void upstream_key_release(struct upstream_key *key);

#endif
