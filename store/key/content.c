/* SPDX-License-Identifier: MIT */
#include "store/key/content.h"

#include "store/json/json_canon.h"
#include "store/json/json_pointer.h"
#include "store/key/key.h"

#include <ctype.h>
#include <errno.h>

struct values {
  struct hash *hash;
  bool any, failed;
};

/* Where a member is given twice, each value counts: nobody can say which of them the server takes. */
static void hash_value(void *arg, size_t which, struct idem_span value)
{
  struct values *values = arg;
  uint8_t digest[IDEM_KEY_SIZE];
  (void)which;
  if (value.len == 4 && memcmp(value.data, "null", 4) == 0)
    return;
  values->failed |= !json_canon(value, &(struct json_canon_options){0}, digest);
  values->any = true;
  hash_digest(values->hash, digest);
}

int content_pointers(const struct idem_words *pointers, struct idem_span body, struct hash *hash)
{
  for (size_t i = 0; i < pointers->count; i++) {
    struct idem_words one = {&pointers->word[i], 1};
    struct values values = {.hash = hash};
    hash_text(hash, pointers->word[i]);
    if (!json_find(body, &one, hash_value, &values) || values.failed || !values.any)
      return -ENOKEY;
    hash_bytes(hash, "", 1);
  }
  return 0;
}

void hash_name(struct hash *hash, struct idem_span name)
{
  hash_number(hash, name.len);
  for (size_t i = 0; i < name.len; i++) {
    char c = (char)tolower((unsigned char)name.data[i]);
    hash_bytes(hash, &c, 1);
  }
}

static void hash_header(void *hash, struct idem_span name, struct idem_span value)
{
  hash_name(hash, name);
  hash_field(hash, value);
}

static void hash_query(struct hash *hash, struct idem_span query)
{
  struct idem_span piece;
  bool credential;
  while (key_query_next(&query, &piece, &credential))
    if (!credential)
      hash_field(hash, piece);
  hash_number(hash, UINT64_MAX);
}

bool content_fingerprint_replaced(const struct idem_request *request, bool named,
                                  struct idem_span (*replace)(void *arg, struct idem_span text), void *arg,
                                  uint8_t fingerprint[IDEM_KEY_SIZE])
{
  const struct json_canon_options options = {&request->rule->keying.ignore, replace, arg};
  uint8_t body[IDEM_KEY_SIZE];
  struct hash hash;
  hash_begin(&hash);
  hash_text(&hash, "idemshim content 2");
  hash_query(&hash, request->query);
  key_headers(request, HEADER_VARY, named, hash_header, &hash);
  hash_number(&hash, UINT64_MAX);
  hash_field(&hash, request->shape);
  bool json = json_canon(request->body, &options, body);
  hash_bytes(&hash, json ? "J" : "R", 1);
  if (json)
    hash_digest(&hash, body);
  else
    hash_bytes(&hash, request->body.data, request->body.len);
  hash_end(&hash, fingerprint);
  return json || !request->body.len || !options.ignore->count;
}

bool content_fingerprint(const struct idem_request *request, bool named, uint8_t fingerprint[IDEM_KEY_SIZE])
{
  return content_fingerprint_replaced(request, named, NULL, NULL, fingerprint);
}
