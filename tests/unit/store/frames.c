/* SPDX-License-Identifier: MIT */
/* Amazon's frames, byte by byte: which lengths are followed, and which headers are read. */
#include "store/judge/frames.h"

#include <criterion/criterion.h>
#include <string.h>

enum { PRELUDE = 12, END = 4, MOST = 17 << 20, STRING = 7 };

static struct frames frames;
static struct document document;

static size_t feed(const char *data, size_t len)
{
  frames = (struct frames){.any = false};
  document = (struct document)DOCUMENT_INIT;
  return frames_feed(&frames, (struct idem_span){data, len}, &document);
}

static void put_number(char *at, size_t value)
{
  for (int i = 0; i < 4; i++)
    at[i] = (char)(value >> (24 - 8 * i));
}

/* A frame of these headers and this payload, and how long it is. */
static size_t frame_of(char *out, struct idem_span headers, const char *payload)
{
  size_t total = PRELUDE + headers.len + strlen(payload) + END;
  memset(out, 0, total);
  put_number(out, total);
  put_number(out + 4, headers.len);
  memcpy(out + PRELUDE, headers.data, headers.len);
  memcpy(out + PRELUDE + headers.len, payload, strlen(payload));
  return total;
}

static size_t header_of(char *out, const char *name, int type, const char *value)
{
  size_t name_len = strlen(name), len = strlen(value);
  *out = (char)name_len;
  memcpy(out + 1, name, name_len);
  out[1 + name_len] = (char)type;
  out[2 + name_len] = (char)(len >> 8);
  out[3 + name_len] = (char)len;
  memcpy(out + 4 + name_len, value, len);
  return 4 + name_len + len;
}

/* Lengths. */

Test(store_frames, what_is_not_all_there_waits)
{
  char frame[64];
  size_t len = frame_of(frame, (struct idem_span){"", 0}, "{}");
  for (size_t part = 0; part < len; part++) {
    cr_expect_eq(feed(frame, part), 0, "%zu bytes", part);
    cr_expect(!frames.any && !frames.malformed, "%zu bytes", part);
  }
  cr_expect_eq(feed(frame, len), len);
  cr_expect(frames.any && !frames.malformed && !frames.failed);
}

Test(store_frames, whole_ones_are_taken_off_the_front)
{
  char text[128];
  size_t first = frame_of(text, (struct idem_span){"", 0}, "{}");
  size_t both = first + frame_of(text + first, (struct idem_span){"", 0}, "{\"a\":1}");
  cr_expect_eq(feed(text, both), both);
  cr_expect_eq(feed(text, both - 1), first);
  cr_expect(frames.any && !frames.malformed);
}

Test(store_frames, the_shortest_has_nothing_in_it)
{
  char frame[32] = {0};
  put_number(frame, PRELUDE + END);
  cr_expect_eq(feed(frame, sizeof(frame)), PRELUDE + END);
  cr_expect(frames.any);
  for (size_t total = 0; total < PRELUDE + END; total++) {
    put_number(frame, total);
    cr_expect_eq(feed(frame, sizeof(frame)), 0, "%zu", total);
    cr_expect(frames.malformed && !frames.any, "%zu", total);
  }
}

Test(store_frames, a_length_that_none_has_is_not_waited_for)
{
  char frame[32] = {0};
  put_number(frame, MOST);
  feed(frame, sizeof(frame));
  cr_expect(!frames.malformed);
  put_number(frame, MOST + 1);
  feed(frame, sizeof(frame));
  cr_expect(frames.malformed);
  put_number(frame, UINT32_MAX);
  feed(frame, sizeof(frame));
  cr_expect(frames.malformed);
}

Test(store_frames, headers_end_within_their_frame)
{
  char frame[32] = {0};
  put_number(frame, sizeof(frame));
  put_number(frame + 4, sizeof(frame) - PRELUDE - END);
  cr_expect_eq(feed(frame, sizeof(frame)), sizeof(frame));
  cr_expect(!frames.malformed);
  put_number(frame + 4, sizeof(frame) - PRELUDE - END + 1);
  cr_expect_eq(feed(frame, sizeof(frame)), 0);
  cr_expect(frames.malformed);
  put_number(frame + 4, UINT32_MAX);
  cr_expect_eq(feed(frame, sizeof(frame)), 0);
  cr_expect(frames.malformed);
}

/* Headers. */

static void feed_header(const char *name, int type, const char *value)
{
  char header[128], frame[256];
  size_t len = header_of(header, name, type, value);
  len = frame_of(frame, (struct idem_span){header, len}, "");
  cr_assert_eq(feed(frame, len), len);
}

Test(store_frames, headers_say_what_a_frame_is)
{
  static const struct {
    const char *name, *value;
    bool failed, begun, ended;
  } headers[] = {
      {":event-type", "messageStart", false, true, false},
      {":event-type", "messageStop", false, false, true},
      {":event-type", "metadata", false, false, false},
      {":message-type", "event", false, false, false},
      {":message-type", "exception", true, false, false},
      {":message-type", "error", true, false, false},
      {":message-type", "", true, false, false},
      {":exception-type", "throttlingException", true, false, false},
      {":error-code", "500", true, false, false},
      {":content-type", "messageStart", false, false, false},
      {":content-type", "messageStop", false, false, false},
      {":event-typed", "messageStop", false, false, false},
      {":event-typ", "messageStop", false, false, false},
      {"", "", false, false, false},
  };
  for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
    feed_header(headers[i].name, STRING, headers[i].value);
    cr_expect_eq(frames.failed, headers[i].failed, "%s: %s", headers[i].name, headers[i].value);
    cr_expect_eq(frames.begun, headers[i].begun, "%s: %s", headers[i].name, headers[i].value);
    cr_expect_eq(frames.ended, headers[i].ended, "%s: %s", headers[i].name, headers[i].value);
  }
}

Test(store_frames, each_header_is_read)
{
  char headers[256], frame[300];
  size_t len = header_of(headers, ":content-type", STRING, "application/json");
  len += header_of(headers + len, ":event-type", STRING, "messageStart");
  len += header_of(headers + len, "", STRING, "");
  len += header_of(headers + len, ":exception-type", STRING, "x");
  len = frame_of(frame, (struct idem_span){headers, len}, "");
  cr_assert_eq(feed(frame, len), len);
  cr_expect(frames.begun && frames.failed && !frames.ended);
}

/* Its value is of another length, so that what follows cannot be told. */
Test(store_frames, a_header_of_another_type_is_not_read_nor_what_follows)
{
  char headers[256], frame[300];
  for (int type = 0; type < 256; type++) {
    feed_header(":exception-type", type, "x");
    cr_expect_eq(frames.failed, type == STRING, "type %d", type);
  }
  size_t len = header_of(headers, "a", STRING + 1, "x");
  len += header_of(headers + len, ":exception-type", STRING, "x");
  len = frame_of(frame, (struct idem_span){headers, len}, "");
  cr_assert_eq(feed(frame, len), len);
  cr_expect(!frames.failed);
}

/* However it goes on in the payload. */
Test(store_frames, a_header_that_does_not_end_with_the_headers_is_none)
{
  char header[64], frame[128];
  size_t len = header_of(header, ":exception-type", STRING, "value");
  size_t total = frame_of(frame, (struct idem_span){header, len}, "");
  for (size_t part = 0; part <= len; part++) {
    put_number(frame + 4, part);
    cr_assert_eq(feed(frame, total), total);
    cr_expect_eq(frames.failed, part == len, "%zu of %zu bytes", part, len);
  }
}

/* Payloads. */

static void feed_payload(const char *payload)
{
  char frame[512];
  size_t len = frame_of(frame, (struct idem_span){"", 0}, payload);
  cr_assert_eq(feed(frame, len), len);
}

Test(store_frames, an_error_in_the_payload_is_a_failure)
{
  feed_payload("{\"error\":{\"message\":\"x\"}}");
  cr_expect(frames.failed);
  feed_payload("{\"usage\":{\"inputTokens\":3}}");
  cr_expect(!frames.failed && document.usage.input == 3);
  feed_payload("not JSON, {\"error\":{\"message\":\"x\"}}");
  cr_expect(!frames.failed);
}

/* InvokeModel: the model's own event in base64, of each length that padding comes to. */
Test(store_frames, an_event_within_the_payload_is_read)
{
  feed_payload("{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCJ9\"}");
  cr_expect(frames.begun && !frames.ended, "{\"type\":\"message_start\"}");
  feed_payload("{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=\"}");
  cr_expect(!frames.begun && frames.ended, "{\"type\":\"message_stop\"}");
  feed_payload("{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiB9\"}");
  cr_expect(!frames.begun && frames.ended, "{\"type\":\"message_stop\" }");
  feed_payload("{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIiAgfQ==\"}");
  cr_expect(!frames.begun && frames.ended, "{\"type\":\"message_stop\"  }");
  feed_payload("{\"bytes\":\"eyJtZXNzYWdlU3RhcnQiOnt9fQ==\"}");
  cr_expect(frames.begun && !frames.ended, "{\"messageStart\":{}}");
  feed_payload("{\"bytes\":\"eyJtZXNzYWdlU3RvcCI6e319\"}");
  cr_expect(!frames.begun && frames.ended, "{\"messageStop\":{}}");
  feed_payload("{\"bytes\":\"eyJ0eXBlIjoicGluZyJ9\"}");
  cr_expect(!frames.begun && !frames.ended && !frames.failed, "{\"type\":\"ping\"}");
  feed_payload("{\"bytes\":\"eyJlcnJvciI6eyJtZXNzYWdlIjoieCJ9fQ==\"}");
  cr_expect(frames.failed, "{\"error\":{\"message\":\"x\"}}");
}

Test(store_frames, what_holds_no_event_says_nothing)
{
  static const char *const payloads[] = {"{\"bytes\":\"\"}", "{\"bytes\":\"====\"}", "{\"bytes\":\"=\"}",
                                         "{\"bytes\":7}",    "{\"bytes\":null}",     "{\"bytes\":\"e30=\"}",
                                         "{\"bytes\":\"?\"}"};
  for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
    feed_payload(payloads[i]);
    cr_expect(frames.any && !frames.failed && !frames.begun && !frames.ended && !frames.no_memory, "%s",
              payloads[i]);
  }
}
