/* SPDX-License-Identifier: MIT */
/* Our library, and those that are preloaded beside it. */
#include "cli/doctor/doctor.h"

#include "cli/elf/elf_cache.h"
#include "cli/launch/launch.h"
#include "cli/view/rules.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library's exports say what it can do: the multi interface takes both ends of a transfer. */
void doctor_look_at_library(struct doctor *doctor)
{
  struct cli_elf elf;
  if (!doctor->library || cli_elf_open(&elf, doctor->library) < 0) {
    doctor_find(doctor, DOCTOR_NO_LIBRARY, "%s", "../lib or ../lib/idemshim");
    return;
  }
  doctor->hooks.multi =
      cli_elf_exports(&elf, "curl_multi_add_handle") && cli_elf_exports(&elf, "curl_multi_remove_handle");
  doctor->hooks.dlsym = cli_elf_exports(&elf, "dlsym");
  doctor->hooks.dlopen = cli_elf_exports(&elf, "dlopen");
  cli_elf_close(&elf);
}

/* A mode other than idempotent is no mistake, but with it a hit is not to be expected. */
void doctor_look_at_config(struct doctor *doctor, char *(*get)(const char *name))
{
  struct idem_config config;
  struct idem_error error = {""};
  if (idem_config_load(&config, get, &error) < 0) {
    doctor_find(doctor, DOCTOR_CONFIG, "%s", error.text);
    return;
  }
  if (config.mode != IDEM_MODE_IDEMPOTENT)
    doctor_find(doctor, DOCTOR_MODE, "%s", cli_mode_name(config.mode));
  if (!config.hook_dl)
    doctor->hooks.dlsym = doctor->hooks.dlopen = false;
  idem_config_release(&config);
}

/* ---- others ---- */

/* Any of these in another preload stands between the program and us, or between us and libcurl. */
static const char *const shared_names[] = {"curl_easy_perform", "curl_easy_setopt", "curl_multi_add_handle",
                                           "curl_multi_perform"};

/* An object that is preloaded and exports what we export stands in our way, or we in its. */
static bool takes_our_calls(const char *path)
{
  struct cli_elf elf;
  bool takes = false;
  if (cli_elf_open(&elf, path) < 0)
    return false;
  for (size_t i = 0; i < sizeof(shared_names) / sizeof(shared_names[0]) && !elf.foreign; i++)
    takes |= cli_elf_exports(&elf, shared_names[i]);
  cli_elf_close(&elf);
  return takes;
}

/* An entry without a slash is looked for as libraries are. */
static bool look_at_entry(const char *entry, size_t len)
{
  char name[PATH_MAX], path[PATH_MAX];
  if (len >= sizeof(name))
    return false;
  snprintf(name, sizeof(name), "%.*s", (int)len, entry);
  if (strchr(name, '/'))
    return takes_our_calls(name);
  return cli_elf_cache(name, 0, path, sizeof(path)) && takes_our_calls(path);
}

/* By the last part of the path, wherever it is installed. */
static bool is_ours(const char *entry, size_t len)
{
  static const char name[] = "libidemshim.so";
  size_t own = sizeof(name) - 1;
  return len >= own && strncmp(entry + len - own, name, own) == 0 &&
         (len == own || entry[len - own - 1] == '/');
}

/* Ours comes first where it is not named at all, for `idemshim run` puts it there. */
static void look_at_list(struct doctor *doctor, const char *list, bool *ours_is_there)
{
  for (const char *at = list + strspn(list, ": \t\n"); *at; at += strspn(at, ": \t\n")) {
    size_t len = strcspn(at, ": \t\n");
    if (is_ours(at, len))
      *ours_is_there = true;
    else if (look_at_entry(at, len))
      doctor_find(doctor, *ours_is_there ? DOCTOR_OTHER_AFTER : DOCTOR_OTHER_FIRST, "%.*s", (int)len, at);
    at += len;
  }
}

/* Looked at last, as the dynamic linker does: what LD_PRELOAD names comes before it. */
static void look_at_file(struct doctor *doctor, const char *path)
{
  char text[4096];
  FILE *file = fopen(path, "re");
  size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
  bool ours_is_there = true; /* LD_PRELOAD comes before the file */
  text[len] = '\0';
  if (file)
    fclose(file);
  look_at_list(doctor, text, &ours_is_there);
}

/* The order of the list decides who sees a call first, so what is before ours is another finding
 * than what is after it. */
void doctor_look_at_preloads(struct doctor *doctor, const char *preload)
{
  bool ours_is_there = !preload || !strstr(preload, "libidemshim.so");
  if (preload)
    look_at_list(doctor, preload, &ours_is_there);
  look_at_file(doctor, "/etc/ld.so.preload");
}
