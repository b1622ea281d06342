/* SPDX-License-Identifier: MIT */
/* CURLINFO_CERTINFO: the certificates of the live handshake, stored among the facts of an answer. */
#ifndef IDEMSHIM_SHIM_CERTINFO_H
#define IDEMSHIM_SHIM_CERTINFO_H

#include "shim/handle/shadow.h"

/* "name:value" lines, each with its NUL; an empty line ends a certificate. Appended to `text`; false without
 * memory. */
bool certinfo_write(const struct curl_certinfo *info, struct buffer *text);

/* The same as libcurl gives it, in one allocation that certinfo_free() frees; NULL without memory. */
struct curl_certinfo *certinfo_read(const char *text, size_t len);
void certinfo_free(struct curl_certinfo *info);

#endif
