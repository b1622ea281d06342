/* SPDX-License-Identifier: MIT */
/*
 * tape_state: what a request has to do with a tape. It is recorded at its end (tape/recorder.h), or takes its
 * outcome from there (tape/playback.h); both keep here what they know of it in between.
 *
 *     if (request->tape.writer)
 *       ...it is recorded...
 *     if (request->tape.played)
 *       ...no network is used, whatever goes wrong...
 *
 * It is part of the request and belongs to the request's thread; tape/ fills it and frees what it points to.
 */
#ifndef IDEMSHIM_SHIM_TAPE_STATE_H
#define IDEMSHIM_SHIM_TAPE_STATE_H

#include "shim/handle/shadow.h"
#include "tape/tape.h"

/* How a transfer ended that libcurl has not run, or not to its end. */
struct ending {
  bool set;
  CURLcode code;
  const char *text; /* for the ERRORBUFFER; NULL or "" for none */
  int64_t at_us;    /* after the start of the live call */
};

/* The memory that an edited answer points into (IDEMSHIM_REPLAY_EDIT). */
struct edit {
  struct buffer body, headers, facts;
};

/* Only the first four are set for a call that no tape has to do with. */
struct taping {
  struct tape_writer *writer; /* NULL: it is not recorded */
  bool played;                /* a tape answers it */
  bool fault;                 /* made by a fault that was asked for, where `played` is set */
  bool streamed;              /* its answer is given to the app as it comes to another call */
  const struct idem_tape_api *api;
  struct tape_call call;
  struct ending ending;      /* of a call that a tape answers */
  struct tape_record record; /* what it answers with */
  struct idem_chunk *chunks;
  struct edit edit;      /* a body that stands in for the recorded one */
  int64_t first_byte_us; /* -1: there is none */
  char note[520];        /* why there is no outcome for it */
};

#endif
