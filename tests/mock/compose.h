/* SPDX-License-Identifier: MIT */
/*
 * compose: from a request to the answer that it will get. No two composed answers are alike: each names the
 * serial number of its call, a random id and the time in nanoseconds.
 */
#ifndef MOCK_COMPOSE_H
#define MOCK_COMPOSE_H

#include "tests/mock/answer.h"
#include "tests/mock/script.h"
#include "tests/mock/shape.h"

/* A request that has arrived whole. Nothing is owned. */
struct order {
  const struct shape *shape;
  const struct script *script;
  const char *path; /* without query */
  const char *body;
  size_t body_len;
  uint64_t serial;
  const json_t *received; /* for echo=1; may be NULL */
};

/* What the provider says when all is well: JSON, or a stream if one was asked for. */
struct answer *compose_success(const struct order *order);

/* What it says with this status: an error, or for a redirect nothing of interest. */
struct answer *compose_failure(const struct order *order, unsigned status);

/* Codes the answer's bytes as gzip, piece by piece, so that a stream can still be read as it comes. */
void compose_gzip(struct answer *answer);

#endif
