/* SPDX-License-Identifier: MIT */
#include "store/state/identity.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

struct identity {
  uint32_t schema, zero;
  uint8_t secret[STORE_SECRET];
  uint8_t salt[16], check[SEAL_CHECK_SIZE]; /* of an encrypted store alone */
};

enum { IDENTITY_PLAIN = offsetof(struct identity, salt) };

static size_t identity_size(uint32_t schema)
{
  return schema == STORE_SCHEMA ? IDENTITY_PLAIN : sizeof(struct identity);
}

static const char identity_key[] = "identity";

static int put_identity(struct writer *writer, void *arg)
{
  const struct identity *fresh = arg;
  struct idem_span there;
  if (writer_get(writer, PAGES_META, identity_key, sizeof(identity_key), &there) == 0)
    return 0;
  return writer_put(writer, PAGES_META, identity_key, sizeof(identity_key), fresh,
                    identity_size(fresh->schema));
}

static int derive(const uint8_t *master, const struct identity *identity, uint8_t key[SEAL_KEY_SIZE],
                  uint8_t check[SEAL_CHECK_SIZE])
{
  struct idem_span salt = {(const char *)identity->salt, sizeof(identity->salt)};
  return seal_derive(master, salt, key, check);
}

/* `master` is NULL for a store that is not encrypted. */
static int make_identity(struct engine *engine, const uint8_t *master, struct idem_error *error)
{
  struct identity fresh = {.schema = master ? STORE_SCHEMA_SEALED : STORE_SCHEMA};
  uint8_t key[SEAL_KEY_SIZE];
  bool random = getrandom(fresh.secret, sizeof(fresh.secret), 0) == sizeof(fresh.secret) &&
                getrandom(fresh.salt, sizeof(fresh.salt), 0) == sizeof(fresh.salt);
  if (random && master && derive(master, &fresh, key, fresh.check) < 0)
    return idem_error_set(error, -ENOMEM, "no memory");
  explicit_bzero(key, sizeof(key));
  if (!random)
    return idem_error_set(error, -EIO, "no random numbers: %s", strerror(errno));
  return engine_write(engine, put_identity, &fresh, error);
}

static int read_identity(struct engine *engine, struct identity *out, struct idem_error *error)
{
  struct reader *reader;
  struct idem_span value;
  int rc = engine_begin(engine, &reader, error);
  if (rc < 0)
    return rc;
  rc = reader_get(reader, PAGES_META, identity_key, sizeof(identity_key), &value);
  if (rc == 0 && value.len < sizeof(out->schema))
    rc = -EILSEQ;
  if (rc == 0) {
    memset(out, 0, sizeof(*out));
    memcpy(out, value.data, value.len < sizeof(*out) ? value.len : sizeof(*out));
    if (out->schema <= STORE_SCHEMA_SEALED && value.len != identity_size(out->schema))
      rc = -EILSEQ;
  }
  engine_end(reader);
  return rc;
}

static int learn_key(struct idem_store *store, const struct identity *identity, const uint8_t *master,
                     const char *key_file, struct idem_error *error)
{
  uint8_t check[SEAL_CHECK_SIZE];
  store->sealed = identity->schema == STORE_SCHEMA_SEALED;
  if (store->sealed && !master)
    return idem_error_set(error, -EKEYREJECTED, "%s: the store is encrypted, and no key is given",
                          store->dir);
  if (!store->sealed && master)
    return idem_error_set(
        error, -EKEYREJECTED,
        "%s: the store is not encrypted, and %s gives a key; name another store, or remove it", store->dir,
        key_file);
  if (!store->sealed)
    return 0;
  if (derive(master, identity, store->seal_key, check) < 0)
    return idem_error_set(error, -ENOMEM, "no memory");
  if (memcmp(check, identity->check, sizeof(check)) != 0)
    return idem_error_set(error, -EKEYREJECTED, "%s: the store is encrypted with another key than that of %s",
                          store->dir, key_file);
  return 0;
}

static int learn_identity(struct idem_store *store, struct engine *engine, const uint8_t *master,
                          const char *key_file, struct idem_error *error)
{
  struct identity identity;
  int rc = read_identity(engine, &identity, error);
  if (rc == -ENOENT && (rc = make_identity(engine, master, error)) >= 0)
    rc = read_identity(engine, &identity, error);
  if (rc < 0)
    return idem_error_set(error, rc, "%s: the store is damaged or cannot be written", store->dir);
  if (identity.schema != STORE_SCHEMA && identity.schema != STORE_SCHEMA_SEALED)
    return idem_error_set(error, -EPROTO, "%s: the store has version %u, this idemshim knows version %d",
                          store->dir, identity.schema, STORE_SCHEMA_SEALED);
  memcpy(store->secret, identity.secret, sizeof(store->secret));
  return learn_key(store, &identity, master, key_file, error);
}

int identity_learn(struct idem_store *store, struct engine *engine, const char *key_file,
                   struct idem_error *error)
{
  uint8_t master[SEAL_KEY_SIZE];
  int rc = key_file && seal_read_key(key_file, master, error) < 0 ? -EKEYREJECTED : 0;
  if (rc == 0)
    rc = learn_identity(store, engine, key_file ? master : NULL, key_file, error);
  explicit_bzero(master, sizeof(master));
  return rc;
}
