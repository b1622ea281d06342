/* SPDX-License-Identifier: MIT */
/*
 * segment: the files of a tape. They are named 00000001.tape and so on; anything else in the directory is not
 * ours.
 *
 *     struct tape_segments segments;
 *     if (tape_segments_list(dir, &segments) == 0 && segments.count > 0)
 *       newest = segments.at[segments.count - 1].number;
 *     free(segments.at);
 */
#ifndef IDEMSHIM_TAPE_SEGMENT_H
#define IDEMSHIM_TAPE_SEGMENT_H

#include "store/base/path.h"
#include "tape/format.h"

#include <limits.h>

/* One file, as the directory tells it. The size is in bytes, the last change in µs since 1970. */
struct tape_segment {
  uint32_t number;
  uint64_t size;
  int64_t modified_us;
};

/* Sorted by number. The caller frees `at`. */
struct tape_segments {
  struct tape_segment *at;
  size_t count;
};

/* 0 or -errno of the directory. */
int tape_segments_list(const char *dir, struct tape_segments *out);

/* False if the name would be too long. */
bool tape_segment_path(char path[PATH_MAX], const char *dir, uint32_t number);

/* A new head with its sum. */
void tape_head_finish(struct tape_head *head);

/* Reads and checks a head. -ENODATA: no tape; -EPROTO: of another version; -EILSEQ: damaged. */
int tape_head_read(int fd, const char *path, struct tape_head *head, struct idem_error *error);

/* The key of a head's records. `master` NULL: none is given. -EKEYREJECTED. */
int tape_head_key(const struct tape_head *head, const char *path, const uint8_t *master, uint8_t *key,
                  struct idem_error *error);

/* The sum over bytes of a record. */
uint64_t tape_sum(const struct tape_head *head, const void *data, size_t len);

#endif
