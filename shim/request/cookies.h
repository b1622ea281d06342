/* SPDX-License-Identifier: MIT */
/*
 * cookies: those of libcurl's engine. Those that go along with a call say who asks, and so are part of its
 * tenant; those that come with a replay are taken by libcurl from its own transfer, which is not https.
 *
 *     reason = cookies_sent(shadow, host_line, option, &text);  // when the call is named; NULL, or why not
 *     reason = cookies_refuse(shadow, headers, redirected);     // before a replay by transport
 *     cookies_mend(shadow, host_line, headers);                 // after it
 *
 * libcurl's engine is asked through the handle (CURLINFO_COOKIELIST), with its lock if it is shared, so all
 * of this belongs to the handle's thread and must not be called with a lock of ours. Without memory a cookie
 * stays as libcurl has it.
 */
#ifndef IDEMSHIM_SHIM_COOKIES_H
#define IDEMSHIM_SHIM_COOKIES_H

#include "shim/handle/shadow.h"

/* Appends "name=value" for each cookie that libcurl would send with the handle's next transfer, in an order
 * of its own: those of its engine for the host of `host_line` (the app's Host: line; NULL: the URL's), and
 * those of CURLOPT_COOKIE, if `option` is not NULL. Where redirects are followed, also those of other hosts
 * and paths, with these. Cookies of load balancers do not count. Loads the cookie files, as the transfer
 * would. NULL, or why the call cannot be named: a cookie file is a pipe, cookies that have expired would come
 * out of the files again, or there is no memory. */
const char *cookies_sent(const struct shadow *shadow, const char *host_line, const char *option,
                         struct buffer *text);

/* Why libcurl's cookie engine could not take what this header sets, or NULL. */
const char *cookies_refuse(const struct shadow *shadow, struct idem_span headers, bool redirected);

/* Makes those Secure again, after the transfer, that the answer had set as Secure. */
void cookies_mend(const struct shadow *shadow, const char *host_line, struct idem_span headers);

#endif
