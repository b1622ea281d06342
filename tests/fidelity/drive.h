/* SPDX-License-Identifier: MIT */
/*
 * drive: the ways in which programs run a multi handle.
 *
 * Each driver runs until no transfer is left, or gives up after some seconds and says so. How often it goes
 * round is not told: it hangs on time.
 */
#ifndef FIDELITY_DRIVE_H
#define FIDELITY_DRIVE_H

#include "tests/fidelity/fidelity.h"

typedef void driver(CURLM *multi);

extern driver *const drivers[];
enum { DRIVE_WAIT, DRIVE_POLL, DRIVE_FDSET, DRIVE_SLEEP, DRIVE_ACTION, DRIVE_ACTION_ALL, DRIVER_COUNT };

/* Prepares the multi handle for socket_action; the other drivers need nothing. */
void drive_events(CURLM *multi);
void drive_end(void);

/* Adds the handle, and says what came of it. */
void join(CURLM *multi, struct watch *w);
void part(CURLM *multi, struct watch *w);

/* Takes the messages that are there, and tells each to its handle (CURLOPT_PRIVATE is the watch). Returns how
 * many there were. */
int take_messages(CURLM *multi);

#endif
