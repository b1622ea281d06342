/* SPDX-License-Identifier: MIT */
/*
 * page: one page of the data file, and its nodes, with nothing taken on trust. The walks of pages.h are made
 * of these:
 *
 *     const struct page *page = page_at(snapshot, number);
 *     if (page && page_search(snapshot, page, key, &at, &node) == 1 && page_value(snapshot, &node) == 0)
 *       use(node.value);
 *
 * A page that is part of a snapshot does not change while its transaction lasts. Everything returns -EILSEQ
 * (or NULL) for what does not hold.
 */
#ifndef IDEMSHIM_STORE_PAGE_H
#define IDEMSHIM_STORE_PAGE_H

#include "store/lmdb/pages.h"

#include <errno.h>

_Static_assert(sizeof(size_t) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "pages are read as 64-bit little-endian");

/* Deeper than any tree that LMDB itself would follow. */
#define PAGE_DEPTH 32
#define PAGE_NONE  UINT64_MAX

/* Flags of a page, a root and a node, as LMDB has them. */
enum { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_OVERFLOW = 0x04, PAGE_META = 0x08 };
enum { ROOT_INTEGER_KEYS = 0x08 };
enum { NODE_BIG = 0x01, NODE_TREE = 0x02 };
enum { NODE_HEAD = 8 }; /* bytes before its key */

struct page {
  uint64_t number;
  uint16_t pad, flags;
  union {
    struct {
      uint16_t lower, upper; /* of the free space between the offsets and the nodes */
    };
    uint32_t count; /* of an overflow run */
  };
  uint16_t offset[];
};

struct node {
  struct idem_span key;
  uint64_t child;         /* branch */
  uint16_t flags;         /* leaf */
  uint64_t overflow;      /* NODE_BIG: where the value is */
  struct idem_span value; /* leaf; `data` is NULL with NODE_BIG */
};

/* A branch or leaf whose header holds, or NULL. */
const struct page *page_at(const struct pages_snapshot *snapshot, uint64_t number);
unsigned page_count(const struct page *page);
/* -EILSEQ if any part lies outside the page. */
int page_node(const struct pages_snapshot *snapshot, const struct page *page, unsigned i, struct node *node);
/* Checks every node of the page: that they do not overlap, for LMDB copies them about, and that their keys
 * ascend. `integers`: as the keys of the free list do. Long values are left alone: each is on a page of its
 * own. */
int page_check(const struct pages_snapshot *snapshot, uint64_t number, bool integers);
/* Fills in the value of a NODE_BIG. */
int page_value(const struct pages_snapshot *snapshot, struct node *node);
/* Where the first node is that is not less than `key`: 1 if it is equal, and in `*node` then; or 0, and there
 * is nothing of use in `*node`. In a branch: the child that has `key`. */
int page_search(const struct pages_snapshot *snapshot, const struct page *page, struct idem_span key,
                unsigned *at, struct node *node);

/* Whether LMDB's descriptor is still of the data file, which `*stat` is of then. */
struct stat;
bool page_file_is_open(const struct pages *pages, struct stat *stat);

#endif
