/* SPDX-License-Identifier: MIT */
#include "shim/engine/multi_wake.h"

#include "shim/base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* All timers are one inode. The number of a signal that would be sent for a file tells ours, which sends
 * none, from the app's, which has closed what it does not know. */
enum { MARK = 62 };

static bool is_marked(const struct multi *multi)
{
  return fcntl(multi->wake, F_GETSIG) == MARK;
}

/* A child has its parent's. */
static bool is_ours(const struct multi *multi)
{
  return multi->wake_of == getpid() && is_marked(multi);
}

bool multi_wake_open(struct multi *multi, const struct shadow *shadow)
{
  if (multi->notified || shadow_value(shadow, CURLOPT_OPENSOCKETFUNCTION))
    return false;
  if (multi->wake < 0) {
    multi->wake = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    multi->wake_of = getpid();
    if (multi->wake >= 0 && fcntl(multi->wake, F_SETSIG, MARK) < 0) {
      close(multi->wake);
      multi->wake = -1;
    }
  }
  return is_ours(multi) && (!multi->selects || multi->wake < FD_SETSIZE);
}

void multi_wake(void *self)
{
  static const struct itimerspec now = {.it_value = {.tv_nsec = 1}};
  const struct multi *multi = self;
  if (is_marked(multi))
    timerfd_settime(multi->wake, 0, &now, NULL);
}

/* Without it, nobody is woken, and looks each time. */
bool multi_wake_is_due(struct multi *multi)
{
  struct itimerspec is;
  bool again = multi->wake_again;
  multi->wake_again = false;
  return again || !is_ours(multi) || timerfd_gettime(multi->wake, &is) < 0 ||
         (is.it_value.tv_sec == 0 && is.it_value.tv_nsec == 0);
}

void multi_wake_set(const struct multi *multi, int64_t deadline_us)
{
  static const struct itimerspec far = {.it_value = {.tv_sec = 3600}};
  struct itimerspec at = {.it_value = clock_timespec(deadline_us)};
  if (is_ours(multi))
    timerfd_settime(multi->wake, deadline_us ? TFD_TIMER_ABSTIME : 0, deadline_us ? &at : &far, NULL);
}

/* libcurl refuses to be called from its socket callback, but for curl_multi_assign(). A child tells nothing:
 * it may have an epoll in common with its parent, whom it would take the timer from. */
bool multi_wake_tell(struct multi *multi, CURL *handle)
{
  bool wanted = multi->storing && multi->on_socket, taken = true;
  if (wanted != multi->wake_told && multi->on_socket && multi->wake_of == getpid()) {
    void *assigned = multi->wake_assigned;
    multi->wake_assigned = wanted ? assigned : NULL;
    multi->in_reader = true;
    taken = multi->on_socket(handle, multi->wake, wanted ? CURL_POLL_IN : CURL_POLL_REMOVE,
                             multi->on_socket_data, assigned) >= 0;
    multi->in_reader = false;
  }
  multi->wake_told = wanted && taken;
  if (!multi->storing && multi->wake >= 0) {
    if (is_marked(multi))
      close(multi->wake);
    multi->wake = -1;
  }
  return taken || !wanted;
}

/* Without memory, or without its timer, it looks again soon. */
CURLMcode multi_wake_wait(struct multi *multi, __typeof__(curl_multi_wait) *real, struct curl_waitfd *extra,
                          unsigned count, int ms, int *ready)
{
  enum { FEW = 16, LOOK_MS = 5 };
  struct curl_waitfd few[FEW], *all = count < FEW ? few : malloc((count + 1) * sizeof(*all));
  int seen = 0;
  if (!all || !is_ours(multi)) {
    if (all != few)
      free(all);
    return real(multi->handle, extra, count, ms < LOOK_MS ? ms : LOOK_MS, ready);
  }
  if (count)
    memcpy(all, extra, count * sizeof(*all));
  all[count] = (struct curl_waitfd){.fd = multi->wake, .events = CURL_WAIT_POLLIN};
  CURLMcode code = real(multi->handle, all, count + 1, ms, &seen);
  if (count)
    memcpy(extra, all, count * sizeof(*all));
  if (ready)
    *ready = seen - (all[count].revents != 0);
  if (all != few)
    free(all);
  return code;
}

CURLMcode multi_wake_waitfds(struct multi *multi, struct curl_waitfd *fds, unsigned size, unsigned *count)
{
  unsigned seen = 0;
  CURLMcode code = multi->lib->multi_waitfds(multi->handle, fds, size, fds || count ? &seen : NULL);
  if (code != CURLM_OK && code != CURLM_OUT_OF_MEMORY)
    return code;
  if (!is_ours(multi)) {
    if (count)
      *count = seen;
    return code;
  }
  if (fds && seen < size)
    fds[seen] = (struct curl_waitfd){.fd = multi->wake, .events = CURL_WAIT_POLLIN};
  else if (fds)
    code = CURLM_OUT_OF_MEMORY;
  if (count)
    *count = seen + 1;
  return code;
}

void multi_wake_fdset(const struct multi *multi, fd_set *read, int *last)
{
  if (!read || multi->wake >= FD_SETSIZE || !is_ours(multi))
    return;
  FD_SET(multi->wake, read);
  if (last && *last < multi->wake)
    *last = multi->wake;
}
