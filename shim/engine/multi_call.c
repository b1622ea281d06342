/* SPDX-License-Identifier: MIT */
#include "shim/engine/multi_call.h"

#include "shim/engine/decide.h"
#include "shim/replay/marks.h"
#include "shim/replay/stream_follow.h"
#include "shim/rescue/copy_driver.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/tape/playback.h"
#include "shim/tape/recorder.h"
#include "shim/transport/feeder.h"
#include "shim/transport/transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct multi_call {
  struct multi_call *next, **link;                   /* and what points here */
  struct multi_call *next_anywhere, **link_anywhere; /* under `lock`, and so are the next two: */
  bool sends;                                        /* it owns the operation `key` */
  uint8_t key[IDEM_KEY_SIZE];
  struct multi *multi;
  struct shadow *shadow;
  pthread_t thread;
  struct request request;
  struct decision decision; /* FOLLOW until the owner is done */
  bool starved;             /* a tape's, without memory or descriptors: it ends before it begins */
  bool settles;             /* it has to go live, outside of any callback */
  bool unread;              /* its body has not been read yet, and nothing is decided */
  struct live live;
  struct transport transport;
  struct problem_room room;
};

/* Every flight that owns its operation, for the question whether a thread would wait for itself. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct multi_call *anywhere;

static void list(struct multi_call *f)
{
  f->next = f->multi->multi_calls;
  f->link = &f->multi->multi_calls;
  if (f->next)
    f->next->link = &f->next;
  f->multi->multi_calls = f;
  pthread_mutex_lock(&lock);
  f->next_anywhere = anywhere;
  f->link_anywhere = &anywhere;
  if (anywhere)
    anywhere->link_anywhere = &f->next_anywhere;
  anywhere = f;
  pthread_mutex_unlock(&lock);
}

static void unlist(struct multi_call *f)
{
  *f->link = f->next;
  if (f->next)
    f->next->link = f->link;
  pthread_mutex_lock(&lock);
  *f->link_anywhere = f->next_anywhere;
  if (f->next_anywhere)
    f->next_anywhere->link_anywhere = f->link_anywhere;
  pthread_mutex_unlock(&lock);
}

bool multi_call_blocks(const struct request *request)
{
  bool blocks = false;
  const struct multi *multi = request->shadow->multi_call ? request->shadow->multi_call->multi : NULL;
  pthread_mutex_lock(&lock);
  for (const struct multi_call *f = anywhere; f && !blocks; f = f->next_anywhere)
    blocks = f->sends && f->multi != multi && pthread_equal(f->thread, pthread_self()) &&
             memcmp(f->key, request->op.key, IDEM_KEY_SIZE) == 0;
  pthread_mutex_unlock(&lock);
  return blocks;
}

static bool is_live(const struct multi_call *f)
{
  return f->decision.route == ROUTE_LIVE;
}

static bool is_owner(const struct multi_call *f)
{
  return is_live(f) && f->decision.kind == LIVE_OWNED;
}

static void decided(struct multi_call *f, struct decision decision)
{
  f->decision = decision;
  if (!is_owner(f))
    return;
  pthread_mutex_lock(&lock);
  f->sends = true;
  memcpy(f->key, f->request.op.key, IDEM_KEY_SIZE);
  pthread_mutex_unlock(&lock);
}

/* How libcurl runs it now; neither: as the app has made it, since it has not been read yet. */
static bool is_sent(const struct multi_call *f)
{
  return !f->unread && is_live(f) && !f->settles;
}

static bool is_played(const struct multi_call *f)
{
  return !f->unread && (!is_live(f) || f->settles);
}

/* Beginning. */

/* The answer must outlive what may be a slow loop. */
static bool play(struct multi_call *f)
{
  char marks[MARKS_SIZE] = "";
  struct request *request = &f->request;
  if (f->decision.route == ROUTE_TRANSPORT) {
    marks_build(request, marks);
    if (!stream_is_joined(request))
      request_unpin(request);
  } else if (!problem_prepare(request, f->decision.problem, &f->room)) {
    return false;
  }
  return transport_answer(&f->transport, marks) && (!stream_is_open(request) || feeder_stream(&f->transport));
}

static void on_poke(void *owner);

/* Makes the transport for an answer, or for the wait for one. */
static bool arm(struct multi_call *f)
{
  if (!transport_arm(&f->transport, &f->request))
    return false;
  f->transport.owner = f;
  f->transport.on_poke = on_poke;
  if (f->decision.route == ROUTE_FOLLOW ? feeder_follow(&f->transport) : play(f))
    return true;
  transport_disarm(&f->transport, CURLE_OUT_OF_MEMORY);
  return false;
}

/* libcurl refuses a transfer without a URL, and touches no network for it. */
static void starve(struct multi_call *f)
{
  f->starved = true;
  f->shadow->lib->easy_setopt(f->shadow->handle, CURLOPT_URL, NULL);
}

static CURLcode end_starved(struct multi_call *f)
{
  const struct shadow *shadow = f->shadow;
  shadow->lib->easy_setopt(shadow->handle, CURLOPT_URL, shadow->url.data);
  return CURLE_OUT_OF_MEMORY;
}

static void begin(struct multi_call *f)
{
  bool ready = is_live(f) || arm(f);
  if (!ready && f->request.tape.played)
    starve(f);
  else if (!ready)
    f->decision = decide_live(&f->request, "no memory, descriptor or thread for the transport");
  if (is_live(f))
    live_begin(&f->live, &f->request, f->decision.kind);
}

/* True if what comes is given to the app as it comes. */
static bool joins(struct multi_call *f)
{
  if (f->shadow->disturbed || !stream_has_begun(&f->request))
    return false;
  f->decision = decide_stream(&f->request, false);
  return f->decision.route == ROUTE_TRANSPORT;
}

/* Its owner is done, or has something for us: in a header callback of the follower's own transfer. */
static void on_poke(void *owner)
{
  struct multi_call *f = owner;
  struct request *request = &f->request;
  feeder_forget(&f->transport);
  if (joins(f)) {
    if (play(f))
      return;
    stream_refuse(request);
  }
  uint64_t waited_ms = (uint64_t)(monotonic_us() - request->started_us) / 1000;
  bool done = request->api->wait(request->store, &request->op, 0) == 0;
  request->op.waited = true;
  request->api->leave(request->store, &request->op, false);
  if (!done && request->rule->wait_ms != IDEM_FOREVER_MS && waited_ms >= request->rule->wait_ms) {
    request_bypass(request, "wait");
    f->decision = (struct decision){.route = ROUTE_LIVE, .kind = LIVE_UNTOUCHED};
  } else if (request->shadow->disturbed) {
    request_bypass(request, "options changed while it waited");
    f->decision = (struct decision){.route = ROUTE_LIVE, .kind = LIVE_UNTOUCHED};
  } else {
    decided(f, decide_again(request, false));
  }
  if (f->decision.route == ROUTE_FOLLOW ? !feeder_follow(&f->transport) : !is_live(f) && !play(f))
    f->decision = decide_live(request, "no memory or thread for the transport");
  f->settles = is_live(f);
}

static void release(struct multi_call *f)
{
  unlist(f);
  f->multi->unread -= f->unread;
  if (f->sends)
    feeder_owner_ended(f->key);
  problem_release(&f->room);
  f->shadow->multi_call = NULL;
  shadow_end(f->shadow);
  request_release(&f->request);
  free(f);
}

static void name(struct multi_call *f, const struct idem_rule *rule)
{
  decided(f, decide_first(&f->request, f->shadow, rule, false));
  begin(f);
}

CURLMcode idem_multi_add_handle(struct multi *multi, struct shadow *shadow, const struct idem_rule *rule)
{
  struct multi_call *f = calloc(1, sizeof(*f));
  if (!f) {
    report_problem(PROBLEM_NO_MEMORY, "no memory for a call");
    return settings_replays_tape() ? CURLM_OUT_OF_MEMORY
                                   : multi->lib->multi_add_handle(multi->handle, shadow->handle);
  }
  f->multi = multi;
  f->shadow = shadow;
  f->thread = pthread_self();
  shadow->multi_call = f;
  f->decision = (struct decision){.route = ROUTE_FOLLOW};
  f->unread = body_has_reader(shadow);
  multi->unread += f->unread;
  list(f);
  if (!f->unread)
    name(f, rule);
  CURLMcode code = multi->lib->multi_add_handle(multi->handle, shadow->handle);
  if (code != CURLM_OK)
    multi_call_abandon(f);
  return code;
}

/* The app may have changed options since it added the handle, as libcurl allows. */
static void read_body(struct multi_call *f)
{
  struct multi *multi = f->multi;
  const struct idem_rule *rule = shadow_rule(f->shadow, settings());
  if (!rule || multi->lib->multi_remove_handle(multi->handle, f->shadow->handle) != CURLM_OK) {
    release(f);
    return;
  }
  multi->unread--;
  f->unread = false;
  multi->in_reader = true;
  name(f, rule);
  multi->in_reader = false;
  if (multi->lib->multi_add_handle(multi->handle, f->shadow->handle) != CURLM_OK)
    report_problem(PROBLEM_NO_MEMORY, "a call whose body was read ahead could not be sent");
}

void multi_call_read(struct multi *multi)
{
  for (struct multi_call *f = multi && multi->unread ? multi->multi_calls : NULL, *next; f; f = next) {
    next = f->next;
    if (f->unread)
      read_body(f);
  }
}

/* Ending. */

/* A problem has been left, and so has what goes live without being the owner. */
static bool is_entered(const struct multi_call *f)
{
  return is_live(f) ? is_owner(f) : f->decision.route != ROUTE_PROBLEM;
}

static void end_transport(struct multi_call *f, CURLcode code)
{
  struct request *request = &f->request;
  bool answered = f->decision.route == ROUTE_TRANSPORT;
  transport_disarm(&f->transport, code);
  if (answered)
    request_delivered(request, "transport");
  recorder_end_replay(request, code, answered ? (request->op.waited ? TAPE_JOIN : TAPE_HIT) : TAPE_REJECT);
  if (is_entered(f))
    request_leave(request, answered && code == CURLE_OK);
}

CURLcode multi_call_end(struct multi_call *f, CURLcode code)
{
  if (!f->unread && !f->starved && f->request.tape.played)
    code = playback_end(&f->request, code ? code : playback_trailers(&f->request));
  else if (code == CURLE_OK && stream_is_joined(&f->request))
    code = transport_settle(&f->transport);
  if (f->starved)
    code = end_starved(f);
  else if (is_sent(f))
    live_end(&f->live, code);
  else if (is_played(f))
    end_transport(f, code);
  release(f);
  return code;
}

void multi_call_abandon(struct multi_call *f)
{
  if (f->starved)
    end_starved(f);
  else if (is_sent(f))
    live_abandon(&f->live);
  else if (is_played(f))
    end_transport(f, CURLE_ABORTED_BY_CALLBACK);
  release(f);
}

/* Rescue. */

static void carry_on(struct multi *multi)
{
  for (struct multi_call *f = multi ? multi->multi_calls : NULL; f; f = f->next)
    if (is_sent(f) && rescue_is_copy(&f->live.rescue))
      copy_finish(&f->live.rescue);
}

void multi_call_guard(struct multi *multi)
{
  for (struct multi_call *f = multi->multi_calls; f; f = f->next)
    if (is_sent(f)) {
      stream_publish_look(&f->live.publish);
      rescue_look_after(&f->live.rescue);
    }
  carry_on(multi);
}

void multi_call_rescue(struct multi *multi)
{
  for (struct multi_call *f = multi ? multi->multi_calls : NULL; f; f = f->next)
    if (is_sent(f)) {
      rescue_look(&f->live.rescue);
      if (rescue_is_copy(&f->live.rescue))
        copy_finish(&f->live.rescue);
    }
}

void multi_call_give_up(struct multi_call *f, const char *why)
{
  if (!is_sent(f))
    return;
  rescue_now(&f->live.rescue, why);
  if (rescue_is_copy(&f->live.rescue))
    copy_finish(&f->live.rescue);
}

void multi_call_give_up_all(struct multi *multi, const char *why)
{
  for (struct multi_call *f = multi->multi_calls; f; f = f->next)
    multi_call_give_up(f, why);
}

/* Going live. */

static void go_live(struct multi_call *f)
{
  const struct libcurl *real = f->multi->lib;
  f->settles = false;
  real->multi_remove_handle(f->multi->handle, f->shadow->handle);
  transport_disarm(&f->transport, CURLE_OK);
  live_begin(&f->live, &f->request, f->decision.kind);
  if (real->multi_add_handle(f->multi->handle, f->shadow->handle) != CURLM_OK)
    report_problem(PROBLEM_NO_MEMORY, "a call that waited for another could not be sent");
}

void multi_call_settle(struct multi *multi)
{
  for (struct multi_call *f = multi->multi_calls, *next; f; f = next) {
    next = f->next;
    if (f->settles)
      go_live(f);
  }
}

void multi_call_lock(void)
{
  pthread_mutex_lock(&lock);
}

void multi_call_unlock(void)
{
  pthread_mutex_unlock(&lock);
}

void multi_call_begin_anew(void)
{
  for (struct multi_call *f = anywhere; f; f = f->next_anywhere)
    f->sends = false;
  pthread_mutex_unlock(&lock);
}
