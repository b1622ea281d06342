/* SPDX-License-Identifier: MIT */
/* Two tables by number, with holes where libcurl has none. */
#include "cli/view/curl_names.h"

#include <stddef.h>
#include <stdio.h>

#define X(number, name) [number] = #name,
static const char *const errors[] = {
#include "cli/view/curl_errors.def"
};
static const char *const infos[] = {
#include "cli/view/curl_infos.def"
};
#undef X

/* A number of a newer libcurl is told as a number. */
const char *cli_curl_error(uint32_t code)
{
  /* A command has one thread, and prints one at a time. */
  static char text[24];
  if (code < sizeof(errors) / sizeof(*errors) && errors[code])
    return errors[code];
  snprintf(text, sizeof(text), "error %u", code);
  return text;
}

/* NULL also for numbers beyond the table. */
const char *cli_curl_info(unsigned number)
{
  return number < sizeof(infos) / sizeof(*infos) ? infos[number] : NULL;
}
