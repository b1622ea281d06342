/* SPDX-License-Identifier: MIT */
/* A server that needs no thread: one poll() over the listener, every connection and whatever the
 * caller waits for. It answers as an LLM does, since what is to be proven is that such an answer
 * is stored. */
#include "cli/doctor/prove_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A program may open many connections before the first is served. */
enum { BACKLOG = 128 };

/* ---- start and end ---- */

/* The kernel chooses the port, so that two doctors can work at once. */
static int listen_on_loopback(int *port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0 &&
      getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
    *port = ntohs(address.sin_port);
    return fd;
  }
  if (fd >= 0)
    close(fd);
  return -1;
}

/* The port is known when it returns, before the program is started. */
struct doctor_server *doctor_server_new(void)
{
  struct doctor_server *server = calloc(1, sizeof(*server));
  if (!server)
    return NULL;
  for (size_t i = 0; i < DOCTOR_MOST_CONNECTIONS; i++)
    server->connections[i].fd = -1;
  server->listener = listen_on_loopback(&server->port);
  if (server->listener >= 0)
    return server;
  free(server);
  return NULL;
}

/* The place is free for the next connection. */
static void end(struct doctor_connection *connection)
{
  if (connection->fd >= 0)
    close(connection->fd);
  *connection = (struct doctor_connection){.fd = -1};
}

/* Connections that are open are cut: the program has ended by then. */
void doctor_server_free(struct doctor_server *server)
{
  if (!server)
    return;
  for (size_t i = 0; i < DOCTOR_MOST_CONNECTIONS; i++)
    end(&server->connections[i]);
  close(server->listener);
  free(server);
}

/* ---- one exchange ---- */

/* A few hundred bytes fit into any socket's buffer; a client that does not read them has itself
 * to blame. */
static bool send_all(int fd, const char *text, size_t len)
{
  return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* As an LLM answers a chat: with tokens that cost something. */
static void answer(const struct doctor_server *server, int fd)
{
  char body[512], head[256];
  int body_len = snprintf(body, sizeof(body),
                          "{\"id\":\"doctor-%d-%ld\",\"object\":\"chat.completion\",\"model\":\"doctor\","
                          "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
                          "\"This is answer %ld.\"},\"finish_reason\":\"stop\"}],"
                          "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":4,\"total_tokens\":5}}\n",
                          server->port, server->requests, server->requests);
  int head_len = snprintf(head, sizeof(head),
                          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                          "Connection: close\r\n\r\n",
                          body_len);
  if (send_all(fd, head, (size_t)head_len))
    send_all(fd, body, (size_t)body_len);
}

/* What has come, and the answer if it is a whole request. A connection is for one request. */
static void serve(struct doctor_server *server, struct doctor_connection *connection)
{
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  char block[16384];
  ssize_t n = recv(connection->fd, block, sizeof(block), 0);
  enum doctor_request_state state =
      n > 0 ? doctor_request_feed(&connection->request, block, (size_t)n) : DOCTOR_REQUEST_BAD;
  if (n > 0 && doctor_request_wants_word(&connection->request))
    send_all(connection->fd, go_on, sizeof(go_on) - 1);
  if (state == DOCTOR_REQUEST_WHOLE) {
    server->requests++;
    snprintf(server->method, sizeof(server->method), "%s", connection->request.method);
    answer(server, connection->fd);
  }
  if (state != DOCTOR_REQUEST_PART)
    end(connection);
}

/* ---- all of them ---- */

/* NULL if all are in use: the listener is not polled then, and the kernel keeps who waits. */
static struct doctor_connection *free_connection(struct doctor_server *server)
{
  for (size_t i = 0; i < DOCTOR_MOST_CONNECTIONS; i++)
    if (server->connections[i].fd < 0)
      return &server->connections[i];
  return NULL;
}

/* A connection that is gone by now leaves its place free. */
static void take(struct doctor_server *server)
{
  struct doctor_connection *connection = free_connection(server);
  if (connection)
    connection->fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
}

/* poll() passes over negative descriptors: free places, and the listener while there is none. */
bool doctor_server_step(struct doctor_server *server, int fd, int timeout_ms)
{
  struct pollfd wait[DOCTOR_MOST_CONNECTIONS + 2];
  wait[0] = (struct pollfd){.fd = fd, .events = POLLIN};
  wait[1] = (struct pollfd){.fd = free_connection(server) ? server->listener : -1, .events = POLLIN};
  for (size_t i = 0; i < DOCTOR_MOST_CONNECTIONS; i++)
    wait[i + 2] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
  if (poll(wait, DOCTOR_MOST_CONNECTIONS + 2, timeout_ms) <= 0)
    return false;
  for (size_t i = 0; i < DOCTOR_MOST_CONNECTIONS; i++)
    if (wait[i + 2].revents)
      serve(server, &server->connections[i]);
  if (wait[1].revents)
    take(server);
  return wait[0].revents;
}
