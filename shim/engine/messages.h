/* SPDX-License-Identifier: MIT */
/*
 * The messages of a multi, read ahead of the app: a transfer's end is where its answer is committed, before
 * the app is told, and some calls end with a message of ours.
 *
 *     messages_read(multi);                   // after what may have ended transfers
 *     CURLMsg *message = messages_take(multi, &left);   // the app's curl_multi_info_read()
 *
 * A message lives in its handle and ends with the handle's removal, as libcurl has it. Each handle has a
 * place for one in its shadow, so that taking and dropping one cost the same whatever is waiting; one that
 * has no shadow gets a node from the heap. Called by the thread that works on the multi.
 */
#ifndef IDEMSHIM_SHIM_MESSAGES_H
#define IDEMSHIM_SHIM_MESSAGES_H

#include "shim/handle/multi.h"

struct call;

/* Takes all that libcurl has, and ends the calls that they are about. Without memory some are left there. */
void messages_read(struct multi *multi);
/* The same at the end of a turn: the message of a call whose answer is still to be stored is held back, for
 * the app's loop does not wait for the disk (multi_wake.h); and those of calls whose answers have been stored
 * since are there from now on. In a turn alone, for the app's count of running handles has them until they
 * are told. */
void messages_read_in_turn(struct multi *multi);
/* Its call is none of those that are held back. */
void messages_forget(struct call *call);

/* Puts one last, in a node that is in no list: one of libcurl's, or of our own about a handle that has
 * none. */
void messages_add(struct multi *multi, struct message *node, CURLMsg *message);

/* The oldest, or NULL; `left` is how many come after it. */
CURLMsg *messages_take(struct multi *multi, int *left);

/* The handle has been removed; `shadow` may be NULL. */
void messages_drop(struct multi *multi, struct shadow *shadow, const CURL *handle);

/* The multi has been cleaned up. */
void messages_release(struct multi *multi);

#endif
