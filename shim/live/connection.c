/* SPDX-License-Identifier: MIT */
#include "shim/live/connection.h"

#include "shim/base/fd_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct address {
  const char *ip;
  long port;
};

struct ends {
  struct address local, remote;
};

/* The last descriptor that was seen with a local port of this remainder. It is asked again before it is
 * believed. Threads write here without a lock, for what they find wrong costs them a search. */
#define PORTS 1024
static _Atomic int seen[PORTS];

struct search {
  struct ends ends;
  struct transfer_sockets *found;
  bool reset; /* looks for one that its peer has reset, and that has none any more */
};

static struct ends ends_of(const struct shadow *shadow)
{
  struct ends ends = {{"", 0}, {"", 0}};
  const struct libcurl *real = shadow->lib;
  real->easy_getinfo(shadow->handle, CURLINFO_LOCAL_IP, &ends.local.ip);
  real->easy_getinfo(shadow->handle, CURLINFO_LOCAL_PORT, &ends.local.port);
  real->easy_getinfo(shadow->handle, CURLINFO_PRIMARY_IP, &ends.remote.ip);
  return ends;
}

static bool is_address(const struct sockaddr_storage *at, const struct address *address)
{
  char text[INET6_ADDRSTRLEN] = "";
  const struct sockaddr_in *four = (const struct sockaddr_in *)at;
  const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)at;
  bool is_six = at->ss_family == AF_INET6;
  if (!is_six && at->ss_family != AF_INET)
    return false;
  if (address->port && ntohs(is_six ? six->sin6_port : four->sin_port) != address->port)
    return false;
  inet_ntop(at->ss_family, is_six ? (const void *)&six->sin6_addr : (const void *)&four->sin_addr, text,
            sizeof(text));
  return strcmp(text, address->ip) == 0;
}

static void remember(int fd, const struct sockaddr_storage *local)
{
  /* The port is at the same place in both families. */
  if (local->ss_family == AF_INET || local->ss_family == AF_INET6)
    seen[ntohs(((const struct sockaddr_in *)local)->sin_port) % PORTS] = fd;
}

static void visit(void *arg, int fd)
{
  const struct search *search = arg;
  struct sockaddr_storage local = {0}, remote = {0};
  socklen_t size = sizeof(local), remote_size = sizeof(remote);
  if (getsockname(fd, (struct sockaddr *)&local, &size) < 0)
    return;
  remember(fd, &local);
  if (search->found->count == CONNECTION_SOCKETS || !is_address(&local, &search->ends.local))
    return;
  bool has_peer = getpeername(fd, (struct sockaddr *)&remote, &remote_size) == 0;
  if (has_peer ? !search->reset && is_address(&remote, &search->ends.remote)
               : search->reset && errno == ENOTCONN)
    search->found->fd[search->found->count++] = fd;
}

/* The answer may have come whole before a reset. */
void connection_find(const struct shadow *shadow, struct transfer_sockets *sockets)
{
  struct search search = {ends_of(shadow), sockets, false};
  unsigned before = sockets->count;
  if (search.ends.local.port <= 0 || !search.ends.local.ip || !search.ends.remote.ip)
    return;
  fd_each(visit, &search);
  search.reset = true;
  if (sockets->count == before)
    fd_each(visit, &search);
}

static bool is_between(const struct ends *ends, int fd)
{
  struct transfer_sockets sockets = {.count = 0};
  struct search search = {*ends, &sockets, false};
  if (ends->local.port > 0 && ends->local.ip && ends->remote.ip)
    visit(&search, fd);
  return sockets.count;
}

bool connection_is(const struct shadow *shadow, int fd)
{
  const struct ends ends = ends_of(shadow);
  return is_between(&ends, fd);
}

int connection_socket(const struct shadow *shadow)
{
  const struct ends ends = ends_of(shadow);
  int fd = ends.local.port > 0 ? seen[ends.local.port % PORTS] : -1;
  if (is_between(&ends, fd))
    return fd;
  struct transfer_sockets sockets = {.count = 0};
  connection_find(shadow, &sockets);
  return sockets.count ? sockets.fd[0] : -1;
}
