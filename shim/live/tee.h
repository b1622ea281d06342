/* SPDX-License-Identifier: MIT */
/*
 * tee: listens to a live transfer. Our write and header callbacks stand in front of the app's for its time,
 * pass everything on at once, and keep what the app's have accepted. The app sees the same calls with the
 * same sizes. What was kept becomes an answer in the store, a record on a tape, or a stream for followers.
 *
 *     tee_attach(&tee, request);                // overrides the callbacks
 *     tee_listen(&tee, &listener);              // for who wants to know while it comes
 *     code = real->easy_perform(handle);
 *     tee_detach(&tee);
 *     override_restore_all(shadow);
 *     ...tee.unfit says why it is no answer; else tee.headers, tee.body and tee.chunks are it...
 *     tee_release(&tee);
 *
 * Everything happens in the thread that drives the transfer, inside libcurl's callbacks; there is no lock.
 * Without memory, or with more than `max_body`, the tee keeps nothing more and says so in `unfit`: the
 * app's transfer goes on as it would without us. A copy of the process that carries the transfer on sets
 * `app_gone`.
 */
#ifndef IDEMSHIM_SHIM_TEE_H
#define IDEMSHIM_SHIM_TEE_H

#include "shim/request/request.h"

/* A listener is told what becomes of the transfer, from inside libcurl. Each function may be NULL. */
struct tee_listener {
  void *self;
  /* The request goes out within this turn, for the first time or again. */
  void (*about_to_send)(void *self);
  /* A status line has come; the app has not seen it yet. */
  void (*status)(void *self, int status);
  /* The callback `who` of the app's ends the transfer. True: it is to go on, without the app. */
  bool (*refused)(void *self, const char *who);
  /* A piece of the body that the app has taken. It is in `tee.body` unless the tee is unfit. */
  void (*chunk)(void *self, const char *data, size_t len);
  struct tee_listener *next; /* the tee's own */
};

struct tee {
  struct request *request;
  struct shadow *shadow;
  struct tee_listener *listeners;
  int64_t started_us; /* CLOCK_MONOTONIC */
  uint64_t max_body;
  struct buffer headers, body;
  struct buffer chunks;   /* of struct idem_chunk */
  struct buffer moments;  /* of struct tape_chunk: the same by a finer clock, for a tape */
  struct buffer trailers; /* header lines that came behind the body */
  const char *last_write; /* with CURLOPT_HEADER, header lines come through the write callback first */
  size_t last_write_len;
  uint64_t body_len; /* of all that came */
  int64_t first_us;  /* from the begin of the call to the first byte; -1: none came */
  bool taped;        /* a tape keeps what is no answer, too */
  bool app_paused;   /* its callback has put off what it was given last */
  bool app_gone;     /* in a copy of the process: nobody is asked, and all is taken */
  bool app_called;   /* libcurl may be in callbacks of the app that we do not stand before */
  bool too_large;    /* that is why: */
  const char *unfit; /* why this transfer cannot become an answer, or NULL */
};

/* Begins anew, and overrides the callbacks. */
void tee_attach(struct tee *tee, struct request *request);

/* Adds a listener, which must stay where it is until the end of the transfer. */
void tee_listen(struct tee *tee, struct tee_listener *listener);

/* Tells the listeners; for the prerequest callback. */
void tee_about_to_send(const struct tee *tee);

/* Sees whether a reset has taken our callbacks away. Call it after the transfer and before the overrides are
 * restored. What was kept stays until tee_release(). */
void tee_detach(struct tee *tee);
void tee_release(struct tee *tee);

/* Keeps nothing more, and nothing that came. */
void tee_give_up(struct tee *tee, const char *why);

/* Tells those who wait for the call that it goes on: round each callback of the app's. What ends where others
 * may come is where the next begins. */
static inline void tee_sign(const struct tee *tee, enum idem_sign sign)
{
  const struct request *request = tee->request;
  if (request->api)
    request->api->sign(&tee->request->op,
                       sign == IDEM_SIGN_CALLBACK_END && tee->app_called ? IDEM_SIGN_CALLBACK : sign);
}

/* True if what has come ends with a whole header, or with body. */
bool tee_has_header(const struct tee *tee);

#endif
