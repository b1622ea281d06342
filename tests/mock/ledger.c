/* SPDX-License-Identifier: MIT */
#include "tests/mock/ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { ENTRIES = 4096, LEAVE_SECONDS = 2, BODY_KEPT = 256 * 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t nobody_leaving = PTHREAD_COND_INITIALIZER;
static json_t *entries;
static uint64_t last_serial, reset_serial, leaving;
static uint64_t requests, served, work, connections;

uint64_t ledger_arrived(json_t *entry, bool on_new_connection)
{
  uint64_t serial;

  pthread_mutex_lock(&lock);
  serial = ++last_serial;
  requests++;
  connections += on_new_connection;
  json_object_set_new(entry, "serial", json_integer((json_int_t)serial));
  if (!entries)
    entries = json_array();
  if (json_array_size(entries) == ENTRIES)
    json_array_remove(entries, 0);
  json_array_append_new(entries, entry);
  pthread_mutex_unlock(&lock);
  return serial;
}

static json_t *entry_of(uint64_t serial)
{
  for (size_t i = json_array_size(entries); i-- > 0;) {
    json_t *entry = json_array_get(entries, i);
    if (json_integer_value(json_object_get(entry, "serial")) == (json_int_t)serial)
      return entry;
  }
  return NULL;
}

/* Bytes that are not UTF-8 become the characters of the same number. */
static json_t *as_latin1(const char *body, size_t len)
{
  char *text = malloc(2 * len + 1);
  size_t n = 0;
  json_t *json;

  if (!text)
    return json_null();
  for (size_t i = 0; i < len; i++) {
    unsigned char byte = (unsigned char)body[i];
    if (byte >= 0x80)
      text[n++] = (char)(0xc0 | byte >> 6);
    text[n++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
  }
  json = json_stringn(text, n);
  free(text);
  return json;
}

json_t *ledger_body(uint64_t serial, const char *body, size_t len)
{
  size_t kept = len < BODY_KEPT ? len : BODY_KEPT;
  json_t *text = json_stringn(body ? body : "", kept), *entry, *copy = NULL;

  if (!text)
    text = as_latin1(body, kept);
  pthread_mutex_lock(&lock);
  entry = entry_of(serial);
  if (entry) {
    json_object_set(entry, "body", text);
    json_object_set_new(entry, "body_size", json_integer((json_int_t)len));
    copy = json_deep_copy(entry);
  }
  pthread_mutex_unlock(&lock);
  json_decref(text);
  return copy;
}

static void count(uint64_t *counter, uint64_t serial)
{
  pthread_mutex_lock(&lock);
  *counter += serial > reset_serial;
  pthread_mutex_unlock(&lock);
}

void ledger_worked(uint64_t serial)
{
  count(&work, serial);
}

void ledger_served(uint64_t serial)
{
  count(&served, serial);
}

void ledger_leaving(void)
{
  pthread_mutex_lock(&lock);
  leaving++;
  pthread_mutex_unlock(&lock);
}

void ledger_left(void)
{
  pthread_mutex_lock(&lock);
  if (!--leaving)
    pthread_cond_broadcast(&nobody_leaving);
  pthread_mutex_unlock(&lock);
}

/* Not for ever: a client that stopped reading must not hold the count back. */
static void wait_for_leavers(void)
{
  struct timespec until;

  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += LEAVE_SECONDS;
  while (leaving && !pthread_cond_timedwait(&nobody_leaving, &lock, &until))
    ;
}

json_t *ledger_counts(void)
{
  json_t *counts;

  pthread_mutex_lock(&lock);
  wait_for_leavers();
  counts = json_pack("{sIsIsIsI}", "requests", (json_int_t)requests, "served", (json_int_t)served, "work",
                     (json_int_t)work, "connections", (json_int_t)connections);
  pthread_mutex_unlock(&lock);
  return counts;
}

json_t *ledger_requests(void)
{
  json_t *copy;

  pthread_mutex_lock(&lock);
  copy = entries ? json_deep_copy(entries) : json_array();
  pthread_mutex_unlock(&lock);
  return copy;
}

void ledger_reset(void)
{
  pthread_mutex_lock(&lock);
  wait_for_leavers();
  requests = served = work = connections = 0;
  reset_serial = last_serial;
  json_decref(entries);
  entries = NULL;
  pthread_mutex_unlock(&lock);
}
