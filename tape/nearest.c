/* SPDX-License-Identifier: MIT */
/* What a miss is explained by. Likeness is judged by the bytes that two bodies have in common at their ends;
 * only the best one is taken apart. */
#include "store/key/key.h"
#include "tape/match.h"
#include "tape/redact.h"

#include <inttypes.h>
#include <stdio.h>

/* Spans of no bytes may point nowhere. */
static bool same(struct idem_span a, struct idem_span b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* How much of the longer body the two share at their ends, in thousandths. */
static uint64_t likeness(struct idem_span a, struct idem_span b)
{
  size_t least = a.len < b.len ? a.len : b.len, most = a.len > b.len ? a.len : b.len, start = 0, end = 0;
  while (start < least && a.data[start] == b.data[start])
    start++;
  while (end < least - start && a.data[a.len - 1 - end] == b.data[b.len - 1 - end])
    end++;
  return most ? (start + end) * 1000 / most : 1000;
}

/* What is on the tape was redacted, so what is compared with it has to be. */
struct idem_request tape_request_redacted(const struct idem_request *request, struct buffer *buffer)
{
  struct idem_request redacted = *request;
  tape_redact_query(buffer, request->query);
  size_t query = buffer->len;
  tape_redact_body(buffer, request->rule, request->body);
  if (buffer->failed || !buffer->data)
    return redacted;
  redacted.query = (struct idem_span){buffer->data, query};
  redacted.body = (struct idem_span){buffer->data + query, buffer->len - query};
  return redacted;
}

/* Differences. */

/* One header that counts, as the store writes it. */
static void add_vary(void *arg, struct idem_span name, struct idem_span value)
{
  struct buffer *out = arg;
  buffer_span(out, name);
  buffer_text(out, ": ");
  buffer_span(out, value);
  buffer_text(out, "\r\n");
}

/* As the store compares them: the headers that count, sorted. */
static struct idem_answer comparable(const struct idem_request *request, struct buffer *headers)
{
  key_headers(request, HEADER_VARY, false, add_vary, headers);
  return (struct idem_answer){.method = request->method,
                              .origin = request->origin,
                              .path = request->path,
                              .query = request->query,
                              .scope = {"", 0},
                              .request_headers = {headers->data ? headers->data : "", headers->len},
                              .request_body = request->body};
}

/* In the store's own words, so that explain and a replay's note say the same. */
void tape_difference(const struct tape *tape, uint64_t number, const struct idem_request *now, char *out,
                     size_t size)
{
  struct tape_record record = {0};
  struct idem_span lines[HEADERS_MOST];
  struct buffer headers[2] = {0};
  *out = '\0';
  if (tape_read(tape, number, &record, NULL) == 0) {
    struct idem_request recorded = tape_request(&record, now->rule, lines, HEADERS_MOST);
    struct idem_answer a = comparable(&recorded, &headers[0]), b = comparable(now, &headers[1]);
    /* The keys are what the difference is looked for behind; equal ones would end the comparison. */
    b.key[0] = 1;
    if (!headers[0].failed && !headers[1].failed)
      idem_store_compare(&a, &b, out, size);
  }
  free(headers[0].data);
  free(headers[1].data);
  tape_record_release(&record);
}

/* The search. */

/* Every candidate is read once; 0 if there is none. Only where the method and the path are the same is the
 * content read. */
static uint64_t find(const struct tape *tape, const struct idem_request *now)
{
  struct tape_record record = {0};
  uint64_t best = 0, best_like = 0;
  for (uint64_t number = 1; number <= tape->count; number++) {
    if (tape->entries[number - 1].what == TAPE_RESCUE || tape_peek(tape, number, &record, NULL) < 0 ||
        !same(record.method, now->method) || !same(record.path, now->path) ||
        tape_read(tape, number, &record, NULL) < 0)
      continue;
    uint64_t like = likeness(record.request_body, now->body) * 2 + same(record.origin, now->origin);
    if (!best || like > best_like) {
      best = number;
      best_like = like;
    }
  }
  tape_record_release(&record);
  return best;
}

/* False if nothing on the tape is for this URL at all. */
bool tape_nearest(const struct tape *tape, const struct idem_request *request, struct tape_match *match)
{
  struct buffer buffer = {0};
  struct idem_request now = tape_request_redacted(request, &buffer);
  char difference[400];
  *match = (struct tape_match){.number = find(tape, &now)};
  if (match->number)
    tape_difference(tape, match->number, &now, difference, sizeof(difference));
  if (match->number)
    snprintf(match->note, sizeof(match->note),
             "nothing recorded for this request; the nearest is exchange %" PRIu32
             "; first difference (recorded / now): %s",
             (uint32_t)match->number, difference);
  else
    snprintf(match->note, sizeof(match->note),
             "nothing recorded for this request, nor any other %.*s of %.*s%.*s",
             (int)(now.method.len < 20 ? now.method.len : 20), now.method.data,
             (int)(now.origin.len < 200 ? now.origin.len : 200), now.origin.data,
             (int)(now.path.len < 200 ? now.path.len : 200), now.path.data);
  free(buffer.data);
  return match->number != 0;
}
