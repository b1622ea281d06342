/* SPDX-License-Identifier: MIT */
#ifndef IDEMSHIM_SHIM_ELF_NEEDED_H
#define IDEMSHIM_SHIM_ELF_NEEDED_H

#include <stdbool.h>

/* True if the ELF file at this path has a libcurl among its DT_NEEDED. No allocation; false for anything
 * unreadable. */
bool elf_needs_libcurl(const char *path);

#endif
