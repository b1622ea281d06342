/* SPDX-License-Identifier: MIT */
/*
 * tls: OpenSSL over a link's socket.
 *
 *     struct tls *tls = tls_new(fleet, error, sizeof(error));      // NULL with the reason
 *     rc = tls_open(tls, link, "cache.internal");                  // the handshake, to link->deadline_us
 *     n = tls_read(link->ssl, data, len, &events);                 // or -EAGAIN: wait for `events`
 *     tls_close(link->ssl);                                        // no farewell: a parent may go on with it
 *
 * Bytes go by send() with MSG_NOSIGNAL, which OpenSSL's own socket does not do. The certificate is verified,
 * and the name in it, unless the URL says insecure.
 */
#ifndef IDEMSHIM_FLEET_TLS_H
#define IDEMSHIM_FLEET_TLS_H

#include "config/fleet.h"
#include "fleet/link.h"

/* One for all links of a client, which threads share as OpenSSL allows. The files that the URL names are read
 * here, so that a new certificate needs a new client. tls_free(NULL) is fine; links have to be closed
 * before. */
struct tls *tls_new(const struct idem_fleet *fleet, char *error, size_t size);
void tls_free(struct tls *tls);

/* 0 or -errno; after either link_close() frees what there is. -EACCES: the certificate is not good, or not
 * for `host`, and link->error says why. -ECONNRESET: the other side speaks no TLS that we do, or has gone.
 * Else -ETIMEDOUT or -ENOMEM. */
int tls_open(struct tls *tls, struct link *link, const char *host);
/* Bytes, of which there may be fewer than were given, or -errno. Neither waits; an end is -ECONNRESET. */
ssize_t tls_write(struct ssl_st *ssl, const char *data, size_t len, short *events);
ssize_t tls_read(struct ssl_st *ssl, char *data, size_t len, short *events);
void tls_close(struct ssl_st *ssl);

#endif
