/* SPDX-License-Identifier: MIT */
/*
 * hash: SHA-256 over fields whose lengths are part of what is hashed, so that no two lists of fields look
 * alike. Small fields are gathered first, since each call into the library costs as much as a block.
 *
 *     struct hash hash;
 *     hash_begin(&hash);
 *     hash_field(&hash, method);  hash_field(&hash, path);
 *     hash_end(&hash, digest);
 *
 * Nothing fails or allocates. The digests name what is on disk: what goes into one, and how, never changes.
 */
#ifndef IDEMSHIM_STORE_HASH_H
#define IDEMSHIM_STORE_HASH_H

/* The one-shot functions of OpenSSL 3 fetch and allocate for each digest; these do not. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "store/store.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

/* In place of a length: the number follows in eight bytes. */
enum { HASH_WIDE = 0xff };

enum { HASH_GATHERED = 1024 };

struct hash {
  SHA256_CTX sha;
  size_t used;  /* bytes in `buffer` that `sha` has not seen */
  bool flushed; /* it has seen others */
  uint8_t buffer[HASH_GATHERED];
};

/* Sets it up; it owns nothing, so that it may be copied and left. */
static inline void hash_begin(struct hash *hash)
{
  SHA256_Init(&hash->sha);
  hash->used = 0;
  hash->flushed = false;
}

/* Gives SHA-256 what was gathered. */
static inline void hash_flush(struct hash *hash)
{
  SHA256_Update(&hash->sha, hash->buffer, hash->used);
  hash->used = 0;
  hash->flushed = true;
}

/* Bytes without a length. */
static inline void hash_bytes(struct hash *hash, const void *data, size_t len)
{
  if (len > sizeof(hash->buffer) - hash->used) {
    hash_flush(hash);
    if (len > sizeof(hash->buffer) / 2) {
      SHA256_Update(&hash->sha, data, len);
      return;
    }
  }
  if (len)
    memcpy(hash->buffer + hash->used, data, len);
  hash->used += len;
}

/* One byte for most lengths: a block of SHA-256 has 64, and a name has two dozen fields. */
static inline void hash_number(struct hash *hash, uint64_t number)
{
  uint8_t byte = number < HASH_WIDE ? (uint8_t)number : HASH_WIDE;
  hash_bytes(hash, &byte, 1);
  if (byte == HASH_WIDE)
    hash_bytes(hash, &number, sizeof(number));
}

/* The length, then the bytes. */
static inline void hash_field(struct hash *hash, struct idem_span field)
{
  hash_number(hash, field.len);
  hash_bytes(hash, field.data, field.len);
}

static inline void hash_text(struct hash *hash, const char *text)
{
  hash_field(hash, (struct idem_span){text, strlen(text)});
}

/* Digests are all of one size, which need not be told. */
static inline void hash_digest(struct hash *hash, const uint8_t digest[IDEM_KEY_SIZE])
{
  hash_bytes(hash, digest, IDEM_KEY_SIZE);
}

/* All that was hashed; no data: it was more than is gathered. */
static inline struct idem_span hash_gathered(const struct hash *hash)
{
  return hash->flushed ? (struct idem_span){NULL, 0}
                       : (struct idem_span){(const char *)hash->buffer, hash->used};
}

static inline void hash_end(struct hash *hash, uint8_t digest[IDEM_KEY_SIZE])
{
  hash_flush(hash);
  SHA256_Final(digest, &hash->sha);
}

/* HMAC (RFC 2104) with a key of a block or less. OpenSSL 3's own looks the digest up under a lock for each
 * call, and a thread that holds it while another one forks leaves it locked in the child for ever. */
static inline void hash_mac(const void *key, size_t key_len, struct idem_span data,
                            uint8_t mac[IDEM_KEY_SIZE])
{
  uint8_t inner[SHA256_CBLOCK], outer[SHA256_CBLOCK];
  SHA256_CTX sha;
  for (size_t i = 0; i < SHA256_CBLOCK; i++) {
    uint8_t byte = i < key_len ? ((const uint8_t *)key)[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  SHA256_Init(&sha);
  SHA256_Update(&sha, inner, sizeof(inner));
  SHA256_Update(&sha, data.data, data.len);
  SHA256_Final(mac, &sha);
  SHA256_Init(&sha);
  SHA256_Update(&sha, outer, sizeof(outer));
  SHA256_Update(&sha, mac, IDEM_KEY_SIZE);
  SHA256_Final(mac, &sha);
  OPENSSL_cleanse(inner, sizeof(inner));
  OPENSSL_cleanse(outer, sizeof(outer));
}

#endif
