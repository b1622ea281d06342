/* SPDX-License-Identifier: MIT */
/*
 * engine_internal: what engine.c, engine_open.c, reader.c and writer.c share. LMDB's own names are known here
 * and nowhere else.
 *
 * LMDB calls a function when an assertion of its own fails, and would abort() if that returned. Ours jumps
 * back to the engine_guard() that the thread is in, so every call of LMDB that follows pages of the file runs
 * below one.
 */
#ifndef IDEMSHIM_STORE_ENGINE_INTERNAL_H
#define IDEMSHIM_STORE_ENGINE_INTERNAL_H

#include "store/lmdb/engine.h"
#include "store/lmdb/gate.h"

#include <lmdb.h>
#include <pthread.h>
#include <sys/types.h>

/* The data file, the same for what must be on the disk at once, and the lock file. */
enum { ENGINE_LOCK = 2, ENGINE_FILES };

struct engine {
  MDB_env *env;
  MDB_dbi tree[PAGES_TREES]; /* good once `has_trees`: from the first write of this process on */
  struct pages pages;
  uint32_t born;            /* process_generation() of whoever opened it */
  _Atomic uint32_t life;    /* the same; 0: abandoned */
  int kept[ENGINE_FILES];   /* LMDB's descriptors: places in the table of base/fd.h, 0: not found */
  int number[ENGINE_LOCK];  /* what those that were given back had */
  _Atomic bool given_back;  /* there is nothing to write with; changes under the gate's mutex */
  char *path;               /* of the data file */
  struct engine *abandoned; /* the one that was before this one */
  struct gate gate;
  bool has_trees;             /* changes under the gate, */
  bool filled_up;             /* the file's length was sound at our first write; under the gate, */
  uint64_t reserved;          /* as this is: so many bytes of the file are allocated */
  _Atomic uint64_t capacity;  /* writer_capacity() */
  _Atomic bool write_checked; /* and its free list, in what a reader saw before it */
  _Atomic bool spent;         /* of no more use, see engine_is_spent() */
  _Atomic bool stuck; /* and LMDB's lock could not be let go: nothing is written in this process any more */
  _Atomic bool has_table; /* when it was abandoned, others knew of its readers */
  pthread_key_t slot;     /* each thread's reader */
  bool has_slot;
  struct reader *readers; /* all of them; under process_lock_lists */
};

/* LMDB's code as 0 or -errno; the second for what begins a transaction, where LMDB says that there
 * will not be another one. */
int engine_code(int rc);
int engine_begun(struct engine *engine, int rc);
/* The message for a code of the engine; returns it. */
int engine_fail(struct idem_error *error, int code, const char *doing);
/* Runs body(arg); -EILSEQ if an assertion of LMDB fails in it. May be nested. */
int engine_guard(int (*body)(void *arg), void *arg);
/* For mdb_env_set_assert(): back to where engine_guard() was called. */
void engine_assert_failed(MDB_env *env, const char *what);

/* Ctrl-Z takes effect between two transactions of a command. False: it is an app's engine, whose
 * signals are left alone. */
bool engine_hold_stops(const struct engine *engine, sigset_t *before);

/* engine_has_file() of all but the data file itself, for whoever has asked for that. */
bool engine_has_others(const struct engine *engine);

/* One whose environment cannot be closed, since its descriptors are the app's by now. */
void engine_keep(struct engine *engine);

/* A thread's end, as a destructor of the slot. */
void reader_end_thread(void *reader);
void reader_free_all(struct engine *engine);

#endif
