/* SPDX-License-Identifier: MIT */
/*
 * Opened without waiting, read up to what fstat() saw, closed. Not by stdio, which would allocate behind the
 * app's back.
 */
#include "config/file.h"

#include "config/kernel.h"
#include "config/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many rules as there may be (IDEM_RULES_MAX), of a kilobyte each. */
#define FILE_MAX ((size_t)1 << 20)

/* What every message needs: which variable named which path. */
struct source {
  struct idem_arena *arena;
  const char *variable, *path; /* no variable: the path was not named by one */
  struct idem_error *error;
  bool own;    /* nobody else may have written it, */
  bool secret; /* or read it */
};

/* "IDEMSHIM_RULES: expected a regular file, not "x.rules"". Of a file that no variable names the code is
 * -EPERM, whatever is wrong with it: -EINVAL would be a mistake in what it says (load.c). */
static int refuse(const struct source *source, int code, const char *expected)
{
  size_t len = strlen(source->path);

  if (!source->variable)
    return idem_error_set(source->error, -EPERM, "%s: expected %s", source->path, expected);
  return idem_error_set(source->error, code, "%s: expected %s, not %s", source->variable, expected,
                        IDEM_QUOTE(source->path, len));
}

/* "IDEMSHIM_RULES: cannot read "x.rules": No such file or directory". */
static int fail(const struct source *source, const char *what, int number)
{
  char room[64] = "";
  size_t len = strlen(source->path);

  if (!source->variable)
    return idem_error_set(source->error, -number, "%s: %s", source->path,
                          strerror_r(number, room, sizeof room));
  return idem_error_set(source->error, -number, "%s: %s %s: %s", source->variable, what,
                        IDEM_QUOTE(source->path, len), strerror_r(number, room, sizeof room));
}

/* A directory, a pipe, a device or a file of gigabytes is no rule file. */
static int check_file(const struct source *source, int fd, size_t *size)
{
  struct stat info;

  if (idem_fstat(fd, &info) < 0)
    return fail(source, "cannot read", errno);
  if (!S_ISREG(info.st_mode))
    return refuse(source, -EINVAL, "a regular file");
  if ((uintmax_t)info.st_size > FILE_MAX)
    return refuse(source, -EFBIG, "a file of at most 1 MiB");
  if (source->own && info.st_uid != 0 && info.st_uid != geteuid())
    return refuse(source, -EPERM, "a file of root or of the user of this process");
  if (source->own && info.st_mode & (S_IWGRP | S_IWOTH))
    return refuse(source, -EPERM, "a file that neither its group nor others may write");
  if (source->secret && info.st_mode & S_IROTH)
    return refuse(source, -EPERM, "a file that others may not read");
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
  static const char mark[] = "\xef\xbb\xbf"; /* a UTF-8 byte order mark */
  size_t size = 0;
  int result = check_file(source, fd, &size);

  if (result < 0)
    return result;
  *data = idem_arena_alloc(source->arena, size + 1);
  if (!*data)
    return fail(source, "cannot read", ENOMEM);
  result = read_all(source, fd, *data, size, len);
  size_t skip = *len >= sizeof mark - 1 && !memcmp(*data, mark, sizeof mark - 1) ? sizeof mark - 1 : 0;
  *data += skip;
  *len -= skip;
  return result;
}

/* The descriptor is open for as long as the read takes. */
static int read_file(const struct source *source, int flags, char **data, size_t *len)
{
  /* Without O_NONBLOCK the app would hang on a pipe that nobody writes to. */
  int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);

  if (fd < 0)
    return fail(source, "cannot read", errno);
  int result = read_open(source, fd, data, len);
  close(fd);
  return result;
}

int idem_file_read(struct idem_arena *arena, const char *variable, const char *path, char **data, size_t *len,
                   struct idem_error *error)
{
  return read_file(&(struct source){arena, variable, path, error, false, false}, 0, data, len);
}

int idem_file_read_secret(struct idem_arena *arena, const char *variable, const char *path, char **data,
                          size_t *len, struct idem_error *error)
{
  return read_file(&(struct source){arena, variable, path, error, true, true}, 0, data, len);
}

/* A home that one may not look into, as after a change of user, is as one without the file. */
int idem_file_read_own(struct idem_arena *arena, const char *path, char **data, size_t *len,
                       struct idem_error *error)
{
  struct source source = {arena, NULL, path, error, true, false};
  struct stat info;
  int result = read_file(&source, O_NOFOLLOW, data, len);

  if (result == -ELOOP)
    return refuse(&source, result, "a file, and no symbolic link");
  if (result == -ENOENT || result == -ENOTDIR ||
      (result == -EACCES && idem_fstatat(AT_FDCWD, path, &info, AT_SYMLINK_NOFOLLOW) < 0))
    return 0;
  return result < 0 ? result : 1;
}

/* realpath() would demand that the file is there, and follow links that the user may change
 * later. */
int idem_path_absolute(struct idem_arena *arena, const char *variable, const char *path, char **absolute,
                       struct idem_error *error)
{
  struct source source = {arena, variable, path, error, false, false};
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
