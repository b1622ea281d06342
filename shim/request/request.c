/* SPDX-License-Identifier: MIT */
#include "shim/request/request.h"

#include <stdlib.h>

void request_release(struct request *request)
{
  body_release(&request->body);
  free(request->zeroed);
  buffer_release(&request->cookies);
  buffer_release(&request->netrc);
  buffer_release(&request->certificate);
}

/* Moves a span of the request's own text with it; one of the app's stays where it is. */
static void move_span(struct idem_span *span, const struct request *to, const struct request *from)
{
  uintptr_t at = (uintptr_t)span->data - (uintptr_t)from;
  if (at < sizeof(*from))
    span->data = (const char *)to + at;
}

void request_move(struct request *to, const struct request *from)
{
  *to = *from;
  struct idem_request *bytes = &to->bytes;
  bytes->headers = to->headers;
  bytes->credentials = to->credentials;
  for (size_t i = 0; i < bytes->header_count; i++)
    move_span(&to->headers[i], to, from);
  move_span(&bytes->origin, to, from);
  move_span(&bytes->trust, to, from);
  move_span(&bytes->shape, to, from);
  if (to->tape.played && to->tape.ending.text)
    to->tape.ending.text = to->tape.note;
}

void request_leave(struct request *request, bool delivered)
{
  if (request->api)
    request->api->leave(request->store, &request->op, delivered);
}

void request_unpin(struct request *request)
{
  if (request->api)
    request->api->unpin(request->store, &request->op);
}
