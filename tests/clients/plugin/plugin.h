/* SPDX-License-Identifier: MIT */
/*
 * plugin: a shared object that is linked to a libcurl, for programs that are not or that have another one.
 */
#ifndef CLIENT_PLUGIN_H
#define CLIENT_PLUGIN_H

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The names by which the functions are looked up. Each returns 0 if all went well. */
#define PLUGIN_POST    "plugin_post"    /* one POST, and a line about it under `name` */
#define PLUGIN_VERSION "plugin_version" /* curl_version() of its libcurl */

typedef int plugin_post_fn(const char *name, const char *url, const char *body);
typedef const char *plugin_version_fn(void);

/* Opens the plugin of that name beside this program, or at that path if it has one. Not "$ORIGIN": whose
 * origin that is depends on who hooks dlopen(). NULL: dlerror() says why. */
static inline void *plugin_open(const char *name)
{
  char path[PATH_MAX + 64];
  ssize_t link = strchr(name, '/') ? 0 : readlink("/proc/self/exe", path, PATH_MAX);
  size_t dir = link > 0 ? (size_t)link : 0;

  while (dir && path[dir - 1] != '/')
    dir--;
  snprintf(path + dir, sizeof path - dir, "%s", name);
  return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

#endif
