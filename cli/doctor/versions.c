/* SPDX-License-Identifier: MIT */
/* Versions that do not fit: a libc older than what our objects need, and libcurls with more
 * options than we know. */
#include "cli/doctor/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The newest whose options are all in shim/libcurl/curl_compat.h. */
enum { NEWEST_MAJOR = 8, NEWEST_MINOR = 22 };

/* The N of "GLIBC_2.N"; 0 for another text. "GLIBC_2.2.5" counts as 2.2: anything that old is there in every
 * libc. */
static unsigned long minor_of(const char *version)
{
  static const char prefix[] = "GLIBC_2.";
  return strncmp(version, prefix, strlen(prefix)) == 0 ? strtoul(version + strlen(prefix), NULL, 10) : 0;
}

/* Of all that it wants from others; what is not glibc's has no number here. */
static unsigned long newest_needed(const struct cli_elf *elf)
{
  unsigned long newest = 0;
  const char *version;
  for (size_t n = 0; (version = cli_elf_needed_version(elf, n)); n++)
    newest = minor_of(version) > newest ? minor_of(version) : newest;
  return newest;
}

/* All that it defines stand in its table of strings, and no other text of libc looks like one. */
static unsigned long newest_defined(const struct cli_elf *libc)
{
  static const char prefix[] = "GLIBC_2.";
  const char *end = libc->bytes + libc->size;
  unsigned long newest = 0;
  for (const char *at = libc->bytes; (at = memmem(at, (size_t)(end - at), prefix, strlen(prefix)));) {
    char text[16] = "";
    /* A copy that ends: the file may end inside of the text. */
    memcpy(text, at, (size_t)(end - at) < sizeof(text) - 1 ? (size_t)(end - at) : sizeof(text) - 1);
    newest = minor_of(text) > newest ? minor_of(text) : newest;
    at += strlen(prefix);
  }
  return newest;
}

/* The store's object is beside the library, or in a directory of its own there. */
static void look_at_object(struct doctor *doctor, const char *directory, const char *name,
                           unsigned long there)
{
  char path[PATH_MAX];
  struct cli_elf elf;
  /* One of the two places has no file: nothing is said of that. */
  if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path) ||
      cli_elf_open(&elf, path) < 0)
    return;
  unsigned long needed = newest_needed(&elf);
  if (needed > there)
    doctor_find(doctor, DOCTOR_OLD_LIBC, "2.%lu, and %s needs 2.%lu", there, name, needed);
  cli_elf_close(&elf);
}

/* The libc that is among the program's own objects: in a container it is another one than the doctor's. */
static void look_at_libc(struct doctor *doctor)
{
  static const char *const ours[] = {"libidemshim.so", "libidemshim-store.so",
                                     "idemshim/libidemshim-store.so"};
  char directory[PATH_MAX];
  const char *slash = doctor->library ? strrchr(doctor->library, '/') : NULL;
  for (size_t i = 0; slash && i < doctor->objects.count; i++) {
    const struct cli_object *object = &doctor->objects.list[i];
    unsigned long there = strcmp(object->name, "libc.so.6") == 0 ? newest_defined(&object->elf) : 0;
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - doctor->library), doctor->library);
    for (size_t k = 0; there && k < sizeof(ours) / sizeof(ours[0]); k++)
      look_at_object(doctor, directory, ours[k], there);
  }
}

/* libcurl-impersonate has options, and a function that sets them, that no version of libcurl has. */
static void look_at_libcurls(struct doctor *doctor)
{
  for (size_t i = 0; i < doctor->libcurl_count; i++) {
    const struct doctor_libcurl *libcurl = &doctor->libcurls[i];
    int major, minor;
    struct cli_elf elf;
    if (sscanf(libcurl->version, "%d.%d", &major, &minor) == 2) {
      /* 7.68 is 7068. */
      if (major * 1000 + minor < 7068)
        doctor_find(doctor, DOCTOR_OLD, "%s", libcurl->version);
      if (major * 1000 + minor > NEWEST_MAJOR * 1000 + NEWEST_MINOR)
        doctor_find(doctor, DOCTOR_NEWER, "libcurl %s", libcurl->version);
    }
    if (cli_elf_open(&elf, libcurl->path) < 0)
      continue;
    if (cli_elf_exports(&elf, "curl_easy_impersonate"))
      doctor_find(doctor, DOCTOR_NEWER, "%s (curl_easy_impersonate)", libcurl->path);
    cli_elf_close(&elf);
  }
}

void doctor_look_at_versions(struct doctor *doctor)
{
  look_at_libc(doctor);
  look_at_libcurls(doctor);
}
