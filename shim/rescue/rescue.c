/* SPDX-License-Identifier: MIT */
#include "shim/rescue/rescue.h"

#include "shim/handle/overrides.h"
#include "shim/live/keepalive.h"
#include "shim/live/prerequest.h"
#include "shim/live/stream_publish.h"
#include "shim/replay/progress.h"
#include "shim/request/request_event.h"
#include "shim/rescue/copy_driver.h"
#include "shim/rescue/deadline.h"
#include "shim/rescue/eligible.h"
#include "shim/rescue/inflight.h"
#include "shim/rescue/process_copy.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"

#include <pthread.h>
#include <sys/select.h>

#define LOOK_US 250000

/* The two sides. */

/* Makes libcurl look at this transfer now. Its socket is dead, so no event will; unpausing marks it for the
 * next step. */
static void wake(const struct rescue *rescue)
{
  const struct shadow *shadow = rescue->request->shadow;
  int paused = rescue->tee->app_paused ? CURLPAUSE_RECV : 0;
  shadow->lib->easy_pause(shadow->handle, paused | CURLPAUSE_SEND);
  shadow->lib->easy_pause(shadow->handle, paused);
}

/* The copy calls no callback of the app's, writes to no stream and no buffer of it, and knows none of its
 * limits. It never restores them. */
static void free_of_app(struct rescue *rescue)
{
  static const CURLoption none[] = {
      CURLOPT_DEBUGFUNCTION,     CURLOPT_SOCKOPTFUNCTION,  CURLOPT_OPENSOCKETFUNCTION,
      CURLOPT_XFERINFOFUNCTION,  CURLOPT_PROGRESSFUNCTION, CURLOPT_SSL_CTX_FUNCTION,
      CURLOPT_IOCTLFUNCTION,     CURLOPT_ERRORBUFFER,      CURLOPT_RESOLVER_START_FUNCTION,
      CURLOPT_HSTSWRITEFUNCTION, CURLOPT_VERBOSE,          CURLOPT_MAX_RECV_SPEED_LARGE,
      CURLOPT_LOW_SPEED_LIMIT,   CURLOPT_LOW_SPEED_TIME,
  };
  const struct shadow *shadow = rescue->request->shadow;
  const struct libcurl *real = shadow->lib;
  for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
    real->easy_setopt(shadow->handle, none[i], 0L);
  real->easy_setopt(shadow->handle, CURLOPT_NOPROGRESS, 1L);
  real->easy_setopt(shadow->handle, CURLOPT_TIMEOUT_MS, deadline_of_rescue_ms(rescue, monotonic_us()));
}

static void refuse(struct rescue *rescue, const char *reason)
{
  rescue->state = RESCUE_OFF;
  request_bypass(rescue->request, reason);
}

/* False for a Unix socket: its connection is that of the only transfer in libcurl's own multi. */
static bool has_ports(const struct shadow *shadow)
{
  return !shadow->slot[SLOT_UNIX_SOCKET_PATH] && !shadow->slot[SLOT_ABSTRACT_UNIX_SOCKET];
}

/* A libcurl before 7.80 has not said when the request goes out, so that a connection that was there before
 * may not be kept alive yet. */
static void find_sockets(struct rescue *rescue)
{
  const struct shadow *shadow = rescue->request->shadow;
  rescue->sockets.watched = multi_of(shadow) != NULL;
  if (!has_ports(shadow))
    return;
  rescue->sockets.count = 0;
  connection_find(shadow, &rescue->sockets);
  for (unsigned i = 0; i < rescue->sockets.count; i++)
    keepalive_tell(rescue->request, rescue->sockets.fd[i]);
}

bool rescue_in_copy;

static void become_copy(struct rescue *rescue)
{
  const struct shadow *shadow = rescue->request->shadow;
  rescue_in_copy = true;
  rescue->state = RESCUE_COPY;
  rescue->tee->app_gone = true;
  process_copy_kill_after(PROCESS_COPY_TURN_SECONDS);
  free_of_app(rescue);
  if (multi_of(shadow))
    copy_mute_others(multi_of(shadow), shadow);
  /* Whoever gives a call up asks for it again. */
  rescue->publish->wanted = true;
  stream_publish_look(rescue->publish);
}

/* repeats=fresh: an identical call is the same one from here on. */
static void note_given_up(struct request *request)
{
  struct idem_error why = {""};
  request->op.given_up = true;
  if (request->api->sent(request->store, &request->op, &why) < 0)
    report_problem(PROBLEM_STORE_FAILED, "%s", why.text);
}

static const char *against_copy(const struct rescue *rescue)
{
  if (process_copy_resident() > settings()->rescue_size)
    return "not rescued: the program is larger than IDEMSHIM_RESCUE_SIZE";
  return eligible_reason(rescue->request, rescue->tee, &rescue->sockets);
}

static void part_uncancelled(struct rescue *rescue, const char *why)
{
  guard_dismiss(&rescue->guard);
  if (!rescue->request->rule->rescue_ms) {
    rescue->state = RESCUE_OFF;
    return;
  }
  find_sockets(rescue);
  const char *against = against_copy(rescue);
  if (against) {
    refuse(rescue, against);
    return;
  }
  note_given_up(rescue->request);
  enum handoff_side side =
      handoff_make(&rescue->handoff, rescue->request, &rescue->sockets, PROCESS_COPY_TURN_SECONDS, NULL);
  switch (side) {
  case HANDOFF_COPY:
    become_copy(rescue);
    break;
  case HANDOFF_OWNER:
    rescue->state = RESCUE_AWAY;
    stream_publish_stop(rescue->publish);
    inflight_handed_off(rescue->entry);
    override_set(rescue->request->shadow, CURLOPT_FORBID_REUSE, 1);
    request_event(rescue->request, "rescue", why, 0, (monotonic_us() - rescue->request->started_us) / 1000);
    break;
  case HANDOFF_FAILED:
    refuse(rescue, rescue->handoff.reason);
    break;
  }
}

/* A thread that its app has cancelled gives its call up before it ends; a copy is not the app's to cancel. */
static void part(struct rescue *rescue, const char *why)
{
  int cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  part_uncancelled(rescue, why);
  if (rescue->state != RESCUE_COPY)
    pthread_setcancelstate(cancel, NULL);
}

/* A callback of the app's ends it. True in the copy, which carries on as if it had not. */
static bool rescue_instead(struct rescue *rescue, const char *why)
{
  if (rescue->state != RESCUE_READY || !prerequest_is_past(rescue->request))
    return false;
  part(rescue, why);
  return rescue->state == RESCUE_COPY;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
  struct rescue *rescue = user;
  struct progress progress = {.down_total = down_total, .down = down, .up_total = up_total, .up = up};
  if (rescue->state == RESCUE_COPY)
    return 0;
  tee_sign(rescue->tee, IDEM_SIGN_CALLBACK);
  int verdict = progress_ask(rescue->request->shadow, &progress);
  tee_sign(rescue->tee, IDEM_SIGN_CALLBACK_END);
  bool ends = verdict != 0 && verdict != CURL_PROGRESSFUNC_CONTINUE;
  return ends && rescue_instead(rescue, "progress callback") ? 0 : verdict;
}

/* Turns. */

/* Asks for the socket of a connection without ports: before each turn, for it is refused inside of one. */
static void learn_sockets(struct rescue *rescue)
{
  const struct libcurl *real = rescue->request->shadow->lib;
  if (has_ports(rescue->request->shadow))
    return;
  fd_set read, write, special;
  int last = -1;
  FD_ZERO(&read);
  FD_ZERO(&write);
  FD_ZERO(&special);
  if (real->multi_fdset(rescue->multi, &read, &write, &special, &last) != CURLM_OK || last < 0)
    return;
  rescue->sockets.count = 0;
  for (int fd = 0; fd <= last && rescue->sockets.count < CONNECTION_SOCKETS; fd++)
    if (FD_ISSET(fd, &read) || FD_ISSET(fd, &write))
      rescue->sockets.fd[rescue->sockets.count++] = fd;
}

static bool is_too_slow(struct rescue *rescue, int64_t now_us)
{
  const struct shadow *shadow = rescue->request->shadow;
  if (rescue->tee->app_paused)
    return false;
  curl_off_t bytes =
      shadow_info_size(shadow, CURLINFO_SIZE_DOWNLOAD_T) + shadow_info_size(shadow, CURLINFO_SIZE_UPLOAD_T);
  return low_speed_exceeded(&rescue->low_speed, shadow, bytes, now_us);
}

void rescue_resume(struct rescue *rescue)
{
  const struct shadow *shadow = rescue->request->shadow;
  if (rescue->state != RESCUE_COPY || !rescue->tee->app_paused)
    return;
  rescue->tee->app_paused = false;
  shadow->lib->easy_pause(shadow->handle, CURLPAUSE_CONT);
}

void rescue_look(struct rescue *rescue)
{
  if (rescue->state != RESCUE_READY)
    return;
  int64_t now_us = monotonic_us();
  /* Only with its first turn is it sure that turns are seen, and that we can keep the app's limit of
   * speed. What libcurl tells before is of the handle's last transfer. */
  if (!rescue->started_us) {
    rescue->started_us = rescue->low_speed.started_us = now_us;
    deadline_wake_each_second(rescue->request->shadow, true);
    return;
  }
  bool begun = prerequest_is_past(rescue->request);
  if (!begun && !override_has(rescue->request->shadow, CURLOPT_TIMEOUT_MS))
    return;
  rescue->out_of_speed = begun && is_too_slow(rescue, now_us);
  if (!rescue->out_of_speed && !deadline_has_come(rescue, now_us))
    return;
  if (begun)
    part(rescue, rescue->out_of_speed ? "too slow" : "timeout");
  if (rescue->state == RESCUE_COPY) {
    rescue_resume(rescue);
    return;
  }
  deadline_end(rescue);
  if (multi_of(rescue->request->shadow))
    wake(rescue);
}

int64_t rescue_next_look_us(const struct rescue *rescue, int64_t now_us)
{
  if (rescue->state == RESCUE_AWAY)
    return INT64_MAX;
  int64_t due = rescue->state == RESCUE_READY ? deadline_next_look_us(rescue, now_us) : INT64_MAX;
  return due < now_us + LOOK_US ? due : now_us + LOOK_US;
}

/* A whole turn is one callback where the app has some that we do not stand before. No other turn is: libcurl
 * itself may look for a name's address there, for as long as that takes. */
static void sign_callbacks(struct tee *tee, bool begin)
{
  static const CURLoption unseen[] = {CURLOPT_DEBUGFUNCTION,      CURLOPT_SOCKOPTFUNCTION,
                                      CURLOPT_OPENSOCKETFUNCTION, CURLOPT_SSL_CTX_FUNCTION,
                                      CURLOPT_XFERINFOFUNCTION,   CURLOPT_PROGRESSFUNCTION};
  bool called = false;
  for (size_t i = 0; begin && i < sizeof(unseen) / sizeof(*unseen) && !called; i++)
    called = shadow_value(tee->shadow, unseen[i]);
  bool changes = called != tee->app_called;
  tee->app_called = called;
  if (changes)
    tee_sign(tee, begin ? IDEM_SIGN_CALLBACK : IDEM_SIGN_CALLBACK_END);
}

struct rescue *rescue_turn(CURLM *multi)
{
  const struct inflight *entry = inflight_innermost();
  struct rescue *rescue = entry ? entry->rescue : NULL;
  if (!rescue)
    return NULL;
  rescue_resume(rescue);
  if (!rescue->multi)
    rescue->multi = multi;
  if (rescue->multi != multi)
    return NULL;
  driver_enter(&rescue->entry->own);
  tee_sign(rescue->tee, IDEM_SIGN_TURN);
  if (rescue->state == RESCUE_COPY)
    process_copy_kill_after(PROCESS_COPY_TURN_SECONDS);
  if (rescue->state == RESCUE_READY) {
    learn_sockets(rescue);
    rescue_look(rescue);
  }
  sign_callbacks(rescue->tee, true);
  return rescue;
}

/* In the guard it comes back, if ever, as in the copy. */
static void be_guarded(struct rescue *rescue, uint64_t size_most, const char *why)
{
  if (guard_keep(&rescue->guard, rescue->request, &rescue->sockets, deadline_of_copy_seconds(rescue),
                 size_most) != GUARD_COPY)
    return;
  note_given_up(rescue->request);
  become_copy(rescue);
  request_event(rescue->request, "rescue", why, 0, -1);
}

bool rescue_wants_guard(const struct rescue *rescue)
{
  return rescue->state == RESCUE_READY && rescue->request->rule->guard && !rescue->guard.barred &&
         rescue->tee->first_us < 0;
}

/* Its connection is not searched for again, which costs more with each descriptor of the process. */
static bool is_guarded(const struct rescue *rescue)
{
  const struct transfer_sockets *sockets = &rescue->sockets;
  return sockets->count == 1 && connection_is(rescue->request->shadow, sockets->fd[0]) &&
         guard_holds(&rescue->guard, sockets);
}

/* Makes a guard, or makes it anew, while nothing of the answer has come. */
static void keep_guard(struct rescue *rescue)
{
  if (rescue->tee->first_us >= 0) {
    guard_dismiss(&rescue->guard);
    return;
  }
  if (rescue->guard.barred || !eligible_is_sent_whole(rescue->request) || is_guarded(rescue))
    return;
  find_sockets(rescue);
  if (eligible_reason(rescue->request, rescue->tee, &rescue->sockets))
    rescue->guard.barred = true;
  else
    be_guarded(rescue, settings()->guard_size, "its owner was killed");
}

void rescue_look_after(struct rescue *rescue)
{
  if (deadline_was_passed(rescue))
    wake(rescue);
  else if (rescue->state == RESCUE_READY && rescue->request->rule->guard)
    keep_guard(rescue);
}

/* A transfer that is over stays inside: what becomes of it is being noted down. */
void rescue_turned(struct rescue *rescue, int running)
{
  sign_callbacks(rescue->tee, false);
  stream_publish_look(rescue->publish);
  rescue_look_after(rescue);
  if (running)
    driver_leave(&rescue->entry->own);
}

static bool is_under_way(const struct rescue *rescue)
{
  return rescue->state == RESCUE_READY && rescue->started_us && prerequest_is_past(rescue->request);
}

void rescue_now(struct rescue *rescue, const char *why)
{
  if (!is_under_way(rescue))
    return;
  part(rescue, why);
  rescue_resume(rescue);
}

void rescue_at_exit(struct rescue *rescue)
{
  static const char why[] = "the program has ended";
  if (!is_under_way(rescue))
    return;
  find_sockets(rescue);
  if (rescue->sockets.watched && rescue->sockets.count == 1 && has_ports(rescue->request->shadow) &&
      !against_copy(rescue))
    be_guarded(rescue, UINT64_MAX, why);
  else
    rescue_now(rescue, why);
  rescue_resume(rescue);
}

/* Beginning and end. */

static void on_about_to_send(void *self)
{
  deadline_hold(self);
}

static void on_status(void *self, int status)
{
  deadline_note_status(self, status);
}

static bool on_refused(void *self, const char *who)
{
  return rescue_instead(self, who);
}

void rescue_begin(struct rescue *rescue, struct tee *tee, struct stream_publish *publish,
                  struct inflight *entry, void (*on_copied)(struct rescue *rescue, CURLcode code))
{
  struct request *request = tee->request;
  struct shadow *shadow = request->shadow;
  *rescue = (struct rescue){.request = request,
                            .tee = tee,
                            .publish = publish,
                            .listener = {.self = rescue,
                                         .about_to_send = on_about_to_send,
                                         .status = on_status,
                                         .refused = on_refused},
                            .entry = entry,
                            .on_copied = on_copied,
                            .handoff = HANDOFF_NONE,
                            .guard = GUARD_NONE};
  entry->rescue = rescue;
  process_copy_reap();
  if (multi_of(shadow))
    deadline_wake_each_second(shadow, false);
  if (!request->rule->rescue_ms && !request->rule->guard)
    return;
  rescue->state = RESCUE_READY;
  tee_listen(tee, &rescue->listener);
  if (!shadow->slot[SLOT_NOPROGRESS] &&
      (shadow->slot[SLOT_XFERINFOFUNCTION] || shadow->slot[SLOT_PROGRESSFUNCTION])) {
    override_set(shadow, CURLOPT_XFERINFOFUNCTION, on_progress);
    override_set(shadow, CURLOPT_XFERINFODATA, rescue);
  }
}

void rescue_end(struct rescue *rescue)
{
  if (rescue->state == RESCUE_COPY)
    return;
  guard_dismiss(&rescue->guard);
  handoff_end(&rescue->handoff);
  if (rescue->out_of_speed)
    low_speed_error(rescue->request->shadow);
}

void rescue_leave(struct rescue *rescue)
{
  inflight_leave(rescue->entry);
  driver_enter(&rescue->entry->own);
  if (rescue->state == RESCUE_READY && !rescue->multi && prerequest_is_past(rescue->request))
    report_problem(PROBLEM_NO_TURNS,
                   "this libcurl does not turn its loop by way of us: timed-out calls are not finished");
}
