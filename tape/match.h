/* SPDX-License-Identifier: MIT */
/*
 * match: what the strict and the loose way of finding an exchange share: the groups of exchanges with one
 * name, and what of them has been given already. The state is in memory that all processes of a replay have,
 * or in a file of theirs.
 */
#ifndef IDEMSHIM_TAPE_MATCH_H
#define IDEMSHIM_TAPE_MATCH_H

#include "tape/reader.h"

#include <stdatomic.h>

/* More header lines than any client sends. */
enum { HEADERS_MOST = 256 };

/* Which exchanges have been given, in memory that every process of the replay has. A file of it is all zero
 * when it is made; taken[n - 1] is 1 once exchange n was given. */
struct tape_state {
  _Atomic uint64_t tape; /* a number of the tape and its length */
  _Atomic uint32_t processes;
  _Atomic uint32_t misses; /* calls that were given no outcome */
  _Atomic uint32_t live;   /* calls that went out, from live_from on */
  uint32_t zero;
  _Atomic uint8_t taken[];
};

/* Exchanges with one name, in the order of the run: indexes into tape->entries. */
struct tape_group {
  const uint32_t *at;
  size_t count;
};

/* Exchanges by a name of theirs. */
struct tape_names {
  uint32_t *index;
  size_t count;
};

struct loose_index;

/* What an open matcher is. Any number of threads and processes may take from one state. */
struct tape_matcher {
  const struct tape *tape;
  bool loose, last;
  uint64_t live_from;
  struct tape_state *state;
  size_t state_size;
  struct tape_names by_key, by_fingerprint;
  _Atomic uint64_t process; /* which life, and its place among the processes of the replay */
  _Atomic(struct loose_index *) loosely;
};

/* Those that match when dates, UUIDs and what the rule ignores are left out; or with `old`, those that 0.1
 * has recorded and that match by what they ask for. The index for a rule is made when it is first asked for.
 * Empty also when there is no memory for it. */
struct tape_group tape_loose_find(struct tape_matcher *matcher, const struct idem_request *request, bool old);
void tape_loose_free(struct tape_matcher *matcher);

/* The request as a tape would have it: without what the rule's redact= points to. Frees with the buffer. */
struct idem_request tape_request_redacted(const struct idem_request *request, struct buffer *buffer);

/* Where an exchange of the tape and `now` first differ, in words; "" if it cannot be read. */
void tape_difference(const struct tape *tape, uint64_t number, const struct idem_request *now, char *out,
                     size_t size);

#endif
