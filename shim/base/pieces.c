/* SPDX-License-Identifier: MIT */
#include "shim/base/pieces.h"

bool pieces_end(struct pieces *pieces)
{
  return buffer_append(&pieces->ends, &pieces->bytes.len, sizeof(pieces->bytes.len));
}

size_t pieces_give(struct pieces *pieces, char *into, size_t room)
{
  const size_t *ends = (const size_t *)(const void *)pieces->ends.data;
  size_t count = pieces->ends.len / sizeof(*ends);
  while (pieces->next_end < count && ends[pieces->next_end] <= pieces->at)
    pieces->next_end++;
  size_t end = pieces->next_end < count ? ends[pieces->next_end] : pieces->bytes.len;
  size_t left = end - pieces->at, len = left < room ? left : room;
  if (len)
    memcpy(into, pieces->bytes.data + pieces->at, len);
  pieces->at += len;
  return len;
}

/* The ends are looked for from the first one again, for `at` may lie before the last. */
void pieces_seek(struct pieces *pieces, size_t at)
{
  pieces->at = at;
  pieces->next_end = 0;
}

void pieces_release(struct pieces *pieces)
{
  buffer_release(&pieces->bytes);
  buffer_release(&pieces->ends);
  *pieces = (struct pieces){0};
}
