/* SPDX-License-Identifier: MIT */
/*
 * A thread for each connection, so that a request can be read as it stands: by lines, and by lengths (RFC
 * 9112). Nothing of it is kept but its method. The answer is what an LLM gives, since what is to be proven is
 * that such an answer is stored. Nothing is ended: the process that has asked for the proof ends soon enough.
 */
#include "cli/doctor/prove.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A program may open many connections before the first is served. */
enum { BACKLOG = 128 };

/* What has arrived so far; under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long requests;
static char last_method[DOCTOR_METHOD_SIZE];

/* A request that is being read. */
struct request {
  FILE *in;
  char *line;
  size_t room;
  char method[DOCTOR_METHOD_SIZE];
  uint64_t length;
  bool chunked, expects;
};

/* The next line without its end, which may be LF alone. */
static bool next_line(struct request *request)
{
  if (getline(&request->line, &request->room, request->in) < 0)
    return false;
  request->line[strcspn(request->line, "\r\n")] = '\0';
  return true;
}

/* The value behind "Name:"; NULL for another header. */
static const char *value_of(const char *line, const char *name)
{
  size_t len = strlen(name);
  return strncasecmp(line, name, len) == 0 && line[len] == ':' ? line + len + 1 : NULL;
}

/* Three headers decide where the body ends, and whether the client waits for a word before it. */
static bool read_head(struct request *request)
{
  do /* RFC 9112, 2.2: empty lines before a request are passed over */
    if (!next_line(request))
      return false;
  while (!*request->line);
  snprintf(request->method, sizeof(request->method), "%.*s", (int)strcspn(request->line, " "), request->line);
  /* A TLS handshake, or HTTP/2 without an upgrade: it is no request that could be answered. */
  if (!strstr(request->line, " HTTP/1."))
    return false;
  while (next_line(request)) {
    const char *length = value_of(request->line, "Content-Length");
    const char *coding = value_of(request->line, "Transfer-Encoding");
    const char *expect = value_of(request->line, "Expect");
    if (!*request->line)
      return true;
    request->length = length ? strtoull(length, NULL, 10) : request->length;
    /* Where both are there, chunks count (RFC 9112, 6.3). */
    request->chunked |= coding && strcasestr(coding, "chunked");
    request->expects |= expect && strcasestr(expect, "100-continue");
  }
  return false;
}

/* Passes over bytes of the body; false if it breaks off. */
static bool skip(struct request *request, uint64_t len)
{
  while (len && getc(request->in) != EOF)
    len--;
  return !len;
}

/* Chunks have their size on a line before them and an empty one behind; trailers end as a head does. A
 * request without a length has no body (RFC 9112, 6.3). */
static bool read_body(struct request *request)
{
  if (!request->chunked)
    return skip(request, request->length);
  for (uint64_t len = 1; len;) {
    char *end;
    if (!next_line(request))
      return false;
    len = strtoull(request->line, &end, 16);
    if (end == request->line || !skip(request, len) || (len && !next_line(request)))
      return false;
  }
  while (next_line(request))
    if (!*request->line)
      return true;
  return false;
}

/* A few hundred bytes fit into any socket's buffer; a client that does not read them has itself to blame. */
static __attribute__((format(printf, 2, 3))) void say(int fd, const char *format, ...)
{
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  send(fd, text, (size_t)len, MSG_NOSIGNAL);
}

/* As an LLM answers a chat: with tokens that cost something. Each answer has a number, so that two that are
 * equal are one; the connection ends with it, so that no thread waits for a request that does not come. */
static void answer(int fd, long number)
{
  char body[512];
  int len = snprintf(body, sizeof(body),
                     "{\"id\":\"doctor-%d-%ld\",\"object\":\"chat.completion\",\"model\":\"doctor\","
                     "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
                     "\"This is answer %ld.\"},\"finish_reason\":\"stop\"}],"
                     "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":4,\"total_tokens\":5}}\n",
                     (int)getpid(), number, number);
  say(fd,
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
      "Connection: close\r\n\r\n%s",
      len, body);
}

/* One request, which is counted before it is answered: whoever has the answer was counted. */
static void *serve(void *arg)
{
  int fd = (int)(intptr_t)arg;
  struct request request = {.in = fdopen(fd, "r")};
  if (request.in)
    __fsetlocking(request.in,
                  FSETLOCKING_BYCALLER); /* exit() would wait for the lock of one that waits for bytes */
  bool whole = request.in && read_head(&request);
  if (whole && request.expects && (request.chunked || request.length))
    say(fd,
        "HTTP/1.1 100 Continue\r\n\r\n"); /* libcurl waits a second for it before it sends a body without */
  if (whole && read_body(&request)) {
    pthread_mutex_lock(&lock);
    long number = ++requests;
    memcpy(last_method, request.method, sizeof(last_method));
    pthread_mutex_unlock(&lock);
    answer(fd, number);
  }
  free(request.line);
  if (request.in)
    fclose(request.in);
  else
    close(fd);
  return NULL;
}

/* For as long as the process lives. A connection for which no thread can be made is closed at once. */
static void *accept_all(void *arg)
{
  pthread_t thread;
  /* Closed when the command is started: a child that had it would keep a client waiting for the end. */
  for (int fd; (fd = accept4((int)(intptr_t)arg, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
      pthread_detach(thread);
    else
      close(fd);
  return NULL;
}

/* The kernel chooses the port, so that two doctors can work at once. */
int doctor_server_start(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  pthread_t thread;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0 &&
      getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
      pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)fd) == 0) {
    pthread_detach(thread);
    return ntohs(address.sin_port);
  }
  if (fd >= 0)
    close(fd);
  return -1;
}

long doctor_server_requests(char method[DOCTOR_METHOD_SIZE])
{
  pthread_mutex_lock(&lock);
  long seen = requests;
  memcpy(method, last_method, sizeof(last_method));
  pthread_mutex_unlock(&lock);
  return seen;
}
