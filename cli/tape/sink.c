/* SPDX-License-Identifier: MIT */
/*
 * The file that --output names. It is written beside its name and renamed at the end, so that a report that failed half way
 * does not take the place of a good one; what is no file (a pipe, a terminal, /dev/stdout) is written to as it is. A link is
 * not followed, since somebody else may say where it leads, and nothing is put where it would be taken for a part of the tape
 * or of the store.
 */
#include "cli/output/output.h"
#include "cli/tape/tape.h"
#include "config/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
static int check_place(const char *path, const char *tape)
{
  struct idem_config config;
  if (is_inside(path, tape))
    return cli_fail(CLI_USAGE, "%s is inside of the tape; write it somewhere else", path);
  if (idem_config_load_store(&config, getenv, NULL) < 0)
    return CLI_OK;
  bool inside = is_inside(path, config.store_dir);
  idem_config_release(&config);
  return inside ? cli_fail(CLI_USAGE, "%s is inside of the store; write it somewhere else", path) : CLI_OK;
}

/* A new file that nobody else can have a descriptor of, and that nobody else may read: bodies are in it. */
static int open_draft(struct cli_sink *sink)
{
  if (asprintf(&sink->draft, "%s.XXXXXX", sink->path) < 0)
    return cli_fail(CLI_STORE, "out of memory");
  int fd = mkostemp(sink->draft, O_CLOEXEC);
  if (fd >= 0 && fchmod(fd, 0600) == 0 && (sink->file = fdopen(fd, "w")))
    return CLI_OK;
  cli_fail(CLI_STORE, "%s: %s", sink->path, strerror(errno));
  if (fd >= 0) {
    close(fd);
    unlink(sink->draft);
  }
  free(sink->draft);
  return CLI_STORE;
}

/* What has become a file since it was looked at is not written over. */
static int open_other(struct cli_sink *sink)
{
  struct stat stat;
  int fd = open(sink->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd >= 0 && idem_fstat(fd, &stat) == 0 && !S_ISREG(stat.st_mode) && (sink->file = fdopen(fd, "w")))
    return CLI_OK;
  cli_fail(CLI_STORE, "%s: %s", sink->path, strerror(fd < 0 ? errno : EEXIST));
  if (fd >= 0)
    close(fd);
  return CLI_STORE;
}

int cli_sink_open(const struct cli_options *options, const char *tape, struct cli_sink *sink)
{
  struct stat named, target, out;
  *sink = (struct cli_sink){.file = stdout, .path = options->output};
  if (!sink->path)
    return CLI_OK;
  bool there = idem_fstatat(AT_FDCWD, sink->path, &target, 0) == 0;
  if (there && idem_fstat(STDOUT_FILENO, &out) == 0 && is_same(&target, &out)) {
    sink->path = NULL;
    return CLI_OK;
  }
  if (there && !S_ISREG(target.st_mode))
    return open_other(sink);
  if (idem_fstatat(AT_FDCWD, sink->path, &named, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(named.st_mode))
    return cli_fail(CLI_STORE, "%s is a link, and not followed; name the file itself", sink->path);
  int code = check_place(sink->path, tape);
  return code == CLI_OK ? open_draft(sink) : code;
}

/* CLI_NO keeps the file: it has all that could be read. */
int cli_sink_close(struct cli_sink *sink, int code)
{
  if (!sink->path)
    return code;
  bool bad = ferror(sink->file) | fclose(sink->file);
  if (code <= CLI_NO && (bad || (sink->draft && rename(sink->draft, sink->path) < 0)))
    code = cli_fail(CLI_STORE, "%s cannot be written: %s", sink->path, strerror(errno));
  if (code > CLI_NO && sink->draft)
    unlink(sink->draft);
  free(sink->draft);
  return code;
}
