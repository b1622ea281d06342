/* SPDX-License-Identifier: MIT */
/*
 * server: HTTP on one loopback port, with TLS if a certificate is given. A thread for each connection, so
 * that an answer may sleep as long as its script says.
 */
#ifndef MOCK_SERVER_H
#define MOCK_SERVER_H

#include <stdint.h>

struct server;

/* PEM texts, or NULL for plain HTTP; they must stay. NULL: could not listen. */
struct server *server_start(const char *cert, const char *key);
uint16_t server_port(const struct server *server);

/* After pause_end(); closes every connection. NULL is fine. */
void server_stop(struct server *server);

#endif
