/* SPDX-License-Identifier: MIT */
/*
 * A store in a directory of its own, and a call to make: what every test of the store begins with.
 *
 *     static struct shop shop;
 *     TestSuite(store_x, .init = open_shop, .fini = close_shop);      // shop_open(&shop, ""), shop_close(&shop)
 *
 *     struct order order = order_of(&shop, "{\"prompt\":1}");
 *     cr_assert_eq(order_ask(&order, "{\"answer\":1}"), IDEM_OWNED);  // enter, commit, leave
 *     cr_assert_eq(order_ask(&order, "{\"answer\":2}"), IDEM_HIT);
 *     cr_assert_str_eq(order.body, "{\"answer\":1}");
 */
#ifndef IDEMSHIM_TESTS_STORE_SHOP_H
#define IDEMSHIM_TESTS_STORE_SHOP_H

#include "store/store.h"

#define SPAN(text) ((struct idem_span){text, strlen(text)})

struct shop {
  char dir[128];
  struct idem_store *store;
  struct idem_config config;
  struct idem_store_options options;
};

/* Makes a directory and opens a store of 64 MiB in it, for the rule `host=* FIELDS`. */
void shop_open(struct shop *shop, const char *fields);
/* Another rule for the calls from now on. */
void shop_rule(struct shop *shop, const char *fields);
/* Closes and opens the store again; returns what idem_store_open returned. */
int shop_reopen(struct shop *shop, struct idem_error *error);
/* Closes the store, removes the directory. */
void shop_close(struct shop *shop);
const char *shop_path(const struct shop *shop, const char *file);
uint64_t shop_counter(const struct shop *shop, enum idem_counter counter);

struct order {
  struct shop *shop;
  struct idem_request request;
  struct idem_span headers[16];
  struct idem_call call;
  struct idem_error error;
  char body[256]; /* of the answer that the last order_ask() got */
};

/* A POST of `body` with a content type and a credential. */
struct order order_of(struct shop *shop, const char *body);
void order_header(struct order *order, const char *line);
/* The headers from the start again. */
void order_bare(struct order *order);

/* One round. The verdict; a negative one fails the test. */
int order_enter(struct order *order);
void order_leave(struct order *order, bool delivered);
/* Commits a JSON answer; returns what idem_store_commit returned. */
int order_commit(struct order *order, const char *answer);
/* A whole call as a new one: enters, waits while BUSY, commits `answer` if OWNED, leaves. Returns the last
 * verdict. */
int order_ask(struct order *order, const char *answer);
/* The id that the call would have, in one of 32 places taken in turn; makes no claim that stays. */
const char *order_key(struct order *order);

/* An answer of 200 with this content type and body, in one chunk. */
struct idem_recording recording_of(struct idem_chunk *chunk, const char *headers, const char *body);
#define JSON_HEADERS "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

#endif
