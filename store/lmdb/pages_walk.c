/* SPDX-License-Identifier: MIT */
/* The walks of pages.h that go over many pages: visiting entries, and checking a path before LMDB takes it.
 */
#include "store/lmdb/page.h"

#include <stdlib.h>

struct walk {
  struct pages *pages;
  const struct pages_snapshot *snapshot;
  pages_visit *visit;
  void *arg;
  uint64_t budget; /* pages left: a damaged tree may lead in a circle */
  bool damaged;
  bool integers; /* the free list's keys */
  uint8_t *free; /* a bit for each page that the free list names, or NULL */
};

/* So many pages of trees are looked at before a process writes for the first time; a larger store is trusted
 * further. */
enum { TREE_PAGES_MOST = 20000 };

static int walk_page(struct walk *walk, uint64_t number, int depth, const struct idem_span *from);

static int walk_node(struct walk *walk, const struct page *page, unsigned i, int depth,
                     const struct idem_span *from)
{
  struct node node;
  if (page_node(walk->pages, page, i, &node) < 0) {
    walk->damaged = true;
    return 0;
  }
  if (page->flags & PAGE_BRANCH)
    return walk_page(walk, node.child, depth + 1, from);
  if (page_value(walk->pages, walk->snapshot, &node) < 0) {
    walk->damaged = true;
    return 0;
  }
  return walk->visit(walk->arg, node.key, node.value);
}

static int walk_page(struct walk *walk, uint64_t number, int depth, const struct idem_span *from)
{
  const struct page *page =
      depth < PAGE_DEPTH && walk->budget ? page_at(walk->pages, walk->snapshot, number) : NULL;
  unsigned at = 0;
  bool exact;
  if (!page || (from && page_search(walk->pages, page, *from, &at, &exact) < 0)) {
    walk->damaged = true;
    return 0;
  }
  walk->budget--;
  unsigned count = page_count(page);
  int rc = 0;
  for (unsigned i = at; i < count && rc == 0; i++)
    rc = walk_node(walk, page, i, depth, i == at ? from : NULL);
  return rc;
}

static int walk_tree(struct walk *walk, uint64_t root, const struct idem_span *from)
{
  if (root == PAGE_NONE)
    return 0;
  walk->budget = walk->snapshot->next_page;
  int rc = walk_page(walk, root, 0, from);
  return rc ? rc : walk->damaged ? -EILSEQ : 0;
}

int pages_each(struct pages *pages, const struct pages_snapshot *snapshot, enum pages_tree tree,
               const struct idem_span *from, pages_visit *visit, void *arg)
{
  struct walk walk = {.pages = pages, .snapshot = snapshot, .visit = visit, .arg = arg};
  return walk_tree(&walk, snapshot->tree[tree].root, from);
}

static int check_number(struct pages *pages, const struct pages_snapshot *snapshot, uint64_t number,
                        bool integers)
{
  const struct page *page = page_at(pages, snapshot, number);
  return page ? page_check(pages, snapshot, page, integers) : -EILSEQ;
}

/* A page that gets too empty is merged with the one before or behind it. */
static int check_neighbours(struct pages *pages, const struct pages_snapshot *snapshot,
                            const struct page *page, unsigned at)
{
  unsigned first = at ? at - 1 : 0, last = at + 1 < page_count(page) ? at + 1 : at;
  for (unsigned i = first; i <= last; i++) {
    struct node node;
    if (page_node(pages, page, i, &node) < 0 || check_number(pages, snapshot, node.child, false) < 0)
      return -EILSEQ;
  }
  return 0;
}

static int check_path(struct pages *pages, const struct pages_snapshot *snapshot, uint64_t root,
                      struct idem_span key)
{
  if (root == PAGE_NONE)
    return 0;
  if (check_number(pages, snapshot, root, false) < 0)
    return -EILSEQ;
  for (int depth = 0; depth < PAGE_DEPTH; depth++) {
    const struct page *page = page_at(pages, snapshot, root);
    if (!page)
      return -EILSEQ;
    if (page->flags & PAGE_LEAF)
      return 0;
    struct node node;
    unsigned at;
    bool exact;
    if (page_search(pages, page, key, &at, &exact) < 0 || check_neighbours(pages, snapshot, page, at) < 0 ||
        page_node(pages, page, at, &node) < 0)
      return -EILSEQ;
    root = node.child;
  }
  return -EILSEQ;
}

int pages_check(struct pages *pages, const struct pages_snapshot *snapshot, enum pages_tree tree,
                const void *key, size_t key_len)
{
  return check_path(pages, snapshot, snapshot->tree[tree].root, (struct idem_span){key, key_len});
}

/* Visits every page of a tree, whole. One that is free as well would be overwritten while LMDB still reads
 * it. */
static int check_all(struct walk *walk, uint64_t number, int depth)
{
  bool is_free = walk->free && number < walk->snapshot->next_page && walk->free[number / 8] >> number % 8 & 1;
  if (is_free || depth >= PAGE_DEPTH || walk->budget-- == 0 ||
      check_number(walk->pages, walk->snapshot, number, walk->integers) < 0)
    return -EILSEQ;
  const struct page *page = page_at(walk->pages, walk->snapshot, number);
  for (unsigned i = 0; page && page->flags & PAGE_BRANCH && i < page_count(page); i++) {
    struct node node;
    if (page_node(walk->pages, page, i, &node) < 0 || check_all(walk, node.child, depth + 1) < 0)
      return -EILSEQ;
  }
  return page ? 0 : -EILSEQ;
}

static int check_tree(struct pages *pages, const struct pages_snapshot *snapshot, uint64_t root,
                      bool integers, uint8_t *free)
{
  struct walk walk = {.pages = pages,
                      .snapshot = snapshot,
                      .budget = snapshot->next_page,
                      .integers = integers,
                      .free = free};
  return root == PAGE_NONE ? 0 : check_all(&walk, root, 0);
}

/* LMDB takes flags for how entries are laid out, and we take the counts for how full the store is. */
static bool root_is_sane(const struct pages_root *root, unsigned flags, uint64_t next_page)
{
  bool counts = root->branches < next_page && root->leaves < next_page && root->overflows < next_page;
  return root->flags == flags && root->depth < PAGE_DEPTH && counts &&
         (root->root == PAGE_NONE) == (root->depth == 0);
}

int pages_check_main(struct pages *pages, const struct pages_snapshot *snapshot)
{
  bool sane = root_is_sane(&snapshot->main, 0, snapshot->next_page) &&
              root_is_sane(&snapshot->free, ROOT_INTEGER_KEYS, snapshot->next_page);
  for (unsigned i = 0; i < PAGES_TREES; i++)
    sane = sane && root_is_sane(&snapshot->tree[i], 0, snapshot->next_page);
  return sane ? check_tree(pages, snapshot, snapshot->main.root, false, NULL) : -EILSEQ;
}

/* A list: how many, then page numbers, the greatest first. LMDB takes all three on trust. */
static int check_list(void *arg, struct idem_span key, struct idem_span value)
{
  const struct walk *walk = arg;
  uint64_t count, before = walk->snapshot->next_page;
  if (key.len != sizeof(uint64_t) || value.len < sizeof(count))
    return -EILSEQ;
  __builtin_memcpy(&count, value.data, sizeof(count));
  if (count > value.len / sizeof(count) - 1)
    return -EILSEQ;
  for (uint64_t i = 1; i <= count; i++) {
    uint64_t number;
    __builtin_memcpy(&number, value.data + i * sizeof(number), sizeof(number));
    if (number < 2 || number >= before)
      return -EILSEQ;
    if (walk->free)
      walk->free[number / 8] |= (uint8_t)(1u << number % 8);
    before = number;
  }
  return 0;
}

/* Tells of pages that are both free and part of a tree. */
static int check_taken(struct pages *pages, const struct pages_snapshot *snapshot, uint8_t *free)
{
  int rc = check_tree(pages, snapshot, snapshot->free.root, true, free);
  if (rc == 0)
    rc = check_tree(pages, snapshot, snapshot->main.root, false, free);
  uint64_t left = TREE_PAGES_MOST;
  for (unsigned i = 0; i < PAGES_TREES && rc == 0; i++) {
    const struct pages_root *tree = &snapshot->tree[i];
    if (tree->branches + tree->leaves > left)
      break;
    left -= tree->branches + tree->leaves;
    rc = check_tree(pages, snapshot, tree->root, false, free);
  }
  return rc;
}

int pages_check_free(struct pages *pages, const struct pages_snapshot *snapshot)
{
  int rc = check_tree(pages, snapshot, snapshot->free.root, true, NULL);
  struct walk walk = {.pages = pages, .snapshot = snapshot, .visit = check_list};
  walk.arg = &walk;
  if (rc < 0)
    return rc;
  walk.free = calloc(snapshot->next_page / 8 + 1, 1);
  rc = walk_tree(&walk, snapshot->free.root, NULL);
  if (rc == 0 && walk.free)
    rc = check_taken(pages, snapshot, walk.free);
  free(walk.free);
  return rc;
}
