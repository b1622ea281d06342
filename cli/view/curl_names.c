/* SPDX-License-Identifier: MIT */
/* Two tables by number, with holes where libcurl has none. */
#include "cli/view/curl_names.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Numbers of curl.h, which are a part of libcurl's ABI and so never change their meaning. */
#define X(number, name) [number] = #name,
static const char *const errors[] = {
#include "cli/view/curl_errors.def"
};
#define TEXT X
static const char *const infos[] = {
#include "cli/view/curl_infos.def"
};
#undef X
#undef TEXT
#define X(number, name)
#define TEXT(number, name) [number] = true,
static const bool texts[CLI_INFOS] = {
#include "cli/view/curl_infos.def"
};
#undef X
#undef TEXT

static const struct {
  unsigned info;
  int64_t value;
  bool is_bit;
  const char *name;
} values[] = {
#define ONE(info, value, name) {info, value, false, name},
#define BIT(info, value, name) {info, value, true, name},
#include "cli/view/curl_values.def"
#undef ONE
#undef BIT
};

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

bool cli_curl_info_is_text(unsigned number)
{
  return number < CLI_INFOS && texts[number];
}

/* Of a mask every bit that has a name is told; "" says that nothing of it is known. */
const char *cli_curl_info_value(unsigned number, int64_t value)
{
  static char text[96];
  text[0] = '\0';
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
    if (values[i].info == number &&
        (values[i].is_bit ? (value & values[i].value) != 0 : value == values[i].value)) {
      size_t used = strlen(text);
      snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "", values[i].name);
    }
  return text;
}
