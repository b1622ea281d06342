/* SPDX-License-Identifier: MIT */
/*
 * hook_dl: the two ways round a preload, closed. FFI callers take libcurl's functions with dlsym(), and some
 * programs (PHP) open what needs libcurl with RTLD_DEEPBIND. IDEMSHIM_HOOK_DL=off leaves both open.
 *
 * dlopen() and dlsym() look at their return address (RTLD_NEXT, RUNPATH), so the exported ones are thunks in
 * assembly (dl_thunk.S), which ask here and then jump: the real ones see the caller. Nothing here allocates
 * before a curl_* name or a DEEPBIND is seen, since allocators call dlsym() while they start.
 */
#ifndef IDEMSHIM_SHIM_HOOK_DL_H
#define IDEMSHIM_SHIM_HOOK_DL_H

/* The flags with which the real dlopen() is to open `file`. */
int hook_dl_open_flags(const char *file, int flags);

/* What dlsym() is to return, or HOOK_DL_PASS: ask the real one. */
#define HOOK_DL_PASS ((void *)-1)
void *hook_dl_sym_answer(void *handle, const char *name);

#endif
