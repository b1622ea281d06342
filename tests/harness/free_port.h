/* SPDX-License-Identifier: MIT */
/* A port of the loopback for a server that has to be told one: the kernel picks it, below 55536, since a
 * cluster's second port is 10000 above. */
#ifndef TESTS_HARNESS_FREE_PORT_H
#define TESTS_HARNESS_FREE_PORT_H

#include <arpa/inet.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0: there is none. */
static inline uint16_t free_port(void)
{
  for (;;) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = bind(fd, (struct sockaddr *)&address, len);
    if (rc == 0)
      rc = getsockname(fd, (struct sockaddr *)&address, &len);
    close(fd);
    if (rc < 0)
      return 0;
    if (ntohs(address.sin_port) < 55536)
      return ntohs(address.sin_port);
  }
}

#endif
