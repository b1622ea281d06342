/* SPDX-License-Identifier: MIT */
/*
 * Preloaded in sanitizer runs alone, with the runtime. Where a sanitizer's runtime is preloaded into a
 * program that is linked with p11-kit (libcurl is), glibc's lock of the locale is still held when main
 * begins. The curl tool then waits for it for ever in setlocale(), and p11-kit in freelocale() at exit, with
 * our shim or without. No test looks at a locale.
 */
#include <locale.h>

__attribute__((visibility("default"))) char *setlocale(int category, const char *locale)
{
  static char name[] = "C";
  (void)category;
  (void)locale;
  return name;
}

__attribute__((visibility("default"))) void freelocale(locale_t locale)
{
  (void)locale;
}
