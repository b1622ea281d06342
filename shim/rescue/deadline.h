/* SPDX-License-Identifier: MIT */
/*
 * deadline: the app's TIMEOUT of a call that may be rescued.
 *
 *     if (deadline_has_come(rescue, now_us))    // before a turn
 *       ...the process is copied, and the app's side ends: deadline_end(rescue)...
 *
 * libcurl must not end such a call by itself, which it does as soon as it sees within a turn of its loop that
 * the time is over. So it is told of a later deadline from the moment that the request goes out, and the
 * app's is looked at between turns. libcurl's timer, which wakes the app's loop at the app's deadline, has
 * been set by then. All of it is called in the thread of the transfer.
 */
#ifndef IDEMSHIM_SHIM_DEADLINE_H
#define IDEMSHIM_SHIM_DEADLINE_H

#include "shim/rescue/rescue.h"

/* libcurl turns the loop of this transfer once a second, whatever comes: in a multi the app then sleeps no
 * longer. With `keeps_limit` the app's own limit of speed is kept by us; without it, libcurl keeps that, and
 * is woken by it. */
void deadline_wake_each_second(struct shadow *shadow, bool keeps_limit);

/* The request goes out within this turn, for the first time or again. */
void deadline_hold(struct rescue *rescue);

/* Another request may follow this answer (a redirect, a login): libcurl sets its timer anew for that, and by
 * what it has been told. */
void deadline_note_status(struct rescue *rescue, int status);

/* Before a turn. A turn that begins shortly before the deadline waits for it. */
bool deadline_has_come(struct rescue *rescue, int64_t now_us);

/* When it is worth asking again, if nothing changes meanwhile. INT64_MAX without a deadline. */
int64_t deadline_next_look_us(const struct rescue *rescue, int64_t now_us);

/* After one: true if it came within, where libcurl's timer may have been used up. */
bool deadline_was_passed(const struct rescue *rescue);

/* libcurl ends the transfer at its next look, in its own words. */
void deadline_end(struct rescue *rescue);

/* For TIMEOUT_MS in a copy, and for what watches the copy. */
long deadline_of_rescue_ms(const struct rescue *rescue, int64_t now_us);
unsigned deadline_of_copy_seconds(const struct rescue *rescue);

#endif
