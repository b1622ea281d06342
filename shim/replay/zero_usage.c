/* SPDX-License-Identifier: MIT */
#include "shim/replay/zero_usage.h"

#include <stdlib.h>
#include <string.h>

void zero_usage(struct request *request)
{
  struct idem_span *body = &request->op.answer.body;
  /* Now, for whoever unpins it later would have the answer anew. */
  request_unpin(request);
  char *copy = body->len ? malloc(body->len) : NULL;
  if (!copy)
    return;
  memcpy(copy, body->data, body->len);
  if (!request->api->usage_zero(copy, body->len)) {
    free(copy);
    return;
  }
  free(request->zeroed);
  request->zeroed = copy;
  request->whole = *body;
  body->data = copy;
}
