/* SPDX-License-Identifier: MIT */
/*
 * multi_deadline WAY
 *
 * One call in a multi, whose loop sleeps for as long as libcurl says, to a server of its own that answers too
 * late for the call's TIMEOUT_MS. That passes in a callback, in the turn that sends the request (debug), in
 * which another transfer may begin (company), or while the loop sleeps, after a redirect (redirected) or
 * after libcurl has made the request again, since the connection of an earlier call had died (retried). Says
 * whether the call has ended in time, whether the loop slept until then or was woken each second, and how
 * many requests there were.
 */
#include "tests/clients/local_server.h"
#include "tests/clients/multi_loops.h"
#include "tests/clients/post.h"

enum { LIMIT_MS = 2500, IN_TIME_MS = 4400, SLOW_MS = 5000, NAP_MS = 1600 };

static const char *way;
static pthread_t thread;   /* the server's */
static int64_t longest_ms; /* that the loop slept */

static bool is(const char *name)
{
  return strcmp(way, name) == 0;
}

/* What becomes of each request in turn. */
static const char *script(void)
{
  return is("redirected") ? "rs" : is("retried") ? "acs" : is("reset") ? "x" : "s";
}

static void say(int fd, const char *text)
{
  if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
    perror("multi_deadline: send");
}

/* False: the connection is over. */
static bool respond(int fd, char what)
{
  if (what == 'c')
    return false;
  if (what == 's')
    usleep(SLOW_MS * 1000);
  say(fd, what == 'r'
              ? "HTTP/1.1 307 There\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
              : "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"a\": 1}");
  if (what == 'x')
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  return what != 'x';
}

static void *serve(void *arg)
{
  const char *left = script();
  while (*left) {
    int fd = accept(server.tcp, NULL, NULL);
    while (*left && server_receive(fd, server.request, sizeof(server.request))) {
      server.requests++;
      if (!respond(fd, *left++))
        break;
    }
    close(fd);
  }
  return arg;
}

static bool listen_anywhere(void)
{
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(at);
  server.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool listens = bind(server.tcp, (struct sockaddr *)&at, size) == 0 && listen(server.tcp, 4) == 0 &&
                 getsockname(server.tcp, (struct sockaddr *)&at, &size) == 0;
  server.port = ntohs(at.sin_port);
  return listens;
}

static int on_debug(CURL *handle, curl_infotype type, char *data, size_t size, void *arg)
{
  (void)handle;
  (void)data;
  (void)size;
  (void)arg;
  if (type == CURLINFO_HEADER_OUT && (is("debug") || is("company")))
    usleep((LIMIT_MS + 200) * 1000);
  return 0;
}

/* Until the reset has come. */
static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  if (!is("reset"))
    return reply_take(data, size, count, arg);
  pthread_join(thread, NULL);
  return 0;
}

/* It fails as soon as it is begun. */
static CURL *begin_another(struct loop *loop)
{
  CURL *other = curl_easy_init();
  curl_easy_setopt(other, CURLOPT_URL, "nothing://here/");
  loop_note(loop, curl_multi_add_handle(loop->multi, other));
  return other;
}

static void step(struct loop *loop)
{
  int64_t began_ms = loop_now_ms();
  loop_step(loop, 10000);
  int64_t took_ms = loop_now_ms() - began_ms;
  longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
}

static bool is_done(struct loop *loop, CURL *handle, CURLcode *code)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(loop->multi, &left)))
    if (message->easy_handle == handle) {
      *code = message->data.result;
      return true;
    }
  return false;
}

static CURLcode finish(struct loop *loop, CURL *handle)
{
  CURL *other = NULL;
  CURLcode code = CURLE_OK;
  loop_note(loop, curl_multi_add_handle(loop->multi, handle));
  while (!is_done(loop, handle, &code)) {
    step(loop);
    if (is("company") && !other)
      other = begin_another(loop);
  }
  if (other)
    loop_note(loop, curl_multi_remove_handle(loop->multi, other));
  curl_easy_cleanup(other);
  loop_note(loop, curl_multi_remove_handle(loop->multi, handle));
  return code;
}

int main(int argc, char **argv)
{
  struct loop loop;
  struct reply reply = {0};
  char url[64];
  way = argc > 1 ? argv[1] : "";
  if (!listen_anywhere() || !loop_open(&loop, is("company") ? "poll" : "epoll") ||
      pthread_create(&thread, NULL, serve, NULL))
    return 2;
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions", server.port);
  CURL *handle = post_new(url, "{\"n\":1}", &reply);
  if (is("retried") && finish(&loop, handle) != CURLE_OK)
    return 3;
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "{\"n\":2}");
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)LIMIT_MS);
  int64_t began_ms = loop_now_ms();
  CURLcode code = finish(&loop, handle);
  printf("rc=%d %s, %s\n", (int)code, loop_now_ms() - began_ms < IN_TIME_MS ? "in time" : "late",
         longest_ms > NAP_MS ? "slept" : "was woken");
  if (!is("reset"))
    pthread_join(thread, NULL);
  printf("requests=%u errors=%u\n", server.requests, loop.errors);
  curl_easy_cleanup(handle);
  loop_close(&loop);
  free(reply.bytes);
  return 0;
}
