/* SPDX-License-Identifier: MIT */
/*
 * reader: what an open tape is: an index of all its records, in the order of the run. It holds no descriptor,
 * for an app may close what it likes, and no content, for a tape may be larger than memory. Nothing in it
 * changes after opening, so any number of threads may read.
 */
#ifndef IDEMSHIM_TAPE_READER_H
#define IDEMSHIM_TAPE_READER_H

#include "store/base/seal.h"
#include "tape/record.h"
#include "tape/segment.h"
#include "tape/tape.h"

/* Where a record is and what it is looked for by. `segment` is an index into the tape's files, `process`
 * counts from 1 in the order in which they began to record, and `order_us` is started_us, but never less
 * than that of an earlier call of its process. */
struct tape_entry {
  uint64_t offset; /* of its frame */
  struct tape_frame frame;
  uint32_t segment, process, pid, lane;
  int64_t started_us, process_us, order_us;
  uint64_t sequence;
  uint16_t what;
  uint8_t key[IDEM_KEY_SIZE], fingerprint[IDEM_KEY_SIZE];
};

/* A segment as it was when the tape was opened. The key is all zero where the tape is plain. */
struct tape_file {
  uint32_t number;
  struct tape_head head;
  uint8_t key[SEAL_KEY_SIZE];
};

/* A record of rules. Processes that come and go with other rules each leave one; beyond
 * these they are not read. */
enum { TAPE_RULES_READ = 64, TAPE_ORIGINS_MOST = 256 };
struct tape_rules_place {
  uint64_t offset;
  struct tape_frame frame;
  uint32_t segment;
};

/* An open tape. `entries` is the index; a number of an exchange is a place in it. */
struct tape {
  char *dir;
  struct tape_file *files;
  size_t file_count;
  struct tape_entry *entries; /* in order; exchange n is entries[n - 1] */
  size_t count, room;
  struct tape_totals totals;
  struct tape_rules_place rules[TAPE_RULES_READ];
  size_t rules_count;
  char *origins[TAPE_ORIGINS_MOST]; /* of its exchanges, each once */
  size_t origin_count;
};

/* Reads one segment's index and adds what it finds. `check` reads the contents too. 0, or -errno of what ends
 * everything; what is damaged is told to the source and counted. */
struct tape_scan {
  struct tape *tape;
  const struct tape_source *source;
  const uint8_t *master;
  bool check;
  uint64_t done; /* bytes */
  void (*progress)(void *arg, uint64_t done, uint64_t total);
  uint64_t total;
};
int tape_scan_segment(struct tape_scan *scan, uint32_t number, struct idem_error *error);

/* Reads the summary or content of a frame that was found sound into `bytes`, opens it where it is sealed, and
 * leaves
 * `*len` without the tag. -EILSEQ, -EIO, -errno. */
int tape_part_read(int fd, const struct tape_file *file, uint64_t offset, const struct tape_frame *frame,
                   bool content, char *bytes, size_t *len);

#endif
