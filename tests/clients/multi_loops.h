/* SPDX-License-Identifier: MIT */
/*
 * multi_loops: the event loops with which programs drive a multi handle, one step at a time.
 *
 *     struct loop loop;
 *     if (!loop_open(&loop, "epoll"))
 *       return usage();
 *     curl_multi_add_handle(loop.multi, handle);
 *     while (loop.running)
 *       loop_step(&loop, 1000);
 *     loop_close(&loop);
 *
 * Loops: poll, wait, fdset, waitfds (from libcurl 8.8 on), sleep (curl_multi_perform, and what it waits
 * with), epoll (curl_multi_socket_action with a timer callback), socket (the same with curl_multi_socket),
 * all (curl_multi_socket_all).
 */
#ifndef CLIENT_MULTI_LOOPS_H
#define CLIENT_MULTI_LOOPS_H

#include "shim/libcurl/curl_compat.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

struct loop {
  CURLM *multi;
  int running; /* libcurl's count after the last step; 1 before the first */
  void (*wait)(struct loop *loop, int most_ms);
  int epoll;       /* -1: driven by curl_multi_perform() */
  int64_t due_ms;  /* of the timer callback; -1: no timer */
  unsigned errors; /* of curl_multi functions and of epoll_ctl() */
  unsigned events; /* epoll: what the sockets had for us */
  bool by_socket;  /* epoll: curl_multi_socket() */
};

static inline int64_t loop_now_ms(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void loop_note(struct loop *loop, CURLMcode code)
{
  if (code != CURLM_OK) {
    loop->errors++;
    fprintf(stderr, "drive: %s\n", curl_multi_strerror(code));
  }
}

static inline void loop_wait_poll(struct loop *loop, int most_ms)
{
  loop_note(loop, curl_multi_poll(loop->multi, NULL, 0, most_ms, NULL));
}

static inline void loop_wait_wait(struct loop *loop, int most_ms)
{
  int ready = 0;

  loop_note(loop, curl_multi_wait(loop->multi, NULL, 0, most_ms, &ready));
}

static inline int loop_timeout(struct loop *loop, int most_ms)
{
  long ms = -1;

  loop_note(loop, curl_multi_timeout(loop->multi, &ms));
  return ms < 0 || ms > most_ms ? most_ms : (int)ms;
}

static inline void loop_wait_fdset(struct loop *loop, int most_ms)
{
  fd_set in, out, error;
  int last = -1, ms = loop_timeout(loop, most_ms);
  struct timeval time;

  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&error);
  loop_note(loop, curl_multi_fdset(loop->multi, &in, &out, &error, &last));
  if (last < 0 && ms > 100)
    ms = 100; /* as the manual advises */
  time = (struct timeval){ms / 1000, ms % 1000 * 1000};
  select(last + 1, &in, &out, &error, &time);
}

static inline void loop_wait_waitfds(struct loop *loop, int most_ms)
{
  __typeof__(&curl_multi_waitfds) waitfds = dlsym(RTLD_DEFAULT, "curl_multi_waitfds");
  struct curl_waitfd fds[64];
  struct pollfd all[64];
  unsigned count = 0, known = 0;

  loop_note(loop, waitfds(loop->multi, NULL, 0, &known));
  loop_note(loop, waitfds(loop->multi, fds, 64, &count));
  loop->errors += known != count;
  for (unsigned i = 0; i < count; i++)
    all[i] = (struct pollfd){.fd = fds[i].fd,
                             .events = (fds[i].events & CURL_WAIT_POLLIN ? POLLIN : 0) |
                                       (fds[i].events & CURL_WAIT_POLLOUT ? POLLOUT : 0)};
  poll(all, count, loop_timeout(loop, most_ms));
}

/* Programs exist that only sleep between two performs. */
static inline void loop_wait_sleep(struct loop *loop, int most_ms)
{
  int ms = loop_timeout(loop, most_ms);

  usleep((unsigned)(ms > 2 ? 2 : ms) * 1000);
}

static inline int loop_on_socket(CURL *handle, curl_socket_t fd, int what, void *user, void *of_socket)
{
  struct loop *loop = user;
  struct epoll_event event = {.data.fd = fd};

  (void)handle;
  event.events = (what & CURL_POLL_IN && what != CURL_POLL_REMOVE ? EPOLLIN : 0) |
                 (what & CURL_POLL_OUT && what != CURL_POLL_REMOVE ? EPOLLOUT : 0);
  /* libcurl may have closed by now what it takes away. */
  if (epoll_ctl(loop->epoll,
                what == CURL_POLL_REMOVE ? EPOLL_CTL_DEL
                : of_socket              ? EPOLL_CTL_MOD
                                         : EPOLL_CTL_ADD,
                fd, &event) < 0 &&
      what != CURL_POLL_REMOVE) {
    loop->errors++;
    fprintf(stderr, "drive: epoll_ctl(%d, %d): %s\n", fd, what, strerror(errno));
  }
  curl_multi_assign(loop->multi, fd, what == CURL_POLL_REMOVE ? NULL : loop);
  return 0;
}

static inline int loop_on_timer(CURLM *multi, long ms, void *user)
{
  struct loop *loop = user;

  (void)multi;
  loop->due_ms = ms < 0 ? -1 : loop_now_ms() + ms;
  return 0;
}

static inline void loop_wait_epoll(struct loop *loop, int most_ms)
{
  struct epoll_event events[64];
  int64_t left = loop->due_ms < 0 ? most_ms : loop->due_ms - loop_now_ms();
  int count = epoll_wait(loop->epoll, events, 64, left < 0 ? 0 : left < most_ms ? (int)left : most_ms);

  loop->events += count > 0 ? (unsigned)count : 0;
  for (int i = 0; i < count; i++) {
    int what = (events[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
               (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0);
    loop_note(loop, loop->by_socket
                        ? curl_multi_socket(loop->multi, events[i].data.fd, &loop->running)
                        : curl_multi_socket_action(loop->multi, events[i].data.fd, what, &loop->running));
  }
  if (loop->due_ms >= 0 && loop->due_ms <= loop_now_ms()) {
    loop->due_ms = -1;
    loop_note(loop, curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &loop->running));
  }
}

static inline void loop_wait_all(struct loop *loop, int most_ms)
{
  loop_wait_poll(loop, loop_timeout(loop, most_ms));
  loop_note(loop, curl_multi_socket_all(loop->multi, &loop->running));
}

static inline bool loop_open(struct loop *loop, const char *name)
{
  static const struct {
    const char *name;
    void (*wait)(struct loop *, int);
    bool by_socket;
  } loops[] = {
      {"poll", loop_wait_poll, false},   {"wait", loop_wait_wait, false},
      {"fdset", loop_wait_fdset, false}, {"sleep", loop_wait_sleep, false},
      {"epoll", loop_wait_epoll, false}, {"all", loop_wait_all, false},
      {"socket", loop_wait_epoll, true}, {"waitfds", loop_wait_waitfds, false},
  };

  *loop = (struct loop){.epoll = -1, .due_ms = -1, .running = 1};
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++)
    if (strcmp(loops[i].name, name) == 0) {
      loop->wait = loops[i].wait;
      loop->by_socket = loops[i].by_socket;
    }
  if (!loop->wait || !(loop->multi = curl_multi_init()))
    return false;
  if (loop->wait != loop_wait_epoll)
    return true;
  loop->epoll = epoll_create1(EPOLL_CLOEXEC);
  curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, loop_on_socket);
  curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
  curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, loop_on_timer);
  curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
  return loop->epoll >= 0;
}

/* Lets libcurl work, and waits for more to do. */
static inline void loop_step(struct loop *loop, int most_ms)
{
  if (loop->wait == loop_wait_epoll || loop->wait == loop_wait_all) {
    loop->wait(loop, most_ms);
    return;
  }
  loop_note(loop, curl_multi_perform(loop->multi, &loop->running));
  if (loop->running)
    loop->wait(loop, most_ms);
}

static inline void loop_close(struct loop *loop)
{
  loop_note(loop, curl_multi_cleanup(loop->multi));
  if (loop->epoll >= 0)
    close(loop->epoll);
}

#endif
