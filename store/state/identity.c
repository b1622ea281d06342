/* SPDX-License-Identifier: MIT */
#include "store/state/state.h"

#include "config/words.h"
#include "store/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* As the store keeps it. A plain one ends before the salt. The secret is what tenants are hashed with: with
 * it and a store, a credential could be tried, so it never leaves the store. */
struct identity {
  uint32_t schema, zero;
  uint8_t secret[STORE_SECRET];
  uint8_t salt[16], check[SEAL_CHECK_SIZE];
};

static const char identity_key[] = "identity";

static size_t identity_size(uint32_t schema)
{
  bool plain = schema == STORE_SCHEMA || schema == STORE_SCHEMA_0_1;
  return plain ? offsetof(struct identity, salt) : sizeof(struct identity);
}

/* The salt is the store's own, so that two stores with one key file have different keys. */
static int derive(const uint8_t *master, const struct identity *identity, uint8_t key[SEAL_KEY_SIZE],
                  uint8_t check[SEAL_CHECK_SIZE])
{
  struct idem_span salt = {(const char *)identity->salt, sizeof(identity->salt)};
  return seal_derive(master, salt, key, check);
}

/* Whoever comes first makes it. */
static int put_identity(struct writer *writer, void *arg)
{
  const struct identity *fresh = arg;
  struct idem_span there;
  if (pages_get(&writer->before, PAGES_META, identity_key, sizeof(identity_key), &there) == 0)
    return 0;
  return writer_put(writer, PAGES_META, identity_key, sizeof(identity_key), fresh,
                    identity_size(fresh->schema));
}

/* A new file is on the disk with the directory that names it, and that with its own. */
static void flush_names(const struct idem_store *store)
{
  static const char *const names[] = {"/.", "/.."};
  char path[PATH_MAX];
  for (size_t i = 0; i < sizeof(names) / sizeof(*names) && store->sync; i++) {
    snprintf(path, sizeof(path), "%s%s", store->dir, names[i]);
    int fd = fd_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
      continue;
    fsync(fd);
    close(fd);
  }
}

/* `master` is NULL for a store that is not encrypted. */
static int make_identity(struct idem_store *store, const uint8_t *master, struct idem_error *error)
{
  struct identity fresh = {.schema = master ? STORE_SCHEMA_SEALED : STORE_SCHEMA};
  const struct writer_job making = {.body = put_identity, .arg = &fresh, .makes = true};
  uint8_t key[SEAL_KEY_SIZE];
  if (getrandom(fresh.secret, sizeof(fresh.secret), 0) != sizeof(fresh.secret) ||
      getrandom(fresh.salt, sizeof(fresh.salt), 0) != sizeof(fresh.salt))
    return idem_error_set(error, -EIO, "no random numbers: %s", strerror(errno));
  if (store->given) {
    memcpy(fresh.secret, store->given->secret, sizeof(fresh.secret));
    memcpy(fresh.salt, store->given->salt, sizeof(fresh.salt));
  }
  int rc = master ? derive(master, &fresh, key, fresh.check) : 0;
  explicit_bzero(key, sizeof(key));
  rc = rc < 0 ? idem_error_set(error, rc, "no memory") : state_write_job(store, &making, error);
  flush_names(store);
  return rc;
}

/* -ENOENT for a store that has just been made. */
static int read_identity(struct idem_store *store, struct identity *out, struct idem_error *error)
{
  struct reader *reader;
  struct idem_span value;
  int rc = state_read(store, &reader, error);
  if (rc < 0)
    return rc;
  rc = pages_get(&reader->snapshot, PAGES_META, identity_key, sizeof(identity_key), &value);
  if (rc == 0 && value.len < sizeof(out->schema))
    rc = -EILSEQ;
  if (rc == 0) {
    /* Copied, for the value lies in a snapshot, and padded, for a plain one is shorter. */
    memset(out, 0, sizeof(*out));
    memcpy(out, value.data, value.len < sizeof(*out) ? value.len : sizeof(*out));
    /* How long that of a newer version is, only that one knows. */
    if (out->schema <= STORE_SCHEMA_SEALED && value.len != identity_size(out->schema))
      rc = -EILSEQ;
  }
  reader_end(reader);
  return rc;
}

/* The key of an encrypted store, if `master` is the one that it was made with. */
static int learn_key(struct idem_store *store, const struct identity *identity, const uint8_t *master,
                     const char *key_file, struct idem_error *error)
{
  uint8_t check[SEAL_CHECK_SIZE];
  store->schema = (enum store_schema)identity->schema;
  store->sealed = store->schema == STORE_SCHEMA_SEALED || store->schema == STORE_SCHEMA_0_1_SEALED;
  if (!store->sealed && !master)
    return 0;
  if (!master)
    return idem_error_set(error, -EKEYREJECTED,
                          "%s: the store is encrypted; --key-file or IDEMSHIM_KEY_FILE names its key",
                          store->dir);
  if (!store->sealed)
    return idem_error_set(
        error, -EKEYREJECTED,
        "%s: the store is not encrypted, and %s gives a key; name another store, or remove it", store->dir,
        key_file);
  if (derive(master, identity, store->seal_key, check) < 0)
    return idem_error_set(error, -ENOMEM, "no memory");
  if (memcmp(check, identity->check, sizeof(check)) != 0)
    return idem_error_set(error, -EKEYREJECTED, "%s: the store is encrypted with another key than that of %s",
                          store->dir, key_file);
  return 0;
}

/* What was made is read again: another process may have been faster, and its secret is the one that
 * counts. */
static int learn(struct idem_store *store, const uint8_t *master, const char *key_file,
                 struct idem_error *error)
{
  struct identity identity;
  int rc = read_identity(store, &identity, error);
  if (rc == -ENOENT && (rc = make_identity(store, master, error)) >= 0)
    rc = read_identity(store, &identity, error);
  if (rc == -EILSEQ)
    return idem_error_set(error, rc, "%s: the store is damaged", store->dir);
  if (rc < 0)
    return rc;
  if (identity.schema < STORE_SCHEMA_0_1 || identity.schema > STORE_SCHEMA_SEALED)
    return idem_error_set(error, -EPROTO, "%s: the store has version %u, this idemshim knows version %d",
                          store->dir, identity.schema, STORE_SCHEMA_SEALED);
  memcpy(store->secret, identity.secret, sizeof(store->secret));
  key_text_secret(store->secret, store->text_secret);
  return learn_key(store, &identity, master, key_file, error);
}

/* The master key is in memory for no longer than this. */
int identity_learn(struct idem_store *store, const char *key_file, struct idem_error *error)
{
  uint8_t master[SEAL_KEY_SIZE];
  if (!key_file)
    return learn(store, NULL, NULL, error);
  int rc = seal_read_key(key_file, master, error) < 0 ? -EKEYREJECTED : learn(store, master, key_file, error);
  explicit_bzero(master, sizeof(master));
  return rc;
}

/* Answers of 0.1. */

static const char told_key[] = "told of 0.1";

/* 1: somebody was faster. */
static int put_told(struct writer *writer, void *arg)
{
  struct idem_span there;
  (void)arg;
  if (pages_get(&writer->before, PAGES_META, told_key, sizeof(told_key), &there) == 0)
    return 1;
  return writer_put(writer, PAGES_META, told_key, sizeof(told_key), "", 1);
}

/* When it is told, all that are there are of 0.1. */
static bool was_told(struct idem_store *store, uint64_t *count)
{
  struct reader *reader;
  struct idem_span there;
  if (state_read(store, &reader, NULL) < 0)
    return true;
  *count = reader->snapshot.tree[PAGES_ANSWERS].entries;
  int rc = pages_get(&reader->snapshot, PAGES_META, told_key, sizeof(told_key), &there);
  reader_end(reader);
  return rc == 0;
}

void identity_tell_old(struct idem_store *store, struct idem_error *error)
{
  uint64_t count;
  if (store->schema > STORE_SCHEMA_0_1_SEALED || was_told(store, &count) ||
      state_write(store, put_told, NULL, NULL) != 0)
    return;
  idem_error_set(
      error, 0,
      "%llu %s of idemshim 0.1 %s named in another way and will be asked for again; unfinished durable "
      "runs and calls in doubt of 0.1 too: finish them with 0.1, or idemshim rm --old",
      (unsigned long long)count, idem_word(count, "answer", "answers"), idem_word(count, "is", "are"));
}
