/* SPDX-License-Identifier: MIT */
/*
 * spool: what has come of an answer under way, in a file for those who wait for it. A file is a row of
 * pieces, each with a head, its bytes and, in an encrypted store, a tag. Owner and generation are in its name
 * and in each head, so that nobody takes the pieces of one try for those of another. store.h has the calls
 * that write and read one.
 *
 * The owner opens the file for each write, since apps close descriptors that they do not know, and a copy of
 * the process goes on with it. A piece is there for its readers once all of it is: they look at the sum, and
 * come again if it does not fit yet. No lock is taken on either side; the claim says who may write.
 *
 * A spool is not flushed and holds nothing that cannot be lost: the answer is stored by the commit.
 */
#ifndef IDEMSHIM_STORE_SPOOL_H
#define IDEMSHIM_STORE_SPOOL_H

#include "store/base/seal.h"
#include "store/state/state.h"

#include <limits.h>

enum { SPOOL_MAGIC = 0x5b001edd, SPOOL_MOST = 1 << 30 /* bytes of a piece; the cipher counts in int */ };

/* As it is in the file. */
struct spool_head {
  uint32_t magic;
  uint32_t kind;   /* enum idem_spool_kind */
  uint32_t number; /* counted from 0 */
  uint32_t at_ms;  /* of a CHUNK */
  int32_t code;    /* of an END */
  uint32_t status; /* of a HEAD, as is the next */
  int64_t started_us;
  uint64_t generation; /* of its owner's claim */
  uint32_t headers_len, facts_len, data_len, zero;
  uint8_t key[IDEM_KEY_SIZE];
  uint8_t nonce[SEAL_NONCE_SIZE], zero_too[4];
  uint64_t sum; /* XXH3 of what is before it, and then of what comes after */
};

/* Encrypts or decrypts a piece in place: `cipher` is seal_encrypt() or seal_decrypt(). Each spool has a key
 * of its own, for nonces are random and pieces may be many. */
int spool_cipher(__typeof__(seal_encrypt) *cipher, const struct idem_store *store,
                 const struct spool_head *head, uint8_t *bytes, size_t len);

/* The sum of a head and of `len` bytes as they stand behind it. */
uint64_t spool_sum(const struct spool_head *head, const void *bytes, size_t len);

/* DIR/spool/KEY-GENERATION. False: too long. */
bool spool_path(const struct idem_store *store, const uint8_t *key, uint64_t generation, char path[PATH_MAX]);

/* The owner's is over, or somebody else's that died. */
void spool_remove(const struct idem_store *store, const uint8_t *key, uint64_t generation);

/* Removes the spools that no owner is alive for. */
void spool_sweep(struct idem_store *store);

/* All spools are in one directory. False: too long. */
bool spool_dir(const struct idem_store *store, char path[PATH_MAX]);
/* Behind what the file has. 0 or -errno. */
int spool_append(int fd, const char *data, size_t len);
/* With its head, and its tag. */
size_t spool_piece_size(const struct idem_store *store, const struct spool_head *head);

/* Of an owner on another machine: how many whole pieces are here, or -errno; and one more. */
int64_t spool_copy_count(const struct idem_store *store, const uint8_t *key, uint64_t generation);
int spool_copy_add(const struct idem_store *store, const uint8_t *key, uint64_t generation, const char *bytes,
                   size_t len);

/* Reads on from the file that spool->priv.kept is, of the generation in there. As idem_store_look(). */
int spool_read(const struct idem_store *store, const uint8_t *key, struct idem_spool *spool);

#endif
