/* SPDX-License-Identifier: MIT */
#include "cli/output/label.h"

#include "cli/output/utf8.h"

#include <stdio.h>
#include <string.h>

/* The format knows three escapes, of a backslash, a double quote and a line feed; every other character
 * stands as it is. */
void cli_put_label(const char *before, const char *name, const char *value)
{
  size_t left = strlen(value);
  printf("%s%s=\"", before, name);
  while (left) {
    size_t len = cli_utf8_len(value, left);
    if (!len)
      fputs("\xef\xbf\xbd", stdout);
    else if (*value == '\n')
      fputs("\\n", stdout);
    else
      printf(*value == '"' || *value == '\\' ? "\\%.*s" : "%.*s", (int)len, value);
    value += len ? len : 1;
    left -= len ? len : 1;
  }
  putchar('"');
}
