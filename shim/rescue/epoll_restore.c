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
static void take_line(struct epoll_registrations *epoll_registrations, int epoll, const char *line)
{
  struct epoll_registration *next = &epoll_registrations->epoll_registration[epoll_registrations->count];
  int fd;
  if (epoll_registrations->count == WATCHERS_MOST ||
      sscanf(line, "tfd: %d events: %" SCNx32 " data: %" SCNx64, &fd, &next->events, &next->data) != 3 ||
      fd != epoll_registrations->fd || epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) < 0)
    return;
  next->epoll = epoll;
  epoll_registrations->count++;
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

void epoll_save(struct epoll_registrations *epoll_registrations, int fd)
{
  *epoll_registrations = (struct epoll_registrations){.fd = fd};
  fd_each(visit, epoll_registrations);
}

void epoll_restore(const struct epoll_registrations *epoll_registrations)
{
  for (unsigned i = 0; i < epoll_registrations->count; i++) {
    const struct epoll_registration *epoll_registration = &epoll_registrations->epoll_registration[i];
    struct epoll_event event = {.events = epoll_registration->events, .data.u64 = epoll_registration->data};
    epoll_ctl(epoll_registration->epoll, EPOLL_CTL_ADD, epoll_registrations->fd, &event);
  }
}
