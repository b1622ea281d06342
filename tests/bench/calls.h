/* SPDX-License-Identifier: MIT */
/*
 * calls: a handle as an app that talks to a model has it, whose requests differ by their number alone.
 *
 *     struct calls *calls = calls_open(origin, "size=2048", 1000, CALLS_COMMON);
 *     perform_calls(calls, 100);                  // numbers from 0 to 999, all over
 *     calls_perform(calls, 17);                   // that one; its CURLcode
 *
 * A handle is of one thread at a time.
 */
#ifndef TESTS_BENCH_CALLS_H
#define TESTS_BENCH_CALLS_H

#include "shim/libcurl/curl_compat.h"

#include <stdint.h>

enum { REQUEST_SIZE = 2048 };

enum calls_kind {
  CALLS_COMMON,  /* temperature 0 */
  CALLS_SAMPLED, /* temperature 1 */
  CALLS_STREAM,  /* "stream":true */
};

struct calls {
  CURL *handle;
  struct curl_slist *headers;
  unsigned answers; /* perform_calls() asks for those from 0 to answers - 1 */
  uint64_t step;    /* of perform_calls(): which one is next */
  size_t got;       /* of the last answer */
  int64_t first_ns; /* when its first and last piece came */
  int64_t last_ns;
  char request[REQUEST_SIZE + 1];
  char sink[2 << 20]; /* its body; of a longer one the pieces behind that are at the beginning */
};

/* The server's answer is chosen by `query`, as upstream.c says. Fails by ending the process. */
struct calls *calls_open(const char *origin, const char *query, unsigned answers, enum calls_kind kind);
CURLcode calls_perform(struct calls *calls, uint64_t number);
void calls_number(struct calls *calls, uint64_t number);

/* For measure(): `data` is a struct calls. Ends the process if a call fails. */
void perform_calls(void *data, unsigned count);

/* The same, each in a multi that is made for all of them. */
void perform_in_multi(void *data, unsigned count);

/* A body of REQUEST_SIZE bytes, and the digits in it that are its number. */
void request_make(char out[REQUEST_SIZE + 1], enum calls_kind kind);
void request_number(char request[REQUEST_SIZE + 1], uint64_t number);

/* The next of the numbers from 0 to count - 1, all over them, always in the same order. */
uint64_t request_next(uint64_t *step, unsigned count);

/* A number that no earlier request of any process has. */
uint64_t request_fresh(void);

#endif
