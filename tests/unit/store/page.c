/* SPDX-License-Identifier: MIT */
/* Pages made by hand: whatever a page says, nothing outside of it is followed; what LMDB writes is read. */
#include "store/lmdb/page.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 1024, PAGES = 12, HEAD = sizeof(struct page), ROOM = SIZE - HEAD, DIRTY = 0x10 };

/* The file, and one page more: what a node says may lie there, and must not be taken for its own. */
static union {
  uint8_t bytes[PAGES + 1][SIZE];
  uint64_t aligned;
} file;
static struct pages pages;
static struct pages_snapshot snapshot;

static void open_pages(void)
{
  pages = (struct pages){.fd = -1,
                         .path = "/nowhere",
                         .map = *file.bytes,
                         .map_size = (size_t)PAGES * SIZE,
                         .page_size = SIZE,
                         .end = (size_t)PAGES * SIZE};
  snapshot = (struct pages_snapshot){.pages = &pages, .next_page = PAGES};
}

TestSuite(store_page, .init = open_pages);

static struct page *page_of(uint64_t number)
{
  return (void *)file.bytes[number];
}

/* An empty one, which LMDB has no place for: nodes are put on it from its end. */
static struct page *begin_page(uint64_t number, uint16_t flags)
{
  struct page *page = page_of(number);
  memset(page, 0, SIZE);
  page->number = number;
  page->flags = flags;
  page->lower = HEAD;
  page->upper = SIZE;
  return page;
}

/* As LMDB would: 48 bits are the child of a branch, or 32 are the length of the value and 16 flags. */
static uint16_t *put_node(struct page *page, uint64_t number, const void *key, size_t key_len,
                          const void *value, size_t inside)
{
  page->upper = (uint16_t)(page->upper - ((NODE_HEAD + key_len + inside + 1) & ~(size_t)1));
  uint16_t *head = (void *)((uint8_t *)page + page->upper);
  *(uint16_t *)(void *)((uint8_t *)page + page->lower) = page->upper;
  page->lower += 2;
  head[0] = (uint16_t)number;
  head[1] = (uint16_t)(number >> 16);
  head[2] = (uint16_t)(number >> 32);
  head[3] = (uint16_t)key_len;
  if (key_len)
    memcpy(head + 4, key, key_len);
  if (inside)
    memcpy((char *)(head + 4) + key_len, value, inside);
  return head;
}

static void put(struct page *page, const char *key, const char *value)
{
  put_node(page, strlen(value), key, strlen(key), value, strlen(value));
}

static void put_child(struct page *page, uint64_t child, const char *key)
{
  put_node(page, child, key, strlen(key), NULL, 0);
}

/* A value of `len` bytes in a run of its own. */
static void put_big(struct page *page, const char *key, uint32_t len, uint64_t overflow)
{
  put_node(page, len | (uint64_t)NODE_BIG << 32, key, strlen(key), &overflow, sizeof(overflow));
}

static void put_tree(struct page *page, const char *key, const char *value)
{
  put_node(page, strlen(value) | (uint64_t)NODE_TREE << 32, key, strlen(key), value, strlen(value));
}

static struct node node_of(const struct page *page, unsigned i)
{
  struct node node = {.flags = 0};
  cr_assert_eq(page_node(&snapshot, page, i, &node), 0, "node %u", i);
  return node;
}

static int try_node(const struct page *page)
{
  struct node node;
  return page_node(&snapshot, page, 0, &node);
}

static bool is(struct idem_span span, const char *text)
{
  return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

/* Which pages there are. */

Test(store_page, a_page_is_a_branch_or_a_leaf_whose_free_space_lies_within_it)
{
  static const struct {
    uint16_t flags, lower, upper;
    bool sane;
  } heads[] = {
      {PAGE_LEAF, HEAD + 2, SIZE - 8, true},
      {PAGE_BRANCH, HEAD + 2, SIZE - 8, true},
      {PAGE_LEAF, 512, 512, true},
      {PAGE_LEAF, HEAD + 2, SIZE, true},
      {0, HEAD + 2, SIZE - 8, false},
      {PAGE_OVERFLOW, HEAD + 2, SIZE - 8, false},
      {PAGE_META, HEAD + 2, SIZE - 8, false},
      {PAGE_LEAF | PAGE_BRANCH, HEAD + 2, SIZE - 8, false},
      {PAGE_LEAF | DIRTY, HEAD + 2, SIZE - 8, false},
      {PAGE_BRANCH | DIRTY, HEAD + 2, SIZE - 8, false},
      {PAGE_LEAF, HEAD, SIZE - 8, false},
      {PAGE_LEAF, 0, SIZE - 8, false},
      {PAGE_LEAF, HEAD + 3, SIZE - 8, false},
      {PAGE_LEAF, 514, 512, false},
      {PAGE_LEAF, HEAD + 2, SIZE + 2, false},
  };
  for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
    struct page *page = begin_page(5, heads[i].flags);
    page->lower = heads[i].lower;
    page->upper = heads[i].upper;
    cr_expect_eq(page_at(&snapshot, 5), heads[i].sane ? page : NULL, "head %zu", i);
  }
}

static void begin_leaf_of_one(uint64_t number)
{
  put(begin_page(number, PAGE_LEAF), "a", "1");
}

/* The first two are LMDB's own, and behind the last its next transaction writes something else. */
Test(store_page, a_snapshot_has_the_pages_that_were_there_when_it_began)
{
  snapshot.next_page = 9;
  for (uint64_t number = 0; number < PAGES; number++) {
    begin_leaf_of_one(number);
    cr_expect_eq(page_at(&snapshot, number), number >= 2 && number < 9 ? page_of(number) : NULL, "page %zu",
                 (size_t)number);
  }
  cr_expect_null(page_at(&snapshot, PAGE_NONE));
}

Test(store_page, a_page_is_the_one_that_it_says_it_is)
{
  begin_leaf_of_one(5);
  page_of(5)->number = 6;
  cr_expect_null(page_at(&snapshot, 5));
}

/* A map may be larger than its file, and what is looked at behind its end is a SIGBUS. */
static uint8_t *map_file(int *fd, size_t count)
{
  struct stat stat;
  *fd = memfd_create("pages", MFD_CLOEXEC);
  cr_assert(*fd >= 0 && ftruncate(*fd, (off_t)(count * SIZE)) == 0 && fstat(*fd, &stat) == 0);
  uint8_t *map = mmap(NULL, pages.map_size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
  cr_assert_neq(map, MAP_FAILED);
  pages.fd = *fd;
  pages.inode = stat.st_ino;
  pages.device = stat.st_dev;
  pages.map = map;
  pages.end = count * SIZE;
  return map;
}

static void write_leaf(int fd, uint64_t number)
{
  begin_leaf_of_one(number);
  cr_assert_eq(pwrite(fd, page_of(number), SIZE, (off_t)number * SIZE), SIZE);
}

Test(store_page, a_page_behind_the_end_of_the_file_is_not_there_until_the_file_has_grown)
{
  int fd;
  uint8_t *map = map_file(&fd, 4);
  cr_expect_null(page_at(&snapshot, 6));
  write_leaf(fd, 6);
  cr_expect_eq((const uint8_t *)page_at(&snapshot, 6), map + 6 * SIZE);
  cr_expect_null(page_at(&snapshot, 7));
}

Test(store_page, a_file_that_is_longer_than_the_map_is_followed_to_the_end_of_the_map)
{
  int fd;
  uint8_t *map = map_file(&fd, 4);
  for (uint64_t number = 6; number < 9; number++)
    write_leaf(fd, number);
  pages.map_size = (size_t)7 * SIZE;
  cr_expect_eq((const uint8_t *)page_at(&snapshot, 6), map + 6 * SIZE);
  cr_expect_null(page_at(&snapshot, 7));
  cr_expect_null(page_at(&snapshot, 8));
}

/* LMDB's descriptor may be gone, and its number a file of the app's; then there is the path. */
Test(store_page, a_file_that_has_grown_is_measured_by_its_path_where_the_descriptor_is_not_its_own)
{
  static char path[32];
  int fd;
  uint8_t *map = map_file(&fd, 4);
  write_leaf(fd, 6);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  pages.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  cr_expect_null(page_at(&snapshot, 6));
  pages.path = path;
  cr_expect_eq((const uint8_t *)page_at(&snapshot, 6), map + 6 * SIZE);
  close(pages.fd);
  pages.end = (size_t)4 * SIZE;
  cr_expect_eq((const uint8_t *)page_at(&snapshot, 6), map + 6 * SIZE);
}

Test(store_page, another_file_under_the_path_says_nothing_of_the_length)
{
  static char path[32];
  int fd;
  map_file(&fd, 4);
  write_leaf(fd, 6);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  pages.fd = -1;
  pages.path = path;
  pages.inode++;
  cr_expect_null(page_at(&snapshot, 6));
  pages.inode--;
  pages.device++;
  cr_expect_null(page_at(&snapshot, 6));
  pages.device--;
  cr_expect_not_null(page_at(&snapshot, 6));
}

Test(store_page, a_descriptor_is_of_the_file_by_inode_and_device)
{
  int fd;
  struct stat stat;
  map_file(&fd, 4);
  cr_expect(page_file_is_open(&pages, &stat));
  cr_expect_eq(stat.st_size, 4 * SIZE);
  pages.inode++;
  cr_expect(!page_file_is_open(&pages, &stat));
  pages.inode--;
  pages.device++;
  cr_expect(!page_file_is_open(&pages, &stat));
  pages.device--;
  close(fd);
  cr_expect(!page_file_is_open(&pages, &stat));
}

/* Nodes. */

Test(store_page, a_leaf_has_keys_and_values)
{
  uint64_t overflow = 7;
  struct page *page = begin_page(5, PAGE_LEAF);
  put(page, "key", "value");
  put(page, "", "");
  put_tree(page, "tree", "its root");
  put_big(page, "big", 0x12345, overflow);
  cr_expect_eq(page_count(page), 4);
  struct node node = node_of(page, 0);
  cr_expect(is(node.key, "key") && is(node.value, "value") && node.flags == 0);
  node = node_of(page, 1);
  cr_expect(is(node.key, "") && is(node.value, ""));
  node = node_of(page, 2);
  cr_expect(is(node.key, "tree") && is(node.value, "its root") && node.flags == NODE_TREE);
  node = node_of(page, 3);
  cr_expect(is(node.key, "big") && node.flags == NODE_BIG && node.overflow == 7);
  cr_expect(node.value.len == 0x12345 && node.value.data == NULL);
}

Test(store_page, a_branch_has_children_of_48_bits)
{
  struct page *page = begin_page(5, PAGE_BRANCH);
  put_child(page, UINT64_C(0x123456789abc), "m");
  struct node node = node_of(page, 0);
  cr_expect(is(node.key, "m"));
  cr_expect_eq(node.child, UINT64_C(0x123456789abc));
}

/* All noughts, which are a node without key and value wherever it stands; also on the page behind. */
Test(store_page, a_node_begins_between_the_free_space_and_the_end)
{
  enum { UPPER = SIZE - 64 };
  struct page *page = begin_page(5, PAGE_LEAF);
  memset(page_of(6), 0, SIZE);
  page->lower += 2;
  page->upper = UPPER;
  for (unsigned at = 0; at < SIZE + NODE_HEAD; at++) {
    bool inside = at >= UPPER && at % 2 == 0 && at <= SIZE - NODE_HEAD;
    page->offset[0] = (uint16_t)at;
    cr_expect_eq(try_node(page), inside ? 0 : -EILSEQ, "at %u", at);
  }
}

Test(store_page, a_key_ends_within_the_page)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  uint16_t *head = put_node(page, 0, "0123456789", 10, NULL, 0);
  cr_expect_eq(node_of(page, 0).key.len, 10);
  head[3] = 11;
  cr_expect_eq(try_node(page), -EILSEQ);
  head[3] = UINT16_MAX;
  cr_expect_eq(try_node(page), -EILSEQ);
  page->flags = PAGE_BRANCH;
  head[3] = 11;
  cr_expect_eq(try_node(page), -EILSEQ);
}

Test(store_page, a_value_ends_within_the_page)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  uint16_t *head = put_node(page, 6, "key!", 4, "value!", 6);
  cr_expect_eq(node_of(page, 0).value.len, 6);
  head[0] = 7;
  cr_expect_eq(try_node(page), -EILSEQ);
  head[0] = 6;
  head[1] = 1;
  cr_expect_eq(try_node(page), -EILSEQ);
}

/* However long it is: what stands in the leaf is the number of its first page. */
Test(store_page, so_does_the_number_of_a_long_values_run)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  put_big(page, "key!", 100000, 7);
  cr_expect_eq(node_of(page, 0).overflow, 7);
  page = begin_page(5, PAGE_LEAF);
  put_node(page, 2 | (uint64_t)NODE_BIG << 32, "key!", 4, "123456", 6);
  cr_expect_eq(try_node(page), -EILSEQ);
}

Test(store_page, a_node_of_another_kind_is_refused)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  uint16_t *head = put_node(page, 10, "key!", 4, "0123456789", 10);
  for (unsigned flags = 0; flags <= UINT16_MAX; flags++) {
    bool known = flags == 0 || flags == NODE_BIG || flags == NODE_TREE;
    head[2] = (uint16_t)flags;
    cr_assert_eq(try_node(page), known ? 0 : -EILSEQ, "flags %x", flags);
  }
}

/* Long values. */

/* How page_value() likes a value of `len` bytes whose run, on page 4, says that it has `count` pages. */
static int try_value(size_t len, uint32_t count, struct node *node)
{
  struct page *run = begin_page(4, PAGE_OVERFLOW);
  run->count = count;
  *node = (struct node){.flags = NODE_BIG, .overflow = 4, .value = {NULL, len}};
  return page_value(&snapshot, node);
}

Test(store_page, a_long_value_begins_behind_the_head_of_its_run)
{
  struct node node;
  cr_assert_eq(try_value(2000, 2, &node), 0);
  cr_expect_eq((const uint8_t *)node.value.data, file.bytes[4] + HEAD);
  cr_expect_eq(node.value.len, 2000);
}

Test(store_page, a_short_value_is_where_it_is)
{
  struct node node = {.overflow = 4, .value = {"here", 4}};
  cr_expect_eq(page_value(&snapshot, &node), 0);
  cr_expect(is(node.value, "here"));
}

Test(store_page, a_run_has_room_for_its_value)
{
  struct node node;
  cr_expect_eq(try_value(ROOM, 1, &node), 0);
  cr_expect_eq(try_value(ROOM + 1, 1, &node), -EILSEQ);
  cr_expect_eq(try_value(ROOM + SIZE, 2, &node), 0);
  cr_expect_eq(try_value(ROOM + SIZE + 1, 2, &node), -EILSEQ);
  cr_expect_eq(try_value(ROOM, 0, &node), -EILSEQ);
}

/* LMDB would free as many pages as a run says that it has. */
Test(store_page, a_run_ends_within_the_snapshot)
{
  struct node node;
  cr_expect_eq(try_value(ROOM, PAGES - 4, &node), 0);
  cr_expect_eq(try_value(ROOM, PAGES - 3, &node), -EILSEQ);
  cr_expect_eq(try_value(ROOM, UINT32_MAX, &node), -EILSEQ);
  cr_expect_eq(try_value(ROOM + (PAGES - 5) * SIZE, PAGES - 4, &node), 0);
  cr_expect_eq(try_value(ROOM + (PAGES - 5) * SIZE + 1, PAGES - 3, &node), -EILSEQ);
  cr_expect_eq(try_value(UINT32_MAX, UINT32_MAX, &node), -EILSEQ);
}

Test(store_page, a_run_is_no_page_of_a_tree)
{
  struct node node = {.flags = NODE_BIG, .overflow = 4, .value = {NULL, 20}};
  begin_page(4, PAGE_LEAF)->count = 1;
  cr_expect_eq(page_value(&snapshot, &node), -EILSEQ);
  begin_page(4, PAGE_OVERFLOW | DIRTY)->count = 1;
  cr_expect_eq(page_value(&snapshot, &node), -EILSEQ);
  node.overflow = 1;
  begin_page(1, PAGE_OVERFLOW)->count = 1;
  cr_expect_eq(page_value(&snapshot, &node), -EILSEQ);
}

/* A whole page. */

static int check(void)
{
  return page_check(&snapshot, 5, false);
}

Test(store_page, a_page_as_lmdb_makes_it_is_sound)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  put(page, "", "");
  put(page, "a", "odd");
  put(page, "ab", "even");
  put_big(page, "b", 100000, 2);
  put_big(page, "c", 100000, PAGES - 1);
  put_tree(page, "d", "0123456789");
  cr_expect_eq(check(), 0);
  page = begin_page(5, PAGE_BRANCH);
  put_child(page, 2, "");
  put_child(page, PAGES - 1, "m");
  cr_expect_eq(check(), 0);
  begin_page(5, PAGE_LEAF);
  cr_expect_eq(check(), -EILSEQ, "an empty leaf");
}

Test(store_page, a_node_that_leads_out_is_found_wherever_it_stands)
{
  for (unsigned i = 0; i < 3; i++) {
    struct page *page = begin_page(5, PAGE_LEAF);
    put(page, "a", "1");
    put(page, "b", "2");
    put(page, "c", "3");
    page->offset[i]++;
    cr_expect_eq(check(), -EILSEQ, "node %u", i);
  }
}

/* What a branch with one child is for LMDB is the end of the process, by an assertion. */
Test(store_page, a_branch_has_two_children)
{
  struct page *page = begin_page(5, PAGE_BRANCH);
  put_child(page, 2, "");
  cr_expect_eq(check(), -EILSEQ);
  put_child(page, 3, "m");
  cr_expect_eq(check(), 0);
}

Test(store_page, a_node_leads_into_the_snapshot)
{
  static const struct {
    uint64_t number;
    bool sound;
  } numbers[] = {{0, false}, {1, false}, {2, true}, {PAGES - 1, true}, {PAGES, false}, {1000, false}};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
    struct page *page = begin_page(5, PAGE_BRANCH);
    put_child(page, 2, "");
    put_child(page, numbers[i].number, "m");
    cr_expect_eq(check(), numbers[i].sound ? 0 : -EILSEQ, "a child of %zu", (size_t)numbers[i].number);
    page = begin_page(5, PAGE_LEAF);
    put_big(page, "a", 5000, numbers[i].number);
    cr_expect_eq(check(), numbers[i].sound ? 0 : -EILSEQ, "a run at %zu", (size_t)numbers[i].number);
  }
}

static int check_keys(uint16_t flags, const char *const *keys)
{
  struct page *page = begin_page(5, flags);
  for (size_t i = 0; keys[i]; i++)
    if (flags == PAGE_BRANCH)
      put_child(page, 2 + i, keys[i]);
    else
      put(page, keys[i], "1");
  return check();
}

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Bytes, as numbers without a sign, and then the shorter first; also where eight are compared at once. */
Test(store_page, keys_ascend)
{
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("", "a", "aa", "b", "\x80")), 0);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("a", "a")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("b", "a")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("aa", "a")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("\x80", "a")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("a", "c", "b")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("1abcdefg", "2Abcdefg", "2abcdefg")), 0);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("2aaaaaaa", "1zzzzzzz")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("12345678", "123456789", "1234567890")), 0);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("123456789", "12345678")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("12345678", "12345678")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("12345678b", "12345678c")), 0);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("12345678c", "12345678b")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("1234567", "12345678")), 0);
  cr_expect_eq(check_keys(PAGE_LEAF, KEYS("12345678", "1234567")), -EILSEQ);
}

/* The first means nothing, whatever it is. */
Test(store_page, keys_of_a_branch_ascend_from_the_second_on)
{
  cr_expect_eq(check_keys(PAGE_BRANCH, KEYS("z", "a", "b")), 0);
  cr_expect_eq(check_keys(PAGE_BRANCH, KEYS("", "b", "a")), -EILSEQ);
  cr_expect_eq(check_keys(PAGE_BRANCH, KEYS("", "b", "b")), -EILSEQ);
}

static int check_integers(const uint64_t *numbers, size_t count, size_t key_len)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  for (size_t i = 0; i < count; i++)
    put_node(page, 1, &numbers[i], key_len, "1", 1);
  return page_check(&snapshot, 5, true);
}

/* 256 comes before 1 by its bytes, and behind it as a number. */
Test(store_page, keys_of_the_free_list_ascend_as_numbers)
{
  cr_expect_eq(check_integers((uint64_t[]){1, 2, 256}, 3, 8), 0);
  cr_expect_eq(check_integers((uint64_t[]){256, 1}, 2, 8), -EILSEQ);
  cr_expect_eq(check_integers((uint64_t[]){7, 7}, 2, 8), -EILSEQ);
  cr_expect_eq(check_integers((uint64_t[]){1, 2}, 2, 4), -EILSEQ);
  struct page *page = begin_page(5, PAGE_LEAF);
  put_node(page, 1, &(uint64_t){1}, 8, "1", 1);
  put_node(page, 1, &(uint64_t){2}, 4, "1", 1);
  cr_expect_eq(page_check(&snapshot, 5, true), -EILSEQ);
  page = begin_page(5, PAGE_LEAF);
  put_node(page, 1, &(uint64_t){1}, 4, "1", 1);
  put_node(page, 1, &(uint64_t){2}, 8, "1", 1);
  cr_expect_eq(page_check(&snapshot, 5, true), -EILSEQ);
}

/* LMDB has this as its own limit, and copies keys into room for as much. */
Test(store_page, a_key_has_511_bytes_at_most)
{
  enum { LARGE = 4 * SIZE };
  static char key[512];
  memset(key, 'k', sizeof(key));
  pages.page_size = LARGE;
  snapshot.next_page = 3;
  for (size_t len = 511; len <= 512; len++) {
    struct page *page = (void *)(*file.bytes + 2 * LARGE);
    memset(page, 0, LARGE);
    *page = (struct page){.number = 2, .flags = PAGE_LEAF, .lower = HEAD, .upper = LARGE};
    put_node(page, 1, key, len, "1", 1);
    cr_expect_eq(page_check(&snapshot, 2, false), len == 511 ? 0 : -EILSEQ, "%zu", len);
  }
}

/* It splits a page in the belief that any two fit one. */
Test(store_page, two_nodes_fit_a_page)
{
  static char value[SIZE];
  const size_t most = ROOM / 2 - NODE_HEAD - 2;
  struct page *page = begin_page(5, PAGE_LEAF);
  put_node(page, most, "ab", 2, value, most);
  cr_expect_eq(check(), 0);
  page = begin_page(5, PAGE_LEAF);
  put_node(page, most + 1, "ab", 2, value, most + 1);
  cr_expect_eq(check(), -EILSEQ);
}

/* It moves nodes about as if what lies behind the free space were nothing but them. */
Test(store_page, nodes_fill_what_is_not_free)
{
  struct page *page = begin_page(5, PAGE_LEAF);
  put(page, "a", "1");
  put(page, "b", "longer");
  cr_assert_eq(check(), 0);
  page->upper -= 2;
  cr_expect_eq(check(), -EILSEQ, "a gap");
  page = begin_page(5, PAGE_BRANCH);
  put_child(page, 2, "");
  put_child(page, 3, "longer");
  page->offset[0] = page->offset[1];
  cr_expect_eq(check(), -EILSEQ, "an overlap");
}

Test(store_page, no_page_is_sound_that_is_not_one)
{
  begin_leaf_of_one(5);
  page_of(5)->number = 6;
  cr_expect_eq(check(), -EILSEQ);
  cr_expect_eq(page_check(&snapshot, PAGES, false), -EILSEQ);
}

/* Searching. */

static int search(const struct page *page, const char *key, unsigned *at, struct node *node)
{
  return page_search(&snapshot, page, (struct idem_span){key, strlen(key)}, at, node);
}

/* Leaves of one entry up to many: each key, and those before, between and behind them. */
Test(store_page, a_leaf_is_searched_for_the_first_key_that_is_not_less)
{
  static const char *const names[] = {"b", "d", "dd", "dddddddd", "ddddddddd", "f", "h", "hhhhhhhhh"};
  for (unsigned count = 1; count <= sizeof(names) / sizeof(*names); count++) {
    struct node node;
    unsigned at;
    char before[16];
    struct page *page = begin_page(5, PAGE_LEAF);
    for (unsigned i = 0; i < count; i++)
      put(page, names[i], names[i]);
    for (unsigned i = 0; i < count; i++) {
      cr_assert_eq(search(page, names[i], &at, &node), 1, "%s of %u", names[i], count);
      cr_expect(at == i && is(node.key, names[i]) && is(node.value, names[i]), "%s of %u", names[i], count);
      snprintf(before, sizeof(before), "%s", names[i]);
      before[strlen(before) - 1]--;
      cr_expect_eq(search(page, before, &at, &node), 0, "%s of %u", before, count);
      cr_expect(at == i || strcmp(before, names[at]) < 0, "%s of %u: %u", before, count, at);
      cr_expect(at == 0 || strcmp(before, names[at - 1]) > 0, "%s of %u: %u", before, count, at);
    }
    cr_expect_eq(search(page, "z", &at, &node), 0);
    cr_expect_eq(at, count);
  }
}

/* What lies behind a key is none of it, also where eight bytes are compared at once. */
Test(store_page, a_short_key_ends_where_it_ends)
{
  struct node node;
  unsigned at;
  struct page *page = begin_page(5, PAGE_LEAF);
  put(page, "1234567", "9");
  cr_expect_eq(search(page, "12345678", &at, &node), 0);
  cr_expect_eq(at, 1);
  page = begin_page(5, PAGE_LEAF);
  put(page, "12345678", "");
  cr_expect_eq(page_search(&snapshot, page, (struct idem_span){"12345679", 7}, &at, &node), 0);
  cr_expect_eq(at, 0);
}

/* The child under a key has that key and what follows it, and the first all that comes before the second. */
Test(store_page, a_branch_is_searched_for_the_child_that_has_the_key)
{
  static const struct {
    const char *key;
    unsigned at;
  } asked[] = {{"", 0},  {"a", 0},   {"b", 0}, {"czzz", 0}, {"d", 1}, {"da", 1},
               {"e", 1}, {"ezz", 1}, {"f", 2}, {"g", 2},    {"h", 3}, {"z", 3}};
  struct node node;
  unsigned at;
  struct page *page = begin_page(5, PAGE_BRANCH);
  put_child(page, 2, "zzz");
  put_child(page, 3, "d");
  put_child(page, 4, "f");
  put_child(page, 6, "h");
  for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
    cr_expect_geq(search(page, asked[i].key, &at, &node), 0);
    cr_expect_eq(at, asked[i].at, "%s: %u", asked[i].key, at);
  }
}

Test(store_page, a_search_ends_at_a_node_that_leads_out)
{
  struct node node;
  unsigned at;
  struct page *page = begin_page(5, PAGE_LEAF);
  put(page, "a", "1");
  put(page, "b", "2");
  put(page, "c", "3");
  page->offset[1]++;
  cr_expect_eq(search(page, "a", &at, &node), -EILSEQ);
}
