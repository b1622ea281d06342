/* SPDX-License-Identifier: MIT */
/*
 * The dynamic linker's list of installed libraries, /etc/ld.so.cache: where directories of /etc/ld.so.conf are known. It is
 * read once and kept. A cache of another format, or none, has no entries; the default directories are searched then.
 */
#ifndef IDEMSHIM_CLI_ELF_CACHE_H
#define IDEMSHIM_CLI_ELF_CACHE_H

#include <stddef.h>

/* The n-th path that is listed for a library's name, into `out`; returns `out`, or NULL for no more.
 * Libraries of other machines may be among them. */
const char *cli_elf_cache(const char *name, size_t n, char *out, size_t size);

#endif
