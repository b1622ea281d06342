/* SPDX-License-Identifier: MIT */
/*
 * plugin: a shared object that is linked to a libcurl, for programs that are not or that have another one.
 */
#ifndef CLIENT_PLUGIN_H
#define CLIENT_PLUGIN_H

/* The names by which the functions are looked up. Each returns 0 if all went well. */
#define PLUGIN_POST    "plugin_post"    /* one POST, and a line about it under `name` */
#define PLUGIN_VERSION "plugin_version" /* curl_version() of its libcurl */

typedef int plugin_post_fn(const char *name, const char *url, const char *body);
typedef const char *plugin_version_fn(void);

#endif
