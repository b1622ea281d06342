/* SPDX-License-Identifier: MIT */
#include "shim/rescue/epoll_restore.h"

#include "shim/base/fd_table.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int is_epoll(int fd)
{
  static const char name[] = "anon_inode:[eventpoll]";
  char path[48], target[sizeof(name)];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return readlink(path, target, sizeof(target)) == (ssize_t)(sizeof(name) - 1) &&
         memcmp(target, name, sizeof(name) - 1) == 0;
}

/* "tfd:        5 events:       19 data:                5  pos:0 ..." [proc(5)] */
static void take_line(struct watchers *watchers, int epoll, const char *line)
{
  struct watcher *next = &watchers->watcher[watchers->count];
  int fd;
  if (watchers->count == WATCHERS_MOST ||
      sscanf(line, "tfd: %d events: %" SCNx32 " data: %" SCNx64, &fd, &next->events, &next->data) != 3 ||
      fd != watchers->fd || epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0)
    return;
  next->epoll = epoll;
  watchers->count++;
}

static void visit(void *arg, int fd)
{
  char path[48], line[160];
  if (!is_epoll(fd))
    return;
  snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
  FILE *info = fopen(path, "re");
  while (info && fgets(line, sizeof(line), info))
    take_line(arg, fd, line);
  if (info)
    fclose(info);
}

void watchers_take(struct watchers *watchers, int fd)
{
  *watchers = (struct watchers){.fd = fd};
  descriptors_each(visit, watchers);
}

void watchers_put_back(const struct watchers *watchers)
{
  for (unsigned i = 0; i < watchers->count; i++) {
    const struct watcher *watcher = &watchers->watcher[i];
    struct epoll_event event = {.events = watcher->events, .data.u64 = watcher->data};
    epoll_ctl(watcher->epoll, EPOLL_CTL_ADD, watchers->fd, &event);
  }
}
