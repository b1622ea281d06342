/* SPDX-License-Identifier: MIT */
/*
 * rescue: a call that the app gives up is carried to its end by a copy of the process, and its answer stored.
 *
 *     rescue_begin(&rescue, &tee, &publish, &entry, on_copied);
 *     inflight_enter(&entry);
 *     code = real->easy_perform(handle);        // each turn: rescue_before_turn(), rescue_after_turn()
 *     rescue_leave(&rescue);
 *     rescue_end(&rescue);
 *     if (rescue_is_copy(&rescue))
 *       ...commit the answer, and end the process...
 *
 * libcurl's easy interface runs its own multi through our hook of curl_multi_perform(), so every turn of its
 * loop is seen. At the app's deadline, or when a callback of the app's ends the transfer, the process is
 * copied there and then. The copy returns into libcurl as if nothing had happened and goes on with the
 * connection, without the app's callbacks, to the end of curl_easy_perform(). The app's side finds the
 * connection dead and is told what it would have been told, by libcurl. In the app's own multi the same is
 * asked for each call round a turn: rescue_look() and rescue_look_after().
 *
 * A rescue belongs to the thread of its transfer. What cannot be rescued ends as if we were not there, and a
 * `bypass` event says why.
 */
#ifndef IDEMSHIM_SHIM_RESCUE_H
#define IDEMSHIM_SHIM_RESCUE_H

#include "shim/handle/low_speed.h"
#include "shim/live/tee.h"
#include "shim/rescue/guard.h"
#include "shim/rescue/inflight.h"

struct stream_publish;

enum rescue_state {
  RESCUE_OFF,   /* not wanted, or tried in vain */
  RESCUE_READY, /* armed */
  RESCUE_AWAY,  /* the app's side: a copy has the call */
  RESCUE_COPY   /* we are that copy */
};

struct rescue {
  struct request *request;
  struct tee *tee;
  struct tee_listener listener;
  struct stream_publish *publish;
  struct inflight *entry; /* where an exit of the process, or of its thread, finds it */
  void (*on_copied)(struct rescue *rescue, CURLcode code);
  CURLM *multi;       /* libcurl's own, which runs an easy transfer; NULL until its first turn */
  int64_t started_us; /* that turn, from which on libcurl counts */
  struct handoff handoff;
  struct guard guard;
  struct low_speed low_speed;
  struct transfer_sockets sockets;
  uint8_t state;     /* enum rescue_state */
  bool out_of_speed; /* ended by the app's LOW_SPEED rule */
};

/* Called round a transfer of an OWNED call. After the end, `state` says which side this is. A copy that
 * has driven the transfer to its end tells `on_copied`, which does not return. */
void rescue_begin(struct rescue *rescue, struct tee *tee, struct stream_publish *publish,
                  struct inflight *entry, void (*on_copied)(struct rescue *rescue, CURLcode code));
void rescue_end(struct rescue *rescue);

/* After curl_easy_perform(), round which inflight_enter() has said whose turns they are that this thread's
 * hook sees. */
void rescue_leave(struct rescue *rescue);

/* Ends the app's pause in the copy. One that was made inside of a callback cannot do so there, but before
 * its next turn. */
void rescue_resume(struct rescue *rescue);

/* Called before a turn of libcurl's loop; costs those who have no such call nothing. Returns whose turn it
 * is, or NULL. */
struct rescue *rescue_turn(CURLM *multi);
static inline struct rescue *rescue_before_turn(CURLM *multi)
{
  return __builtin_expect(inflight_current != NULL, 0) ? rescue_turn(multi) : NULL;
}

/* Called after it; `running` is what libcurl has said. */
void rescue_turned(struct rescue *rescue, int running);
static inline void rescue_after_turn(struct rescue *rescue, const int *running)
{
  if (__builtin_expect(rescue != NULL, 0))
    rescue_turned(rescue, *running);
}

/* The first half for a call in the app's own multi, before a turn. In the copy it comes back with that
 * state. */
void rescue_look(struct rescue *rescue);

/* The second half, after a turn: wakes the app's loop if the deadline has passed within, and makes the
 * guard of a call that wants one. In the guard it comes back, if ever, as in the copy. */
void rescue_look_after(struct rescue *rescue);

/* False once nothing is left to guard: the answer has begun, or there can be no guard. It stays so. */
bool rescue_wants_guard(const struct rescue *rescue);

/* When a call in the app's own multi has to be looked at next, before the first turn that begins then or
 * later. An app that turns many idle calls does not pay for a look at each of them in each turn; what does
 * not go by the clock (an option that is changed on the way, somebody who asks for what has come, the sign
 * that it goes on) is seen a quarter of a second late at most. INT64_MAX: never again. */
int64_t rescue_next_look_us(const struct rescue *rescue, int64_t now_us);

/* True in every copy of the process: a look at all calls finds the one that it was made for. */
extern bool rescue_in_copy;

/* The app takes an unfinished call away, outside of callbacks. In the copy it comes back with that state. */
void rescue_now(struct rescue *rescue, const char *why);

/* The process exits, outside of callbacks. A handler of the app's that runs later may turn its multi to the
 * end, as it could without us, so a call in one is guarded until the process is gone, and carried on if
 * nobody has touched it; another one is given up now. */
void rescue_at_exit(struct rescue *rescue);

/* True in the copy, where no callback of the app's is called. NULL is fine. */
static inline bool rescue_is_copy(const struct rescue *rescue)
{
  return rescue && rescue->state == RESCUE_COPY;
}

#endif
