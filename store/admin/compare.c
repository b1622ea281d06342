/* SPDX-License-Identifier: MIT */
/* Where two requests part, for a person who asks why the second was not answered from the store. */
#include "store/json/json_canon.h"
#include "store/json/json_cursor.h"
#include "store/judge/event_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What each part is worth of 1000. */
enum {
  LIKE_TENANT = 100,
  LIKE_SCOPE = 50,
  LIKE_ORIGIN = 100,
  LIKE_METHOD = 50,
  LIKE_PATH = 150,
  LIKE_QUERY = 50,
  LIKE_HEADERS = 100,
  LIKE_BODY = 400
};

/* Bytes of an excerpt, and of them before the difference; of a path in JSON. */
enum { EXCERPT_BEFORE = 12, EXCERPT = 24, PATH_MOST = 160 };

struct difference {
  char *text;
  size_t size;
  bool found; /* the first one is told, or none is to be */
};

/* From the start of the word that `at` is in, if that is not far. */
static void excerpt(struct idem_span text, size_t at, char out[EXCERPT + 1])
{
  size_t from = at, len = 0;
  while (from > 0 && at - from < EXCERPT_BEFORE && (unsigned char)text.data[from - 1] > ' ')
    from--;
  for (; len < EXCERPT && from + len < text.len; len++) {
    unsigned char c = (unsigned char)text.data[from + len];
    out[len] = c < 0x20 || c == 0x7f ? '.' : (char)c;
  }
  out[len] = '\0';
}

/* An empty span may have no data at all. */
static bool equal(struct idem_span a, struct idem_span b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static size_t common_start(struct idem_span a, struct idem_span b)
{
  size_t len = a.len < b.len ? a.len : b.len, at = 0;
  while (at < len && a.data[at] == b.data[at])
    at++;
  return at;
}

/* Not over what they have in common at the start: "aa" and "aaa" would else share four bytes. */
static size_t common_end(struct idem_span a, struct idem_span b, size_t start)
{
  size_t len = (a.len < b.len ? a.len : b.len) - start, at = 0;
  while (at < len && a.data[a.len - 1 - at] == b.data[b.len - 1 - at])
    at++;
  return at;
}

/* Both texts from where they differ, with the offset, which is the same in both. */
static void tell_text(struct difference *difference, const char *where, struct idem_span a,
                      struct idem_span b)
{
  char x[EXCERPT + 1], y[EXCERPT + 1];
  size_t at = common_start(a, b);
  if (difference->found)
    return;
  excerpt(a, at, x);
  excerpt(b, at, y);
  snprintf(difference->text, difference->size, "%s at offset %zu (\"%s\" / \"%s\")", where, at, x, y);
  difference->found = true;
}

/* Only the first difference is told: what follows is often its consequence. */
static void tell_plain(struct difference *difference, const char *where, const char *what)
{
  if (!difference->found)
    snprintf(difference->text, difference->size, "%s%s", where, what);
  difference->found = true;
}

/* JSON. Only the first difference is told, so that the way to it is one loop down both texts. */

static bool same_json(struct idem_span a, struct idem_span b)
{
  uint8_t x[IDEM_KEY_SIZE], y[IDEM_KEY_SIZE];
  const struct json_canon_options all = {0};
  return json_canon(a, &all, x) == 0 && json_canon(b, &all, y) == 0 && memcmp(x, y, sizeof(x)) == 0;
}

/* The next value of a container whose bracket the cursor has passed, with its quotes; false: there is none.
 * */
static bool next_child(struct json_cursor *cursor, struct idem_span *name, struct idem_span *value)
{
  enum cursor_event event = json_cursor_next(cursor);
  if (event == CURSOR_ARRAY || event == CURSOR_OBJECT)
    json_cursor_skip(cursor);
  else if (event <= CURSOR_END || event == CURSOR_CLOSE)
    return false;
  *name = cursor->name;
  *value = cursor->text;
  if (event == CURSOR_STRING)
    *value = (struct idem_span){value->data - 1, value->len + 2};
  return true;
}

static bool same_name(struct idem_span a, struct idem_span b)
{
  return equal(a, b) ||
         same_json((struct idem_span){a.data - 1, a.len + 2}, (struct idem_span){b.data - 1, b.len + 2});
}

static bool find_child(struct idem_span object, struct idem_span name, struct idem_span *value)
{
  struct json_cursor cursor;
  struct idem_span other;
  bool found = false;
  json_cursor_init(&cursor, object);
  json_cursor_next(&cursor);
  while (!found && next_child(&cursor, &other, value))
    found = same_name(name, other);
  json_cursor_release(&cursor);
  return found;
}

/* What a string says, to be freed. */
static struct idem_span said(struct idem_span quoted)
{
  bool odd;
  char *text = malloc(2 * quoted.len);
  struct idem_span inner = {quoted.data + 1, quoted.len - 2};
  return (struct idem_span){text, text ? json_string_decode(inner, text, &odd) : 0};
}

static void tell_values(struct difference *difference, const char *path, struct idem_span a,
                        struct idem_span b)
{
  char where[PATH_MOST + 8], text[PATH_MOST];
  snprintf(where, sizeof(where), "JSON %s", *path ? path : "/");
  /* The offset counts what the strings say, without escapes, for that is what a person finds in the
   * program. */
  if (*a.data == '"' && *b.data == '"') {
    struct idem_span x = said(a), y = said(b);
    if (x.data && y.data)
      tell_text(difference, where, x, y);
    free((char *)(uintptr_t)x.data);
    free((char *)(uintptr_t)y.data);
  }
  int x_len = a.len < 2 * EXCERPT ? (int)a.len : EXCERPT, y_len = b.len < 2 * EXCERPT ? (int)b.len : EXCERPT;
  snprintf(text, sizeof(text), " (%.*s%s / %.*s%s)", x_len, a.data, (size_t)x_len < a.len ? "..." : "", y_len,
           b.data, (size_t)y_len < b.len ? "..." : "");
  tell_plain(difference, where, text);
}

/* RFC 6901: '~' is written ~0 and '/' is written ~1 inside a name. A name without data: the index. */
static void add_to_path(char path[PATH_MOST], struct idem_span name, size_t index)
{
  size_t at = strlen(path);
  int len = snprintf(path + at, PATH_MOST - at, name.data ? "/" : "/%zu", index);
  at = at + (size_t)len < PATH_MOST ? at + (size_t)len : PATH_MOST - 1;
  for (size_t i = 0; name.data && i < name.len && at < PATH_MOST - 2; i++) {
    bool escaped = name.data[i] == '~' || name.data[i] == '/';
    path[at++] = escaped ? '~' : name.data[i];
    if (escaped)
      path[at++] = name.data[i] == '~' ? '0' : '1';
  }
  path[at] = '\0';
}

/* Finds a child of `a` that `b` has otherwise, or has not; `other` is then without data. Both are walked side
 * by side, for most members come in the same order. */
static bool find_difference(struct idem_span a, struct idem_span b, struct idem_span *name, size_t *index,
                            struct idem_span *value, struct idem_span *other)
{
  struct json_cursor cursor, beside;
  struct idem_span other_name;
  bool found = false, more = true;
  json_cursor_init(&cursor, a);
  json_cursor_next(&cursor);
  json_cursor_init(&beside, b);
  json_cursor_next(&beside);
  for (*index = 0; !found && next_child(&cursor, name, value); *index += !found) {
    more = more && next_child(&beside, &other_name, other);
    bool same_place = more && (!name->data || same_name(*name, other_name));
    if (!same_place && (!name->data || !find_child(b, *name, other)))
      *other = (struct idem_span){NULL, 0};
    found = !other->data || !same_json(*value, *other);
  }
  json_cursor_release(&cursor);
  json_cursor_release(&beside);
  return found;
}

/* `a` and `b` are JSON and differ. A path that is full is deep enough. */
static void compare_json(struct difference *difference, struct idem_span a, struct idem_span b)
{
  char path[PATH_MOST] = "", where[PATH_MOST + 8];
  struct idem_span name, value, other;
  size_t index;
  while (*a.data == *b.data && (*a.data == '{' || *a.data == '[') && strlen(path) < PATH_MOST - 2) {
    bool only_second = false;
    if (!find_difference(a, b, &name, &index, &value, &other)) {
      only_second = find_difference(b, a, &name, &index, &value, &other);
      /* The same members, some of them twice and in another order. */
      if (!only_second)
        break;
    }
    add_to_path(path, name, index);
    if (!other.data) {
      snprintf(where, sizeof(where), "JSON %s", path);
      tell_plain(difference, where, only_second ? " is only in the second" : " is only in the first");
      return;
    }
    a = value;
    b = other;
  }
  tell_values(difference, path, a, b);
}

/* The parts. */

/* Anything else counts byte by byte, also a number and a string. */
static bool begins_json(struct idem_span body)
{
  body = json_trimmed(body);
  return body.len && (*body.data == '{' || *body.data == '[');
}

/* How alike they are by what they have in common at both ends; a prompt that grew by a message is near. */
static int compare_bodies(struct difference *difference, struct idem_span a, struct idem_span b)
{
  if (equal(a, b))
    return LIKE_BODY;
  size_t longer = a.len > b.len ? a.len : b.len, start = common_start(a, b);
  size_t alike = start + common_end(a, b, start);
  uint8_t x[IDEM_KEY_SIZE], y[IDEM_KEY_SIZE];
  const struct json_canon_options all = {0};
  /* A body that was cut for the store is no JSON any more, and is compared as a text. */
  bool json = begins_json(a) && begins_json(b) && json_canon(a, &all, x) == 0 && json_canon(b, &all, y) == 0,
       same = json && memcmp(x, y, sizeof(x)) == 0;
  if (json && !same && !difference->found)
    compare_json(difference, json_trimmed(a), json_trimmed(b));
  else if (!same)
    tell_text(difference, "body", a, b);
  /* Different bytes that say the same are as good as equal; different content never is. */
  return same ? LIKE_BODY : (int)((uint64_t)(LIKE_BODY - 1) * alike / longer);
}

/* Lines are as the store keeps them, "Name: value". One without a colon is all name, which no header of ours
 * is. */
static struct idem_span header_name(struct idem_span line)
{
  const char *colon = memchr(line.data, ':', line.len);
  return (struct idem_span){line.data, colon ? (size_t)(colon - line.data) : line.len};
}

/* Both lists are sorted by name. */
static int compare_headers(struct difference *difference, struct idem_span a, struct idem_span b)
{
  struct idem_span x, y;
  if (equal(a, b))
    return LIKE_HEADERS;
  bool more_a = event_stream_line(&a, &x), more_b = event_stream_line(&b, &y);
  while (more_a && more_b && equal(x, y)) {
    more_a = event_stream_line(&a, &x);
    more_b = event_stream_line(&b, &y);
  }
  /* The line that sorts first is the one that the other list has not; if both have it, it has another
   * value. */
  struct idem_span name = header_name(more_a ? x : y), other = header_name(more_b ? y : x);
  size_t len = name.len < other.len ? name.len : other.len;
  if (strncasecmp(other.data, name.data, len) < 0)
    name = other;
  char where[PATH_MOST];
  snprintf(where, sizeof(where), "header %.*s", (int)(name.len < 100 ? name.len : 100), name.data);
  tell_plain(difference, where, "");
  return 0;
}

/* All or nothing: a path is another or it is not. */
static int compare_part(struct difference *difference, const char *what, struct idem_span a,
                        struct idem_span b, int worth)
{
  if (equal(a, b))
    return worth;
  char text[PATH_MOST];
  snprintf(text, sizeof(text), " (\"%.*s\" / \"%.*s\")", (int)(a.len < 60 ? a.len : 60), a.len ? a.data : "",
           (int)(b.len < 60 ? b.len : 60), b.len ? b.data : "");
  tell_plain(difference, what, text);
  return 0;
}

/* In the order in which a person would look: who, where, what. Only equal keys are 1000, whatever else is
 * alike. */
int idem_store_compare(const struct idem_answer *a, const struct idem_answer *b, char *out, size_t size)
{
  struct difference difference = {.text = out, .size = size, .found = !size};
  int alike = 0;
  if (size)
    out[0] = '\0';
  if (memcmp(a->tenant, b->tenant, sizeof(a->tenant)) == 0)
    alike += LIKE_TENANT;
  else
    tell_plain(&difference, "tenant", "");
  alike += compare_part(&difference, "scope", a->scope, b->scope, LIKE_SCOPE);
  alike += compare_part(&difference, "origin", a->origin, b->origin, LIKE_ORIGIN);
  alike += compare_part(&difference, "method", a->method, b->method, LIKE_METHOD);
  alike += compare_part(&difference, "path", a->path, b->path, LIKE_PATH);
  alike += compare_part(&difference, "query", a->query, b->query, LIKE_QUERY);
  alike += compare_headers(&difference, a->request_headers, b->request_headers);
  alike += compare_bodies(&difference, a->request_body, b->request_body);
  if (memcmp(a->key, b->key, sizeof(a->key)) == 0)
    return 1000;
  if (difference.found)
    return alike < 1000 ? alike : 999;
  /* The same content under other keys. */
  tell_plain(&difference, a->sequence != b->sequence ? "sequence" : "idempotency key", "");
  return 999;
}
