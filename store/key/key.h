/* SPDX-License-Identifier: MIT */
/*
 * name: what an operation is called.
 *
 * name_raw() is the short cut: a digest of the bytes that matter as they are, without parsing any.
 * Byte-identical requests share it, and the store knows which operation it was. name_request() is the long
 * way: tenant, fingerprint and base key.
 */
#ifndef IDEMSHIM_STORE_NAME_H
#define IDEMSHIM_STORE_NAME_H

#include "store/base/hash.h"

/* What a header line means to us. */
enum header_role {
  HEADER_OTHER,      /* nothing */
  HEADER_CREDENTIAL, /* the tenant */
  HEADER_SECRET,     /* neither the tenant nor anything that is kept */
  HEADER_KEY,        /* one of the rule's propagated headers */
  HEADER_VARY,       /* counts as content */
};

struct header {
  struct idem_span name, value; /* the value without the white space round it */
  enum header_role role;
  unsigned which; /* CREDENTIAL and KEY: the index in its table */
};

/* Splits and judges one "Name: value" line. */
struct header name_header(const struct idem_keying *keying, struct idem_span line);

/* The query without `key=`, in pieces: call with *rest = query until it returns false. */
bool name_query_next(struct idem_span *rest, struct idem_span *piece, bool *credential);

struct name {
  uint8_t base[IDEM_KEY_SIZE];
  uint8_t fingerprint[IDEM_KEY_SIZE];
  uint8_t tenant[IDEM_KEY_SIZE];
  uint8_t print[IDEM_KEY_SIZE]; /* tenant, scope and fingerprint in one, to find the same content under
                                   another key */
  enum idem_key_kind kind;      /* HEADER, JSON or CONTENT */
  bool unread;                  /* the rule has ignore=, and the body is no JSON: all of it counts */
};

/* `known` is of the calling thread: what its last request began with. */
void key_raw(const uint8_t *secret, const struct idem_request *request, struct hash_prefix *known,
             uint8_t raw[IDEM_KEY_SIZE]);

/* 0, or -ENOKEY if the rule wants a header or JSON fields that are not there. */
int key_of_request(const uint8_t *secret, const struct idem_request *request, struct name *name);

/* The n-th call of those with this base key. With repeats=replay there is one, and it has the base key
 * itself. */
void key_of_repeat(enum idem_repeats repeats, const uint8_t *base, uint32_t n, uint8_t key[IDEM_KEY_SIZE]);

#endif
