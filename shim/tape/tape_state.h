/* SPDX-License-Identifier: MIT */
/*
 * A call and the tape: recording it at its end (recorder.h), or taking its outcome from there (playback.h).
 */
#ifndef IDEMSHIM_SHIM_TAPING_H
#define IDEMSHIM_SHIM_TAPING_H

#include "shim/handle/shadow.h"
#include "shim/tape/playback_edit.h"
#include "tape/tape.h"

/* How a transfer ended that libcurl has not run, or not to its end. */
struct ending {
  bool set;
  CURLcode code;
  const char *text; /* for the ERRORBUFFER; NULL or "" for none */
  int64_t at_us;    /* after the start of the live call */
};

/* Only the first three are set for a call that no tape has to do with. */
struct taping {
  struct tape_writer *writer; /* NULL: it is not recorded */
  bool played;                /* a tape answers it */
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
