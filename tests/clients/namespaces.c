/* SPDX-License-Identifier: MIT */
/*
 * namespaces URL BODY
 *
 * Makes the same call twice through a libcurl in a linker namespace of its own (dlmopen), and is linked with
 * none.
 */
#include <dlfcn.h>
#include <stdio.h>

enum { POSTFIELDS = 10015, URL = 10002, NOSIGNAL = 99, PROXY = 10004 };

int main(int argc, char **argv)
{
  void *libcurl = argc == 3 ? dlmopen(LM_ID_NEWLM, "libcurl.so.4", RTLD_NOW) : NULL;
  void *(*init)(void) = libcurl ? (void *(*)(void))dlsym(libcurl, "curl_easy_init") : NULL;
  int (*setopt)(void *, int, ...) =
      libcurl ? (int (*)(void *, int, ...))dlsym(libcurl, "curl_easy_setopt") : NULL;
  int (*perform)(void *) = libcurl ? (int (*)(void *))dlsym(libcurl, "curl_easy_perform") : NULL;
  void (*cleanup)(void *) = libcurl ? (void (*)(void *))dlsym(libcurl, "curl_easy_cleanup") : NULL;

  if (!init || !setopt || !perform || !cleanup) {
    fprintf(stderr, "usage: namespaces URL BODY (%s)\n", dlerror());
    return 2;
  }
  for (int i = 0; i < 2; i++) {
    void *handle = init();
    setopt(handle, URL, argv[1]);
    setopt(handle, POSTFIELDS, argv[2]);
    setopt(handle, PROXY, "");
    setopt(handle, NOSIGNAL, 1L);
    int code = perform(handle);
    cleanup(handle);
    if (code)
      return 1;
  }
  return 0;
}
