/* SPDX-License-Identifier: MIT */
/*
 * Listens to a live transfer: our callbacks stand in front of the app's for its time, pass everything on at
 * once, and keep what the app's have accepted. The app sees the same calls with the same sizes.
 */
#ifndef IDEMSHIM_SHIM_TEE_H
#define IDEMSHIM_SHIM_TEE_H

#include "shim/request/request.h"

/* Who is told what becomes of the transfer, in the app's thread, inside libcurl. A function may be NULL. */
struct tee_listener {
  void *self;
  void (*about_to_send)(void *self); /* the request goes out within this turn, for the first time or again */
  void (*status)(void *self, int status); /* a status line has come */
  bool (*refused)(
      void *self,
      const char *who); /* the app's callback ends the transfer; true: it is to go on without it */
  void (*chunk)(void *self, const char *data, size_t len); /* of the body: the app has it, and it is kept */
  struct tee_listener *next;
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
  struct buffer trailers; /* for a tape */
  const char *last_write; /* with CURLOPT_HEADER, header lines come through the write callback first */
  size_t last_write_len;
  uint64_t body_len; /* of all that came */
  int64_t first_us;  /* from the start to the first byte; -1: none came */
  bool taped;        /* a tape keeps what is no answer, too */
  bool app_paused;   /* its callback has put off what it was given last */
  bool app_gone;     /* in a copy of the process: nobody is asked, and all is taken */
  const char *unfit; /* why this transfer cannot become an answer, or NULL */
};

void tee_attach(struct tee *tee, struct request *request);

/* Until the end of the transfer. */
void tee_listen(struct tee *tee, struct tee_listener *listener);

/* For the prerequest callback, which tells it to the listeners. */
void tee_about_to_send(const struct tee *tee);

/* After the transfer, before the overrides are restored: sees whether a reset has taken our callbacks away.
 * What was kept stays until tee_release(). */
void tee_detach(struct tee *tee);
void tee_release(struct tee *tee);

/* True if what has come ends with a whole header, or with body. */
bool tee_has_header(const struct tee *tee);

#endif
