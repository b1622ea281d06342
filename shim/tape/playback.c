/* SPDX-License-Identifier: MIT */
#include "shim/tape/playback.h"

#include "config/words.h"
#include "shim/base/http_header.h"
#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/request/request_event.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* IDEMSHIM_REPLAY_EDIT: another body in the place of one that the tape has. */

/* The name of the file for exchange `number`, of "NUMBER=FILE;NUMBER=FILE". False if there is none. */
static bool find_file(uint64_t number, char *name, size_t size)
{
  const char *edit = settings()->replay_edit;
  while (edit && strtoull(edit, NULL, 10) != number) {
    edit = strchr(edit, ';');
    edit += edit != NULL;
  }
  if (!edit)
    return false;
  const char *path = strchr(edit, '=') + 1;
  snprintf(name, size, "%.*s", (int)strcspn(path, ";"), path);
  return true;
}

static bool read_file(struct buffer *body, const char *name)
{
  FILE *file = fopen(name, "re");
  char piece[4096];
  bool complete = file != NULL;
  for (size_t got; complete && (got = fread(piece, 1, sizeof(piece), file));)
    complete = buffer_append(body, piece, got);
  complete = complete && !ferror(file);
  if (!complete)
    report_line("%s, which stands in for a recorded body, cannot be read: %s", name, strerror(errno));
  if (file)
    fclose(file);
  return complete;
}

/* Appends the same blocks with another Content-Length in the last one, where it has any. */
static bool put_length(struct buffer *to, struct idem_span headers, size_t len)
{
  char number[24];
  const char *end = headers.data + headers.len;
  struct idem_span value = header_find(header_last_block(headers), "content-length");
  size_t digits = value.data ? (size_t)snprintf(number, sizeof(number), "%zu", len) : 0;
  const char *from = value.data ? value.data : end, *behind = from + value.len;
  return buffer_append(to, headers.data, (size_t)(from - headers.data)) &&
         buffer_append(to, number, digits) && buffer_append(to, behind, (size_t)(end - behind));
}

/* Puts other sizes in front of the recorded facts: the first fact of a number is the one that counts. */
static bool put_sizes(struct buffer *to, const struct idem_answer *answer, size_t headers_len, size_t len)
{
  struct idem_span facts = answer->facts;
  int64_t length = info_record_number(facts, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, -1);
  int64_t header = info_record_number(facts, CURLINFO_HEADER_SIZE, 0);
  header += (int64_t)headers_len - (int64_t)answer->headers.len;
  return info_record_add_number(to, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)len) &&
         info_record_add_number(to, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, length < 0 ? -1 : (int64_t)len) &&
         info_record_add_number(to, CURLINFO_HEADER_SIZE, header) && buffer_append(to, facts.data, facts.len);
}

/* True if there is a file for exchange `number`. Then the answer has its bytes as the body, and their number
 * in Content-Length and in what getinfo tells; all else stays as it was recorded. A file that cannot be read
 * is said, and changes nothing. */
static bool edit_apply(struct edit *edit, uint64_t number, struct idem_answer *answer)
{
  char name[4096];
  size_t len;
  if (!find_file(number, name, sizeof(name)) || !read_file(&edit->body, name))
    return false;
  len = edit->body.len;
  if (!put_length(&edit->headers, answer->headers, len) ||
      !put_sizes(&edit->facts, answer, edit->headers.len, len))
    return false;
  answer->body = (struct idem_span){len ? edit->body.data : "", len};
  answer->headers = span_of_buffer(&edit->headers);
  answer->facts = span_of_buffer(&edit->facts);
  return true;
}

/* The outcome of a call. */

/* Says why there is no whole answer: in the log, and to a person. */
static void tell(const struct request *request, const char *event)
{
  request_event(request, event, request->tape.note, 0, -1);
  report_line("%s", request->tape.note);
}

/* A call without an outcome fails as one whose server cannot be reached: never does it touch the network. */
static void refuse(struct request *request, const char *note)
{
  struct taping *tape = &request->tape;
  if (note != tape->note)
    snprintf(tape->note, sizeof(tape->note), "%s", note);
  tape->ending = (struct ending){.set = true, .code = CURLE_COULDNT_CONNECT, .text = tape->note};
  tape->first_byte_us = -1;
  request->op.answer = (struct idem_answer){.status = 0};
  tell(request, "not_recorded");
}

/* Makes the answer and the ending of a recorded outcome. False without memory. */
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
  /* A body that was larger than max_body= must not pass for a whole one. */
  if (outcome->body_len > outcome->body.len && !outcome->curl_code && !edited) {
    snprintf(tape->note, sizeof(tape->note),
             "the tape has only the first %zu of %llu %s of this answer (max_body=)", outcome->body.len,
             (unsigned long long)outcome->body_len, idem_word(outcome->body_len, "byte", "bytes"));
    tape->ending.code = CURLE_PARTIAL_FILE;
    tell(request, "truncated");
  }
  /* The lengths that the delivery goes by; the times are on the tape. An edited body is one chunk, at the
   * time of the first. */
  struct idem_answer *answer = &request->op.answer;
  size_t count = edited ? answer->body.len != 0 : outcome->chunk_count;
  struct idem_chunk *chunks = tape->chunks = calloc(count + 1, sizeof(*chunks));
  for (size_t i = 0; chunks && i < count; i++)
    chunks[i].len = (uint32_t)(edited ? answer->body.len : outcome->chunks[i].len);
  answer->chunks = chunks;
  answer->chunk_count = count;
  return chunks;
}

/* The replay's own tape has the outcome as it was recorded. */
static void copy_outcome(struct request *request)
{
  struct taping *tape = &request->tape;
  struct tape_writer *writer;
  struct idem_error why = {""};
  const struct idem_tape_api *api = settings()->replay_output ? store_object_tape_writer(&writer) : NULL;
  if (!api)
    return;
  int64_t since_us = monotonic_us() - request->started_us; /* before the other clock, as in recorder.c */
  struct tape_call call = api->begin(writer);
  call.started_us -= since_us;
  struct tape_outcome outcome = tape->record.outcome;
  struct tape_chunk whole = {.at_us = outcome.first_byte_us > 0 ? (uint64_t)outcome.first_byte_us : 0,
                             .len = request->op.answer.body.len};
  api->name(&request->bytes, &call);
  call.request_body_len = request->bytes.body.len;
  call.duration_us = tape->record.call.duration_us;
  call.what = tape->record.call.what;
  memcpy(call.id, tape->record.call.id, sizeof(call.id));
  if (tape->edit.body.data) {
    outcome.headers = request->op.answer.headers;
    outcome.facts = request->op.answer.facts;
    outcome.body = request->op.answer.body;
    outcome.body_len = 0;
    outcome.chunks = &whole;
    outcome.chunk_count = outcome.body.len != 0;
  }
  if (api->append(writer, &call, &request->bytes, &outcome, &why) < 0)
    report_problem(PROBLEM_NO_TAPE, "an exchange is not on the tape: %s", why.text);
}

static bool goes_out(struct request *request, const char *why)
{
  request->tape = (struct taping){.writer = NULL};
  request_event(request, "live", why, 0, -1);
  return false;
}

bool playback_find(struct request *request)
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
    return true;
  }
  tape->call.lane = tape->api->lane();
  tape->api->name(&request->bytes, &tape->call);
  if (tape->call.unnamed) {
    refuse(request, "no memory to name the call");
    return true;
  }
  enum tape_verdict verdict = tape->api->match(matcher, &request->bytes, &tape->call, &match);
  if (verdict == TAPE_GO_LIVE)
    return goes_out(request, "live_from");
  if (verdict != TAPE_FOUND && settings()->on_miss != IDEM_ON_MISS_FAIL)
    return goes_out(request, match.note);
  if (verdict != TAPE_FOUND) {
    refuse(request, match.note);
  } else if (tape->api->read(source, match.number, &tape->record, &error) < 0) {
    refuse(request, error.text);
  } else if (!take_outcome(request, match.number)) {
    refuse(request, "no memory for a recorded exchange");
  } else {
    copy_outcome(request);
    if (match.loose)
      request_event(request, "loosened", match.note, 0, -1);
  }
  return true;
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
  if (!tape->played)
    return;
  if (tape->api)
    tape->api->record_release(&tape->record);
  free(tape->chunks);
  buffer_release(&tape->edit.body);
  buffer_release(&tape->edit.headers);
  buffer_release(&tape->edit.facts);
}
