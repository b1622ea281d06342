/* SPDX-License-Identifier: MIT */
/*
 * Listens to a live transfer: our callbacks stand in front of the app's for its time, pass everything on at
 * once, and keep what the app's have accepted. The app sees the same calls with the same sizes.
 */
#ifndef IDEMSHIM_SHIM_TEE_H
#define IDEMSHIM_SHIM_TEE_H

#include "shim/request/request.h"

struct rescue;
struct spooling;

struct tee {
  struct shadow *shadow;
  struct rescue *rescue;     /* asked when the app refuses what it is given; or NULL */
  struct spooling *spooling; /* is given what the app is given; or NULL */
  int64_t started_us;        /* CLOCK_MONOTONIC */
  uint64_t max_body;
  struct buffer headers, body;
  struct buffer chunks;   /* of struct idem_chunk */
  struct buffer moments;  /* of struct tape_chunk: the same by a finer clock, for a tape */
  struct buffer trailers; /* for a tape */
  const char *last_write; /* with CURLOPT_HEADER, header lines come through the write callback first */
  size_t last_write_len;
  uint64_t body_len; /* of all that came */
  int64_t first_us;  /* from the start to the first byte; -1: none came */
  bool taped;        /* a tape keeps what is no answer, too */
  const char *unfit; /* why this transfer cannot become an answer, or NULL */
};

void tee_attach(struct tee *tee, struct request *request);

/* After the transfer, before the overrides are restored: sees whether a reset has taken our callbacks away.
 * What was kept stays until tee_release(). */
void tee_detach(struct tee *tee);
void tee_release(struct tee *tee);

/* True if what has come ends with a whole header, or with body. */
bool tee_has_header(const struct tee *tee);

#endif
