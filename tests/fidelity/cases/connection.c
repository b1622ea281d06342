/* SPDX-License-Identifier: MIT */
/* Options and callbacks of the connection, which a replay does not make. */
#include "tests/fidelity/fidelity.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve_hello(void)
{
  serve("hello", OK HELLO);
}

static curl_socket_t open_socket(void *watch, curlsocktype purpose, struct curl_sockaddr *address)
{
  struct watch *w = watch;

  (void)purpose;
  say(w->out, "~ open");
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int close_socket(void *watch, curl_socket_t fd)
{
  struct watch *w = watch;

  say(w->out, "~ close");
  return close(fd);
}

static int prepare_socket(void *watch, curl_socket_t fd, curlsocktype purpose)
{
  struct watch *w = watch;

  (void)fd;
  (void)purpose;
  say(w->out, "~ prepare");
  return CURL_SOCKOPT_OK;
}

static void own_sockets(struct watch *w)
{
  set(w, OPENSOCKETFUNCTION, open_socket);
  set(w, OPENSOCKETDATA, w);
  set(w, SOCKOPTFUNCTION, prepare_socket);
  set(w, SOCKOPTDATA, w);
  set(w, CLOSESOCKETFUNCTION, close_socket);
  set(w, CLOSESOCKETDATA, w);
}

void connection_of_own_sockets(void)
{
  serve_hello();
  perform_and_ask("hello", own_sockets);
}

static int before_the_request(void *watch, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
  static const CURLINFO connection[] = {
      CURLINFO_PRIMARY_IP, CURLINFO_PRIMARY_PORT, CURLINFO_LOCAL_IP,         CURLINFO_SCHEME,
      CURLINFO_PROTOCOL,   CURLINFO_NUM_CONNECTS, CURLINFO_SSL_VERIFYRESULT, CURLINFO_RESPONSE_CODE};
  struct watch *w = watch;

  say(w->out, "request %s %s %d %d", primary_ip, local_ip, primary_port > 0, local_port > 0);
  for (size_t i = 0; i < sizeof connection / sizeof *connection; i++)
    say_info(w, connection[i]);
  return CURL_PREREQFUNC_OK;
}

static void ask_before_request(struct watch *w)
{
  set(w, PREREQFUNCTION, before_the_request);
  set(w, PREREQDATA, w);
}

void connection_told_before_the_request(void)
{
  serve_hello();
  perform_and_ask("hello", ask_before_request);
}

static const char *proxy_of_all(void)
{
  static char proxy[64];

  snprintf(proxy, sizeof proxy, "http://%s", server_address());
  return proxy;
}

static void fetch_ftp(struct watch *w)
{
  set(w, POSTFIELDS, NULL);
  set(w, HTTPGET, 1L);
  set(w, PROXY, proxy_of_all());
  set(w, URL, "ftp://127.0.0.1/wire/hello");
}

/* An HTTP proxy takes the whole URL in a GET of its own. */
void connection_of_ftp_behind_http(void)
{
  serve_hello();
  perform_and_ask("hello", fetch_ftp);
}

/* The app sends and reads by itself. */
void connection_alone(void)
{
  char request[128], text[512];
  size_t n = 0, len = 0;
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  set(&w, CONNECT_ONLY, 1L);
  watch_perform(&w);
  snprintf(request, sizeof request, "GET /wire/hello HTTP/1.1\r\nHost: %s\r\n\r\n", server_address());
  CURLcode sent = curl_easy_send(w.easy, request, strlen(request), &n);
  say(w.out, "send: %d, all: %d", (int)sent, n == strlen(request));
  for (CURLcode code = CURLE_AGAIN; code == CURLE_AGAIN || (!code && n); len += code ? 0 : n)
    code = curl_easy_recv(w.easy, text + len, sizeof text - len, &n);
  say_bytes(w.out, "received", text, len);
  say_info(&w, CURLINFO_NUM_CONNECTS);
  say_info(&w, CURLINFO_PRIMARY_IP);
  say_info(&w, CURLINFO_RESPONSE_CODE);
  watch_close(&w);
}

static int start_resolving(void *resolver, void *reserved, void *watch)
{
  struct watch *w = watch;

  (void)resolver;
  (void)reserved;
  say(w->out, "~ resolve");
  return 0;
}

static void watch_resolver(struct watch *w)
{
  set(w, RESOLVER_START_FUNCTION, start_resolving);
  set(w, RESOLVER_START_DATA, w);
}

void connection_with_a_resolver(void)
{
  serve_hello();
  perform_and_ask("hello", watch_resolver);
}

/* Proxies: the mock is one. */

static void no_proxy(struct watch *w)
{
  set(w, PROXY, "");
  set(w, NOPROXY, "*");
}

void connection_without_a_proxy(void)
{
  serve_hello();
  perform_and_ask("hello", no_proxy);
}

static void through_mock(struct watch *w)
{
  set(w, PROXY, base_url());
}

void connection_through_a_proxy(void)
{
  serve_hello();
  perform_and_ask("hello", through_mock);
}

static void through_mock_with_password(struct watch *w)
{
  through_mock(w);
  set(w, PROXYUSERPWD, "user:test-credential-alpha");
}

void connection_through_a_proxy_with_a_password(void)
{
  serve_hello();
  perform_and_ask("hello", through_mock_with_password);
}

static void all_but_this(struct watch *w)
{
  set(w, PROXY, "http://127.0.0.1:1");
  set(w, NOPROXY, "127.0.0.1,localhost");
}

void connection_past_a_proxy(void)
{
  serve_hello();
  perform_and_ask("hello", all_but_this);
}

/* Addresses. */

static void on_loopback(struct watch *w)
{
  set(w, INTERFACE, "127.0.0.1");
}

void connection_from_an_interface(void)
{
  serve_hello();
  perform_and_ask("hello", on_loopback);
}

static void other_name(struct watch *w, const char *name)
{
  char url[128];

  snprintf(url, sizeof url, "http://%s:%ld/wire/hello", name, server_port());
  set(w, URL, url);
}

void connection_by_a_resolved_name(void)
{
  struct watch w;
  char entry[128];
  struct curl_slist *entries;

  serve_hello();
  snprintf(entry, sizeof entry, "llm.example:%ld:127.0.0.1", server_port());
  entries = curl_slist_append(NULL, entry);
  watch_open(&w, "hello");
  other_name(&w, "llm.example");
  set(&w, RESOLVE, entries);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
  curl_slist_free_all(entries);
}

void connection_by_a_detour(void)
{
  struct watch w;
  char entry[128];
  struct curl_slist *entries;

  serve_hello();
  snprintf(entry, sizeof entry, "llm.example:80:%s", server_address());
  entries = curl_slist_append(NULL, entry);
  watch_open(&w, "hello");
  set(&w, URL, "http://llm.example/wire/hello");
  set(&w, CONNECT_TO, entries);
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
  curl_slist_free_all(entries);
}

void connection_by_a_name(void)
{
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  other_name(&w, "localhost");
  watch_perform(&w);
  say_infos(&w);
  watch_close(&w);
}

/* What a replay need not care for. */
static void many_wishes(struct watch *w)
{
  set(w, TCP_NODELAY, 1L);
  set(w, TCP_KEEPALIVE, 1L);
  set(w, FRESH_CONNECT, 1L);
  set(w, FORBID_REUSE, 1L);
  set(w, MAXCONNECTS, 3L);
  set(w, DNS_CACHE_TIMEOUT, 5L);
  set(w, IPRESOLVE, (long)CURL_IPRESOLVE_V4);
  set(w, BUFFERSIZE, 4096L);
  set(w, UPLOAD_BUFFERSIZE, 32768L);
  set(w, EXPECT_100_TIMEOUT_MS, 100L);
  set(w, MAX_RECV_SPEED_LARGE, (curl_off_t)1000000);
  set(w, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

void connection_with_many_wishes(void)
{
  serve_hello();
  perform_and_ask("hello", many_wishes);
}

static void keep_alive_handle(const char *name)
{
  struct watch w;

  watch_open(&w, name);
  watch_perform(&w);
  say_info(&w, CURLINFO_NUM_CONNECTS);
  watch_perform(&w);
  say_info(&w, CURLINFO_NUM_CONNECTS);
  watch_close(&w);
}

void connection_closed_each_time(void)
{
  serve_hello();
  keep_alive_handle("hello");
}

static void receive_nothing(struct watch *w)
{
  char byte;
  size_t n = 7;

  say(w->out, "~ recv %d", (int)curl_easy_recv(w->easy, &byte, 1, &n));
}

void connection_asked_for_afterwards(void)
{
  struct watch w;

  serve_hello();
  watch_open(&w, "hello");
  watch_perform(&w);
  receive_nothing(&w);
  say(w.out, "~ upkeep %d", (int)curl_easy_upkeep(w.easy));
  watch_close(&w);
}

void connection_shared(void)
{
  CURLSH *share = curl_share_init();
  struct watch w;

  serve_hello();
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
  watch_open(&w, "hello");
  set(&w, SHARE, share);
  watch_perform(&w);
  watch_perform(&w);
  set(&w, SHARE, NULL);
  watch_close(&w);
  say(stdout, "share %d", (int)curl_share_cleanup(share));
}
