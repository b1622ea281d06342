/* SPDX-License-Identifier: MIT
 * With `unused` both go on to their end, and the first handle is added for another call and removed at once.
 */
/*
 * timeouts_multi WAY URL BODY OTHER_BODY
 *
 * Two calls in one multi. The first is given up after 300 ms: by TIMEOUT_MS in a loop of curl_multi_perform
 * (perform; shared: on one HTTP/2 connection) or of epoll and curl_multi_socket_action (action), from its
 * write callback (write), by removing it (remove), cleaning it up (cleanup), cleaning up the multi and all
 * (all), or by exiting (exit). The second one goes on to its end, except in the last two. Then the first is
 * made again without a limit.
 */
#include "tests/clients/post.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 300 };

struct call {
  const char *name;
  CURL *handle;
  struct reply reply;
  int is_first, done;
};

static const char *way;
static struct timespec started;
static struct call calls[2];
static int epoll_fd, wakeups;
static long timer_ms = -1;

static int is(const char *name)
{
  return strcmp(way, name) == 0;
}

static long passed_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (now.tv_sec - started.tv_sec) * 1000 + (now.tv_nsec - started.tv_nsec) / 1000000;
}

static size_t on_write(char *data, size_t size, size_t count, void *arg)
{
  struct call *call = arg;
  if (call->is_first && is("write") && passed_ms() >= LIMIT_MS)
    return 0;
  return reply_take(data, size, count, &call->reply);
}

static int on_socket(CURL *handle, curl_socket_t fd, int what, void *arg, void *known)
{
  struct epoll_event event = {
      .events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u), .data.fd = fd};
  (void)handle;
  if (what == CURL_POLL_REMOVE)
    return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL) && 0;
  epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  curl_multi_assign(arg, fd, &epoll_fd);
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
  (void)multi;
  (void)arg;
  timer_ms = ms;
  return 0;
}

static void turn_by_action(CURLM *multi)
{
  struct epoll_event events[8];
  int running, wait_ms = timer_ms < 0 || timer_ms > 50 ? 50 : (int)timer_ms;
  int count = epoll_wait(epoll_fd, events, 8, wait_ms);
  wakeups++;
  for (int i = 0; i < count; i++)
    curl_multi_socket_action(multi, events[i].data.fd,
                             (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                             &running);
  timer_ms = count <= 0 && wait_ms < 50 ? -1 : timer_ms;
  if (count <= 0)
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void turn(CURLM *multi)
{
  int running;
  if (is("action")) {
    turn_by_action(multi);
    return;
  }
  curl_multi_perform(multi, &running);
  curl_multi_poll(multi, NULL, 0, 50, NULL);
}

static void read_messages(CURLM *multi)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left)))
    for (int i = 0; i < 2; i++)
      if (calls[i].handle == message->easy_handle) {
        calls[i].done = 1;
        reply_print(calls[i].name, calls[i].handle, message->data.result, &calls[i].reply);
      }
}

static void add(CURLM *multi, struct call *call, const char *url, const char *body)
{
  call->handle = post_new(url, body, &call->reply);
  curl_easy_setopt(call->handle, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt(call->handle, CURLOPT_WRITEDATA, call);
  if (call->is_first && (is("perform") || is("action") || is("shared")))
    curl_easy_setopt(call->handle, CURLOPT_TIMEOUT_MS, (long)LIMIT_MS);
  if (is("shared"))
    curl_easy_setopt(call->handle, CURLOPT_PIPEWAIT, 1L);
  curl_multi_add_handle(multi, call->handle);
}

/* 1: the program goes on. */
static int give_up(CURLM *multi)
{
  struct call *first = &calls[0];
  if (first->done || passed_ms() < LIMIT_MS)
    return 1;
  if (is("exit"))
    exit(0);
  if (is("remove"))
    curl_multi_remove_handle(multi, first->handle);
  if (is("cleanup"))
    curl_easy_cleanup(first->handle);
  first->done = is("remove") || is("cleanup");
  return !is("all");
}

/* A handle that has made a call before is added for another one, and removed before that began. */
static void take_out_unused(CURLM *multi, struct call *call)
{
  curl_multi_remove_handle(multi, call->handle);
  curl_easy_setopt(call->handle, CURLOPT_POSTFIELDS, "{\"unused\":1}");
  curl_multi_add_handle(multi, call->handle);
  curl_multi_remove_handle(multi, call->handle);
}

int main(int argc, char **argv)
{
  if (argc < 5)
    return 2;
  way = argv[1];
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  CURLM *multi = curl_multi_init();
  if (is("action")) {
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  }
  clock_gettime(CLOCK_MONOTONIC, &started);
  calls[0] = (struct call){.name = "first", .is_first = 1};
  calls[1] = (struct call){.name = "other"};
  add(multi, &calls[0], argv[2], argv[3]);
  add(multi, &calls[1], argv[2], argv[4]);
  while (!(calls[0].done && calls[1].done) && give_up(multi)) {
    turn(multi);
    read_messages(multi);
  }
  if (is("unused"))
    take_out_unused(multi, &calls[0]);
  if (is("all"))
    curl_multi_cleanup(multi);
  if (is("action"))
    printf("%s\n", wakeups < 500 ? "sleeps" : "spins");
  return post_once("again", argv[2], argv[3]);
}
