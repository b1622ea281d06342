/* SPDX-License-Identifier: MIT */
/*
 * libcurl: the real one, found through the caller, bound once into one typed table, and pinned.
 *
 *     const struct libcurl *real = libcurl_of(__builtin_return_address(0));
 *     return real ? real->easy_init() : NULL;
 *
 * A process can have several (the OpenSSL and the GnuTLS flavour), and dlsym(RTLD_NEXT) sees none that came
 * in by an RTLD_LOCAL dlopen. So the table is looked up by who calls, and each handle remembers its own.
 * Looking one up takes no lock; binding one does, and is done once for each libcurl. No libcurl at all is
 * NULL: the hook then says what a libcurl says that was built without the function.
 */
#ifndef IDEMSHIM_SHIM_LIBCURL_H
#define IDEMSHIM_SHIM_LIBCURL_H

#include "shim/libcurl/curl_compat.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The functions that the shim hooks. Those of the second list may be missing in an old libcurl (NULL in the
 * table): the headers are of 7.83.0, mime of 7.56.0, and a build may lack it; multi_socket and _all are
 * deprecated. */
/* clang-format off */
#define LIBCURL_HOOKED(X)                                                                                    \
  X(global_init)                                                                                             \
  X(easy_init) X(easy_setopt) X(easy_perform) X(easy_getinfo) X(easy_reset) X(easy_duphandle)                \
  X(easy_cleanup) X(easy_pause)                                                                              \
  X(multi_init) X(multi_add_handle) X(multi_remove_handle) X(multi_perform) X(multi_socket_action)           \
  X(multi_info_read) X(multi_cleanup) X(multi_setopt) X(multi_assign) X(multi_wait) X(multi_fdset)           \
  X(share_setopt)
#define LIBCURL_OPTIONAL(X)                                                                                  \
  X(easy_header) X(easy_nextheader)                                                                          \
  X(multi_socket) X(multi_socket_all) X(multi_poll) X(multi_waitfds) X(multi_get_offt)                      \
  X(mime_init) X(mime_free) X(mime_addpart) X(mime_name) X(mime_filename) X(mime_type) X(mime_encoder)       \
  X(mime_data) X(mime_filedata) X(mime_data_cb) X(mime_subparts) X(mime_headers)

/* The functions without which calls are forwarded and no more: curl_url_* are of 7.62.0, which
 * RHEL 8 does not have. */
#define LIBCURL_NEEDED(X)                                                                                    \
  LIBCURL_HOOKED(X)                                                                                          \
  X(multi_timeout)                                                                                           \
  X(url) X(url_set) X(url_cleanup) X(url_get)                                                                \
  X(slist_free_all) X(free) X(version_info)
/* clang-format on */

struct libcurl {
#define X(name) __typeof__(curl_##name) *name;
  LIBCURL_NEEDED(X)
  LIBCURL_OPTIONAL(X)
#undef X
  /* A needed function that it does not have, or NULL: without it no handle and no multi is ours. */
  const char *lacks;
  bool unix_sockets;
  bool is_library;        /* by its file's name: its object holds no code of an app */
  unsigned version;       /* CURLVERSION number, such as 0x075801 */
  const void *base, *end; /* where it is mapped; `base` identifies it */
};

/* The libcurl that the code at `return_address` is linked to or has loaded, or NULL if there is none to be
 * found. The table lives as long as the process. */
const struct libcurl *libcurl_of(const void *return_address);

/* More flavours in one process than Debian ships; a further one is forwarded to the first that fits its
 * caller. */
#define LIBCURL_MAX 8
extern struct libcurl libcurl_bound[LIBCURL_MAX];
extern _Atomic unsigned libcurl_bound_count;

static inline bool libcurl_has(const struct libcurl *lib, const void *address)
{
  return address >= lib->base && address < lib->end;
}

/* The libcurl that the code is part of, or NULL: it calls its own exports like everybody else. */
const struct libcurl *libcurl_itself(const void *return_address);

/* True for code of libcurl alone: an object that has a libcurl linked into it calls for the app, too. */
static inline bool libcurl_is_itself(const void *return_address)
{
  const struct libcurl *itself = libcurl_itself(return_address);
  return itself && itself->is_library;
}

/* The same as libcurl_itself(), if it is the one that was bound first: most programs have no other. */
static inline const struct libcurl *libcurl_itself_first(const void *return_address)
{
  bool any = atomic_load_explicit(&libcurl_bound_count, memory_order_acquire) > 0;
  return any && libcurl_has(libcurl_bound, return_address) ? libcurl_bound : NULL;
}

/* For rescue/fork.c: no libcurl is being bound meanwhile. */
void libcurl_lock(void);
void libcurl_unlock(void);

/* How many libcurls are loaded, whoever uses them. */
unsigned libcurl_count(void);

/* True for the file name or path of a libcurl: "libcurl.so.4", "libcurl-gnutls.so.4", but not
 * "libcurlpp.so.1". */
bool libcurl_is_name(const char *path);

/* True if the symbol is one of our stubs. */
bool libcurl_is_ours(const void *symbol);

#endif
