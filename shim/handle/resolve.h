/* SPDX-License-Identifier: MIT */
/*
 * resolve: entries of CURLOPT_RESOLVE that libcurl keeps. It puts them into the cache of names of its multi,
 * of which each handle has one of its own for curl_easy_perform(), and leaves them there after the option is
 * gone: a later call to that host goes to the same address.
 *
 *     resolve_note(shadow, list);               // the app sets the option
 *     resolve_share(&multi->resolved, shadow);  // and when the handle comes into a multi
 *     if (resolve_may_linger(shadow, places))   // the call is not named by all that decides where it goes: live
 *
 * Each belongs to its handle's or multi's thread. What a share object keeps is not known.
 */
#ifndef IDEMSHIM_SHIM_RESOLVE_H
#define IDEMSHIM_SHIM_RESOLVE_H

#include "shim/handle/shadow.h"

/* Remembers the entries, for the handle. False without memory. */
bool resolve_note(struct shadow *shadow, const struct curl_slist *list);

/* The same for a multi, of all that the handle has had. */
bool resolve_share(struct buffer *places, const struct shadow *shadow);

/* True if one of these places, of the handle or of its multi, that is not in the handle's list now may
 * be asked by its call. */
bool resolve_may_linger(const struct shadow *shadow, const struct buffer *places);

#endif
