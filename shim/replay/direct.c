/* SPDX-License-Identifier: MIT */
/*
 * A delivery calls the app's callbacks in the order in which a transfer of libcurl's does: progress, the
 * header line by line, then the body in the chunks of the live call, each followed by progress. The store
 * waits for nobody: the answer is in memory of its call, and the app is given a copy of each piece. An app
 * may stop it anywhere: by what a callback returns, by a pause, which is waited out here, or by its own
 * timeouts, which are kept as libcurl would.
 */
#include "shim/replay/direct.h"

#include "shim/base/http_header.h"
#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/replay/debug.h"
#include "shim/replay/direct_internal.h"
#include "shim/replay/stream_follow.h"
#include "shim/request/request_time.h"
#include "shim/tape/playback.h"

#include <string.h>

/* How often the app's progress callback is asked while it has paused, and while the next chunk is awaited. */
#define PAUSE_POLL_US 10000
#define WAIT_POLL_US  100000

const char *direct_refuses(const struct request *request, const struct idem_answer *answer)
{
  const struct shadow *shadow = request->shadow;
  curl_off_t max_size = (curl_off_t)shadow->slot[SLOT_MAXFILESIZE_LARGE];
  if (max_size > 0 && answer->body.len > (uint64_t)max_size)
    return "MAXFILESIZE";
  if ((shadow->cookie_engine || shadow->shared) && header_find(answer->headers, "set-cookie").data)
    return "the answer sets a cookie";
  return info_refuses(shadow, answer);
}

static void sleep_us(int64_t us)
{
  struct timespec time = clock_timespec(us);
  nanosleep(&time, NULL);
}

/* Asks the app between two pieces: its progress callback may end the call, and its time may be up. A tape
 * says itself when a call is out of time. */
static CURLcode poll_app(struct delivery *d)
{
  int64_t limit_ms = (long)d->shadow->slot[SLOT_TIMEOUT_MS];
  int64_t spent_ms = (monotonic_us() - d->request->started_us) / 1000;
  CURLcode code = progress_update(d->shadow, &d->progress);
  if (code || limit_ms <= 0 || spent_ms < limit_ms || d->request->tape.played)
    return code;
  char of_all[32] = "";
  if (d->length >= 0)
    snprintf(of_all, sizeof(of_all), " out of %lld", (long long)d->length);
  callback_error(d->shadow, "Operation timed out after %lld milliseconds with %lld%s bytes received",
                 (long long)spent_ms, (long long)d->progress.down, of_all);
  return CURLE_OPERATION_TIMEDOUT;
}

CURLcode direct_hold(struct delivery *d)
{
  CURLcode code = CURLE_OK;
  while (d->shadow->paused && code == CURLE_OK) {
    code = poll_app(d);
    if (d->shadow->paused && code == CURLE_OK)
      sleep_us(PAUSE_POLL_US);
  }
  return code;
}

/* Counts what has come off the network for the part that the app has been given: of a body that was decoded
 * on its way, as large a share. */
static void count_body(struct delivery *d)
{
  int64_t len = (int64_t)d->request->op.answer.body.len, counted = (int64_t)d->offered;
  bool known = !stream_follow_is_joined(d->request) && d->network_len != len;
  d->progress.down = known ? counted * d->network_len / len : counted;
  d->info->downloaded = d->progress.down;
}

CURLcode direct_write(struct delivery *d, const char *data, size_t len, bool lends)
{
  for (;;) {
    CURLcode code = direct_hold(d);
    if (code)
      return code;
    size_t taken = lends ? callback_write_lent(d->shadow, (char *)(uintptr_t)data, len)
                         : callback_write_copy(d->shadow, data, len);
    if (taken == len) {
      d->info->delivered += (int64_t)len;
      return CURLE_OK;
    }
    if (taken != CURL_WRITEFUNC_PAUSE)
      return callback_refused(d->shadow, false, len, taken);
    count_body(d);
    d->shadow->paused = true;
  }
}

/* With pace=original each piece comes when it came live; the app's progress callback and timeout are kept
 * meanwhile. */
static CURLcode wait_for(struct delivery *d, int64_t at_us)
{
  CURLcode code = CURLE_OK;
  int64_t due_us = request_due_us(d->request, at_us), left;
  while (code == CURLE_OK && (left = due_us - monotonic_us()) > 0) {
    sleep_us(left < WAIT_POLL_US ? left : WAIT_POLL_US);
    code = poll_app(d);
  }
  return code;
}

static CURLcode deliver_chunk(struct delivery *d, size_t at, size_t len)
{
  const struct idem_answer *answer = &d->request->op.answer;
  /* libcurl counts before the app has a piece; since 8.5, and chunks of HTTP/1.1 always, when the app has
   * taken it, or has put it off. */
  bool counts_first =
      d->shadow->lib->version < 0x080500 && !(d->length < 0 && header_is_chunked(answer->headers));
  CURLcode code = CURLE_OK;
  while (len && code == CURLE_OK) {
    size_t part = len < CURL_MAX_WRITE_SIZE ? len : CURL_MAX_WRITE_SIZE;
    debug_show(d->shadow, CURLINFO_DATA_IN, answer->body.data + at, part);
    d->offered = at + part;
    if (counts_first)
      count_body(d);
    /* Behind the last piece are the facts; and a tape is written of what the app was given. */
    bool lends = answer->is_lent && at + part < answer->body.len && !d->request->tape.writer;
    code = direct_write(d, answer->body.data + at, part, lends);
    if (code == CURLE_OK)
      count_body(d);
    at += part;
    len -= part;
  }
  return code;
}

/* Waits until the answer that this one follows has more, or no more. */
static CURLcode wait_for_more(struct delivery *d)
{
  struct request *request = d->request;
  CURLcode code = poll_app(d);
  if (code == CURLE_OK &&
      low_speed_exceeded(&request->stream->low_speed, d->shadow, d->progress.down, monotonic_us()))
    code = low_speed_error(d->shadow);
  if (code == CURLE_OK && !stream_follow_refresh(request))
    request->api->wait(request->store, &request->op, WAIT_POLL_US / 1000);
  return code;
}

/* How much of the network the whole body took. What is followed knows it at its end alone. */
static int64_t network_len(const struct delivery *d)
{
  return info_number(d->info, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)d->request->op.answer.body.len);
}

/* True if there is a chunk `i`. The end of a stream is asked for once the app has all that came. */
static bool has_chunk(struct delivery *d, size_t i, CURLcode *code)
{
  while (*code == CURLE_OK && i >= d->request->op.answer.chunk_count &&
         stream_follow_is_unsettled(d->request))
    *code = stream_follow_is_open(d->request) ? wait_for_more(d) : stream_follow_settle(d->request);
  return *code == CURLE_OK && i < d->request->op.answer.chunk_count;
}

static CURLcode deliver_body(struct delivery *d)
{
  const struct idem_answer *answer = &d->request->op.answer;
  bool paced = d->request->speed > 0;
  CURLcode code = CURLE_OK;
  for (size_t i = 0, at = 0; has_chunk(d, i, &code); i++) {
    if (paced)
      code = wait_for(d, request_chunk_us(d->request, i));
    if (code == CURLE_OK)
      code = deliver_chunk(d, at, answer->chunks[i].len);
    at += answer->chunks[i].len;
    if (code == CURLE_OK && i + 1 < answer->chunk_count)
      code = progress_update(d->shadow, &d->progress);
  }
  if (code == CURLE_OK)
    d->info->downloaded = d->progress.down =
        stream_follow_is_joined(d->request) ? network_len(d) : d->network_len;
  return code;
}

static CURLcode deliver_whole(struct delivery *d)
{
  d->info->passing = d->info->begun = true;
  debug_announce(d->request);
  CURLcode code = progress_update(d->shadow, &d->progress);
  if (code == CURLE_OK && d->request->tape.played)
    code = wait_for(d, d->request->tape.first_byte_us);
  d->info->first_byte_us = code == CURLE_OK ? monotonic_us() : 0;
  if (code == CURLE_OK)
    code = direct_headers(d);
  d->info->passing = code != CURLE_OK;
  d->length = info_number(d->info, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, -1);
  d->progress.down_total = d->length > 0 ? d->length : 0;
  d->progress.sent = d->info;
  d->network_len = network_len(d);
  if (code == CURLE_OK && direct_fails_on_error(d))
    return direct_fail_on_error(d);
  if (code == CURLE_OK)
    code = deliver_body(d);
  if (code == CURLE_OK)
    code = direct_trailers(d->request);
  if (code == CURLE_OK && d->request->tape.played)
    code = wait_for(d, d->request->tape.ending.at_us);
  if (code == CURLE_OK && (code = playback_end(d->request, code)))
    return code;
  d->progress.final = true;
  return code == CURLE_OK ? progress_update(d->shadow, &d->progress) : code;
}

bool direct_deliver(struct request *request, const char *marks, CURLcode *result)
{
  struct shadow *shadow = request->shadow;
  struct info *replay = info_begin_answer(shadow, &request->op.answer, marks);
  if (!replay)
    return false;
  struct delivery d = {.request = request, .shadow = shadow, .info = replay, .length = -1};
  replay->started_us = d.progress.started_us = request->started_us;
  shadow->replayed = REPLAYED_DIRECT;
  shadow->paused = false;
  shadow->state = PERFORM_DELIVERING;
  if (shadow->slot[SLOT_ERRORBUFFER])
    *(char *)shadow->slot[SLOT_ERRORBUFFER] = '\0';
  *result = deliver_whole(&d);
  if (request->tape.played) /* it knows what had been counted where the call broke off */
    replay->downloaded = d.network_len;
  shadow->state = PERFORM_PENDING;
  replay->ended_us = monotonic_us();
  return true;
}

CURLcode direct_fail(struct request *request, CURLcode code)
{
  struct info *replay = info_begin(request->shadow);
  if (replay) {
    replay->begun =
        info_record_add_text(&replay->facts, CURLINFO_EFFECTIVE_METHOD, shadow_method(request->shadow));
    replay->started_us = request->started_us;
    replay->ended_us = monotonic_us();
  }
  request->shadow->replayed = replay ? REPLAYED_DIRECT : REPLAYED_NOT;
  return code;
}
