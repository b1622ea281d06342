/* SPDX-License-Identifier: MIT */
/* What an app would write itself: SHA-256 of the request, and a GET of that from a Redis. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "tests/bench/bench.h"
#include "tests/bench/calls.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct redis {
  int fd;
  size_t answer_size;
  char request[REQUEST_SIZE + 1];
  char *answer; /* with the line before it and the end behind it */
};

static size_t put_key(const struct redis *redis, char *out)
{
  unsigned char digest[32];
  SHA256_CTX sha;
  SHA256_Init(&sha);
  SHA256_Update(&sha, redis->request, REQUEST_SIZE);
  SHA256_Final(digest, &sha);
  memcpy(out, "$32\r\n", 5);
  memcpy(out + 5, digest, 32);
  memcpy(out + 37, "\r\n", 2);
  return 39;
}

static void exchange(struct redis *redis, const char *command, size_t len, size_t answer)
{
  must(send(redis->fd, command, len, 0) == (ssize_t)len, "a command to Redis");
  for (size_t got = 0; got < answer;) {
    ssize_t more = recv(redis->fd, redis->answer + got, answer - got, 0);
    must(more > 0, "an answer of Redis");
    got += (size_t)more;
  }
}

/* A path, or a port of this machine, whose messages leave at once as those of every client of Redis do. */
static int connected(const char *place)
{
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct sockaddr_in port = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(place, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bool local = strchr(place, '/');
  int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(path.sun_path, sizeof(path.sun_path), "%s", place);
  must(connect(fd, local ? (struct sockaddr *)&path : (struct sockaddr *)&port,
               local ? sizeof(path) : sizeof(port)) == 0,
       "connecting to Redis");
  if (!local)
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return fd;
}

struct redis *redis_open(const char *place, size_t answer_size)
{
  struct redis *redis = calloc(1, sizeof(*redis));
  char *set = calloc(1, answer_size + 128);
  must(redis && set, "calloc");
  redis->answer_size = answer_size;
  redis->answer = malloc(answer_size + 64);
  request_make(redis->request, CALLS_COMMON);
  redis->fd = connected(place);
  size_t len = (size_t)sprintf(set, "*3\r\n$3\r\nSET\r\n");
  len += put_key(redis, set + len);
  len += (size_t)sprintf(set + len, "$%zu\r\n", answer_size);
  memset(set + len, 'x', answer_size);
  memcpy(set + len + answer_size, "\r\n", 2);
  exchange(redis, set, len + answer_size + 2, strlen("+OK\r\n"));
  free(set);
  return redis;
}

void redis_run(void *data, unsigned count)
{
  struct redis *redis = data;
  char command[128] = "*2\r\n$3\r\nGET\r\n", line[32];
  size_t head = strlen(command), before = (size_t)sprintf(line, "$%zu\r\n", redis->answer_size);
  for (unsigned i = 0; i < count; i++)
    exchange(redis, command, head + put_key(redis, command + head), before + redis->answer_size + 2);
}

/* get SOCKET|PORT: that GET, and the digest before it. */
int bench_get(char **arguments)
{
  struct subject row = {"get", redis_run, redis_open(arguments[0], 2048), 500, 0};
  measure(&row, 1);
  print_subjects(&row, 1);
  return 0;
}
