/* SPDX-License-Identifier: MIT */
/* An exchange as bytes: the summary has what an index and a list need, the content everything
 * else. Redaction happens here, before anything could be written. */
#include "tape/record.h"
#include "tape/redact.h"

#include <errno.h>

/* The fixed part; texts follow it. */
static struct tape_summary summary_of(const struct tape_call *call, const struct idem_request *request,
                                      const struct tape_outcome *outcome)
{
  struct tape_summary summary = {
      .sequence = call->sequence,
      .duration_us = call->duration_us,
      .process_us = call->process_us,
      .started_us = call->started_us,
      .first_byte_us = outcome->first_byte_us,
      .request_body_len = call->request_body_len ? call->request_body_len : request->body.len,
      .body_len = outcome->body_len ? outcome->body_len : outcome->body.len,
      .pid = call->pid,
      .lane = call->lane,
      .curl_code = outcome->curl_code,
      .status = outcome->status,
      .what = (uint16_t)call->what,
      .flags = (uint16_t)((outcome->encoded ? TAPE_BODY_ENCODED : 0) |
                          (outcome->delivered ? TAPE_BODY_DELIVERED : 0) |
                          (outcome->no_answer ? TAPE_NO_ANSWER : 0)),
      .number = call->number < UINT16_MAX ? (uint16_t)call->number : UINT16_MAX,
  };
  memcpy(summary.id, call->id, sizeof(summary.id));
  memcpy(summary.key, call->key, IDEM_KEY_SIZE);
  memcpy(summary.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  return summary;
}

/* The texts in the order in which parse takes them; their lengths are in the summary. The buffer may move
 * meanwhile. */
static void add_texts(struct buffer *out, const struct idem_request *request,
                      const struct tape_outcome *outcome, uint32_t len[TAPE_TEXTS])
{
  const struct idem_span text[TAPE_TEXTS] = {[TEXT_METHOD] = request->method,
                                             [TEXT_ORIGIN] = request->origin,
                                             [TEXT_PATH] = request->path,
                                             [TEXT_QUERY] = request->query,
                                             [TEXT_ERROR] = outcome->error_text};
  for (int i = 0; i < TAPE_TEXTS; i++) {
    size_t at = out->len;
    if (i == TEXT_QUERY)
      tape_redact_query(out, text[i]);
    else
      buffer_span(out, text[i]);
    len[i] = (uint32_t)(out->len - at);
  }
}

/* The parts, whose lengths are in the content. */
static void add_parts(struct buffer *out, const struct idem_request *request,
                      const struct tape_outcome *outcome, uint64_t len[TAPE_PARTS])
{
  const struct idem_span part[TAPE_PARTS] = {
      [PART_CHUNKS] = {(const char *)outcome->chunks, outcome->chunk_count * sizeof(*outcome->chunks)},
      [PART_REQUEST_BODY] = request->body,
      [PART_SHAPE] = request->shape,
      [PART_HEADERS] = outcome->headers,
      [PART_BODY] = outcome->body,
      [PART_FACTS] = outcome->facts};
  for (int i = 0; i < TAPE_PARTS; i++) {
    size_t at = out->len;
    if (i == PART_REQUEST_HEADERS)
      tape_redact_headers(out, request);
    else if (i == PART_REQUEST_BODY)
      tape_redact_body(out, request->rule, part[i]);
    else
      buffer_span(out, part[i]);
    len[i] = out->len - at;
    if (i == PART_HEADERS && !out->failed)
      tape_redact_response(out->data + at, (size_t)len[i]);
  }
}

/* A record is one write and one allocation, so it has a limit. */
static bool too_large(const struct idem_request *request, const struct tape_outcome *outcome)
{
  const size_t most = TAPE_RECORD_MOST / 4;
  return request->body.len > most || outcome->body.len > most || outcome->headers.len > most ||
         request->path.len + request->query.len + outcome->facts.len > most ||
         outcome->chunk_count > most / sizeof(*outcome->chunks);
}

/* What else stands there of the request's credentials; chunks and the fixed parts hold no text. */
static void scrub(struct buffer *out, const struct idem_request *request, const struct tape_layout *layout,
                  const struct tape_outcome *outcome)
{
  struct tape_secrets secrets;
  size_t texts = layout->summary + sizeof(struct tape_summary);
  size_t parts =
      layout->content + sizeof(struct tape_content) + outcome->chunk_count * sizeof(*outcome->chunks);
  tape_secrets_collect(request, &secrets);
  tape_secrets_scrub(&secrets, out->data + texts, layout->summary + layout->summary_len - texts);
  tape_secrets_scrub(&secrets, out->data + parts, layout->content + layout->content_len - parts);
}

/* The buffer is the caller's to free, also on failure. The frame and the tags are zeros here: whoever seals
 * and writes the record fills them (writer.c). Both fixed parts are added for their place alone, and again
 * once the lengths in them are known. Scrubbing is the last step, over all that has text, for a server may
 * have echoed in one part what was redacted in another. */
int tape_record_compose(struct buffer *out, const struct tape_call *call, const struct idem_request *request,
                        const struct tape_outcome *outcome, struct tape_layout *layout)
{
  static const char zeros[sizeof(struct tape_frame)];
  struct tape_summary summary = summary_of(call, request, outcome);
  struct tape_content content;
  if (too_large(request, outcome))
    return -EFBIG;
  buffer_add(out, zeros, sizeof(struct tape_frame));
  layout->summary = out->len;
  buffer_add(out, &summary, sizeof(summary));
  add_texts(out, request, outcome, summary.len);
  layout->summary_len = out->len - layout->summary;
  buffer_add(out, zeros, TAPE_TAG_SIZE);
  layout->content = out->len;
  buffer_add(out, &content, sizeof(content));
  add_parts(out, request, outcome, content.len);
  layout->content_len = out->len - layout->content;
  buffer_add(out, zeros, TAPE_TAG_SIZE);
  if (out->failed)
    return -ENOMEM;
  memcpy(out->data + layout->summary, &summary, sizeof(summary));
  memcpy(out->data + layout->content, &content, sizeof(content));
  scrub(out, request, layout, outcome);
  return 0;
}
