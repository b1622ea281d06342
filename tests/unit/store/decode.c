/* SPDX-License-Identifier: MIT */
/* The judge's decoder; its libraries can be as if they were not installed. */
#include "tests/unit/store/fixture.h"

#include <dlfcn.h>

bool fixture_has_no_libraries;

static void *open_or_not(const char *name, int flags)
{
  return fixture_has_no_libraries ? NULL : dlopen(name, flags);
}

#define dlopen open_or_not
#include "store/judge/decode.c"
