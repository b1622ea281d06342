/* SPDX-License-Identifier: MIT */
#include "store/state/spill.h"

#include "config/kernel.h"
#include "store/base/fd.h"
#include "store/state/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory itself for number 0, which no file has. */
static int path_of(const struct idem_store *store, uint64_t number, char path[PATH_MAX])
{
  int len = number ? snprintf(path, PATH_MAX, "%s/queue/%016llx", store->dir, (unsigned long long)number)
                   : snprintf(path, PATH_MAX, "%s/queue", store->dir);
  return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_number(const struct idem_store *store, uint64_t number, int flags)
{
  char path[PATH_MAX];
  int rc = path_of(store, number, path);
  return rc < 0 ? rc : fd_open(path, flags, 0);
}

/* Of what is too long for a place. */
static int open_long(const struct idem_store *store, uint64_t number, unsigned place, int flags)
{
  char path[PATH_MAX];
  int len =
      snprintf(path, sizeof(path), "%s/queue/%016llx.%02x", store->dir, (unsigned long long)number, place);
  return len < PATH_MAX ? fd_open(path, flags, 0600) : -ENAMETOOLONG;
}

void spill_drop(const struct idem_store *store, uint64_t number, unsigned place)
{
  char path[PATH_MAX];
  if (snprintf(path, sizeof(path), "%s/queue/%016llx.%02x", store->dir, (unsigned long long)number, place) <
      PATH_MAX)
    unlink(path);
}

/* Its own process asks by another open file, and so finds its lock as well. */
bool spill_lives(const struct idem_store *store, uint64_t number)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  int fd = open_number(store, number, O_RDONLY);
  if (fd < 0)
    return fd != -ENOENT;
  bool lives = fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
  close(fd);
  return lives;
}

/* A slot that waits outlives its writer, and whoever leads needs the record that this file has for it. */
static bool is_in_queue(const struct commit_queue *queue, uint64_t number)
{
  bool found = false;
  for (unsigned i = 0; i < QUEUE_SLOTS; i++)
    found |= queue_waits(&queue->slot[i]) && atomic_load(&queue->slot[i].spill) == number;
  return found;
}

/* The lock of the first byte is that of the file. It conflicts with any other open file's, even in this
 * process. */
static bool lock(int fd)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Its lock is ours while it goes, so that whoever has just made it, and has not locked it yet,
 * finds that it has gone. */
static void remove_dead(const struct idem_store *store, int dir, const char *name, uint64_t number)
{
  int fd = open_number(store, number, O_RDWR);
  if (fd >= 0 && lock(fd) && !is_in_queue(&store->stats->queue, number))
    unlinkat(dir, name, 0);
  if (fd >= 0)
    close(fd);
}

void spill_sweep(struct idem_store *store)
{
  char path[PATH_MAX];
  const struct dirent *entry;
  int fd = path_of(store, 0, path) < 0 ? -1 : fd_open(path, O_RDONLY | O_DIRECTORY, 0);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  while (dir && (entry = readdir(dir))) {
    uint64_t number = strtoull(entry->d_name, NULL, 16);
    if (number && strlen(entry->d_name) == 16)
      remove_dead(store, fd, entry->d_name, number);
    /* Whether it lives is asked first: it may be published meanwhile, and outlives its writer then. */
    else if (number && strlen(entry->d_name) > 16 && entry->d_name[16] == '.' &&
             !spill_lives(store, number) && !is_in_queue(&store->stats->queue, number))
      unlinkat(fd, entry->d_name, 0);
  }
  if (dir)
    closedir(dir);
  else if (fd >= 0)
    close(fd);
}

/* A place in the table of base/fd.h, or -errno; -EAGAIN if it was taken for one of the dead
 * before it had its lock. */
static int make_number(const struct idem_store *store, uint64_t *number)
{
  char path[PATH_MAX];
  struct stat status;
  if (getrandom(number, sizeof(*number), 0) != sizeof(*number) || !*number)
    return -EIO;
  int rc = path_of(store, *number, path);
  int kept = rc < 0 ? rc : fd_open_kept(path, O_RDWR | O_CREAT | O_EXCL, 0600, FD_SPILL);
  if (kept < 0)
    return kept;
  int fd = fd_number(kept);
  rc = !lock(fd) ? -errno : idem_fstat(fd, &status) < 0 ? -errno : status.st_nlink ? kept : -EAGAIN;
  if (rc < 0) {
    unlink(path);
    fd_end(kept);
  }
  return rc == -EACCES ? -EAGAIN : rc;
}

/* The lock before the first use: a file without one is of the dead. */
static int make(struct idem_store *store)
{
  struct spill *spill = &store->spill;
  char path[PATH_MAX];
  uint64_t number;
  int rc = path_of(store, 0, path), kept = -EAGAIN;
  if (rc < 0)
    return rc;
  if (!state_is_in_place(store))
    return -ESTALE;
  if (mkdir(path, 0700) == 0)
    chmod(path, 0700);
  else if (errno == EEXIST)
    spill_sweep(store);
  for (int tries = 8; tries && kept == -EAGAIN; tries--)
    kept = make_number(store, &number);
  if (kept < 0)
    return kept;
  fd_end(spill->kept); /* a parent's, or one that the app has closed */
  atomic_store(&spill->kept, kept);
  atomic_store(&spill->number, number);
  atomic_store(&spill->life, process_generation());
  return 0;
}

int spill_open(struct idem_store *store, uint64_t *number)
{
  struct spill *spill = &store->spill;
  int rc = 0;
  if (atomic_load(&spill->life) != process_generation()) {
    PROCESS_LOCKED(opening);
    if (atomic_load(&spill->life) != process_generation())
      rc = make(store);
  }
  *number = spill->number;
  return rc;
}

/* The app may have closed it: then another one is made for the next. */
int spill_write(struct idem_store *store, uint64_t number, unsigned place, const void *data, size_t len)
{
  bool is_long = len > SPILL_PLACE;
  off_t at = is_long ? 0 : (off_t)place * SPILL_PLACE;
  int fd = fd_number(atomic_load(&store->spill.kept)), rc = 0;
  if (fd < 0)
    atomic_store(&store->spill.life, 0);
  if (atomic_load(&store->spill.number) != number)
    return -EBADF;
  if (fd < 0 || len > SPILL_MOST || !idem_file_may_have((uint64_t)at + len))
    return fd < 0 ? fd : -EFBIG;
  if (is_long && (fd = open_long(store, number, place, O_WRONLY | O_CREAT | O_TRUNC)) < 0)
    return fd;
  for (size_t done = 0; rc == 0 && done < len;) {
    ssize_t n = pwrite(fd, (const char *)data + done, len - done, at + (off_t)done);
    if (n < 0 && errno != EINTR)
      rc = -errno;
    done += n > 0 ? (size_t)n : 0;
  }
  if (is_long)
    close(fd);
  if (is_long && rc < 0)
    spill_drop(store, number, place);
  /* Where another one was made meanwhile it may have gone there. */
  return rc == 0 && atomic_load(&store->spill.number) != number ? -EBADF : rc;
}

/* A store that was not opened to its end may lack the shared page, and has no life either: it is not looked
 * at then. */
void spill_close(struct idem_store *store)
{
  char path[PATH_MAX];
  if (atomic_load(&store->spill.life) == process_generation() &&
      !is_in_queue(&store->stats->queue, store->spill.number) &&
      path_of(store, store->spill.number, path) == 0)
    unlink(path);
  fd_end(store->spill.kept);
}

/* Opened by its name at each time, since a leader reads what other processes have written. */
int spill_read(const struct idem_store *store, uint64_t number, unsigned place, void *data, size_t len)
{
  bool is_long = len > SPILL_PLACE;
  off_t at = is_long ? 0 : (off_t)place * SPILL_PLACE;
  int fd = is_long ? open_long(store, number, place, O_RDONLY) : open_number(store, number, O_RDONLY);
  int rc = fd < 0 ? fd : 0;
  for (size_t done = 0; rc == 0 && done < len;) {
    ssize_t n = pread(fd, (char *)data + done, len - done, at + (off_t)done);
    if (n == 0 || (n < 0 && errno != EINTR))
      rc = n == 0 ? -ENODATA : -errno;
    done += n > 0 ? (size_t)n : 0;
  }
  if (fd >= 0)
    close(fd);
  return rc;
}
