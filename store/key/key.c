/* SPDX-License-Identifier: MIT */
#include "store/key/key.h"

#include "store/key/content.h"
#include "store/key/sampled.h"

#include <errno.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* What a piece of the tenant is. */
enum {
  TENANT_HEADER = 1,
  TENANT_COOKIE,
  TENANT_QUERY,
  TENANT_LOGIN,
  TENANT_NAMED,
  TENANT_AUTH,
  TENANT_OPTION
};

/* With other kinds of key, a header that could be one is none, and counts for nothing. */
static bool by_header(const struct idem_keying *keying)
{
  return keying->kind == IDEM_KEY_AUTO || keying->kind == IDEM_KEY_HEADER;
}

/* The raw name. */

/* What a request says of its credentials besides their texts; no other member lies between. */
enum {
  OF_CREDENTIALS =
      offsetof(struct idem_request, auth) + sizeof(uint64_t) - offsetof(struct idem_request, credential_count)
};
_Static_assert(OF_CREDENTIALS == sizeof(size_t) + 2 * sizeof(uint64_t), "without a hole");

/* All but path and body, as it came: what makes the same list has the same context, for roles are told by
 * lines and rule alone. Returns how many there are; 0: more than are remembered. */
static size_t list_context(const struct idem_request *request, struct idem_span list[HASH_MEMO_TEXTS])
{
  const struct idem_span first[] = {
      {(const char *)&request->rule->keying.serial, sizeof(request->rule->keying.serial)},
      {(const char *)&request->credential_count, OF_CREDENTIALS},
      request->scope,
      request->method,
      request->origin,
      request->trust,
      request->query,
      request->shape};
  const size_t count = sizeof(first) / sizeof(*first), headers = request->header_count,
               credentials = request->credential_count;
  if (headers > HASH_MEMO_TEXTS - count || credentials > HASH_MEMO_TEXTS - count - headers)
    return 0;
  memcpy(list, first, sizeof(first));
  for (size_t i = 0; i < credentials; i++)
    list[count + i] = request->credentials[i];
  for (size_t i = 0; i < headers; i++)
    list[count + credentials + i] = request->headers[i];
  return count + credentials + headers;
}

/* In the order and the spelling of the wire. A raw digest may differ where the content does not, and the long
 * way finds the answer then; it must never be the same where the content is not. */
static void hash_headers(struct hash *hash, const struct idem_request *request)
{
  const struct idem_keying *keying = &request->rule->keying;
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role == HEADER_OTHER || header.role == HEADER_SECRET ||
        (header.role == HEADER_KEY && !by_header(keying)))
      continue;
    hash_number(hash, header.role);
    hash_field(hash, header.name);
    hash_field(hash, header.value);
  }
  hash_number(hash, HEADER_OTHER);
}

static unsigned credential_kind(const struct idem_request *request, size_t i)
{
  return request->credential_kinds >> 4 * i & 15;
}

/* The kind of any but a login stands before it as a length that none has. */
static void hash_options(struct hash *hash, const struct idem_request *request)
{
  hash_number(hash, request->credential_count);
  for (size_t i = 0; i < request->credential_count; i++) {
    const unsigned kind = credential_kind(request, i);
    if (kind != IDEM_CREDENTIAL_LOGIN)
      hash_number(hash, UINT64_MAX - kind);
    hash_field(hash, request->credentials[i]);
  }
  if (request->auth) {
    hash_number(hash, UINT64_MAX);
    hash_number(hash, request->auth);
  }
}

/* The digest stands in an index of the store, and credentials are in it: without the secret none can be tried
 * against it. */
static void hash_context(const uint8_t *secret, const struct idem_request *request, struct hash_memo *memo,
                         uint8_t digest[IDEM_KEY_SIZE])
{
  /* The rule's text is the user's own and long: its 128 bits need not withstand an attack, only be cheap. */
  const char *rule = request->rule->keying.canonical;
  const XXH128_hash_t of_rule = XXH3_128bits(rule, strlen(rule));
  struct hash hash;
  hash_begin(&hash);
  hash_text(&hash, "idemshim raw 3");
  hash_digest(&hash, secret);
  hash_bytes(&hash, &of_rule, sizeof(of_rule));
  hash_field(&hash, request->scope);
  hash_field(&hash, request->method);
  hash_field(&hash, request->origin);
  hash_field(&hash, request->trust);
  hash_field(&hash, request->query);
  hash_options(&hash, request);
  hash_headers(&hash, request);
  hash_field(&hash, request->shape);
  const struct idem_span counted = hash_gathered(&hash);
  const uint8_t *known = counted.data ? hash_memo_find(memo, &counted, 1) : NULL;
  if (known) {
    memcpy(digest, known, IDEM_KEY_SIZE);
    return;
  }
  hash_end(&hash, digest);
  if (counted.data)
    hash_memo_keep(memo, &counted, 1, digest);
}

void key_text_secret(const uint8_t *secret, uint8_t out[KEY_TEXT_SECRET])
{
  for (uint64_t i = 0; i < KEY_TEXT_SECRET / IDEM_KEY_SIZE; i++) {
    struct hash hash;
    hash_begin(&hash);
    hash_text(&hash, "idemshim text secret");
    hash_digest(&hash, secret);
    hash_number(&hash, i);
    hash_end(&hash, out + i * IDEM_KEY_SIZE);
  }
}

static XXH128_hash_t hash_of_text(const uint8_t *text_secret, const void *data, size_t len)
{
  XXH128_hash_t hash;
  if (text_hash_suits(len))
    text_hash_wide(text_secret, data, len, (uint8_t *)&hash);
  else
    hash = XXH3_128bits_withSecret(data, len, text_secret, KEY_TEXT_SECRET);
  return hash;
}

/* The first half is the context's SHA-256, which nobody compares, and the second one the
 * XXH3 of what is compared. */
enum { RAW_HALF = IDEM_KEY_SIZE / 2 };
_Static_assert(sizeof(XXH128_hash_t) == RAW_HALF, "its digest is the second half");

void key_raw(const uint8_t *secret, const uint8_t *text_secret, const struct idem_request *request,
             struct hash_contexts *memo, uint8_t raw[IDEM_KEY_SIZE])
{
  struct idem_span list[HASH_MEMO_TEXTS];
  uint8_t made[IDEM_KEY_SIZE];
  size_t count = list_context(request, list);
  const uint8_t *context = count ? hash_memo_find(&memo->sent, list, count) : NULL;
  if (!context) {
    hash_context(secret, request, &memo->counted, made);
    if (count)
      hash_memo_keep(&memo->sent, list, count, made);
    context = made;
  }
  if (text_secret) {
    const XXH128_hash_t texts[] = {hash_of_text(text_secret, request->path.data, request->path.len),
                                   hash_of_text(text_secret, request->body.data, request->body.len)};
    const XXH128_hash_t both = hash_of_text(text_secret, texts, sizeof(texts));
    memcpy(raw, context, RAW_HALF);
    memcpy(raw + RAW_HALF, &both, RAW_HALF);
  } else {
    struct hash hash;
    hash_begin(&hash);
    hash_digest(&hash, context);
    hash_field(&hash, request->path);
    hash_field(&hash, request->body);
    hash_end(&hash, raw);
  }
}

/* The tenant. */

/* The tag keeps a cookie from passing for a header or a parameter of the same text. */
static void hash_piece(struct hash *hash, uint64_t tag, struct idem_span value)
{
  hash_number(hash, tag);
  hash_field(hash, value);
}

static void hash_cookies(struct hash *hash, struct idem_span cookies)
{
  struct idem_span cookie;
  bool counts;
  while (key_cookie_next(&cookies, &cookie, &counts))
    if (counts)
      hash_piece(hash, TENANT_COOKIE, cookie);
}

static void hash_credential(void *hash, struct idem_span name, struct idem_span value)
{
  if (name.len == 6 && strncasecmp(name.data, "cookie", 6) == 0) {
    hash_cookies(hash, value);
    return;
  }
  hash_number(hash, TENANT_HEADER);
  content_hash_name(hash, name);
  hash_field(hash, value);
}

static void hash_credentials(struct hash *hash, const struct idem_request *request)
{
  struct idem_span query = request->query, piece;
  bool credential, presigned = key_query_is_presigned(query);
  key_headers(request, HEADER_CREDENTIAL, false, hash_credential, hash);
  while (key_query_next(&query, &piece, &credential))
    if (key_query_role(&request->rule->keying, presigned, &piece) == HEADER_CREDENTIAL)
      hash_piece(hash, TENANT_QUERY, piece);
  for (size_t i = 0; i < request->credential_count; i++) {
    const unsigned kind = credential_kind(request, i);
    hash_piece(hash, kind ? TENANT_OPTION + kind : TENANT_LOGIN, request->credentials[i]);
  }
  if (request->auth) {
    hash_number(hash, TENANT_AUTH);
    hash_number(hash, request->auth);
  }
}

struct named_tenant {
  struct hash *hash;
  bool any;
};

/* Not its name, which is the rule's own and one: what counts is whom it says. */
static void hash_named(void *arg, struct idem_span name, struct idem_span value)
{
  struct named_tenant *tenant = arg;
  (void)name;
  tenant->any |= value.len > 0;
  hash_piece(tenant->hash, TENANT_NAMED, value);
}

static int hash_tenant(struct hash *hash, const struct idem_request *request)
{
  const struct idem_keying *keying = &request->rule->keying;
  struct named_tenant named = {.hash = hash};
  int rc = 0;
  switch (keying->tenant) {
  case IDEM_TENANT_CREDENTIALS:
    hash_credentials(hash, request);
    break;
  case IDEM_TENANT_NONE:
    break;
  case IDEM_TENANT_HEADER:
    key_headers(request, HEADER_TENANT, false, hash_named, &named);
    return named.any ? 0 : -ENODATA;
  case IDEM_TENANT_JSON:
    rc = content_pointers(&keying->tenant_of, request->body, hash);
    return rc == -ENOKEY ? -ENODATA : rc;
  }
  return 0;
}

/* The pieces are no one text: their digest is made first, and the MAC of that. With a plain digest, whoever
 * is shown one could try keys against it. */
static int name_tenant(const uint8_t *secret, const struct idem_request *request,
                       uint8_t tenant[IDEM_KEY_SIZE])
{
  struct hash hash;
  uint8_t material[IDEM_KEY_SIZE];
  hash_begin(&hash);
  int rc = hash_tenant(&hash, request);
  hash_end(&hash, material);
  if (rc == 0)
    hash_mac(secret, IDEM_KEY_SIZE, (struct idem_span){(const char *)material, sizeof(material)}, tenant);
  return rc;
}

/* The key. */

/* The first of the rule's headers, in the rule's order, that the request has with a value. */
static bool find_key_header(const struct idem_request *request, struct header *found)
{
  bool any = false;
  *found = (struct header){0};
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role != HEADER_KEY || !header.value.len || (any && header.which >= found->which))
      continue;
    *found = header;
    any = true;
  }
  return any;
}

/* The first field is in every name, and another one than that of 0.1, so that no two makes of names can meet
 * in a store. */
static void hash_common(struct hash *hash, const struct idem_request *request, const struct name *name)
{
  hash_begin(hash);
  hash_text(hash, "idemshim key 3");
  hash_digest(hash, name->tenant);
  hash_field(hash, request->scope);
  hash_field(hash, request->origin);
  hash_field(hash, request->trust);
  hash_field(hash, request->method);
  hash_field(hash, request->path);
}

bool key_hash_values(struct hash *hash, const struct idem_request *request, const struct header *first)
{
  struct idem_span last = first->value;
  hash_field(hash, last);
  for (size_t i = 0; i < request->header_count; i++) {
    struct header header = key_header(request, request->headers[i], false);
    if (header.role != HEADER_KEY || header.which != first->which || !header.value.len ||
        (header.value.len == last.len && memcmp(header.value.data, last.data, last.len) == 0))
      continue;
    last = header.value;
    hash_field(hash, last);
  }
  return last.data != first->value.data;
}

/* A letter for each kind, so that the value of a header never names what a body's field or a content does. A
 * header goes in as the rule spells it, whatever its case on the wire. */
static int hash_key(struct hash *hash, const struct idem_request *request, struct name *name)
{
  const struct idem_keying *keying = &request->rule->keying;
  struct header header;
  name->kind = IDEM_KEY_CONTENT;
  name->several_keys = false;
  if (keying->kind == IDEM_KEY_JSON) {
    name->kind = IDEM_KEY_JSON;
    hash_bytes(hash, "J", 1);
    return content_pointers(&keying->pointers, request->body, hash);
  }
  if (by_header(keying) && find_key_header(request, &header)) {
    name->kind = IDEM_KEY_HEADER;
    hash_bytes(hash, "H", 1);
    hash_text(hash, keying->headers.word[header.which]);
    name->several_keys = key_hash_values(hash, request, &header);
    return 0;
  }
  return keying->kind == IDEM_KEY_HEADER ? -ENOKEY : 0;
}

/* What the same content is found by: under another key, or of one that is named by its content, under other
 * headers. Under another key only if it would have one name without the keys: a header that does not count
 * beside a key may still be what two calls with two keys differ in. */
static void name_print(const struct idem_request *request, const struct content *content, struct name *name)
{
  bool by_content = name->kind == IDEM_KEY_CONTENT;
  struct hash hash;
  hash_common(&hash, request, name);
  hash_bytes(&hash, by_content ? "P" : "p", 1);
  hash_digest(&hash, by_content ? content->beside_headers : content->unnamed);
  hash_end(&hash, name->print);
}

int key_of_request(const uint8_t *secret, const struct idem_request *request, struct name *name)
{
  struct hash hash;
  name->sampled = false;
  int rc = name_tenant(secret, request, name->tenant);
  if (rc < 0)
    return rc;
  hash_common(&hash, request, name);
  rc = hash_key(&hash, request, name);
  if (rc == 0) {
    /* Also of a call that is named otherwise: it is its fingerprint, and another one under the same key is a
     * mismatch. */
    struct content content;
    content_of(request, name->kind != IDEM_KEY_CONTENT, &content);
    if (content.lacks_memory)
      return -ENOMEM;
    memcpy(name->fingerprint, content.fingerprint, IDEM_KEY_SIZE);
    name->unread = content.unread;
    if (name->kind == IDEM_KEY_CONTENT) {
      hash_bytes(&hash, "C", 1);
      hash_digest(&hash, name->fingerprint);
      name->sampled = sampled_is(request);
    }
    hash_end(&hash, name->base);
    name_print(request, &content, name);
  }
  return rc;
}

void key_of_repeat(const uint8_t *base, uint32_t n, uint8_t key[IDEM_KEY_SIZE])
{
  struct hash hash;
  if (n == 0) {
    memcpy(key, base, IDEM_KEY_SIZE);
    return;
  }
  hash_begin(&hash);
  hash_text(&hash, "idemshim number");
  hash_digest(&hash, base);
  hash_number(&hash, n);
  hash_end(&hash, key);
}
