/* SPDX-License-Identifier: MIT */
/*
 * content: what a request says, so that two requests that say the same give the same digest. A JSON body is
 * taken in canonical form: the order of keys, white space and the way a number or a character is spelled do
 * not count. Everything else does.
 */
#ifndef IDEMSHIM_STORE_CONTENT_H
#define IDEMSHIM_STORE_CONTENT_H

#include "store/base/hash.h"

#include <jansson.h>

/* The body as JSON, to be freed with json_decref(); NULL if it is something else, or JSON that would not
 * survive the parser (keys given twice, integers that do not fit), which then counts byte by byte. */
json_t *content_parse(struct idem_span body);

/* The fingerprint: query, vary= headers, shape and body, without what ignore= leaves out. Changes `json`. */
void content_fingerprint(const struct idem_request *request, json_t *json,
                         uint8_t fingerprint[IDEM_KEY_SIZE]);

/* Hashes the values of the rule's key pointers. -ENOKEY if one is not there. */
int content_pointers(const struct idem_words *pointers, json_t *json, struct hash *hash);

/* The value that an RFC 6901 pointer names, or NULL. */
json_t *content_find(json_t *json, const char *pointer);

/* Calls `add` for each header that counts, sorted by lower-case name. */
void content_vary(const struct idem_request *request,
                  void (*add)(void *arg, struct idem_span name, struct idem_span value), void *arg);

#endif
