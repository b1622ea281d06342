/* SPDX-License-Identifier: MIT */
#include "tests/unit/store/stream_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Each letter has its own. */
static struct idem_span text(char id, const char *before, const char *after)
{
  static char texts[26][16][96];
  static unsigned next[26];
  char *out = texts[id - 'a'][next[id - 'a']++ % 16];
  int len = snprintf(out, sizeof(texts[0][0]), "%s%c%s", before, id, after);
  return (struct idem_span){out, (size_t)len};
}

struct stream stream_of(char id, int code)
{
  struct stream stream = {
      {{.kind = IDEM_SPOOL_HEAD,
        .status = 200,
        .started_us = 1234567890 + id,
        .headers = text(id, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Stream: ", "\r\n\r\n"),
        .facts = text(id, "facts of the head of ", "")},
       {.kind = IDEM_SPOOL_CHUNK, .at_ms = 10, .data = text(id, "data: the first of stream ", "\n\n")},
       {.kind = IDEM_SPOOL_CHUNK, .at_ms = 10, .data = {"", 0}},
       {.kind = IDEM_SPOOL_CHUNK, .at_ms = 2000 + (uint32_t)id, .data = {"\0\377\0", 3}},
       {.kind = IDEM_SPOOL_CHUNK, .at_ms = 3000, .data = text(id, "data: the last of stream ", "\n\n")},
       {.kind = IDEM_SPOOL_END, .code = code, .facts = text(id, "facts of the end of ", "")}}};
  return stream;
}

void stream_add(struct caller *owner, const struct stream *stream, size_t from, size_t count)
{
  int rc = idem_store_spool(owner->fixture->store, &owner->call, &stream->piece[from], count);
  cr_assert_eq(rc, 0, "%s", strerror(-rc));
}

static bool same(struct idem_span a, struct idem_span b)
{
  return a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
}

static bool chunks_are(const struct stream *stream, size_t count, const struct idem_answer *answer)
{
  size_t at = 0;
  if (answer->chunk_count != count)
    return false;
  for (size_t i = 0; i < count; at += answer->chunks[i++].len) {
    const struct idem_spool_piece *piece = &stream->piece[i + 1];
    size_t len = answer->chunks[i].len;
    if (answer->chunks[i].at_ms != piece->at_ms || at + len > answer->body.len ||
        !same((struct idem_span){answer->body.data + at, len}, piece->data))
      return false;
  }
  return at == answer->body.len;
}

bool stream_is(const struct stream *stream, size_t count, const struct idem_spool *spool)
{
  const struct idem_answer *answer = &spool->answer;
  const struct idem_spool_piece *head = &stream->piece[0], *end = &stream->piece[STREAM_PIECES - 1];
  bool ended = count == STREAM_PIECES;
  if (spool->ended != ended || spool->code != (ended ? end->code : 0))
    return false;
  if (count == 0)
    return !answer->headers.data && !answer->body.len && !answer->chunk_count;
  return answer->status == head->status && answer->started_us == head->started_us &&
         same(answer->headers, head->headers) && same(answer->facts, ended ? end->facts : head->facts) &&
         chunks_are(stream, count - 1 - ended, answer);
}

void stream_expect(const struct stream *stream, size_t count, const struct idem_spool *spool)
{
  cr_expect(stream_is(stream, count, spool),
            "not the first %zu pieces: %zu chunks, %zu bytes, ended %d, code %d", count,
            spool->answer.chunk_count, spool->answer.body.len, spool->ended, spool->code);
}

const char *spool_file(const struct fixture *self)
{
  static char path[768];
  const struct dirent *entry;
  unsigned count = 0;
  char name[512];
  snprintf(name, sizeof(name), "%s/spool", self->options.dir);
  DIR *dir = opendir(name);
  while (dir && (entry = readdir(dir)))
    if (entry->d_name[0] != '.' && ++count)
      snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
  if (dir)
    closedir(dir);
  cr_assert_leq(count, 1u);
  return count ? path : NULL;
}
