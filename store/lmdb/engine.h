/* SPDX-License-Identifier: MIT */
/*
 * engine: LMDB, and nothing of it shows outside. One engine is one environment in one process life; after
 * fork() it is left as it is (closing would free the parent's reader slots) and the store opens another.
 *
 * Reads go through a reader, of which each thread keeps one, so that a repeated lookup takes no lock:
 *
 *     struct reader *reader;
 *     if ((rc = engine_begin(engine, &reader, error)) == 0) {
 *       rc = reader_get(reader, PAGES_ANSWERS, key, 32, &value);   // value is valid until engine_end()
 *       engine_end(reader);
 *     }
 *
 * Writes are a function that runs inside one transaction. It reads what was committed before, and puts and
 * deletes; it must own nothing, since a failed assertion of LMDB leaves it by longjmp. Its return value below
 * 0 undoes all of it.
 */
#ifndef IDEMSHIM_STORE_ENGINE_H
#define IDEMSHIM_STORE_ENGINE_H

#include "store/base/hash.h"
#include "store/lmdb/pages.h"

struct engine;
struct writer;

/* The largest number of inline chunks that fit a record too small for pages of its own. */
enum { READER_SPARE = 4096 };

struct reader {
  struct engine *engine;
  void *txn;
  struct pages_snapshot snapshot;
  bool busy;      /* pinned by a call */
  bool lone;      /* a second one of its thread, for a call inside a call */
  unsigned shard; /* of the counters */
  struct reader *next, *previous;
  struct hash_prefix named;                /* how the last request of its thread began */
  _Alignas(8) uint8_t spare[READER_SPARE]; /* for a part of a record that must be aligned and is not */
};

struct engine_options {
  const char *dir;
  uint64_t size; /* that all trees may take */
  bool sync;
};

int engine_open(struct engine **out, const struct engine_options *options, struct idem_error *error);
/* Closes, or abandons what another life of this process has opened. */
void engine_close(struct engine *engine);
bool engine_is_ours(const struct engine *engine);
/* The size of the map, and of a page. */
uint64_t engine_map_size(const struct engine *engine);
struct pages *engine_pages(struct engine *engine);

int engine_begin(struct engine *engine, struct reader **out, struct idem_error *error);
void engine_end(struct reader *reader);
int reader_get(struct reader *reader, enum pages_tree tree, const void *key, size_t key_len,
               struct idem_span *value);
int reader_each(struct reader *reader, enum pages_tree tree, const struct idem_span *from, pages_visit *visit,
                void *arg);

/* Runs `body` in a write transaction and commits. Returns what `body` returned (0 or more), or -errno:
 * -ENOSPC when the map is full. */
int engine_write(struct engine *engine, int (*body)(struct writer *writer, void *arg), void *arg,
                 struct idem_error *error);
/* Grows by one with every write transaction. */
uint64_t writer_number(const struct writer *writer);
int writer_get(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len,
               struct idem_span *value);
int writer_each(struct writer *writer, enum pages_tree tree, const struct idem_span *from, pages_visit *visit,
                void *arg);
int writer_put(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len,
               const void *value, size_t len);
/* Makes an entry of `len` bytes, to be filled in before the transaction ends. */
int writer_reserve(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len, size_t len,
                   void **value);
/* 0 also if there is none. */
int writer_delete(struct writer *writer, enum pages_tree tree, const void *key, size_t key_len);
uint64_t writer_bytes(const struct writer *writer);
uint64_t writer_entries(const struct writer *writer, enum pages_tree tree);

/* Frees the reader slots of dead processes; returns how many. */
int engine_clear_readers(struct engine *engine);

#endif
