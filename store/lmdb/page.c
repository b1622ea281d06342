/* SPDX-License-Identifier: MIT */
#include "store/lmdb/page.h"

#include "config/kernel.h"
#include "store/lmdb/pages_read.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_MOST = 511 };

bool page_file_is_open(const struct pages *pages, struct stat *stat)
{
  return idem_fstat(pages->fd, stat) == 0 && stat->st_ino == pages->inode && stat->st_dev == pages->device;
}

/* The file may have grown since it was last measured. LMDB's descriptor may be given
 * back, or the app's by now. */
static bool measure(const struct pages *pages, struct stat *stat)
{
  return page_file_is_open(pages, stat) || (idem_fstatat(AT_FDCWD, pages->path, stat, 0) == 0 &&
                                            stat->st_ino == pages->inode && stat->st_dev == pages->device);
}

/* The page `number`, if it and the `count` - 1 behind it are part of the snapshot and of the file. */
static inline const struct page *page_run(const struct pages_snapshot *snapshot, uint64_t number,
                                          uint64_t count)
{
  struct pages *pages = snapshot->pages;
  if (number < 2 || number >= snapshot->next_page || count > snapshot->next_page - number)
    return NULL;
  uint64_t end = (number + count) * pages->page_size;
  if (end > atomic_load_explicit(&pages->end, memory_order_relaxed)) {
    struct stat stat;
    if (pages->reading)
      return pages_read_run(pages->reading, number, count);
    if (end > pages->map_size || !measure(pages, &stat))
      return NULL;
    size_t size = (size_t)stat.st_size < pages->map_size ? (size_t)stat.st_size : pages->map_size;
    atomic_store_explicit(&pages->end, size, memory_order_relaxed);
    if (end > size)
      return NULL;
  }
  const struct page *page = (const void *)(pages->map + number * pages->page_size);
  return page->number == number ? page : NULL;
}

unsigned page_count(const struct page *page)
{
  return (page->lower - sizeof(struct page)) / sizeof(uint16_t);
}

const struct page *page_at(const struct pages_snapshot *snapshot, uint64_t number)
{
  const struct page *page = page_run(snapshot, number, 1);
  if (!page)
    return NULL;
  /* No other flag may be set: a page that claims to be dirty is one that LMDB writes to, in its read-only
   * map. */
  int kind = page->flags;
  bool sane = (kind == PAGE_BRANCH || kind == PAGE_LEAF) && page->lower > sizeof(struct page) &&
              page->lower % 2 == 0 && page->lower <= page->upper && page->upper <= snapshot->pages->page_size;
  return sane ? page : NULL;
}

/*
 * A node begins with four numbers of 16 bits: two with the length of its value, its flags, and the length of
 * its key. In a branch the first three are the number of the child.
 */
static inline int read_node(const struct pages_snapshot *snapshot, const struct page *page, unsigned i,
                            struct node *node)
{
  size_t offset = page->offset[i], page_size = snapshot->pages->page_size;
  if (offset < page->upper || offset % 2 || offset + NODE_HEAD > page_size)
    return -EILSEQ;
  const uint16_t *head = (const void *)((const uint8_t *)page + offset);
  size_t room = page_size - offset - NODE_HEAD, key_len = head[3];
  if (key_len > room)
    return -EILSEQ;
  const char *data = (const char *)(head + 4);
  *node = (struct node){.key = {data, key_len}, .flags = head[2]};
  if (page->flags & PAGE_BRANCH) {
    node->child = head[0] | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 32;
    return 0;
  }
  node->value.len = head[0] | (size_t)head[1] << 16;
  size_t inside = node->flags & NODE_BIG ? sizeof(uint64_t) : node->value.len;
  if ((node->flags != 0 && node->flags != NODE_BIG && node->flags != NODE_TREE) || inside > room - key_len)
    return -EILSEQ;
  if (node->flags & NODE_BIG)
    memcpy(&node->overflow, data + key_len, sizeof(node->overflow));
  else
    node->value.data = data + key_len;
  return 0;
}

int page_node(const struct pages_snapshot *snapshot, const struct page *page, unsigned i, struct node *node)
{
  return read_node(snapshot, page, i, node);
}

/* A value that is too large for its leaf is in a run of pages of its own, which says how long it is. */
int page_value(const struct pages_snapshot *snapshot, struct node *node)
{
  if (!(node->flags & NODE_BIG))
    return 0;
  /* A power of two: to divide by it would take longer than the search. */
  uint64_t page_size = snapshot->pages->page_size;
  uint64_t count = (sizeof(struct page) + node->value.len + page_size - 1) >> __builtin_ctzll(page_size);
  const struct page *page = page_run(snapshot, node->overflow, count);
  /* A run may be longer than its value; LMDB would free all of it. */
  if (!page || page->flags != PAGE_OVERFLOW || page->count < count ||
      page->count > snapshot->next_page - node->overflow)
    return -EILSEQ;
  node->value.data = (const char *)(page + 1);
  return 0;
}

/* LMDB's own order of keys: bytes, and the shorter first. Nearly all are digests, which differ
 * in their first eight. */
static int compare(struct idem_span a, struct idem_span b)
{
  uint64_t x, y;
  if (a.len >= sizeof(x) && b.len >= sizeof(y)) {
    memcpy(&x, a.data, sizeof(x));
    memcpy(&y, b.data, sizeof(y));
    if (x != y)
      return be64toh(x) < be64toh(y) ? -1 : 1;
  }
  int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Keys of the free list are transaction numbers in the byte order of the machine. */
static bool integers_ascend(struct idem_span before, struct idem_span key)
{
  uint64_t x, y;
  if (before.len != sizeof(x) || key.len != sizeof(y))
    return false;
  memcpy(&x, before.data, sizeof(x));
  memcpy(&y, key.data, sizeof(y));
  return x < y;
}

/* Looks at every node in turn, as LMDB would when it splits or compacts the page. */
int page_check(const struct pages_snapshot *snapshot, uint64_t number, bool integers)
{
  const struct page *page = page_at(snapshot, number);
  if (!page)
    return -EILSEQ;
  bool branch = page->flags & PAGE_BRANCH;
  unsigned count = page_count(page);
  /* LMDB splits a page in the belief that any two nodes fit one. */
  size_t used = 0, most = (snapshot->pages->page_size - sizeof(struct page)) / 2;
  struct idem_span before = {"", 0};
  if (branch && count < 2)
    return -EILSEQ;
  for (unsigned i = 0; i < count; i++) {
    struct node node;
    if (read_node(snapshot, page, i, &node) < 0)
      return -EILSEQ;
    size_t value = branch ? 0 : node.flags & NODE_BIG ? sizeof(uint64_t) : node.value.len;
    size_t size = (NODE_HEAD + node.key.len + value + 1) & ~(size_t)1;
    /* Where keys do not ascend, LMDB misses an entry that it has, and makes it a second time. A branch's
     * first key means nothing. */
    bool ascends =
        i <= branch || (integers ? integers_ascend(before, node.key) : compare(before, node.key) < 0);
    uint64_t leads_to = branch ? node.child : node.flags & NODE_BIG ? node.overflow : 2;
    bool leads_out = leads_to < 2 || leads_to >= snapshot->next_page;
    if (node.key.len > KEY_MOST || size > most || leads_out || !ascends)
      return -EILSEQ;
    used += size;
    before = node.key;
  }
  return used == snapshot->pages->page_size - page->upper ? 0 : -EILSEQ;
}

/* A binary search that looks at each node it compares with before it takes its key. */
int page_search(const struct pages_snapshot *snapshot, const struct page *page, struct idem_span key,
                unsigned *at, struct node *node)
{
  /* A branch's first key stands for everything below the second. */
  bool branch = page->flags & PAGE_BRANCH;
  unsigned low = branch, high = page_count(page);
  while (low < high) {
    unsigned middle = (low + high) / 2;
    if (read_node(snapshot, page, middle, node) < 0)
      return -EILSEQ;
    int order = compare(key, node->key);
    if (order == 0) {
      *at = middle;
      return 1;
    }
    if (order > 0)
      low = middle + 1;
    else
      high = middle;
  }
  *at = branch ? low - 1 : low;
  return 0;
}
