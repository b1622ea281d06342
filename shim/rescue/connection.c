/* SPDX-License-Identifier: MIT */
#include "shim/rescue/connection.h"

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

static bool is_local(const struct search *search, int fd)
{
  struct sockaddr_storage local = {0};
  socklen_t size = sizeof(local);
  return getsockname(fd, (struct sockaddr *)&local, &size) == 0 && is_address(&local, &search->ends.local);
}

static bool is_remote(const struct search *search, int fd)
{
  struct sockaddr_storage remote = {0};
  socklen_t size = sizeof(remote);
  if (getpeername(fd, (struct sockaddr *)&remote, &size) < 0)
    return search->reset && errno == ENOTCONN;
  return !search->reset && is_address(&remote, &search->ends.remote);
}

static void visit(void *arg, int fd)
{
  const struct search *search = arg;
  if (search->found->count < HANDOFF_SOCKETS && is_local(search, fd) && is_remote(search, fd))
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

/* An HTTP/1 transfer that is known as such is over, or it has its connection for itself. */
bool connection_is_shared(const struct shadow *shadow, const struct shadow *other)
{
  long version = 0;
  struct ends mine = ends_of(shadow), theirs = ends_of(other);
  other->lib->easy_getinfo(other->handle, CURLINFO_HTTP_VERSION, &version);
  return mine.local.port == theirs.local.port &&
         (version == CURL_HTTP_VERSION_NONE || version >= CURL_HTTP_VERSION_2_0);
}
