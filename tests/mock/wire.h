/* SPDX-License-Identifier: MIT */
/*
 * wire: responses that a client lays down beforehand and then gets, byte for byte.
 *
 * A test of what a client sees needs headers, status lines and framing that no HTTP library writes. The text
 * is posted to /_mock/wire/NAME; every request whose path ends in /wire/NAME gets it, and the connection is
 * closed behind it. A byte 1 in the text is not sent: what comes after it comes 30 ms after the client has
 * read what came before. A byte 2 parts the responses to the first request, to the second, and so on; the
 * last one stays. With ?exact=1 the text has no such marks.
 *
 * Over TLS the text is taken apart and goes out through the HTTP library, with its framing.
 */
#ifndef MOCK_WIRE_H
#define MOCK_WIRE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* Keeps a text under a name, in the place of an earlier one. */
void wire_lay(const char *name, const char *text, size_t len, bool exact);

/* The name in a request's path, or NULL for one that is not under /wire/. */
const char *wire_name(const char *path);

/* Plays what is kept under the name; 404 if nothing is. */
enum MHD_Result wire_play(struct MHD_Connection *connection, const char *name);

void wire_reset(void);

#endif
