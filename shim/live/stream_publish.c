/* SPDX-License-Identifier: MIT */
#include "shim/live/stream_publish.h"

#include "shim/base/http_header.h"
#include "shim/info/info_record.h"
#include "shim/runtime/report.h"

#include <stdlib.h>
#include <string.h>

static size_t chunk_count(const struct tee *tee)
{
  return tee->chunks.len / sizeof(struct idem_chunk);
}

/* A piece that is refused ends the publishing: followers with a gap would give their apps a wrong answer. */
static bool add(struct stream_publish *publish, const struct idem_spool_piece *pieces, size_t count)
{
  struct request *request = publish->request;
  int rc = request->api->spool(request->store, &request->op, pieces, count);
  publish->begun = rc == 0;
  publish->failed = rc != 0;
  if (rc < 0)
    report_problem(PROBLEM_STORE_FAILED, "what has come of a call cannot be given to its followers: %s",
                   strerror(-rc));
  return rc == 0;
}

/* The header of a response that may become an answer, and whose reader can use a part of it. With
 * CURLOPT_HEADER its lines come as pieces of the body before they are known for what they are. */
static bool is_ripe(const struct stream_publish *publish, int *status)
{
  const struct tee *tee = publish->tee;
  const struct request *request = publish->request;
  struct idem_span headers = span_of_buffer(&tee->headers);
  struct idem_span block = header_last_block(headers);
  if (tee->unfit || request->shadow->disturbed || request->shadow->slot[SLOT_HEADER] || !tee_has_header(tee))
    return false;
  *status = header_status(block.data, block.len);
  return *status >= 200 && idem_rule_accepts(request->rule, *status) && request->api->is_stream(headers) &&
         !header_is_encoded(headers, shadow_decodes(request->shadow)) &&
         !(request->shadow->slot[SLOT_FOLLOWLOCATION] && header_redirects(*status, headers));
}

static bool collect(const struct stream_publish *publish, struct buffer *facts)
{
  const struct shadow *shadow = publish->request->shadow;
  return info_record_may_keep(shadow, span_of_buffer(&publish->tee->headers)) &&
         info_record_add_date(facts, publish->started_us) && info_record_collect(shadow, facts);
}

/* The head, and all that has come until now. */
static void begin(struct stream_publish *publish, int status)
{
  const struct tee *tee = publish->tee;
  const struct idem_chunk *chunks = (const struct idem_chunk *)tee->chunks.data;
  size_t count = chunk_count(tee), at = 0;
  struct buffer facts = {0};
  struct idem_spool_piece *pieces = calloc(count + 1, sizeof(*pieces));
  if (!pieces || !collect(publish, &facts)) {
    publish->failed = true;
  } else {
    pieces[0] = (struct idem_spool_piece){.kind = IDEM_SPOOL_HEAD,
                                          .status = (uint16_t)status,
                                          .started_us = publish->started_us,
                                          .headers = span_of_buffer(&tee->headers),
                                          .facts = span_of_buffer(&facts)};
    for (size_t i = 0; i < count; at += chunks[i++].len)
      pieces[i + 1] = (struct idem_spool_piece){
          .kind = IDEM_SPOOL_CHUNK, .at_ms = chunks[i].at_ms, .data = {tee->body.data + at, chunks[i].len}};
    add(publish, pieces, count + 1);
    publish->chunks = count;
  }
  buffer_release(&facts);
  free(pieces);
}

void stream_publish_look(struct stream_publish *publish)
{
  int status;
  if (!publish->request || publish->begun || publish->failed)
    return;
  const struct request *request = publish->request;
  if ((publish->wanted || request->api->is_followed(request->store, &request->op)) &&
      is_ripe(publish, &status))
    begin(publish, status);
}

/* As the answer has it, for a follower compares them: two looks at the clock may be a millisecond apart. */
static uint32_t time_of_last(const struct tee *tee)
{
  const struct idem_chunk *chunks = (const void *)tee->chunks.data;
  size_t count = chunk_count(tee);
  return tee->unfit || !count ? (uint32_t)((monotonic_us() - tee->started_us) / 1000)
                              : chunks[count - 1].at_ms;
}

/* The first piece for which somebody waits goes with all that came before it (begin()), and is not given
 * twice. A tee that has become unfit counts no chunks; who follows gets the pieces all the same. */
static void on_chunk(void *self, const char *data, size_t len)
{
  struct stream_publish *publish = self;
  struct idem_spool_piece piece = {
      .kind = IDEM_SPOOL_CHUNK, .at_ms = time_of_last(publish->tee), .data = {data, len}};
  if (!publish->begun)
    stream_publish_look(publish);
  else if (publish->request && (publish->tee->unfit || publish->chunks < chunk_count(publish->tee)))
    add(publish, &piece, 1);
  publish->chunks = chunk_count(publish->tee);
}

void stream_publish_begin(struct stream_publish *publish, struct tee *tee, int64_t started_us)
{
  *publish = (struct stream_publish){.request = tee->request,
                                     .tee = tee,
                                     .listener = {.self = publish, .chunk = on_chunk},
                                     .started_us = started_us};
  tee_listen(tee, &publish->listener);
}

void stream_publish_stop(struct stream_publish *publish)
{
  publish->request = NULL;
}

void stream_publish_end(struct stream_publish *publish, CURLcode code)
{
  struct buffer facts = {0};
  if (!publish->request || !publish->begun)
    return;
  collect(publish, &facts);
  info_record_add_trailers(&facts, span_of_buffer(&publish->tee->trailers));
  struct idem_spool_piece piece = {
      .kind = IDEM_SPOOL_END, .code = (int32_t)code, .facts = span_of_buffer(&facts)};
  add(publish, &piece, 1);
  buffer_release(&facts);
  publish->begun = false;
}
