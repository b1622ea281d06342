/* SPDX-License-Identifier: MIT */
#include "cli/output/sink.h"

#include "cli/output/output.h"
#include "config/config.h"
#include "config/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file has many names, and one device and inode. */
static bool is_same(const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether the directory of `path` is `dir` or below it, whatever they are called here. */
static bool is_inside(const char *path, const char *dir)
{
  struct stat top, at;
  char *copy = strdup(path), *parent = copy ? realpath(dirname(copy), NULL) : NULL;
  bool inside = false;
  if (parent && idem_fstatat(AT_FDCWD, dir, &top, 0) == 0)
    while (!inside && *parent) {
      inside = idem_fstatat(AT_FDCWD, parent, &at, 0) == 0 && is_same(&at, &top);
      *strrchr(parent, '/') = '\0';
    }
  free(copy);
  free(parent);
  return inside;
}

/* CLI_OK for a path that a file may be put at. */
static int check_place(const char *path, char *const *sources)
{
  struct idem_config config;
  for (; *sources; sources++)
    if (is_inside(path, *sources))
      return cli_fail(CLI_USAGE, "%s is inside of the tape; write it somewhere else", path);
  if (idem_config_load_store(&config, getenv, NULL) < 0)
    return CLI_OK;
  bool inside = is_inside(path, config.store_dir);
  idem_config_release(&config);
  return inside ? cli_fail(CLI_USAGE, "%s is inside of the store; write it somewhere else", path) : CLI_OK;
}

/* A new file that nobody else can have a descriptor of. Bodies may be in it. */
static int open_draft(struct cli_sink *sink, bool readable)
{
  if (asprintf(&sink->draft, "%s.XXXXXX", sink->path) < 0) {
    sink->draft = NULL;
    return -1;
  }
  /* It can only be asked by setting it (umask(2)); a command has one thread. */
  mode_t mask = umask(0);
  umask(mask);
  int fd = mkostemp(sink->draft, O_CLOEXEC);
  if (fd < 0 || fchmod(fd, readable ? 0666 & ~mask : 0600) == 0)
    return fd;
  unlink(sink->draft);
  close(fd);
  return -1;
}

/* What has become a file since it was looked at is not written over. */
static int open_other(const char *path)
{
  struct stat stat;
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0 || (idem_fstat(fd, &stat) == 0 && !S_ISREG(stat.st_mode)))
    return fd;
  close(fd);
  errno = EEXIST;
  return -1;
}

/* Standard output becomes `fd`, which is closed. */
static int redirect(struct cli_sink *sink, int fd)
{
  /* What was printed before belongs where it was printed to. The descriptor is kept above the three that have
   * a meaning. */
  fflush(stdout);
  sink->before = fd < 0 ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  bool done = sink->before >= 0 && dup2(fd, STDOUT_FILENO) >= 0;
  int problem = errno;
  if (fd >= 0)
    close(fd);
  if (done)
    return CLI_OK;
  if (sink->before >= 0)
    close(sink->before);
  if (fd >= 0 && sink->draft)
    unlink(sink->draft);
  free(sink->draft);
  return cli_fail(CLI_STORE, "%s: %s", sink->path, strerror(problem));
}

/* The order counts: standard output by another name is left alone before anything is opened, what is no
 * file is written to as it is, and only then a link or a place in the store is a mistake. */
int cli_sink_open(const char *path, char *const *sources, bool readable, struct cli_sink *sink)
{
  struct stat named, target, out;
  *sink = (struct cli_sink){.path = path};
  if (!path)
    return CLI_OK;
  bool there = idem_fstatat(AT_FDCWD, path, &target, 0) == 0;
  /* /dev/stdout, or the very file that the shell has opened: nothing is to be done. */
  if (there && idem_fstat(STDOUT_FILENO, &out) == 0 && is_same(&target, &out)) {
    sink->path = NULL;
    return CLI_OK;
  }
  if (there && !S_ISREG(target.st_mode))
    return redirect(sink, open_other(path));
  /* Not by O_NOFOLLOW: a rename would put the file in the place of the link itself. */
  if (idem_fstatat(AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(named.st_mode))
    return cli_fail(CLI_STORE, "%s is a link, and not followed; name the file itself", path);
  int code = check_place(path, sources);
  return code == CLI_OK ? redirect(sink, open_draft(sink, readable)) : code;
}

/* A negative answer that printed nothing does not take the place of an older file. */
int cli_sink_close(struct cli_sink *sink, int code)
{
  if (!sink->path)
    return code;
  errno = 0;
  bool bad = fflush(stdout) != 0 || ferror(stdout);
  /* The rename is the last step: under the name is all of it, or what was there before. */
  bool keep = code == CLI_OK || (code == CLI_NO && lseek(STDOUT_FILENO, 0, SEEK_CUR) > 0);
  if (keep && (bad || (sink->draft && rename(sink->draft, sink->path) < 0))) {
    code = cli_fail(CLI_STORE, "%s cannot be written: %s", sink->path, strerror(errno));
    keep = false;
  }
  if (!keep && sink->draft)
    unlink(sink->draft);
  /* main() looks at standard output once more, and this was said. */
  clearerr(stdout);
  dup2(sink->before, STDOUT_FILENO);
  close(sink->before);
  free(sink->draft);
  return code;
}
