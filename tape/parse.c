/* SPDX-License-Identifier: MIT */
/* Bytes back to an exchange. A tape is a file that anybody may have changed, so every length is
 * checked against what is left before it is used; what does not fit makes the whole record
 * damaged. */
#include "tape/record.h"

#include <errno.h>
#include <string.h>

/* Cuts `len` bytes off the front; false if there are fewer. */
static bool cut(struct idem_span *rest, uint64_t len, struct idem_span *out)
{
  if (len > rest->len)
    return false;
  *out = (struct idem_span){rest->data, (size_t)len};
  *rest = (struct idem_span){rest->data + len, rest->len - (size_t)len};
  return true;
}

/* What an index needs; spans point into the bytes. A kind or a flag that this version does not know is
 * damage, for a newer tape says in its head that it is one. */
int tape_summary_parse(struct idem_span bytes, struct tape_record *record)
{
  struct tape_summary summary;
  struct idem_span fixed;
  if (!cut(&bytes, sizeof(summary), &fixed))
    return -EILSEQ;
  memcpy(&summary, fixed.data, sizeof(summary));
  if (summary.what > TAPE_RULES || summary.flags > TAPE_SUMMARY_FLAGS)
    return -EILSEQ;
  record->call = (struct tape_call){
      .sequence = summary.sequence,
      .process_us = summary.process_us,
      .pid = summary.pid,
      .lane = summary.lane,
      .started_us = summary.started_us,
      .duration_us = summary.duration_us,
      .what = (enum tape_what)summary.what,
      .number = summary.number,
      .request_body_len = summary.request_body_len,
  };
  memcpy(record->call.id, summary.id, sizeof(summary.id));
  memcpy(record->call.key, summary.key, IDEM_KEY_SIZE);
  memcpy(record->call.fingerprint, summary.fingerprint, IDEM_KEY_SIZE);
  record->outcome = (struct tape_outcome){
      .curl_code = summary.curl_code,
      .status = summary.status,
      .encoded = summary.flags & TAPE_BODY_ENCODED,
      .delivered = summary.flags & TAPE_BODY_DELIVERED,
      .no_answer = summary.flags & TAPE_NO_ANSWER,
      .first_byte_us = summary.first_byte_us,
      .body_len = summary.body_len,
  };
  struct idem_span *text[TAPE_TEXTS] = {
      [TEXT_METHOD] = &record->method,
      [TEXT_ORIGIN] = &record->origin,
      [TEXT_PATH] = &record->path,
      [TEXT_QUERY] = &record->query,
      [TEXT_ERROR] = &record->outcome.error_text,
  };
  for (int i = 0; i < TAPE_TEXTS; i++)
    if (!cut(&bytes, summary.len[i], text[i]))
      return -EILSEQ;
  return bytes.len == 0 ? 0 : -EILSEQ;
}

/* `chunks` has room for all of the part. Their lengths must add up to the body, unless there are none; each
 * is compared with the body first, so that no sum can overflow. */
static int take_chunks(struct idem_span part, struct tape_outcome *outcome, struct tape_chunk *chunks)
{
  uint64_t sum = 0;
  if (part.len % sizeof(*chunks))
    return -EILSEQ;
  if (part.len)
    memcpy(chunks, part.data, part.len);
  outcome->chunks = chunks;
  outcome->chunk_count = part.len / sizeof(*chunks);
  for (size_t i = 0; i < outcome->chunk_count && sum <= outcome->body.len; i++) {
    if (chunks[i].len > outcome->body.len)
      return -EILSEQ;
    sum += chunks[i].len;
  }
  return sum == outcome->body.len || !outcome->chunk_count ? 0 : -EILSEQ;
}

/* The rest. Each part is cut from what is left, and nothing may be left at the end. */
int tape_content_parse(struct idem_span bytes, struct tape_record *record, struct tape_chunk *chunks)
{
  struct tape_content content;
  struct idem_span fixed, chunk_part;
  if (!cut(&bytes, sizeof(content), &fixed))
    return -EILSEQ;
  memcpy(&content, fixed.data, sizeof(content));
  struct idem_span *part[TAPE_PARTS] = {
      [PART_CHUNKS] = &chunk_part,
      [PART_REQUEST_HEADERS] = &record->request_headers,
      [PART_REQUEST_BODY] = &record->request_body,
      [PART_SHAPE] = &record->shape,
      [PART_HEADERS] = &record->outcome.headers,
      [PART_BODY] = &record->outcome.body,
      [PART_FACTS] = &record->outcome.facts,
  };
  for (int i = 0; i < TAPE_PARTS; i++)
    if (!cut(&bytes, content.len[i], part[i]))
      return -EILSEQ;
  if (bytes.len)
    return -EILSEQ;
  return take_chunks(chunk_part, &record->outcome, chunks);
}
