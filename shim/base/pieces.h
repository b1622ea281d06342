/* SPDX-License-Identifier: MIT */
/*
 * pieces: bytes that were read ahead, and are given on in the pieces in which they came.
 *
 *     char *into = buffer_reserve(&pieces.bytes, room);
 *     pieces.bytes.len += read(into, room);             // a piece, or a part of one
 *     pieces_end(&pieces);                              // the reader had no more for now
 *     len = pieces_give(&pieces, into, room);           // never beyond that end
 *
 * With chunked coding each piece of an app's is a chunk, so a server sees where they end. They belong to who
 * declares them, and take no lock; all zero is none.
 */
#ifndef IDEMSHIM_SHIM_PIECES_H
#define IDEMSHIM_SHIM_PIECES_H

#include "shim/base/buffer.h"

struct pieces {
  struct buffer bytes;
  struct buffer ends; /* size_t offsets in `bytes` */
  size_t next_end;    /* which of them is still ahead */
  size_t at;          /* how much of `bytes` was given on */
};

/* A piece ends where the bytes end now. False without memory. */
bool pieces_end(struct pieces *pieces);

/* Copies what comes next of a piece, at most `room` bytes. 0: everything was given on. */
size_t pieces_give(struct pieces *pieces, char *into, size_t room);

/* Goes on from there, forwards or back. */
void pieces_seek(struct pieces *pieces, size_t at);

/* None are left, and none of their memory. */
void pieces_release(struct pieces *pieces);

#endif
