/* SPDX-License-Identifier: MIT */
/* Any bytes as a response: judging ends, and stays inside them. The first byte picks the content type, the
 * second the flags. A body that is cut after an answer was found in it may be refused, but an error that was
 * found does not go away with more. */
#include "store/judge/judge.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const types[] = {"application/json",
                                    "text/event-stream",
                                    "application/x-ndjson",
                                    "application/vnd.amazon.eventstream",
                                    "application/x+json",
                                    "text/plain",
                                    "application/stream+json",
                                    "application/json\r\nContent-Encoding: gzip",
                                    "text/event-stream\r\nContent-Encoding: br"};

/* In one piece or in pieces of `step` bytes, the verdict and what it goes by are the same. */
static void judge(const char *headers, size_t headers_len, char *body, size_t len, unsigned flags)
{
  struct idem_rule rule = {
      .status = {{200, 299}}, .status_count = 1, .max_body = UINT64_MAX, .max_answer = UINT64_MAX};
  struct idem_request request = {.rule = &rule};
  struct idem_recording recording = {.status = 200,
                                     .headers = {headers, headers_len},
                                     .body = {body, len},
                                     .encoded = flags & 1,
                                     .framed = flags & 2};
  struct answer_facts facts, in_pieces;
  struct idem_error why = {""}, again = {""};
  size_t step = flags / 4 + 1;

  bool accepted = judge_answer(&request, &recording, &facts, &why);
  if (accepted == (why.text[0] != '\0'))
    abort();
  if (facts.usage.input < -1 || facts.usage.output < -1 || (accepted && facts.unproven))
    abort();
  recording.judge = idem_judge_new(recording.headers, recording.encoded);
  for (size_t at = 0; recording.judge && at < len; at += step)
    idem_judge_feed(recording.judge, (struct idem_span){body + at, len - at < step ? len - at : step});
  if (judge_answer(&request, &recording, &in_pieces, &again) != accepted ||
      strcmp(why.text, again.text) != 0 || memcmp(&facts.usage, &in_pieces.usage, sizeof(facts.usage)) != 0)
    abort();
  idem_judge_free(recording.judge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char headers[128] = "HTTP/1.1 200 OK\r\nContent-Type: ";
  if (size < 2)
    return 0;
  size_t len = size - 2;
  char *body = malloc(len ? len : 1);
  if (len)
    memcpy(body, data + 2, len);
  strcat(headers, types[data[0] % (sizeof(types) / sizeof(*types))]);
  strcat(headers, "\r\n\r\n");
  judge(headers, strlen(headers), body, len, data[1]);
  /* And the bytes as header blocks. */
  judge(body, len, body, len, data[1]);
  free(body);
  return 0;
}
