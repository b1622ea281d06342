/* SPDX-License-Identifier: MIT */
/*
 * feeder: one thread in a process, only while a transport has something to wait for that its own callbacks
 * cannot see: the end of another call or what comes of it (a follower in a multi), or the time of the next
 * chunk (pace=original).
 *
 *     feeder_feed(transport);                  // what is due now, and the rest when it is
 *     ok = feeder_follow(transport);           // a poke, once there may be an answer
 *     ok = feeder_stream(transport);           // an answer as it comes to another call
 *     feeder_forget(transport);                // before its socket is closed
 *
 * It sends into the transport's socket, which is what wakes the app's event loop, and touches nothing else of
 * the app's. It blocks all signals, for the app does not know it. Any thread may call this; the store is
 * asked under the feeder's lock. Where no thread can be made, chunks come at once, and what would follow is
 * refused.
 */
#ifndef IDEMSHIM_SHIM_FEEDER_H
#define IDEMSHIM_SHIM_FEEDER_H

#include "shim/transport/transport.h"

/* transport_feed() now, and again by the feeder at the times that it asks for. */
void feeder_feed(struct transport *transport);

/* Pokes the transport once when its call's owner is done or dead, when its answer has begun to come, or when
 * the rule's wait= is over. False where no thread could be made. */
bool feeder_follow(struct transport *transport);

/* Feeds what comes of a stream that was joined, as it comes, to its end. False where no thread could be made.
 */
bool feeder_stream(struct transport *transport);

/* An owner in this process is done: in each multi one of its followers is poked now, and not at its next
 * look. What that one finds it tells the others by one of the next two. */
void feeder_owner_ended(const uint8_t key[IDEM_KEY_SIZE]);
void feeder_answered(const uint8_t key[IDEM_KEY_SIZE]);
void feeder_owned(const struct request *request);

/* Ends both; the transport's socket can be closed then, and the thread that calls may change its call. */
void feeder_forget(struct transport *transport);

/* Round a copy of the process, which has no feeder. It asks the store under this lock, so the store's locks
 * are taken after it. fork() does that by itself. */
void feeder_lock(void);
void feeder_unlock(void);
void feeder_begin_anew(void);

#endif
