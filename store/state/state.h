/* SPDX-License-Identifier: MIT */
/* state: what an open store is. One for each directory in a process; opening it again counts. */
#ifndef IDEMSHIM_STORE_STATE_H
#define IDEMSHIM_STORE_STATE_H

#include "store/base/process.h"
#include "store/base/seal.h"
#include "store/base/stats.h"
#include "store/lmdb/engine.h"
#include "store/state/repeats.h"

#include <sys/types.h>

enum { STORE_SCHEMA = 1, STORE_SCHEMA_SEALED = 2, STORE_SECRET = 32, STORE_VERIFIED = 4096 };

struct idem_store {
  struct idem_store *next; /* the list and `users`: under life_stores */
  unsigned users;
  ino_t inode; /* of the directory */
  dev_t device;

  char *dir, *claims_path;
  uint64_t size;
  bool sync;
  int claims_fd; /* to ask who holds a claim; never holds one */
  uint8_t secret[STORE_SECRET];
  bool sealed; /* answers are encrypted */
  uint8_t seal_key[SEAL_KEY_SIZE];
  struct stats *stats;
  struct repeats repeats;

  _Atomic(struct engine *) engine; /* of this life; replaced in a child, under life_opening */

  /* Serials of large answers whose checksum was right: it is not computed again for each hit. */
  _Atomic uint64_t verified[STORE_VERIFIED];
};

/* The engine of this life, opened anew in a child. NULL with the message in `error`, its code in `*code`. */
struct engine *store_engine(struct idem_store *store, int *code, struct idem_error *error);

#endif
