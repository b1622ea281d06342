/* SPDX-License-Identifier: MIT */
/*
 * unload_plugin URL BODY [PLUGIN]
 *
 * A program without libcurl whose plugin (default: the OpenSSL flavour beside it) brings one in with
 * RTLD_LOCAL, uses it, and is closed; three times over. Prints how many descriptors and threads there are
 * each time.
 */
#include "tests/clients/plugin/plugin.h"

#include <dirent.h>

enum { ROUNDS = 3 };

/* Without "." and "..", and without the descriptor that is reading. */
static int count_entries(const char *path, int own)
{
  DIR *dir = opendir(path);
  int count = -2 - own;

  while (dir && readdir(dir))
    count++;
  if (dir)
    closedir(dir);
  return count;
}

static void print_counts(const char *when)
{
  printf("%s fds=%d tasks=%d\n", when, count_entries("/proc/self/fd", 1),
         count_entries("/proc/self/task", 0));
}

static int use(const char *name, const char *url, const char *body)
{
  void *plugin = plugin_open(name);
  plugin_post_fn *post = plugin ? dlsym(plugin, PLUGIN_POST) : NULL;
  int failed = post ? post("plugin", url, body) : 1;

  if (!post)
    fprintf(stderr, "unload_plugin: %s\n", dlerror());
  if (plugin)
    dlclose(plugin);
  return failed;
}

int main(int argc, char **argv)
{
  int failed = 0;

  if (argc < 3) {
    fprintf(stderr, "usage: unload_plugin URL BODY [PLUGIN]\n");
    return 2;
  }
  print_counts("before");
  for (int round = 0; round < ROUNDS; round++) {
    failed |= use(argc > 3 ? argv[3] : "plugin-openssl.so", argv[1], argv[2]);
    print_counts("after");
  }
  return failed;
}
