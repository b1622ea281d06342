/* SPDX-License-Identifier: MIT */
/*
 * local_server: an HTTP server in a thread of the client, which keeps the bytes of the last request.
 *
 *     server_start("name");                      // 127.0.0.1:server.port, and the abstract socket @name
 *     ... calls ...
 *     puts(server.request);                      // once the call has ended
 */
#ifndef CLIENT_LOCAL_SERVER_H
#define CLIENT_LOCAL_SERVER_H

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
  int tcp, local, port;
  bool redirects;        /* the next request, elsewhere */
  unsigned connections;  /* so far */
  unsigned connection;   /* of the last request */
  unsigned requests;     /* so far */
  const char *header;    /* of the next answer besides the usual ones, with its CRLF; NULL: none */
  char request[1 << 16]; /* the last one */
} server;

static inline bool server_receive(int fd, char *into, size_t room)
{
  size_t len = 0, whole = 0;

  while (len + 1 < room && (!whole || len < whole)) {
    ssize_t count = recv(fd, into + len, room - len - 1, 0);
    if (count <= 0)
      return false;
    into[len += (size_t)count] = 0;
    const char *end = strstr(into, "\r\n\r\n"), *length = strcasestr(into, "\r\nContent-Length:");
    if (end)
      whole = (size_t)(end - into) + 4 + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
  }
  return true;
}

static inline void server_answer(int fd, const char *request)
{
  static const char body[] = "{\"answer\":42}";
  char text[512];
  const char *status = server.redirects                        ? "307 Temporary Redirect\r\nLocation: /there"
                       : strcasestr(request, "\r\nRange: byt") ? "206 Partial\r\nContent-Range: bytes 2-14/15"
                                                               : "200 OK";
  int len = snprintf(
      text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
      status, server.header ? server.header : "", sizeof body - 1, strncmp(request, "HEAD", 4) ? body : "");

  server.redirects = false;
  server.header = NULL;
  if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
    close(fd);
}

static inline void *server_serve(void *arg)
{
  int fd = (int)(intptr_t)arg;
  unsigned connection = __atomic_add_fetch(&server.connections, 1, __ATOMIC_SEQ_CST);
  static __thread char request[sizeof server.request];

  while (server_receive(fd, request, sizeof request)) {
    memcpy(server.request, request, sizeof request);
    server.connection = connection;
    server.requests++;
    server_answer(fd, request);
  }
  close(fd);
  return NULL;
}

static inline void *server_accept(void *unused)
{
  struct pollfd listeners[] = {{.fd = server.tcp, .events = POLLIN}, {.fd = server.local, .events = POLLIN}};
  pthread_t thread;

  while (poll(listeners, 2, -1) > 0)
    for (int i = 0; i < 2; i++)
      if (listeners[i].revents) {
        int fd = accept(listeners[i].fd, NULL, NULL);
        if (fd >= 0 && !pthread_create(&thread, NULL, server_serve, (void *)(intptr_t)fd))
          pthread_detach(thread);
      }
  return unused;
}

static inline bool server_start(const char *name)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_un local = {.sun_family = AF_UNIX};
  socklen_t size = sizeof address;
  pthread_t thread;

  snprintf(local.sun_path + 1, sizeof local.sun_path - 1, "%s", name);
  server.tcp = socket(AF_INET, SOCK_STREAM, 0);
  server.local = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(server.tcp, (struct sockaddr *)&address, size) || listen(server.tcp, 64) ||
      getsockname(server.tcp, (struct sockaddr *)&address, &size) ||
      bind(server.local, (struct sockaddr *)&local,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) ||
      listen(server.local, 64))
    return false;
  server.port = ntohs(address.sin_port);
  return pthread_create(&thread, NULL, server_accept, NULL) == 0;
}

#endif
