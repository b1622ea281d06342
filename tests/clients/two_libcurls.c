/* SPDX-License-Identifier: MIT */
/*
 * two_libcurls URL BODY [PLUGIN]
 *
 * Two flavours of libcurl in one process: this program is linked to the OpenSSL one, and the plugin (default:
 * the one beside it) to the GnuTLS one. Each makes the call, and each must go through its own.
 */
#include "tests/clients/plugin/plugin.h"
#include "tests/clients/post.h"

int main(int argc, char **argv)
{
  void *plugin = argc < 3 ? NULL : plugin_open(argc > 3 ? argv[3] : "plugin-gnutls.so");
  plugin_version_fn *version = plugin ? dlsym(plugin, PLUGIN_VERSION) : NULL;
  plugin_post_fn *post = plugin ? dlsym(plugin, PLUGIN_POST) : NULL;
  int failed;

  if (!version || !post) {
    fprintf(stderr, "usage: two_libcurls URL BODY [PLUGIN] (%s)\n", dlerror());
    return 2;
  }
  printf("main %s\n", curl_version());
  printf("plugin %s\n", version());
  failed = post_once("main", argv[1], argv[2]);
  failed |= post("plugin", argv[1], argv[2]);
  failed |= post_once("main", argv[1], argv[2]);
  return failed;
}
