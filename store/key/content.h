/* SPDX-License-Identifier: MIT */
/*
 * content: what a request says, so that two requests that say the same give the same digest. A JSON body is
 * taken in canonical form: the order of keys, white space and the way a number or a character is spelled do
 * not count. Everything else does.
 */
#ifndef IDEMSHIM_STORE_CONTENT_H
#define IDEMSHIM_STORE_CONTENT_H

#include "store/base/hash.h"

/* A header's name, in whatever case it is written. */
void content_hash_name(struct hash *hash, struct idem_span name);

struct content {
  bool lacks_memory;                  /* what follows names nothing */
  uint8_t fingerprint[IDEM_KEY_SIZE]; /* query, shape, body without what ignore= leaves out, vary= headers */
  uint8_t beside_headers[IDEM_KEY_SIZE]; /* the same without the headers */
  uint8_t unnamed[IDEM_KEY_SIZE];        /* the same with the headers that count where there is no key */
  /* The rule has ignore= or redact=, and the body, which is not empty, is no JSON: all of it counts. */
  bool unread;
};

/* The body counts byte by byte, whatever it looks like. */
bool content_is_plain_text(const struct idem_request *request);

/* `named` as in key_header(). */
void content_of(const struct idem_request *request, bool named, struct content *content);

/* The same, with what `replace` gives in the place of the strings of a JSON body (json_canon.h). */
void content_of_replaced(const struct idem_request *request, bool named,
                         struct idem_span (*replace)(void *arg, struct idem_span text), void *arg,
                         struct content *content);

/* Hashes the values of the rule's key pointers. -ENOKEY if one is not there, or null; -ENOMEM. */
int content_pointers(const struct idem_words *pointers, struct idem_span body, struct hash *hash);

#endif
