/* SPDX-License-Identifier: MIT */
/*
 * credentials: what says who is asking, as far as no header says it, for the tenant of a call.
 *
 *     credentials_build(request);                     // of options and the URL, first of all
 *     if (!credentials_add_netrc(request)) ...        // where the app has asked for NETRC
 *     if (!credentials_add_certificate(request)) ...  // where it has set SSLCERT
 *     reason = credentials_add_cookies(request);      // NULL, or why the call cannot be named
 *     if (credentials_log_in_as_process(request)) ... // last, when all of these are known
 *
 * Each adds to `request->bytes.credentials`. Texts are those of the shadow, of the URL, or of the request's
 * own buffers, which request_release() frees. Where one of them returns false, the call has to be live.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_CREDENTIALS_H
#define IDEMSHIM_SHIM_REQUEST_CREDENTIALS_H

#include "shim/request/request.h"

void credentials_build(struct request *request);

/* What a .netrc says of the host. False if the call has to be live. */
bool credentials_add_netrc(struct request *request);

/* A client certificate is what its file holds, beside the name of the file: it may be replaced, and each
 * machine has its own at one place. What is no file has a name alone, as a key in a token. False if the call
 * has to be live: it is a pipe, which gives its text once, or cannot be read. */
bool credentials_add_certificate(struct request *request);

/* Cookies of the option and of libcurl's engine are credentials: they say who asks, as a Cookie header
 * does. */
const char *credentials_add_cookies(struct request *request);

/* True if libcurl may log in as whoever runs the program, by a Kerberos ticket or through winbind, and
 * nothing says who that is. The way to ask for it is a login without a name, ":". With NEGOTIATE alone the
 * name is not used at all [curl(1), --negotiate], and none is needed. Where several kinds are allowed and
 * there is no login, libcurl never picks one [Curl_http_auth_act() in http.c]: R's curl package allows any
 * kind in each call. */
bool credentials_log_in_as_process(const struct request *request);

#endif
