/* SPDX-License-Identifier: MIT */
#include "tests/clients/post.h"
#include "tests/clients/plugin/plugin.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT plugin_post_fn plugin_post;
EXPORT plugin_version_fn plugin_version;

int plugin_post(const char *name, const char *url, const char *body)
{
  int failed = post_once(name, url, body);

  curl_global_cleanup();
  return failed;
}

const char *plugin_version(void)
{
  return curl_version();
}
