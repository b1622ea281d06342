/* SPDX-License-Identifier: MIT */
/* Globs of hosts, paths and header names: * and ?, nothing else. fnmatch() has brackets, which
 * hosts of IPv6 have too, and goes by the locale. */
#include "config/ascii.h"
#include "config/config.h"

#include <string.h>

/* One character of the pattern against one of the text. */
static bool same(char pattern, char c, bool fold)
{
  return pattern == '?' || pattern == c || (fold && idem_lower(pattern) == idem_lower(c));
}

/* Only the last '*' ever has to give way: whatever an earlier one could swallow, the last one can swallow
 * too. So the cost is at most pattern × text, whatever the pattern. */
bool idem_glob(const char *pattern, const char *text, size_t text_len, bool fold)
{
  const char *star = NULL;
  size_t at = 0, retry = 0;

  while (at < text_len) {
    if (*pattern == '*') {
      star = ++pattern;
      /* What stands behind the last one can only be the end. */
      if (!strchr(pattern, '*')) {
        size_t rest = strlen(pattern);
        if (rest > text_len - at)
          return false;
        at = text_len - rest;
        star = NULL;
      }
      retry = at;
    } else if (*pattern && same(*pattern, text[at], fold)) {
      pattern++;
      at++;
    } else if (star) {
      /* The last * takes one character more, and what stands behind it is tried again. */
      pattern = star;
      at = ++retry;
    } else {
      return false;
    }
  }
  while (*pattern == '*')
    pattern++;
  return !*pattern;
}
