/* SPDX-License-Identifier: MIT */
/* Where two requests part, for a person who asks why the second was not answered from the store. */
#include "store/judge/event_stream.h"
#include "store/key/content.h"

#include <stdio.h>
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

enum { EXCERPT_BEFORE = 12, EXCERPT = 24, PATH_MOST = 160 };

struct difference {
  char *text;
  size_t size;
  bool found; /* the first one is told */
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

static size_t common_end(struct idem_span a, struct idem_span b, size_t start)
{
  size_t len = (a.len < b.len ? a.len : b.len) - start, at = 0;
  while (at < len && a.data[a.len - 1 - at] == b.data[b.len - 1 - at])
    at++;
  return at;
}

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

static void tell_plain(struct difference *difference, const char *where, const char *what)
{
  if (!difference->found)
    snprintf(difference->text, difference->size, "%s%s", where, what);
  difference->found = true;
}

/* JSON */

static void tell_values(struct difference *difference, const char *path, const json_t *a, const json_t *b)
{
  char x[EXCERPT * 2] = "", y[EXCERPT * 2] = "", where[PATH_MOST + 8];
  snprintf(where, sizeof(where), "JSON %s", *path ? path : "/");
  if (json_is_string(a) && json_is_string(b)) {
    tell_text(difference, where, (struct idem_span){json_string_value(a), json_string_length(a)},
              (struct idem_span){json_string_value(b), json_string_length(b)});
    return;
  }
  size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS;
  size_t x_len = json_dumpb(a, x, sizeof(x) - 1, flags), y_len = json_dumpb(b, y, sizeof(y) - 1, flags);
  char text[PATH_MOST];
  snprintf(text, sizeof(text), " (%.*s%s / %.*s%s)", (int)(x_len < sizeof(x) ? x_len : EXCERPT), x,
           x_len < sizeof(x) ? "" : "...", (int)(y_len < sizeof(y) ? y_len : EXCERPT), y,
           y_len < sizeof(y) ? "" : "...");
  tell_plain(difference, where, text);
}

static void tell_missing(struct difference *difference, const char *path, bool in_first)
{
  char where[PATH_MOST + 8];
  snprintf(where, sizeof(where), "JSON %s", path);
  tell_plain(difference, where, in_first ? " is only in the first" : " is only in the second");
}

static void compare_json(struct difference *difference, const char *path, const json_t *a, const json_t *b);

/* RFC 6901: '~' is written ~0 and '/' is written ~1 inside a name. */
static void path_below(const char *path, const char *name, char below[PATH_MOST])
{
  int len = snprintf(below, PATH_MOST, "%s/", path);
  size_t at = len < PATH_MOST ? (size_t)len : PATH_MOST - 1;
  for (; *name && at < PATH_MOST - 2; name++) {
    bool escaped = *name == '~' || *name == '/';
    below[at++] = escaped ? '~' : *name;
    if (escaped)
      below[at++] = *name == '~' ? '0' : '1';
  }
  below[at] = '\0';
}

static void compare_members(struct difference *difference, const char *path, const json_t *a, const json_t *b)
{
  const char *name;
  const json_t *value;
  char below[PATH_MOST];
  json_object_foreach((json_t *)(uintptr_t)a, name, value)
  {
    const json_t *other = json_object_get(b, name);
    path_below(path, name, below);
    if (!other)
      tell_missing(difference, below, true);
    else
      compare_json(difference, below, value, other);
  }
  json_object_foreach((json_t *)(uintptr_t)b, name, value)
  {
    path_below(path, name, below);
    if (!json_object_get(a, name))
      tell_missing(difference, below, false);
  }
}

static void compare_items(struct difference *difference, const char *path, const json_t *a, const json_t *b)
{
  size_t x = json_array_size(a), y = json_array_size(b);
  char below[PATH_MOST];
  for (size_t i = 0; (i < x || i < y) && !difference->found; i++) {
    snprintf(below, sizeof(below), "%s/%zu", path, i);
    if (i >= x || i >= y)
      tell_missing(difference, below, i < x);
    else
      compare_json(difference, below, json_array_get(a, i), json_array_get(b, i));
  }
}

static void compare_json(struct difference *difference, const char *path, const json_t *a, const json_t *b)
{
  if (difference->found || json_equal(a, b))
    return;
  if (json_is_object(a) && json_is_object(b))
    compare_members(difference, path, a, b);
  else if (json_is_array(a) && json_is_array(b))
    compare_items(difference, path, a, b);
  else
    tell_values(difference, path, a, b);
}

/* The parts. */

static int compare_bodies(struct difference *difference, struct idem_span a, struct idem_span b)
{
  if (equal(a, b))
    return LIKE_BODY;
  size_t longer = a.len > b.len ? a.len : b.len, start = common_start(a, b);
  size_t alike = start + common_end(a, b, start);
  json_t *x = content_parse(a), *y = content_parse(b);
  bool same = x && y && json_equal(x, y);
  if (x && y && !same)
    compare_json(difference, "", x, y);
  else if (!same)
    tell_text(difference, "body", a, b);
  json_decref(x);
  json_decref(y);
  /* Different bytes that say the same are as good as equal; different content never is. */
  return same ? LIKE_BODY : (int)((uint64_t)(LIKE_BODY - 1) * alike / longer);
}

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
  bool more_a = sse_line(&a, &x), more_b = sse_line(&b, &y);
  while (more_a && more_b && equal(x, y)) {
    more_a = sse_line(&a, &x);
    more_b = sse_line(&b, &y);
  }
  struct idem_span name = header_name(more_a ? x : y), other = header_name(more_b ? y : x);
  size_t len = name.len < other.len ? name.len : other.len;
  if (strncasecmp(other.data, name.data, len) < 0)
    name = other;
  char where[PATH_MOST];
  snprintf(where, sizeof(where), "header %.*s", (int)(name.len < 100 ? name.len : 100), name.data);
  tell_plain(difference, where, "");
  return 0;
}

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

int idem_store_compare(const struct idem_answer *a, const struct idem_answer *b, char *out, size_t size)
{
  struct difference difference = {.text = out, .size = size};
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
