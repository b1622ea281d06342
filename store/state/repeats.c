/* SPDX-License-Identifier: MIT */
#include "store/state/repeats.h"

#include "store/base/process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* 0 marks an empty slot, so no name is 0. */
static uint64_t name_of(const uint8_t *base)
{
  uint64_t name;
  memcpy(&name, base, sizeof(name));
  return name ? name : 1;
}

/* The slot of `name`, or the empty one where it belongs. Keys are hashes already. */
static struct repeat *probe(struct repeat *slot, size_t room, uint64_t name)
{
  size_t i = name & (room - 1);
  while (slot[i].name && slot[i].name != name)
    i = (i + 1) & (room - 1);
  return &slot[i];
}

/* Keeps half of the table empty, so that a search is short and always comes to an end. */
static int grow(struct repeats *repeats)
{
  if (2 * (repeats->count + 1) <= repeats->room)
    return 0;
  size_t room = repeats->room ? 2 * repeats->room : 64;
  struct repeat *slot = calloc(room, sizeof(*slot));
  if (!slot)
    return -ENOMEM;
  for (size_t i = 0; i < repeats->room; i++)
    if (repeats->slot[i].name)
      *probe(slot, room, repeats->slot[i].name) = repeats->slot[i];
  free(repeats->slot);
  repeats->slot = slot;
  repeats->room = room;
  return 0;
}

/* The lowest of its numbers that were given back. */
static uint32_t take_hole(struct repeats *repeats, struct repeat *repeat)
{
  size_t lowest = repeats->hole_count;
  for (size_t i = 0; i < repeats->hole_count; i++)
    if (repeats->hole[i].name == repeat->name &&
        (lowest == repeats->hole_count || repeats->hole[i].number < repeats->hole[lowest].number))
      lowest = i;
  uint32_t number = repeats->hole[lowest].number;
  repeats->hole[lowest] = repeats->hole[--repeats->hole_count];
  repeat->holes--;
  return number;
}

/* A hole is taken before the next number, so that a run that repeats a failed call gets the answer that it
 * missed. */
int repeats_take(struct repeats *repeats, const uint8_t *base, uint32_t *number)
{
  uint64_t name = name_of(base);
  PROCESS_LOCKED(lists);
  int rc = grow(repeats);
  if (rc < 0)
    return rc;
  struct repeat *repeat = probe(repeats->slot, repeats->room, name);
  if (!repeat->name) {
    repeat->name = name;
    repeats->count++;
  }
  *number = repeat->holes ? take_hole(repeats, repeat) : repeat->next++;
  return 0;
}

static bool make_room_for_hole(struct repeats *repeats)
{
  if (repeats->hole_count < repeats->hole_room)
    return true;
  size_t room = repeats->hole_room ? 2 * repeats->hole_room : 16;
  struct hole *grown = realloc(repeats->hole, room * sizeof(*grown));
  if (grown) {
    repeats->hole = grown;
    repeats->hole_room = room;
  }
  return grown;
}

/* The last number that was taken is simply not taken any more; any other leaves a hole. */
void repeats_give_back(struct repeats *repeats, const uint8_t *base, uint32_t number)
{
  uint64_t name = name_of(base);
  PROCESS_LOCKED(lists);
  struct repeat *repeat = repeats->room ? probe(repeats->slot, repeats->room, name) : NULL;
  if (!repeat || repeat->name != name) /* it was never taken */
    return;
  if (number + 1 == repeat->next && repeat->holes == 0) {
    repeat->next = number;
  } else if (make_room_for_hole(repeats)) {
    repeats->hole[repeats->hole_count++] = (struct hole){name, number};
    repeat->holes++;
  }
}

void repeats_release(struct repeats *repeats)
{
  free(repeats->slot);
  free(repeats->hole);
  *repeats = (struct repeats){0};
}
