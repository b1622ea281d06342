/* SPDX-License-Identifier: MIT */
#include "tests/mock/compose.h"

#include "tests/mock/rows.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* What a provider's envelope takes, more or less; a stream has one round each event. */
enum { ENVELOPE = 500, EVENT_ENVELOPE = 240 };

/* Random, or made from `still` if that is not 0. */
static void fill_id(char id[33], uint64_t still)
{
  static const char digits[] = "0123456789abcdef";
  unsigned char random[16] = {0};

  memcpy(random, &still, sizeof still);
  if (!still && getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
    abort();
  for (size_t i = 0; i < sizeof random; i++) {
    id[2 * i] = digits[random[i] >> 4];
    id[2 * i + 1] = digits[random[i] & 15];
  }
  id[32] = 0;
}

/* The words of the answer, padded to `len` bytes. */
static char *words(uint64_t serial, const char *id, const struct timespec *now, size_t len)
{
  static const char filler[] = " and so on, word after word, until the answer is long enough;";
  char *text = NULL;
  int said = asprintf(&text, "This is answer %llu, id %s, given at %lld%09ld ns.", (unsigned long long)serial,
                      id, (long long)now->tv_sec, now->tv_nsec);
  char *padded = said < 0 ? NULL : realloc(text, (size_t)said + len + 1);

  if (!padded)
    abort();
  for (size_t i = (size_t)said; i < len; i++)
    padded[i] = filler[(i - (size_t)said) % (sizeof filler - 1)];
  padded[len > (size_t)said ? len : (size_t)said] = 0;
  return padded;
}

static size_t text_len(const struct order *order, bool stream)
{
  size_t envelope = ENVELOPE + (stream ? order->script->events * EVENT_ENVELOPE : 0);

  return order->script->size > envelope ? order->script->size - envelope : 0;
}

static void error_in_the_middle(const struct order *order, const struct question *question,
                                struct answer *answer)
{
  struct answer *error = answer_new(200, answer->type);

  order->shape->error_event(question, error);
  answer_splice(answer, error, order->script->error_event == 1);
  answer_free(error);
}

static struct answer *compose_stream(const struct order *order, const struct question *question)
{
  struct answer *answer = answer_new(200, order->shape->stream_type);

  order->shape->stream(question, answer);
  if (order->script->error_event)
    error_in_the_middle(order, question, answer);
  return answer;
}

static struct answer *compose_whole(const struct order *order, const struct question *question)
{
  struct answer *answer = answer_new(200, "application/json");
  json_t *whole = order->shape->whole(question);

  if (order->script->echo && order->received)
    json_object_set_new(whole, "echo", json_deep_copy(order->received));
  answer_json(answer, whole);
  return answer;
}

/* "gemini-x" of /v1beta/models/gemini-x:generateContent; else the request's "model". */
static const char *model_of(const struct order *order, const json_t *body, char *room, size_t size)
{
  const char *model = json_string_value(json_object_get(body, "model"));
  const char *in_path = strstr(order->path, "/models/");

  if (!in_path)
    return model ? model : "mock-1";
  in_path += strlen("/models/");
  size_t len = strcspn(in_path, ":/");
  len = len < size ? len : size - 1;
  memcpy(room, in_path, len);
  room[len] = 0;
  return room;
}

/* The request as JSON; an empty object if it is none. */
static json_t *parse_body(const struct order *order)
{
  json_t *body = json_loadb(order->body ? order->body : "", order->body_len, JSON_ALLOW_NUL, NULL);

  if (json_is_object(body))
    return body;
  json_decref(body);
  return json_object();
}

struct answer *compose_success(const struct order *order)
{
  char id[33], room[128], *text;
  struct timespec now = {0};
  struct answer *row = rows_answer(order->script->row, order->script->which, order->serial);
  if (row) {
    fill_id(row->id, order->script->still);
    return row;
  }
  json_t *body = parse_body(order);
  struct question question = {
      .body = body,
      .id = id,
      .serial = order->script->still ? order->script->still : order->serial,
      .events = order->script->events ? order->script->events : 1,
      .input_tokens = (json_int_t)(order->body_len / 4 + 1),
  };
  bool stream = order->shape->streams(&question);
  struct answer *answer;

  fill_id(id, order->script->still);
  if (!order->script->still)
    clock_gettime(CLOCK_REALTIME, &now);
  question.now_s = now.tv_sec;
  question.model = model_of(order, body, room, sizeof room);
  question.text = text = words(question.serial, id, &now, text_len(order, stream));
  question.output_tokens = (json_int_t)(strlen(text) / 4 + 1);
  answer = stream ? compose_stream(order, &question) : compose_whole(order, &question);
  memcpy(answer->id, id, sizeof id);
  json_decref(body);
  free(text);
  return answer;
}

struct answer *compose_failure(const struct order *order, unsigned status)
{
  struct answer *answer = answer_new(status, "application/json");

  fill_id(answer->id, order->script->still);
  answer_json(answer, order->shape->error(status, answer->id));
  return answer;
}
