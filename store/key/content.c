/* SPDX-License-Identifier: MIT */
#include "store/key/content.h"

#include "store/key/json_depth.h"
#include "store/key/key.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* More headers than anybody sends; those beyond are taken in the order given. */
enum { VARY_SORTED = 128 };

json_t *content_parse(struct idem_span body)
{
  return body.len ? shallow_load(body, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL)
                  : NULL;
}

/* Pointers. */

/* One token of a pointer with ~1 and ~0 undone, in `token`; returns what follows, or NULL if it is too long.
 */
static const char *next_token(const char *pointer, char *token, size_t size)
{
  size_t len = 0;
  for (pointer++; *pointer && *pointer != '/'; pointer++) {
    char c = *pointer;
    if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
      c = *++pointer == '0' ? '~' : '/';
    if (len + 1 == size)
      return NULL;
    token[len++] = c;
  }
  token[len] = '\0';
  return pointer;
}

static bool array_index(const char *token, size_t *index)
{
  char *end;
  if (!isdigit((unsigned char)token[0]) || (token[0] == '0' && token[1]))
    return false;
  *index = strtoul(token, &end, 10);
  return *end == '\0';
}

static json_t *child(json_t *json, const char *token)
{
  size_t index;
  if (json_is_array(json) && array_index(token, &index))
    return json_array_get(json, index);
  return json_object_get(json, token);
}

/* The parent of what `pointer` names, and the last token. */
static json_t *find_parent(json_t *json, const char *pointer, char *token, size_t size)
{
  while (json && *pointer == '/') {
    pointer = next_token(pointer, token, size);
    if (!pointer || *pointer == '\0')
      break;
    json = child(json, token);
  }
  return pointer ? json : NULL;
}

json_t *content_find(json_t *json, const char *pointer)
{
  char token[256];
  if (*pointer == '\0')
    return json;
  json_t *parent = find_parent(json, pointer, token, sizeof(token));
  return parent ? child(parent, token) : NULL;
}

static void leave_out(json_t *json, const char *pointer)
{
  char token[256];
  size_t index;
  json_t *parent = *pointer == '/' ? find_parent(json, pointer, token, sizeof(token)) : NULL;
  if (json_is_array(parent) && array_index(token, &index))
    json_array_remove(parent, index);
  else if (parent)
    json_object_del(parent, token);
}

/* Hashing. */

static int dump_to_hash(const char *text, size_t len, void *hash)
{
  hash_bytes(hash, text, len);
  return 0;
}

static int hash_json(struct hash *hash, const json_t *json)
{
  return json_dump_callback(json, dump_to_hash, hash,
                            JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}

int content_pointers(const struct idem_words *pointers, json_t *json, struct hash *hash)
{
  for (size_t i = 0; i < pointers->count; i++) {
    json_t *value = json ? content_find(json, pointers->word[i]) : NULL;
    if (!value || json_is_null(value))
      return -ENOKEY;
    hash_text(hash, pointers->word[i]);
    hash_json(hash, value);
    hash_bytes(hash, "", 1);
  }
  return 0;
}

static int by_name(const void *a, const void *b)
{
  const struct header *x = a, *y = b;
  size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
  int order = strncasecmp(x->name.data, y->name.data, len);
  if (order == 0)
    order = (x->name.len > y->name.len) - (x->name.len < y->name.len);
  /* The same header twice: the order in which it was given counts. */
  return order ? order : (x->value.data > y->value.data) - (x->value.data < y->value.data);
}

void content_vary(const struct idem_request *request,
                  void (*add)(void *arg, struct idem_span name, struct idem_span value), void *arg)
{
  struct header found[VARY_SORTED];
  size_t count = 0;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = name_header(&request->rule->keying, request->headers[i]);
    if (header.role != HEADER_VARY)
      continue;
    if (count < VARY_SORTED)
      found[count++] = header;
    else
      add(arg, header.name, header.value);
  }
  qsort(found, count, sizeof(*found), by_name);
  for (size_t i = 0; i < count; i++)
    add(arg, found[i].name, found[i].value);
}

static void hash_header(void *hash, struct idem_span name, struct idem_span value)
{
  hash_number(hash, name.len);
  for (size_t i = 0; i < name.len; i++) {
    char c = (char)tolower((unsigned char)name.data[i]);
    hash_bytes(hash, &c, 1);
  }
  hash_field(hash, value);
}

static void hash_query(struct hash *hash, struct idem_span query)
{
  struct idem_span piece;
  bool credential;
  while (name_query_next(&query, &piece, &credential))
    if (!credential)
      hash_field(hash, piece);
  hash_number(hash, UINT64_MAX);
}

void content_fingerprint(const struct idem_request *request, json_t *json, uint8_t fingerprint[IDEM_KEY_SIZE])
{
  const struct idem_words *ignore = &request->rule->keying.ignore;
  struct hash hash;
  hash_begin(&hash);
  hash_text(&hash, "idemshim content 1");
  hash_query(&hash, request->query);
  content_vary(request, hash_header, &hash);
  hash_number(&hash, UINT64_MAX);
  hash_field(&hash, request->shape);
  for (size_t i = 0; json && i < ignore->count; i++)
    leave_out(json, ignore->word[i]);
  struct hash before = hash;
  hash_bytes(&hash, "J", 1);
  if (!json || hash_json(&hash, json) < 0) {
    hash = before;
    hash_bytes(&hash, "R", 1);
    hash_bytes(&hash, request->body.data, request->body.len);
  }
  hash_end(&hash, fingerprint);
}
