/* SPDX-License-Identifier: MIT */
#include "tests/mock/recall.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct honoured {
  struct honoured *next;
  char *key;
  struct answer *answer;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct script default_script = SCRIPT_DEFAULT;
static struct honoured *honoured;
static json_t *seen; /* "path hash" → how often */

struct script recall_default(void)
{
  struct script copy;

  pthread_mutex_lock(&lock);
  copy = default_script;
  pthread_mutex_unlock(&lock);
  return copy;
}

void recall_set_default(const struct script *script)
{
  pthread_mutex_lock(&lock);
  default_script = *script;
  pthread_mutex_unlock(&lock);
}

static uint64_t fnv1a(const char *bytes, size_t len)
{
  uint64_t hash = 14695981039346656037u;

  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
  return hash;
}

uint64_t recall_seen(const char *path, const char *body, size_t len)
{
  json_t *name = json_sprintf("%s %zu %016llx", path, len, (unsigned long long)fnv1a(body, len));
  json_int_t before;

  pthread_mutex_lock(&lock);
  if (!seen)
    seen = json_object();
  before = json_integer_value(json_object_get(seen, json_string_value(name)));
  json_object_set_new(seen, json_string_value(name), json_integer(before + 1));
  pthread_mutex_unlock(&lock);
  json_decref(name);
  return (uint64_t)before;
}

static struct honoured *find(const char *key)
{
  struct honoured *entry = honoured;

  while (entry && strcmp(entry->key, key) != 0)
    entry = entry->next;
  return entry;
}

struct answer *recall_answer(const char *key, struct answer *(*compose)(void *arg), void *arg)
{
  struct honoured *entry;
  struct answer *answer;

  pthread_mutex_lock(&lock);
  entry = find(key);
  if (!entry && (entry = calloc(1, sizeof *entry))) {
    *entry = (struct honoured){honoured, strdup(key), compose(arg)};
    honoured = entry;
  }
  answer = entry ? answer_keep(entry->answer) : NULL;
  pthread_mutex_unlock(&lock);
  return answer;
}

static void forget_answers(void)
{
  while (honoured) {
    struct honoured *next = honoured->next;
    answer_free(honoured->answer);
    free(honoured->key);
    free(honoured);
    honoured = next;
  }
}

void recall_reset(void)
{
  pthread_mutex_lock(&lock);
  default_script = (struct script)SCRIPT_DEFAULT;
  forget_answers();
  json_decref(seen);
  seen = NULL;
  pthread_mutex_unlock(&lock);
}
