/* SPDX-License-Identifier: MIT */
/*
 * writer: what an open writer is. Nothing in it is a descriptor or a lock, so a child after fork() goes on
 * with it, and any number of threads may write at once: the numbers that change are atomic, and losing a race
 * over them costs a look at the directory.
 */
#ifndef IDEMSHIM_TAPE_WRITER_H
#define IDEMSHIM_TAPE_WRITER_H

#include "store/base/buffer.h"
#include "store/base/seal.h"
#include "store/state/repeats.h"
#include "tape/segment.h"
#include "tape/tape.h"

#include <stdatomic.h>

/* Set once at opening, but for the atomic numbers. Sizes are in bytes: max_size 0 is no limit, segment_size
 * is never 0. The key is derived from the key file's and the tape's salt, and not used where the tape is
 * plain. */
struct tape_writer {
  char *dir;
  uint64_t max_size, segment_size;
  int64_t max_age_us, segment_age_us; /* 0: none */
  struct tape_head head;              /* of the tape: id, salt, check, flags */
  uint8_t key[SEAL_KEY_SIZE];
  _Atomic uint32_t number;   /* the newest segment that this process knows; 0: none yet */
  _Atomic int64_t opened_us; /* when that one was begun */
  _Atomic uint64_t sequence; /* which life, and of how many calls it has seen the beginning */
  _Atomic uint64_t process;  /* which life, and since when */
  struct repeats repeats;
  struct buffer rules; /* the record that has the rules, as it stands in the file; empty: none is written */
  uint32_t rules_number;
};

/* Opens the segment that the next record goes to, and makes it or deletes old ones where it is time. A
 * descriptor or -errno. `size` is how much is in it. */
int tape_segment_open(struct tape_writer *writer, uint64_t *size, struct idem_error *error);

/* True if the newest segment begins with the writer's own rules. */
bool tape_segment_has_rules(const struct tape_writer *writer);

/* Takes the tape's id and salt from the newest segment; -ENOENT if there is none. */
int tape_segment_adopt(struct tape_writer *writer, const uint8_t *master, struct idem_error *error);

#endif
