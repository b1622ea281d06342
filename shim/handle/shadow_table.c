/* SPDX-License-Identifier: MIT */
#include "shim/base/pointer_map.h"
#include "shim/handle/shadow.h"

struct pointer_map shadow_map = POINTER_MAP(struct shadow);

/* Nobody's, so that `shadow_last` always points somewhere; no handle has this address. Nobody writes to it,
 * so that it takes no room among what is copied for every program. */
static const struct shadow no_shadow = {.quick = (CURL *)UINTPTR_MAX};
__thread struct shadow *shadow_last = (struct shadow *)&no_shadow;

_Atomic bool shadow_share_locks;

struct shadow *shadow_find_in_table(CURL *handle)
{
  struct shadow *shadow = pointer_map_find(&shadow_map, handle);
  if (shadow)
    shadow_last = shadow;
  return shadow;
}

struct shadow *shadow_new(CURL *handle, const struct libcurl *lib)
{
  struct shadow *shadow = pointer_map_take(&shadow_map);
  if (!shadow)
    return NULL;
  shadow->lib = lib;
  shadow->state = PERFORM_IDLE;
  /* The memory may have been another handle's. A reset leaves what is about cookies and HSTS, as
   * libcurl's does, so that is cleared here. */
  shadow->cookie_engine = shadow->cookie_file = shadow->shared = shadow->hsts = false;
  shadow->cookie_files.len = shadow->resolved.len = 0;
  shadow_reset(shadow);
  atomic_store_explicit(&shadow->quick, (CURL *)shadow, memory_order_relaxed);
  if (pointer_map_add(&shadow_map, &shadow->entry, handle))
    return shadow;
  shadow_free(shadow);
  return NULL;
}

void shadow_free(struct shadow *shadow)
{
  shadow_reset(shadow);
  buffer_release(&shadow->url);
  buffer_release(&shadow->text_url);
  buffer_release(&shadow->path);
  buffer_release(&shadow->copied_post);
  buffer_release(&shadow->long_line);
  buffer_release(&shadow->cookie_files);
  buffer_release(&shadow->resolved);
  atomic_store_explicit(&shadow->quick, (CURL *)shadow, memory_order_relaxed);
  pointer_map_give(&shadow_map, &shadow->entry);
}
