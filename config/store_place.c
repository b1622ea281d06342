/* SPDX-License-Identifier: MIT */
/* Whose a directory is, is asked of the file system: what a variable says was right for whoever set it. */
#include "config/store_place.h"

#include "config/file.h"
#include "config/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* False if `base` is not absolute, or it would not fit: then the next place is looked at. */
static bool put_path(char path[PATH_MAX], const char *base, size_t len, const char *rest)
{
  if (!len || base[0] != '/')
    return false;
  /* So that the root gives "/idemshim", and no path has two slashes. */
  len -= base[len - 1] == '/';
  return snprintf(path, PATH_MAX, "%.*s%s", (int)len, base, rest) < PATH_MAX;
}

/* The effective user's own, or one of root's in which he may make files, as a volume of a container is. Of
 * what is not there yet, the directory that it would be made in is looked at, and one of root's counts:
 * making it will tell. */
static bool is_own(const char *dir)
{
  char path[PATH_MAX];
  struct stat info;
  bool above = false;

  if (!put_path(path, dir, strlen(dir), ""))
    return false;
  /* Up to the first directory that is there. Anything but a missing one is no place for files. */
  while (idem_fstatat(AT_FDCWD, *path ? path : "/", &info, 0) < 0) {
    if (errno != ENOENT || !*path)
      return false;
    *strrchr(path, '/') = '\0';
    above = true;
  }
  return info.st_uid == geteuid() ||
         (info.st_uid == 0 && (above || faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0));
}

/* name:password:uid:gid:gecos:home:shell */
static bool put_home_of_line(char path[PATH_MAX], const char *line)
{
  const char *field[6] = {line};

  for (size_t i = 1; i < sizeof field / sizeof *field; i++) {
    field[i] = strpbrk(field[i - 1], ":\n");
    if (!field[i] || *field[i]++ == '\n')
      return false;
  }
  return strtoul(field[2], NULL, 10) == geteuid() &&
         put_path(path, field[5], strcspn(field[5], ":\n"), "/.cache/idemshim");
}

static bool put_home_of_passwd(char path[PATH_MAX])
{
  struct idem_arena arena = {0};
  char *line;
  size_t len;
  bool found = false;

  if (idem_file_read(&arena, "passwd", "/etc/passwd", &line, &len, NULL) == 0)
    while (line && !(found = put_home_of_line(path, line)))
      line = (line = strchr(line, '\n')) ? line + 1 : NULL;
  idem_arena_release(&arena);
  return found;
}

const char *idem_store_of_service(char *(*get)(const char *name), char path[PATH_MAX])
{
  static const char *const names[] = {"CACHE_DIRECTORY", "STATE_DIRECTORY"};

  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *list = get(names[i]);
    /* Of several, which systemd.exec(5) parts by colons, the first. */
    if (list && put_path(path, list, strcspn(list, ":"), "/idemshim"))
      return names[i];
  }
  return NULL;
}

const char *idem_store_of_user(char *(*get)(const char *name), char path[PATH_MAX])
{
  const char *cache = get("XDG_CACHE_HOME"), *home = get("HOME");

  if (cache && is_own(cache) && put_path(path, cache, strlen(cache), "/idemshim"))
    return "XDG_CACHE_HOME";
  if (home && is_own(home) && put_path(path, home, strlen(home), "/.cache/idemshim"))
    return "HOME";
  if (put_home_of_passwd(path))
    return "/etc/passwd";
  if (!home || !put_path(path, home, strlen(home), "/.cache/idemshim"))
    put_path(path, "/", 1, "/.cache/idemshim");
  return "HOME";
}
