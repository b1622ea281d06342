/* SPDX-License-Identifier: MIT */
/*
 * decode: takes the content coding off an answer that the app decodes itself, so that it can be judged.
 * Nothing that is decoded is kept.
 *
 *     struct decoder decoder;
 *     if (decode_begin(&decoder, (struct idem_span){"gzip", 4})) {
 *       while (decode_next(&decoder, &piece, room, sizeof(room), &plain)) use(plain);
 *       whole = decoder.ended && !decoder.failed;
 *       decode_release(&decoder);
 *     }
 *
 * zlib, brotli and zstd are opened where they are installed, at the first answer that needs them, or at the
 * first call that may get one and be carried on by a copy of the process: nearly always libcurl has them in
 * the process already. A copy opens none, for another thread may have had the loader's lock when it was made.
 * A decoder belongs to one thread.
 */
#ifndef IDEMSHIM_STORE_JUDGE_DECODE_H
#define IDEMSHIM_STORE_JUDGE_DECODE_H

#include "store/store.h"

struct decoder_kind;

struct decoder {
  const struct decoder_kind *kind; /* NULL: none was begun */
  void *state;
  bool ended;  /* the coding's own end was there */
  bool failed; /* it is not what its header says, or there was no memory */
};

/* Opens them now; and in a copy, never from now on. */
void decode_open(void);
void decode_open_no_more(void);

/* False: a coding that we do not know, or whose library is not there. */
bool decode_begin(struct decoder *decoder, struct idem_span coding);

/* What a Content-Encoding says. Some servers name there what is no coding ("none", "utf-8"):
 * that changes no byte. */
enum coding { CODING_NONE, CODING_KNOWN, CODING_STRANGE, CODING_SEVERAL };

/* `*list` is then the one coding that is left of it, for decode_begin(). */
enum coding decode_coding(struct idem_span *list);

/* Decodes from the front of `*coded` into `room`. False: all of it was read, and there is no more. */
bool decode_next(struct decoder *decoder, struct idem_span *coded, char *room, size_t size,
                 struct idem_span *plain);

void decode_release(struct decoder *decoder);

#endif
