/* SPDX-License-Identifier: MIT */
/*
 * body: the body of a request. It is where the app has it; or, for a form, the text that names it
 * (form_body.h); or, when the app feeds it through a read callback, read ahead so that it can be part of the
 * key, and fed on to libcurl afterwards.
 *
 *     body_open(&body, limit);             // body.whole: body.span has all of it
 *     body_attach(&body);                  // before libcurl sends it
 *     ...
 *     body_detach(&body);
 *     body_release(&body);
 *
 * Reading ahead calls the app's callbacks in the handle's thread, before libcurl would. An app whose body is
 * not whole (too large, paused, without an end for a second, no memory) goes live, and libcurl is fed every
 * byte that was read.
 */
#ifndef IDEMSHIM_SHIM_BODY_H
#define IDEMSHIM_SHIM_BODY_H

#include "shim/base/pieces.h"
#include "shim/handle/shadow.h"
#include "shim/request/form_body.h"

struct body {
  struct shadow *shadow;
  struct idem_span span; /* the whole body, if `whole` */
  bool whole;            /* false: larger than the limit, or the app's reader paused or gave up */
  bool fed;              /* it came from a read callback: libcurl must be given `read` now */
  bool attached, asked;  /* it was to be given to libcurl, and libcurl has asked for it */
  uintptr_t by[2];       /* READFUNCTION and READDATA, of which it was read */
  bool late;             /* it was read for too long, and libcurl reads the rest */
  bool chunked;          /* fed, in chunks: an announced size means nothing */
  struct form_body form;
  struct pieces read; /* ahead */
  size_t verdict;     /* what the app's reader returned instead of bytes: 0, CURL_READFUNC_ABORT,
                     CURL_READFUNC_PAUSE or a value too large */
  uint8_t resumed;    /* the shadow's, when the reader paused */
  bool direct;        /* rewound past us: everything comes from the app's reader */
};

/* True if finding the body may mean to call the app's callbacks: it is not in the option itself. */
bool body_has_reader(const struct shadow *shadow);

/* Finds or reads the body, into one that is zeroed but for its shadow. At most `limit` bytes are read ahead.
 */
void body_open(struct body *body, uint64_t limit);

/* Puts our reader in the place of the app's for one transfer. Does nothing for a body that was not fed. */
void body_attach(struct body *body);

/* Notes, after the transfer, if a form that was sent is not the one that the call was named by. */
void body_detach(const struct body *body);

void body_release(struct body *body);

#endif
