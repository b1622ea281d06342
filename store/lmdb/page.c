/* SPDX-License-Identifier: MIT */
#include "store/lmdb/page.h"

#include <string.h>
#include <sys/stat.h>

enum { NODE_HEAD = 8, KEY_MOST = 511 };

/* True if the file has its first `end` bytes; looks again when it may have grown. */
static bool page_reaches(struct pages *pages, uint64_t end)
{
  if (end <= atomic_load_explicit(&pages->end, memory_order_relaxed))
    return true;
  struct stat stat;
  if (end > pages->map_size || fstat(pages->fd, &stat) < 0)
    return false;
  size_t size = (size_t)stat.st_size < pages->map_size ? (size_t)stat.st_size : pages->map_size;
  atomic_store_explicit(&pages->end, size, memory_order_relaxed);
  return end <= size;
}

static const struct page *page_run(struct pages *pages, const struct pages_snapshot *snapshot,
                                   uint64_t number, uint64_t count)
{
  if (number < 2 || number >= snapshot->next_page || count > snapshot->next_page - number ||
      !page_reaches(pages, (number + count) * pages->page_size))
    return NULL;
  const struct page *page = (const void *)(pages->map + number * pages->page_size);
  return page->number == number ? page : NULL;
}

unsigned page_count(const struct page *page)
{
  return (page->lower - sizeof(struct page)) / sizeof(uint16_t);
}

const struct page *page_at(struct pages *pages, const struct pages_snapshot *snapshot, uint64_t number)
{
  const struct page *page = page_run(pages, snapshot, number, 1);
  if (!page)
    return NULL;
  /* Nothing else may be set: a page that claims to be dirty is one that LMDB writes to, in its read-only map.
   */
  int kind = page->flags;
  bool sane = (kind == PAGE_BRANCH || kind == PAGE_LEAF) && page->lower > sizeof(struct page) &&
              page->lower % 2 == 0 && page->lower <= page->upper && page->upper <= pages->page_size;
  return sane ? page : NULL;
}

int page_node(const struct pages *pages, const struct page *page, unsigned i, struct node *node)
{
  size_t offset = page->offset[i];
  if (offset < page->upper || offset % 2 || offset + NODE_HEAD > pages->page_size)
    return -EILSEQ;
  const uint16_t *head = (const void *)((const uint8_t *)page + offset);
  size_t room = pages->page_size - offset - NODE_HEAD, key_len = head[3];
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

int page_value(struct pages *pages, const struct pages_snapshot *snapshot, struct node *node)
{
  if (!(node->flags & NODE_BIG))
    return 0;
  uint64_t count = (sizeof(struct page) + node->value.len + pages->page_size - 1) / pages->page_size;
  const struct page *page = page_run(pages, snapshot, node->overflow, count);
  /* A run may be longer than its value; LMDB would free all of it. */
  if (!page || page->flags != PAGE_OVERFLOW || page->count < count ||
      page->count > snapshot->next_page - node->overflow)
    return -EILSEQ;
  node->value.data = (const char *)(page + 1);
  return 0;
}

static size_t node_size(const struct page *page, const struct node *node)
{
  size_t value = page->flags & PAGE_BRANCH ? 0 : node->flags & NODE_BIG ? sizeof(uint64_t) : node->value.len;
  return (NODE_HEAD + node->key.len + value + 1) & ~(size_t)1;
}

static int compare(struct idem_span a, struct idem_span b)
{
  int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Keys ascend: where they do not, LMDB misses an entry that it has, and makes it a second time. A branch's
 * first key means nothing. */
static bool follows(const struct page *page, unsigned i, struct idem_span before, struct idem_span key,
                    bool integers)
{
  uint64_t x, y;
  if (i <= (page->flags & PAGE_BRANCH ? 1u : 0u))
    return true;
  if (!integers)
    return compare(before, key) < 0;
  if (before.len != sizeof(x) || key.len != sizeof(y))
    return false;
  memcpy(&x, before.data, sizeof(x));
  memcpy(&y, key.data, sizeof(y));
  return x < y;
}

static bool leads_out(struct pages *pages, const struct pages_snapshot *snapshot, const struct page *page,
                      struct node *node)
{
  if (page->flags & PAGE_BRANCH)
    return node->child < 2 || node->child >= snapshot->next_page;
  return page_value(pages, snapshot, node) < 0;
}

int page_check(struct pages *pages, const struct pages_snapshot *snapshot, const struct page *page,
               bool integers)
{
  /* LMDB splits a page in the belief that any two nodes fit one. */
  size_t used = 0, most = (pages->page_size - sizeof(struct page)) / 2;
  unsigned count = page_count(page);
  struct idem_span before = {"", 0};
  if (page->flags & PAGE_BRANCH && count < 2)
    return -EILSEQ;
  for (unsigned i = 0; i < count; i++) {
    struct node node;
    if (page_node(pages, page, i, &node) < 0)
      return -EILSEQ;
    size_t size = node_size(page, &node);
    if (node.key.len > KEY_MOST || size > most || leads_out(pages, snapshot, page, &node) ||
        !follows(page, i, before, node.key, integers))
      return -EILSEQ;
    used += size;
    before = node.key;
  }
  return used == pages->page_size - page->upper ? 0 : -EILSEQ;
}

int page_search(const struct pages *pages, const struct page *page, struct idem_span key, unsigned *at,
                bool *exact)
{
  /* A branch's first key stands for everything below the second. */
  bool branch = page->flags & PAGE_BRANCH;
  unsigned low = branch, high = page_count(page);
  *exact = false;
  while (low < high) {
    unsigned middle = (low + high) / 2;
    struct node node;
    if (page_node(pages, page, middle, &node) < 0)
      return -EILSEQ;
    int order = compare(key, node.key);
    if (order == 0) {
      *exact = true;
      *at = middle;
      return 0;
    }
    if (order > 0)
      low = middle + 1;
    else
      high = middle;
  }
  *at = branch ? low - 1 : low;
  return 0;
}
