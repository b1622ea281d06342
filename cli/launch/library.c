/* SPDX-License-Identifier: MIT */
#include "cli/launch/library.h"

#include "cli/command/command.h"
#include "cli/output/message.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Relative to the command's own directory: a build tree, then the two ways to install. */
static const char *const places[] = {".", "../lib", "../lib/idemshim"};

static char *own_directory(void)
{
  char *path = realpath("/proc/self/exe", NULL), *slash = path ? strrchr(path, '/') : NULL;
  if (slash)
    *slash = '\0';
  return path;
}

/* The absolute path of `name` in one of the places, or NULL. */
static char *find_in(const char *directory, const char *place, const char *name)
{
  char *path = NULL;
  if (asprintf(&path, "%s/%s/%s", directory, place, name) < 0)
    return NULL;
  char *found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
  free(path);
  return found;
}

static char *find(const char *directory)
{
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
    char *front = find_in(directory, places[i], "libidemshim.so");
    char *store = find_in(directory, places[i], "libidemshim-store.so");
    free(store);
    if (front && store)
      return front;
    free(front);
  }
  return NULL;
}

static bool names(const char *preload, const char *library)
{
  size_t len = strlen(library);
  for (const char *at = preload; *at; at += strcspn(at, ": "), at += strspn(at, ": "))
    if (strncmp(at, library, len) == 0 && (at[len] == '\0' || at[len] == ':' || at[len] == ' '))
      return true;
  return false;
}

static int preload(const char *library)
{
  const char *before = getenv("LD_PRELOAD");
  bool keep = before && *before;
  char *value = NULL;
  if (strpbrk(library, ": "))
    return cli_fail(CLI_USAGE,
                    "%s: LD_PRELOAD cannot hold a path with a blank or a colon; install it elsewhere",
                    library);
  if (keep && names(before, library))
    return CLI_OK;
  if (asprintf(&value, "%s%s%s", library, keep ? ":" : "", keep ? before : "") < 0)
    return cli_fail(CLI_USAGE, "out of memory");
  int failed = setenv("LD_PRELOAD", value, 1) < 0;
  free(value);
  return failed ? cli_fail(CLI_USAGE, "LD_PRELOAD cannot be set: %s", strerror(errno)) : CLI_OK;
}

char *cli_find_library(void)
{
  char *directory = own_directory(), *library = directory ? find(directory) : NULL;
  free(directory);
  return library;
}

int cli_preload_library(void)
{
  char *directory = own_directory(), *library = directory ? find(directory) : NULL;
  int code =
      library ? preload(library)
              : cli_fail(
                    CLI_USAGE,
                    "libidemshim.so and libidemshim-store.so are not beside this command (%s), nor in ../lib "
                    "or ../lib/idemshim; install all three together",
                    directory ? directory : strerror(errno));
  free(library);
  free(directory);
  return code;
}
