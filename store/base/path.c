/* SPDX-License-Identifier: MIT */
#include "store/base/path.h"

#include "config/kernel.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int path_fail(struct idem_error *error, int code, const char *path)
{
  char text[128];
  return idem_error_set(error, code, "%s: %s", path, strerror_r(-code, text, sizeof(text)));
}

int path_make_dir(const char *dir, struct idem_error *error)
{
  char path[PATH_MAX];
  size_t len = strlen(dir);
  if (len >= sizeof(path))
    return path_fail(error, -ENAMETOOLONG, dir);
  for (size_t i = 1; i <= len; i++) {
    if (dir[i] != '/' && dir[i] != '\0')
      continue;
    memcpy(path, dir, i);
    path[i] = '\0';
    /* One that is there already may say EROFS or EACCES just as well. */
    int failed = mkdir(path, 0700) < 0 ? errno : 0;
    /* Whatever an app's umask is. */
    if (!failed)
      chmod(path, 0700);
    if (failed && failed != EEXIST && access(path, F_OK) < 0)
      return path_fail(error, -failed, path);
  }
  return 0;
}

/* The directory's own name may be a link of root's or of this user's, and what it leads to is what counts.
 * Links above it are followed, whosever they are. */
int path_check_dir(const char *dir, struct stat *out, struct idem_error *error)
{
  struct stat link;
  if (idem_fstatat(AT_FDCWD, dir, out, 0) < 0 || idem_fstatat(AT_FDCWD, dir, &link, AT_SYMLINK_NOFOLLOW) < 0)
    return path_fail(error, -errno, dir);
  if (S_ISLNK(link.st_mode) && link.st_uid != 0 && link.st_uid != geteuid())
    return idem_error_set(error, -EPERM,
                          "%s: is a link of another user (uid %u), who may let it lead elsewhere", dir,
                          (unsigned)link.st_uid);
  if (!S_ISDIR(out->st_mode))
    return idem_error_set(error, -ENOTDIR, "%s: is not a directory", dir);
  if (out->st_uid != geteuid())
    return idem_error_set(error, -EPERM, "%s: belongs to another user (uid %u)", dir, (unsigned)out->st_uid);
  if (out->st_mode & 022)
    return idem_error_set(error, -EPERM, "%s: is writable by others (mode %03o); chmod 700 it", dir,
                          (unsigned)out->st_mode & 0777);
  return 0;
}
