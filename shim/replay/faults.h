/* SPDX-License-Identifier: MIT */
/*
 * faults: calls of a live run that end as IDEMSHIM_FAULT says, for a program that nobody can change: with a
 * status, reset, or stalled until their time is up. Nothing is sent, and nothing is stored.
 *
 *     if (settings()->fault_count && faults_make(request))
 *       ...it is played like what a tape has: op.answer and tape.ending...
 *
 * Calls that meet a rule are counted from 1 over the run: all that one `idemshim run` has started, else the
 * process. It is one of the few things that fail closed. playback_release() frees what is made here.
 */
#ifndef IDEMSHIM_SHIM_FAULTS_H
#define IDEMSHIM_SHIM_FAULTS_H

#include "shim/request/request.h"

/* False if this call has none. */
bool faults_make(struct request *request);

#endif
