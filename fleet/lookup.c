/* SPDX-License-Identifier: MIT */
#include "fleet/lookup.h"

#include "fleet/link.h"

/* What c-ares 1.34 calls deprecated has no successor before 1.34, and stays. */
#define CARES_NO_DEPRECATED 1
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

const char *lookup_servers_for_tests;

struct asked {
  struct lookup *found;
  int status; /* of ARES_; -1: not yet */
};

/* A name that is not there and a name server that is of no use are both a host that cannot be reached. */
static int of_status(int status)
{
  return status == ARES_SUCCESS                                 ? 0
         : status == ARES_ENOMEM                                ? -ENOMEM
         : status == ARES_ETIMEOUT || status == ARES_ECANCELLED ? -ETIMEDOUT
                                                                : -EHOSTUNREACH;
}

static void add(struct lookup *found, const void *address, socklen_t len)
{
  struct lookup_address *to = &found->address[found->count];
  if (found->count == LOOKUP_MOST || len > sizeof(to->v6))
    return;
  to->len = len;
  memcpy(&to->any, address, len);
  found->count++;
}

/* An address is no name. */
static bool add_literal(struct lookup *found, const char *host)
{
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
    add(found, &v4, sizeof(v4));
  else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
    add(found, &v6, sizeof(v6));
  return found->count > 0;
}

/* c-ares calls it once: before ares_getaddrinfo() returns, in a turn, or from ares_cancel(). */
static void take(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
  struct asked *asked = arg;
  (void)timeouts;
  asked->status = status;
  for (const struct ares_addrinfo_node *node = result ? result->nodes : NULL; node; node = node->ai_next)
    add(asked->found, node->ai_addr, (socklen_t)node->ai_addrlen);
  if (result)
    ares_freeaddrinfo(result);
}

/* Its sockets. */

static ares_socket_t open_socket(int family, int type, int protocol, void *unused)
{
  (void)unused;
  int fd = link_socket(family, type, protocol);
  if (fd < 0)
    errno = -fd;
  return fd < 0 ? -1 : fd;
}

static int close_socket(ares_socket_t fd, void *unused)
{
  (void)unused;
  return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t len, void *unused)
{
  (void)unused;
  return connect(fd, address, len);
}

static ares_ssize_t receive(ares_socket_t fd, void *data, size_t len, int flags, struct sockaddr *from,
                            ares_socklen_t *from_len, void *unused)
{
  (void)unused;
  return recvfrom(fd, data, len, flags | MSG_DONTWAIT, from, from_len);
}

static ares_ssize_t transmit(ares_socket_t fd, const struct iovec *parts, int count, void *unused)
{
  struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
  (void)unused;
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* So that none of them waits, raises a signal, or is one of the standard descriptors. */
static const struct ares_socket_functions sockets = {open_socket, close_socket, connect_socket, receive,
                                                     transmit};

/* One turn: waits for its sockets, no longer than it wants to, and lets it work. A millisecond more than
 * that, so that by its own clock the time is over, too. Without a socket that is ready it looks for what has
 * taken too long. */
static void turn(ares_channel channel, int64_t deadline_us)
{
  ares_socket_t sockets_now[ARES_GETSOCK_MAXNUM];
  struct pollfd fds[ARES_GETSOCK_MAXNUM];
  struct timeval most = {.tv_sec = 3600}, step, *wanted = ares_timeout(channel, &most, &step);
  int64_t until = link_clock_us() + (int64_t)wanted->tv_sec * 1000000 + wanted->tv_usec + 1000;
  /* Its own macros shift a one into the sign. */
  unsigned bits = (unsigned)ares_getsock(channel, sockets_now, ARES_GETSOCK_MAXNUM);
  unsigned count = 0;
  for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
    short events =
        (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
    if (events)
      fds[count++] = (struct pollfd){.fd = sockets_now[i], .events = events};
  }
  bool any = link_poll(fds, count, until < deadline_us ? until : deadline_us) == 0;
  if (!any)
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  for (unsigned i = 0; i < count && any; i++)
    ares_process_fd(channel, fds[i].revents & ~POLLOUT ? fds[i].fd : ARES_SOCKET_BAD,
                    fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
}

/* Its state is made anew, so that it reads resolv.conf and hosts as they are: a process may live longer than
 * its network. */
int lookup_host(struct lookup *found, const char *host, int64_t deadline_us)
{
  ares_channel channel;
  struct asked asked = {.found = found, .status = -1};
  struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  *found = (struct lookup){.count = 0};
  if (add_literal(found, host))
    return 0;
  int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status == ARES_SUCCESS)
    status = ares_init(&channel);
  if (status != ARES_SUCCESS)
    return of_status(status);
  if (lookup_servers_for_tests)
    ares_set_servers_ports_csv(channel, lookup_servers_for_tests);
  ares_set_socket_functions(channel, &sockets, NULL);
  ares_getaddrinfo(channel, host, NULL, &hints, take, &asked);
  while (asked.status < 0 && link_clock_us() < deadline_us)
    turn(channel, deadline_us);
  /* What is still asked is told that it was cancelled. Not by ares_destroy() alone, for c-ares before 1.17.2
   * frees an answer twice there if both kinds of address are still asked for. */
  ares_cancel(channel);
  ares_destroy(channel);
  ares_library_cleanup();
  if (asked.status != ARES_SUCCESS)
    found->count = 0;
  return asked.status == ARES_SUCCESS && !found->count ? -EHOSTUNREACH : of_status(asked.status);
}

void lookup_set_port(struct lookup_address *address, uint16_t port)
{
  if (address->any.sa_family == AF_INET6)
    address->v6.sin6_port = htons(port);
  else
    address->v4.sin_port = htons(port);
}
