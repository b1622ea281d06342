/* SPDX-License-Identifier: MIT */
/*
 * The ledger of overrides: which options libcurl has from us in the place of the app's, while a call of ours
 * is on the handle.
 *
 * A live call listens through callbacks of its own, a replay by transport is given another URL and another
 * socket, a rescue another deadline. All of them say here what they put on the app's handle, so that it can
 * be told of each option whose it is, and none is forgotten at the end, however the call ends:
 *
 *     override_set(shadow, CURLOPT_WRITEFUNCTION, on_write);
 *     override_set(shadow, CURLOPT_WRITEDATA, tee);
 *     code = real->easy_perform(shadow->handle);
 *     override_restore_all(shadow);
 *
 * What the app sets meanwhile of an overridden option is noted in the shadow alone, and reaches libcurl when
 * the option is restored: apps change options from inside their callbacks. What libcurl had already is
 * neither given nor restored. The shadow has three bits for each option. A reset of the handle clears them,
 * since libcurl has then forgotten our values too.
 *
 * The options are the rows of a table in overrides.c; setting one that is not there is a mistake that the
 * compiler or any test of the caller shows. Like its handle, a ledger belongs to one thread at a time. It
 * takes no lock and no memory. That libcurl refuses a value (an option that an old one does not know) is not
 * told: it has then kept the app's.
 */
#ifndef IDEMSHIM_SHIM_OVERRIDES_H
#define IDEMSHIM_SHIM_OVERRIDES_H

#include "shim/handle/shadow.h"

/* Gives libcurl `value`, of any type that curl_easy_setopt() takes, and keeps it there whatever the app sets.
 * The app's own value says that libcurl is to keep what it has. */
#define override_set(shadow, option, value) override_put(shadow, option, (uintptr_t)(value), true)

/* The same until the app sets the option: its new value goes to libcurl at once. For what the app may take
 * away under us, such as a list that shares its strings. */
#define override_until_set(shadow, option, value) override_put(shadow, option, (uintptr_t)(value), false)

void override_put(struct shadow *shadow, CURLoption option, uintptr_t value, bool hold);

/* Gives libcurl the app's value, or its own default, if the option is overridden. */
void override_restore(struct shadow *shadow, CURLoption option);

/* The same for all of them, in the order of the table. */
void override_restore_all(struct shadow *shadow);

/* The same on a copy of the handle that was made in a callback, and so with our values. */
void override_restore_on(const struct shadow *shadow, CURL *copy);

bool override_find(const struct shadow *shadow, CURLoption option);

/* True if libcurl is to keep our value though the app sets this option, or another that fills the same place
 * in libcurl (TIMEOUT and TIMEOUT_MS). */
static inline bool override_has(const struct shadow *shadow, CURLoption option)
{
  return shadow->held && override_find(shadow, option);
}

/* The app sets such an option: its value is noted in the shadow, and is put in place at the end. */
void override_put_off(struct shadow *shadow, CURLoption option);

/* The method is overridden by HTTPGET, yet the options that choose it carry more than that and go to libcurl:
 * ours goes over them again. Does nothing if the method is the app's. */
void override_method_again(struct shadow *shadow);

#endif
