/* SPDX-License-Identifier: MIT */
#include "shim/form/form_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The change time cannot be set back by anybody. */
struct form_file {
  char *path;
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec changed;
};

static const char unreadable[] = "a file that cannot be read";

static bool note_file(struct buffer *files, const char *path, const struct stat *now)
{
  struct form_file file = {
      .path = strdup(path),
      .device = now->st_dev,
      .inode = now->st_ino,
      .size = now->st_size,
      .changed = now->st_ctim,
  };
  if (file.path && buffer_append(files, &file, sizeof(file)))
    return true;
  free(file.path);
  return false;
}

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

static const char *read_open_file(int fd, struct buffer *text, struct buffer *files, const char *path,
                                  int64_t size, uint64_t limit)
{
  struct stat now;
  if (fstat(fd, &now) < 0 || !S_ISREG(now.st_mode))
    return "a file that is not a regular one";
  size_t len = (size_t)(now.st_size < size ? now.st_size : size);
  if (text->len > limit || len > limit - text->len)
    return "max_body";
  return note_file(files, path, &now) ? read_all(fd, text, len) : "no memory";
}

const char *form_file_read(struct buffer *text, struct buffer *files, const char *path, int64_t size,
                           uint64_t limit)
{
  if (size < 0)
    return "a file that is not a regular one";
  /* A pipe that has taken its place must not make us wait. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return unreadable;
  const char *reason = read_open_file(fd, text, files, path, size, limit);
  close(fd);
  return reason;
}

static bool is_changed(const struct form_file *file)
{
  struct stat now;
  return stat(file->path, &now) < 0 || now.st_dev != file->device || now.st_ino != file->inode ||
         now.st_size != file->size || now.st_ctim.tv_sec != file->changed.tv_sec ||
         now.st_ctim.tv_nsec != file->changed.tv_nsec;
}

bool form_files_changed(const struct buffer *files)
{
  const struct form_file *file = (const struct form_file *)files->data;
  for (size_t i = 0; i < files->len / sizeof(*file); i++)
    if (is_changed(&file[i]))
      return true;
  return false;
}

void form_files_release(struct buffer *files)
{
  struct form_file *file = (struct form_file *)files->data;
  for (size_t i = 0; i < files->len / sizeof(*file); i++)
    free(file[i].path);
  buffer_release(files);
}
