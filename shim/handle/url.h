/* SPDX-License-Identifier: MIT */
/*
 * url: the parts of a URL that rules and keys are made of, without copying it.
 *
 *     struct url_parts parts;
 *     if (url_split("https://example.com/v1", 0, 0, &parts))
 *       ...parts.host_len bytes from url + parts.host on...
 *
 * It is read as libcurl reads it, so that a rule matches the host that the call would go to. Needs no memory
 * and no lock.
 */
#ifndef IDEMSHIM_SHIM_URL_H
#define IDEMSHIM_SHIM_URL_H

#include "shim/handle/shadow.h"

/* Splits an http or https URL (RFC 3986), or one without a scheme; `port_option` is CURLOPT_PORT, 0 if unset.
 * False for every other URL: such a call is not ours. `user` is "name:password", as it is written. The host
 * is without brackets, in any case; the path may be empty. `user_len` is 0, or how long `user` is, whatever
 * it is made of. */
bool url_split(const char *url, long port_option, size_t user_len, struct url_parts *parts);

/* How long user and password are in the text that libcurl makes of the handle, if a text that is read anew
 * would be cut amid them: an app may have set the password "p@ss/word". Else 0. */
size_t url_odd_user_len(const struct libcurl *lib, CURLU *handle);
bool url_user_is_odd(const char *url, const struct url_parts *parts);

/* True if the path may have segments that libcurl takes out of it: "." and "..", and in newer versions also
 * those that are written "%2e". */
bool url_has_dots(const char *path, size_t len);

/* The path that libcurl makes of this URL, to be freed by libcurl; NULL if it refuses the
 * URL, or without memory. */
char *url_sent_path(const struct libcurl *lib, const char *url);

/* True if `url`, which libcurl has made of the handle and which has these parts, says what the handle does,
 * so that one can stand for the other. An app may set parts that no text can say: libcurl sends the query
 * "a#b" whole, and of a text only "a"; and it refuses texts with what it takes as a part, such as a space.
 * Needs memory; without, it is false. */
bool url_says_all(const struct libcurl *lib, CURLU *handle, const char *url, const struct url_parts *parts);

#endif
