/* SPDX-License-Identifier: MIT */
#include "tests/clients/tape/scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPAN(text) ((struct idem_span){text, strlen(text)})

enum {
  CHUNKS_MOST = 64,
  TYPE_TEXT = 18,
  PRIMARY_IP = 32,
  TOTAL_TIME = 50,
  CONNECT_TIME = 52,
  FIRST_BYTE_TIME = 54
};

struct facts {
  char bytes[512];
  size_t len;
};

static void add_fact(struct facts *facts, unsigned number, const void *value, size_t len)
{
  uint16_t head[2] = {(uint16_t)number, (uint16_t)len};
  memcpy(facts->bytes + facts->len, head, sizeof head);
  memcpy(facts->bytes + facts->len + sizeof head, value, len);
  facts->len += sizeof head + len;
}

static void add_time(struct facts *facts, unsigned number, int64_t us)
{
  add_fact(facts, number, &us, sizeof us);
}

static size_t make_chunks(const struct act *act, size_t body, struct tape_chunk *chunk)
{
  size_t count = act->chunks ? act->chunks : 1, done = 0;
  for (size_t i = 0; body && i < count; i++) {
    size_t until = body * (i + 1) / count;
    uint64_t at_ms = act->wait_ms + (count > 1 ? act->stream_ms * i / (count - 1) : act->stream_ms);
    chunk[i] = (struct tape_chunk){at_ms * 1000, until - done};
    done = until;
  }
  return body ? count : 0;
}

static struct tape_outcome outcome_of(const struct act *act, struct tape_chunk *chunks, struct facts *facts)
{
  const char *headers = act->headers ? act->headers
                        : act->curl_code && !act->body
                            ? ""
                            : "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
  const char *body = act->body ? act->body : act->curl_code ? "" : "{\"choices\":[]}";
  size_t size = act->body_size ? act->body_size : strlen(body);
  add_time(facts, CONNECT_TIME, 2000);
  add_time(facts, FIRST_BYTE_TIME, act->wait_ms * INT64_C(1000));
  add_time(facts, TOTAL_TIME, (act->wait_ms + act->stream_ms) * INT64_C(1000));
  add_fact(facts, PRIMARY_IP, "127.0.0.1", 10);
  add_fact(facts, TYPE_TEXT, "application/json", 17);
  return (struct tape_outcome){.curl_code = act->curl_code,
                               .status = (uint16_t)(*headers ? act->status ? act->status : 200 : 0),
                               .delivered = !act->curl_code,
                               .first_byte_us = *headers ? act->wait_ms * INT64_C(1000) : -1,
                               .error_text = SPAN(act->error ? act->error : ""),
                               .headers = SPAN(headers),
                               .body = {body, size},
                               .chunks = chunks,
                               .chunk_count = make_chunks(act, size, chunks),
                               .facts = {facts->bytes, facts->len}};
}

static void place(const struct scene *scene, const struct act *act, struct tape_call *call)
{
  call->lane = act->lane ? act->lane : 1;
  call->pid = 4711 + act->process;
  call->process_us = 1795341599000000 + act->process;
  call->started_us = scene->now_us;
  call->duration_us = (act->wait_ms + act->stream_ms) * UINT64_C(1000);
  call->what = act->what;
}

/* Attempts of one operation share what begins its key. */
static void give_id(const struct act *act, struct tape_call *call)
{
  if (act->id)
    snprintf(call->id, sizeof call->id, "%s", act->id);
  for (int i = 0; !act->id && i < 8; i++)
    snprintf(call->id + 2 * i, 3, "%02x", call->key[i]);
}

void perform(struct scene *scene, const struct act *act, unsigned after_ms)
{
  struct idem_span headers[] = {SPAN("Content-Type: application/json"),
                                SPAN("Authorization: Bearer test-credential-alpha"),
                                SPAN(act->header ? act->header : "Accept: application/json")};
  struct idem_request request = {.rule = scene->rule,
                                 .method = SPAN("POST"),
                                 .origin = SPAN(act->origin ? act->origin : "https://api.example.com:443"),
                                 .path = SPAN(act->path ? act->path : "/v1/chat/completions"),
                                 .query = SPAN(act->query ? act->query : ""),
                                 .headers = headers,
                                 .header_count = 3,
                                 .body = SPAN(act->request ? act->request : "{}")};
  struct tape_chunk chunks[CHUNKS_MOST];
  struct facts facts = {.len = 0};
  struct tape_outcome outcome = outcome_of(act, chunks, &facts);
  struct tape_call call = tape_begin(scene->writer);
  struct idem_error error;
  place(scene, act, &call);
  tape_name(&request, &call);
  give_id(act, &call);
  if (tape_append(scene->writer, &call, &request, &outcome, &error) < 0) {
    fprintf(stderr, "record-tape: %s\n", error.text);
    exit(1);
  }
  scene->now_us += after_ms * INT64_C(1000);
}
