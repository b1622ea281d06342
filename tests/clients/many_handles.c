/* SPDX-License-Identifier: MIT */
/*
 * many_handles easy|multi COUNT URL [BODY]
 *
 * Makes COUNT handles one after the other, each for one transfer of its own, in a multi of its own for
 * `multi`; BODY makes it a POST. Says how far the heap has grown since a tenth of them were done. Exits 0 if
 * each transfer has ended well.
 */
#include "shim/libcurl/curl_compat.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sanitizer has an allocator of its own. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_in_use(void)
{
  if (__sanitizer_get_current_allocated_bytes)
    return __sanitizer_get_current_allocated_bytes();
#if __GLIBC_PREREQ(2, 33)
  return mallinfo2().uordblks;
#else
  return (unsigned)mallinfo().uordblks;
#endif
}

static size_t drop(char *data, size_t size, size_t count, void *unused)
{
  (void)data;
  (void)unused;
  return size * count;
}

static CURLcode perform_in_multi(CURL *handle)
{
  CURLM *multi = curl_multi_init();
  CURLMsg *message = NULL;
  CURLcode code = CURLE_FAILED_INIT;
  int running = 1, left;

  curl_multi_add_handle(multi, handle);
  while (running && curl_multi_perform(multi, &running) == CURLM_OK)
    if (running)
      curl_multi_poll(multi, NULL, 0, 1000, NULL);
  while ((message = curl_multi_info_read(multi, &left)))
    code = message->data.result;
  curl_multi_remove_handle(multi, handle);
  curl_multi_cleanup(multi);
  return code;
}

int main(int argc, char **argv)
{
  long count = argc > 3 ? atol(argv[2]) : 0;
  int in_multi = argc > 3 && strcmp(argv[1], "multi") == 0;
  size_t before = 0;

  if (count < 10) {
    fprintf(stderr, "usage: many_handles easy|multi COUNT URL [BODY]\n");
    return 2;
  }
  for (long i = 0; i < count; i++) {
    CURL *handle = curl_easy_init();
    CURLcode code;

    if (i == count / 10)
      before = heap_in_use();
    curl_easy_setopt(handle, CURLOPT_URL, argv[3]);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, drop);
    if (argc > 4)
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, argv[4]);
    code = in_multi ? perform_in_multi(handle) : curl_easy_perform(handle);
    curl_easy_cleanup(handle);
    if (code) {
      fprintf(stderr, "handle %ld: %s\n", i, curl_easy_strerror(code));
      return 1;
    }
  }
  printf("%ld\n", (long)heap_in_use() - (long)before);
  return 0;
}
