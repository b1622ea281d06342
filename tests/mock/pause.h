/* SPDX-License-Identifier: MIT */
/*
 * pause: sleeping that ends when the server is told to stop, so that a mock with slow answers under way stops
 * at once.
 */
#ifndef MOCK_PAUSE_H
#define MOCK_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

/* Before the first thread. False: no descriptor to be had. */
bool pause_init(void);

/* Sleeps for that long, or until pause_end(). False: the server is stopping. */
bool pause_ms(uint64_t ms);

/* Waits for one of the releases that nobody has had yet, or until pause_end(). False: the server is stopping.
 */
bool pause_hold(void);
void pause_release(uint64_t count);

/*
 * Waits until a gate is opened: one whose name begins with a text that pause_open() was given, before or
 * since. False: the server is stopping.
 */
bool pause_gate(const char *name);
void pause_open(const char *beginning);

/* Forgets releases that nobody has had, and closes the gates behind those who have passed. */
void pause_reset(void);

/* Ends all pauses, now and from now on. */
void pause_end(void);

#endif
