/* SPDX-License-Identifier: MIT */
#include "shim/tape/playback.h"

#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/runtime/log.h"
#include "shim/runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refuse(struct call *call, const char *note)
{
  struct taping *tape = &call->tape;
  if (note != tape->note)
    snprintf(tape->note, sizeof(tape->note), "%s", note);
  tape->ending = (struct ending){.set = true, .code = CURLE_COULDNT_CONNECT, .text = tape->note};
  tape->first_byte_us = -1;
  call->op.answer = (struct idem_answer){.status = 0};
  call_event(call, "not_recorded", tape->note, 0, -1);
  report_line("%s", tape->note);
}

/* The lengths that the delivery goes by; the times are on the tape. An edited body is one chunk, at the time
 * of the first. */
static bool make_chunks(struct call *call, size_t len, bool edited)
{
  const struct tape_outcome *outcome = &call->tape.record.outcome;
  size_t count = edited ? (len != 0) : outcome->chunk_count;
  struct idem_chunk *chunks = calloc(count + 1, sizeof(*chunks));
  if (!chunks)
    return false;
  for (size_t i = 0; i < count; i++)
    chunks[i].len = (uint32_t)(edited ? len : outcome->chunks[i].len);
  call->tape.chunks = chunks;
  call->op.answer.chunks = chunks;
  call->op.answer.chunk_count = count;
  return true;
}

/* A body that was larger than max_body= must not pass for a whole one. */
static void cut_short(struct call *call)
{
  const struct tape_outcome *outcome = &call->tape.record.outcome;
  struct taping *tape = &call->tape;
  snprintf(tape->note, sizeof(tape->note),
           "the tape has only the first %zu of %llu bytes of this answer (max_body=)", outcome->body.len,
           (unsigned long long)outcome->body_len);
  tape->ending.code = CURLE_PARTIAL_FILE;
  call_event(call, "truncated", tape->note, 0, -1);
  report_line("%s", tape->note);
}

static bool take_outcome(struct call *call, uint64_t number)
{
  struct taping *tape = &call->tape;
  const struct tape_outcome *outcome = &tape->record.outcome;
  call->op.answer = (struct idem_answer){
      .status = outcome->status, .headers = outcome->headers, .body = outcome->body, .facts = outcome->facts};
  bool edited = edit_apply(&tape->edit, number, &call->op.answer);
  snprintf(call->op.id, sizeof(call->op.id), "%s", tape->record.call.id);
  tape->first_byte_us = outcome->first_byte_us;
  tape->ending = (struct ending){
      .set = true, .code = (CURLcode)outcome->curl_code, .at_us = (int64_t)tape->record.call.duration_us};
  snprintf(tape->note, sizeof(tape->note), "%.*s", (int)outcome->error_text.len, outcome->error_text.data);
  tape->ending.text = tape->note;
  if (outcome->body_len > outcome->body.len && !outcome->curl_code && !edited)
    cut_short(call);
  return make_chunks(call, call->op.answer.body.len, edited);
}

void playback_find(struct call *call)
{
  struct taping *tape = &call->tape;
  struct tape *source;
  struct tape_matcher *matcher;
  struct tape_match match;
  struct idem_error error = {""};
  *tape = (struct taping){.played = true};
  call->speed = settings()->speed;
  tape->api = runtime_tape_reader(&source, &matcher, &error);
  if (!tape->api) {
    refuse(call, error.text);
    return;
  }
  tape->call.lane = tape->api->lane();
  tape->api->name(&call->request, &tape->call);
  if (tape->api->match(matcher, &call->request, &tape->call, &match) != TAPE_FOUND) {
    refuse(call, match.note);
  } else if (tape->api->read(source, match.number, &tape->record, &error) < 0) {
    refuse(call, error.text);
  } else if (!take_outcome(call, match.number)) {
    refuse(call, "no memory for a recorded exchange");
  } else if (match.loose) {
    call_event(call, "loosened", match.note, 0, -1);
  }
}

CURLcode playback_trailers(const struct call *call)
{
  struct idem_span lines = facts_trailers(&call->shadow->replay->facts);
  for (char *line = (char *)lines.data, *end = line + lines.len; line < end;) {
    char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t len = (size_t)((newline ? newline + 1 : end) - line);
    if (callback_header(call->shadow, line, len) != len) {
      callback_error(call->shadow, "Failed writing header");
      return CURLE_WRITE_ERROR;
    }
    line += len;
  }
  return CURLE_OK;
}

CURLcode playback_end(struct call *call, CURLcode code)
{
  const struct ending *ending = &call->tape.ending;
  if (!call->tape.played || !ending->set)
    return code;
  bool by_app = code == CURLE_WRITE_ERROR || code == CURLE_ABORTED_BY_CALLBACK;
  if (by_app && code != ending->code)
    return code;
  if (ending->code && ending->text && *ending->text)
    callback_error(call->shadow, "%s", ending->text);
  return ending->code;
}

void playback_release(struct call *call)
{
  struct taping *tape = &call->tape;
  if (!tape->played || !tape->api)
    return;
  tape->api->record_release(&tape->record);
  free(tape->chunks);
  edit_release(&tape->edit);
}
