/* SPDX-License-Identifier: MIT */
#include "store/key/key.h"

#include "store/base/hash.h"
#include "store/key/content.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/hmac.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Behind the indexes of the credential headers. */
enum { TENANT_QUERY = 100, TENANT_OTHER };

static bool by_header(const struct idem_keying *keying)
{
  return keying->kind == IDEM_KEY_AUTO || keying->kind == IDEM_KEY_HEADER;
}

static void hash_headers(struct hash *hash, const struct idem_request *request)
{
  const struct idem_keying *keying = &request->rule->keying;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = name_header(keying, request->headers[i]);
    if (header.role == HEADER_OTHER || header.role == HEADER_SECRET ||
        (header.role == HEADER_KEY && !by_header(keying)))
      continue;
    hash_number(hash, header.role);
    hash_field(hash, header.name);
    hash_field(hash, header.value);
  }
  hash_number(hash, HEADER_OTHER);
}

void key_raw(const uint8_t *secret, const struct idem_request *request, struct hash_prefix *known,
             uint8_t raw[IDEM_KEY_SIZE])
{
  struct hash hash;
  hash_begin(&hash);
  hash_digest(&hash, secret);
  /* The rule's text is the user's own and long: its 128 bits need not withstand an attack, only be cheap. */
  const char *rule = request->rule->keying.canonical;
  XXH128_hash_t digest = XXH3_128bits(rule, strlen(rule));
  hash_bytes(&hash, &digest, sizeof(digest));
  hash_number(&hash, (uint64_t)request->rule->keying.kind << 8 | request->rule->repeats);
  hash_field(&hash, request->scope);
  hash_field(&hash, request->method);
  hash_field(&hash, request->origin);
  hash_field(&hash, request->path);
  hash_field(&hash, request->query);
  for (size_t i = 0; i < request->credential_count; i++)
    hash_field(&hash, request->credentials[i]);
  hash_number(&hash, request->credential_count);
  hash_headers(&hash, request);
  hash_field(&hash, request->shape);
  hash_settle(&hash, known);
  hash_field(&hash, request->body);
  hash_end(&hash, raw);
}

/* The tenant. */

static void hash_credential(struct hash *hash, uint64_t tag, struct idem_span value)
{
  hash_number(hash, tag);
  hash_field(hash, value);
}

/* Headers in the order of their table: how the app sorts them says nothing of who it is. */
static void hash_credential_headers(struct hash *hash, const struct idem_request *request)
{
  unsigned last = 0;
  for (unsigned which = 0; which <= last; which++)
    for (size_t i = 0; i < request->header_count; i++) {
      struct header header = name_header(&request->rule->keying, request->headers[i]);
      if (header.role != HEADER_CREDENTIAL)
        continue;
      if (header.which == which)
        hash_credential(hash, which, header.value);
      if (header.which > last)
        last = header.which;
    }
}

static void hash_credential_query(struct hash *hash, struct idem_span query)
{
  struct idem_span piece;
  bool credential;
  while (name_query_next(&query, &piece, &credential))
    if (credential)
      hash_credential(hash, TENANT_QUERY, piece);
}

static int name_tenant(const uint8_t *secret, const struct idem_request *request,
                       uint8_t tenant[IDEM_KEY_SIZE])
{
  struct hash hash;
  uint8_t material[IDEM_KEY_SIZE];
  unsigned len = IDEM_KEY_SIZE;
  hash_begin(&hash);
  hash_credential_headers(&hash, request);
  hash_credential_query(&hash, request->query);
  for (size_t i = 0; i < request->credential_count; i++)
    hash_credential(&hash, TENANT_OTHER, request->credentials[i]);
  hash_end(&hash, material);
  return HMAC(EVP_sha256(), secret, IDEM_KEY_SIZE, material, sizeof(material), tenant, &len) ? 0 : -ENOMEM;
}

/* The key. */

/* The first of the rule's headers, in the rule's order, that the request has with a value. */
static bool find_key_header(const struct idem_request *request, struct header *found)
{
  bool any = false;
  *found = (struct header){0};
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = name_header(&request->rule->keying, request->headers[i]);
    if (header.role != HEADER_KEY || !header.value.len || (any && header.which >= found->which))
      continue;
    *found = header;
    any = true;
  }
  return any;
}

static void hash_common(struct hash *hash, const struct idem_request *request, const struct name *name)
{
  hash_begin(hash);
  hash_text(hash, "idemshim key 1");
  hash_digest(hash, name->tenant);
  hash_field(hash, request->scope);
  hash_field(hash, request->origin);
  hash_field(hash, request->method);
  hash_field(hash, request->path);
}

static int hash_key(struct hash *hash, const struct idem_request *request, struct name *name)
{
  const struct idem_keying *keying = &request->rule->keying;
  struct header header;
  name->kind = IDEM_KEY_CONTENT;
  if (keying->kind == IDEM_KEY_JSON) {
    name->kind = IDEM_KEY_JSON;
    hash_bytes(hash, "J", 1);
    return content_pointers(&keying->pointers, request->body, hash);
  }
  if (by_header(keying) && find_key_header(request, &header)) {
    name->kind = IDEM_KEY_HEADER;
    hash_bytes(hash, "H", 1);
    hash_text(hash, keying->headers.word[header.which]);
    hash_field(hash, header.value);
    return 0;
  }
  return keying->kind == IDEM_KEY_HEADER ? -ENOKEY : 0;
}

static void name_print(const struct idem_request *request, struct name *name)
{
  struct hash hash;
  hash_common(&hash, request, name);
  hash_digest(&hash, name->fingerprint);
  hash_end(&hash, name->print);
}

int key_of_request(const uint8_t *secret, const struct idem_request *request, struct name *name)
{
  struct hash hash;
  int rc = name_tenant(secret, request, name->tenant);
  if (rc < 0)
    return rc;
  hash_common(&hash, request, name);
  rc = hash_key(&hash, request, name);
  if (rc == 0) {
    name->unread = !content_fingerprint(request, name->fingerprint);
    if (name->kind == IDEM_KEY_CONTENT) {
      hash_bytes(&hash, "C", 1);
      hash_digest(&hash, name->fingerprint);
    }
    hash_end(&hash, name->base);
    name_print(request, name);
  }
  return rc;
}

void key_of_repeat(enum idem_repeats repeats, const uint8_t *base, uint32_t n, uint8_t key[IDEM_KEY_SIZE])
{
  struct hash hash;
  if (repeats == IDEM_REPEATS_REPLAY) {
    memcpy(key, base, IDEM_KEY_SIZE);
    return;
  }
  hash_begin(&hash);
  hash_number(&hash, repeats);
  hash_digest(&hash, base);
  hash_number(&hash, n);
  hash_end(&hash, key);
}
