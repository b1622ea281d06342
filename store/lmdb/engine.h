/* SPDX-License-Identifier: MIT */
/*
 * engine: LMDB, and nothing of it shows outside of this folder.
 *
 * One engine is one environment in one life of a process; after fork() it is left as it is (closing would
 * free the parent's reader slots) and the store opens another.
 *
 * A reader is a snapshot. Each thread keeps one, so that a repeated lookup takes no lock and allocates
 * nothing:
 *
 *     struct reader *reader;
 *     if ((rc = reader_begin(engine, &reader, error)) == 0) {
 *       rc = pages_get(&reader->snapshot, PAGES_ANSWERS, key, 32, &value);   // valid until reader_end()
 *       reader_end(reader);
 *     }
 *
 * A writer is a function that runs inside one transaction, under LMDB's write lock, one at a time over all
 * processes:
 *
 *     static int body(struct writer *writer, void *arg)
 *     {
 *       int rc = pages_get(&writer->before, PAGES_OPS, key, 32, &value);      // what was there before
 *       return rc < 0 ? rc : writer_put(writer, PAGES_OPS, key, 32, data, len);
 *     }
 *     rc = writer_run(engine, body, arg, error);                              // commits
 *
 * Functions return 0 or -errno: -EILSEQ for a file that is damaged, -ENOSPC for a map or a disk that is full,
 * -EBADF when the app has closed one of LMDB's descriptors, -EBUSY when there are too many readers,
 * -ETIMEDOUT when somebody else's write does not go on (gate.h), -ENOTRECOVERABLE and -EFBIG when the engine
 * is spent. Those that are given an `error` say it in words.
 */
#ifndef IDEMSHIM_STORE_ENGINE_H
#define IDEMSHIM_STORE_ENGINE_H

#include "store/base/hash_memo.h"
#include "store/lmdb/pages.h"

#include <signal.h>

struct engine;

struct engine_options {
  const char *dir;
  uint64_t size;  /* that all trees may take */
  bool sync;      /* a commit is on the disk before it returns */
  bool read_only; /* of a medium that cannot be written: without locks, and nobody writes */
  bool joins;     /* this process has had one of the same directory, whose readers may not be done yet */
  unsigned patience_ms; /* how long a write waits for another one that does not go on; 0: as an app does */
};

int engine_open(struct engine **out, const struct engine_options *options, struct idem_error *error);
/* Closes, or abandons what another life of this process has opened. NULL is fine. */
void engine_close(struct engine *engine);
/* False in a child, whose parent has opened it. */
bool engine_is_ours(const struct engine *engine);

/* False if the app has closed one of LMDB's descriptors; nothing can be written then. */
bool engine_has_file(const struct engine *engine);

/* Closes the two that are written to, unless somebody is writing; what is read stays mapped, and the lock by
 * which others know of us stays. To take them back opens them under their numbers, which LMDB knows: -EMFILE
 * if those are not free, -ESTALE if the file is another one. Under process_lock_opening. */
void engine_give_back(struct engine *engine);
int engine_take_back(struct engine *engine);
bool engine_is_given_back(const struct engine *engine);

/* From now on it is nobody's, like that of a parent: nothing is closed, and what its readers have stays
 * mapped. Another environment may be opened in its place. */
void engine_abandon(struct engine *engine);
/* LMDB has given it up, after an assertion or a failed write of a meta page, or the file has outgrown its
 * map. It is to be abandoned, and what comes next goes to another one. */
bool engine_is_spent(const struct engine *engine);
/* Frees the reader slots of dead processes, which keep pages from being used again; returns how many. */
int engine_clear_readers(struct engine *engine);

/* Is `data.mdb` in this directory the file that it has open? 1; 0: it is another one, or there is none;
 * -errno: that cannot be told. */
int engine_is_in(const struct engine *engine, const char *dir);

/* A record that is one value in the tree (records/parts.h) fits into so many bytes. */
enum { READER_SPARE = 4 * 4096 };

struct reader {
  struct engine *engine;
  void *txn;
  struct pages_snapshot snapshot;
  bool busy;   /* it is some call's, */
  bool pinned; /* which has a snapshot */
  bool lone;   /* a second one of its thread, for a call inside a call */
  bool holds;  /* signals, those of `stops` apart */
  sigset_t stops;
  unsigned shard;                       /* of the counters */
  struct reader *next, *previous;       /* under process_lock_lists */
  struct hash_contexts contexts;        /* of what its thread has asked for lately (key/key.h) */
  _Alignas(8) char spare[READER_SPARE]; /* for what outlasts the snapshot */
};

/* Pins what was last committed, for the calling thread. A command that holds one is not stopped by a
 * terminal: Ctrl-Z takes effect when it ends. */
int reader_begin(struct engine *engine, struct reader **out, struct idem_error *error);
/* Ends the snapshot; `spare` stays the caller's. NULL is fine. */
void reader_unpin(struct reader *reader);
/* NULL, and a reader of another life, are fine. */
void reader_end(struct reader *reader);

struct writer {
  struct engine *engine;
  void *txn;
  struct pages_snapshot before; /* what the last commit has left, */
  struct pages_sound sound;     /* and what of that was looked at */
};
typedef int writer_body(struct writer *writer, void *arg);

/* Runs `body` in a write transaction and commits. Returns what `body` returned (0 or more), or -errno. `body`
 * undoes all of it with a return below 0. It must own nothing: a failed assertion of LMDB leaves it by
 * longjmp. */
int writer_run(struct engine *engine, writer_body *body, void *arg, struct idem_error *error);

/* The same with more to it: how it waits, and what is done after the commit, or after what became of it,
 * while nobody else can write. `done` is called once for each transaction that was begun, and what it returns
 * below 0 takes the place of a success. */
struct writer_job {
  writer_body *body;
  int (*done)(struct engine *engine, int rc, void *arg);
  /* Waits at the gate (gate.h) for so long, or until it has a reason not to; NULL: it sleeps. True: there is
   * nothing left to enter for. */
  bool (*nap)(void *arg, long us);
  bool makes; /* what a store cannot be opened without */
  void *arg;
};
int writer_run_job(struct engine *engine, const struct writer_job *job, struct idem_error *error);
/* All that was committed is on the disk, whatever the options say. */
int writer_flush(struct engine *engine);
/* So many bytes may be in use, since the disk had no more at the last write; 0: it had. */
uint64_t writer_capacity(const struct engine *engine);
/* Grows by one with every write transaction. */
uint64_t writer_number(const struct writer *writer);
int writer_put(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len,
               const void *value, size_t len);
/* Makes an entry of `len` bytes, to be filled in before the next change. */
int writer_reserve(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len, size_t len,
                   void **value);
/* 0 also if there is none. */
int writer_delete(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len);

#endif
