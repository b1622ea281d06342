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

/* Ends all pauses, now and from now on. */
void pause_end(void);

#endif
