/* SPDX-License-Identifier: MIT */
#include "shim/problem.h"

#include "shim/deliver.h"
#include "shim/live.h"
#include "shim/replay.h"

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
static bool add_facts(struct buffer *facts, const struct call *call, const struct problem *problem,
                      size_t header_len, size_t body_len)
{
  const struct shadow *shadow = call->shadow;
  return replay_add_number(facts, CURLINFO_RESPONSE_CODE, problem->status) &&
         replay_add_number(facts, CURLINFO_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
         replay_add_number(facts, CURLINFO_HEADER_SIZE, (int64_t)header_len) &&
         replay_add_number(facts, CURLINFO_SIZE_DOWNLOAD_T, (int64_t)body_len) &&
         replay_add_number(facts, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, (int64_t)body_len) &&
         replay_add_number(facts, CURLINFO_PROTOCOL,
                           shadow->parts.https ? CURLPROTO_HTTPS : CURLPROTO_HTTP) &&
         replay_add_text(facts, CURLINFO_SCHEME, scheme_name(shadow)) &&
         replay_add_text(facts, CURLINFO_CONTENT_TYPE, "application/problem+json") &&
         replay_add_text(facts, CURLINFO_EFFECTIVE_METHOD, shadow_method(shadow));
}

CURLcode problem_deliver(struct call *call, const struct problem *problem)
{
  char body[640], headers[256];
  int body_len =
      snprintf(body, sizeof(body),
               "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\",\"id\":\"%s\"}\n",
               problem->title, problem->status, problem->detail, call->op.id);
  int header_len =
      snprintf(headers, sizeof(headers),
               "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
               "X-Idemshim-Id: %s\r\n\r\n",
               problem->status, problem->reason, body_len, call->op.id);
  struct buffer facts = {0};
  struct idem_chunk chunk = {.len = (uint32_t)body_len};
  CURLcode code = CURLE_OUT_OF_MEMORY;
  bool ready = add_facts(&facts, call, problem, (size_t)header_len, (size_t)body_len);
  call->op.answer = (struct idem_answer){
      .status = (uint16_t)problem->status,
      .headers = {headers,    (size_t)header_len},
      .body = {body,       (size_t)body_len  },
      .facts = {facts.data, facts.len         },
      .chunks = &chunk,
      .chunk_count = 1,
  };
  /* The map is not involved: there is nothing to unpin. */
  call->api = NULL;
  if (!ready || !deliver_answer(call, "", &code))
    deliver_failure(call, code);
  buffer_release(&facts);
  return code;
}
