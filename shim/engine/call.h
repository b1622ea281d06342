/* SPDX-License-Identifier: MIT */
/*
 * A call: one transfer that the app asks for and a rule wants, from the store's verdict to its end.
 *
 * The machine is the same for curl_easy_perform() (perform.c), a driver that blocks, and for the multi
 * interface (multi_call.c), where the app turns it:
 *
 *     struct request request;
 *     struct decision decision = decide_first(&request, shadow, rule, true);
 *     if (call_deliver(&request, &decision, &code))         // a direct hit: on the stack, and over
 *       return code;
 *     struct call *call = call_new(&request, shadow, NULL); // everything else is on the heap
 *     enum call_step step = call_begin(call, decision);
 *     while (step == CALL_WAIT)
 *       step = call_look(call, wait_for_the_owner());
 *     code = call_end(call, step == CALL_RUN ? real->easy_perform(handle) : call->code);
 *
 * A call belongs to its handle's shadow, so that nothing of it is in a frame that an exception, a jump, a
 * cancel or pthread_exit() takes away. libcurl refuses such a handle for good, but for its cleanup. What the
 * call holds is given up when the handle is used again (call_come_upon) or cleaned up (call_detach), or when
 * its thread ends (inflight.h). Whether a callback is calling us or has been left by a jump is told by the
 * stack where that can be (inflight_is_left); the memory stays until the driver comes back or the handle
 * goes.
 *
 * Like its handle, a call belongs to one thread at a time.
 */
#ifndef IDEMSHIM_SHIM_CALL_H
#define IDEMSHIM_SHIM_CALL_H

#include "shim/base/timer_heap.h"
#include "shim/engine/decide.h"
#include "shim/engine/live.h"
#include "shim/handle/multi.h"
#include "shim/replay/own_answers.h"
#include "shim/transport/transport.h"

/*
 * perform: OPEN, then WAITING as long as another call sends the operation, then one of DIRECT, TRANSPORT,
 * LIVE. A multi: OPEN while its body is still to be read, then FOLLOWING, TRANSPORT or LIVE; FOLLOWING
 * becomes TRANSPORT within its own transfer, or DUE, which becomes LIVE outside of callbacks. STARVED and
 * DROPPED are failures that the app is told by its message. LEFT comes after LIVE alone.
 */
enum call_state {
  CALL_OPEN,      /* nothing is decided; libcurl has the handle, if at all, as the app has made it */
  CALL_WAITING,   /* perform: for the owner of the operation, between two looks */
  CALL_FOLLOWING, /* a multi: the same, by a transport with nothing to read */
  CALL_DIRECT,    /* the app's callbacks are called by us, or have been */
  CALL_TRANSPORT, /* libcurl runs a transfer that leads to us: an answer, or `problem` */
  CALL_DUE,       /* a multi: it has to go live; its transport waits for that */
  CALL_LIVE,      /* libcurl runs it upstream, as `live` says */
  CALL_STORING,   /* a multi: that is over, and its message waits until its answer is stored */
  /* A tape's, or one that is refused, without memory or descriptors: it ends before it begins. */
  CALL_STARVED,
  CALL_DROPPED, /* taken out of the app's multi, which did not take it in again */
  CALL_LEFT     /* given up while its frame may still come back: the handle and the claim are not ours */
};

enum call_step {
  CALL_WAIT, /* for the owner, and look */
  CALL_RUN,  /* libcurl runs it; then end */
  CALL_DONE  /* end it with `code` */
};

struct call {
  struct request request;
  enum call_state state;
  enum live_kind kind; /* LIVE, DUE */
  CURLcode code;       /* DONE */
  struct live live;
  struct transport transport;
  const struct own_answer *problem; /* the shim's own answer, or NULL */
  struct own_answers_room room;

  struct multi *multi;                   /* that drives it; NULL: perform */
  struct call *next, **link;             /* in it */
  uint64_t turn;                         /* of it, that comes next when the call is made, */
  bool inside;                           /* or that it was made in */
  struct call *next_ended;               /* between the halves of its end, */
  CURLMsg *ended;                        /* with libcurl's message; */
  struct call *next_alike, **alike_link; /* following, guarded or STORING: among those of its multi */
  struct call *next_ready, **ready_link; /* among those whose callback has run; NULL: it is not */
  struct timer look;                     /* LIVE: when it has to be looked at; STORING: its deadline */
  struct tee_listener listener;          /* which a status line makes due */
  CURLMsg message;                       /* DROPPED */
};

/* Delivers a direct hit or the shim's own answer by the app's callbacks, from wherever the request is. False:
 * the decision is another one, or has become one. */
bool call_deliver(struct request *request, struct decision *decision, CURLcode *code);

/* Leaves and releases a request that has not become a call. */
void call_close_request(struct request *request);

/* A call of the request, which is moved, in state OPEN; `request` NULL: it is to be opened. It is the
 * shadow's. NULL without memory. */
struct call *call_new(struct request *request, struct shadow *shadow, struct multi *multi);

/* Puts it into a list of its multi's, as the newest, and takes it out of the one that it is in. NULL: into
 * none. */
void call_join(struct call *call, struct call **list);

/* How many calls there are in the multis of this process: each has a descriptor beside libcurl's. */
extern _Atomic unsigned call_in_multis;

/* Carries a decision out. In a multi it never says WAIT. */
enum call_step call_begin(struct call *call, struct decision decision);

/* A waiting call looks what has become of its owner, who is `done` or may not be: what has begun to come
 * is taken, else the store decides again. It waits no longer for an owner that has stalled, or if wait= is
 * over. */
enum call_step call_look(struct call *call, bool done);

/* FOLLOWING: its transport, which libcurl may have taken its end of, is made anew. The handle is not in
 * libcurl's hands. */
void call_follow_anew(struct call *call);

/* DUE: its transport ends, and it goes live. The handle is not in libcurl's hands. */
void call_go_live(struct call *call);

/* LIVE, and another machine had taken the operation over before anything was sent; libcurl has ended it with
 * `code`. It ends, and the store decides anew. In a multi the handle is not in libcurl's hands. */
static inline bool call_is_fenced(const struct call *call)
{
  return call->state == CALL_LIVE && call->request.op.fenced;
}
enum call_step call_again(struct call *call, CURLcode code);

/* libcurl is done with it, or it is DONE. Returns what the app is told, since a tape may have another
 * end; the call is gone. */
CURLcode call_end(struct call *call, CURLcode code);

/* The same in two halves, for calls that end in one turn of a multi: their answers are written together, by
 * the first of the second halves. Nothing of the app's runs between. */
CURLcode call_end_first(struct call *call, CURLcode code, struct idem_gather *gather);
void call_end_last(struct call *call);
/* Between them: false, and the call is STORING, if the second half would wait for the disk. */
bool call_is_stored(struct call *call);

/* Taken out of the multi, and it cannot be put in again: it ends, and `message` is what the app is told. The
 * handle stays in the multi as far as the app knows. */
void call_drop(struct call *call);

/* The app has taken its handle out of the multi before its end. The call is gone. */
void call_abandon(struct call *call);

/* The app uses a handle whose perform has not come back, or whose multi is in a callback. */
void call_come_upon(struct shadow *shadow);

/* The same for what a callback may do with its own handle, and libcurl refuses or allows without an end to
 * the transfer: only what is left for certain is given up. */
void call_come_upon_if_left(struct shadow *shadow);

/* The handle is about to be cleaned up: nothing of the call holds on to anything. Its memory is to be given
 * back by call_free() when libcurl has let go of the handle. NULL if there is none. */
struct call *call_detach(struct shadow *shadow);
void call_free(struct call *call);

/* True if the call owns its operation and sends it. */
static inline bool call_is_owner(const struct call *call)
{
  return (call->state == CALL_LIVE || call->state == CALL_STORING || call->state == CALL_DUE) &&
         call->kind == LIVE_OWNED;
}

#endif
