/* SPDX-License-Identifier: MIT */
/*
 * transport_header: the header of a stored answer, written so that any libcurl takes it from an http://
 * connection that ends with the body.
 *
 *     struct transport_header_facts facts = {.body_len = answer->body.len};
 *     if (!transport_header_compose(&wire, record, &facts))
 *       ...no memory...
 *
 * It has a line for each line of the record. What libcurl would act upon is taken out of a line, and the
 * app's callbacks are given the record's line in its place: other responses before the last one (redirects,
 * 401, CONNECT) go as 102, HTTP/2 and HTTP/3 status lines as HTTP/1.1, framing that is no longer true and
 * codings that are undone go as an empty field. A pure function of what it is given.
 */
#ifndef IDEMSHIM_SHIM_TRANSPORT_HEADER_H
#define IDEMSHIM_SHIM_TRANSPORT_HEADER_H

#include "shim/handle/shadow.h"

struct transport_header_facts {
  uint64_t body_len;   /* of what follows; UINT64_MAX: not known */
  bool bodyless;       /* HEAD: a length says nothing of what follows */
  bool secure_cookies; /* libcurl is to keep cookies that may come over https alone */
};

/* Appends to `wire`; false without memory. */
bool transport_header_compose(struct buffer *wire, struct idem_span record,
                              const struct transport_header_facts *facts);

#endif
