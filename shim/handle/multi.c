/* SPDX-License-Identifier: MIT */
#include "shim/handle/multi.h"

#include "shim/handle/resolve.h"
#include "shim/runtime/report.h"

#include <stdlib.h>
#include <string.h>

struct pointer_map multi_map = POINTER_MAP(struct multi);

struct multi *multi_find(CURLM *handle)
{
  return pointer_map_find(&multi_map, handle);
}

struct multi *multi_new(CURLM *handle, const struct libcurl *lib)
{
  struct multi *multi = multi_find(handle);
  if (multi) /* its end was not seen */
    multi_free(multi);
  multi = pointer_map_take(&multi_map);
  if (!multi)
    return NULL;
  multi->lib = lib;
  multi->driver = (struct driver){.depth = 0};
  multi->calls = multi->ready = multi->guarded = multi->following = NULL;
  multi->looks.first = multi->waits.first = NULL;
  multi->first_message = NULL;
  multi->last_message = &multi->first_message;
  multi->reserve_message.link = NULL;
  multi->message_count = multi->added = 0;
  multi->reads_ahead = multi->in_reader = multi->wake_told = false;
  multi->first_storing = NULL;
  multi->storing = 0;
  multi->wake = -1;
  multi->wake_again = multi->selects = multi->notified = multi->limited = false;
  multi->turn = multi->added_again = 0;
  multi->on_socket = NULL;
  multi->on_socket_data = multi->wake_assigned = NULL;
  if (pointer_map_add(&multi_map, &multi->entry, handle))
    return multi;
  multi_free(multi);
  return NULL;
}

void multi_free(struct multi *multi)
{
  buffer_release(&multi->resolved);
  free(multi->in);
  multi->in = NULL;
  multi->room = 0;
  /* Handles that are still in it are in none from here on, and none of them is looked up for that. */
  atomic_fetch_add_explicit(&multi->serial, 1, memory_order_relaxed);
  pointer_map_give(&multi_map, &multi->entry);
}

/* The memory may be another multi's by now, which its serial tells: it is never given back, so that it can be
 * read. */
struct multi *multi_of(const struct shadow *shadow)
{
  struct multi *multi = shadow->multi;
  return multi && atomic_load_explicit(&multi->serial, memory_order_relaxed) == shadow->multi_serial ? multi
                                                                                                     : NULL;
}

bool multi_note_added(struct multi *multi, struct shadow *shadow)
{
  if (multi->added == multi->room) {
    unsigned room = multi->room ? 2 * multi->room : 16;
    struct shadow **in = realloc(multi->in, room * sizeof(struct shadow *));
    if (!in)
      return false;
    multi->in = in;
    multi->room = room;
  }
  if (shadow->resolved.len && !resolve_share(&multi->resolved, shadow))
    return false;
  shadow->multi_place = multi->added;
  multi->in[multi->added++] = shadow;
  shadow->multi = multi;
  shadow->multi_serial = atomic_load_explicit(&multi->serial, memory_order_relaxed);
  return true;
}

void multi_note_resolve(const struct shadow *shadow)
{
  struct multi *multi = multi_of(shadow);
  if (multi && !resolve_share(&multi->resolved, shadow))
    report_want("no memory for an entry of RESOLVE");
}

void multi_note_removed(struct multi *multi, struct shadow *shadow)
{
  /* The last one takes its place, so that the list needs no search and has no holes. */
  struct shadow *last = multi->in[--multi->added];
  multi->in[shadow->multi_place] = last;
  last->multi_place = shadow->multi_place;
  shadow->multi = NULL;
}

/* curl_multi_timeout() changes nothing, and is one of those that libcurl refuses in its callbacks. */
bool multi_is_in_callback(const struct multi *multi)
{
  long ms;
  CURLM *handle = multi->handle;
  return multi->in_reader || multi->lib->multi_timeout(handle, &ms) == CURLM_RECURSIVE_API_CALL;
}
