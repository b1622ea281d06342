/* SPDX-License-Identifier: MIT */
#include "shim/tape/playback.h"

#include "shim/base/http_header.h"
#include "shim/handle/callbacks.h"
#include "shim/info/info.h"
#include "shim/info/info_record.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* IDEMSHIM_REPLAY_EDIT: another body in the place of one that the tape has. */

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

static bool read_file(struct edit *edit, const char *name, size_t *len)
{
  FILE *file = fopen(name, "re");
  char piece[4096];
  struct buffer body = {0};
  bool complete = file != NULL;
  for (size_t got; complete && (got = fread(piece, 1, sizeof(piece), file));)
    complete = buffer_append(&body, piece, got);
  complete = complete && !ferror(file);
  if (!complete)
    report_line("%s, which stands in for a recorded body, cannot be read: %s", name, strerror(errno));
  if (file)
    fclose(file);
  edit->body = body.data;
  *len = body.len;
  return complete;
}

/* The same blocks with another Content-Length in the last one, where it has any. */
static bool put_length(struct buffer *to, struct idem_span headers, size_t len)
{
  char number[24];
  struct idem_span value = header_find(header_last_block(headers), "content-length");
  if (!value.data)
    return buffer_append(to, headers.data, headers.len);
  const char *behind = value.data + value.len;
  int digits = snprintf(number, sizeof(number), "%zu", len);
  return buffer_append(to, headers.data, (size_t)(value.data - headers.data)) &&
         buffer_append(to, number, (size_t)digits) &&
         buffer_append(to, behind, (size_t)(headers.data + headers.len - behind));
}

/* The first fact of a number is the one that counts. */
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

/* True if there is a file for exchange `number`. Then the answer has its bytes as the body, and their number in
 * Content-Length and in what getinfo tells; all else stays as it was recorded. A file that cannot be read is said, and
 * changes nothing. */
static bool edit_apply(struct edit *edit, uint64_t number, struct idem_answer *answer)
{
  char name[4096];
  size_t len = 0;
  if (!find_file(number, name, sizeof(name)) || !read_file(edit, name, &len))
    return false;
  if (!put_length(&edit->headers, answer->headers, len) ||
      !put_sizes(&edit->facts, answer, edit->headers.len, len))
    return false;
  answer->body = (struct idem_span){len ? edit->body : "", len};
  answer->headers = (struct idem_span){edit->headers.data, edit->headers.len};
  answer->facts = (struct idem_span){edit->facts.data, edit->facts.len};
  return true;
}

static void edit_release(struct edit *edit)
{
  free(edit->body);
  buffer_release(&edit->headers);
  buffer_release(&edit->facts);
}

/* The outcome of a call. */

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
  struct idem_span lines = info_record_trailers(span_of_buffer(&request->shadow->info->facts)), line;
  while ((line = span_cut_line(&lines)).len)
    if (callback_header(request->shadow, (char *)line.data, line.len) != line.len) {
      callback_error(request->shadow, "Failed writing header");
      return CURLE_WRITE_ERROR;
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
