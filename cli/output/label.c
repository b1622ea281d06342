/* SPDX-License-Identifier: MIT */
#include "cli/output/label.h"

#include "cli/output/utf8.h"

#include <stdio.h>
#include <string.h>

/* The next character as it is printed, and its length; `*text` is then behind it. 0: the end. */
static size_t next(const char **text, const char **character)
{
  static const char replacement[] = "\xef\xbf\xbd";
  size_t len = cli_utf8_len(*text, strlen(*text));
  *character = *text;
  if (!len && **text) {
    *character = replacement;
    *text += 1;
    return sizeof(replacement) - 1;
  }
  *text += len;
  return len;
}

bool cli_labels_equal(const char *a, const char *b)
{
  const char *x, *y;
  size_t x_len, y_len;
  do {
    x_len = next(&a, &x);
    y_len = next(&b, &y);
  } while (x_len && x_len == y_len && memcmp(x, y, x_len) == 0);
  return !x_len && !y_len;
}

/* The format knows three escapes, of a backslash, a double quote and a line feed; every other character
 * stands as it is. */
void cli_put_label(const char *before, const char *name, const char *value)
{
  const char *character;
  size_t len;
  printf("%s%s=\"", before, name);
  while ((len = next(&value, &character)))
    if (*character == '\n')
      fputs("\\n", stdout);
    else
      printf(*character == '"' || *character == '\\' ? "\\%.*s" : "%.*s", (int)len, character);
  putchar('"');
}
