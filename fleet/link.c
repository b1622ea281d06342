/* SPDX-License-Identifier: MIT */
#include "fleet/link.h"

#include "config/kernel.h"
#include "fleet/lookup.h"
#include "fleet/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

int link_fail(struct link *link, int code, const char *what)
{
  char reason[80];
  snprintf(link->error, sizeof(link->error), "%s: %s", what,
           code == -ETIMEDOUT ? "no answer in time" : strerror_r(-code, reason, sizeof(reason)));
  return code;
}

/* A number that is taken for standard output could be written to by anything in the app. */
int link_socket(int family, int type, int protocol)
{
  int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0)
    return -errno;
  if (fd > STDERR_FILENO)
    return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), rc = higher < 0 ? -errno : higher;
  close(fd);
  return rc;
}

/* A signal of the app's does not end a wait, and its handler has run. Who is late itself looks once. */
int link_poll(struct pollfd *fds, unsigned count, int64_t deadline_us)
{
  for (;;) {
    int64_t left = deadline_us - link_clock_us();
    struct timespec time = {0};
    if (left > 0)
      time = (struct timespec){.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
    int ready = ppoll(fds, count, &time, NULL);
    if (ready > 0)
      return 0;
    if (ready < 0 && errno != EINTR)
      return -errno;
    if (left <= 0)
      return -ETIMEDOUT;
  }
}

/* One wait, and what it counts as at most: who sleeps for longer was not let run. */
enum { WAIT_US = 20000, WAIT_MOST_US = 25000 };

static int64_t count_wait(struct link *link)
{
  int64_t now = link_clock_us(), passed = now - link->looked_us;
  int64_t step = passed < WAIT_MOST_US ? passed : WAIT_MOST_US;
  int64_t moved = link->deadline_us + passed - step;
  if (link->until_us)
    link->deadline_us = moved < link->until_us ? moved : link->until_us;
  link->waited_us += step;
  link->looked_us = now;
  return now;
}

int link_wait(struct link *link, short events)
{
  struct pollfd fd = {.fd = link->fd, .events = events};
  for (;;) {
    int64_t now = count_wait(link), until = now + WAIT_US;
    int rc = link_poll(&fd, 1, until < link->deadline_us ? until : link->deadline_us);
    if (rc != -ETIMEDOUT || now >= link->deadline_us)
      return rc;
  }
}

void link_allow(struct link *link, uint64_t ms, int64_t until_us)
{
  link->looked_us = link_clock_us();
  link->deadline_us = link->looked_us + (int64_t)ms * 1000;
  if (link->deadline_us > until_us)
    link->deadline_us = until_us;
  link->until_us = until_us;
  link->waited_us = 0;
}

/* Connecting. */

/* What came of it is an error of the socket: a socket that can be written to may have failed. */
static int finish_connecting(struct link *link)
{
  int code = 0, rc = link_wait(link, POLLOUT);
  socklen_t len = sizeof(code);
  if (rc == 0 && getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
    code = errno;
  return rc < 0 ? rc : -code;
}

/* Of a path: more are waiting to be accepted than the server lets wait, which no poll tells the end of. */
static int wait_in_line(struct link *link)
{
  enum { NAP_US = 2000 };
  int64_t now = count_wait(link);
  if (now >= link->deadline_us)
    return -ETIMEDOUT;
  link_poll(NULL, 0, now + NAP_US);
  return 0;
}

/* A connection that cannot be made leaves no descriptor behind. The file's identity is kept from the
 * beginning, for link_is_whole(). A command is one write, which Nagle's algorithm would hold back behind one
 * that has no reply yet. */
static int connect_to(struct link *link, const struct sockaddr *address, socklen_t len)
{
  const int on = 1;
  struct stat stat;
  int rc = 0;
  link->fd = link_socket(address->sa_family, SOCK_STREAM, 0);
  if (link->fd < 0)
    return link->fd;
  if (address->sa_family != AF_UNIX)
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (idem_fstat(link->fd, &stat) < 0)
    rc = -errno;
  link->device = stat.st_dev;
  link->inode = stat.st_ino;
  bool connected = false;
  while (rc == 0 && !connected) {
    connected = connect(link->fd, address, len) == 0 || errno == EINPROGRESS;
    rc = connected ? finish_connecting(link) : errno == EAGAIN ? wait_in_line(link) : -errno;
  }
  if (rc < 0) {
    close(link->fd);
    link->fd = -1;
  }
  return rc;
}

static int connect_to_path(struct link *link, const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof(address.sun_path))
    return -ENAMETOOLONG;
  memcpy(address.sun_path, path, strlen(path) + 1);
  return connect_to(link, (const struct sockaddr *)&address, sizeof(address));
}

/* Each address has its part of the time that is left: the first may be one that swallows what it gets. */
static int connect_to_host(struct link *link, const struct link_place *place)
{
  struct lookup found;
  int rc = lookup_host(&found, place->host, link->deadline_us);
  int64_t looked_up_us = link_clock_us();
  /* Who has an address has waited for nobody. */
  if (rc < 0)
    link->waited_us = looked_up_us - link->looked_us;
  link->looked_us = looked_up_us;
  for (unsigned i = 0; i < found.count; i++) {
    int64_t now = count_wait(link), left_us = link->deadline_us - now;
    int64_t others_us = left_us - left_us / (found.count - i);
    lookup_set_port(&found.address[i], place->port);
    link->deadline_us -= others_us;
    rc = connect_to(link, &found.address[i].any, found.address[i].len);
    link->deadline_us += others_us;
    if (rc == 0)
      break;
  }
  return rc;
}

int link_open(struct link *link, const struct link_place *place, uint64_t ms, int64_t until_us)
{
  char what[128];
  snprintf(what, sizeof(what), place->port ? "%.100s:%u" : "%.100s", place->host, (unsigned)place->port);
  *link = (struct link){.fd = -1};
  link_allow(link, ms, until_us);
  int rc = reply_begin(&link->reader, place->most);
  if (rc == 0)
    rc = place->port ? connect_to_host(link, place) : connect_to_path(link, place->host);
  if (rc == 0 && place->tls) {
    rc = tls_open(place->tls, link, place->host);
    /* What is wrong with a certificate has been said. */
    if (rc < 0 && link->error[0])
      return rc;
  }
  return rc < 0 ? link_fail(link, rc, what) : 0;
}

/* Writing and reading. */

/* What the socket takes at once, or -EAGAIN with what is to be waited for: TLS may have to read before it can
 * write. */
static ssize_t write_some(struct link *link, const char *data, size_t len, short *events)
{
  *events = POLLOUT;
  if (link->ssl)
    return tls_write(link->ssl, data, len, events);
  ssize_t done = send(link->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
  return done < 0 ? -errno : done;
}

/* As write_some(). An end is -ECONNRESET: a server that closes while a reply is expected has not answered. */
static ssize_t read_some(struct link *link, char *data, size_t len, short *events)
{
  *events = POLLIN;
  if (link->ssl)
    return tls_read(link->ssl, data, len, events);
  ssize_t done = recv(link->fd, data, len, MSG_DONTWAIT);
  return done < 0 ? -errno : done == 0 ? -ECONNRESET : done;
}

/* After a failure a part of it may be with the server, and nothing else can be said on this link. */
static int write_all(struct link *link, const char *data, size_t len)
{
  short events;
  int rc = 0;
  while (len && rc == 0) {
    ssize_t done = write_some(link, data, len, &events);
    if (done == -EAGAIN)
      rc = link_wait(link, events);
    else if (done < 0 && done != -EINTR)
      rc = (int)done;
    data += done > 0 ? done : 0;
    len -= done > 0 ? (size_t)done : 0;
  }
  return rc;
}

struct composed {
  char *bytes;
  size_t len;
};

static int compose(struct composed *command, const struct link_word *words, size_t count)
{
  const char *data[64];
  size_t lens[64];
  *command = (struct composed){NULL, 0};
  if (count > sizeof(data) / sizeof(*data))
    return -EINVAL;
  for (size_t i = 0; i < count; i++) {
    data[i] = words[i].data;
    lens[i] = words[i].len;
  }
  long long len = redisFormatCommandArgv(&command->bytes, (int)count, data, lens);
  if (len < 0)
    return -ENOMEM;
  command->len = (size_t)len;
  return 0;
}

/* It may have a password, which then stands in its first bytes: they are zeroed before the heap, which is the
 * app's, has them again. */
static void forget(struct composed *command)
{
  if (!command->len)
    return;
  explicit_bzero(command->bytes, command->len < 1024 ? command->len : 1024);
  redisFreeCommand(command->bytes);
}

int link_send(struct link *link, const struct link_word *words, size_t count)
{
  struct composed command;
  int rc = compose(&command, words, count);
  if (rc == 0)
    rc = write_all(link, command.bytes, command.len);
  forget(&command);
  link->unread += rc == 0;
  return rc < 0 ? link_fail(link, rc, "write") : 0;
}

int link_send_several(struct link *link, const struct link_command *commands, size_t count)
{
  struct composed each[LINK_COMMANDS] = {{NULL, 0}};
  char *all = NULL;
  size_t len = 0, at = 0;
  int rc = count > LINK_COMMANDS ? -EINVAL : 0;
  for (size_t i = 0; i < count && rc == 0; i++) {
    rc = compose(&each[i], commands[i].words, commands[i].count);
    len += each[i].len;
  }
  if (rc == 0 && !(all = malloc(len)))
    rc = -ENOMEM;
  for (size_t i = 0; i < count && rc == 0; i++) {
    memcpy(all + at, each[i].bytes, each[i].len);
    at += each[i].len;
  }
  if (rc == 0)
    rc = write_all(link, all, len);
  free(all);
  for (size_t i = 0; i < LINK_COMMANDS; i++)
    forget(&each[i]);
  link->unread += rc == 0 ? (unsigned)count : 0;
  return rc < 0 ? link_fail(link, rc, "write") : 0;
}

/* What comes behind a reply stays in the reader for the next. The buffer lies on the stack of one of the
 * app's threads, and is no larger for that. */
int link_read(struct link *link, struct reply **out)
{
  char bytes[16 * 1024];
  short events = POLLIN;
  int rc = reply_next(&link->reader, out);
  /* A server is not so fast that a look before would find its reply. What TLS has read
   * ahead no wait tells of. */
  if (rc == 0 && link->deadline_us && !link->ssl)
    rc = link_wait(link, events);
  while (rc == 0) {
    ssize_t done = read_some(link, bytes, sizeof(bytes), &events);
    if (done == -EAGAIN && !link->deadline_us)
      return -EAGAIN;
    if (done == -EAGAIN)
      rc = link_wait(link, events);
    else if (done < 0 && done != -EINTR)
      rc = (int)done;
    else if (done > 0)
      rc = reply_feed(&link->reader, bytes, (size_t)done);
    if (rc == 0)
      rc = reply_next(&link->reader, out);
  }
  link->unread -= rc > 0 && link->unread;
  return rc < 0 ? link_fail(link, rc, "read") : 0;
}

bool link_is_whole(const struct link *link)
{
  struct stat stat;
  return link->fd >= 0 && idem_fstat(link->fd, &stat) == 0 && stat.st_dev == link->device &&
         stat.st_ino == link->inode;
}

/* Something to read is an end, or a reply to somebody's command that was given up. */
bool link_is_idle(const struct link *link)
{
  struct pollfd fd = {.fd = link->fd, .events = POLLIN};
  return !link->unread && !reply_has_begun(&link->reader) && poll(&fd, 1, 0) == 0;
}

bool link_was_idle(const struct link *link)
{
  enum { LATELY_US = 1000000 };
  bool lately = link_clock_us() - link->looked_us < LATELY_US;
  return lately ? !link->unread && !reply_has_begun(&link->reader) : link_is_idle(link);
}

void link_close(struct link *link)
{
  if (link->ssl)
    tls_close(link->ssl);
  if (link_is_whole(link))
    close(link->fd);
  reply_end(&link->reader);
  link->fd = -1;
  link->ssl = NULL;
}
