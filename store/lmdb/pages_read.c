/* SPDX-License-Identifier: MIT */
#include "store/lmdb/pages_read.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* One page, or a run of them, as it was read. */
struct page_copy {
  struct page_copy *next;
  uint64_t count;
  struct page page;
};

/* Copies of one page are used again. */
static void drop(struct pages_reading *reading, struct page_copy *copy)
{
  if (copy->count > 1) {
    free(copy);
    return;
  }
  copy->next = reading->spare;
  reading->spare = copy;
}

/* Branches may stay: what is in the tree of the last transaction, nobody writes over. */
static void forget(struct pages_reading *reading, bool branches)
{
  for (size_t i = 0; i < PAGES_CHAINS; i++)
    for (struct page_copy **at = &reading->chain[i], *copy; (copy = *at);) {
      if (!branches && copy->page.flags == PAGE_BRANCH) {
        at = &copy->next;
        continue;
      }
      *at = copy->next;
      reading->copies--;
      drop(reading, copy);
    }
}

void pages_read(struct pages_reading *reading, const struct pages_snapshot *snapshot)
{
  enum { COPIES_MOST = 2048 };
  const struct pages *pages = snapshot->pages;
  struct stat stat;
  bool is_same = reading->snapshot.txn == snapshot->txn && reading->pages.inode == pages->inode &&
                 reading->pages.device == pages->device;
  forget(reading, !is_same || reading->copies > COPIES_MOST);
  reading->snapshot = *snapshot;
  reading->snapshot.pages = &reading->pages;
  /* Its end is not known, so that each page leads to the question whether it is read. */
  reading->pages = (struct pages){.fd = pages->fd,
                                  .path = pages->path,
                                  .inode = pages->inode,
                                  .device = pages->device,
                                  .map = pages->map,
                                  .map_size = pages->map_size,
                                  .page_size = pages->page_size,
                                  .reading = page_file_is_open(pages, &stat) ? reading : NULL};
}

void pages_read_end(struct pages_reading *reading)
{
  forget(reading, true);
  for (struct page_copy *copy; (copy = reading->spare);) {
    reading->spare = copy->next;
    free(copy);
  }
}

static struct page_copy *copy_new(struct pages_reading *reading, uint64_t count)
{
  struct page_copy *copy = count == 1 ? reading->spare : NULL;
  if (copy)
    reading->spare = copy->next;
  else
    copy = malloc(offsetof(struct page_copy, page) + count * reading->pages.page_size);
  if (copy)
    *copy = (struct page_copy){.count = count};
  return copy;
}

/* As long as the damaged length of a value says a run is, it may not be: its own head is asked first. */
static bool run_is_as_long(const struct pages *pages, off_t at, uint64_t count)
{
  struct page head;
  return count == 1 || (pread(pages->fd, &head, sizeof(head), at) == (ssize_t)sizeof(head) &&
                        head.flags == PAGE_OVERFLOW && head.count >= count);
}

const struct page *pages_read_run(struct pages_reading *reading, uint64_t number, uint64_t count)
{
  const struct pages *pages = &reading->pages;
  struct page_copy **chain = &reading->chain[number % PAGES_CHAINS], *copy;
  for (copy = *chain; copy; copy = copy->next)
    if (copy->page.number == number && copy->count >= count)
      return &copy->page;
  ssize_t size = (ssize_t)(count * pages->page_size);
  off_t at = (off_t)(number * pages->page_size);
  copy = run_is_as_long(pages, at, count) ? copy_new(reading, count) : NULL;
  if (!copy)
    return NULL;
  bool is_it = pread(pages->fd, &copy->page, (size_t)size, at) == size && copy->page.number == number;
  /* Nobody asks for page 0, and this one is not what its own number says. */
  if (!is_it)
    copy->page.number = 0;
  copy->next = *chain;
  *chain = copy;
  reading->copies++;
  return is_it ? &copy->page : NULL;
}
