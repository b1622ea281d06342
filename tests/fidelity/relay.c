/* SPDX-License-Identifier: MIT */
#include "tests/fidelity/relay.h"

#include "tests/fidelity/fidelity.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static enum relay kind;

static int connect_to(int port)
{
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
    abort();
  return fd;
}

/* One byte at a time, so that nothing of what follows is taken. */
static void read_to(int fd, char *text, size_t size, const char *end)
{
  size_t len = 0;

  text[0] = 0;
  while (len + 1 < size && !strstr(text, end) && read(fd, text + len, 1) == 1)
    text[++len] = 0;
}

/* "CONNECT 127.0.0.1:PORT HTTP/1.1" */
static int open_tunnel(int client)
{
  static const char answer[] = "HTTP/1.1 200 Connected\r\nProxy-Agent: relay\r\n\r\n";
  char request[4096];
  int server;

  read_to(client, request, sizeof request, "\r\n\r\n");
  if (!strchr(request, ':'))
    return -1;
  server = connect_to(atoi(strchr(request, ':') + 1));
  return write(client, answer, sizeof answer - 1) > 0 ? server : -1;
}

/* 4, 1, the port, the address, the user's name and a zero. */
static int open_socks4(int client)
{
  static const char granted[8] = {0, 0x5a};
  unsigned char head[8], user = 1;
  int server;

  if (recv(client, head, sizeof head, MSG_WAITALL) != sizeof head)
    return -1;
  while (user && read(client, &user, 1) == 1)
    continue;
  server = connect_to(head[2] << 8 | head[3]);
  return write(client, granted, sizeof granted) > 0 ? server : -1;
}

static int open_server(int client)
{
  switch (kind) {
  case RELAY_TUNNEL:
    return open_tunnel(client);
  case RELAY_SOCKS4:
    return open_socks4(client);
  case RELAY_PLAIN:
    break;
  }
  return connect_to((int)server_port());
}

/* False at the end. */
static bool pass(int from, int to)
{
  char bytes[16384];
  ssize_t n = read(from, bytes, sizeof bytes);

  return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static void pass_both_ways(int client, int server)
{
  struct pollfd ends[] = {
      {.fd = client, .events = POLLIN},
      {.fd = server, .events = POLLIN},
  };
  bool open = true;

  while (open && poll(ends, 2, -1) > 0)
    open = (!ends[0].revents || pass(client, server)) && (!ends[1].revents || pass(server, client));
}

static void *serve_clients(void *arg)
{
  int listener = (int)(intptr_t)arg, client;

  while ((client = accept(listener, NULL, NULL)) >= 0) {
    int server = open_server(client);
    if (server >= 0)
      pass_both_ways(client, server);
    close(server);
    close(client);
  }
  return NULL;
}

static int listen_on(const struct sockaddr *address, socklen_t len)
{
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, address, len) ||
      listen(fd, 16))
    abort();
  return fd;
}

static int listen_at(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  unlink(path);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  return listen_on((struct sockaddr *)&address, sizeof address);
}

/* A place that is the same each time, for a proxy is a part of where a call goes. */
static int listen_on_loopback(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr = {htonl(INADDR_LOOPBACK + 1)},
                                .sin_port = htons((uint16_t)server_port())};

  return listen_on((struct sockaddr *)&address, sizeof address);
}

int relay_start(enum relay wanted, const char *path)
{
  struct sockaddr_in bound = {.sin_port = 0};
  socklen_t len = sizeof bound;
  int listener = path ? listen_at(path) : listen_on_loopback();
  pthread_t thread;

  kind = wanted;
  if (!path && getsockname(listener, (struct sockaddr *)&bound, &len))
    abort();
  if (pthread_create(&thread, NULL, serve_clients, (void *)(intptr_t)listener))
    abort();
  pthread_detach(thread);
  return ntohs(bound.sin_port);
}
