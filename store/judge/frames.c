/* SPDX-License-Identifier: MIT */
#include "store/judge/frames.h"

#include "store/json/json_pointer.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* AWS allows 16 MiB of payload and 128 KiB of headers. */
enum { FRAME_PRELUDE = 12, FRAME_END = 4, FRAME_MOST = 17 << 20, VALUE_STRING = 7 };

/* A frame is its length, that of its headers, the CRC of these two, the headers, the payload, and the CRC of
 * it all; numbers are big-endian. No CRC is computed: what came over a connection was checked there. */
static size_t big_endian(const char *data, size_t len)
{
  size_t value = 0;
  for (size_t i = 0; i < len; i++)
    value = value << 8 | (uint8_t)data[i];
  return value;
}

static bool is(struct idem_span text, const char *word)
{
  return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

/* Takes one header of type string off the front; false at the end, or at one that is something else. */
static bool next_header(struct idem_span *rest, struct idem_span *name, struct idem_span *value)
{
  size_t name_len = rest->len ? (uint8_t)rest->data[0] : 0;
  size_t head = 1 + name_len + 1 + 2;
  if (rest->len < head || rest->data[1 + name_len] != VALUE_STRING)
    return false;
  size_t value_len = big_endian(rest->data + head - 2, 2);
  if (value_len > rest->len - head)
    return false;
  *name = (struct idem_span){rest->data + 1, name_len};
  *value = (struct idem_span){rest->data + head, value_len};
  *rest = (struct idem_span){value->data + value_len, rest->len - head - value_len};
  return true;
}

/* InvokeModel: {"bytes": "..."}, in which the model's own event is, in base64. */
static void note_bytes(void *arg, size_t which, struct idem_span value)
{
  (void)which;
  *(struct idem_span *)arg = value;
}

/* Claude's events and Nova's begin and end as those of Converse do, by words of their own;
 * other models' have none. */
static const char *const own_words[] = {"/type", "/messageStart", "/messageStop"};

struct turn {
  bool begun, ended;
};

static void note_word(void *arg, size_t which, struct idem_span value)
{
  struct turn *turn = arg;
  turn->begun |= which == 1 || (which == 0 && is(value, "\"message_start\""));
  turn->ended |= which == 2 || (which == 0 && is(value, "\"message_stop\""));
}

/* What is no JSON is none of those that are known, and says nothing. */
static void read_event(struct frames *frames, struct idem_span event, struct document *document)
{
  const struct idem_words words = {(char **)(uintptr_t)own_words, sizeof(own_words) / sizeof(*own_words)};
  struct turn turn = {false, false};
  document_read(event, document);
  frames->failed |= document->json && (document->failed || document->error);
  if (!json_find(event, &words, note_word, &turn))
    return;
  frames->begun |= turn.begun;
  frames->ended |= turn.ended;
}

static void read_payload(struct frames *frames, struct idem_span payload, struct document *document)
{
  static const char *const bytes[] = {"/bytes"};
  const struct idem_words words = {(char **)(uintptr_t)bytes, 1};
  struct idem_span value = {"", 0};
  bool odd;
  document_read(payload, document);
  frames->failed |= document->json && (document->failed || document->error);
  if (!json_find(payload, &words, note_bytes, &value) || value.len < 2 || *value.data != '"')
    return;
  /* The text of the string, which decoded may be twice as long, and behind it what that stands
   * for, which is shorter. */
  char *room = malloc(4 * value.len);
  if (!room) {
    frames->no_memory = true;
    return;
  }
  size_t len = json_string_decode((struct idem_span){value.data + 1, value.len - 2}, room, &odd), pad = 0;
  while (pad < 2 && pad < len && room[len - pad - 1] == '=')
    pad++;
  /* EVP_DecodeBlock() counts the padding as bytes. */
  int got = EVP_DecodeBlock((unsigned char *)room + len, (const unsigned char *)room, (int)len);
  if (got > (int)pad)
    read_event(frames, (struct idem_span){room + len, (size_t)got - pad}, document);
  free(room);
}

static void read_frame(struct frames *frames, struct idem_span headers, struct idem_span payload,
                       struct document *document)
{
  struct idem_span name, value;
  while (next_header(&headers, &name, &value)) {
    frames->failed |= is(name, ":exception-type") || is(name, ":error-code") ||
                      (is(name, ":message-type") && !is(value, "event"));
    frames->begun |= is(name, ":event-type") && is(value, "messageStart");
    frames->ended |= is(name, ":event-type") && is(value, "messageStop");
  }
  read_payload(frames, payload, document);
  frames->any = true;
}

size_t frames_feed(struct frames *frames, struct idem_span text, struct document *document)
{
  struct idem_span rest = text;
  while (rest.len >= FRAME_PRELUDE) {
    size_t total = big_endian(rest.data, 4), headers = big_endian(rest.data + 4, 4);
    if (total < FRAME_PRELUDE + FRAME_END || total > FRAME_MOST ||
        headers > total - FRAME_PRELUDE - FRAME_END) {
      frames->malformed = true;
      break;
    }
    if (total > rest.len)
      break;
    const char *payload = rest.data + FRAME_PRELUDE + headers;
    read_frame(frames, (struct idem_span){rest.data + FRAME_PRELUDE, headers},
               (struct idem_span){payload, total - FRAME_PRELUDE - FRAME_END - headers}, document);
    rest = (struct idem_span){rest.data + total, rest.len - total};
  }
  return text.len - rest.len;
}
