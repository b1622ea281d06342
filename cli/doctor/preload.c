/* SPDX-License-Identifier: MIT */
/* Our library, and those that are preloaded beside it. */
#include "cli/doctor/doctor.h"

#include "cli/launch/launch.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library's exports say what it can do: the multi interface takes both ends of a transfer. */
void doctor_look_at_library(struct doctor *doctor)
{
  struct cli_elf elf;
  if (!doctor->library || cli_elf_open(&elf, doctor->library) < 0) {
    doctor_find(doctor, DOCTOR_NO_LIBRARY, "%s", "../" IDEM_LIB);
    return;
  }
  doctor->hooks.multi =
      cli_elf_exports(&elf, "curl_multi_add_handle") && cli_elf_exports(&elf, "curl_multi_remove_handle");
  doctor->hooks.dlsym = cli_elf_exports(&elf, "dlsym");
  doctor->hooks.dlopen = cli_elf_exports(&elf, "dlopen");
  cli_elf_close(&elf);
}

/* A mode other than idempotent is no mistake, but with it a hit is not to be expected. */
void doctor_find_mode(struct doctor *doctor, enum idem_mode mode)
{
  static const char *const words[] = {
      [IDEM_MODE_OBSERVE] = "observe: every call goes out live, and what would be saved is counted",
      [IDEM_MODE_RECORD] = "record: every call goes out live, and onto the tape",
      [IDEM_MODE_REPLAY] = "replay: no call that meets a rule goes out, the tape answers",
      [IDEM_MODE_OFF] = "off: every call goes out live",
  };
  if (mode > IDEM_MODE_IDEMPOTENT && mode <= IDEM_MODE_OFF)
    doctor_find(doctor, mode == IDEM_MODE_REPLAY ? DOCTOR_REPLAYS : DOCTOR_MODE, "%s", words[mode]);
}

/* Where a value comes from that somebody has given. A default is no finding. */
void doctor_find_setting(struct doctor *doctor, size_t number, bool has_value, const char *file,
                         unsigned line)
{
  if (file)
    doctor_find(doctor, DOCTOR_SETTING, "%s comes from %s line %u", idem_variable_docs[number].name, file,
                line);
  else if (has_value)
    doctor_find(doctor, DOCTOR_SETTING, "%s comes from its environment", idem_variable_docs[number].name);
}

/* What the environment and the files would give a command. */
void doctor_look_at_config(struct doctor *doctor)
{
  struct idem_config config;
  struct idem_error error = {""};
  if (idem_config_load(&config, getenv, &error) < 0) {
    doctor_find(doctor, DOCTOR_CONFIG, "%s", error.text);
    return;
  }
  for (size_t i = 0; i < sizeof(config.ignored) / sizeof(config.ignored[0]) && config.ignored[i]; i++)
    doctor_find(doctor, DOCTOR_CONFIG_IGNORED, "%s", config.ignored[i]);
  doctor_find_mode(doctor, config.mode);
  /* The library that the command will get has the hooks, and will not use them. */
  if (!config.hook_dl)
    doctor->hooks.dlsym = doctor->hooks.dlopen = false;
  idem_config_release(&config);
}

/* ---- others ---- */

/* Any of these in another preload stands between the program and us, or between us and libcurl. */
static const char *const shared_names[] = {"curl_easy_perform", "curl_easy_setopt", "curl_multi_add_handle",
                                           "curl_multi_perform"};

/* Another preload may take libcurl's functions, or dlsym() from those who look for them. An entry without a
 * slash is looked for as libraries are. */
static void look_at_another(struct doctor *doctor, const char *name, bool is_first)
{
  char path[PATH_MAX];
  struct cli_elf elf;
  bool takes = false;
  const char *found = strchr(name, '/') ? name : cli_elf_cache(name, 0, path, sizeof(path));
  if (!found || cli_elf_open(&elf, found) < 0)
    return;
  for (size_t i = 0; i < sizeof(shared_names) / sizeof(shared_names[0]) && !elf.foreign; i++)
    takes |= cli_elf_exports(&elf, shared_names[i]);
  bool takes_dlsym = !elf.foreign && cli_elf_exports(&elf, "dlsym");
  cli_elf_close(&elf);
  if (takes)
    doctor_find(doctor, is_first ? DOCTOR_OTHER_FIRST : DOCTOR_OTHER_AFTER, "%s", name);
  else if (takes_dlsym && is_first)
    doctor_find(doctor, DOCTOR_DLSYM_FIRST, "%s", name);
}

/* Takes the list apart. Ours comes first where it is not named at all, for `idemshim run` puts it there; it
 * is known by the last part of its path, wherever it is installed. */
static void look_at_list(struct doctor *doctor, char *list, bool ours_is_there)
{
  /* Spaces or colons in LD_PRELOAD (ld.so(8)), and lines in the file. */
  for (char *name; (name = strsep(&list, ": \t\n"));) {
    const char *slash = strrchr(name, '/');
    if (strcmp(slash ? slash + 1 : name, "libidemshim.so") == 0)
      ours_is_there = true;
    else if (*name)
      look_at_another(doctor, name, !ours_is_there);
  }
}

/* The order of the list decides who sees a call first, so what is before ours is another finding than what is
 * after it. The file is looked at last, as the dynamic linker does: what LD_PRELOAD names comes before it. */
void doctor_look_at_preloads(struct doctor *doctor, const char *preload)
{
  char text[4096], *list = preload ? strdup(preload) : NULL;
  FILE *file = fopen("/etc/ld.so.preload", "re");
  if (list)
    look_at_list(doctor, list, !strstr(list, "libidemshim.so"));
  text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
  look_at_list(doctor, text, true);
  if (file)
    fclose(file);
  free(list);
}
