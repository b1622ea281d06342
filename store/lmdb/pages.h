/* SPDX-License-Identifier: MIT */
/*
 * pages: reads what LMDB has written, and checks every step.
 *
 * LMDB trusts its file: one flipped bit in a page, and mdb_get() follows a wild offset into a SIGSEGV or
 * SIGBUS of the app that we live in. So lookups walk the tree here, over a map of our own, and each page
 * number, offset and length is checked before it is followed; what does not hold is -EILSEQ. LMDB still
 * writes, and keeps the pages of a snapshot from being reused. Before it may write, pages_check() goes over
 * the path that it will take.
 *
 *     pages_copy_roots(&pages, mdb_txn_id(txn), &snapshot);   // inside a transaction
 *     pages_find_trees(&snapshot);
 *     pages_get(&snapshot, PAGES_ANSWERS, key, 32, &value);   // valid as long as the transaction
 *
 * Visiting and checking whole trees is in pages_walk.c; one page and its nodes are in page.h.
 *
 * The layout is that of LMDB's data version 1 (0.9.x), 64-bit little-endian. Nothing here allocates (but
 * pages_check_all()), locks, or makes a system call, except that a file which has grown is measured again. A
 * snapshot belongs to one thread; any number of them share one `struct pages`.
 */
#ifndef IDEMSHIM_STORE_PAGES_H
#define IDEMSHIM_STORE_PAGES_H

#include "store/store.h"

#include <stdatomic.h>
#include <sys/types.h>

/* The trees of a store; pages_names[] has what they are called in the file. */
enum pages_tree {
  PAGES_META,    /* "identity" (state/identity.c), "serial": that of the last answer */
  PAGES_ANSWERS, /* key: the answer as a record */
  PAGES_RAW,     /* digest of a request's bytes: the base key that they had */
  PAGES_AGE,     /* serial: key of the answer */
  PAGES_EXPIRY,  /* time, serial: key of the answer */
  PAGES_OPS,     /* key: the durable half of its claim */
  PAGES_PRINTS,  /* content of a request: the key it was last sent under */
  PAGES_SEEN,    /* key: what observe mode knows of its answer */
  /* The claims of 0.1, whose records are shorter: it would take ours for damage, and drop them. */
  PAGES_OLD_OPS,
  PAGES_PARTS, /* key and number of a part: what of a long record does not stand under its key */
  PAGES_TREES
};
extern const char *const pages_names[PAGES_TREES];

enum { PAGES_FORMAT = 1 };

struct pages {
  int fd; /* LMDB's own descriptor of the data file; not ours to close */
  const char *path;
  ino_t inode;
  dev_t device;
  const uint8_t *map;
  size_t map_size, page_size;
  _Atomic size_t end;            /* bytes that the file is known to have */
  struct pages_reading *reading; /* pages_read.h; NULL: pages are looked at in the map */
};

/* The root of a tree, as LMDB keeps it in the file. */
struct pages_root {
  uint32_t pad;
  uint16_t flags, depth;
  uint64_t branches, leaves, overflows, entries, root;
};

/* What one transaction sees. */
struct pages_snapshot {
  struct pages *pages;
  uint64_t txn;
  uint64_t next_page;
  struct pages_root free, main, tree[PAGES_TREES];
  unsigned found; /* how many of our trees there are */
};

/* Whether LMDB may open the file: it maps what the first two pages say. 0 also for an empty one, -EPROTO for
 * another format, of which `*format` is the number (that of another machine is 0), -EILSEQ for one that is
 * damaged. */
int pages_check_header(int fd, unsigned *format);

/* Maps `map_size` bytes of the file, whose path must stay. 0 or -errno; -EPROTO for a layout that
 * is not the one above. */
int pages_open(struct pages *pages, int fd, const char *path, size_t map_size);
void pages_close(struct pages *pages);

/*
 * Copies the roots of transaction `txn`, which the caller holds, from the file. They may be torn: LMDB
 * overwrites the page that they are on when it commits txn + 2, which it cannot do before txn + 1 is what a
 * new reader gets. So `out->txn` holds only once the caller's transaction has been renewed and still is
 * `txn`. -EAGAIN: txn + 2 is there already.
 */
int pages_copy_roots(struct pages *pages, uint64_t txn, struct pages_snapshot *out);

/* True if the file has a transaction after this one that LMDB shows nobody yet: its writer is about to, or
 * has died before it could, and then the next that begins to write does. */
bool pages_have_more(const struct pages_snapshot *snapshot);

/* Then finds our trees. -EILSEQ: damaged. A tree that does not exist yet is empty. */
int pages_find_trees(struct pages_snapshot *snapshot);

/* -ENOENT: no such key. `value` points into the map, at any alignment. */
int pages_get(const struct pages_snapshot *snapshot, enum pages_tree tree, const void *key, size_t key_len,
              struct idem_span *value);

/* Calls `visit` for each entry from `from` (NULL: the first) on, until it returns non-zero, which is then
 * returned. Goes on behind damaged pages, and then returns -EILSEQ. */
typedef int pages_visit(void *arg, struct idem_span key, struct idem_span value);
int pages_each(const struct pages_snapshot *snapshot, enum pages_tree tree, const struct idem_span *from,
               pages_visit *visit, void *arg);

/* The same for who reads a tree in parts, each in a snapshot of its own. */
struct pages_part {
  struct idem_span from; /* where it goes on; no data: at the first */
  bool back;             /* from the greatest key to the least */
  bool damaged;          /* so far something was */
};
int pages_part(const struct pages_snapshot *snapshot, enum pages_tree tree, struct pages_part *part,
               pages_visit *visit, void *arg);

/* Pages that one transaction has found to be sound: what it had before it does not change, and keys that are
 * side by side share most of their ways. Begins as zeros. */
struct pages_sound {
  uint64_t number[64];
  /* The next key is to be deleted: pages are merged with their neighbours then, and at no other time. */
  bool deletes;
  /* What has been deleted of the leaf that the last key of each tree was on, as far as keys came in
   * order and none was put. */
  struct pages_gone {
    uint64_t leaf, parent;
    unsigned at, count; /* in its parent; keys, */
    size_t bytes;
    uint8_t last[32], last_len;
    bool disordered, merged;
  } gone[PAGES_TREES];
};

/* Checks everything that LMDB follows when it writes `key` into `tree`: the path, the neighbours of a page
 * that gets too empty when the key goes, and an overflow page that it may free. 0 or -EILSEQ. */
int pages_check(const struct pages_snapshot *snapshot, enum pages_tree tree, const void *key, size_t key_len,
                struct pages_sound *sound);

/* Check the main tree and the list of free pages, which every write goes through: a few pages, and eight
 * bytes for each that is free. */
int pages_check_main(const struct pages_snapshot *snapshot);
int pages_check_free(const struct pages_snapshot *snapshot);
/* Checks every page of every tree, and that none of them is free. It reads the whole store, and
 * is `idemshim verify`'s. */
int pages_check_all(const struct pages_snapshot *snapshot);

/* Bytes that the answers and all their indexes take. */
uint64_t pages_bytes(const struct pages_snapshot *snapshot);

#endif
