/* SPDX-License-Identifier: MIT */
/*
 * held_handles COUNT URL
 *
 * Makes COUNT handles, keeps all of them, and makes a call with every thousandth and with the last. Exits 0
 * if each has ended well.
 */
#include "tests/clients/post.h"

int main(int argc, char **argv)
{
  long count = argc == 3 ? atol(argv[1]) : 0, made = 0;
  CURL **handles = calloc((size_t)count + 1, sizeof(*handles));
  struct reply reply = {0};
  int failed = !handles || !count;
  for (; !failed && made < count; made++)
    failed = !(handles[made] = post_new(argv[2], "{\"prompt\":1}", &reply));
  for (long i = count - 1; !failed && i >= 0; i -= 1000)
    failed = curl_easy_perform(handles[i]) != CURLE_OK;
  for (long i = 0; i < made; i++)
    curl_easy_cleanup(handles[i]);
  free(handles);
  free(reply.bytes);
  printf("%ld handles\n", made);
  return failed;
}
