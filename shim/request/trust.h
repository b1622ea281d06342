/* SPDX-License-Identifier: MIT */
/*
 * trust: what a call demands of the server's identity, as a text that is part of its name: an answer that was
 * fetched with -k is never given to a call that verifies.
 *
 *     char room[512];
 *     struct idem_span trust;
 *     const char *reason = trust_of(shadow, rule->trust, room, sizeof(room), &trust);   // NULL, or why it
 * goes live
 *
 * Only what differs from libcurl's defaults is in it, so that setting a default changes nothing; for http it
 * has no demands, unless redirects are followed or libcurl knows hosts that are https alone (HSTS), of a
 * share object too: the call may end there. Paths count as they are written, not what they hold: an update
 * of the certificates costs nobody an answer. Reads the shadow alone, but for one getinfo() where the app
 * has named a file or directory.
 *
 * Where the server need not prove who it is, for http and where peer or name are not verified, the text has
 * the proxies and servers of names that the app has set, without their logins: they lead to another server.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_TRUST_H
#define IDEMSHIM_SHIM_REQUEST_TRUST_H

#include "shim/handle/shadow.h"
#include "store/store.h"

/* Makes the text in `room`. NULL, or why the call cannot be named. */
const char *trust_of(const struct shadow *shadow, enum idem_trust level, char *room, size_t size,
                     struct idem_span *trust);

#endif
