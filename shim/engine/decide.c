/* SPDX-License-Identifier: MIT */
#include "shim/engine/decide.h"

#include "shim/base/fd_table.h"
#include "shim/base/http_header.h"
#include "shim/engine/budget.h"
#include "shim/live/prerequest.h"
#include "shim/replay/direct.h"
#include "shim/replay/faults.h"
#include "shim/replay/stream_follow.h"
#include "shim/replay/zero_usage.h"
#include "shim/request/headers.h"
#include "shim/request/request_event.h"
#include "shim/rescue/fork.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/runtime/vitals.h"
#include "shim/tape/playback.h"
#include "shim/tape/recorder.h"
#include "shim/transport/transport.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct decision untouched(void)
{
  return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_UNTOUCHED};
}

struct decision decide_untouched(struct request *request, const char *reason)
{
  vitals_note_passed(reason);
  request_bypass(request, reason);
  return untouched();
}

struct decision decide_live(struct request *request, const char *reason)
{
  request_leave(request, false);
  return decide_untouched(request, reason);
}

/* True if an answer cannot be told by the app's callbacks alone, so that libcurl has to tell it. With a tape
 * this holds for options that otherwise make a call live, too: a replay never goes out. */
static bool needs_libcurl(const struct request *request)
{
  const struct shadow *shadow = request->shadow;
  char room[24];
  bool keeps_cookies = shadow->cookie_engine || shadow->shared;
  return shadow_needs(shadow, NEEDS_TRANSPORT, room) || shadow_needs(shadow, NEEDS_LIVE, room) ||
         (keeps_cookies && header_find(request->op.answer.headers, "set-cookie").data);
}

static struct decision played(const struct request *request, bool direct)
{
  return (struct decision){.route = direct && !needs_libcurl(request) ? ROUTE_DIRECT : ROUTE_TRANSPORT};
}

/* The tape's outcome. */
static struct decision play(struct request *request, bool direct)
{
  if (!playback_find(request)) {
    recorder_begin(request, false);
    return untouched();
  }
  return played(request, direct);
}

/* Who samples one prompt many times gets one answer many times, and is told that there is another way. A
 * place has a piece of the key and when its answer was given last; where two keys share one, it is told
 * later. Nothing is written but once a second, for threads with one hot key would each wait for the line of
 * the other. */
static void tell_sampler(const struct request *request)
{
  enum { PLACES = 256, WITHIN_SECONDS = 60, SECONDS = 0xffffff };
  static _Atomic uint64_t given[PLACES];
  const struct idem_request *bytes = &request->bytes;
  uint64_t key;
  if (!request->op.sampled || request->rule->repeats != IDEM_REPEATS_REPLAY)
    return;
  memcpy(&key, request->op.key, sizeof(key));
  _Atomic uint64_t *place = &given[key % PLACES];
  uint64_t now = (key & ~(uint64_t)SECONDS) | ((uint64_t)(monotonic_coarse_us() / 1000000) & SECONDS);
  uint64_t before = atomic_load_explicit(place, memory_order_relaxed);
  if (before != now)
    atomic_store_explicit(place, now, memory_order_relaxed);
  if (!((before ^ now) & ~(uint64_t)SECONDS) && ((now - before) & SECONDS) < WITHIN_SECONDS &&
      report_first(request->rule, ONCE_SAMPLED))
    report_line(
        "the same call to %.*s%.*s, which samples, was answered from the store twice within a minute; "
        "for a sample each time: repeats=auto (rule %s %d)",
        (int)bytes->origin.len, bytes->origin.data, (int)bytes->path.len, bytes->path.data,
        request->rule->origin, request->rule->number);
}

static struct decision on_hit(struct request *request, bool direct)
{
  char room[24];
  const char *reason = shadow_needs(request->shadow, NEEDS_TRANSPORT, room);
  if (request->op.mismatched)
    request_event(request, "mismatch", "the first answer is replayed", 0, -1);
  tell_sampler(request);
  if (request->rule->usage == IDEM_USAGE_ZERO)
    zero_usage(request);
  if (direct && !reason && !direct_refuses(request, &request->op.answer))
    return (struct decision){.route = ROUTE_DIRECT};
  reason = transport_refuses(request);
  return reason ? decide_live(request, reason) : (struct decision){.route = ROUTE_TRANSPORT};
}

struct decision decide_stream(struct request *request, bool direct)
{
  const struct shadow *shadow = request->shadow;
  char room[24];
  stream_follow_join(request);
  /* How long it gets nobody knows yet, so libcurl is left to watch MAXFILESIZE. */
  if (direct && !shadow->slot[SLOT_MAXFILESIZE_LARGE] && !shadow_needs(shadow, NEEDS_TRANSPORT, room) &&
      !direct_refuses(request, &request->op.answer))
    return (struct decision){.route = ROUTE_DIRECT};
  if (!transport_refuses(request))
    return (struct decision){.route = ROUTE_TRANSPORT};
  stream_follow_refuse(request);
  return (struct decision){.route = ROUTE_FOLLOW};
}

/* Once on stderr for each rule and header in a process, and an event each time. */
static void tell_drift(struct request *request)
{
  enum { TOLD_MOST = 64 };
  static _Atomic uint64_t told[TOLD_MOST];
  const char *names = request->op.drift;
  /* FNV-1a of rule and names. The lowest bit keeps it from 0, which is a free place; when all have been
   * taken, nothing more is said. */
  uint64_t hash = (uint64_t)(uintptr_t)request->rule;
  for (const char *c = names; *c; c++)
    hash = (hash ^ (unsigned char)*c) * 1099511628211u;
  request_event(request, "header_drift", names, 0, -1);
  for (int i = 0; i < TOLD_MOST; i++) {
    uint64_t there = 0;
    if (atomic_compare_exchange_strong(&told[i], &there, hash | 1)) {
      char left_out[2 * sizeof(request->op.drift)] = "-";
      for (size_t from = 0, to = 1; names[from] && to < sizeof(left_out) - 2; from++) {
        left_out[to++] = names[from];
        if (names[from] == ',')
          left_out[to++] = '-';
      }
      report_line_to_stderr(
          "the same call was answered before under another %s; if it does not change the answer: "
          "vary=*,%s",
          names, left_out);
      return;
    }
    if (there == (hash | 1))
      return;
  }
}

/* What it means to send the request again, by what the provider does with idempotency keys. */
static const char resent[][120] = {
    [IDEM_UPSTREAM_KEY_UNKNOWN] = "sent before, with no known outcome; sent again",
    [IDEM_UPSTREAM_KEY_HONOURED] =
        "sent before, with no known outcome; sent again with its key, which the provider honours",
    [IDEM_UPSTREAM_KEY_IGNORED] = "sent before, with no known outcome; sent again, and the provider ignores "
                                  "its key: it may be paid for twice",
    [IDEM_UPSTREAM_KEY_REFUSED] = "sent before, with no known outcome; sent again without a key, which the "
                                  "provider refuses to take twice",
};

static struct decision refuse(struct request *request, const struct own_answer *problem)
{
  request_leave(request, false);
  return (struct decision){.route = ROUTE_PROBLEM, .problem = problem};
}

/* A call of which nothing can be written down. At most once means: not without that. Without a reason it goes
 * out as what the store does not know; why, is told already. */
static struct decision unrecorded(struct request *request, const char *reason)
{
  if (request->rule->indoubt == IDEM_INDOUBT_FAIL)
    return refuse(request, &own_answers_unrecorded);
  return reason ? decide_live(request, reason) : untouched();
}

/* Mostly an app has one key and its SDK adds another, made anew for each try: then no
 * retry is known as one. */
static void tell_several_keys(struct request *request)
{
  static _Atomic bool told;
  request_event(request, "several_keys", NULL, 0, -1);
  if (!atomic_exchange(&told, true))
    report_line_to_stderr("a call carries more than one key in a header that names calls, such as two lines "
                          "of Idempotency-Key; "
                          "they name it together, so that a retry with another one of them is another call");
}

static struct decision on_owned(struct request *request)
{
  if (!fd_are_free(FD_LIBCURL_NEEDS)) {
    struct decision decision = unrecorded(request, "few descriptors are left");
    store_object_give_back();
    return decision;
  }
  if (request->op.expired)
    request_event(request, "expired", NULL, 0, -1);
  if (request->op.resent)
    request_event(request, "in_doubt", resent[request->shadow->upstream_key], 0, -1);
  if (request->op.drift[0])
    tell_drift(request);
  if (request->op.unread)
    request_event(request, "unread", "the body is no JSON, so that ignore= and redact= find nothing in it", 0,
                  -1);
  if (request->op.several_keys)
    tell_several_keys(request);
  request_tell_sample(request);
  if (request->op.churned)
    request_event(request, "key_churn", "the same content was sent under another key", 0, -1);
  return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_OWNED};
}

static struct decision on_mismatch(struct request *request)
{
  bool reject = request->rule->mismatch == IDEM_MISMATCH_REJECT;
  request_event(request, "mismatch", reject ? "rejected" : "sent untouched", 0, -1);
  return reject ? refuse(request, &own_answers_mismatch) : decide_live(request, "mismatch");
}

static struct decision on_doubt(struct request *request)
{
  request_event(request, "in_doubt",
                request->op.beside ? "under way already; refused"
                                   : "sent before, with no known outcome; refused",
                0, -1);
  return refuse(request, &own_answers_in_doubt);
}

/* Waiting for what this thread itself has to carry on would be for ever; and so many are under way that it
 * need not be one more of them. */
static struct decision on_busy(struct request *request)
{
  const char *reason = request->op.passed == IDEM_PASS_ALL ? "wait" : inflight_would_block(request);
  if (!reason)
    return (struct decision){.route = ROUTE_FOLLOW};
  if (request->rule->indoubt != IDEM_INDOUBT_FAIL)
    return decide_live(request, reason);
  request_event(request, "in_doubt", reason, 0, -1);
  return refuse(request, &own_answers_in_doubt);
}

static struct decision route_of(struct request *request, bool direct)
{
  enum { STORES_TRIED = 3 };
  struct idem_error error; /* not zeroed: it is long, and a hit does not look at it */
  error.text[0] = '\0';
  int64_t limit_ms = (long)request->shadow->slot[SLOT_TIMEOUT_MS];
  request->op.deadline_us =
      limit_ms > 0 && limit_ms < INT64_MAX / 2000 ? request->started_us + limit_ms * 1000 : 0;
  /* With libcurl's prerequest callback the claim's durable half is written once there is a connection, and
   * without it by enter(). */
  request->op.defers = prerequest_is_supported(request->shadow);
  request->op.honoured = request->shadow->upstream_key == IDEM_UPSTREAM_KEY_HONOURED;
  enum idem_verdict verdict = request->api->enter(request->store, &request->bytes, &request->op, &error);
  for (int i = 0;
       verdict == (enum idem_verdict) - ESTALE && i < STORES_TRIED && store_object_renew(&request->store);
       i++) {
    /* Owners in the old one are none in this one. */
    request->op.passed = request->rule->wait_ms ? 0 : IDEM_PASS_ALL;
    error.text[0] = '\0';
    verdict = request->api->enter(request->store, &request->bytes, &request->op, &error);
  }
  if (request->op.fleet_event) {
    if (strcmp(request->op.fleet_event, "fleet_alone") != 0 || report_first(request->rule, ONCE_ALONE))
      report_line_to_stderr("%s", error.text);
    request_event(request, request->op.fleet_event, error.text, 0, -1);
  }
  if (verdict == IDEM_HIT)
    return on_hit(request, direct);
  /* Asked this late, for it is a system call, and a hit makes none. */
  bool entered = verdict == IDEM_OWNED || verdict == IDEM_BUSY || verdict == IDEM_IN_DOUBT;
  if (entered && !process_is_the_owner())
    return unrecorded(request, "a child that shares its parent's memory");
  switch (verdict) {
  case IDEM_OWNED:
    return request->rule->access == IDEM_ACCESS_READ ? decide_live(request, "access=read")
                                                     : on_owned(request);
  case IDEM_IN_DOUBT:
    return on_doubt(request);
  case IDEM_MISMATCH:
    return on_mismatch(request);
  case IDEM_NO_KEY:
    return decide_live(request, "no key");
  case IDEM_NO_TENANT:
    return decide_live(request, "no tenant");
  case IDEM_BUSY:
    return on_busy(request);
  default:
    report_problem(PROBLEM_STORE_FAILED, "%s", error.text);
    request_event(request, "store_error", error.text, 0, -1);
    if (!fd_are_free(FD_LIBCURL_NEEDS))
      store_object_give_back();
    return unrecorded(request, NULL);
  }
}

/* A call that cannot be named may not be answered by us either: it is counted, and goes out. */
static struct decision ask(struct request *request, bool direct)
{
  struct decision decision = route_of(request, direct);
  if (decision.route == ROUTE_LIVE && decision.kind == LIVE_OWNED && budget_is_repeated(request))
    return refuse(request, &own_answers_repeats);
  if (decision.route != ROUTE_LIVE || !budget_is_spent(request) || decision.kind != LIVE_OWNED)
    return decision;
  return refuse(request, &own_answers_budget);
}

/* A thread that is cancelled with a claim, before the call is in the list of those under way,
 * would never let it go. */
struct decision decide_again(struct request *request, bool direct)
{
  int cancel;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
  struct decision decision = ask(request, direct);
  pthread_setcancelstate(cancel, NULL);
  return decision;
}

/* Says once for a rule why its calls are not kept, and what would change that. */
static void say_left_alone(const struct request *request, enum once what, const char *why)
{
  const struct idem_request *bytes = &request->bytes;
  if (report_first(request->rule, what))
    report_line_to_stderr("%.*s%.*s is not stored: %s", (int)bytes->origin.len, bytes->origin.data,
                          (int)bytes->path.len, bytes->path.data, why);
}

static struct idem_span cache_control(const struct request *request)
{
  const size_t len = strlen("cache-control:");
  for (size_t i = 0; i < request->bytes.header_count; i++) {
    struct idem_span line = request->bytes.headers[i];
    if (header_says(line, "cache-control"))
      return (struct idem_span){line.data + len, line.len - len};
  }
  return (struct idem_span){NULL, 0};
}

static bool says(struct idem_span value, const char *directive)
{
  size_t len = strlen(directive);
  for (size_t i = 0; i + len <= value.len; i++)
    if (strncasecmp(value.data + i, directive, len) == 0)
      return true;
  return false;
}

/* Returns why the call is to be as if we were not there, because of its caller or of its path; or NULL. */
static const char *left_alone(struct request *request)
{
  char hint[256];
  const struct idem_rule *rule = request->rule;
  if (request->shadow->stateful) {
    snprintf(hint, sizeof(hint),
             "each call to it seems to make something of its own; a rule stores it: host=%s path=%.*s",
             rule->host, (int)request->bytes.path.len, request->bytes.path.data);
    say_left_alone(request, ONCE_STATEFUL, hint);
    return "a path that looks stateful";
  }
  request->op.skip_answers = rule->access == IDEM_ACCESS_WRITE;
  struct idem_span control = cache_control(request);
  if (!control.len || rule->ignore_cache_control)
    return NULL;
  /* RFC 9111, 5.2.1.5: neither looked up nor kept. no-cache below (5.2.1.4) is refused only what some app has
   * had already. */
  if (says(control, "no-store")) {
    say_left_alone(
        request, ONCE_NO_STORE,
        "the request says Cache-Control: no-store; ignore_cache_control=on stores it all the same");
    return "Cache-Control: no-store";
  }
  request->op.skip_delivered = says(control, "no-cache");
  if (request->op.skip_delivered && report_first(rule, ONCE_NO_CACHE))
    report_line_to_stderr(
        "%.*s%.*s is answered from the store only until an app has got its answer: the request says "
        "Cache-Control: no-cache; ignore_cache_control=on replays it all the same",
        (int)request->bytes.origin.len, request->bytes.origin.data, (int)request->bytes.path.len,
        request->bytes.path.data);
  return NULL;
}

struct decision decide_first(struct request *request, struct shadow *shadow, const struct idem_rule *rule,
                             bool direct)
{
  const struct idem_config *config = settings();
  char room[24];
  bool tape_only = config->mode == IDEM_MODE_RECORD || config->mode == IDEM_MODE_REPLAY;
  vitals_count_call();
  direct = direct && config->delivery != IDEM_DELIVERY_TRANSPORT;
  request->started_us = monotonic_us();
  request->store = NULL;
  request->op.run = 0;
  fork_register();
  request->api = tape_only ? NULL : store_object_open(&request->store);
  /* From here on it is noted if the app changes what the request is named by. */
  shadow_begin(shadow);
  const char *reason = request_open(request, shadow, rule, room);
  if (!reason && shadow->disturbed)
    reason = "options changed while it waited";
  if (config->mode == IDEM_MODE_REPLAY)
    return play(request, direct);
  /* Notes and records are those of the process that the memory belongs to. */
  if ((config->tape_dir || config->mode == IDEM_MODE_OBSERVE) && !process_is_the_owner())
    return untouched();
  if (config->tape_dir)
    recorder_begin(request, reason != NULL);
  if (!request->api)
    return reason || config->mode != IDEM_MODE_IDEMPOTENT || left_alone(request) ? untouched()
                                                                                 : unrecorded(request, NULL);
  report_count(IDEM_COUNTER_calls);
  if (config->fault_count && faults_make(request))
    return played(request, direct);
  if (!reason)
    reason = left_alone(request);
  if (reason && strcmp(reason, "SSL_CTX_FUNCTION") == 0)
    say_left_alone(request, ONCE_SSL_CTX,
                   "CURLOPT_SSL_CTX_FUNCTION may change whom it trusts; trust=verify stores it all the same");
  if (reason && strcmp(reason, "HTTPAUTH and no user") == 0)
    say_left_alone(request, ONCE_LOGIN,
                   "CURLOPT_HTTPAUTH may log it in as whoever runs the program, and nothing names that user; "
                   "tenant=none stores it all the same");
  if (reason && strncmp(reason, "option ", strlen("option ")) == 0) {
    char why[64];
    snprintf(why, sizeof(why), "%s is newer than this idemshim", reason);
    say_left_alone(request, ONCE_NEWER, why);
  }
  if (reason) {
    (void)budget_is_spent(request);
    return decide_untouched(request, reason);
  }
  if (config->mode == IDEM_MODE_OBSERVE)
    return (struct decision){.route = ROUTE_LIVE, .kind = LIVE_OBSERVED};
  /* wait=0: whoever has it is not waited for. */
  request->op.passed = rule->wait_ms ? 0 : IDEM_PASS_ALL;
  return decide_again(request, direct);
}
