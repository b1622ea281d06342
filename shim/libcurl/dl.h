/* SPDX-License-Identifier: MIT */
/*
 * dl: libc's own dlopen() and dlsym(), which the shim's exported ones stand in front of (hooks/hook_dl.c).
 *
 *     dl_find_real();
 *     void *object = dl_real_open(path, RTLD_LAZY | RTLD_NOLOAD);
 *
 * Everything in the shim calls these two, so that it never meets its own thunks. Finding them allocates
 * nothing and takes no lock but the loader's: allocators and sanitizers come here while they start.
 */
#ifndef IDEMSHIM_SHIM_DL_H
#define IDEMSHIM_SHIM_DL_H

#include <dlfcn.h>
#include <stdbool.h>

/* They find nothing until dl_find_real() has returned once; constant then, but where
 * libdl is not loaded yet. */
extern void *(*dl_real_open)(const char *file, int flags);
extern void *(*dl_real_sym)(void *handle, const char *name);

/* Any number of threads may do so at once. */
void dl_find_real(void);

/* dladdr(), also where that is not loaded; then of our own namespace alone, and
 * without the nearest symbol. */
bool dl_object_of(const void *address, Dl_info *info);

/* The symbol in the scope of an object that is loaded under this path, or NULL. The path may be NULL. */
void *dl_sym_in(const char *path, const char *name);

#endif
