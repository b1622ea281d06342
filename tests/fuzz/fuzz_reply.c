/* SPDX-License-Identifier: MIT */
/* Any bytes as what a server of the fleet says, in pieces of any size: what comes of it
 * is whole, and bounded. */
#include "fleet/reply.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sum;

static void read_all(const struct reply *reply)
{
  if (reply->text && reply->text[reply->len] != '\0')
    abort();
  for (size_t i = 0; i < reply->len; i++)
    sum += (unsigned char)reply->text[i];
  for (size_t i = 0; i < reply->count; i++)
    read_all(reply_item(reply, i));
  sum += (unsigned)reply_number(reply) + reply_begins(reply, "MOVED ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct reply_reader reader;
  struct reply *reply;
  size_t step = size ? data[0] % 16 + 1 : 1;
  int rc = reply_begin(&reader, 4096);
  for (size_t at = 1; at < size && rc == 0; at += step) {
    size_t len = size - at < step ? size - at : step;
    rc = reply_feed(&reader, (const char *)data + at, len);
    while (rc == 0 && (rc = reply_next(&reader, &reply)) == 1) {
      read_all(reply);
      reply_free(reply);
      rc = 0;
    }
  }
  reply_end(&reader);
  return 0;
}
