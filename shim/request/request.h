/* SPDX-License-Identifier: MIT */
/*
 * request: the app's request as plain bytes, and what the store knows of it.
 *
 *     reason = request_open(&request, shadow, rule, room);   // NULL, or why it cannot be named
 *     verdict = request.api->enter(request.store, &request.bytes, &request.op, &error);
 *     ...
 *     request_leave(&request, true);
 *     request_release(&request);
 *
 * The store wants one plain struct, and libcurl has no getters: request_open() makes the one of the shadow,
 * without a copy of what lies there already. It is good for as long as the app changes nothing that it points
 * at (shadow->disturbed). A request lives on the stack until it has to last longer than a direct hit; opening
 * one that carries its body in POSTFIELDS allocates nothing. It belongs to its handle's thread.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_H
#define IDEMSHIM_SHIM_REQUEST_H

#include "shim/base/clock.h"
#include "shim/handle/shadow.h"
#include "shim/request/body.h"
#include "shim/request/tape_state.h"
#include "store/store.h"

struct stream_follow;

#define REQUEST_HEADERS_MAX     128
#define REQUEST_CREDENTIALS_MAX 10

struct request {
  struct shadow *shadow;
  const struct idem_rule *rule;
  const struct idem_store_api *api;
  struct idem_store *store;
  /* From here to `stalled` all is zeroed at once when a request is opened. */
  struct idem_call op; /* what the store knows of it */
  struct idem_request bytes;
  struct body body;
  struct buffer cookies;        /* that libcurl's engine sends along */
  struct buffer netrc;          /* what a .netrc says of the host */
  struct buffer certificate;    /* what the file of the client certificate holds */
  struct stream_follow *stream; /* what has come of an answer that it waits for; NULL: it has not waited */
  char *zeroed;                 /* the body, with usage=zero; NULL: as it is */
  struct idem_span whole;       /* what it was, in the record */
  const char *stalled;          /* why its last owner is waited for no longer, or NULL */
  int64_t started_us;           /* CLOCK_MONOTONIC, when the app called perform */
  bool announced;               /* OWNED: libcurl has said that the request goes out next */
  double speed;                 /* of a replay: 0 at once, 1 at the times of the live call, 2 twice as fast */
  struct taping tape;           /* what a tape is told, or has told, of it */

  struct idem_span headers[REQUEST_HEADERS_MAX];
  struct idem_span credentials[REQUEST_CREDENTIALS_MAX];
  char origin[640];
  char shape[256];
  char trust[512];
  char option_headers[768]; /* header lines that are put together of options */
  const char *host;         /* the app's Host: line, NULL: libcurl's own */
};

/*
 * Fills `request->bytes` from the shadow. Returns NULL, or the reason why this request cannot be named: the
 * call then goes live. In both cases the request must be released.
 */
const char *request_open(struct request *request, struct shadow *shadow, const struct idem_rule *rule,
                         char room[24]);
void request_release(struct request *request);

/* To where it stays; `from` is not to be released. */
void request_move(struct request *to, const struct request *from);

/* The store's leave and unpin, for a call that the store may know nothing of. */
void request_leave(struct request *request, bool delivered);
void request_unpin(struct request *request);

#endif
