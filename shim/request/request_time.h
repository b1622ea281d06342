/* SPDX-License-Identifier: MIT */
/*
 * request_time: when what a replay gives is due, and how long a live call may still take.
 *
 *     due_us = request_due_us(request, request_chunk_us(request, i));   // CLOCK_MONOTONIC; 0 is now
 *     request_limit_time(request);                                      // before the transfer begins
 *
 * All times count from `request->started_us`, when the app called perform. These belong to the thread of the
 * handle.
 */
#ifndef IDEMSHIM_SHIM_REQUEST_TIME_H
#define IDEMSHIM_SHIM_REQUEST_TIME_H

#include "shim/request/request.h"

/* When a thing that came `at_us` after the start of the live call is due in a replay (CLOCK_MONOTONIC, µs); 0
 * is now. */
int64_t request_due_us(const struct request *request, int64_t at_us);

/* When chunk `i` of `request->op.answer` came, after the start of the live call. */
int64_t request_chunk_us(const struct request *request, size_t i);

/* Overrides TIMEOUT_MS for the transfer that begins: what the call has spent reading ahead and waiting for
 * another one counts against the app's. */
void request_limit_time(const struct request *request);

#endif
