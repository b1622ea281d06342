/* SPDX-License-Identifier: MIT */
/*
 * state: what an open store is. There is one for each directory in a process, since LMDB cannot have one
 * environment twice: closing one would drop the locks of both. Opening it again counts.
 *
 * Whoever looks something up, or writes, does it by way of these:
 *
 *     struct reader *reader;
 *     int rc = state_read(store, &reader, error);
 *     if (rc == 0) {
 *       rc = pages_get(&reader->snapshot, PAGES_ANSWERS, key, IDEM_KEY_SIZE, &value);
 *       reader_end(reader);
 *     }
 *     rc = state_write(store, body, arg, error);           // lmdb/engine.h: what a body may do
 *
 * They open the engine anew in a child and where LMDB has given it up, and return 0 or -errno with a message.
 * What changes in a store that is open is atomic, or names its lock, here or in its own header; all else
 * stays as it was opened.
 */
#ifndef IDEMSHIM_STORE_STATE_H
#define IDEMSHIM_STORE_STATE_H

#include "store/base/claim_lock.h"
#include "store/base/claim_table.h"
#include "store/base/process.h"
#include "store/base/seal.h"
#include "store/base/stats.h"
#include "store/key/key.h"
#include "store/lmdb/engine.h"
#include "store/state/fleet_store.h"
#include "store/state/repeats.h"
#include "store/state/spill.h"

#include <sys/types.h>

/* Bytes of a store's secret; slots of `verified`. */
enum { STORE_SECRET = 32, STORE_VERIFIED = 4096 };

/* What a store was made as: by 0.1, or by this version, which adds to one of 0.1 and leaves
 * its identity as it is. */
enum store_schema {
  STORE_SCHEMA_0_1 = 1,
  STORE_SCHEMA_0_1_SEALED = 2,
  STORE_SCHEMA = 3,
  STORE_SCHEMA_SEALED = 4,
};

struct prices;
struct idem_store;
typedef void state_visit(struct idem_store *store);

struct idem_store {
  struct idem_store *next; /* the list and `users`: under process_lock_stores */
  unsigned users;

  char *dir; /* absolute */
  struct claims_file claims_file;
  struct idem_store_options asked; /* how it was opened; the strings are its own */
  uint64_t size;                   /* bytes that answers may take */
  bool sync;                       /* a commit is on the disk before it returns */
  bool read_only;                  /* its medium cannot be written: the command reads it all the same */
  unsigned patience_ms;            /* of a write, for another process's */
  struct claim_table *claim_table; /* its content; NULL: claims are in LMDB alone */
  _Atomic int claims; /* to ask who holds a claim, by state_claims_fd(): a place in the table of base/fd.h */
  uint8_t secret[STORE_SECRET];         /* what tenants are hashed with, */
  uint8_t text_secret[KEY_TEXT_SECRET]; /* and texts that are compared */
  enum store_schema schema;
  bool sealed;                     /* answers are encrypted, */
  uint8_t seal_key[SEAL_KEY_SIZE]; /* with this */
  struct stats *stats;             /* the shared page; of a store that is read only, a copy of it */
  _Atomic(struct prices *) prices; /* read by the first call that needs them */
  struct repeats repeats;
  struct spill spill;
  /* While it is opened: what the fleet gives it; NULL: it is this machine's own. */
  const struct fleet_store *given;
  const struct idem_fleet_api *fleet_api; /* NULL: no fleet, or its object cannot be loaded */
  const struct idem_fleet *where;         /* the config's; holds while the store is open */
  struct idem_fleet_client *fleet;        /* closed with the store */
  _Atomic bool outbox_seen;               /* this process has looked into it */
  _Atomic bool fleet_hits;                /* what this process has asked the fleet for last was there */
  /* Commits with SYNC=off that come so soon after one of this process are left in the queue; 0: none are. The
   * last one, steady, and in which life. */
  int64_t leave_us;
  int64_t lead_us; /* so long a leader takes writes of others, and one at least */
  _Atomic int64_t committed_us;
  _Atomic uint32_t committed_life;
  /* Writes them before the store is closed, if this life of the process has left any. */
  _Atomic uint32_t left_life;
  _Atomic(state_visit *) write_left;
  /* Steady; until then this process does not try what is left in the queue and has failed. */
  _Atomic int64_t left_again_us;

  /* Of the first answer of somebody else that could not be read to be stored: batch_unstored()
   * gives the line, once. */
  _Atomic int unstored;
  char unstored_line[512];

  unsigned renewals;               /* of it, under process_lock_opening */
  _Atomic(struct engine *) engine; /* replaced in a child, and where the app has closed its descriptors; under
                                      process_lock_opening */

  /* Serials of answers whose checksum was right, each in its slot: it is not computed again for each hit. */
  _Atomic uint64_t verified[STORE_VERIFIED];
};

/* False once its directory is gone, or another one, or another store is in it: nothing is claimed there any
 * more, and calls go on in what is there now (-ESTALE). Those that are under way end where they have begun:
 * claim, queue and followers are of one store. True also where that cannot be told. */
bool state_is_in_place(const struct idem_store *store);
/* Of each store of this process, at its end; nothing if one of the locks of base/process.h is not to be had.
 */
void state_each(state_visit *visit);
/* What is in its place now, opened as it was; to be closed. */
int state_open_successor(const struct idem_store *store, struct idem_store **out, struct idem_error *error);
/* Says that it is not in place; -ESTALE. */
int state_fail_replaced(const struct idem_store *store, struct idem_error *error);

/* A descriptor of the claims file, opened anew if the app has closed ours; negative if it cannot be. */
int state_claims_fd(struct idem_store *store);

/* The engine of this generation of the process. */
int state_engine(struct idem_store *store, struct engine **out, struct idem_error *error);
/* reader_begin() and writer_run() on it. Where the app has closed its descriptors, as a daemon does when it
 * starts, a write opens another one; that of before is left as it is, with what its readers have. A body may
 * be run twice. */
int state_read(struct idem_store *store, struct reader **out, struct idem_error *error);
/* 0 if a write could be begun: it has its descriptors, or takes them back. */
int state_may_write(struct idem_store *store, struct idem_error *error);
int state_write(struct idem_store *store, writer_body *body, void *arg, struct idem_error *error);
int state_write_job(struct idem_store *store, const struct writer_job *job, struct idem_error *error);

/* What a store has been since it was made: its version, its secret, and whether it is encrypted. Reads that
 * into `store`, or makes it; a new store is encrypted if there is a key file. -EKEYREJECTED: the key is not
 * the store's; -EPROTO, -EILSEQ: the store is newer, or damaged. */
int identity_learn(struct idem_store *store, const char *key_file, struct idem_error *error);

/* Once for a store that 0.1 has made: how many answers it has that will be asked for again, as a line in
 * `error`, which else stays as it is. */
void identity_tell_old(struct idem_store *store, struct idem_error *error);

#endif
