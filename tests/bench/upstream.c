/* SPDX-License-Identifier: MIT */
/*
 * bench serve: an upstream that answers at once, so that what is measured is not its own time. It prints its
 * port, and ends when its standard input does. The query says what comes:
 *
 *   size=N      an answer of a chat of N bytes (2048)
 *   wait_ms=N   after so long
 *   stream=N    N events, the last of which is the end, each sent by itself and with the time at which it was
 *   gap_us=N    with so long between two of them
 *
 * Each answer has in "sent" the time of clock_ns() before its first byte went out. A thread for each
 * connection.
 */
#include "tests/bench/bench.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 17 << 20 };

struct connection {
  int fd;
  size_t len;           /* of what has come */
  size_t whole;         /* of the request that is first in it */
  char bytes[64 << 10]; /* a request of the bench, and what came behind it */
  char out[ROOM];
};

/* Reads one request whole, and puts a 0 behind its head. */
static bool receive(struct connection *c)
{
  memmove(c->bytes, c->bytes + c->whole, c->len - c->whole);
  c->len -= c->whole;
  c->whole = 0;
  while (!c->whole || c->len < c->whole) {
    c->bytes[c->len] = '\0';
    char *end = c->len ? strstr(c->bytes, "\r\n\r\n") : NULL;
    if (end && !c->whole) {
      *end = '\0';
      const char *length = strcasestr(c->bytes, "\r\nContent-Length:");
      c->whole = (size_t)(end - c->bytes) + 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
      must(c->whole < sizeof(c->bytes), "a request of that size");
      continue;
    }
    ssize_t more = recv(c->fd, c->bytes + c->len, sizeof(c->bytes) - 1 - c->len, 0);
    if (more <= 0)
      return false;
    c->len += (size_t)more;
  }
  return true;
}

static bool send_all(int fd, const char *data, size_t len)
{
  for (size_t sent = 0; sent < len;) {
    ssize_t more = send(fd, data + sent, len - sent, MSG_NOSIGNAL);
    if (more <= 0)
      return false;
    sent += (size_t)more;
  }
  return true;
}

static unsigned long asked(const char *head, const char *name, unsigned long otherwise)
{
  const char *line_end = strstr(head, " HTTP/"), *at = strstr(head, name);
  return at && at < line_end ? strtoul(at + strlen(name), NULL, 10) : otherwise;
}

static void wait_ns(int64_t ns)
{
  struct timespec time = {ns / 1000000000, ns % 1000000000};
  nanosleep(&time, NULL);
}

static bool send_answer(struct connection *c, unsigned long size)
{
  static const char end[] = "\"}}]}";
  int head = snprintf(c->out, ROOM,
                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=3600\r\n"
                      "Content-Length: %lu\r\n\r\n",
                      size);
  size_t most = ROOM - (size_t)head;
  int len =
      snprintf(c->out + head, most,
               "{\"id\":\"chatcmpl-%lld\",\"sent\":%lld,\"object\":\"chat.completion\",\"model\":\"bench\","
               "\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20},\"choices\":[{\"index\":0,"
               "\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"",
               (long long)clock_ns(), (long long)clock_ns());
  must(size < most && (size_t)len + sizeof(end) <= size, "an answer of that size");
  memset(c->out + head + len, 'x', size - (size_t)len);
  memcpy(c->out + head + size - sizeof(end) + 1, end, sizeof(end) - 1);
  return send_all(c->fd, c->out, (size_t)head + size);
}

static bool send_chunk(struct connection *c, const char *event)
{
  int len = snprintf(c->out, ROOM, "%zx\r\n%s\r\n", strlen(event), event);
  return send_all(c->fd, c->out, (size_t)len);
}

static bool send_stream(struct connection *c, unsigned long events, unsigned long gap_us)
{
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  char event[512];
  bool fine = send_all(c->fd, head, sizeof(head) - 1);
  for (unsigned long i = 1; fine && i < events; i++) {
    bool last = i + 1 == events;
    if (gap_us)
      wait_ns((int64_t)gap_us * 1000);
    snprintf(event, sizeof(event),
             "data: "
             "{\"id\":\"chatcmpl-1\",\"sent\":%lld,\"object\":\"chat.completion.chunk\",\"model\":\"bench\","
             "\"choices\":"
             "[{\"index\":0,\"delta\":{\"content\":\"token\"},\"finish_reason\":%s}]}\n\n",
             (long long)clock_ns(), last ? "\"stop\"" : "null");
    fine = send_chunk(c, event);
  }
  return fine && send_chunk(c, "data: [DONE]\n\n") && send_all(c->fd, "0\r\n\r\n", 5);
}

static void *serve(void *arg)
{
  struct connection *c = arg;
  for (bool fine = true; fine && receive(c);) {
    unsigned long events = asked(c->bytes, "stream=", 0), wait_ms = asked(c->bytes, "wait_ms=", 0);
    if (wait_ms)
      wait_ns((int64_t)wait_ms * 1000000);
    fine = events ? send_stream(c, events, asked(c->bytes, "gap_us=", 0))
                  : send_answer(c, asked(c->bytes, "size=", 2048));
    /* nginx asks for each answer by a connection of its own, in the words of HTTP/1.0. */
    fine &= !strcasestr(c->bytes, "\r\nConnection: close");
  }
  close(c->fd);
  free(c);
  return NULL;
}

static void *accept_all(void *listener)
{
  for (;;) {
    struct connection *c = calloc(1, sizeof(*c));
    pthread_t thread;
    int on = 1;
    must(c != NULL, "calloc");
    c->fd = accept(*(int *)listener, NULL, NULL);
    must(c->fd >= 0, "accept");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    must(pthread_create(&thread, NULL, serve, c) == 0, "a thread");
    pthread_detach(thread);
  }
  return NULL;
}

int bench_serve(char **arguments)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  pthread_t thread;
  char byte;
  (void)arguments;
  must(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 &&
           listen(listener, 1024) == 0 && getsockname(listener, (struct sockaddr *)&address, &size) == 0,
       "listening");
  printf("%u\n", ntohs(address.sin_port));
  fflush(stdout);
  must(pthread_create(&thread, NULL, accept_all, &listener) == 0, "a thread");
  while (read(STDIN_FILENO, &byte, 1) > 0)
    ;
  _exit(0);
}
