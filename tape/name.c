/* SPDX-License-Identifier: MIT */
/* What a replay looks an exchange up by. The store's names would not do: they have its secret, the credential
 * and the scope in them, and none of these are the same at another desk; and they cost more than a recording
 * may. */
#include "store/key/key.h"

#include "store/base/hash.h"
#include "store/base/process.h"
#include "store/json/json_canon.h"
#include "store/key/content.h"
#include "tape/tape.h"

#include <limits.h>
#include <string.h>

static void begin(struct hash *hash, const char *what, const struct idem_request *request)
{
  hash_begin(hash);
  hash_text(hash, what);
  hash_field(hash, request->method);
  hash_field(hash, request->origin);
  hash_field(hash, request->path);
}

/* The content: query, headers that count, body. */

static void add_header(void *hash, struct idem_span name, struct idem_span value)
{
  hash_name(hash, name);
  hash_field(hash, value);
}

static void make_fingerprint(const struct idem_request *request, bool named,
                             uint8_t fingerprint[IDEM_KEY_SIZE])
{
  struct idem_span query = request->query, piece;
  struct hash hash;
  bool credential;
  begin(&hash, "idemshim tape content 2", request);
  while (key_query_next(&query, &piece, &credential))
    if (!credential)
      hash_field(&hash, piece);
  hash_number(&hash, UINT64_MAX);
  key_headers(request, HEADER_VARY, named, add_header, &hash);
  hash_number(&hash, UINT64_MAX);
  hash_field(&hash, request->shape);
  uint8_t body[IDEM_KEY_SIZE];
  struct json_canon_options options = {.ignore = &request->rule->keying.ignore};
  if (json_canon(request->body, &options, body))
    hash_digest(&hash, body);
  else
    hash_field(&hash, request->body);
  hash_end(&hash, fingerprint);
}

/* The key. */

/* The first of the rule's headers that the request has with a value. */
static bool add_key_header(struct hash *hash, const struct idem_request *request)
{
  struct header first = {.which = UINT_MAX};
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role == HEADER_KEY && header.value.len && header.which < first.which)
      first = header;
  }
  if (first.which == UINT_MAX)
    return false;
  hash_text(hash, request->rule->keying.headers.word[first.which]);
  hash_field(hash, first.value);
  return true;
}

static bool has_own_key(struct hash *hash, const struct idem_request *request)
{
  switch (request->rule->keying.kind) {
  case IDEM_KEY_AUTO:
  case IDEM_KEY_HEADER:
    return add_key_header(hash, request);
  case IDEM_KEY_JSON:
    return content_pointers(&request->rule->keying.pointers, request->body, hash) == 0;
  case IDEM_KEY_CONTENT:
    break;
  }
  return false;
}

void tape_name(const struct idem_request *request, struct tape_call *call)
{
  struct quiet quiet = quiet_begin();
  struct hash hash;
  begin(&hash, "idemshim tape key 2", request);
  bool named = has_own_key(&hash, request);
  make_fingerprint(request, named, call->fingerprint);
  if (named)
    hash_end(&hash, call->key);
  else
    memcpy(call->key, call->fingerprint, IDEM_KEY_SIZE);
  quiet_end(&quiet);
}
