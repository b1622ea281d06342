/* SPDX-License-Identifier: MIT */
#include "shim/replay/problem.h"

#include "shim/info/info.h"
#include "shim/replay/direct.h"

#include <stdio.h>
#include <string.h>

const struct problem problem_mismatch = {
    .status = 422,
    .reason = "Unprocessable Content",
    .title = "Idempotency key reused with a different request",
    .detail = "The key of this request has been used with other content; nothing was sent. Use a new key, or "
              "set mismatch= in "
              "the rule.",
};

const struct problem problem_in_doubt = {
    .status = 409,
    .reason = "Conflict",
    .title = "The outcome of an earlier request is unknown",
    .detail = "An earlier request with this key was sent and its sender died; nothing was sent now. "
              "`idemshim rm` with this id "
              "releases it.",
};

/* As each version writes it [lib/http.c, Curl_handler_http]; the curl tool shows no header without it. */
static const char *scheme_name(const struct shadow *shadow)
{
  if (shadow->lib->version < 0x080800)
    return shadow->parts.https ? "HTTPS" : "HTTP";
  return shadow->parts.https ? "https" : "http";
}

/* What getinfo shows of an answer that came from nowhere. */
static bool add_facts(struct buffer *facts, const struct request *request, const struct problem *problem,
                      size_t header_len, size_t body_len)
{
  const struct shadow *shadow = request->shadow;
  return info_record_add_number(facts, CURLINFO_RESPONSE_CODE, problem->status) &&
         info_record_add_number(facts, CURLINFO_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
         info_record_add_number(facts, CURLINFO_HEADER_SIZE, (int64_t)header_len) &&
         info_record_add_number(facts, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)body_len) &&
         info_record_add_number(facts, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, (int64_t)body_len) &&
         info_record_add_number(facts, CURLINFO_PROTOCOL,
                                shadow->parts.https ? CURLPROTO_HTTPS : CURLPROTO_HTTP) &&
         info_record_add_text(facts, CURLINFO_SCHEME, scheme_name(shadow)) &&
         info_record_add_text(facts, CURLINFO_CONTENT_TYPE, "application/problem+json") &&
         info_record_add_text(facts, CURLINFO_EFFECTIVE_METHOD, shadow_method(shadow));
}

bool problem_prepare(struct request *request, const struct problem *problem, struct problem_room *room)
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
  bool ready = add_facts(&room->facts, request, problem, (size_t)header_len, (size_t)body_len);
  request->op.answer = (struct idem_answer){
      .status = (uint16_t)problem->status,
      .headers = {room->headers, (size_t)header_len},
      .body = {room->body, (size_t)body_len},
      .facts = {room->facts.data, room->facts.len},
      .chunks = &room->chunk,
      .chunk_count = 1,
  };
  return ready;
}

void problem_release(struct problem_room *room)
{
  buffer_release(&room->facts);
}

CURLcode problem_deliver(struct request *request, const struct problem *problem, struct problem_room *room)
{
  CURLcode code = CURLE_OUT_OF_MEMORY;
  if (!problem_prepare(request, problem, room) || !direct_deliver(request, "", &code))
    direct_fail(request, code);
  return code;
}
