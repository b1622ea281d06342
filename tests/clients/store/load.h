/* SPDX-License-Identifier: MIT */
/* load: what the parts of store-load share (main.c says what it does). */
#ifndef TESTS_CLIENTS_STORE_LOAD_H
#define TESTS_CLIENTS_STORE_LOAD_H

#include "store/store.h"

#define SPAN(text) ((struct idem_span){(text), strlen(text)})

struct load {
  struct idem_config config;
  struct idem_store *store;
  uint64_t at, count;
  int64_t expires_us;
};

/* One call from its beginning to its end, whose answer is JSON; the verdict, or below 0.
 * `anew`: whatever is stored. */
int load_call(struct load *load, const char *body, struct idem_span answer, bool anew,
              struct idem_error *error);

/* mix.c; returns the exit code. */
int load_mix(struct load *load, uint64_t size, unsigned threads);

#endif
