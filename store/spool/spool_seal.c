/* SPDX-License-Identifier: MIT */
/* The pieces of a spool in an encrypted store. */
#include "store/spool/spool.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

/* All before the sum is authenticated with a piece. */
static struct idem_span bound_of(const struct spool_head *head)
{
  return (struct idem_span){(const char *)head, offsetof(struct spool_head, sum)};
}

static int key_of(const struct idem_store *store, const struct spool_head *head, uint8_t key[SEAL_KEY_SIZE])
{
  char salt[IDEM_KEY_SIZE + sizeof(head->generation)];
  uint8_t check[SEAL_CHECK_SIZE];
  memcpy(salt, head->key, IDEM_KEY_SIZE);
  memcpy(salt + IDEM_KEY_SIZE, &head->generation, sizeof(head->generation));
  return seal_derive(store->seal_key, (struct idem_span){salt, sizeof(salt)}, key, check);
}

/* Either way, with the spool's own key. */
static int apply(__typeof__(seal) *cipher, const struct idem_store *store, const struct spool_head *head,
                 uint8_t *bytes, size_t len)
{
  uint8_t key[SEAL_KEY_SIZE];
  int rc = key_of(store, head, key);
  if (rc == 0)
    rc = cipher(key, head->nonce, bound_of(head), bytes, len);
  OPENSSL_cleanse(key, sizeof(key));
  return rc;
}

int spool_seal(const struct idem_store *store, const struct spool_head *head, uint8_t *bytes, size_t len)
{
  return apply(seal, store, head, bytes, len);
}

int spool_unseal(const struct idem_store *store, const struct spool_head *head, uint8_t *bytes, size_t len)
{
  return apply(unseal, store, head, bytes, len);
}
