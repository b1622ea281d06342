/* SPDX-License-Identifier: MIT */
/*
 * Which file would run if a name were executed, and would the dynamic linker give it a preload? The kernel
 * and execvp(3) are imitated: PATH, scripts and their interpreters, env(1) in a first line. It is only ever
 * used to warn or to explain; what runs is decided by execvp() itself.
 */
#include "cli/launch/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A script's interpreter may be a script; Linux itself gives up at this depth. */
enum { DEEPEST = 4, FIRST_LINE = 256 };

/* ---- who it would run as, and how it is linked ---- */

/* The cases in which the kernel starts a program in secure mode, where the dynamic linker ignores LD_PRELOAD.
 */
const char *cli_program_privilege(int fd)
{
  struct stat file;
  if (fstat(fd, &file) < 0)
    return NULL;
  if (file.st_mode & S_ISUID && file.st_uid != getuid())
    return "is setuid";
  if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file.st_gid != getgid())
    return "is setgid";
  if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
    return "has file capabilities";
  return NULL;
}

/* A static program has no dynamic linker that could load anything; musl's does not know glibc's
 * symbols. */
const char *cli_program_linkage(const struct cli_elf *elf)
{
  const char *linker = elf->foreign ? NULL : cli_elf_interpreter(elf);
  if (elf->foreign)
    return "is made for another kind of machine than libidemshim.so";
  if (!linker)
    return "is linked statically";
  return strstr(linker, "/ld-musl") ? "is linked with musl, and libidemshim.so is made for glibc" : NULL;
}

/* ---- finding the file ---- */

/* A regular file that we may execute. A directory of that name is passed over, as execvp(3) does. */
static bool try_path(char *out, size_t size, const char *directory, size_t len, const char *name)
{
  struct stat file;
  int needed = snprintf(out, size, "%.*s%s%s", (int)len, directory, len ? "/" : "", name);
  return needed > 0 && (size_t)needed < size && stat(out, &file) == 0 && S_ISREG(file.st_mode) &&
         access(out, X_OK) == 0;
}

/* As execvp(3): a name with a slash is a path, others are looked for in PATH, where an empty
 * entry is the directory that we are in. */
static bool find(char *out, size_t size, const char *name)
{
  const char *path = getenv("PATH");
  if (strchr(name, '/'))
    return try_path(out, size, "", 0, name);
  for (const char *at = path ? path : "/bin:/usr/bin";; at++) {
    size_t len = strcspn(at, ":");
    if (try_path(out, size, at, len, name))
      return true;
    at += len;
    if (!*at)
      return false;
  }
}

/* ---- scripts ---- */

/* Cuts the line at its next blank; NULL at its end. */
static char *next_word(char **line)
{
  char *word = *line + strspn(*line, " \t");
  *line = word + strcspn(word, " \t");
  if (**line)
    *(*line)++ = '\0';
  return *word ? word : NULL;
}

/* The word of the line behind "#!" that names the interpreter. The kernel gives everything behind the
 * interpreter's name as one argument; env -S splits it again. Behind env(1), wherever it is installed, its
 * options are passed over, and so are variables that it is to set, until the first word that is neither. */
static const char *interpreter(char *line, bool *clears)
{
  char *word = next_word(&line), *slash = word ? strrchr(word, '/') : NULL;
  if (!word || strcmp(slash ? slash + 1 : word, "env") != 0)
    return word;
  while ((word = next_word(&line)) && (word[0] == '-' || strchr(word, '=')))
    *clears |= strcmp(word, "-i") == 0 || strcmp(word, "-") == 0 || strcmp(word, "--ignore-environment") == 0;
  return word;
}

/* What the kernel would make of a file. */
enum kind { IS_ELF, IS_SCRIPT, IS_NEITHER };

/* Reads the beginning of a file; for a script, `line` is what stands behind "#!". */
static int look_at_start(const char *path, char line[FIRST_LINE], enum kind *kind)
{
  char start[FIRST_LINE] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : pread(fd, start, sizeof(start) - 1, 0);
  int result = n < 0 ? -errno : 0;
  if (fd >= 0)
    close(fd);
  start[strcspn(start, "\r\n")] = '\0';
  *kind = memcmp(start, ELFMAG, SELFMAG) == 0 ? IS_ELF : memcmp(start, "#!", 2) == 0 ? IS_SCRIPT : IS_NEITHER;
  snprintf(line, FIRST_LINE, "%s", *kind == IS_SCRIPT ? start + 2 : "");
  return result;
}

/* Follows interpreters as the kernel does, to the same depth. */
int cli_program_find(const char *name, struct cli_program *out)
{
  char line[FIRST_LINE];
  *out = (struct cli_program){.path = ""};
  for (int depth = 0; name && depth <= DEEPEST; depth++) {
    enum kind kind;
    char path[PATH_MAX];
    bool found = find(path, sizeof(path), name);
    snprintf(out->path, sizeof(out->path), "%s", found ? path : name);
    if (!found)
      return strchr(name, '/') && (access(name, F_OK) == 0 || errno == EACCES) ? -EACCES : -ENOENT;
    int result = look_at_start(out->path, line, &kind);
    if (result < 0 || kind == IS_ELF)
      return result;
    if (kind == IS_NEITHER)
      return -ENOEXEC;
    if (depth == 0)
      memcpy(out->script, out->path, sizeof(out->script));
    name = interpreter(line, &out->clears);
  }
  return -ENOEXEC;
}

/* ---- the warning ---- */

/* Privilege comes first: a setuid program may be linked as it likes. */
bool cli_program_problem(const char *name, char *reason, size_t size)
{
  struct cli_program program;
  struct cli_elf elf = {0};
  int fd = cli_program_find(name, &program) == 0 ? open(program.path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0)
    return false;
  const char *problem = cli_program_privilege(fd);
  if (!problem && cli_elf_open_fd(&elf, fd) == 0)
    problem = cli_program_linkage(&elf);
  cli_elf_close(&elf);
  close(fd);
  bool script = program.script[0];
  if (problem)
    snprintf(reason, size, "%s%s%s%s, and cannot be given a preload", script ? "is a script for " : "",
             script ? program.path : "", script ? ", which " : "", problem);
  return problem;
}
