/* SPDX-License-Identifier: MIT */
/*
 * claim_table: the durable half of the claims that are under way. The lock (claim_lock.h) says who sends an
 * operation now; a record says that it was sent, to whoever comes after a crash (records/claim_record.h).
 *
 *     rc = claim_table_put(table, lock, key, &record);      // by who holds the lock; -ENOSPC: no room
 *     ... the call is made ...
 *     claim_table_free(table, lock, key, record.generation);
 *
 *     if (claim_table_find(table, key, false, &record) && record.state == CLAIM_IN_FLIGHT)     // by anybody
 *       it was sent; has its owner come to an end? the lock tells
 *
 * It is the content of the claims file, mapped by every process, so that a call begins without a system call
 * and without a wait for anybody. What is written outlives its process; a power cut it outlives once the file
 * has been flushed. A record is a sector of its own, so that what another one's write does to a sector in a
 * power cut is no matter to it, with a sum that half of a write does not pass. It is published by its state,
 * which is written last, and a newer one is there before the older one goes: whenever its writer is killed,
 * there is one or the other.
 *
 * A place belongs to who holds the lock that its tag names. Nobody else writes to it, but for whoever takes
 * that lock after its owner has died. All of it is atomic; functions take no lock but for that one, and keep
 * no state.
 */
#ifndef IDEMSHIM_STORE_CLAIM_TABLE_H
#define IDEMSHIM_STORE_CLAIM_TABLE_H

#include "store/store.h"

enum claim_state {
  CLAIM_IN_FLIGHT = 1, /* sent; with nobody holding the claim: in doubt */
  CLAIM_RELEASED,      /* its owner got no answer that can be kept */
  CLAIM_DELIVERED,     /* repeats=fresh: an answer that its app has got */
  CLAIM_COUNTER,       /* repeats=fresh: which number comes next; in the place of the last one */
  CLAIM_PRINT, /* in the table alone, under its content: `fingerprint` is the key that this was sent under */
};

/* As it is on disk, here and in LMDB. records/claim_record.c and call/handoff.c fill it in; what is 0 for now
 * has its room so that whoever writes it needs no other layout. */
struct claim_record {
  uint32_t version, state; /* CLAIM_VERSION of claim_record.c; enum claim_state */
  uint64_t generation;     /* which try this is: greater than those of the tries before it */
  int64_t started_us;      /* when it was written, µs since 1970 */
  uint32_t next;           /* of a COUNTER */
  uint32_t given_up;       /* its app has; a copy of the process finishes it */
  uint8_t fingerprint[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
  char upstream_key[40]; /* a UUID, with its NUL */
  /* One of 0.1 ends here. In a fleet: whose claim it is there, by its nonce; 0: the others do not know of it.
   * Its generation is then given from outside. */
  uint64_t epoch; /* how many answers the operation has had */
  uint8_t machine[16];
  uint32_t unshared, zero;
};

struct claim_table;
struct claims_file;

/* Maps the content of the claims file, which is made if there is none. 0 or -errno; with 0 *out is NULL where
 * it is of another layout: claims are then in LMDB alone. */
int claim_table_open(struct claim_table **out, int fd);
void claim_table_close(struct claim_table *table);

/* By who holds `lock`, the 8 bytes that call_lock_key() has made of the key. It replaces what owners before
 * have left under this lock. -ENOSPC: the bucket of the key is full, perhaps of what the dead have left, and
 * the claim goes into LMDB. */
int claim_table_put(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                    const struct claim_record *record);
/* The caller's own of that generation, or false: another owner, who took us for dead, has replaced it. */
bool claim_table_own(struct claim_table *table, const uint8_t *lock, const uint8_t *key, uint64_t generation,
                     struct claim_record *out);
/* Changes one's own: its app has given it up; it has ended without an answer, and stays for the next try if
 * there is room for that; it goes. False: it is not there, or cannot stay. */
bool claim_table_give_up(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                         uint64_t generation);
bool claim_table_release(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                         uint64_t generation);
void claim_table_free(struct claim_table *table, const uint8_t *lock, const uint8_t *key,
                      uint64_t generation);

/* The newest of `key`, whoever has its lock, or nobody; or that of a content, with `print`. */
bool claim_table_find(struct claim_table *table, const uint8_t *key, bool print, struct claim_record *out);

/* Frees those of the dead that `goes` is true for; with `beside` only those in the bucket of that key. What
 * nobody could finish to write goes anyway. Returns how many claims went. */
typedef bool claim_table_goes(void *arg, const uint8_t *key, const struct claim_record *record);
unsigned claim_table_sweep(struct claim_table *table, const struct claims_file *claims, const uint8_t *beside,
                           claim_table_goes *goes, void *arg);

#endif
