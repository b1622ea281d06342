/* SPDX-License-Identifier: MIT */
#include "shim/handle/multi.h"

#include "shim/engine/multi_call.h"

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
  multi->multi_calls = NULL;
  multi->message_count = multi->added = multi->unread = 0;
  multi->reads_ahead = multi->in_reader = false;
  if (pointer_map_add(&multi_map, &multi->entry, handle))
    return multi;
  multi_free(multi);
  return NULL;
}

void multi_free(struct multi *multi)
{
  free(multi->messages);
  free(multi->in);
  multi->messages = NULL;
  multi->in = NULL;
  multi->message_room = 0;
  atomic_fetch_add_explicit(&multi->serial, 1, memory_order_relaxed);
  pointer_map_give(&multi_map, &multi->entry);
}

struct multi *multi_of(const struct shadow *shadow)
{
  struct multi *multi = shadow->multi;
  return multi && atomic_load_explicit(&multi->serial, memory_order_relaxed) == shadow->multi_serial ? multi
                                                                                                     : NULL;
}

static bool make_room(struct multi *multi)
{
  unsigned room = multi->message_room ? 2 * multi->message_room : 16;
  CURLMsg **messages = realloc(multi->messages, room * sizeof(*messages));
  multi->messages = messages ? messages : multi->messages;
  struct shadow **in = messages ? realloc(multi->in, room * sizeof(struct shadow *)) : NULL;
  multi->in = in ? in : multi->in;
  multi->message_room = in ? room : multi->message_room;
  return in;
}

bool multi_note_added(struct multi *multi, struct shadow *shadow)
{
  if (multi->added == multi->message_room && !make_room(multi))
    return false;
  multi->in[multi->added++] = shadow;
  shadow->multi = multi;
  shadow->multi_serial = atomic_load_explicit(&multi->serial, memory_order_relaxed);
  return true;
}

void multi_drop_message(struct multi *multi, const CURL *handle)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < multi->message_count; i++)
    if (multi->messages[i]->easy_handle != handle)
      multi->messages[kept++] = multi->messages[i];
  multi->message_count = kept;
}

void multi_note_removed(struct multi *multi, struct shadow *shadow, CURL *handle)
{
  multi_drop_message(multi, handle);
  unsigned at = 0;
  while (at + 1 < multi->added && multi->in[at] != shadow)
    at++;
  multi->in[at] = multi->in[--multi->added];
  shadow->multi = NULL;
}

void multi_read_ahead(struct multi *multi)
{
  int left;
  CURLMsg *message;
  CURLM *handle = multi->handle;
  while (multi->message_count < multi->message_room &&
         (message = multi->lib->multi_info_read(handle, &left))) {
    struct shadow *shadow = shadow_find(message->easy_handle);
    multi->messages[multi->message_count++] = message;
    if (message->msg == CURLMSG_DONE && shadow && shadow->multi_call)
      message->data.result = multi_call_end(shadow->multi_call, message->data.result);
  }
}

CURLMsg *multi_take_message(struct multi *multi, int *left)
{
  multi_read_ahead(multi);
  if (!multi->message_count) {
    *left = 0;
    return NULL;
  }
  CURLMsg *first = multi->messages[0];
  multi->message_count--;
  memmove(multi->messages, multi->messages + 1, multi->message_count * sizeof(CURLMsg *));
  *left = (int)multi->message_count;
  return first;
}

void multi_lock_all(void)
{
  pointer_map_lock(&multi_map);
  multi_call_lock();
}

void multi_unlock_all(void)
{
  multi_call_unlock();
  pointer_map_unlock(&multi_map);
}

void multi_begin_anew(void)
{
  multi_call_begin_anew();
  pointer_map_unlock(&multi_map);
}
