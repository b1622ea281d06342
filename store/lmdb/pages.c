/* SPDX-License-Identifier: MIT */
#include "store/lmdb/pages.h"

#include "store/lmdb/page.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

const char *const pages_names[PAGES_TREES] = {"meta",   "answers", "raw",    "age",
                                              "expiry", "ops",     "prints", "seen"};

enum { META_MAGIC = 0xbeefc0de, META_VERSION = 1, PAGE_LEAST = 512, PAGE_MOST = 0x10000 };

/* Far more than a file can have; below that, sizes in bytes do not overflow. */
#define PAGES_MOST (UINT64_C(1) << 40)

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

static int check_meta(const struct meta *meta, off_t file_size)
{
  uint64_t page_size = meta->free.pad;
  if (meta->magic != META_MAGIC)
    return -EILSEQ;
  if (meta->version != META_VERSION)
    return -EPROTO;
  bool sane = page_size >= PAGE_LEAST && page_size <= PAGE_MOST && !(page_size & (page_size - 1)) &&
              file_size >= 2 * (off_t)page_size && meta->last_page >= 1 && meta->last_page <= PAGES_MOST;
  return sane ? 0 : -EILSEQ;
}

/* One of the first two pages, in a copy that nobody writes to. */
static int read_meta(int fd, off_t place, struct meta *meta)
{
  struct stat stat;
  struct page head;
  struct iovec parts[] = {
      {&head, sizeof(head)},
      {meta, sizeof(*meta)},
  };
  if (fstat(fd, &stat) < 0)
    return -errno;
  if (preadv(fd, parts, 2, place) != (ssize_t)(sizeof(head) + sizeof(*meta)))
    return -EILSEQ;
  bool is_meta = head.flags == PAGE_META;
  return is_meta ? check_meta(meta, stat.st_size) : -EILSEQ;
}

int pages_check_header(int fd)
{
  struct stat stat;
  struct meta first, second;
  if (fstat(fd, &stat) < 0)
    return -errno;
  if (stat.st_size == 0)
    return 0;
  int rc = read_meta(fd, 0, &first);
  if (rc == 0)
    rc = read_meta(fd, first.free.pad, &second);
  if (rc == 0 && second.free.pad != first.free.pad)
    rc = -EILSEQ;
  return rc;
}

int pages_open(struct pages *pages, int fd, size_t map_size)
{
  struct stat stat;
  struct meta meta;
  if (fstat(fd, &stat) < 0)
    return -errno;
  *pages = (struct pages){.fd = fd, .map_size = map_size, .end = (size_t)stat.st_size};
  int rc = read_meta(fd, 0, &meta);
  if (rc < 0)
    return rc;
  pages->page_size = meta.free.pad;
  void *map = mmap(NULL, map_size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED)
    return -errno;
  pages->map = map;
  return 0;
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
  snapshot->found = 0;
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
    snapshot->found++;
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
