/* SPDX-License-Identifier: MIT */
/* engine_inside: what the files of the engine share. LMDB is known here and in none of the others. */
#ifndef IDEMSHIM_STORE_ENGINE_INSIDE_H
#define IDEMSHIM_STORE_ENGINE_INSIDE_H

#include "store/lmdb/engine.h"

#include <lmdb.h>
#include <pthread.h>
#include <sys/types.h>

struct engine {
  MDB_env *env;
  MDB_dbi tree[PAGES_TREES];
  struct pages pages;
  uint32_t life;
  ino_t inode; /* of the data file */
  dev_t device;
  bool write_checked;  /* the file's length and free list were sound at our first write; under LMDB's write
                          lock */
  _Atomic bool broken; /* an assertion has failed while writing; see engine_write() */
  pthread_key_t slot;  /* each thread's reader */
  bool has_slot;
  struct reader *readers; /* all of them; under life_lists */
};

/* LMDB's code as 0 or -errno. */
int engine_code(int rc);
/* The message for a code of the engine; returns it. */
int engine_fail(struct idem_error *error, int code, const char *doing);
/* For mdb_env_set_assert(): back to where engine_guard() was called. */
void engine_assert_failed(MDB_env *env, const char *what);
/* Runs body(arg); -EILSEQ if an assertion of LMDB fails in it. */
int engine_guard(int (*body)(void *arg), void *arg);

/* For engine_write() bodies that need LMDB itself. */
MDB_txn *writer_txn(struct writer *writer);

/* A thread's end. */
void reader_end_thread(void *reader);
void reader_free_all(struct engine *engine);

#endif
