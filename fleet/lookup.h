/* SPDX-License-Identifier: MIT */
/*
 * lookup: the addresses of a host, within a limit that holds.
 *
 *     struct lookup found;
 *     int rc = lookup_host(&found, "cache.internal", deadline_us);
 *     lookup_set_port(&found.address[0], 6379);
 *     connect(fd, &found.address[0].any, found.address[0].len);
 *
 * getaddrinfo() waits for a name server as long as resolv.conf says, five seconds and more; c-ares is told
 * when it is enough. Its sockets are made by link_socket(). It opens and closes its state in each call, so
 * that nothing of it is there at a fork. 0, -ETIMEDOUT, -EHOSTUNREACH for a name that has no address,
 * -ENOMEM; `count` is 0 then.
 */
#ifndef IDEMSHIM_FLEET_LOOKUP_H
#define IDEMSHIM_FLEET_LOOKUP_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* Addresses that are tried at most. Each has its part of the time of a connection: more would leave none for
 * any of them. */
enum { LOOKUP_MOST = 8 };

struct lookup_address {
  socklen_t len;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  };
};

struct lookup {
  unsigned count;
  struct lookup_address address[LOOKUP_MOST];
};

/* `host` is a name or an address, which needs no name server. The addresses are in c-ares' order, and have no
 * port yet. What is still under way when the time is over is cancelled, and nothing of it comes later. */
int lookup_host(struct lookup *found, const char *host, int64_t deadline_us);
/* For tests: "ADDRESS:PORT,..." in place of those of resolv.conf. */
extern const char *lookup_servers_for_tests;

void lookup_set_port(struct lookup_address *address, uint16_t port);

#endif
