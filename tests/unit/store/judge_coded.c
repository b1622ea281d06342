/* SPDX-License-Identifier: MIT */
/* Answers within a coding, and Amazon's frames. */
#include "tests/unit/store/answer_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(store_answers, an_encoded_stream_cannot_be_trusted)
{
  struct idem_chunk chunk;
  struct idem_recording events = recording_of(&chunk, EVENTS, "\x1f\x8b"), json = events;
  events.encoded = true;
  cr_expect_eq(answer_commit(&events), IDEM_REFUSED);
  json = recording_of(&chunk, OK("application/json"), "\x1f\x8b");
  json.encoded = true;
  cr_expect_eq(answer_commit(&json), IDEM_STORED);
  json.framed = false;
  cr_expect_eq(answer_commit(&json), IDEM_REFUSED);
}

/* An event stream with 3 tokens in it, and an error, in each coding. */
#define BYTES(text)                                                                                          \
  {                                                                                                          \
    text, sizeof(text) - 1                                                                                   \
  }
static const struct coded {
  char coding[8];
  struct idem_span stream, error;
} coded[] = {
    {"gzip",
     BYTES("\037\213\010\000\000\000\000\000\002\377\113\111\054\111\264\122\250\126\112\316\310\317"
           "\114\116\055\126\262\212\256\126\312\314\113\111\255\120\262\062\250\215\325\121\052\055"
           "\116\114\117\125\262\252\126\052\050\312\317\055\050\211\057\311\317\116\315\003\052\063"
           "\256\255\345\342\112\001\153\216\166\361\367\163\215\345\342\002\000\221\264\373\320\113"
           "\000\000\000"),
     BYTES("\037\213\010\000\000\000\000\000\002\377\253\126\112\055\052\312\057\122\262\252\126\112"
           "\316\117\111\125\262\062\061\262\254\325\121\112\316\310\317\114\116\055\126\262\312\053"
           "\315\311\251\005\000\135\211\141\373\045\000\000\000")},
    {"deflate",
     BYTES("\170\332\113\111\054\111\264\122\250\126\112\316\310\317\114\116\055\126\262\212\256\126"
           "\312\314\113\111\255\120\262\062\250\215\325\121\052\055\116\114\117\125\262\252\126\052"
           "\050\312\317\055\050\211\057\311\317\116\315\003\052\063\256\255\345\342\112\001\153\216"
           "\166\361\367\163\215\345\342\002\000\320\306\030\266"),
     BYTES("\170\332\253\126\112\055\052\312\057\122\262\252\126\112\316\117\111\125\262\062\061\262"
           "\254\325\121\112\316\310\317\114\116\055\126\262\312\053\315\311\251\005\000\351\301\014"
           "\224")},
    {"br",
     BYTES("\023\112\000\000\304\362\326\277\044\273\054\330\264\313\124\326\177\046\044\143\150\277"
           "\007\207\034\070\234\070\012\263\226\133\260\061\166\256\106\320\214\043\213\030\014\313"
           "\063\250\006\111\202\311\107\104\352\007\032\316\335\353\374\131\375\074\060\273\213\000"
           "\112\113\157\165\210\000"),
     BYTES("\023\044\000\000\004\124\071\362\362\351\271\274\254\313\132\221\111\104\351\105\123\326"
           "\167\062\170\141\200\303\333\357\020\242\370\171\120")},
    {"zstd",
     BYTES("\050\265\057\375\040\113\131\002\000\144\141\164\141\072\040\173\042\143\150\157\151\143"
           "\145\163\042\072\133\173\042\151\156\144\145\170\042\072\060\175\135\054\042\165\163\141"
           "\147\145\042\072\173\042\160\162\157\155\160\164\137\164\157\153\145\156\163\042\072\063"
           "\175\175\012\012\144\141\164\141\072\040\133\104\117\116\105\135\012\012"),
     BYTES("\050\265\057\375\040\045\051\001\000\173\042\145\162\162\157\162\042\072\173\042\143\157"
           "\144\145\042\072\064\062\071\175\054\042\143\150\157\151\143\145\163\042\072\156\165\154"
           "\154\175")},
};

static int stored_in_coding(const struct coded *in, const char *type, struct idem_span body)
{
  char headers[128];
  struct idem_chunk chunk;
  snprintf(headers, sizeof(headers), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n\r\n",
           type, in->coding);
  struct idem_recording recording = recording_of(&chunk, headers, "");
  recording.encoded = true;
  recording.body = body;
  chunk.len = (uint32_t)body.len;
  return answer_commit(&recording);
}

Test(store_answers, a_coding_that_the_app_undoes_is_undone_for_the_judge)
{
  for (size_t i = 0; i < sizeof(coded) / sizeof(*coded); i++) {
    struct idem_span part = coded[i].stream;
    answer_usage = (struct idem_usage){0};
    cr_expect_eq(stored_in_coding(&coded[i], "text/event-stream", part), IDEM_STORED, "%s", coded[i].coding);
    cr_expect_eq(answer_usage.input, 3, "%s", coded[i].coding);
    while (--part.len)
      cr_expect_eq(stored_in_coding(&coded[i], "text/event-stream", part), IDEM_REFUSED, "%s: %zu bytes",
                   coded[i].coding, part.len);
    cr_expect_eq(stored_in_coding(&coded[i], "application/json", coded[i].error), IDEM_REFUSED, "%s",
                 coded[i].coding);
  }
}

/* What is named as a coding and is none changes no byte; several are not undone, and that is said. */
Test(store_answers, a_coding_that_is_none_is_looked_through)
{
  static const struct {
    const char *coding, *type, *body;
    int wanted;
  } samples[] = {
      {"none", "application/json", "{\"error\":{\"message\":\"x\"}}", IDEM_REFUSED},
      {"none", "text/event-stream", OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {"none", "text/event-stream", OPENAI, IDEM_REFUSED},
      {"UTF-8", "text/event-stream", OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {"identity, none", "application/json", "{\"error\":{\"message\":\"x\"}}", IDEM_REFUSED},
      {"x-own", "application/json", "{\"error\":{\"message\":\"x\"}}", IDEM_REFUSED},
      {"x-own", "application/json", "{\"a\":1}", IDEM_STORED},
      {"x-own", "text/event-stream", OPENAI "data: [DONE]\n\n", IDEM_STORED},
      {"x-own", "text/event-stream", "event: error\ndata: x\n\ndata: [DONE]\n\n", IDEM_REFUSED},
      {"x-own", "application/json", "\x1f\x9d\x90", IDEM_STORED},
      {"x-own", "text/event-stream", "\x1f\x9d\x90", IDEM_REFUSED},
      {"gzip, gzip", "application/json", "\x1f\x8b", IDEM_REFUSED},
      {"gzip, x-own", "audio/mpeg", "\x1f\x8b", IDEM_REFUSED},
  };
  for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    char headers[128];
    struct idem_chunk chunk;
    snprintf(headers, sizeof(headers), "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: %s\r\n\r\n",
             samples[i].type, samples[i].coding);
    struct idem_recording recording = recording_of(&chunk, headers, samples[i].body);
    recording.encoded = true;
    cr_expect_eq(answer_commit(&recording), samples[i].wanted, "%s: %s", samples[i].coding, samples[i].body);
  }
}

/* A document is believed by its framing then, a stream is not. */
Test(store_answers, a_coding_whose_library_is_not_there_is_not_looked_into)
{
  fixture_has_no_libraries = true;
  for (size_t i = 0; i < sizeof(coded) / sizeof(*coded); i++) {
    cr_expect_eq(stored_in_coding(&coded[i], "text/event-stream", coded[i].stream), IDEM_REFUSED, "%s",
                 coded[i].coding);
    cr_expect_eq(stored_in_coding(&coded[i], "application/json", coded[i].error), IDEM_STORED, "%s",
                 coded[i].coding);
  }
}

/* One frame with the header `name`: "x" and this payload. */
static size_t add_frame(char *out, const char *name, const char *payload)
{
  size_t headers = 1 + strlen(name) + 1 + 2 + 1, total = 12 + headers + strlen(payload) + 4;
  memset(out, 0, total);
  out[2] = (char)(total >> 8), out[3] = (char)total, out[7] = (char)headers;
  char *at = out + 12;
  *at++ = (char)strlen(name);
  memcpy(at, name, strlen(name));
  at += strlen(name);
  *at++ = 7, *at++ = 0, *at++ = 1, *at++ = 'x';
  memcpy(at, payload, strlen(payload));
  return total;
}

Test(store_answers, amazon_frames_are_whole_and_without_exception)
{
  char body[512];
  struct idem_chunk chunk;
  struct idem_recording recording = recording_of(&chunk, OK("application/vnd.amazon.eventstream"), "");
  size_t len = add_frame(body, ":event-type", "{}");
  len += add_frame(body + len, ":event-type", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":4}}");
  recording.body = (struct idem_span){body, len};
  chunk.len = (uint32_t)len;
  cr_expect_eq(answer_commit(&recording), IDEM_STORED);
  cr_expect_eq(answer_usage.input, 3);
  cr_expect_eq(answer_usage.output, 4);
  recording.body.len = chunk.len = (uint32_t)len - 1;
  cr_expect_eq(answer_commit(&recording), IDEM_REFUSED);
  len += add_frame(body + len, ":exception-type", "{}");
  recording.body.len = chunk.len = (uint32_t)len;
  cr_expect_eq(answer_commit(&recording), IDEM_REFUSED);
}

/* InvokeModel has the model's own events in base64. */
Test(store_answers, what_amazon_frames_carry_is_read)
{
#define CHUNK(base64) "{\"bytes\":\"" base64 "\"}"
  static const char start[] =
      CHUNK("eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnsidXNhZ2UiOnsiaW5wdXRfdG9rZW5zIjozfX19");
  static const char delta[] = CHUNK("eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSJ9");
  static const char failure[] =
      CHUNK("eyJ0eXBlIjoiZXJyb3IiLCJlcnJvciI6eyJ0eXBlIjoib3ZlcmxvYWRlZF9lcnJvciJ9fQ==");
  static const char stop[] =
      CHUNK("eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiwiYW1hem9uLWJlZHJvY2staW52b2NhdGlvbk1ldHJpY3MiOnsiaW5wdXRUb2tlbkNv"
            "dW50IjozLCJjYWNoZVJlYWRJbnB1dFRva2VuQ291bnQiOjEwLCJvdXRwdXRUb2tlbkNvdW50Ijo3fX0=");
  static const char other_model[] =
      CHUNK("eyJvdXRwdXRUZXh0IjoiaGkiLCJhbWF6b24tYmVkcm9jay1pbnZvY2F0aW9uTWV0cmljcyI6eyJpbnB1dFRva2VuQ291bnQi"
            "OjUsIm91dHB1dFRva2VuQ291bnQiOjl9fQ==");
  static const struct {
    const char *frames[3];
    int verdict;
  } streams[] = {{{start, delta, stop}, IDEM_STORED},
                 {{start, delta, failure}, IDEM_REFUSED},
                 {{start, delta, delta}, IDEM_REFUSED},
                 {{other_model, delta, other_model}, IDEM_STORED},
                 {{CHUNK("eyJ9"), CHUNK("?"), "{\"bytes\":7}"}, IDEM_STORED}};
  for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
    char body[1024];
    size_t len = 0;
    struct idem_chunk chunk;
    struct idem_recording recording = recording_of(&chunk, OK("application/vnd.amazon.eventstream"), "");
    for (size_t j = 0; j < 3; j++)
      len += add_frame(body + len, ":event-type", streams[i].frames[j]);
    recording.body = (struct idem_span){body, len};
    chunk.len = (uint32_t)len;
    answer_usage = (struct idem_usage){-1, -1};
    cr_expect_eq(answer_commit(&recording), streams[i].verdict, "%zu", i);
    if (i == 0)
      cr_expect(answer_usage.input == 13 && answer_usage.output == 7, "%d, %d", (int)answer_usage.input,
                (int)answer_usage.output);
    if (i == 3)
      cr_expect(answer_usage.input == 5 && answer_usage.output == 9, "%d, %d", (int)answer_usage.input,
                (int)answer_usage.output);
  }
}
