/* SPDX-License-Identifier: MIT */
#include "shim/tape/playback.h"

#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/tape/playback_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refuse(struct request *request, const char *note)
{
  struct taping *tape = &request->tape;
  if (note != tape->note)
    snprintf(tape->note, sizeof(tape->note), "%s", note);
  tape->ending = (struct ending){.set = true, .code = CURLE_COULDNT_CONNECT, .text = tape->note};
  tape->first_byte_us = -1;
  request->op.answer = (struct idem_answer){.status = 0};
  request_event(request, "not_recorded", tape->note, 0, -1);
  report_line("%s", tape->note);
}

/* The lengths that the delivery goes by; the times are on the tape. An edited body is one chunk, at the time
 * of the first. */
static bool make_chunks(struct request *request, size_t len, bool edited)
{
  const struct tape_outcome *outcome = &request->tape.record.outcome;
  size_t count = edited ? (len != 0) : outcome->chunk_count;
  struct idem_chunk *chunks = calloc(count + 1, sizeof(*chunks));
  if (!chunks)
    return false;
  for (size_t i = 0; i < count; i++)
    chunks[i].len = (uint32_t)(edited ? len : outcome->chunks[i].len);
  request->tape.chunks = chunks;
  request->op.answer.chunks = chunks;
  request->op.answer.chunk_count = count;
  return true;
}

/* A body that was larger than max_body= must not pass for a whole one. */
static void cut_short(struct request *request)
{
  const struct tape_outcome *outcome = &request->tape.record.outcome;
  struct taping *tape = &request->tape;
  snprintf(tape->note, sizeof(tape->note),
           "the tape has only the first %zu of %llu bytes of this answer (max_body=)", outcome->body.len,
           (unsigned long long)outcome->body_len);
  tape->ending.code = CURLE_PARTIAL_FILE;
  request_event(request, "truncated", tape->note, 0, -1);
  report_line("%s", tape->note);
}

static bool take_outcome(struct request *request, uint64_t number)
{
  struct taping *tape = &request->tape;
  const struct tape_outcome *outcome = &tape->record.outcome;
  request->op.answer = (struct idem_answer){
      .status = outcome->status, .headers = outcome->headers, .body = outcome->body, .facts = outcome->facts};
  bool edited = edit_apply(&tape->edit, number, &request->op.answer);
  snprintf(request->op.id, sizeof(request->op.id), "%s", tape->record.call.id);
  tape->first_byte_us = outcome->first_byte_us;
  tape->ending = (struct ending){
      .set = true, .code = (CURLcode)outcome->curl_code, .at_us = (int64_t)tape->record.call.duration_us};
  snprintf(tape->note, sizeof(tape->note), "%.*s", (int)outcome->error_text.len, outcome->error_text.data);
  tape->ending.text = tape->note;
  if (outcome->body_len > outcome->body.len && !outcome->curl_code && !edited)
    cut_short(request);
  return make_chunks(request, request->op.answer.body.len, edited);
}

void playback_find(struct request *request)
{
  struct taping *tape = &request->tape;
  struct tape *source;
  struct tape_matcher *matcher;
  struct tape_match match;
  struct idem_error error = {""};
  *tape = (struct taping){.played = true};
  request->speed = settings()->speed;
  tape->api = store_object_tape_reader(&source, &matcher, &error);
  if (!tape->api) {
    refuse(request, error.text);
    return;
  }
  tape->call.lane = tape->api->lane();
  tape->api->name(&request->bytes, &tape->call);
  if (tape->api->match(matcher, &request->bytes, &tape->call, &match) != TAPE_FOUND) {
    refuse(request, match.note);
  } else if (tape->api->read(source, match.number, &tape->record, &error) < 0) {
    refuse(request, error.text);
  } else if (!take_outcome(request, match.number)) {
    refuse(request, "no memory for a recorded exchange");
  } else if (match.loose) {
    request_event(request, "loosened", match.note, 0, -1);
  }
}

CURLcode playback_trailers(const struct request *request)
{
  struct idem_span lines = info_record_trailers(&request->shadow->info->facts);
  for (char *line = (char *)lines.data, *end = line + lines.len; line < end;) {
    char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t len = (size_t)((newline ? newline + 1 : end) - line);
    if (callback_header(request->shadow, line, len) != len) {
      callback_error(request->shadow, "Failed writing header");
      return CURLE_WRITE_ERROR;
    }
    line += len;
  }
  return CURLE_OK;
}

CURLcode playback_end(struct request *request, CURLcode code)
{
  const struct ending *ending = &request->tape.ending;
  if (!request->tape.played || !ending->set)
    return code;
  bool by_app = code == CURLE_WRITE_ERROR || code == CURLE_ABORTED_BY_CALLBACK;
  if (by_app && code != ending->code)
    return code;
  if (ending->code && ending->text && *ending->text)
    callback_error(request->shadow, "%s", ending->text);
  return ending->code;
}

void playback_release(struct request *request)
{
  struct taping *tape = &request->tape;
  if (!tape->played || !tape->api)
    return;
  tape->api->record_release(&tape->record);
  free(tape->chunks);
  edit_release(&tape->edit);
}
