/* SPDX-License-Identifier: MIT */
#include "store/lmdb/pages.h"

#include "config/kernel.h"
#include "store/lmdb/page.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

const char *const pages_names[PAGES_TREES] = {"meta",   "answers", "raw",  "age", "expiry",
                                              "claims", "prints",  "seen", "ops", "parts"};

enum { META_MAGIC = 0xbeefc0de, PAGE_LEAST = 512, PAGE_MOST = 0x10000 };

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

/* Reads one of them into a copy that nobody writes to, and checks it. */
static int read_meta(int fd, off_t place, struct meta *meta)
{
  struct stat stat;
  struct page head;
  struct iovec parts[] = {
      {&head, sizeof(head)},
      {meta, sizeof(*meta)},
  };
  if (idem_fstat(fd, &stat) < 0)
    return -errno;
  if (preadv(fd, parts, 2, place) != (ssize_t)(sizeof(head) + sizeof(*meta)) || head.flags != PAGE_META ||
      meta->magic != META_MAGIC)
    return -EILSEQ;
  if (meta->version != PAGES_FORMAT)
    return -EPROTO;
  uint64_t page_size = meta->free.pad;
  bool sane = page_size >= PAGE_LEAST && page_size <= PAGE_MOST && !(page_size & (page_size - 1)) &&
              stat.st_size >= 2 * (off_t)page_size && meta->last_page >= 1 && meta->last_page <= PAGES_MOST;
  return sane ? 0 : -EILSEQ;
}

/* Every LMDB writes its magic number and then that of its format, behind a page's header: which is shorter
 * with 32 bits, and longer from format 2 on. On a machine of the other byte order the magic number is turned
 * round. */
static bool is_of_another(int fd, unsigned *format)
{
  static const off_t places[] = {12, 16, 24};
  uint32_t words[2];
  for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
    if (pread(fd, words, sizeof(words), places[i]) == sizeof(words) &&
        (words[0] == META_MAGIC || words[0] == __builtin_bswap32(META_MAGIC))) {
      bool usual = places[i] == sizeof(struct page) && words[0] == META_MAGIC;
      *format = usual || places[i] > (off_t)sizeof(struct page) ? words[1] : 0;
      return !usual || words[1] != PAGES_FORMAT;
    }
  return false;
}

/* Both pages are looked at: LMDB takes the newer, and after a crash the older. */
int pages_check_header(int fd, unsigned *format)
{
  struct stat stat;
  struct meta first, second;
  if (idem_fstat(fd, &stat) < 0)
    return -errno;
  if (stat.st_size == 0)
    return 0;
  if (is_of_another(fd, format))
    return -EPROTO;
  int rc = read_meta(fd, 0, &first);
  if (rc == 0)
    rc = read_meta(fd, first.free.pad, &second);
  if (rc == 0 && second.free.pad != first.free.pad)
    rc = -EILSEQ;
  return rc;
}

/* A second map of the file beside LMDB's, for LMDB's own is not told to us, and read-only: nothing that we
 * do can change the store. */
int pages_open(struct pages *pages, int fd, const char *path, size_t map_size)
{
  struct stat stat;
  struct meta meta;
  if (idem_fstat(fd, &stat) < 0)
    return -errno;
  *pages = (struct pages){.fd = fd,
                          .path = path,
                          .inode = stat.st_ino,
                          .device = stat.st_dev,
                          .map_size = map_size,
                          .end = (size_t)stat.st_size};
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

/* Where LMDB writes the roots of a transaction. */
static const struct meta *meta_of(const struct pages *pages, uint64_t txn)
{
  return (const void *)(pages->map + (txn & 1) * pages->page_size + sizeof(struct page));
}

bool pages_have_more(const struct pages_snapshot *snapshot)
{
  const struct meta *next = meta_of(snapshot->pages, snapshot->txn + 1);
  return atomic_load_explicit(&next->txn, memory_order_relaxed) == snapshot->txn + 1;
}

int pages_copy_roots(struct pages *pages, uint64_t txn, struct pages_snapshot *out)
{
  const struct meta *meta = meta_of(pages, txn);
  if (atomic_load_explicit(&meta->txn, memory_order_acquire) != txn)
    return -EAGAIN;
  out->pages = pages;
  out->txn = txn;
  out->free = meta->free;
  out->main = meta->main;
  out->next_page = meta->last_page + 1;
  /* What was read above is read before whatever the caller does to see that it still holds. */
  atomic_thread_fence(memory_order_acquire);
  return 0;
}

/* A page is remembered by its number, in the slot that this leads to; a slot that says 0 is empty. */
static int check_once(const struct pages_snapshot *snapshot, uint64_t number, struct pages_sound *sound)
{
  uint64_t *slot = &sound->number[number % (sizeof(sound->number) / sizeof(*sound->number))];
  if (number && *slot == number)
    return 0;
  int rc = page_check(snapshot, number, false);
  if (rc == 0)
    *slot = number;
  return rc;
}

/* Of a page that gets too empty. */
static int check_neighbours(const struct pages_snapshot *snapshot, const struct page *page, unsigned at,
                            bool neighbours, struct pages_sound *sound)
{
  unsigned first = at && neighbours ? at - 1 : at;
  unsigned last = at + 1 < page_count(page) && neighbours ? at + 1 : at;
  for (unsigned i = first; i <= last; i++) {
    struct node node;
    if (page_node(snapshot, page, i, &node) < 0 || check_once(snapshot, node.child, sound) < 0)
      return -EILSEQ;
  }
  return 0;
}

/* A leaf, and where it hangs. */
struct place {
  const struct page *leaf;
  uint64_t parent;
  unsigned at;
};

/* Goes down from `root` to the leaf that has, or would have, `key`. With `sound` the pages on the way are
 * checked as LMDB would use them to write. Inline, for every lookup of a hit comes here. */
static inline int find_leaf(const struct pages_snapshot *snapshot, uint64_t root, struct idem_span key,
                            struct pages_sound *sound, bool neighbours, struct place *out)
{
  for (int depth = 0; depth < PAGE_DEPTH; depth++) {
    struct node node;
    unsigned at;
    const struct page *page = page_at(snapshot, root);
    if (!page)
      return -EILSEQ;
    if (page->flags & PAGE_LEAF) {
      out->leaf = page;
      return 0;
    }
    if (page_search(snapshot, page, key, &at, &node) < 0 ||
        (sound && check_neighbours(snapshot, page, at, neighbours, sound) < 0) ||
        page_node(snapshot, page, at, &node) < 0)
      return -EILSEQ;
    out->parent = root;
    out->at = at;
    root = node.child;
  }
  return -EILSEQ;
}

/* The node of `key` in the tree below `root`. */
static inline int find_node(const struct pages_snapshot *snapshot, uint64_t root, struct idem_span key,
                            struct node *node)
{
  struct place place;
  unsigned at;
  if (root == PAGE_NONE)
    return -ENOENT;
  int rc = find_leaf(snapshot, root, key, NULL, false, &place);
  if (rc < 0 || (rc = page_search(snapshot, place.leaf, key, &at, node)) < 0)
    return rc;
  return rc ? 0 : -ENOENT;
}

/* Where each name stands in a main tree that has these and no others, which every commit makes anew: it is
 * looked for there, and searched for if it is not. */
static const uint8_t usual_place[PAGES_TREES] = {4, 1, 8, 0, 3, 2, 7, 9, 5, 6};

static int find_tree(const struct pages_snapshot *snapshot, const struct page *usual, unsigned tree,
                     struct node *node)
{
  struct idem_span name = {pages_names[tree], strlen(pages_names[tree])};
  bool is_there = usual && page_node(snapshot, usual, usual_place[tree], node) == 0 &&
                  node->key.len == name.len && memcmp(node->key.data, name.data, name.len) == 0;
  return is_there ? 0 : find_node(snapshot, snapshot->main.root, name, node);
}

/* The main tree has the name of each of ours, with its root as the value. */
int pages_find_trees(struct pages_snapshot *snapshot)
{
  if (snapshot->next_page < 2 || snapshot->next_page > snapshot->pages->map_size / snapshot->pages->page_size)
    return -EILSEQ;
  const struct page *root = page_at(snapshot, snapshot->main.root);
  const struct page *usual = root && root->flags & PAGE_LEAF && page_count(root) == PAGES_TREES ? root : NULL;
  snapshot->found = 0;
  for (unsigned i = 0; i < PAGES_TREES; i++) {
    struct node node;
    struct pages_root *tree = &snapshot->tree[i];
    *tree = (struct pages_root){.root = PAGE_NONE};
    int rc = find_tree(snapshot, usual, i, &node);
    if (rc == -ENOENT)
      continue;
    if (rc < 0 || node.flags != NODE_TREE || node.value.len != sizeof(*tree))
      return -EILSEQ;
    memcpy(tree, node.value.data, sizeof(*tree));
    snapshot->found++;
  }
  return 0;
}

/* What every lookup of a hit comes down to. */
int pages_get(const struct pages_snapshot *snapshot, enum pages_tree tree, const void *key, size_t key_len,
              struct idem_span *value)
{
  struct node node;
  int rc = find_node(snapshot, snapshot->tree[tree].root, (struct idem_span){key, key_len}, &node);
  if (rc < 0)
    return rc;
  if (node.flags & NODE_TREE || page_value(snapshot, &node) < 0)
    return -EILSEQ;
  *value = node.value;
  return 0;
}

/* Keys before this one may have gone from the same leaf, or a node of it to the leaf before that. */
static void go_to(struct pages_gone *gone, const struct place *place, struct idem_span key)
{
  size_t len = gone->last_len < key.len ? gone->last_len : key.len;
  int order = memcmp(gone->last, key.data, len);
  gone->disordered |= key.len > sizeof(gone->last) || order > 0 || (order == 0 && gone->last_len > key.len);
  if (gone->disordered)
    return;
  memcpy(gone->last, key.data, key.len);
  gone->last_len = (uint8_t)key.len;
  if (gone->leaf == place->leaf->number)
    return;
  gone->merged &= gone->parent == place->parent && gone->at + 1 == place->at;
  gone->leaf = place->leaf->number;
  gone->parent = place->parent;
  gone->at = place->at;
  gone->bytes = gone->count = 0;
}

/* In thousandths; LMDB's FILL_THRESHOLD is 250. */
enum { LEAST_FULL = 260 };

/* LMDB merges a leaf that is less than a quarter full with a neighbour, or moves a node of that into it; and
 * where the last key of a leaf goes, its cursor goes on to the next [mdb.c 0.9.x, mdb_rebalance(),
 * mdb_cursor_del0()]. All else that a delete touches is on the way to the key. */
static bool is_alone(const struct pages_snapshot *snapshot, struct pages_gone *gone,
                     const struct place *place, struct idem_span key, unsigned at)
{
  const struct page *leaf = place->leaf;
  struct node node;
  go_to(gone, place, key);
  if (gone->disordered || page_node(snapshot, leaf, at, &node) < 0)
    return false;
  size_t page_size = snapshot->pages->page_size,
         inside = node.flags & NODE_BIG ? sizeof(uint64_t) : node.value.len;
  gone->bytes += ((NODE_HEAD + key.len + inside + 1) & ~(size_t)1) + sizeof(*leaf->offset);
  gone->count++;
  size_t room = page_size - sizeof(*leaf), free = (size_t)(leaf->upper - leaf->lower) + gone->bytes;
  gone->merged |= free + room * LEAST_FULL / 1000 > room || page_count(leaf) < gone->count + 2;
  return !gone->merged && at + 1 < page_count(leaf);
}

int pages_check(const struct pages_snapshot *snapshot, enum pages_tree tree, const void *key, size_t key_len,
                struct pages_sound *sound)
{
  struct place place = {.parent = PAGE_NONE};
  uint64_t root = snapshot->tree[tree].root;
  if (root == PAGE_NONE)
    return 0;
  struct idem_span name = {key, key_len};
  struct node node;
  unsigned at;
  sound->gone[tree].disordered |= !sound->deletes;
  if (check_once(snapshot, root, sound) < 0 || find_leaf(snapshot, root, name, sound, false, &place) < 0)
    return -EILSEQ;
  const int exact = page_search(snapshot, place.leaf, name, &at, &node);
  if (exact < 0)
    return -EILSEQ;
  /* Who has put a key may delete it in the same transaction. */
  struct pages_gone *gone = &sound->gone[tree];
  bool alone = !sound->deletes || (exact ? is_alone(snapshot, gone, &place, name, at) : !gone->disordered);
  if (!alone && find_leaf(snapshot, root, name, sound, true, &place) < 0)
    return -EILSEQ;
  /* Of long values LMDB follows that of the key itself alone. */
  return exact && page_value(snapshot, &node) < 0 ? -EILSEQ : 0;
}

/* LMDB keeps the counts with each root, so that this reads no page. */
uint64_t pages_bytes(const struct pages_snapshot *snapshot)
{
  uint64_t sum = 0;
  for (unsigned i = 0; i < PAGES_TREES; i++) {
    const struct pages_root *tree = &snapshot->tree[i];
    sum += tree->branches + tree->leaves + tree->overflows;
  }
  return sum * snapshot->pages->page_size;
}
