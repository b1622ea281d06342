/* SPDX-License-Identifier: MIT */
/*
 * Opened without waiting, read up to what fstat() saw, closed. Not by stdio, which would allocate behind the app's back.
 */
#include "config/file.h"

#include "config/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)

/* What every message needs: which variable named which path. */
struct source {
  struct idem_arena *arena;
  const char *variable, *path;
  struct idem_error *error;
};

/* "IDEMSHIM_RULES: cannot read "x.rules": No such file or directory". */
static int fail(const struct source *source, const char *what, int number)
{
  char room[64] = "";
  size_t len = strlen(source->path);

  return idem_error_set(source->error, -number, "%s: %s %s: %s", source->variable, what,
                        IDEM_QUOTE(source->path, len), strerror_r(number, room, sizeof room));
}

/* A directory, a pipe, a device or a file of gigabytes is no rule file. */
static int check_file(const struct source *source, int fd, size_t *size)
{
  struct stat info;
  size_t len = strlen(source->path);

  if (fstat(fd, &info) < 0)
    return fail(source, "cannot read", errno);
  if (!S_ISREG(info.st_mode))
    return idem_error_set(source->error, -EINVAL, "%s: expected a regular file, not %s", source->variable,
                          IDEM_QUOTE(source->path, len));
  if ((uintmax_t)info.st_size > FILE_MAX)
    return idem_error_set(source->error, -EFBIG, "%s: expected a file of at most 1 MiB, not %s",
                          source->variable, IDEM_QUOTE(source->path, len));
  *size = (size_t)info.st_size;
  return 0;
}

/* A file that is being written may be shorter or longer now: what is read is at most what was seen. */
static int read_all(const struct source *source, int fd, char *data, size_t size, size_t *len)
{
  for (*len = 0; *len < size;) {
    ssize_t part = read(fd, data + *len, size - *len);
    if (part < 0 && errno != EINTR)
      return fail(source, "cannot read", errno);
    if (part == 0)
      break;
    *len += part > 0 ? (size_t)part : 0;
  }
  return 0;
}

/* One byte more than the size, so that the data ends in a NUL. */
static int read_open(const struct source *source, int fd, char **data, size_t *len)
{
  size_t size = 0;
  int result = check_file(source, fd, &size);

  if (result < 0)
    return result;
  *data = idem_arena_alloc(source->arena, size + 1);
  return *data ? read_all(source, fd, *data, size, len) : fail(source, "cannot read", ENOMEM);
}

/* The descriptor is open for as long as the read takes. */
int idem_file_read(struct idem_arena *arena, const char *variable, const char *path, char **data, size_t *len,
                   struct idem_error *error)
{
  struct source source = {arena, variable, path, error};
  /* Without O_NONBLOCK the app would hang on a pipe that nobody writes to. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

  if (fd < 0)
    return fail(&source, "cannot read", errno);
  int result = read_open(&source, fd, data, len);
  close(fd);
  return result;
}

/* realpath() would demand that the file is there, and follow links that the user may change
 * later. */
int idem_path_absolute(struct idem_arena *arena, const char *variable, const char *path, char **absolute,
                       struct idem_error *error)
{
  struct source source = {arena, variable, path, error};
  char cwd[PATH_MAX] = "";

  if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
    return fail(&source, "no working directory for", errno);
  size_t cwd_len = strlen(cwd), path_len = strlen(path);
  bool slash = cwd_len > 1;
  char *whole = idem_arena_alloc(arena, cwd_len + path_len + 2);
  if (!whole)
    return fail(&source, "cannot use", ENOMEM);
  memcpy(whole, cwd, cwd_len);
  memcpy(whole + cwd_len, "/", slash);
  memcpy(whole + cwd_len + slash, path, path_len);
  *absolute = whole;
  return 0;
}
