/* SPDX-License-Identifier: MIT */
/*
 * Modules on the disk: what a runtime, or a server, may load for the code or the configuration that it is
 * given. The file of the program does not name them, so they are looked for where it would look.
 */
#include "cli/doctor/doctor.h"

#include <glob.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a process has not loaded, it may load yet. */
static enum doctor_kind kind_of(const struct doctor *doctor, const struct doctor_module *module)
{
  return doctor->pid ? DOCTOR_MODULE_LATER : module->only ? DOCTOR_MODULE_ONLY : DOCTOR_MODULE;
}

/* A module is on the disk, and may or may not be loaded by the code that will run: at most
 * "maybe", but for a program that has no other way to make a call. */
static void judge_use(struct doctor *doctor, const struct doctor_module *module,
                      const struct cli_objects *objects, const struct doctor_use *use)
{
  struct doctor_libcurl libcurl = doctor_read_libcurl(use->libcurl);
  /* The hook would take the flag away. */
  if (module->deep && !doctor->hooks.dlopen)
    doctor_find(doctor, DOCTOR_MODULE_DEEP, "%s", module->name);
  else if (use->easy || (use->multi && doctor->hooks.multi))
    doctor_find(doctor, kind_of(doctor, module), "%s (libcurl %s, %s)", module->name, libcurl.version,
                libcurl.tls);
  else if (use->multi)
    doctor_find(doctor, DOCTOR_MODULE_MULTI, "%s", module->name);
  if (use->easy && use->multi && !doctor->hooks.multi)
    doctor_find(doctor, DOCTOR_MULTI_TOO, "%s", objects->list[0].name);
}

/* A module brings what it needs with it, so it is followed like a program; one that does not even name
 * libcurl is not, for a server may have hundreds. */
static void look_at_file(struct doctor *doctor, const struct doctor_module *module, const char *path,
                         bool is_any)
{
  struct cli_objects objects = {0};
  if (cli_objects_add(&objects, path) < 0)
    return;
  const struct cli_elf *elf = &objects.list[0].elf;
  /* Of a directory of plugins: one may run code in a language, in which calls are made in ways of its own. */
  if (is_any)
    doctor_look_at_language(doctor, &objects.list[0]);
  if (cli_elf_find(elf, "curl_easy_") || cli_elf_find(elf, "curl_multi_") || doctor_find_version(elf)) {
    cli_objects_follow(&objects);
    struct doctor_use use = doctor_use_of(&objects);
    /* Somebody among the module and what it needs must call it: to be linked with it is not enough. */
    if (use.libcurl && use.caller)
      judge_use(doctor, module, &objects, &use);
    else if (!use.libcurl && doctor_find_version(&objects.list[0].elf))
      doctor_find(doctor, DOCTOR_MODULE_OWN, "%s", module->name);
  }
  cli_objects_release(&objects);
}

/* The directory above the one that a program is in. */
static bool prefix_of(const char *program, char out[PATH_MAX])
{
  char path[PATH_MAX];
  /* A copy, for dirname(3) writes to what it is given. */
  snprintf(path, sizeof(path), "%s", program);
  char *directory = dirname(path), *above = strrchr(directory, '/');
  if (!above)
    return false;
  *above = '\0';
  snprintf(out, PATH_MAX, "%s", directory);
  return true;
}

/* What a process has in memory is judged as that. */
static bool is_loaded(const struct doctor *doctor, const char *path)
{
  char *real = realpath(path, NULL);
  bool is = false;
  for (size_t i = 0; real && i < doctor->objects.count; i++)
    is |= strcmp(doctor->objects.list[i].path, real) == 0;
  free(real);
  return is;
}

/* Each file that the pattern finds is a module that may be used. One that opens libcurl by name is reached by
 * the hooks of dlopen and dlsym alone. */
static void look_below(struct doctor *doctor, const struct doctor_module *module, const char *prefix)
{
  const char *hole = strstr(module->pattern, "{}"), *home = getenv("HOME");
  char pattern[PATH_MAX + 128];
  glob_t found;
  /* A pattern begins with ~ or with its hole, or is one of the directory in which the doctor is asked, or of
   * the root. */
  if (module->pattern[0] == '~')
    snprintf(pattern, sizeof(pattern), "%s%s", home ? home : "", module->pattern + 1);
  else
    snprintf(pattern, sizeof(pattern), "%s%s", hole ? prefix : "", hole ? hole + 2 : module->pattern);
  if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
    return;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    /* What it has loaded has been looked at with its other objects. */
    if (doctor->pid && is_loaded(doctor, found.gl_pathv[i]))
      continue;
    struct doctor_module file = *module;
    const char *slash = strrchr(found.gl_pathv[i], '/');
    file.name = module->name ? module->name : slash ? slash + 1 : found.gl_pathv[i];
    if (!file.ffi)
      look_at_file(doctor, &file, found.gl_pathv[i], !module->name);
    /* That it is there is all that can be known: whoever calls by it has named libcurl in code. */
    else if (doctor->hooks.dlsym)
      doctor_find(doctor, kind_of(doctor, &file), "%s (through the dlopen/dlsym hooks)", file.name);
    else
      doctor_find(doctor, DOCTOR_FFI_MISSED, "%s", file.name);
  }
  globfree(&found);
}

/* A virtual environment's program is a link to the system's, and both places count. */
void doctor_look_at_module(struct doctor *doctor, const struct doctor_module *module)
{
  char prefix[PATH_MAX], *real = realpath(doctor->program.path, NULL);
  if (prefix_of(doctor->program.path, prefix))
    look_below(doctor, module, prefix);
  if (real && strcmp(real, doctor->program.path) != 0 && prefix_of(real, prefix))
    look_below(doctor, module, prefix);
  free(real);
}
