/* SPDX-License-Identifier: MIT */
/*
 * key: what an operation is called.
 *
 * key_raw() is the short cut: a digest of the bytes that matter as they are, without parsing any.
 * Byte-identical requests share it, and the store knows which operation it was. key_of_request() is the long
 * way: tenant, fingerprint and base key.
 *
 *     key_raw(store->secret, store->text_secret, request, &reader->contexts, raw);
 *     if (what `raw` leads to is not known, or is of other texts) {
 *       struct name name;
 *       rc = key_of_request(store->secret, request, &name);
 *       key_of_repeat(name.base, number, key);          // number 0: the base key itself
 *     }
 *
 * Where the record keeps the request's path and body as they are, a raw name has those by a keyed XXH3, which
 * costs a small part of SHA-256 and withstands no attack: whoever finds an answer by it compares them with
 * the record's before it is one. All else, with the credentials, is in it by SHA-256 under the store's
 * secret, and is hashed only where it is another than lately.
 *
 * What goes into a name, and in which order, is on the disk with it: a change needs another text at its
 * beginning ("idemshim key 3", "idemshim raw 3"). Functions keep no state, and any thread may call them;
 * spans that they give point into the request.
 */
#ifndef IDEMSHIM_STORE_NAME_H
#define IDEMSHIM_STORE_NAME_H

#include "store/base/hash.h"
#include "store/base/hash_memo.h"
#include "store/key/text_hash.h"

/* What a header line means to us. */
enum header_role {
  HEADER_OTHER,      /* nothing */
  HEADER_CREDENTIAL, /* the tenant, if the rule does not say otherwise */
  HEADER_SECRET,     /* neither the tenant nor anything that is kept */
  HEADER_TENANT,     /* the tenant, because the rule says so */
  HEADER_KEY,        /* one of the rule's propagated headers */
  HEADER_VARY,       /* counts as content */
};

struct header {
  struct idem_span name, value; /* the value without the white space round it; of a signature, its id */
  enum header_role role;
  unsigned which; /* KEY: the index in the rule's list */
};

/* Splits and judges one "Name: value" line. `named`: the operation has a key of its own, from a header or
 * fields of its body; the other headers are then content only as far as the rule names them. */
struct header key_header(const struct idem_request *request, struct idem_span line, bool named);

/* Calls `add` for each header of that role, sorted by lower-case name; lines of one name in the wire's order.
 * */
void key_headers(const struct idem_request *request, enum header_role role, bool named,
                 void (*add)(void *arg, struct idem_span name, struct idem_span value), void *arg);

/* The value of the header that `first` is, which carries the key, and of its further lines those that are
 * others: nobody knows which one their reader takes, so that all are the key. Returns whether there was
 * another. */
bool key_hash_values(struct hash *hash, const struct idem_request *request, const struct header *first);

/* The query in pieces: call with *rest = query until it returns false. `credential`: its
 * value is written nowhere. */
bool key_query_next(struct idem_span *rest, struct idem_span *piece, bool *credential);

/* True if the query carries an AWS signature and the id that it was made with: a presigned URL. */
bool key_query_is_presigned(struct idem_span query);

/* What a piece of such a query counts as: VARY, CREDENTIAL or SECRET. Where the rule says whose call it is,
 * what is no credential for certain is content: a page's token must not be lost from both tenant and content.
 * Of the id's the date is cut off, which is made anew for each request, as date, token and signature are. */
enum header_role key_query_role(const struct idem_keying *keying, bool presigned, struct idem_span *piece);

/* The cookies of a Cookie header in the same way. Those of load balancers say nothing of who asks. */
bool key_cookie_next(struct idem_span *rest, struct idem_span *cookie, bool *counts_as_tenant);

struct name {
  uint8_t base[IDEM_KEY_SIZE];        /* the operation, whichever of its repeats */
  uint8_t fingerprint[IDEM_KEY_SIZE]; /* the content (content.h) */
  uint8_t tenant[IDEM_KEY_SIZE];      /* who asks: an HMAC with the store's secret */
  uint8_t print[IDEM_KEY_SIZE];       /* to find the same content under another key, or other headers */
  enum idem_key_kind kind;            /* HEADER, JSON or CONTENT */
  bool several_keys;                  /* kind HEADER: it says more than one, and all are in the name */
  bool unread;                        /* the rule has ignore= or redact=, and the body is no JSON */
  bool sampled;                       /* kind CONTENT: sampled_is() */
};

/* What a store's secret is made into for texts: XXH3 wants so much. */
enum { KEY_TEXT_SECRET = TEXT_HASH_SECRET };
void key_text_secret(const uint8_t *secret, uint8_t out[KEY_TEXT_SECRET]);

/* `text_secret` NULL: path and body will not be compared, and it is all by SHA-256. `memo` is of the calling
 * thread and of this secret, and changes no name. */
void key_raw(const uint8_t *secret, const uint8_t *text_secret, const struct idem_request *request,
             struct hash_contexts *memo, uint8_t raw[IDEM_KEY_SIZE]);

/* 0, -ENOKEY if the rule wants a header or JSON fields that are not there, or -ENODATA if it is the tenant
 * that is not there. */
int key_of_request(const uint8_t *secret, const struct idem_request *request, struct name *name);

/* The n-th call of those with this base key; number 0 has the base key itself. It is the same under every
 * repeats=, so that changing that loses no answer. */
void key_of_repeat(const uint8_t *base, uint32_t n, uint8_t key[IDEM_KEY_SIZE]);

#endif
