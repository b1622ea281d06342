/* SPDX-License-Identifier: MIT */
#include "shim/live/stream_publish.h"

#include "shim/base/http_header.h"
#include "shim/info/info_record.h"
#include "shim/runtime/report.h"

#include <stdlib.h>
#include <string.h>

static uint32_t now_ms(const struct tee *tee)
{
  return (uint32_t)((monotonic_us() - tee->started_us) / 1000);
}

static bool add(struct spooling *spooling, const struct idem_spool_piece *pieces, size_t count)
{
  struct request *request = spooling->request;
  int rc = request->api->spool(request->store, &request->op, pieces, count);
  spooling->begun = rc == 0;
  spooling->failed = rc != 0;
  if (rc < 0)
    report_problem(PROBLEM_STORE_FAILED, "what has come of a call cannot be given to its followers: %s",
                   strerror(-rc));
  return rc == 0;
}

/* The header of a response that may become an answer, and whose reader can use a part of it. */
static bool is_ripe(const struct spooling *spooling, int *status)
{
  const struct tee *tee = spooling->tee;
  const struct request *request = spooling->request;
  struct idem_span headers = {tee->headers.data, tee->headers.len};
  struct idem_span block = header_last_block(headers);
  if (tee->unfit || request->shadow->disturbed || !tee_has_header(tee))
    return false;
  *status = header_status(block.data, block.len);
  return *status >= 200 && idem_rule_accepts(request->rule, *status) && request->api->is_stream(headers) &&
         !header_is_encoded(headers, shadow_decodes(request->shadow)) &&
         !(request->shadow->slot[SLOT_FOLLOWLOCATION] && header_redirects(*status, headers));
}

static bool collect(const struct spooling *spooling, struct buffer *facts)
{
  return facts_add_date(facts, spooling->started_us) && facts_collect(spooling->request->shadow, facts);
}

/* The head, and all that has come until now. */
static void begin(struct spooling *spooling, int status)
{
  const struct tee *tee = spooling->tee;
  const struct idem_chunk *chunks = (const struct idem_chunk *)tee->chunks.data;
  size_t count = tee->chunks.len / sizeof(*chunks), at = 0;
  struct buffer facts = {0};
  struct idem_spool_piece *pieces = calloc(count + 1, sizeof(*pieces));
  if (!pieces || !collect(spooling, &facts)) {
    spooling->failed = true;
  } else {
    pieces[0] = (struct idem_spool_piece){.kind = IDEM_SPOOL_HEAD,
                                          .status = (uint16_t)status,
                                          .started_us = spooling->started_us,
                                          .headers = {tee->headers.data, tee->headers.len},
                                          .facts = {facts.data, facts.len}};
    for (size_t i = 0; i < count; at += chunks[i++].len)
      pieces[i + 1] = (struct idem_spool_piece){
          .kind = IDEM_SPOOL_CHUNK, .at_ms = chunks[i].at_ms, .data = {tee->body.data + at, chunks[i].len}};
    add(spooling, pieces, count + 1);
  }
  buffer_release(&facts);
  free(pieces);
}

void spooling_look(struct spooling *spooling)
{
  int status;
  if (!spooling->request || spooling->begun || spooling->failed)
    return;
  const struct request *request = spooling->request;
  if ((spooling->wanted || request->api->is_followed(request->store, &request->op)) &&
      is_ripe(spooling, &status))
    begin(spooling, status);
}

static void on_chunk(void *self, const char *data, size_t len)
{
  struct spooling *spooling = self;
  struct idem_spool_piece piece = {
      .kind = IDEM_SPOOL_CHUNK, .at_ms = now_ms(spooling->tee), .data = {data, len}};
  if (!spooling->begun)
    spooling_look(spooling);
  else if (spooling->request)
    add(spooling, &piece, 1);
}

void spooling_begin(struct spooling *spooling, struct tee *tee, int64_t started_us)
{
  *spooling = (struct spooling){.request = tee->request,
                                .tee = tee,
                                .listener = {.self = spooling, .chunk = on_chunk},
                                .started_us = started_us};
  tee_listen(tee, &spooling->listener);
}

void spooling_stop(struct spooling *spooling)
{
  spooling->request = NULL;
}

void spooling_end(struct spooling *spooling, CURLcode code)
{
  struct buffer facts = {0};
  if (!spooling->request || !spooling->begun)
    return;
  collect(spooling, &facts);
  struct idem_spool_piece piece = {
      .kind = IDEM_SPOOL_END, .code = (int32_t)code, .facts = {facts.data, facts.len}};
  add(spooling, &piece, 1);
  buffer_release(&facts);
  spooling->begun = false;
}
