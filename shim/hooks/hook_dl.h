/* SPDX-License-Identifier: MIT */
/*
 * The two ways round a preload, closed: FFI callers that take libcurl's functions with dlsym(), and programs
 * that open what needs libcurl with RTLD_DEEPBIND (PHP). IDEMSHIM_HOOK_DL=off leaves both open.
 *
 * dlopen() and dlsym() look at their return address (RTLD_NEXT, RUNPATH), so the exported ones are thunks in
 * assembly (dl_thunk.S) that ask here and then jump: the real ones see the caller. Nothing here allocates
 * before a curl_* name or a DEEPBIND is seen, since allocators call dlsym() while they start.
 */
#ifndef IDEMSHIM_SHIM_HOOK_DL_H
#define IDEMSHIM_SHIM_HOOK_DL_H

/* The real ones; for the shim's own calls too, which must not meet the thunks. */
extern void *(*dl_real_open)(const char *file, int flags);
extern void *(*dl_real_sym)(void *handle, const char *name);

/* Finds them; any of the functions here does so first. */
void dl_find_real(void);

/* The flags with which `file` is to be opened. */
int dl_open_flags(const char *file, int flags);

/* What dlsym() is to return, or DL_PASS: ask the real one. */
#define DL_PASS ((void *)-1)
void *dl_sym_answer(void *handle, const char *name);

#endif
