/* SPDX-License-Identifier: MIT */
#include "tests/fidelity/drive.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 20 };

static bool too_long(time_t began)
{
  if (time(NULL) - began < PATIENCE_S)
    return false;
  say(stdout, "given up");
  return true;
}

static int perform(CURLM *multi)
{
  int running = 0;
  CURLMcode code = curl_multi_perform(multi, &running);

  if (code)
    say(stdout, "multi_perform: %d", (int)code);
  return code ? 0 : running;
}

static void drive_wait(CURLM *multi)
{
  for (time_t began = time(NULL); perform(multi) && !too_long(began);)
    curl_multi_wait(multi, NULL, 0, 1000, NULL);
}

static void drive_poll(CURLM *multi)
{
  for (time_t began = time(NULL); perform(multi) && !too_long(began);)
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
}

/* As curl_multi_fdset(3) has it: without a descriptor, wait a little. */
static void wait_by_select(CURLM *multi)
{
  fd_set in, out, err;
  long timeout_ms = -1;
  int highest = -1;

  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&err);
  curl_multi_fdset(multi, &in, &out, &err, &highest);
  curl_multi_timeout(multi, &timeout_ms);
  if (timeout_ms < 0 || timeout_ms > 1000)
    timeout_ms = 1000;
  if (highest < 0 && timeout_ms > 100)
    timeout_ms = 100;
  select(highest + 1, &in, &out, &err,
         &(struct timeval){.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000});
}

static void drive_fdset(CURLM *multi)
{
  for (time_t began = time(NULL); perform(multi) && !too_long(began);)
    wait_by_select(multi);
}

static void drive_sleep(CURLM *multi)
{
  for (time_t began = time(NULL); perform(multi) && !too_long(began);)
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Events. */

static struct {
  int epoll;
  bool timer_set;
  long timeout_ms;
  int sockets;
} events;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned)
{
  struct epoll_event event = {
      .events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u), .data.fd = fd};

  (void)easy;
  (void)user;
  (void)assigned;
  if (what == CURL_POLL_REMOVE)
    return epoll_ctl(events.epoll, EPOLL_CTL_DEL, fd, NULL) * 0;
  if (epoll_ctl(events.epoll, EPOLL_CTL_MOD, fd, &event))
    epoll_ctl(events.epoll, EPOLL_CTL_ADD, fd, &event);
  events.sockets++;
  return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
  (void)multi;
  (void)user;
  events.timer_set = timeout_ms >= 0;
  events.timeout_ms = timeout_ms;
  return 0;
}

void drive_events(CURLM *multi)
{
  events.epoll = epoll_create1(EPOLL_CLOEXEC);
  events.timer_set = false;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
}

void drive_end(void)
{
  close(events.epoll);
}

static void act(CURLM *multi, const struct epoll_event *event, int *running)
{
  int what = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
             (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
             (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

  curl_multi_socket_action(multi, event->data.fd, what, running);
}

/* Nothing but sockets and the timer moves it: without a timer after add_handle it would stand still. */
static void drive_action(CURLM *multi)
{
  struct epoll_event event;
  int running = 1;

  if (!events.timer_set)
    say(stdout, "no timer was set");
  for (time_t began = time(NULL); running && !too_long(began);) {
    int wait_ms = events.timer_set && events.timeout_ms < 1000 ? (int)events.timeout_ms : 1000;
    if (epoll_wait(events.epoll, &event, 1, wait_ms) > 0) {
      act(multi, &event, &running);
    } else if (events.timer_set) {
      events.timer_set = false;
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
  }
}

static void drive_action_all(CURLM *multi)
{
  int running = 1;

  for (time_t began = time(NULL); running && !too_long(began);) {
    curl_multi_socket_all(multi, &running);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  }
}

driver *const drivers[] = {
    [DRIVE_WAIT] = drive_wait,   [DRIVE_POLL] = drive_poll,     [DRIVE_FDSET] = drive_fdset,
    [DRIVE_SLEEP] = drive_sleep, [DRIVE_ACTION] = drive_action, [DRIVE_ACTION_ALL] = drive_action_all,
};

/* Handles. */

void join(CURLM *multi, struct watch *w)
{
  CURLMcode code;

  set(w, PRIVATE, w);
  watch_begin(w);
  code = curl_multi_add_handle(multi, w->easy);
  if (code)
    say(w->out, "add: %d", (int)code);
}

void part(CURLM *multi, struct watch *w)
{
  CURLMcode code = curl_multi_remove_handle(multi, w->easy);

  if (code)
    say(w->out, "remove: %d", (int)code);
}

int take_messages(CURLM *multi)
{
  CURLMsg *message;
  int left, count = 0;

  while ((message = curl_multi_info_read(multi, &left))) {
    char *watch = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &watch);
    if (message->msg == CURLMSG_DONE && watch)
      watch_end((struct watch *)(void *)watch, message->data.result);
    count++;
  }
  return count;
}
