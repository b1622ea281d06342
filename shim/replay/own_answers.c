/* SPDX-License-Identifier: MIT */
#include "shim/replay/own_answers.h"

#include "shim/base/http_header.h"
#include "shim/info/info.h"
#include "shim/replay/direct.h"

#include <stdio.h>
#include <string.h>

/* Every hit writes them, so they are copied together and not formatted. */
void own_answers_mark(const struct request *request, char marks[OWN_ANSWERS_MARKS_SIZE])
{
  static const char head[] =
      "X-Idempotency-Replayed: true\r\nX-From-Cache: true\r\nX-Original-Request-Time: ";
  static const char id[] = "\r\nX-Idemshim-Id: ";
  const char *date =
      request->rule->mark && !request->tape.played ? info_record_date(request->op.answer.facts) : NULL;
  char *at = marks;
  *at = '\0';
  if (!date)
    return;
  memcpy(at, head, sizeof(head) - 1);
  at += sizeof(head) - 1;
  memcpy(at, date, HEADER_DATE_SIZE - 1);
  at += HEADER_DATE_SIZE - 1;
  memcpy(at, id, sizeof(id) - 1);
  at += sizeof(id) - 1;
  memcpy(at, request->op.answer.id, IDEM_ID_SIZE - 1);
  memcpy(at + IDEM_ID_SIZE - 1, "\r\n", 3);
}

const struct own_answer own_answers_mismatch = {
    .status = 422,
    .reason = "Unprocessable Content",
    .title = "Idempotency key reused with a different request",
    .detail = "The key of this request has been used with other content; nothing was sent. Use a new key, or "
              "set mismatch= in the rule.",
};

const struct own_answer own_answers_in_doubt = {
    .status = 409,
    .reason = "Conflict",
    .title = "The outcome of an earlier request is unknown",
    .detail = "An earlier request with this key was sent and its sender died; nothing was sent now. "
              "`idemshim rm` with this id releases it.",
};

const struct own_answer own_answers_unrecorded = {
    .status = 409,
    .reason = "Conflict",
    .title = "The request cannot be recorded",
    .detail = "It may be sent once at most (indoubt=fail), and the store cannot keep that it was; nothing "
              "was sent.",
};

const struct own_answer own_answers_budget = {
    .status = 429,
    .reason = "Too Many Requests",
    .title = "The budget of this run is used up",
    .detail = "The run has used up what budget= of the rule gives it; nothing was sent.",
};

const struct own_answer own_answers_repeats = {
    .status = 429,
    .reason = "Too Many Requests",
    .title = "This run has sent the same call too often",
    .detail = "It has been sent as often as max_repeats= of the rule lets it; nothing was sent.",
};

bool own_answers_add_facts(struct buffer *facts, const struct request *request, int status, const char *type,
                           size_t header_len, size_t body_len)
{
  const struct shadow *shadow = request->shadow;
  bool https = shadow->parts.https;
  /* The scheme is as each version writes it [lib/http.c, Curl_handler_http]; the curl tool shows no header
   * without it. */
  const char *scheme = https ? "https" : "http";
  if (shadow->lib->version < 0x080800)
    scheme = https ? "HTTPS" : "HTTP";
  return info_record_add_number(facts, CURLINFO_RESPONSE_CODE, status) &&
         info_record_add_number(facts, CURLINFO_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
         info_record_add_number(facts, CURLINFO_HEADER_SIZE, (int64_t)header_len) &&
         info_record_add_number(facts, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)body_len) &&
         info_record_add_number(facts, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, (int64_t)body_len) &&
         info_record_add_number(facts, CURLINFO_PROTOCOL, https ? CURLPROTO_HTTPS : CURLPROTO_HTTP) &&
         info_record_add_text(facts, CURLINFO_SCHEME, scheme) &&
         info_record_add_text(facts, CURLINFO_CONTENT_TYPE, type) &&
         info_record_add_text(facts, CURLINFO_EFFECTIVE_METHOD, shadow_method(shadow));
}

bool own_answers_prepare(struct request *request, const struct own_answer *problem,
                         struct own_answers_room *room)
{
  int body_len =
      snprintf(room->body, sizeof(room->body),
               "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\",\"id\":\"%s\"}\n",
               problem->title, problem->status, problem->detail, request->op.id);
  int header_len =
      snprintf(room->headers, sizeof(room->headers),
               "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
               "X-Idemshim-Id: %s\r\n\r\n",
               problem->status, problem->reason, body_len, request->op.id);
  room->facts = (struct buffer){0};
  room->chunk = (struct idem_chunk){.len = (uint32_t)body_len};
  bool ready = own_answers_add_facts(&room->facts, request, problem->status, "application/problem+json",
                                     (size_t)header_len, (size_t)body_len);
  request->op.answer = (struct idem_answer){
      .status = (uint16_t)problem->status,
      .headers = {room->headers, (size_t)header_len},
      .body = {room->body, (size_t)body_len},
      .facts = span_of_buffer(&room->facts),
      .chunks = &room->chunk,
      .chunk_count = 1,
  };
  return ready;
}

void own_answers_release(struct own_answers_room *room)
{
  buffer_release(&room->facts);
}

CURLcode own_answers_deliver(struct request *request, const struct own_answer *problem,
                             struct own_answers_room *room)
{
  CURLcode code = CURLE_OUT_OF_MEMORY;
  if (!own_answers_prepare(request, problem, room) || !direct_deliver(request, "", &code))
    direct_fail(request, code);
  return code;
}
