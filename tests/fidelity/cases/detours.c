/* SPDX-License-Identifier: MIT */
/* Ways to the server: sockets, tunnels, proxies before proxies, and credentials that are asked for on the
 * way. */
#include "tests/fidelity/fidelity.h"
#include "tests/fidelity/relay.h"

#include <stdio.h>

/* What is told of the connection is the relay's, and is not asked. */
static void perform_on_the_way(const char *name, void (*setup)(struct watch *w))
{
  struct watch w;

  watch_open(&w, name);
  setup(&w);
  watch_perform(&w);
  say_info(&w, CURLINFO_RESPONSE_CODE);
  say_info(&w, CURLINFO_HTTP_CONNECTCODE);
  say_info(&w, CURLINFO_EFFECTIVE_URL);
  say_info(&w, CURLINFO_NUM_CONNECTS);
  say_info(&w, CURLINFO_HTTPAUTH_AVAIL);
  say_info(&w, CURLINFO_PROXYAUTH_AVAIL);
  say_info(&w, CURLINFO_SIZE_DOWNLOAD_T);
  if (!scenario->number)
    say_headers(&w, CURLH_CONNECT, -1);
  say_headers(&w, CURLH_HEADER, -1);
  watch_close(&w);
}

static void serve_hello(void)
{
  serve("hello", OK "X-One: 1\r\n" HELLO);
}

static void by_unix_socket(struct watch *w)
{
  const char *path = own_file("socket");

  relay_start(RELAY_PLAIN, path);
  set(w, UNIX_SOCKET_PATH, path);
}

void detour_by_unix_socket(void)
{
  serve_hello();
  perform_on_the_way("hello", by_unix_socket);
  remove(own_file("socket"));
}

static void use_proxy(struct watch *w, CURLoption option, const char *scheme, int port)
{
  char url[64];

  snprintf(url, sizeof url, "%s://127.0.0.2:%d", scheme, port);
  watch_set(w, "a proxy", curl_easy_setopt(w->easy, option, url));
}

static void by_tunnel(struct watch *w)
{
  use_proxy(w, CURLOPT_PROXY, "http", relay_start(RELAY_TUNNEL, NULL));
  set(w, HTTPPROXYTUNNEL, 1L);
}

void detour_by_tunnel(void)
{
  serve_hello();
  perform_on_the_way("hello", by_tunnel);
}

static void by_silent_tunnel(struct watch *w)
{
  by_tunnel(w);
  set(w, SUPPRESS_CONNECT_HEADERS, 1L);
}

/* Some versions have its header in the header API all the same; it is given to no callback, and so not to us.
 */
void detour_by_silent_tunnel(void)
{
  serve_hello();
  perform_on_the_way("hello", by_silent_tunnel);
}

static void by_tunnel_over_tls(struct watch *w)
{
  by_tunnel(w);
  set(w, URL, wire_tls_url("hello"));
}

void detour_by_tunnel_over_tls(void)
{
  serve_hello();
  perform_on_the_way("hello", by_tunnel_over_tls);
}

static void by_socks(struct watch *w)
{
  use_proxy(w, CURLOPT_PROXY, "socks4", relay_start(RELAY_SOCKS4, NULL));
}

void detour_by_socks(void)
{
  serve_hello();
  perform_on_the_way("hello", by_socks);
}

static void by_two_proxies(struct watch *w)
{
  use_proxy(w, CURLOPT_PRE_PROXY, "socks4", relay_start(RELAY_SOCKS4, NULL));
  set(w, PROXY, base_url());
}

void detour_by_two_proxies(void)
{
  serve_hello();
  perform_on_the_way("hello", by_two_proxies);
}

/* Credentials. */

static const char asked[] =
    "HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n"
    "WWW-Authenticate: Basic realm=\"r\"\r\n" CLOSE "Content-Length: 3\r\n\r\nwho";

static void serve_asking(void)
{
  char text[1024];

  snprintf(text, sizeof text, "%s\2%s", asked, OK "X-One: 1\r\n" HELLO);
  serve("asking", text);
}

static void with_digest(struct watch *w)
{
  set(w, USERPWD, "user:test-credential-alpha");
  set(w, HTTPAUTH, scenario->number);
}

void credential_asked_for(void)
{
  serve_asking();
  perform_on_the_way("asking", with_digest);
}

/* None of them will do. */
void credential_refused(void)
{
  serve("asking", asked);
  perform_on_the_way("asking", with_digest);
}

static void from_netrc(struct watch *w)
{
  const char *path = own_file("netrc");
  FILE *file = fopen(path, "we");

  fputs("machine 127.0.0.1 login user password test-credential-alpha\n", file);
  fclose(file);
  set(w, NETRC, (long)CURL_NETRC_REQUIRED);
  set(w, NETRC_FILE, path);
}

void credential_from_netrc(void)
{
  serve_hello();
  perform_on_the_way("hello", from_netrc);
  remove(own_file("netrc"));
}

static void from_directory(struct watch *w)
{
  set(w, NETRC, (long)CURL_NETRC_OPTIONAL);
  set(w, NETRC_FILE, "/");
}

void credential_from_no_file(void)
{
  serve_hello();
  perform_on_the_way("hello", from_directory);
}

/* What else changes a request or its answer. */

static void ask_for_another_target(struct watch *w)
{
  set(w, REQUEST_TARGET, "/wire/hello?in=stead");
}

void request_of_another_target(void)
{
  serve_hello();
  perform_on_the_way("hello", ask_for_another_target);
}

static void take_aliases(struct watch *w)
{
  static char name[] = "ICY";
  static struct curl_slist ice = {.data = name};

  set(w, HTTP200ALIASES, &ice);
}

void headers_of_an_alias(void)
{
  serve("ice", "ICY 200 OK\r\nContent-Type: text/plain\r\n\r\nhello");
  perform_on_the_way("ice", take_aliases);
}

static void ignore_length(struct watch *w)
{
  set(w, IGNORE_CONTENT_LENGTH, 1L);
}

void body_of_an_ignored_length(void)
{
  serve("hello",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" CLOSE "Content-Length: 3\r\n\r\n{\"a\":1}");
  perform_on_the_way("hello", ignore_length);
}

static void accept_older(struct watch *w)
{
  set(w, HTTP09_ALLOWED, 1L);
}

void headers_may_be_missing(void)
{
  serve_hello();
  perform_on_the_way("hello", accept_older);
}

static void send_lines(struct watch *w)
{
  set(w, CRLF, 1L);
}

void request_of_lines(void)
{
  serve_hello();
  perform_on_the_way("hello", send_lines);
}

static void keep_services(struct watch *w)
{
  set(w, ALTSVC_CTRL, (long)CURLALTSVC_H1);
  set(w, ALTSVC, own_file("altsvc"));
}

void connection_with_a_cache_of_services(void)
{
  serve("hello", OK "Alt-Svc: h2=\":443\"\r\n" HELLO);
  perform_on_the_way("hello", keep_services);
  remove(own_file("altsvc"));
}
