/* SPDX-License-Identifier: MIT */
#include "store/base/fd.h"

#include "config/kernel.h"
#include "store/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A place is a slot, and how often that was used: a place that is ended is never somebody else's. */
enum { SLOTS_MOST = 1 << 16, USES_MOST = 0x7fff };

/* Under process_lock_lists. */
static struct {
  struct slot {
    int fd;            /* -1: the app has closed it */
    enum fd_what what; /* 0: free */
    int uses;
    dev_t device;
    ino_t inode;
  } * slot;
  int room;
} table;

/* A number that is taken for standard output could be written to by anything in the app. */
int fd_open(const char *path, int flags, unsigned mode)
{
  int fd;
  do
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0)
    return -errno;
  /* An app's umask may take from us what we need ourselves. */
  struct stat stat;
  if (flags & O_CREAT && idem_fstat(fd, &stat) == 0 && (stat.st_mode & mode) != mode)
    fchmod(fd, mode);
  if (fd > STDERR_FILENO)
    return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int rc = higher < 0 ? -errno : higher;
  close(fd);
  return rc;
}

ssize_t fd_read_at(int fd, void *out, size_t len, uint64_t offset)
{
  size_t done = 0;
  while (done < len) {
    ssize_t n = pread(fd, (char *)out + done, len - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -errno;
    if (n == 0)
      break;
    done += (size_t)n;
  }
  return (ssize_t)done;
}

static struct slot *slot_of(int kept)
{
  struct slot *slot = kept > 0 && kept % SLOTS_MOST < table.room ? &table.slot[kept % SLOTS_MOST] : NULL;
  return slot && slot->what && slot->uses == kept / SLOTS_MOST ? slot : NULL;
}

static bool is_whole(const struct slot *slot)
{
  struct stat stat;
  return slot->fd >= 0 && idem_fstat(slot->fd, &stat) == 0 && stat.st_ino == slot->inode &&
         stat.st_dev == slot->device;
}

/* There is room before there is a descriptor. */
static bool make_room(void)
{
  int room = table.room ? 2 * table.room : 32;
  for (int i = 0; i < table.room; i++)
    if (!table.slot[i].what)
      return true;
  struct slot *slot = room <= SLOTS_MOST ? realloc(table.slot, (size_t)room * sizeof(*slot)) : NULL;
  if (!slot)
    return false;
  for (int i = table.room; i < room; i++)
    slot[i] = (struct slot){0};
  table.slot = slot;
  table.room = room;
  return true;
}

static int enter(int fd, enum fd_what what)
{
  struct stat stat;
  int free = -1;
  if (idem_fstat(fd, &stat) < 0)
    return -errno;
  for (int i = table.room; i-- > 0;) {
    if (!table.slot[i].what)
      free = i;
    /* Its file was closed behind our back, or this number would not have been free. All claims are one file,
     * so that the file itself would not tell. */
    else if (table.slot[i].fd == fd)
      table.slot[i].fd = -1;
  }
  struct slot *slot = &table.slot[free];
  /* Never 0, so that a place is above 0, and never more than an int has room for. */
  *slot = (struct slot){fd, what, slot->uses % USES_MOST + 1, stat.st_dev, stat.st_ino};
  return slot->uses * SLOTS_MOST + free;
}

int fd_adopt(int fd, enum fd_what what)
{
  PROCESS_LOCKED(lists);
  return make_room() ? enter(fd, what) : -ENOMEM;
}

/* A fork finds it in the table, or not yet open. */
int fd_open_kept(const char *path, int flags, unsigned mode, enum fd_what what)
{
  PROCESS_LOCKED(lists);
  int fd = make_room() ? fd_open(path, flags, mode) : -ENOMEM;
  int kept = fd < 0 ? fd : enter(fd, what);
  if (fd >= 0 && kept < 0)
    close(fd);
  return kept;
}

int fd_number(int kept)
{
  PROCESS_LOCKED(lists);
  const struct slot *slot = slot_of(kept);
  return !slot ? -ENOENT : is_whole(slot) ? slot->fd : -EBADF;
}

int fd_opened_now(int kept, dev_t *device, ino_t *inode)
{
  PROCESS_LOCKED(lists);
  const struct slot *slot = slot_of(kept);
  *device = slot ? slot->device : 0;
  *inode = slot ? slot->inode : 0;
  return slot ? slot->fd : -ENOENT;
}

static void end(struct slot *slot, struct flock *unlock)
{
  if (is_whole(slot)) {
    if (unlock)
      fcntl(slot->fd, F_OFD_SETLK, unlock);
    close(slot->fd);
  }
  slot->what = 0;
}

void fd_unlock_and_end(int kept, struct flock *unlock)
{
  PROCESS_LOCKED(lists);
  struct slot *slot = slot_of(kept);
  if (slot)
    end(slot, unlock);
}

void fd_end(int kept)
{
  fd_unlock_and_end(kept, NULL);
}

void fd_forget(int kept)
{
  PROCESS_LOCKED(lists);
  struct slot *slot = slot_of(kept);
  if (slot)
    slot->what = 0;
}

void fd_end_others(enum fd_what what, int kept, int other)
{
  const struct slot *one = slot_of(kept), *two = slot_of(other);
  for (int i = 0; i < table.room; i++) {
    struct slot *slot = &table.slot[i];
    if (slot->what == what && slot != one && slot != two)
      end(slot, NULL);
  }
}

/* open() gives the lowest number that is free, so this ends at the first above 2. */
struct fd_parked fd_park(void)
{
  struct fd_parked parked = {{-1, -1, -1}};
  for (int i = 0; i < 3; i++) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
      break;
    if (fd > STDERR_FILENO) {
      close(fd);
      break;
    }
    parked.fd[i] = fd;
  }
  return parked;
}

void fd_unpark(const struct fd_parked *parked)
{
  for (int i = 0; i < 3; i++)
    if (parked->fd[i] >= 0)
      close(parked->fd[i]);
}
