/* SPDX-License-Identifier: MIT */
#include "tape/canon.h"

#include "tape/json_place.h"

#include <jansson.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* No API nests deeper; a text that does counts byte by byte. */
enum { DEPTH_MOST = 100, IGNORED_MOST = 64 };

/* What a digest is of, so that "1" and 1 differ. */
enum { OF_BYTES = 1, OF_STRING, OF_WORD, OF_ARRAY, OF_OBJECT, OF_MEMBER };

struct walk {
  const char *at, *end;
  const char *ignored[IGNORED_MOST]; /* where their values begin */
  size_t ignored_count;
  unsigned depth;
  bool failed;
};

static struct canon digest(const void *data, size_t len, uint64_t of)
{
  XXH128_hash_t hash = XXH3_128bits_withSeed(data, len, of);
  return (struct canon){hash.low64, hash.high64};
}

static struct canon walk_value(struct walk *walk);

static struct canon fail(struct walk *walk)
{
  walk->failed = true;
  return (struct canon){0};
}

static void skip_blanks(struct walk *walk)
{
  while (walk->at < walk->end && strchr(" \t\n\r", *walk->at) && *walk->at)
    walk->at++;
}

static bool take(struct walk *walk, char c)
{
  skip_blanks(walk);
  if (walk->at >= walk->end || *walk->at != c)
    return false;
  walk->at++;
  return true;
}

/* A string with escapes in it, as what it says. */
static struct canon unescaped(struct walk *walk, struct idem_span quoted)
{
  json_t *json = json_loadb(quoted.data, quoted.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  if (!json)
    return fail(walk);
  struct canon canon = digest(json_string_value(json), json_string_length(json), OF_STRING);
  json_decref(json);
  return canon;
}

static struct canon walk_string(struct walk *walk)
{
  const char *from = walk->at++, *quote;
  bool escaped = false;
  while ((quote = memchr(walk->at, '"', (size_t)(walk->end - walk->at)))) {
    const char *slash = memchr(walk->at, '\\', (size_t)(quote - walk->at));
    if (!slash)
      break;
    escaped = true;
    walk->at = slash + 2 < walk->end ? slash + 2 : walk->end;
  }
  if (!quote)
    return fail(walk);
  walk->at = quote + 1;
  if (escaped)
    return unescaped(walk, (struct idem_span){from, (size_t)(walk->at - from)});
  return digest(from + 1, (size_t)(quote - from - 1), OF_STRING);
}

/* A number, or true, false, null. */
static struct canon walk_word(struct walk *walk)
{
  const char *from = walk->at;
  while (walk->at < walk->end && !memchr(",]}:\"{[ \t\n\r", *walk->at, 11))
    walk->at++;
  return walk->at > from ? digest(from, (size_t)(walk->at - from), OF_WORD) : fail(walk);
}

/* True, and past it, if the value that comes is one of those that do not count. */
static bool skip_ignored(struct walk *walk)
{
  skip_blanks(walk);
  for (size_t i = 0; i < walk->ignored_count; i++)
    if (walk->ignored[i] == walk->at) {
      walk_value(walk);
      return true;
    }
  return false;
}

static struct canon walk_array(struct walk *walk)
{
  struct canon all[2] = {{OF_ARRAY, 0}};
  if (take(walk, ']'))
    return all[0];
  do {
    if (skip_ignored(walk))
      continue;
    all[1] = walk_value(walk);
    all[0] = digest(all, sizeof(all), OF_ARRAY);
  } while (!walk->failed && take(walk, ','));
  return take(walk, ']') ? all[0] : fail(walk);
}

/* A sum does not depend on the order of what is added. */
static struct canon walk_object(struct walk *walk)
{
  struct canon sum = {OF_OBJECT, 0}, pair[2];
  if (take(walk, '}'))
    return digest(&sum, sizeof(sum), OF_OBJECT);
  do {
    skip_blanks(walk);
    if (walk->at >= walk->end || *walk->at != '"')
      return fail(walk);
    pair[0] = walk_string(walk);
    if (!take(walk, ':'))
      return fail(walk);
    if (skip_ignored(walk))
      continue;
    pair[1] = walk_value(walk);
    struct canon member = digest(pair, sizeof(pair), OF_MEMBER);
    sum.low += member.low;
    sum.high += member.high;
  } while (!walk->failed && take(walk, ','));
  return take(walk, '}') ? digest(&sum, sizeof(sum), OF_OBJECT) : fail(walk);
}

static struct canon walk_nested(struct walk *walk)
{
  bool object = *walk->at++ == '{';
  if (++walk->depth > DEPTH_MOST)
    return fail(walk);
  struct canon canon = object ? walk_object(walk) : walk_array(walk);
  walk->depth--;
  return canon;
}

static struct canon walk_value(struct walk *walk)
{
  skip_blanks(walk);
  if (walk->failed || walk->at >= walk->end)
    return fail(walk);
  if (*walk->at == '"')
    return walk_string(walk);
  return *walk->at == '{' || *walk->at == '[' ? walk_nested(walk) : walk_word(walk);
}

static struct canon walk_all(struct walk *walk, struct idem_span text)
{
  struct canon canon = walk_value(walk);
  skip_blanks(walk);
  return walk->failed || walk->at < walk->end ? digest(text.data, text.len, OF_BYTES) : canon;
}

struct canon canon_body(struct idem_span body, const struct idem_words *ignore)
{
  struct walk walk = {.at = body.data, .end = body.data + body.len};
  for (size_t i = 0; i < ignore->count && i < IGNORED_MOST; i++) {
    struct idem_span place = tape_json_place(body, ignore->word[i]);
    if (place.len)
      walk.ignored[walk.ignored_count++] = place.data;
  }
  return walk_all(&walk, body);
}

struct canon canon_value(struct idem_span value)
{
  struct walk walk = {.at = value.data, .end = value.data + value.len};
  return walk_all(&walk, value);
}
