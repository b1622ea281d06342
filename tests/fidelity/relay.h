/* SPDX-License-Identifier: MIT */
/*
 * relay: a server in this process, on a thread, that passes a connection on to the mock, as the proxies and
 * sockets do that stand before real servers.
 */
#ifndef FIDELITY_RELAY_H
#define FIDELITY_RELAY_H

enum relay {
  RELAY_PLAIN,  /* to the mock's http port */
  RELAY_TUNNEL, /* a proxy that is asked to CONNECT */
  RELAY_SOCKS4
};

/* Listens at 127.0.0.2, always at the mock's port, and returns that; or on a Unix socket and returns 0 where
 * `path` is given. It ends with the program. */
int relay_start(enum relay kind, const char *path);

#endif
