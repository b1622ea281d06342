/* SPDX-License-Identifier: MIT */
/*
 * The walks of pages.h that go over many pages: visiting entries, and checking whole trees before LMDB goes
 * over them.
 *
 * A damaged tree may lead in a circle, so each walk has a budget of as many pages as the snapshot has. A walk
 * that visits goes on behind damage, so that a command shows what is still there; one that checks stops.
 */
#include "store/lmdb/page.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Of both kinds: `visit` is for the one, `integers` and `free` are for the other. */
struct walk {
  const struct pages_snapshot *snapshot;
  pages_visit *visit;
  void *arg;
  uint64_t budget; /* pages left */
  bool damaged;
  bool back;     /* visits from the greatest key to the least */
  bool integers; /* the free list's keys */
  uint8_t *free; /* a bit for each page that the free list names, or NULL */
};

/* Visits the entries below a page, from `from` on; backwards, those that are not greater. */
static int walk_page(struct walk *walk, uint64_t number, int depth, const struct idem_span *from)
{
  const struct page *page = depth < PAGE_DEPTH && walk->budget ? page_at(walk->snapshot, number) : NULL;
  unsigned at = page && walk->back ? page_count(page) - 1 : 0;
  struct node node;
  int exact = page && from ? page_search(walk->snapshot, page, *from, &at, &node) : 1;
  if (!page || exact < 0) {
    walk->damaged = true;
    return 0;
  }
  walk->budget--;
  bool branch = page->flags & PAGE_BRANCH;
  /* Past the first it is greater than any count. */
  unsigned count = page_count(page), step = walk->back ? UINT_MAX : 1;
  int rc = 0;
  at -= walk->back && !branch && !exact;
  for (unsigned i = at; i < count && rc == 0; i += step) {
    if (page_node(walk->snapshot, page, i, &node) < 0 || (!branch && page_value(walk->snapshot, &node) < 0))
      walk->damaged = true;
    else if (branch)
      rc = walk_page(walk, node.child, depth + 1, i == at ? from : NULL);
    else
      rc = walk->visit(walk->arg, node.key, node.value);
  }
  return rc;
}

/* An empty tree has no page at all. */
static int walk_tree(struct walk *walk, uint64_t root, const struct idem_span *from)
{
  if (root == PAGE_NONE)
    return 0;
  walk->budget = walk->snapshot->next_page;
  int rc = walk_page(walk, root, 0, from);
  return rc ? rc : walk->damaged ? -EILSEQ : 0;
}

int pages_each(const struct pages_snapshot *snapshot, enum pages_tree tree, const struct idem_span *from,
               pages_visit *visit, void *arg)
{
  struct walk walk = {.snapshot = snapshot, .visit = visit, .arg = arg};
  return walk_tree(&walk, snapshot->tree[tree].root, from);
}

int pages_part(const struct pages_snapshot *snapshot, enum pages_tree tree, struct pages_part *part,
               pages_visit *visit, void *arg)
{
  struct walk walk = {.snapshot = snapshot, .visit = visit, .arg = arg, .back = part->back};
  int rc = walk_tree(&walk, snapshot->tree[tree].root, part->from.data ? &part->from : NULL);
  part->damaged |= walk.damaged;
  return rc == -EILSEQ && walk.damaged ? 0 : rc;
}

/* Checks every page of a tree, whole. One that is free as well would be overwritten while LMDB still reads
 * it. */
static int check_below(struct walk *walk, uint64_t number, int depth)
{
  bool is_free = walk->free && number < walk->snapshot->next_page && walk->free[number / 8] >> number % 8 & 1;
  if (is_free || depth >= PAGE_DEPTH || walk->budget-- == 0 ||
      page_check(walk->snapshot, number, walk->integers) < 0)
    return -EILSEQ;
  const struct page *page = page_at(walk->snapshot, number);
  for (unsigned i = 0; page && page->flags & PAGE_BRANCH && i < page_count(page); i++) {
    struct node node;
    if (page_node(walk->snapshot, page, i, &node) < 0 || check_below(walk, node.child, depth + 1) < 0)
      return -EILSEQ;
  }
  return page ? 0 : -EILSEQ;
}

/* With `free`, tells of pages that are both free and part of the tree. */
static int check_tree(const struct pages_snapshot *snapshot, uint64_t root, bool integers, uint8_t *free)
{
  struct walk walk = {
      .snapshot = snapshot, .budget = snapshot->next_page, .integers = integers, .free = free};
  return root == PAGE_NONE ? 0 : check_below(&walk, root, 0);
}

/* LMDB takes flags for how entries are laid out, and we take the counts for how full the store is. */
static bool root_is_sane(const struct pages_root *root, unsigned flags, uint64_t next_page)
{
  bool counts = root->branches < next_page && root->leaves < next_page && root->overflows < next_page;
  return root->flags == flags && root->depth < PAGE_DEPTH && counts &&
         (root->root == PAGE_NONE) == (root->depth == 0);
}

/* Before every write: the main tree is a page or two, and has the roots of all others in it. */
int pages_check_main(const struct pages_snapshot *snapshot)
{
  bool sane = root_is_sane(&snapshot->main, 0, snapshot->next_page) &&
              root_is_sane(&snapshot->free, ROOT_INTEGER_KEYS, snapshot->next_page);
  for (unsigned i = 0; i < PAGES_TREES; i++)
    sane = sane && root_is_sane(&snapshot->tree[i], 0, snapshot->next_page);
  return sane ? check_tree(snapshot, snapshot->main.root, false, NULL) : -EILSEQ;
}

/* An entry of the free list: how many, then page numbers, the greatest first. LMDB takes all three on trust.
 */
static int check_list(void *arg, struct idem_span key, struct idem_span value)
{
  const struct walk *walk = arg;
  uint64_t count, before = walk->snapshot->next_page;
  if (key.len != sizeof(uint64_t) || value.len < sizeof(count))
    return -EILSEQ;
  memcpy(&count, value.data, sizeof(count));
  if (count > value.len / sizeof(count) - 1)
    return -EILSEQ;
  for (uint64_t i = 1; i <= count; i++) {
    uint64_t number;
    memcpy(&number, value.data + i * sizeof(number), sizeof(number));
    if (number < 2 || number >= before)
      return -EILSEQ;
    if (walk->free)
      walk->free[number / 8] |= (uint8_t)(1u << number % 8);
    before = number;
  }
  return 0;
}

/* Before the first write of a process: LMDB takes what these lists name. */
int pages_check_free(const struct pages_snapshot *snapshot)
{
  struct walk walk = {.snapshot = snapshot, .visit = check_list};
  walk.arg = &walk;
  int rc = check_tree(snapshot, snapshot->free.root, true, NULL);
  return rc < 0 ? rc : walk_tree(&walk, snapshot->free.root, NULL);
}

/* A page that is free and taken is written over by the next who needs one, and what it had is a miss then.
 * Without memory for the bits that goes unnoticed. */
int pages_check_all(const struct pages_snapshot *snapshot)
{
  int rc = pages_check_free(snapshot);
  if (rc < 0)
    return rc;
  struct walk walk = {
      .snapshot = snapshot, .visit = check_list, .free = calloc(snapshot->next_page / 8 + 1, 1)};
  walk.arg = &walk;
  if (walk.free)
    walk_tree(&walk, snapshot->free.root, NULL);
  rc = check_tree(snapshot, snapshot->free.root, true, walk.free);
  if (rc == 0)
    rc = check_tree(snapshot, snapshot->main.root, false, walk.free);
  for (unsigned i = 0; i < PAGES_TREES && rc == 0; i++)
    rc = check_tree(snapshot, snapshot->tree[i].root, false, walk.free);
  free(walk.free);
  return rc;
}
