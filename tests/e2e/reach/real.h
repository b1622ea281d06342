/* SPDX-License-Identifier: MIT */
/*
 * real: programs of other people as Debian has them, each driven by a script of tests/clients/real that makes
 * some calls to one URL and prints all that it got.
 *
 *     if (!client_installed(&w, &clients[CLIENT_httr]))
 *       cr_skip_test("not installed: %s", clients[CLIENT_httr].packages);
 *     client_argv(&clients[CLIENT_httr], url, argv);
 */
#ifndef E2E_REAL_H
#define E2E_REAL_H

#include "tests/harness/harness.h"

/* X(name, Debian packages, program, its option or NULL, script, calls) */
#define CLIENTS(X)                                                                                           \
  X(curl, "curl", "/bin/sh", NULL, "curl.sh", 2)                                                             \
  X(curl_parallel, "curl", "/bin/sh", NULL, "curl_parallel.sh", 50)                                          \
  X(php_curl_exec, "php-cli php-curl", "/usr/bin/php", NULL, "curl_easy.php", 2)                             \
  X(php_curl_multi, "php-cli php-curl", "/usr/bin/php", NULL, "curl_multi.php", 5)                           \
  X(guzzle, "php-cli php-curl php-guzzlehttp-guzzle", "/usr/bin/php", NULL, "guzzle.php", 2)                 \
  X(guzzle_pool, "php-cli php-curl php-guzzlehttp-guzzle", "/usr/bin/php", NULL, "guzzle_pool.php", 6)       \
  X(pycurl_easy, "python3-pycurl", "/usr/bin/python3", NULL, "pycurl_easy.py", 2)                            \
  X(pycurl_multi, "python3-pycurl", "/usr/bin/python3", NULL, "pycurl_multi.py", 5)                          \
  X(tornado, "python3-tornado python3-pycurl", "/usr/bin/python3", NULL, "tornado_fetch.py", 5)              \
  X(ethon, "ruby-ethon", "/usr/bin/ruby", NULL, "ethon.rb", 2)                                               \
  X(typhoeus_hydra, "ruby-typhoeus", "/usr/bin/ruby", NULL, "typhoeus.rb", 5)                                \
  X(www_curl, "libwww-curl-perl", "/usr/bin/perl", NULL, "www_curl.pl", 2)                                   \
  X(www_curl_multi, "libwww-curl-perl", "/usr/bin/perl", NULL, "www_curl_multi.pl", 5)                       \
  X(lua_curl, "lua5.1 lua-curl", "/usr/bin/lua5.1", NULL, "lua_curl.lua", 2)                                 \
  X(luajit_ffi, "luajit", "/usr/bin/luajit", NULL, "luajit_ffi.lua", 2)                                      \
  X(ctypes, "python3", "/usr/bin/python3", NULL, "ctypes_ffi.py", 2)                                         \
  X(r_curl, "r-cran-curl", "/usr/bin/Rscript", NULL, "r_curl.R", 2)                                          \
  X(r_curl_multi, "r-cran-curl", "/usr/bin/Rscript", NULL, "r_curl_multi.R", 5)                              \
  X(httr, "r-cran-httr", "/usr/bin/Rscript", NULL, "httr.R", 2)                                              \
  X(cmake_download, "cmake", "/usr/bin/cmake", "-P", "download.cmake", 1)

struct client {
  const char *name, *packages, *program, *option, *script;
  int calls;
};

enum client_name {
#define X(name, packages, program, option, script, calls) CLIENT_##name,
  CLIENTS(X)
#undef X
};
extern const struct client clients[];

bool client_installed(struct world *w, const struct client *client);

/* Its command line; `url` must live as long. */
enum { CLIENT_ARGUMENTS = 5 };
void client_argv(const struct client *client, const char *url, const char *argv[CLIENT_ARGUMENTS]);

#endif
