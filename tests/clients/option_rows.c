/* SPDX-License-Identifier: MIT */
/*
 * option_rows
 *
 * Prints the name of each option of this libcurl, and the number of each of the curl.h that it is built with,
 * that shim/handle/options.h has no row for; it is linked with that table. The last line counts the options
 * that were looked at.
 */
#include "shim/handle/options.h"

#include <stdio.h>

/* Of whatever type. */
static int has_row(unsigned number)
{
  static const unsigned types[] = {CURLOPTTYPE_LONG, CURLOPTTYPE_OBJECTPOINT, CURLOPTTYPE_FUNCTIONPOINT,
                                   CURLOPTTYPE_OFF_T, CURLOPTTYPE_BLOB};
  int known = 0;

  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    known |= option_row((CURLoption)(types[i] + number))->kind != OPTION_UNKNOWN;
  return known;
}

/* From 290 on (7.69) no number was left out. */
int main(void)
{
  unsigned count = 0;

  for (unsigned number = 290; number < option_number(CURLOPT_LASTENTRY); number++)
    if (!has_row(number))
      printf("CURLOPT %u\n", number);

#if LIBCURL_VERSION_NUM >= 0x074900
  for (const struct curl_easyoption *option = NULL; (option = curl_easy_option_next(option)); count++)
    if (option_row(option->id)->kind == OPTION_UNKNOWN)
      printf("CURLOPT_%s\n", option->name);
#endif
  printf("%u options\n", count);
  return 0;
}
