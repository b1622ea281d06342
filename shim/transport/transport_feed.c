/* SPDX-License-Identifier: MIT */
/*
 * What goes into a transport's socket, and when: the header, each chunk of the body at its time, and an empty
 * datagram as the end. The socket takes some of it at once; the rest is fed from inside the callbacks, when
 * libcurl has read something and there is room again, or by the feeder.
 */
#include "shim/replay/stream_follow.h"
#include "shim/request/request_time.h"
#include "shim/transport/transport.h"

#include <sys/socket.h>

static bool push(const struct transport *t, const char *data, size_t len)
{
  return send(t->our_end, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

/* Sends what is left of a text in datagrams, of which `fed` counts the bytes. False where the socket is
 * full. */
static bool push_rest(const struct transport *t, struct idem_span text, size_t *fed)
{
  while (*fed < text.len) {
    size_t left = text.len - *fed, len = left < t->piece ? left : t->piece;
    if (!push(t, text.data + *fed, len))
      return false;
    *fed += len;
  }
  return true;
}

/* True if what came `at_us` after the start of the live call is due later than now: at `due`. */
static bool is_later(const struct transport *t, int64_t at_us, int64_t *due)
{
  *due = t->hurried ? 0 : request_due_us(t->request, at_us);
  return *due && *due > monotonic_us();
}

int64_t transport_feed(struct transport *t)
{
  const struct idem_answer *answer = &t->request->op.answer;
  const struct taping *tape = &t->request->tape;
  int64_t due;
  /* Its number may be a connection of the app's by now. None of the app's code is run from here on. */
  if (!t->answered || t->ended || !transport_has_our_end(t))
    return INT64_MAX;
  if (tape->played && t->wire.len && is_later(t, tape->first_byte_us, &due))
    return due;
  if (!push_rest(t, span_of_buffer(&t->wire), &t->wire_fed))
    return INT64_MAX;
  for (; t->chunk < answer->chunk_count; t->chunk++, t->chunk_fed = 0) {
    struct idem_span chunk = {answer->body.data + t->body_fed, answer->chunks[t->chunk].len};
    if (is_later(t, request_chunk_us(t->request, t->chunk), &due))
      return due;
    if (!push_rest(t, chunk, &t->chunk_fed))
      return INT64_MAX;
    t->body_fed += chunk.len;
  }
  if (stream_follow_is_open(t->request))
    return INT64_MAX;
  if (tape->played && is_later(t, tape->ending.at_us, &due))
    return due;
  t->ended = push(t, "", 0);
  return INT64_MAX;
}

bool transport_poke(const struct transport *t)
{
  static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
  return transport_has_our_end(t) && push(t, interim, sizeof(interim) - 1);
}
