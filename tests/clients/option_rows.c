/* SPDX-License-Identifier: MIT */
/*
 * option_rows
 *
 * Prints the name of each option of this libcurl that shim/handle/options.h has no row for; it is linked with
 * that table. The last line counts the options that were looked at.
 */
#include "shim/handle/options.h"

#include <stdio.h>

int main(void)
{
  unsigned count = 0;

#if LIBCURL_VERSION_NUM >= 0x074900
  for (const struct curl_easyoption *option = NULL; (option = curl_easy_option_next(option)); count++)
    if (option_row(option->id)->kind == OPTION_UNKNOWN)
      printf("CURLOPT_%s\n", option->name);
#endif
  printf("%u options\n", count);
  return 0;
}
