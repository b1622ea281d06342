/* SPDX-License-Identifier: MIT */
/*
 * kept_alive STEP...
 *
 * Calls a server of its own on one handle, and says of each call, while it is in flight, whether its
 * connection is new and how the kernel keeps it alive. A STEP is
 *
 *   get post            a call; each POST has a body of its own
 *   multi               the calls from here on go by a multi
 *   fresh=N             FRESH_CONNECT
 *   alive=N idle=N interval=N count=N
 *                       TCP_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT
 *   own=N               from here on a SOCKOPTFUNCTION keeps alive with N seconds; or not at all (0)
 *   unix                from here on by a Unix socket
 */
#include "tests/clients/drive.h"
#include "tests/clients/local_server.h"
#include "tests/clients/post.h"

#include <netinet/tcp.h>

static int connection = -1;
static char call_name[16], socket_name[32];
static CURLM *multi; /* NULL: calls go by the easy interface */
static long own;

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)arg;
  (void)purpose;
  connection = socket(address->family, address->socktype, address->protocol);
  return connection;
}

static int on_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
  int seconds = (int)own, on = own != 0;
  (void)arg;
  (void)purpose;
  connection = fd;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  if (on)
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
  return CURL_SOCKOPT_OK;
}

static int option(int level, int name)
{
  int value = -1;
  socklen_t size = sizeof(value);
  return getsockopt(connection, level, name, &value, &size) ? -1 : value;
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  long made = 0;
  (void)data;
  curl_easy_getinfo(arg, CURLINFO_NUM_CONNECTS, &made);
  printf("%s %s: %s idle=%d interval=%d count=%d\n", call_name, made ? "new" : "reused",
         option(SOL_SOCKET, SO_KEEPALIVE) > 0 ? "alive" : "-", option(IPPROTO_TCP, TCP_KEEPIDLE),
         option(IPPROTO_TCP, TCP_KEEPINTVL), option(IPPROTO_TCP, TCP_KEEPCNT));
  return size * count;
}

static CURLcode call(CURL *handle, const char *method)
{
  static int posts;
  char body[32];
  snprintf(body, sizeof(body), "{\"n\":%d}", posts++);
  snprintf(call_name, sizeof(call_name), "%s", method);
  if (strcmp(method, "get") == 0)
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  else
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, body);
  return drive(handle, multi);
}

static CURLcode set(CURL *handle, const char *step)
{
  static const struct {
    const char *name;
    CURLoption option;
  } options[] = {
      {"fresh=", CURLOPT_FRESH_CONNECT},
      {"alive=", CURLOPT_TCP_KEEPALIVE},
      {"idle=", CURLOPT_TCP_KEEPIDLE},
      {"interval=", CURLOPT_TCP_KEEPINTVL},
      {"count=", (CURLoption)(CURLOPTTYPE_LONG + 326)},
  };
  const char *value = strchr(step, '=');
  if (strcmp(step, "multi") == 0)
    multi = multi ? multi : curl_multi_init();
  else if (strcmp(step, "unix") == 0)
    return curl_easy_setopt(handle, CURLOPT_ABSTRACT_UNIX_SOCKET, socket_name);
  else if (strncmp(step, "own=", 4) == 0 && (own = atol(value + 1), true)) {
    /* With both of these functions a call is not ours. */
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, NULL);
    return curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, on_sockopt);
  }
  for (size_t i = 0; value && i < sizeof(options) / sizeof(*options); i++)
    if (strncmp(step, options[i].name, strlen(options[i].name)) == 0)
      return curl_easy_setopt(handle, options[i].option, atol(value + 1));
  return CURLE_OK;
}

int main(int argc, char **argv)
{
  char url[64];
  CURL *handle = curl_easy_init();
  snprintf(socket_name, sizeof(socket_name), "kept_alive.%d", (int)getpid());
  if (!server_start(socket_name) || !handle)
    return 2;
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions", server.port);
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, handle);
  for (int i = 1; i < argc; i++) {
    bool calls = strcmp(argv[i], "get") == 0 || strcmp(argv[i], "post") == 0;
    CURLcode code = calls ? call(handle, argv[i]) : set(handle, argv[i]);
    if (code)
      printf("%s rc=%d\n", argv[i], (int)code);
  }
  curl_easy_cleanup(handle);
  curl_multi_cleanup(multi);
  return 0;
}
