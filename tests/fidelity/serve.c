/* SPDX-License-Identifier: MIT */
/* The mock, over a socket of our own: libcurl is what is looked at. */
#include "tests/fidelity/serve.h"

#include "tests/fidelity/fidelity.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { URLS = 8 };

static const char *http, *https;

static _Noreturn void give_up(const char *what)
{
  fprintf(stderr, "fidelity: %s\n", what);
  exit(2);
}

void serve_from(const char *http_url, const char *https_url)
{
  http = http_url;
  https = https_url;
}

const char *base_url(void)
{
  return http;
}

const char *base_tls_url(void)
{
  return https ? https : "https://127.0.0.1:1";
}

const char *server_address(void)
{
  return http + strlen("http://");
}

long server_port(void)
{
  return atol(strrchr(http, ':') + 1);
}

static const char *url_of(const char *base, const char *name)
{
  static char urls[URLS][512];
  static unsigned next;
  char *url = urls[next++ % URLS];

  snprintf(url, sizeof urls[0], "%s/wire/%s", base, name);
  return url;
}

const char *wire_url(const char *name)
{
  return url_of(base_url(), name);
}

const char *wire_tls_url(const char *name)
{
  return url_of(base_tls_url(), name);
}

static int connect_to_mock(void)
{
  struct sockaddr_in mock = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server_port()),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || connect(fd, (struct sockaddr *)&mock, sizeof mock))
    give_up("the mock does not answer");
  return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
  ssize_t sent;

  for (; len; bytes += sent, len -= (size_t)sent)
    if ((sent = send(fd, bytes, len, MSG_NOSIGNAL)) <= 0)
      give_up("the mock does not listen");
}

/* HTTP/1.0: the answer ends with the connection. */
static void lay(const char *name, const char *text, size_t len, bool exact)
{
  char head[256], answer[512];
  size_t got = 0;
  ssize_t n;
  int fd = connect_to_mock();

  snprintf(head, sizeof head, "POST /_mock/wire/%s%s HTTP/1.0\r\nHost: mock\r\nContent-Length: %zu\r\n\r\n",
           name, exact ? "?exact=1" : "", len);
  send_all(fd, head, strlen(head));
  send_all(fd, text, len);
  while (got < sizeof answer - 1 && (n = read(fd, answer + got, sizeof answer - 1 - got)) > 0)
    got += (size_t)n;
  close(fd);
  answer[got] = 0;
  if (!strstr(answer, " 200 "))
    give_up("the mock did not take a response");
}

void serve(const char *name, const char *text)
{
  lay(name, text, strlen(text), false);
}

void serve_bytes(const char *name, const char *text, size_t len)
{
  lay(name, text, len, true);
}

void serve_filler(const char *name, const char *head, size_t len)
{
  char length[64];
  size_t head_len = strlen(head), length_len;
  char *text;

  length_len = (size_t)snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", len);
  text = malloc(head_len + length_len + len);
  if (!text)
    give_up("no memory");
  memcpy(text, head, head_len);
  memcpy(text + head_len, length, length_len);
  for (size_t i = 0; i < len; i++)
    text[head_len + length_len + i] = (char)('a' + i * 7 % 26);
  serve_bytes(name, text, head_len + length_len + len);
  free(text);
}
