/* SPDX-License-Identifier: MIT */
#include "tests/mock/answer.h"

#include <stdlib.h>
#include <string.h>

/* A test server has nothing better to do without memory. */
static void *grown(void *old, size_t size)
{
  void *new = realloc(old, size ? size : 1);

  if (!new)
    abort();
  return new;
}

struct answer *answer_new(unsigned status, const char *type)
{
  struct answer *answer = grown(NULL, sizeof *answer);

  *answer = (struct answer){.status = status, .type = type, .references = 1};
  return answer;
}

struct answer *answer_keep(struct answer *answer)
{
  __atomic_add_fetch(&answer->references, 1, __ATOMIC_ACQ_REL);
  return answer;
}

void answer_free(struct answer *answer)
{
  if (!answer || __atomic_sub_fetch(&answer->references, 1, __ATOMIC_ACQ_REL))
    return;
  free(answer->bytes);
  free(answer->cuts);
  free(answer);
}

static void append(struct answer *answer, const void *bytes, size_t len)
{
  answer->bytes = grown(answer->bytes, answer->len + len);
  if (len)
    memcpy(answer->bytes + answer->len, bytes, len);
  answer->len += len;
}

static void append_text(struct answer *answer, const char *text)
{
  append(answer, text, strlen(text));
}

static void append_json(struct answer *answer, json_t *json)
{
  char *text = json_dumps(json, JSON_COMPACT);

  append_text(answer, text ? text : "null");
  free(text);
  json_decref(json);
}

static void cut(struct answer *answer)
{
  answer->cuts = grown(answer->cuts, (answer->cut_count + 1) * sizeof *answer->cuts);
  answer->cuts[answer->cut_count++] = answer->len;
}

void answer_bytes(struct answer *answer, const void *bytes, size_t len)
{
  append(answer, bytes, len);
  cut(answer);
}

void answer_json(struct answer *answer, json_t *json)
{
  append_json(answer, json);
  cut(answer);
}

void answer_line(struct answer *answer, json_t *json)
{
  answer->stream = true;
  append_json(answer, json);
  append_text(answer, "\n");
  cut(answer);
}

void answer_event(struct answer *answer, const char *name, json_t *json)
{
  answer->stream = true;
  if (name) {
    append_text(answer, "event: ");
    append_text(answer, name);
    append_text(answer, "\n");
  }
  append_text(answer, "data: ");
  append_json(answer, json);
  append_text(answer, "\n\n");
  cut(answer);
}

void answer_end_mark(struct answer *answer)
{
  answer->end_mark = answer->len;
}

void answer_splice(struct answer *answer, const struct answer *insert, bool ends)
{
  size_t middle = answer->cut_count / 2, at = middle ? answer->cuts[middle - 1] : 0;
  size_t tail_len = answer->len - at, tail_cuts = answer->cut_count - middle;
  char *tail = memcpy(grown(NULL, tail_len), answer->bytes + at, tail_len);
  size_t *cuts =
      memcpy(grown(NULL, tail_cuts * sizeof *cuts), answer->cuts + middle, tail_cuts * sizeof *cuts);

  answer->len = at;
  answer->cut_count = middle;
  answer_bytes(answer, insert->bytes, insert->len);
  for (size_t i = 0; i < tail_cuts && !ends; i++) {
    size_t from = i ? cuts[i - 1] : at;
    answer_bytes(answer, tail + from - at, cuts[i] - from);
  }
  answer->end_mark = ends ? answer->len : answer->end_mark + insert->len;
  free(tail);
  free(cuts);
}
