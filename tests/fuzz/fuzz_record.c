/* SPDX-License-Identifier: MIT */
/* Any bytes as a stored record: a parse stays inside them, and so does whoever reads what it gives. */
#include "store/records/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum;

static void read_all(struct idem_span span)
{
  for (size_t i = 0; i < span.len; i++)
    sum += (unsigned char)span.data[i];
}

static void read_answer(const struct idem_answer *answer)
{
  const struct idem_span spans[] = {answer->headers,         answer->body,        answer->facts,
                                    answer->method,          answer->origin,      answer->path,
                                    answer->query,           answer->scope,       answer->record,
                                    answer->request_headers, answer->request_body};
  uint64_t chunks = 0;

  for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
    read_all(spans[i]);
  for (size_t i = 0; i < answer->chunk_count; i++)
    chunks += answer->chunks[i].len;
  if (chunks != answer->body.len || answer->id[IDEM_ID_SIZE - 1] != '\0')
    abort();
}

/* The same bytes with nothing behind them; as in a page, at an even address, the head alone is looked at. */
static void parse_at(const uint8_t *data, size_t size, size_t shift)
{
  char *copy = malloc(size + shift);
  struct idem_answer answer;
  struct idem_span record = {copy + shift, size};
  uint64_t at, len;

  if (size)
    memcpy(copy + shift, data, size);
  if ((shift ? record_tell(record, &answer) : record_parse(record, &answer)) == 0)
    read_answer(&answer);
  record_checksum_holds(record);
  const struct record_head *head = record_first(record);
  if (head && record_scope(head, &at, &len) && (at > head->total || len > head->total - at))
    abort();
  free(copy);
}

/* Most inputs fail at the magic: this one has a head that holds, so that the lengths behind it are reached.
 */
static void parse_with_head(const uint8_t *data, size_t size)
{
  struct idem_answer answer = {.body = {"body", 4}};
  struct idem_chunk chunk = {4, 0};
  static const uint8_t zero[IDEM_KEY_SIZE];
  struct record_draft draft = {.answer = &answer, .raw = zero, .print = zero, .base = zero};

  answer.chunks = &chunk, answer.chunk_count = 1;
  size_t len = record_size(&draft);
  uint8_t *record = malloc(len);
  record_write(&draft, record);
  for (size_t i = 0; i + 2 < size; i += 3)
    record[(data[i] | (size_t)data[i + 1] << 8) % len] = data[i + 2];
  parse_at(record, len, 0);
  parse_at(record, len, 2);
  free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  parse_at(data, size, 0);
  parse_with_head(data, size);
  return 0;
}
