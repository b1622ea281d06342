/* SPDX-License-Identifier: MIT */
/*
 * own_resends easy|multi|proxy URL COUNT   COUNT different POSTs, one after the other on one handle; proxy:
 *                                          by way of a proxy of its own, which is asked to CONNECT
 * own_resends refused|goaway [multi]       one POST by HTTP/2 to a server of its own, which does so to the
 *                                          first
 *
 * A line for each call. libcurl repeats by itself what fails on a connection that it has reused, and what an
 * HTTP/2 server says that it has not processed.
 */
#include "tests/clients/drive.h"
#include "tests/clients/post.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static int listen_on_loopback(char *url, size_t size)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, 8) || getsockname(fd, (struct sockaddr *)&at, &len))
    return -1;
  snprintf(url, size, "http://127.0.0.1:%d", ntohs(at.sin_port));
  return fd;
}

/* Passes bytes on until one side ends, and ends the other in the same way. */
static void relay(int client, int upstream)
{
  static const struct linger now = {.l_onoff = 1};
  struct pollfd side[2] = {{.fd = client, .events = POLLIN}, {.fd = upstream, .events = POLLIN}};
  char bytes[16384];
  ssize_t len = 1;
  while (len > 0 && poll(side, 2, -1) > 0)
    for (int i = 0; i < 2 && len > 0; i++)
      if (side[i].revents && (len = recv(side[i].fd, bytes, sizeof(bytes), 0)) > 0)
        len = send(side[!i].fd, bytes, (size_t)len, MSG_NOSIGNAL);
  if (len < 0)
    setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(client);
  close(upstream);
}

static void *be_proxy(void *arg)
{
  static const char answer[] = "HTTP/1.1 200 Connection established\r\n\r\n";
  int proxy = *(int *)arg, port;
  for (;;) {
    char head[4096] = "";
    size_t len = 0;
    int client = accept(proxy, NULL, NULL), upstream = socket(AF_INET, SOCK_STREAM, 0);
    while (len + 1 < sizeof(head) && !strstr(head, "\r\n\r\n") && recv(client, head + len, 1, 0) == 1)
      head[++len] = '\0';
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (sscanf(head, "CONNECT 127.0.0.1:%d ", &port) != 1)
      return NULL;
    at.sin_port = htons((uint16_t)port);
    if (connect(upstream, (struct sockaddr *)&at, sizeof(at)) ||
        send(client, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
      return NULL;
    relay(client, upstream);
  }
}

/* A proxy for one client at a time. */
static void go_by_proxy(CURL *handle)
{
  static int proxy;
  static char url[64];
  pthread_t thread;
  proxy = listen_on_loopback(url, sizeof(url));
  if (pthread_create(&thread, NULL, be_proxy, &proxy))
    return;
  curl_easy_setopt(handle, CURLOPT_PROXY, url);
  curl_easy_setopt(handle, CURLOPT_HTTPPROXYTUNNEL, 1L);
}

static int one_after_the_other(const char *way, const char *url, int count)
{
  char body[64] = "", error[CURL_ERROR_SIZE];
  struct reply reply = {0};
  CURL *handle = post_new(url, body, &reply);
  if (!handle)
    return 2;
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
  CURLM *multi = strcmp(way, "multi") == 0 ? curl_multi_init() : NULL;
  if (strcmp(way, "proxy") == 0)
    go_by_proxy(handle);
  for (int i = 0; i < count; i++) {
    snprintf(body, sizeof(body), "{\"n\":%d}", i);
    *error = '\0';
    reply.len = 0;
    CURLcode code = drive(handle, multi);
    printf("call %d rc=%d %s\n", i, (int)code, code ? error : "");
  }
  curl_easy_cleanup(handle);
  curl_multi_cleanup(multi);
  free(reply.bytes);
  return 0;
}

/* HTTP/2, as far as it is needed. */

enum { DATA, HEADERS, RESET = 3, SETTINGS, GOAWAY = 7, END_STREAM = 1, END_HEADERS = 4, REFUSED = 7 };

static int listener;
static const char *refusal;

static void send_frame(int fd, int type, int flags, int stream, const void *payload, size_t len)
{
  unsigned char frame[64] = {0, 0, (unsigned char)len,   (unsigned char)type, (unsigned char)flags, 0,
                             0, 0, (unsigned char)stream};
  memcpy(frame + 9, payload, len);
  if (send(fd, frame, 9 + len, MSG_NOSIGNAL) < 0)
    perror("send");
}

/* Reads on to the end of a request on the stream 1. False: the connection is over. */
static bool receive_request(int fd)
{
  unsigned char head[9], payload[16384];
  for (;;) {
    if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
      return false;
    size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    if (len > sizeof(payload) || (len && recv(fd, payload, len, MSG_WAITALL) != (ssize_t)len))
      return false;
    if (head[3] <= HEADERS && head[4] & END_STREAM)
      return true;
  }
}

static void *serve(void *unused)
{
  static const unsigned char refused[] = {0, 0, 0, REFUSED}, nothing_done[8] = {0}, status_200[] = {0x88};
  unsigned char preface[24];
  for (int i = 0;; i++) {
    int fd = accept(listener, NULL, NULL);
    if (recv(fd, preface, sizeof(preface), MSG_WAITALL) != sizeof(preface))
      break;
    send_frame(fd, SETTINGS, 0, 0, "", 0);
    while (receive_request(fd))
      if (i == 0 && strcmp(refusal, "goaway") == 0) {
        send_frame(fd, GOAWAY, 0, 0, nothing_done, sizeof(nothing_done));
      } else if (i == 0) {
        send_frame(fd, RESET, 0, 1, refused, sizeof(refused));
      } else {
        send_frame(fd, HEADERS, END_HEADERS, 1, status_200, sizeof(status_200));
        send_frame(fd, DATA, END_STREAM, 1, "{\"a\":1}", 7);
      }
    close(fd);
  }
  return unused;
}

static int over_http2(const char *way, CURLM *multi)
{
  pthread_t thread;
  char url[64];
  struct reply reply = {0};
  refusal = way;
  listener = listen_on_loopback(url, sizeof(url));
  if (pthread_create(&thread, NULL, serve, NULL))
    return 2;
  strcat(url, "/v1/chat/completions");
  CURL *handle = post_new(url, "{\"n\":0}", &reply);
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
  reply_print(way, handle, drive(handle, multi), &reply);
  curl_easy_cleanup(handle);
  curl_multi_cleanup(multi);
  free(reply.bytes);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc == 4)
    return one_after_the_other(argv[1], argv[2], atoi(argv[3]));
  return argc == 2 || argc == 3 ? over_http2(argv[1], argc == 3 ? curl_multi_init() : NULL) : 2;
}
