/* SPDX-License-Identifier: MIT */
/*
 * keepalive: the connection of a call in flight is kept alive (keepalive=). A model may think for minutes,
 * and a router between forgets a connection that is silent for so long: the answer, paid for, never comes.
 *
 *     keepalive_attach(request);                     // libcurl's options, for connections that it makes
 *     keepalive_tell(request, fd);                   // the socket itself, of one that was there before
 *     override_restore_all(shadow);
 *
 * Nothing is done where the app has set one of libcurl's four options for it. Its SOCKOPTFUNCTION is called
 * after libcurl's options have been applied, and has the last word. A socket that is kept alive already stays
 * as it is, and so does one that knows nothing of it, a Unix socket or QUIC's.
 */
#ifndef IDEMSHIM_SHIM_KEEPALIVE_H
#define IDEMSHIM_SHIM_KEEPALIVE_H

#include "shim/request/request.h"

void keepalive_attach(const struct request *request);
void keepalive_tell(const struct request *request, int fd);

/* The same, of the connection that the request goes out on. */
void keepalive_tell_connection(const struct request *request);

#endif
