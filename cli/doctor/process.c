/* SPDX-License-Identifier: MIT */
/* A process that runs: what it has in memory, and what it was started with. */
#include "cli/doctor/doctor.h"

#include "cli/command/command.h"
#include "cli/output/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything is read once, at the beginning: the process goes on meanwhile, and findings must not
 * contradict each other. */
struct process {
  pid_t pid;
  char root[32]; /* what its paths are opened below: "" if it sees the files that we see */
  char *environment, *maps;
  size_t environment_size;
};

/* The whole file with a NUL behind it; the caller frees it. NULL with errno set if it cannot be read. */
static char *read_proc(pid_t pid, const char *name, size_t *size)
{
  char path[64], *text = NULL, block[4096];
  snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  FILE *out = fd < 0 ? NULL : open_memstream(&text, size);
  ssize_t n = out ? 1 : -1;
  /* Files of /proc have no size: they are read until they end. */
  while (n > 0 && (n = read(fd, block, sizeof(block))) > 0)
    fwrite(block, 1, (size_t)n, out);
  int error = errno;
  if (out && (fclose(out) != 0 || n < 0)) {
    free(text);
    text = NULL;
  }
  if (fd >= 0)
    close(fd);
  errno = error;
  return text;
}

/* What stands behind "NAME=", or the beginning of a name, as the process had it when its program started. */
static const char *variable(const struct process *process, const char *start)
{
  const char *end = process->environment + process->environment_size;
  for (const char *at = process->environment; at < end; at += strlen(at) + 1)
    if (strncmp(at, start, strlen(start)) == 0)
      return at + strlen(start);
  return NULL;
}

/* ---- memory ---- */

/* The path of the next line of maps that has one; its line ends there. */
static char *next_path(char **maps)
{
  for (char *line; (line = strsep(maps, "\n"));) {
    /* The heap, the stack and the kernel's own pages have a name in brackets, or none. */
    char *path = strchr(line, '/');
    if (path)
      return path;
  }
  return NULL;
}

/* A file has several lines in a row. The program comes first, whatever the order of the addresses. */
static void add_objects(struct doctor *doctor, const struct process *process)
{
  char path[PATH_MAX + 32], *copy = strdup(process->maps), *at = copy;
  const char *last = "";
  for (char *name; at && (name = next_path(&at));) {
    if (strcmp(name, last) == 0)
      continue;
    last = name;
    snprintf(path, sizeof(path), "%s%s", process->root, name);
    /* What cannot be opened (a file that is gone, a device) is left out. */
    if (strcmp(path, doctor->objects.list[0].path) != 0)
      cli_objects_add(&doctor->objects, path);
  }
  free(copy);
}

/* The path of an object that is in memory under this name, although its file may have been replaced since;
 * NULL if none is. The caller frees it. */
static char *find_mapped(const struct process *process, const char *name)
{
  char *copy = strdup(process->maps), *at = copy, *out = NULL;
  for (char *path; !out && at && (path = next_path(&at));) {
    const char *last = strrchr(path, '/') + 1, *behind = last + strlen(name);
    /* The kernel puts " (deleted)" behind a path whose file is gone; the same path may lead to a new one. */
    bool called = strncmp(last, name, strlen(name)) == 0 && (!*behind || strcmp(behind, " (deleted)") == 0);
    if (called && asprintf(&out, "%s%.*s", process->root, (int)strcspn(path, " "), path) < 0)
      out = NULL;
  }
  free(copy);
  return out;
}

/* ---- why our library is not there ---- */

/* True if the kernel told the dynamic linker (AT_SECURE) that the process has more rights than who started
 * it. */
static bool is_secure(pid_t pid)
{
  size_t size = 0;
  char *text = read_proc(pid, "auxv", &size);
  bool secure = false;
  for (size_t i = 0; text && i + sizeof(Elf64_auxv_t) <= size; i += sizeof(Elf64_auxv_t)) {
    Elf64_auxv_t entry;
    memcpy(&entry, text + i, sizeof(entry));
    secure |= entry.a_type == AT_SECURE && entry.a_un.a_val;
  }
  free(text);
  return secure;
}

/* A parent with the library in memory had it preloaded, so somebody between it and this process
 * took LD_PRELOAD out. */
static bool parent_has_it(pid_t pid)
{
  size_t size;
  char *status = read_proc(pid, "status", &size), *line = status ? strstr(status, "\nPPid:") : NULL;
  pid_t parent = line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
  char *maps = parent > 0 ? read_proc(parent, "maps", &size) : NULL;
  bool has = maps && strstr(maps, "/libidemshim.so");
  free(maps);
  free(status);
  return has;
}

/* From what cannot be helped to what is easily helped; the first that holds is the reason. */
static void explain_absence(struct doctor *doctor, const struct process *process)
{
  const char *preload = variable(process, "LD_PRELOAD=");
  const char *linkage = cli_program_linkage(&doctor->objects.list[0].elf);
  if (linkage)
    doctor_find(doctor, DOCTOR_LINKAGE, "it %s", linkage);
  else if (is_secure(process->pid))
    doctor_find(doctor, DOCTOR_SECURE, "%s", "");
  else if (preload && strstr(preload, "libidemshim.so"))
    doctor_find(doctor, DOCTOR_NOT_LOADED, "%s", preload);
  else if (parent_has_it(process->pid))
    doctor_find(doctor, DOCTOR_CLEARED, "%s", "its parent has libidemshim.so");
  else if (variable(process, "IDEMSHIM_")) /* somebody meant it to be covered */
    doctor_find(doctor, DOCTOR_CLEARED, "%s", "it has IDEMSHIM_ variables without it");
  else
    doctor_find(doctor, DOCTOR_NOT_STARTED, "%s", "");
}

/* ---- the look ---- */

/* The library that is in memory is asked, not the one beside this command: they may be of
 * different versions. */
static void look(struct doctor *doctor, const struct process *process)
{
  char *ours = find_mapped(process, "libidemshim.so");
  if (ours) {
    free(doctor->library);
    doctor->library = ours;
    doctor_find(doctor, DOCTOR_MAPPED, "%s", "");
    doctor->secure = is_secure(process->pid);
    if (doctor->secure)
      doctor_find(doctor, DOCTOR_SECURE_OFF, "%s", "");
    doctor_look_at_library(doctor);
    /* Before the looks at its calls: what was counted, and what its settings have switched off, decides what
     * these leave open. */
    doctor_look_at_vitals(doctor, process->maps);
    doctor_look_at_preloads(doctor, variable(process, "LD_PRELOAD="));
  } else {
    explain_absence(doctor, process);
    doctor_look_at_library(doctor);
  }
  doctor_look_at_calls(doctor);
}

/* The program's own file, which may have been replaced or removed since. In a container, or a chroot, paths
 * are other files: those in /proc/PID/maps are as the process sees them. If its root is another directory
 * than ours, they are opened below /proc/PID/root, which the kernel has for exactly that. */
static int add_program(struct doctor *doctor, struct process *process)
{
  struct stat own, its;
  char link[64], target[PATH_MAX];
  snprintf(process->root, sizeof(process->root), "/proc/%d/root", (int)process->pid);
  if (stat("/", &own) < 0 || stat(process->root, &its) < 0 ||
      (own.st_dev == its.st_dev && own.st_ino == its.st_ino))
    process->root[0] = '\0';
  snprintf(link, sizeof(link), "/proc/%d/exe", (int)process->pid);
  ssize_t len = readlink(link, target, sizeof(target) - 1);
  if (len < 0)
    return -errno;
  target[len] = '\0';
  size_t room = sizeof(doctor->program.path);
  if ((size_t)snprintf(doctor->program.path, room, "%s%s", process->root, target) >= room)
    return -ENAMETOOLONG;
  /* Where that file is gone or cannot be opened by its path, the link still leads to it. */
  int result = cli_objects_add(&doctor->objects, doctor->program.path);
  return result < 0 ? cli_objects_add(&doctor->objects, link) : result;
}

/* Needs the right to read /proc/PID/environ and maps; without it nothing can be said, and that is
 * said. */
int doctor_look_at_process(struct doctor *doctor)
{
  struct process process = {.pid = doctor->pid};
  size_t size;
  int result = kill(doctor->pid, 0) < 0 && errno == ESRCH ? -ESRCH : add_program(doctor, &process);
  process.environment = result < 0 ? NULL : read_proc(doctor->pid, "environ", &process.environment_size);
  process.maps = process.environment ? read_proc(doctor->pid, "maps", &size) : NULL;
  if (process.maps) {
    add_objects(doctor, &process);
    look(doctor, &process);
  } else {
    cli_fail(CLI_STORE, "process %d cannot be looked at: %s", (int)doctor->pid,
             strerror(result < 0 ? -result : errno));
  }
  free(process.environment);
  int code = process.maps ? CLI_OK : CLI_STORE;
  free(process.maps);
  return code;
}
