/* SPDX-License-Identifier: MIT */
#include "cli/launch/temporary.h"

#include "config/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *temporary_directory(bool large)
{
  static const char *const names[] = {"XDG_RUNTIME_DIR", "TMPDIR"};
  for (size_t i = large; i < sizeof(names) / sizeof(*names); i++) {
    const char *dir = getenv(names[i]);
    if (dir && dir[0] == '/' && access(dir, W_OK | X_OK) == 0)
      return dir;
  }
  return "/tmp";
}

bool cli_make_temporary(char path[PATH_MAX], const char *what, enum cli_temporary kind)
{
  bool large = kind == CLI_LARGE_DIRECTORY;
  snprintf(path, PATH_MAX, "%s/idemshim-%s.XXXXXX", temporary_directory(large), what);
  if (large)
    return mkdtemp(path) != NULL;
  int fd = mkstemp(path);
  if (fd < 0)
    return false;
  close(fd);
  return true;
}

/* A file, or a directory with what is in it: a tape has no folders. unlink() fails for a directory, and that
 * tells which it is. */
void cli_remove_temporary(const char *path)
{
  char file[4096];
  DIR *dir = unlink(path) < 0 ? opendir(path) : NULL;
  for (struct dirent *entry; dir && (entry = readdir(dir));)
    if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) < (int)sizeof(file) &&
        strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      unlink(file);
  if (dir) {
    closedir(dir);
    rmdir(path);
  }
}

/* Keeps nothing open, so that whoever reads the program's output sees its end. This process
 * outlives the command by design. It must not keep anything of it alive: no descriptor, so that
 * pipes end; no directory, so that it can be unmounted; no session, so that Ctrl-C in the
 * terminal does not end it before the program. */
static _Noreturn void remove_when_ended(int program, const char *path)
{
  struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
  setsid();
  dup2(program, STDIN_FILENO);
  idem_close_range(STDIN_FILENO + 1, ~0u, 0);
  if (chdir("/") == 0)
    while (poll(&end, 1, -1) < 0 && errno == EINTR)
      ;
  cli_remove_temporary(path);
  _exit(0);
}

/* Where the kernel cannot do it, an empty file or two in a temporary directory is all that stays. */
void cli_remove_at_end(const char *path)
{
  int program = idem_pidfd_open(getpid()), status;
  /* Two forks: the one between ends at once and is waited for, so the watcher is init's child, and the
   * program never meets a child that it has not made. */
  pid_t between = program < 0 ? -1 : fork();
  if (between == 0) {
    if (fork() == 0)
      remove_when_ended(program, path);
    _exit(0);
  }
  while (between > 0 && waitpid(between, &status, 0) < 0 && errno == EINTR)
    ;
  if (program >= 0)
    close(program);
}
