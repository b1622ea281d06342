/* SPDX-License-Identifier: MIT */
/*
 * ledger: what the server really did, exact at any time and from any thread.
 *
 * A request is entered when its header has arrived, and its number (the serial) is handed out in that order;
 * numbers go on after a reset, and what began before a reset does not count after it.
 */
#ifndef MOCK_LEDGER_H
#define MOCK_LEDGER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Enters a request: takes `entry` and adds "serial" to it. */
uint64_t ledger_arrived(json_t *entry, bool on_new_connection);

/* Adds the body to an entry and returns a copy of the whole of it, or NULL if it is there no more. */
json_t *ledger_body(uint64_t serial, const char *body, size_t len);

/* The model was put to work, whether or not its answer ever arrives. */
void ledger_worked(uint64_t serial);

/* The last byte of an answer is on its way; and the exchange is over. Each ledger_leaving() needs a
 * ledger_left(). */
void ledger_leaving(void);
void ledger_left(void);

/* A whole 2xx answer was sent. Comes before ledger_left(). */
void ledger_served(uint64_t serial);

/*
 * {"requests", "served", "work", "connections"}. Answers that are leaving at this moment are waited for, so
 * that a client which has read its answer finds it counted.
 */
json_t *ledger_counts(void);

/* The last 4096 entries, oldest first. */
json_t *ledger_requests(void);

void ledger_reset(void);

#endif
