/* SPDX-License-Identifier: MIT */
/*
 * netrc: what a .netrc file (CURLOPT_NETRC) says of a call's host, which is as much a credential as a header.
 *
 *     struct buffer text = {0}, files = {0};
 *     if (netrc_read(shadow, &text, &files))
 *       ...text is the tenant's; empty: nobody logs in by that file...
 *     changed = form_files_changed(&files);     // after the transfer, which reads the file anew
 *
 * Programs ask for the file in case that there is one: git does for each call. False, and the call is live:
 * it is no regular file (a pipe gives its text once, to libcurl), cannot be read, is too large, or nobody
 * knows where it would be. Allocates; takes no lock.
 */
#ifndef IDEMSHIM_SHIM_NETRC_H
#define IDEMSHIM_SHIM_NETRC_H

#include "shim/handle/shadow.h"

bool netrc_read(const struct shadow *shadow, struct buffer *text, struct buffer *files);

#endif
