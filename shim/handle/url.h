/* SPDX-License-Identifier: MIT */
/*
 * url: the parts of a URL that rules and keys are made of, without copying it.
 *
 *     struct url_parts parts;
 *     if (url_split("https://example.com/v1", 0, &parts))
 *       ...parts.host_len bytes from url + parts.host on...
 *
 * It is read as libcurl reads it, so that a rule matches the host that the call would go to. Needs no memory and
 * no lock.
 */
#ifndef IDEMSHIM_SHIM_URL_H
#define IDEMSHIM_SHIM_URL_H

#include "shim/handle/shadow.h"

/* Splits an http or https URL (RFC 3986), or one without a scheme; `port_option` is CURLOPT_PORT, 0 if unset.
 * False for every other URL: such a call is not ours. `user` is "name:password", as it is written. The host is
 * without brackets, in any case; the path may be empty. */
bool url_split(const char *url, long port_option, struct url_parts *parts);

#endif
