/* SPDX-License-Identifier: MIT */
#include "tests/mock/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS            "text/event-stream"
#define DATA(json)        "data: " json "\n\n"
#define NAMED(name, json) "event: " name "\n" DATA(json)
#define DONE              "data: [DONE]\n\n"
#define FAILS             6

/* Streams: pieces of the wire are parted by a form feed; a frame is "event-type payload". A failure that
 * begins with `stream:` is one. */
static const struct shape_row {
  const char *name, *stream_type, *whole, *stream, *fail[FAILS];
} rows[] = {
    {"openai-chat",
     EVENTS,
     "{\"id\":\"c-$N\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
     "\"assistant\","
     "\"content\":\"hi "
     "$N\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}",
     DATA("{\"id\":\"c-$N\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]"
          "}") "\f" DATA("{\"id\":\"c-$N\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}"
                         "]}") "\f" DONE,
     {"{\"id\":\"c-$N\",\"choices\":null,\"error\":{\"message\":\"Provider returned error\",\"code\":429}}",
      "{\"id\":\"c-$N\",\"choices\":[]}",
      "{\"object\":\"error\",\"message\":\"out of memory $N\",\"code\":500}",
      "{\"id\":\"c-$N\",\"choices\":[{\"error\":{\"code\":502},\"message\":{\"content\":\"\"},\"finish_"
      "reason\":\"error\"}]}",
      "stream:: $N\n\n\f" DONE,
      "stream:" DATA("{\"id\":\"c-$N\",\"choices\":[{\"delta\":{\"content\":\"h\"}}]}") "\f" DATA(
          "{\"error\":{\"message\":\"overloaded\"}}") "\f" DONE}},
    {"openai-completions",
     EVENTS,
     "{\"id\":\"c-$N\",\"object\":\"text_completion\",\"choices\":[{\"text\":\"hi "
     "$N\",\"finish_reason\":\"stop\"}]}",
     DATA(
         "{\"id\":\"c-$N\",\"choices\":[{\"text\":\"hi\",\"index\":0,\"finish_reason\":\"stop\"}]}") "\f" DONE,
     {"{\"id\":\"c-$N\",\"choices\":[],\"error\":\"x\"}", "{\"id\":\"c-$N\",\"choices\":null}",
      "{\"error\":{\"message\":\"$N\"}}", "{\"error_code\":17,\"error_msg\":\"daily limit $N\"}",
      "stream:" DATA("{\"object\":\"error\",\"message\":\"$N\"}") "\f" DONE,
      "stream:" DATA("{\"id\":\"c-$N\",\"choices\":[{\"text\":\"hi\",\"finish_reason\":null}]}")}},
    {"openai-responses",
     EVENTS,
     "{\"id\":\"r-$N\",\"object\":\"response\",\"status\":\"completed\",\"error\":null,\"output\":[{\"type\":"
     "\"message\"}]}",
     NAMED("response.created",
           "{\"type\":\"response.created\",\"response\":{\"id\":\"r-$N\",\"error\":null}"
           "}") "\f" NAMED("response.completed", "{\"type\":\"response.completed\",\"response\":{\"status\":"
                                                 "\"completed\",\"usage\":{\"input_tokens\":1}}}"),
     {"{\"id\":\"r-$N\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\"},\"output\":[]}",
      "{\"id\":\"r-$N\",\"status\":\"queued\",\"background\":true,\"error\":null,\"output\":[]}",
      "{\"id\":\"r-$N\",\"status\":\"in_progress\",\"error\":null,\"output\":[]}",
      "{\"id\":\"r-$N\",\"status\":\"cancelled\",\"error\":null,\"output\":[]}",
      "stream:" NAMED("response.failed", "{\"type\":\"response.failed\",\"response\":{\"id\":\"r-$N\"}}"),
      "stream:" NAMED("response.in_progress",
                      "{\"type\":\"response.in_progress\",\"response\":{\"id\":\"r-$N\"}}")}},
    {"openai-images",
     EVENTS,
     "{\"created\":$N,\"data\":[{\"b64_json\":\"AAAA\"}]}",
     NAMED("image_generation.partial_image",
           "{\"type\":\"image_generation.partial_image\",\"b64_json\":\"AA$"
           "N\"}") "\f" NAMED("image_generation.completed",
                              "{\"type\":\"image_generation.completed\",\"b64_json\":\"BBBB\"}"),
     {"{\"created\":$N,\"data\":null,\"error\":{\"code\":\"x\"}}",
      "{\"created\":$N,\"data\":[],\"error\":\"x\"}", "{\"error\":{\"message\":\"$N\"}}",
      "stream:" NAMED("image_generation.partial_image",
                      "{\"type\":\"image_generation.partial_image\",\"n\":$N}"),
      "stream:" NAMED("error", "{\"type\":\"error\",\"error\":{\"code\":\"moderation_blocked\"},\"n\":$N}")}},
    {"openai-speech",
     EVENTS,
     "{\"text\":\"a transcript $N\"}",
     DATA("{\"type\":\"speech.audio.delta\",\"audio\":\"AA$N\"}") "\f" DATA(
         "{\"type\":\"speech.audio.done\",\"usage\":{}}"),
     {"{\"error\":{\"message\":\"$N\"}}", "{\"text\":\"\",\"error\":\"$N\"}",
      "{\"object\":\"error\",\"n\":$N}",
      "stream:" DATA("{\"type\":\"speech.audio.delta\",\"audio\":\"AA$N\"}"),
      "stream:" DATA("{\"type\":\"error\",\"error\":{\"n\":$N}}")}},
    {"openai-embeddings",
     NULL,
     "{\"object\":\"list\",\"data\":[{\"embedding\":[0.25,$N]}],\"usage\":{\"prompt_tokens\":3}}",
     NULL,
     {"{\"object\":\"list\",\"data\":null,\"error\":{\"code\":429},\"n\":$N}",
      "{\"data\":[],\"error\":\"x $N\"}", "{\"object\":\"error\",\"n\":$N}", "{\"error_code\":336,\"n\":$N}",
      "{\"code\":500,\"msg\":\"busy $N\"}"}},
    {"anthropic-messages",
     EVENTS,
     "{\"id\":\"m-$N\",\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"hi "
     "$N\"}],\"stop_reason\":"
     "\"end_turn\",\"usage\":{\"input_tokens\":1,\"cache_read_input_tokens\":2,\"output_tokens\":3}}",
     NAMED("message_start",
           "{\"type\":\"message_start\",\"message\":{\"id\":\"m-$N\",\"usage\":{\"input_"
           "tokens\":1}}}") "\f" NAMED("message_delta",
                                       "{\"type\":\"message_delta\","
                                       "\"delta\":{\"stop_reason\":\"end_"
                                       "turn\"}}") "\f" NAMED("message_stop", "{\"type\":\"message_stop\"}"),
     {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"},\"n\":$N}",
      "{\"id\":\"m-$N\",\"content\":null,\"error\":{\"type\":\"api_error\"}}",
      "{\"id\":\"m-$N\",\"content\":[],\"error\":{\"type\":\"api_error\"}}",
      "stream:" NAMED(
          "message_start",
          "{\"type\":\"message_start\",\"message\":{\"id\":\"m-$N\"}}") "\f" NAMED("error",
                                                                                   "{\"type\":\"error\","
                                                                                   "\"error\":{\"type\":"
                                                                                   "\"overloaded_error\"}}"),
      "stream:" NAMED(
          "message_start",
          "{\"type\":\"message_start\",\"message\":{\"id\":\"m-$N\"}}") "\f" NAMED("message_delta",
                                                                                   "{\"type\":\"message_"
                                                                                   "delta\",\"delta\":{"
                                                                                   "\"stop_reason\":\"end_"
                                                                                   "turn\"}}")}},
    {"anthropic-complete",
     EVENTS,
     "{\"type\":\"completion\",\"completion\":\" hi $N\",\"stop_reason\":\"stop_sequence\"}",
     NAMED(
         "completion",
         "{\"type\":\"completion\",\"completion\":\" hi $N\",\"stop_reason\":null}") "\f" NAMED("completion",
                                                                                                "{\"type\":"
                                                                                                "\"completion"
                                                                                                "\","
                                                                                                "\"completion"
                                                                                                "\":\"\","
                                                                                                "\"stop_"
                                                                                                "reason\":"
                                                                                                "\"stop_"
                                                                                                "sequence\""
                                                                                                "}"),
     {"{\"type\":\"error\",\"error\":{\"type\":\"api_error\"},\"n\":$N}",
      "{\"completion\":\"\",\"error\":{\"n\":$N}}", "{\"completion\":null,\"error\":\"$N\"}",
      "stream:" NAMED("completion",
                      "{\"type\":\"completion\",\"completion\":\" hi $N\",\"stop_reason\":null}"),
      "stream:" NAMED("error", "{\"error\":{\"type\":\"overloaded_error\"},\"n\":$N}")}},
    {"gemini",
     EVENTS,
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi "
     "$N\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
     "\"promptTokenCount\":3,\"candidatesTokenCount\":4}}",
     DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h$N\"}]}}]}") "\f" DATA(
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":\"STOP\"}]}"),
     {"{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"},\"n\":$N}",
      "[{\"error\":{\"code\":503,\"n\":$N}}]", "{\"candidates\":[],\"n\":$N}",
      "{\"name\":\"models/veo/operations/$N\"}",
      "stream:" DATA("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h$N\"}]}}]}"),
      "stream:" DATA("{\"candidates\":[{\"content\":{\"n\":$N}}]}") "\f" DATA("{\"error\":{\"code\":503}}")}},
    {"gemini-array",
     "application/json",
     "{\"predictions\":[{\"bytesBase64Encoded\":\"AA$N\"}]}",
     "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h$N\"}]}}]}\f,\r\n"
     "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":\"STOP\"}]}\f]",
     {"{\"predictions\":null,\"error\":{\"code\":500},\"n\":$N}",
      "stream:[{\"candidates\":[{\"content\":{\"n\":$N}}]}\f,\r\n{\"error\":{\"code\":503}}]",
      "stream:[{\"candidates\":[{\"content\":{\"n\":$N}}]}\f,\r\n",
      "stream:[{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"n\":$N}}\f]",
      "stream:[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h$N"}},
    {"mistral-agents",
     EVENTS,
     "{\"object\":\"conversation.response\",\"conversation_id\":\"conv_$N\",\"outputs\":[{\"type\":\"message."
     "output\",\"content\":\"hi\"}],\"usage\":{\"prompt_tokens\":3}}",
     NAMED(
         "conversation.response.started",
         "{\"type\":\"conversation.response.started\",\"n\":$N}") "\f" NAMED("conversation.response.done",
                                                                             "{\"type\":\"conversation."
                                                                             "response.done\",\"usage\":{}}"),
     {"{\"object\":\"error\",\"message\":\"$N\"}", "{\"error\":{\"n\":$N}}",
      "{\"outputs\":null,\"error\":{\"n\":$N}}",
      "stream:" NAMED("conversation.response.started",
                      "{\"type\":\"conversation.response.started\",\"n\":$N}"),
      "stream:" NAMED("conversation.response.error",
                      "{\"type\":\"conversation.response.error\",\"message\":\"$N\"}")}},
    {"cohere-v2",
     EVENTS,
     "{\"id\":\"c-$N\",\"finish_reason\":\"COMPLETE\",\"message\":{\"content\":[{\"text\":\"hi $N\"}]}}",
     NAMED("message-start", "{\"type\":\"message-start\",\"id\":\"c-$N\"}") "\f" NAMED(
         "message-end", "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}"),
     {"{\"id\":\"c-$N\",\"finish_reason\":\"ERROR\",\"message\":{\"content\":[]}}",
      "{\"id\":\"c-$N\",\"finish_reason\":\"ERROR_LIMIT\",\"message\":{}}",
      "{\"message\":\"busy\",\"code\":503,\"n\":$N}",
      "stream:" NAMED("message-start", "{\"type\":\"message-start\",\"id\":\"c-$N\"}"),
      "stream:" NAMED("message-end",
                      "{\"type\":\"message-end\",\"id\":\"c-$N\",\"delta\":{\"finish_reason\":\"ERROR\"}}")}},
    {"cohere-v1",
     "application/stream+json",
     "{\"text\":\"hi $N\",\"finish_reason\":\"COMPLETE\",\"meta\":{\"billed_units\":{\"input_tokens\":1}}}",
     "{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"hi $N\"}\n\f"
     "{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"COMPLETE\"}\n",
     {"{\"text\":\"\",\"finish_reason\":\"ERROR\",\"n\":$N}", "{\"message\":\"busy $N\",\"code\":503}",
      "{\"text\":null,\"error\":\"$N\"}",
      "stream:{\"is_finished\":false,\"event_type\":\"text-generation\",\"text\":\"hi $N\"}\n",
      "stream:{\"is_finished\":true,\"event_type\":\"stream-end\",\"finish_reason\":\"ERROR_TOXIC\",\"n\":$N}"
      "\n"}},
    {"bedrock",
     "application/vnd.amazon.eventstream",
     "{\"output\":{\"message\":{\"content\":[{\"text\":\"hi "
     "$N\"}]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":"
     "1,\"outputTokens\":2}}",
     "messageStart {\"role\":\"assistant\",\"p\":\"$N\"}\fmessageStop "
     "{\"stopReason\":\"end_turn\"}\fmetadata {\"usage\":{}}",
     {"{\"output\":null,\"error\":{\"n\":$N}}", "{\"error\":\"$N\"}", "{\"output\":{},\"error\":{\"n\":$N}}",
      "stream:messageStart {\"p\":\"$N\"}\fcontentBlockDelta {}",
      "stream:messageStart {\"p\":\"$N\"}\f!throttlingException {\"message\":\"slow down\"}",
      "stream:messageStart {\"p\":\"$N\"}\fmetadata {\"usage\":{}}"}},
    {"bedrock-invoke",
     "application/vnd.amazon.eventstream",
     "{\"completion\":\" hi $N\",\"stop_reason\":\"stop_sequence\"}",
     "chunk "
     "{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsidXNhZ2UiOnsiaW5wdXRfdG9rZW5zIjozfX19\","
     "\"p\":\"$N\"}\fchunk "
     "{\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJoaSJ9fQ==\"}\fchunk "
     "{\"bytes\":"
     "\"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiwiYW1hem9uLWJlZHJvY2staW52b2NhdGlvbk1ldHJpY3MiOnsiaW5wdXRUb2tlbkNvdW50I"
     "jozLCJvdXRwdXRUb2tlbkNvdW50Ijo3fX0=\"}", /* message_start, a delta, message_stop */
     {"{\"completion\":null,\"error\":{\"n\":$N}}", "{\"error\":\"$N\"}", "{\"object\":\"error\",\"n\":$N}",
      "stream:!modelStreamErrorException {\"message\":\"$N\"}",
      /* Claude's own error, and a stream without message_stop. */
      "stream:chunk "
      "{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsidXNhZ2UiOnsiaW5wdXRfdG9rZW5zIjozfX19\","
      "\"p\":\"$N\"}\fchunk "
      "{\"bytes\":\"eyJ0eXBlIjoiZXJyb3IiLCJlcnJvciI6eyJ0eXBlIjoib3ZlcmxvYWRlZF9lcnJvciJ9fQ==\"}",
      "stream:chunk "
      "{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsidXNhZ2UiOnsiaW5wdXRfdG9rZW5zIjozfX19\","
      "\"p\":\"$N\"}\fchunk "
      "{\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJoaSJ9fQ==\"}"}},
    {"perplexity",
     EVENTS,
     "{\"id\":\"p-$N\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"hi "
     "$N\"},\"finish_reason\":\"stop\"}]}",
     DATA("{\"id\":\"p-$N\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]"
          "}") "\f" DATA("{\"id\":\"p-$N\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}"
                         "],\"usage\":{}}"),
     {"{\"id\":\"p-$N\",\"choices\":null,\"error\":{\"code\":500}}", "{\"id\":\"p-$N\",\"choices\":[]}",
      "{\"error\":{\"n\":$N}}", "{\"id\":\"p-$N\",\"choices\":[],\"base_resp\":{\"status_code\":1002}}",
      "stream:" DATA("{\"id\":\"p-$N\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_"
                     "reason\":null}]}"),
      "stream:" DATA(
          "{\"id\":\"p-$N\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"},{\"index\":1}]}")}},
    {"ollama",
     "application/x-ndjson",
     "{\"model\":\"m\",\"response\":\"hi $N\",\"done\":true,\"prompt_eval_count\":3,\"eval_count\":4}",
     "{\"response\":\"hi "
     "$N\",\"done\":false}\n\f{\"response\":\"\",\"done\":true,\"done_reason\":\"stop\"}\n",
     {"{\"error\":\"model not found $N\"}", "{\"response\":\"\",\"error\":\"$N\"}",
      "{\"message\":null,\"error\":\"$N\"}", "stream:{\"response\":\"hi $N\",\"done\":false}\n",
      "stream:{\"response\":\"hi $N\",\"done\":false}\n\f{\"error\":\"llama runner process has "
      "terminated\"}\n",
      "stream:{\"response\":\"hi $N\",\"done\":false}\n\f{\"response\":"}},
    /* What gateways and servers of one's own make of it: a stream under the type of a document, ends and
     * failures in other words. */
    {"gateway",
     "application/json",
     "{\"choices\":[{\"message\":{\"content\":\"hi $N\"}}],\"error\":{},\"code\":\"0\",\"message\":\"ok\"}",
     DATA("{\"text\":\"hi $N\"}") "\f" NAMED("done", "{}"),
     {"{\"detail\":\"Internal Server Error $N\"}", "{\"code\":\"Throttling\",\"message\":\"slower $N\"}",
      "{\"choices\":[{\"message\":{\"content\":\"half $N\"},\"finish_reason\":\"network_error\"}]}",
      "{\"output\":{\"task_status\":\"PENDING\",\"task_id\":\"$N\"}}",
      "stream:" DATA("{\"text\":\"hi $N\"}") "\f" DATA("[ERROR] upstream died") "\f" DONE,
      "stream:{\"response\":\"hi $N\"}\n\f{\"error\":\"died\"}\n"}},
};

static char *with_serial(const char *text, uint64_t serial)
{
  char *out = calloc(strlen(text) * 12 + 1, 1), *at = out;

  if (!out)
    abort();
  for (; *text; text++) {
    if (text[0] == '$' && text[1] == 'N') {
      at += sprintf(at, "%" PRIu64, serial);
      text++;
    } else {
      *at++ = *text;
    }
  }
  return out;
}

static void put_be(char *out, size_t value, int bytes)
{
  while (bytes-- > 0)
    *out++ = (char)(value >> 8 * bytes);
}

static char *put_header(char *at, const char *name, const char *value)
{
  *at++ = (char)strlen(name);
  at = stpcpy(at, name);
  *at++ = 7;
  put_be(at, strlen(value), 2);
  return stpcpy(at + 2, value);
}

/* "event-type payload"; with a ! before it, it is an exception. The checksums are nobody's business here. */
static void add_frame(struct answer *answer, char *piece)
{
  char frame[1024] = {0}, *payload = strchr(piece, ' '), *at = frame + 12;
  bool exception = *piece == '!';

  *payload++ = 0;
  at = put_header(at, exception ? ":exception-type" : ":event-type", piece + exception);
  at = put_header(at, ":message-type", exception ? "exception" : "event");
  put_be(frame + 4, (size_t)(at - frame) - 12, 4);
  at = stpcpy(at, payload) + 4;
  put_be(frame, (size_t)(at - frame), 4);
  answer_bytes(answer, frame, (size_t)(at - frame));
}

static struct answer *stream_of(const struct shape_row *row, const char *text, uint64_t serial)
{
  struct answer *answer = answer_new(200, row->stream_type);
  char *copy = with_serial(text, serial), *place = NULL;

  answer->stream = true;
  for (char *piece = strtok_r(copy, "\f", &place); piece; piece = strtok_r(NULL, "\f", &place)) {
    if (strstr(row->stream_type, "amazon"))
      add_frame(answer, piece);
    else
      answer_bytes(answer, piece, strlen(piece));
  }
  free(copy);
  return answer;
}

static const char *text_of(const struct shape_row *row, const char *which)
{
  int fail = 0;

  if (!strcmp(which, "whole"))
    return row->whole;
  if (!strcmp(which, "stream"))
    return row->stream;
  return sscanf(which, "fail%d", &fail) == 1 && fail >= 1 && fail <= FAILS ? row->fail[fail - 1] : NULL;
}

struct answer *rows_answer(const char *shape, const char *which, uint64_t serial)
{
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *text = strcmp(rows[i].name, shape) ? NULL : text_of(&rows[i], which);
    if (!text)
      continue;
    if (!strcmp(which, "stream") || !strncmp(text, "stream:", 7))
      return stream_of(&rows[i], strcmp(which, "stream") ? text + 7 : text, serial);
    struct answer *answer = answer_new(200, "application/json");
    char *copy = with_serial(text, serial);
    answer_bytes(answer, copy, strlen(copy));
    free(copy);
    return answer;
  }
  return NULL;
}
