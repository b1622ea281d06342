/* SPDX-License-Identifier: MIT */
/*
 * connection: the descriptors of a transfer's connection.
 *
 *     struct transfer_sockets sockets = {.count = 0};
 *     connection_find(shadow, &sockets);
 *     int fd = connection_socket(shadow);
 *
 * libcurl tells a transfer's addresses in the middle of it, but not its descriptor (CURLINFO_ACTIVESOCKET is
 * -1 there), so the connection is looked for among all descriptors by its four addresses. Asked in the thread
 * of the transfer, by whom nothing is changed.
 */
#ifndef IDEMSHIM_SHIM_CONNECTION_H
#define IDEMSHIM_SHIM_CONNECTION_H

#include "shim/handle/shadow.h"

enum { CONNECTION_SOCKETS = 5 };
struct transfer_sockets {
  int fd[CONNECTION_SOCKETS];
  unsigned count;
  bool watched; /* the app may have them in epoll sets */
};

/* Adds the transfer's descriptors; none for a connection without ports, such as a Unix socket. */
void connection_find(const struct shadow *shadow, struct transfer_sockets *sockets);

/* One of them, or -1. What a search has seen is remembered, so that an app with many connections pays for one
 * search and not for one with each call. */
int connection_socket(const struct shadow *shadow);

/* The descriptor is one of them, without a search. */
bool connection_is(const struct shadow *shadow, int fd);

#endif
