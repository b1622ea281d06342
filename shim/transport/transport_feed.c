/* SPDX-License-Identifier: MIT */
/* What goes into a transport's socket, and when. */
#include "shim/replay/stream_follow.h"
#include "shim/transport/transport.h"

#include <sys/socket.h>

static bool push(const struct transport *t, const char *data, size_t len)
{
  return send(t->our_end, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

static bool feed_wire(struct transport *t)
{
  while (t->wire_fed < t->wire.len) {
    size_t left = t->wire.len - t->wire_fed, len = left < t->piece ? left : t->piece;
    if (!push(t, t->wire.data + t->wire_fed, len))
      return false;
    t->wire_fed += len;
  }
  return true;
}

/* When a piece is due; 0 is now. */
static int64_t due_us(const struct transport *t, int64_t at_us)
{
  return t->hurried ? 0 : request_due_us(t->request, at_us);
}

static bool is_later(int64_t due)
{
  return due && due > monotonic_us();
}

static bool feed_chunk(struct transport *t, const struct idem_chunk *chunk)
{
  while (t->chunk_fed < chunk->len) {
    size_t left = chunk->len - t->chunk_fed, len = left < t->piece ? left : t->piece;
    if (!push(t, t->request->op.answer.body.data + t->body_fed, len))
      return false;
    t->chunk_fed += len;
    t->body_fed += len;
  }
  t->chunk++;
  t->chunk_fed = 0;
  return true;
}

/* The end of the header, each chunk, the end: until one is due later, or the socket is full. */
int64_t transport_feed(struct transport *t)
{
  const struct idem_answer *answer = &t->request->op.answer;
  const struct taping *tape = &t->request->tape;
  int64_t due;
  if (!t->answered || t->ended)
    return INT64_MAX;
  if (tape->played && t->wire.len && is_later(due = due_us(t, tape->first_byte_us)))
    return due;
  if (!feed_wire(t))
    return INT64_MAX;
  for (; t->chunk < answer->chunk_count;) {
    const struct idem_chunk *chunk = &answer->chunks[t->chunk];
    if (is_later(due = due_us(t, request_chunk_us(t->request, t->chunk))))
      return due;
    if (!feed_chunk(t, chunk))
      return INT64_MAX;
  }
  if (stream_follow_is_open(t->request))
    return INT64_MAX;
  if (tape->played && is_later(due = due_us(t, tape->ending.at_us)))
    return due;
  t->ended = push(t, "", 0);
  return INT64_MAX;
}

bool transport_poke(const struct transport *t)
{
  static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
  return push(t, interim, sizeof(interim) - 1);
}
