/* SPDX-License-Identifier: MIT */
/* An exchange as bytes: the summary has what an index and a list need, the content everything
 * else. Redaction happens here, before anything could be written. */
#include "tape/record.h"
#include "tape/redact.h"

#include <errno.h>

/* A piece is added, and its length is noted where the lengths stand; the buffer may move meanwhile. */
static size_t mark(const struct tape_buffer *out)
{
  return out->len;
}

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
                          (outcome->delivered ? TAPE_BODY_DELIVERED : 0)),
  };
  memcpy(summary.id, call->id, sizeof(summary.id));
  memcpy(summary.key, call->key, IDEM_KEY_SIZE);
  memcpy(summary.fingerprint, call->fingerprint, IDEM_KEY_SIZE);
  return summary;
}

/* The texts in the order in which parse takes them; their lengths are in the summary or the
 * content. */
static void add_texts(struct tape_buffer *out, const struct idem_request *request,
                      const struct tape_outcome *outcome, uint32_t len[TAPE_TEXTS])
{
  size_t at[TAPE_TEXTS + 1];
  at[TEXT_METHOD] = mark(out);
  tape_buffer_span(out, request->method);
  at[TEXT_ORIGIN] = mark(out);
  tape_buffer_span(out, request->origin);
  at[TEXT_PATH] = mark(out);
  tape_buffer_span(out, request->path);
  at[TEXT_QUERY] = mark(out);
  tape_redact_query(out, request->query);
  at[TEXT_ERROR] = mark(out);
  tape_buffer_span(out, outcome->error_text);
  at[TAPE_TEXTS] = mark(out);
  for (int i = 0; i < TAPE_TEXTS; i++)
    len[i] = (uint32_t)(at[i + 1] - at[i]);
}

/* The parts in the order of enum in format.h. */
static void add_parts(struct tape_buffer *out, const struct idem_request *request,
                      const struct tape_outcome *outcome, uint64_t len[TAPE_PARTS])
{
  size_t at[TAPE_PARTS + 1];
  at[PART_CHUNKS] = mark(out);
  tape_buffer_add(out, outcome->chunks, outcome->chunk_count * sizeof(*outcome->chunks));
  at[PART_REQUEST_HEADERS] = mark(out);
  tape_redact_headers(out, request);
  at[PART_REQUEST_BODY] = mark(out);
  tape_redact_body(out, request->rule, request->body);
  at[PART_SHAPE] = mark(out);
  tape_buffer_span(out, request->shape);
  at[PART_HEADERS] = mark(out);
  tape_buffer_span(out, outcome->headers);
  at[PART_BODY] = mark(out);
  tape_buffer_span(out, outcome->body);
  at[PART_FACTS] = mark(out);
  tape_buffer_span(out, outcome->facts);
  at[TAPE_PARTS] = mark(out);
  for (int i = 0; i < TAPE_PARTS; i++)
    len[i] = at[i + 1] - at[i];
  if (!out->failed)
    tape_redact_response(out->data + at[PART_HEADERS], (size_t)len[PART_HEADERS]);
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
static void scrub(struct tape_buffer *out, const struct idem_request *request,
                  const struct tape_layout *layout, const struct tape_outcome *outcome)
{
  struct tape_secrets secrets;
  size_t texts = layout->summary + sizeof(struct tape_summary);
  size_t parts =
      layout->content + sizeof(struct tape_content) + outcome->chunk_count * sizeof(*outcome->chunks);
  tape_secrets_collect(request, &secrets);
  tape_secrets_scrub(&secrets, out->data + texts, layout->summary + layout->summary_len - texts);
  tape_secrets_scrub(&secrets, out->data + parts, layout->content + layout->content_len - parts);
}

/* On failure the buffer is the caller's to free, as it is. */
int tape_record_compose(struct tape_buffer *out, const struct tape_call *call,
                        const struct idem_request *request, const struct tape_outcome *outcome,
                        struct tape_layout *layout)
{
  static const char zeros[sizeof(struct tape_frame)];
  struct tape_summary summary = summary_of(call, request, outcome);
  struct tape_content content;
  if (too_large(request, outcome))
    return -EFBIG;
  tape_buffer_add(out, zeros, sizeof(struct tape_frame));
  layout->summary = mark(out);
  tape_buffer_add(out, &summary, sizeof(summary));
  add_texts(out, request, outcome, summary.len);
  layout->summary_len = mark(out) - layout->summary;
  tape_buffer_add(out, zeros, TAPE_TAG_SIZE);
  layout->content = mark(out);
  tape_buffer_add(out, &content, sizeof(content));
  add_parts(out, request, outcome, content.len);
  layout->content_len = mark(out) - layout->content;
  tape_buffer_add(out, zeros, TAPE_TAG_SIZE);
  if (out->failed)
    return -ENOMEM;
  memcpy(out->data + layout->summary, &summary, sizeof(summary));
  memcpy(out->data + layout->content, &content, sizeof(content));
  scrub(out, request, layout, outcome);
  return 0;
}
