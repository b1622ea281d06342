/* SPDX-License-Identifier: MIT */
/* A transfer's end has an order. The handle is the app's again first. Then the tape has its record, and the
 * store the answer, whose commit may wait for the disk and, in a multi, for those of others. The claim goes
 * last, so that who finds it free finds the answer, too. */
#include "shim/engine/live.h"

#include "shim/base/http_header.h"
#include "shim/base/span.h"
#include "shim/engine/budget.h"
#include "shim/handle/overrides.h"
#include "shim/info/info.h"
#include "shim/live/keepalive.h"
#include "shim/live/tee.h"
#include "shim/live/upstream_key.h"
#include "shim/request/request_event.h"
#include "shim/request/request_time.h"
#include "shim/rescue/at_exit.h"
#include "shim/rescue/process_copy.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/vitals.h"
#include "shim/tape/recorder.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The transfer was as long as its header says. libcurl itself sees to that, unless the
 * app has told it not to. */
static bool is_of_its_length(const struct shadow *shadow, struct idem_span block, size_t body_len)
{
  struct idem_span length = header_find(block, "content-length");
  return length.data && (!shadow_has_need(shadow, CURLOPT_IGNORE_CONTENT_LENGTH) ||
                         strtoull(length.data, NULL, 10) == body_len);
}

/* Some responses have no body, and HTTP/2 and later frame every one; before, a length or chunks tell its end,
 * or else the connection's end does. */
static bool is_framed(const struct shadow *shadow, struct idem_span block, size_t body_len)
{
  long version = shadow_info_long(shadow, CURLINFO_HTTP_VERSION);
  long status = shadow_info_long(shadow, CURLINFO_RESPONSE_CODE);
  return shadow->no_body || status == 204 || status == 304 || version >= CURL_HTTP_VERSION_2_0 ||
         header_is_chunked(block) || is_of_its_length(shadow, block, body_len);
}

/* Its spans are the tee's, and stand until tee_release(). */
static struct idem_recording make_recording(const struct live *live)
{
  const struct tee *tee = &live->tee;
  const struct shadow *shadow = tee->shadow;
  struct idem_span headers = {tee->headers.data, tee->headers.len};
  struct idem_span block = header_last_block(headers);
  return (struct idem_recording){
      .status = (int)shadow_info_long(shadow, CURLINFO_RESPONSE_CODE),
      .started_us = live->started_us,
      .duration_ms = (uint32_t)((monotonic_us() - tee->started_us) / 1000),
      .headers = headers,
      .body = {tee->body.data, tee->body.len},
      .facts = {live->facts.data, live->facts.len},
      .chunks = (const struct idem_chunk *)tee->chunks.data,
      .chunk_count = tee->chunks.len / sizeof(struct idem_chunk),
      .encoded = header_is_encoded(headers, shadow_decodes(shadow)),
      .framed = is_framed(shadow, block, tee->body.len),
      .delivered = !rescue_is_copy(&live->rescue),
      .judge = live->judge,
      .trailers = {tee->trailers.data, tee->trailers.len},
  };
}

/* The body is judged while it comes, so that nothing is left to do after its last byte. */
static void on_chunk(void *self, const char *data, size_t len)
{
  struct live *live = self;
  const struct tee *tee = &live->tee;
  const struct idem_store_api *api = live->request->api;
  struct idem_span headers = {tee->headers.data, tee->headers.len};
  if (tee->unfit || !len)
    return;
  /* With the first piece or not at all: a judge that has not seen the beginning is of no use. */
  if (!live->judge && tee->body.len == len)
    live->judge = api->judge_new(headers, header_is_encoded(headers, shadow_decodes(tee->shadow)));
  if (live->judge)
    api->judge_feed(live->judge, (struct idem_span){data, len});
}

static void free_judge(struct live *live)
{
  if (live->judge)
    live->request->api->judge_free(live->judge);
  live->judge = NULL;
}

/* Says, once for a rule, that an answer was not stored and that each repeat is paid for again. */
static void say_not_stored(const struct request *request, const char *reason)
{
  const struct idem_request *bytes = &request->bytes;
  if (report_first(request->rule, ONCE_NOT_STORED))
    report_line_to_stderr(
        "the answer of %.*s%.*s is not stored, and each repeat is paid for again: %s (rule %s %d)",
        (int)bytes->origin.len, bytes->origin.data, (int)bytes->path.len, bytes->path.data, reason,
        request->rule->origin, request->rule->number);
}

static void report_not_stored(const struct request *request, const char *reason, int status)
{
  report_count(IDEM_COUNTER_not_stored);
  report_want(reason);
  request_event(request, "not_stored", reason, status, -1);
}

/* Who counts replays by our marks is told where upstream sets them. */
static void note_marks(const struct live *live)
{
  struct idem_span block = header_last_block(span_of_buffer(&live->tee.headers)), line;
  while ((line = span_cut_line(&block)).len)
    if (header_is_mark(line.data, line.len)) {
      request_event(live->request, "upstream_mark", "upstream sends a header that marks a replay", 0, -1);
      return;
    }
}

static void report_commit(const struct live *live, int verdict, const struct idem_error *why)
{
  struct request *request = live->request;
  bool rescued = rescue_is_copy(&live->rescue);
  if (verdict < 0)
    report_problem(PROBLEM_ANSWER_NOT_STORED, "an answer could not be stored: %s", why->text);
  else if (request->op.unproven)
    say_not_stored(request, why->text);
  if (request->op.unstored)
    report_problem(PROBLEM_OTHERS_NOT_STORED, "%s", request->op.unstored);
  budget_report(request);
  if (verdict == IDEM_STORED && rescued)
    report_count(IDEM_COUNTER_rescued);
  request_event(request,
                verdict == IDEM_STORED ? (rescued ? "rescued" : "stored")
                : verdict < 0          ? "store_error"
                                       : "not_stored",
                verdict == IDEM_STORED ? NULL : why->text, live->recording.status,
                live->recording.duration_ms);
}

static void commit(struct live *live)
{
  struct request *request = live->request;
  struct idem_error why = {""};
  live->recording = make_recording(live);
  int verdict = request->api->commit(request->store, &request->op, &request->bytes, &live->recording, &why);
  live->gathered = verdict == IDEM_GATHERED;
  if (!live->gathered)
    report_commit(live, verdict, &why);
}

bool live_is_stored(struct live *live, bool wait)
{
  struct request *request = live->request;
  struct idem_error why = {""};
  int verdict =
      live->gathered ? request->api->committed(request->store, &request->op, wait, &why) : IDEM_STORED;
  if (verdict == IDEM_GATHERED)
    return false;
  if (live->gathered)
    report_commit(live, verdict, &why);
  live->gathered = false;
  return true;
}

static void end_commit(struct live *live)
{
  live_is_stored(live, true);
  buffer_release(&live->facts);
}

/* Whatever is not a finished transfer with every byte kept is no answer; the app has it as it is. */
static void keep_answer(struct live *live, CURLcode code)
{
  struct request *request = live->request;
  struct buffer *facts = &live->facts;
  char reason[32];
  long status = shadow_info_long(request->shadow, CURLINFO_RESPONSE_CODE);
  request->op.no_answer = !idem_rule_accepts(request->rule, (int)status);
  snprintf(reason, sizeof(reason), "curl error %d", (int)code);
  if (code != CURLE_OK)
    report_not_stored(request, reason, (int)status);
  else if (live->tee.unfit) {
    report_not_stored(request, live->tee.unfit, 0);
    if (live->tee.too_large)
      say_not_stored(request, "it is larger than max_body=");
  } else if (request->shadow->disturbed)
    report_not_stored(request, "options changed during the transfer", 0);
  else if (!info_record_add_date(facts, live->started_us) ||
           !info_record_add_unmarked(facts, span_of_buffer(&live->tee.headers)) ||
           !info_record_add_trailers(facts, span_of_buffer(&live->tee.trailers)) ||
           !info_record_may_keep(request->shadow, span_of_buffer(&live->tee.headers)) ||
           !info_record_collect(request->shadow, facts))
    report_not_stored(request, "no memory, or a credential in a redirect", 0);
  else
    commit(live);
}

static void note_observed(const struct live *live, CURLcode code)
{
  struct request *request = live->request;
  struct idem_error why = {""};
  struct idem_recording recording = make_recording(live);
  request->op.no_answer = !idem_rule_accepts(request->rule, recording.status);
  if (code == CURLE_OK && !live->tee.unfit && !request->shadow->disturbed &&
      request->api->observe(request->store, &request->bytes, &request->op, &recording, &why) < 0)
    report_problem(PROBLEM_STORE_FAILED, "%s", why.text);
}

static void announce_observed(struct request *request)
{
  struct idem_error why = {""};
  int known = request->api->observe(request->store, &request->bytes, &request->op, NULL, &why);
  if (known < 0)
    report_problem(PROBLEM_STORE_FAILED, "%s", why.text);
  request_event(request, known > 0 ? "would_hit" : "live", NULL, 0, -1);
  if (known == 0) {
    request_tell_sample(request);
    (void)budget_is_repeated(request);
    (void)budget_is_spent(request);
  }
  report_count(IDEM_COUNTER_live);
  if (known > 0)
    report_would_hit(&request->op.answer);
}

static void record(const struct live *live, CURLcode code)
{
  struct request *request = live->request;
  const struct tee *tee = &live->tee;
  const char *app = (const char *)request->shadow->slot[SLOT_ERRORBUFFER];
  bool bypassed = live->kind == LIVE_UNTOUCHED && settings()->mode == IDEM_MODE_IDEMPOTENT;
  bool rescued = rescue_is_copy(&live->rescue);
  if (!request->tape.writer)
    return;
  const char *error_text = code == CURLE_OK ? "" : app && !rescued ? app : live->error;
  struct idem_span headers = {tee->headers.data, tee->headers.len};
  struct tape_outcome outcome = {
      .curl_code = (uint32_t)code,
      .encoded = header_is_encoded(headers, shadow_decodes(request->shadow)),
      .delivered = code == CURLE_OK,
      .first_byte_us = tee->first_us,
      .error_text = {error_text, strlen(error_text)},
      .headers = headers,
      .body = {tee->body.data, tee->body.len},
      .body_len = tee->body_len > tee->body.len ? tee->body_len : 0,
      .chunks = (const struct tape_chunk *)tee->moments.data,
      .chunk_count = tee->moments.len / sizeof(struct tape_chunk),
  };
  recorder_end_live(request, &outcome, (struct idem_span){tee->trailers.data, tee->trailers.len},
                    rescued    ? TAPE_RESCUE
                    : bypassed ? TAPE_BYPASS
                               : TAPE_LIVE);
}

/* A copy of the process has driven it to its end. */
static void on_copied(struct rescue *rescue, CURLcode code)
{
  live_end((struct live *)(void *)((char *)rescue - offsetof(struct live, rescue)), code);
}

void live_begin(struct live *live, struct request *request, enum live_kind kind)
{
  atomic_fetch_add(kind == LIVE_UNTOUCHED ? &vitals.passed : &vitals.sent, 1);
  live->request = request;
  live->kind = kind;
  live->key.list = NULL;
  live->started_us = wall_clock_us();
  if (kind == LIVE_OWNED) {
    const char *why = request->op.resent    ? "in doubt: resent with the same upstream key"
                      : !request->op.beside ? NULL
                      : request->stalled    ? request->stalled
                                            : "wait";
    report_count(IDEM_COUNTER_live);
    request_event(request, "live", why, 0, -1);
    upstream_key_attach(&live->key, request);
  } else if (kind == LIVE_OBSERVED) {
    announce_observed(request);
  }
  body_attach(&request->body);
  live->teed = kind != LIVE_UNTOUCHED || request->tape.writer;
  if (live->teed)
    tee_attach(&live->tee, request);
  /* A tape has libcurl's own words also where the app does not ask for them. */
  live->error[0] = '\0';
  if (request->tape.writer && !request->shadow->slot[SLOT_ERRORBUFFER])
    override_until_set(request->shadow, CURLOPT_ERRORBUFFER, live->error);
  request_limit_time(request);
  live->rescue = (struct rescue){.state = RESCUE_OFF};
  live->publish = (struct stream_publish){.request = NULL};
  live->judge = NULL;
  live->facts = (struct buffer){0};
  live->gathered = false;
  if (kind == LIVE_OWNED) {
    keepalive_attach(request);
    prerequest_attach(&live->prerequest, &live->tee);
    if (!request->op.beside)
      stream_publish_begin(&live->publish, &live->tee, live->started_us);
    live->judging = (struct tee_listener){.self = live, .chunk = on_chunk};
    tee_listen(&live->tee, &live->judging);
    if (request->rule->rescue_ms)
      at_exit_register();
    rescue_begin(&live->rescue, &live->tee, &live->publish, &live->inflight, on_copied);
  }
  request->shadow->replayed = REPLAYED_NOT;
  request->shadow->state = PERFORM_LIVE;
}

/* Everything on the handle is the app's again. The list of headers with the upstream key is freed last:
 * libcurl has it until HTTPHEADER is the app's again. */
static void take_back(struct live *live)
{
  struct request *request = live->request;
  struct shadow *shadow = request->shadow;
  shadow->state = PERFORM_PENDING;
  if (live->kind == LIVE_OWNED)
    rescue_end(&live->rescue);
  if (live->teed)
    tee_detach(&live->tee);
  override_restore_all(shadow);
  body_detach(&request->body);
  upstream_key_release(&live->key);
}

/* Frees the claim, unless a copy has it. */
static void end_claim(struct live *live, CURLcode code)
{
  struct request *request = live->request;
  /* Before the claim is free: who enters then asks what the stream came to. */
  stream_publish_end(&live->publish, code);
  request->op.unknown = prerequest_outcome_unknown(request, code) || (code != CURLE_OK && request->op.resent);
  request->api->leave(request->store, &request->op, code == CURLE_OK && !rescue_is_copy(&live->rescue));
}

/* The copy is done; nothing of the app's is run any more, its exit handlers least of all. */
static __attribute__((noreturn)) void end_copy(struct live *live, CURLcode code)
{
  /* A commit may wait for a lock of malloc's that another thread had when the copy was made. */
  process_copy_kill_after(PROCESS_COPY_COMMIT_SECONDS);
  record(live, code);
  keep_answer(live, code);
  end_commit(live);
  end_claim(live, code);
  process_copy_leave(0);
}

CURLcode live_end_first(struct live *live, CURLcode code, struct idem_gather *gather)
{
  if (live->kind == LIVE_OWNED)
    /* Where our callback has refused to send a request again, libcurl says that a callback has aborted; the
     * app is told what a libcurl that does not repeat would say. */
    code = prerequest_code(&live->prerequest, code, live->error);
  if (rescue_is_copy(&live->rescue))
    end_copy(live, code);
  take_back(live);
  record(live, code);
  if (live->kind != LIVE_UNTOUCHED)
    note_marks(live);
  live->request->op.gather = gather;
  if (live->kind == LIVE_OWNED && live->rescue.state != RESCUE_AWAY)
    keep_answer(live, code);
  else if (live->kind == LIVE_OBSERVED)
    note_observed(live, code);
  return code;
}

void live_end_last(struct live *live, CURLcode code)
{
  end_commit(live);
  free_judge(live);
  if (live->kind == LIVE_OWNED)
    end_claim(live, code);
  else if (live->kind == LIVE_OBSERVED)
    request_leave(live->request, code == CURLE_OK);
  if (live->teed)
    tee_release(&live->tee);
}

CURLcode live_end(struct live *live, CURLcode code)
{
  code = live_end_first(live, code, NULL);
  live_end_last(live, code);
  return code;
}

/* A callback that is running goes on with what is ours, and finds that nothing is wanted of it. */
void live_abandon(struct live *live, const char *why)
{
  take_back(live);
  record(live, CURLE_ABORTED_BY_CALLBACK);
  if (live->teed)
    tee_give_up(&live->tee, why);
  free_judge(live);
  if (live->kind == LIVE_OBSERVED)
    request_leave(live->request, false);
  if (live->kind != LIVE_OWNED)
    return;
  if (live->rescue.state != RESCUE_AWAY)
    report_not_stored(live->request, why, 0);
  live->rescue.state = RESCUE_OFF;
  end_claim(live, CURLE_ABORTED_BY_CALLBACK);
  stream_publish_stop(&live->publish);
}
