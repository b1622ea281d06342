/* SPDX-License-Identifier: MIT */
/*
 * pages_read: a snapshot of which pages are read into memory, for who goes over many answers. In the map the
 * kernel brings sixteen pages for each that is looked at, and ten thousand answers, which are all over the
 * file, come to most of it.
 *
 *     struct pages_reading reading = {0};
 *     pages_read(&reading, &reader->snapshot);                 // in each transaction anew
 *     pages_part(&reading.snapshot, PAGES_AGE, &part, visit, arg);
 *     pages_read_end(&reading);
 *
 * What a visitor is given is good until the next of these calls. One thread at a time has a reading.
 */
#ifndef IDEMSHIM_STORE_PAGES_READ_H
#define IDEMSHIM_STORE_PAGES_READ_H

#include "store/lmdb/page.h"

enum { PAGES_CHAINS = 256 };
struct pages_reading {
  struct pages pages;
  struct pages_snapshot snapshot;
  struct page_copy *chain[PAGES_CHAINS]; /* by page number */
  struct page_copy *spare;               /* of one page each, for the next */
  size_t copies;                         /* in the chains */
};

/* What was read before is forgotten, but for branches that may still hold. Where LMDB's descriptor is not of
 * the file any more, it is the map that is looked at. */
void pages_read(struct pages_reading *reading, const struct pages_snapshot *snapshot);
void pages_read_end(struct pages_reading *reading);

/* For page.c: the page `number` with the `count` - 1 behind it. NULL: it cannot be read, or there is no
 * memory for it. */
const struct page *pages_read_run(struct pages_reading *reading, uint64_t number, uint64_t count);

#endif
