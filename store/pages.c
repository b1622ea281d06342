/* SPDX-License-Identifier: MIT */
#include "store/pages.h"

#include "store/page.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

const char *const pages_names[PAGES_TREES] = {"meta",   "answers", "raw",    "age",
                                              "expiry", "ops",     "prints", "seen"};

enum { META_MAGIC = 0xbeefc0de, META_VERSION = 1, META_SIZE_MAX = 0x10000 };

/* The two pages at the start of the file take turns: transaction n is on page n % 2. */
struct meta {
  uint32_t magic, version;
  uint64_t address, map_size;
  struct pages_root free, main;
  uint64_t last_page;
  _Atomic uint64_t txn;
};

static const struct meta *meta_at(const struct pages *pages, unsigned i)
{
  return (const void *)(pages->map + i * pages->page_size + sizeof(struct page));
}

int pages_open(struct pages *pages, int fd, size_t map_size)
{
  struct stat stat;
  if (fstat(fd, &stat) < 0)
    return -errno;
  *pages = (struct pages){.fd = fd, .map_size = map_size, .end = (size_t)stat.st_size};
  if (pages->end < 2 * sizeof(struct meta))
    return -EILSEQ;
  void *map = mmap(NULL, map_size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return -errno;
  pages->map = map;
  const struct meta *meta = meta_at(pages, 0);
  pages->page_size = meta->free.pad;
  bool ours = meta->magic == META_MAGIC && meta->version == META_VERSION && pages->page_size >= 512 &&
              pages->page_size <= META_SIZE_MAX && !(pages->page_size & (pages->page_size - 1)) &&
              2 * pages->page_size <= pages->end;
  if (ours)
    return 0;
  pages_close(pages);
  return -EPROTO;
}

void pages_close(struct pages *pages)
{
  if (pages->map)
    munmap((void *)(uintptr_t)pages->map, pages->map_size);
  pages->map = NULL;
}

int pages_copy_roots(const struct pages *pages, uint64_t txn, struct pages_snapshot *out)
{
  const struct meta *meta = meta_at(pages, txn & 1);
  if (atomic_load_explicit(&meta->txn, memory_order_acquire) != txn)
    return -EAGAIN;
  out->txn = txn;
  out->free = meta->free;
  out->main = meta->main;
  out->next_page = meta->last_page + 1;
  atomic_thread_fence(memory_order_acquire);
  return 0;
}

/* Down from `root` to the leaf that has, or would have, `key`. */
static int find_leaf(struct pages *pages, const struct pages_snapshot *snapshot, uint64_t root,
                     struct idem_span key, const struct page **leaf)
{
  for (int depth = 0; depth < PAGE_DEPTH; depth++) {
    const struct page *page = page_at(pages, snapshot, root);
    if (!page)
      return -EILSEQ;
    if (page->flags & PAGE_LEAF) {
      *leaf = page;
      return 0;
    }
    struct node node;
    unsigned at;
    bool exact;
    if (page_search(pages, page, key, &at, &exact) < 0 || page_node(pages, page, at, &node) < 0)
      return -EILSEQ;
    root = node.child;
  }
  return -EILSEQ;
}

static int find_node(struct pages *pages, const struct pages_snapshot *snapshot, uint64_t root,
                     struct idem_span key, struct node *node)
{
  if (root == PAGE_NONE)
    return -ENOENT;
  const struct page *leaf;
  unsigned at;
  bool exact;
  int rc = find_leaf(pages, snapshot, root, key, &leaf);
  if (rc < 0 || (rc = page_search(pages, leaf, key, &at, &exact)) < 0)
    return rc;
  if (!exact)
    return -ENOENT;
  return page_node(pages, leaf, at, node);
}

int pages_find_trees(struct pages *pages, struct pages_snapshot *snapshot)
{
  if (snapshot->next_page < 2 || snapshot->next_page > pages->map_size / pages->page_size)
    return -EILSEQ;
  for (unsigned i = 0; i < PAGES_TREES; i++) {
    struct node node;
    struct pages_root *tree = &snapshot->tree[i];
    *tree = (struct pages_root){.root = PAGE_NONE};
    int rc = find_node(pages, snapshot, snapshot->main.root,
                       (struct idem_span){pages_names[i], strlen(pages_names[i])}, &node);
    if (rc == -ENOENT)
      continue;
    if (rc < 0 || node.flags != NODE_TREE || node.value.len != sizeof(*tree))
      return -EILSEQ;
    memcpy(tree, node.value.data, sizeof(*tree));
  }
  return 0;
}

int pages_get(struct pages *pages, const struct pages_snapshot *snapshot, enum pages_tree tree,
              const void *key, size_t key_len, struct idem_span *value)
{
  struct node node;
  int rc = find_node(pages, snapshot, snapshot->tree[tree].root, (struct idem_span){key, key_len}, &node);
  if (rc < 0)
    return rc;
  if (node.flags & NODE_TREE || page_value(pages, snapshot, &node) < 0)
    return -EILSEQ;
  *value = node.value;
  return 0;
}

uint64_t pages_bytes(const struct pages *pages, const struct pages_snapshot *snapshot)
{
  uint64_t sum = 0;
  for (unsigned i = 0; i < PAGES_TREES; i++) {
    const struct pages_root *tree = &snapshot->tree[i];
    sum += tree->branches + tree->leaves + tree->overflows;
  }
  return sum * pages->page_size;
}
