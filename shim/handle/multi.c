/* SPDX-License-Identifier: MIT */
#include "shim/handle/multi.h"

#include "shim/engine/multi_call.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

static _Atomic(struct multi *) buckets[BUCKETS];
static struct multi *unused;
_Atomic unsigned multi_alive;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static _Atomic(struct multi *) *bucket_of(CURLM *handle)
{
  return &buckets[((uintptr_t)handle >> 6) * 0x9E3779B97F4A7C15u >> 56];
}

struct multi *multi_walk(CURLM *handle)
{
  struct multi *multi = atomic_load_explicit(bucket_of(handle), memory_order_acquire);
  while (multi && atomic_load_explicit(&multi->handle, memory_order_acquire) != handle)
    multi = atomic_load_explicit(&multi->next, memory_order_acquire);
  return multi;
}

/* As in shadow_table.c: a walk can miss, but never find wrongly, and a miss is checked. */
struct multi *multi_find(CURLM *handle)
{
  struct multi *multi = handle ? multi_walk(handle) : NULL;
  if (!multi && handle) {
    pthread_mutex_lock(&lock);
    multi = multi_walk(handle);
    pthread_mutex_unlock(&lock);
  }
  return multi;
}

static struct multi *take_unused(void)
{
  struct multi *multi = unused ? unused : calloc(1, sizeof(*multi));
  if (multi)
    unused = atomic_load_explicit(&multi->next, memory_order_relaxed);
  return multi;
}

struct multi *multi_new(CURLM *handle, const struct libcurl *lib)
{
  pthread_mutex_lock(&lock);
  struct multi *multi = take_unused();
  if (multi) {
    atomic_fetch_add_explicit(&multi_alive, 1, memory_order_relaxed);
    multi->lib = lib;
    atomic_fetch_add_explicit(&multi->serial, 1, memory_order_relaxed);
    multi->driver = (struct driver){.depth = 0};
    multi->multi_calls = NULL;
    multi->message_count = multi->added = multi->unread = 0;
    multi->reads_ahead = multi->in_reader = false;
    _Atomic(struct multi *) *bucket = bucket_of(handle);
    atomic_store_explicit(&multi->next, atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&multi->handle, handle, memory_order_release);
    atomic_store_explicit(bucket, multi, memory_order_release);
  }
  pthread_mutex_unlock(&lock);
  return multi;
}

static void unlink_multi(struct multi *multi)
{
  _Atomic(struct multi *) *link = bucket_of(multi->handle);
  struct multi *at;
  while ((at = atomic_load_explicit(link, memory_order_relaxed)) && at != multi)
    link = &at->next;
  if (at)
    atomic_store_explicit(link, atomic_load_explicit(&multi->next, memory_order_relaxed),
                          memory_order_release);
}

void multi_free(struct multi *multi)
{
  free(multi->messages);
  free(multi->in);
  multi->messages = NULL;
  multi->in = NULL;
  multi->message_room = 0;
  pthread_mutex_lock(&lock);
  atomic_fetch_add_explicit(&multi->serial, 1, memory_order_relaxed);
  unlink_multi(multi);
  atomic_fetch_sub_explicit(&multi_alive, 1, memory_order_relaxed);
  atomic_store_explicit(&multi->handle, NULL, memory_order_release);
  atomic_store_explicit(&multi->next, unused, memory_order_release);
  unused = multi;
  pthread_mutex_unlock(&lock);
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
  pthread_mutex_lock(&lock);
  multi_call_lock();
}

void multi_unlock_all(void)
{
  multi_call_unlock();
  pthread_mutex_unlock(&lock);
}

void multi_begin_anew(void)
{
  multi_call_begin_anew();
  pthread_mutex_unlock(&lock);
}
