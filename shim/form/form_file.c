/* SPDX-License-Identifier: MIT */
#include "shim/form/form_file.h"

#include "config/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file as it was when it was read. The change time cannot be set back by anybody. */
struct form_file {
  char *path;
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec changed;
};

static const char unreadable[] = "a file that cannot be read";

/* A file that shrinks meanwhile is read to its end, and told by form_files_changed(). */
static const char *read_all(int fd, struct buffer *text, size_t left)
{
  while (left) {
    char *into = buffer_reserve(text, left);
    ssize_t got = into ? read(fd, into, left) : 0;
    if (!into)
      return "no memory";
    if (got < 0 && errno != EINTR)
      return unreadable;
    if (got == 0)
      break;
    text->len += got > 0 ? (size_t)got : 0;
    left -= got > 0 ? (size_t)got : 0;
  }
  return NULL;
}

const char *form_file_read(struct buffer *text, struct buffer *files, const char *path, int64_t size,
                           uint64_t limit)
{
  static const char irregular[] = "a file that is not a regular one";
  struct stat now;
  if (size < 0)
    return irregular;
  /* A pipe is not opened: who waits to write into it would write for us. One that takes its place only now
   * must not make us wait. */
  if (idem_fstatat(AT_FDCWD, path, &now, 0) == 0 && !S_ISREG(now.st_mode))
    return irregular;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return unreadable;
  const char *reason = idem_fstat(fd, &now) < 0 || !S_ISREG(now.st_mode) ? irregular : NULL;
  size_t len = reason ? 0 : (size_t)(now.st_size < size ? now.st_size : size);
  if (!reason && (text->len > limit || len > limit - text->len))
    reason = "max_body";
  if (!reason) {
    struct form_file file = {strdup(path), now.st_dev, now.st_ino, now.st_size, now.st_ctim};
    if (file.path && buffer_append(files, &file, sizeof(file))) {
      reason = read_all(fd, text, len);
    } else {
      free(file.path);
      reason = "no memory";
    }
  }
  close(fd);
  return reason;
}

bool form_files_changed(const struct buffer *files)
{
  const struct form_file *file = (const struct form_file *)files->data;
  struct stat now;
  for (size_t i = 0; i < files->len / sizeof(*file); i++)
    if (idem_fstatat(AT_FDCWD, file[i].path, &now, 0) < 0 || now.st_dev != file[i].device ||
        now.st_ino != file[i].inode || now.st_size != file[i].size ||
        now.st_ctim.tv_sec != file[i].changed.tv_sec || now.st_ctim.tv_nsec != file[i].changed.tv_nsec)
      return true;
  return false;
}

/* Each entry owns its path. */
void form_files_release(struct buffer *files)
{
  struct form_file *file = (struct form_file *)files->data;
  for (size_t i = 0; i < files->len / sizeof(*file); i++)
    free(file[i].path);
  buffer_release(files);
}
