/* SPDX-License-Identifier: MIT */
/*
 * A tape is told of what the app saw, and when it saw it: not of when the bytes came to us. So the chunks of
 * a replay have times of their own, and a call that was joined has those of the call that it followed.
 */
#include "shim/tape/recorder.h"

#include "shim/base/http_header.h"
#include "shim/info/info.h"
#include "shim/runtime/report.h"
#include "shim/runtime/store_object.h"

#include <stdlib.h>
#include <string.h>

void recorder_begin(struct request *request, bool untouched)
{
  struct taping *tape = &request->tape;
  tape->api = store_object_tape_writer(&tape->writer);
  if (!tape->api)
    return;
  /* When the call began, and not when it came here: the duration counts from there, too. Asked first, so that
   * whatever comes between the two clocks makes it no earlier than it was, before a call that had ended. */
  int64_t since_us = monotonic_us() - request->started_us;
  tape->call = tape->api->begin(tape->writer);
  tape->call.started_us -= since_us;
  tape->call.request_body_len = request->bytes.body.len;
  tape->api->name(&request->bytes, &tape->call);
  if (!request->api && !untouched)
    tape->api->number(tape->writer, &request->bytes, &tape->call);
}

/* More than all of them take, as a rule. */
#define FACTS_ROOM 1024

/* A credential in a redirect keeps an answer from being stored; a tape has it blotted out. Without memory
 * there are fewer facts. */
static void collect_facts(const struct request *request, struct buffer *facts)
{
  buffer_reserve(facts, FACTS_ROOM);
  info_record_collect(request->shadow, facts);
  info_record_collect_times(request->shadow, facts);
}

/* Writes the exchange, and is done with the tape. Ids join what belongs to one operation. */
static void append(struct request *request, struct tape_outcome *outcome, enum tape_what what)
{
  struct taping *tape = &request->tape;
  struct idem_error why = {""};
  struct idem_request bytes = request->bytes;
  tape->call.what = what;
  tape->call.duration_us = (uint64_t)(monotonic_us() - request->started_us);
  memcpy(tape->call.id, request->op.id, sizeof(tape->call.id));
  if (request->api)
    tape->call.number = request->op.sequence;
  /* The texts that named it may be gone; what was made of them stays. */
  if (request->shadow->disturbed)
    bytes.headers = NULL, bytes.header_count = 0, bytes.body = bytes.query = (struct idem_span){"", 0};
  if (tape->api->append(tape->writer, &tape->call, &bytes, outcome, &why) < 0)
    report_problem(PROBLEM_NO_TAPE, "an exchange is not on the tape: %s", why.text);
  tape->writer = NULL;
}

/* When the app was given a chunk: at the end, at its pace, or as it came to the call that was followed. */
static uint64_t given_us(const struct request *request, const struct idem_chunk *chunk, uint64_t now_us)
{
  int64_t at_us = (int64_t)chunk->at_ms * 1000;
  if (request->speed > 0)
    return (uint64_t)((double)at_us / request->speed);
  if (!request->tape.streamed)
    return now_us;
  at_us += request->op.answer.started_us - request->tape.call.started_us;
  return at_us > 0 ? (uint64_t)at_us : 0;
}

static struct tape_chunk *chunks_of(const struct request *request)
{
  const struct idem_answer *answer = &request->op.answer;
  uint64_t now_us = (uint64_t)(monotonic_us() - request->started_us);
  struct tape_chunk *chunks = malloc((answer->chunk_count + 1) * sizeof(*chunks));
  for (size_t i = 0; chunks && i < answer->chunk_count; i++) {
    const struct idem_chunk *from = &answer->chunks[i];
    uint64_t at_us = given_us(request, from, now_us);
    chunks[i] = (struct tape_chunk){.at_us = at_us < now_us ? at_us : now_us, .len = from->len};
  }
  return chunks;
}

static uint16_t last_status(struct idem_span headers)
{
  struct idem_span block = header_last_block(headers);
  return block.len ? (uint16_t)header_status(block.data, block.len) : 0;
}

void recorder_end_live(struct request *request, struct tape_outcome *outcome, struct idem_span trailers,
                       enum tape_what what)
{
  struct buffer facts = {0};
  if (!request->tape.writer)
    return;
  collect_facts(request, &facts);
  info_record_add_trailers(&facts, trailers);
  outcome->facts = span_of_buffer(&facts);
  outcome->status = last_status(outcome->headers);
  append(request, outcome, what);
  buffer_release(&facts);
}

void recorder_end_replay(struct request *request, CURLcode code, enum tape_what what)
{
  const struct shadow *shadow = request->shadow;
  const struct idem_answer *answer = &request->op.answer;
  const struct info *replay = shadow->replayed ? shadow->info : NULL;
  if (!request->tape.writer)
    return;
  struct buffer facts = {0};
  struct tape_chunk *chunks = chunks_of(request);
  const char *text = code ? (const char *)shadow->slot[SLOT_ERRORBUFFER] : NULL;
  struct tape_outcome outcome = {
      .curl_code = (uint32_t)code,
      .delivered = code == CURLE_OK,
      .first_byte_us = -1,
      .error_text = span_of(text),
  };
  collect_facts(request, &facts);
  outcome.facts = span_of_buffer(&facts);
  if (replay) {
    outcome.headers = span_of_buffer(&replay->headers);
    outcome.status = last_status(outcome.headers);
  }
  /* A call that has only waited has no answer. */
  if (answer->chunk_count && chunks) {
    outcome.body = request->zeroed ? request->whole : answer->body;
    outcome.chunks = chunks;
    outcome.chunk_count = answer->chunk_count;
  }
  if (outcome.headers.len && chunks)
    outcome.first_byte_us = chunks[0].len ? (int64_t)chunks[0].at_us : 0;
  append(request, &outcome, what);
  free(chunks);
  buffer_release(&facts);
}
