/* SPDX-License-Identifier: MIT */
/*
 * A content is looked for in one set of places of each part. Its state is one word, so that who takes a
 * number can say so and be certain in one step that the place is still this content's: the low half is the
 * number that comes next, above it is how many are taken, and above that the life of the place, which changes
 * when it is given to another content. While a number is taken, it is not.
 *
 * The next number grows only when none has come back, so those that have are few; they are bits of their own.
 */
#include "store/state/repeats.h"

#include "store/base/clock.h"
#include "store/base/process.h"

#include <stdlib.h>
#include <string.h>

/* A part has FIRST_SETS sets, twice as many as the part before it, and a name may be in one of them: WAYS
 * places. */
enum { WAYS = 8, FIRST_SETS = 8, HOLES_WORDS = 8, WORD = 64 };

/* A life is odd while the place is made over. */
#define TAKEN           (UINT64_C(1) << 32)
#define LIFE            (UINT64_C(1) << 52)
#define IS_TAKEN(state) ((state) & (LIFE - TAKEN))

struct repeats_holes {
  struct repeats_holes *next;
  uint32_t first; /* the number of the first bit */
  _Atomic uint64_t word[HOLES_WORDS];
};

/* 0 marks an unused place, so no name is 0. Of two contents that begin alike each would take numbers from the
 * other: some are skipped then, and no answer is mixed up, since the whole base key is in every name that is
 * made with a number. */
static uint64_t name_of(const uint8_t *base)
{
  uint64_t name;
  memcpy(&name, base, sizeof(name));
  return name ? name : 1;
}

/* Where a name may be in part `i`. Names are hashes already. */
static struct repeat *set_of(struct repeat *part, int i, uint64_t name)
{
  return part + (name & (((uint64_t)FIRST_SETS << i) - 1)) * WAYS;
}

static struct repeat *find(struct repeats *repeats, uint64_t name)
{
  struct repeat *part;
  for (int i = 0; i < REPEATS_PARTS && (part = atomic_load(&repeats->part[i])); i++)
    for (struct repeat *at = set_of(part, i, name), *end = at + WAYS; at < end; at++)
      if (atomic_load_explicit(&at->name, memory_order_relaxed) == name)
        return at;
  return NULL;
}

/* True if it is as good as never seen: every number that it ever had is free again, or forgotten. */
static bool is_over(struct repeat *repeat, uint64_t state)
{
  return !IS_TAKEN(state) && atomic_load(&repeat->until_us) <= clock_steady_us();
}

/* Counts one more as taken, unless the place is another content's, or is to be made over. */
static bool pin(struct repeat *repeat, uint64_t name)
{
  uint64_t state = atomic_load(&repeat->state);
  do
    /* Where nothing was used up yet, it goes on. Where the time of what was used up is over it is forgotten,
     * and pin_new() begins it anew with number 0. */
    if (state & LIFE || atomic_load(&repeat->name) != name ||
        (atomic_load(&repeat->until_us) && is_over(repeat, state)))
      return false;
  while (!atomic_compare_exchange_weak(&repeat->state, &state, state + TAKEN));
  return true;
}

/* A place for a new name, which its last content has no use for any more. */
static struct repeat *find_place(struct repeats *repeats, uint64_t name)
{
  for (int i = 0; i < REPEATS_PARTS; i++) {
    struct repeat *part = atomic_load(&repeats->part[i]);
    if (!part) {
      part = calloc(((size_t)FIRST_SETS << i) * WAYS, sizeof(*part));
      atomic_store(&repeats->part[i], part);
    }
    if (!part)
      return NULL;
    for (struct repeat *at = set_of(part, i, name), *end = at + WAYS; at < end; at++)
      if (is_over(at, atomic_load(&at->state)))
        return at;
  }
  return NULL;
}

/* Gives the place to `name`, with one number taken. False if somebody has taken one meanwhile. */
static bool make_over(struct repeat *repeat, uint64_t name)
{
  uint64_t state = atomic_load(&repeat->state);
  if (!is_over(repeat, state) || !atomic_compare_exchange_strong(&repeat->state, &state, state + LIFE))
    return false;
  atomic_store(&repeat->name, name);
  atomic_store(&repeat->until_us, 0);
  atomic_store(&repeat->holes, 0);
  for (struct repeats_holes *more = atomic_load(&repeat->more); more; more = more->next)
    for (int i = 0; i < HOLES_WORDS; i++)
      atomic_store(&more->word[i], 0);
  /* Last, for now others may pin it. The life is another one and even, so that a pin that was begun before
   * this fails; below it, number 0 comes next and one is taken. */
  atomic_store(&repeat->state, ((state + 2 * LIFE) & -LIFE) + TAKEN);
  return true;
}

/* Of a content that was not there, or is over. Where another thread has been faster, it is there now. */
static struct repeat *pin_new(struct repeats *repeats, uint64_t name)
{
  PROCESS_LOCKED(lists);
  for (;;) {
    struct repeat *repeat = find(repeats, name);
    if (repeat && pin(repeat, name))
      return repeat;
    if (!repeat && !(repeat = find_place(repeats, name)))
      return NULL;
    if (make_over(repeat, name))
      return repeat;
  }
}

/* The lowest bit of a word, which is cleared; negative if there is none. */
static int take_bit(_Atomic uint64_t *word)
{
  uint64_t bits = atomic_load(word);
  while (bits)
    if (atomic_compare_exchange_weak(word, &bits, bits & (bits - 1)))
      return __builtin_ctzll(bits);
  return -1;
}

/* The lowest number beyond the first word that has come back. */
static bool take_from_more(struct repeat *repeat, uint32_t *number)
{
  for (;;) {
    _Atomic uint64_t *lowest = NULL;
    uint32_t first = UINT32_MAX;
    for (struct repeats_holes *more = atomic_load(&repeat->more); more; more = more->next)
      for (uint32_t i = 0; i < HOLES_WORDS; i++)
        if (more->first + i * WORD < first && atomic_load(&more->word[i])) {
          first = more->first + i * WORD;
          lowest = &more->word[i];
        }
    if (!lowest)
      return false;
    int bit = take_bit(lowest);
    if (bit >= 0) {
      *number = first + (uint32_t)bit;
      return true;
    }
  }
}

/* The last one is never given, so that the sum stays in its half of the word. */
static uint32_t take_next(struct repeat *repeat)
{
  uint64_t state = atomic_load(&repeat->state);
  while ((uint32_t)state < UINT32_MAX && !atomic_compare_exchange_weak(&repeat->state, &state, state + 1))
    ;
  return (uint32_t)state;
}

struct repeats_number repeats_take(struct repeats *repeats, const uint8_t *base)
{
  uint64_t name = name_of(base);
  struct repeat *repeat = find(repeats, name);
  if (!repeat || !pin(repeat, name))
    repeat = pin_new(repeats, name);
  if (!repeat)
    return (struct repeats_number){.of = NULL};
  struct repeats_number number = {.of = repeat, .again = atomic_load(&repeat->until_us) != 0};
  /* What came back goes first, from the lowest on: a retry is the operation that has failed. */
  int bit = take_bit(&repeat->holes);
  if (bit >= 0)
    number.is = (uint32_t)bit;
  else if (!take_from_more(repeat, &number.is) && (number.is = take_next(repeat)) == UINT32_MAX) {
    atomic_fetch_sub(&repeat->state, TAKEN);
    number.of = NULL;
  }
  return number;
}

/* The word with the bit of a number. Two threads may make the same one at once: both are looked into. */
static _Atomic uint64_t *word_of(struct repeat *repeat, uint32_t number)
{
  if (number < WORD)
    return &repeat->holes;
  uint32_t first = number - number % (HOLES_WORDS * WORD);
  struct repeats_holes *head = atomic_load(&repeat->more), *more = head;
  while (more && more->first != first)
    more = more->next;
  if (!more && (more = calloc(1, sizeof(*more)))) {
    more->first = first;
    do
      more->next = head;
    while (!atomic_compare_exchange_weak(&repeat->more, &head, more));
  }
  return more ? &more->word[number % (HOLES_WORDS * WORD) / WORD] : NULL;
}

void repeats_settle(struct repeat *of, uint32_t number, bool used_up, uint64_t ttl_ms)
{
  /* All that is remembered of the number, before it is let go: once none is taken, another content may have
   * the place. */
  if (used_up) {
    atomic_store(&of->until_us, clock_expiry_us(clock_steady_us(), ttl_ms));
  } else {
    _Atomic uint64_t *word = word_of(of, number);
    if (word)
      atomic_fetch_or(word, UINT64_C(1) << number % WORD);
  }
  atomic_fetch_sub(&of->state, TAKEN);
}

void repeats_release(struct repeats *repeats)
{
  struct repeat *part;
  for (int i = 0; i < REPEATS_PARTS && (part = atomic_load(&repeats->part[i])); i++) {
    for (struct repeat *at = part, *end = part + ((size_t)FIRST_SETS << i) * WAYS; at < end; at++)
      for (struct repeats_holes *more = atomic_load(&at->more), *next; more; more = next) {
        next = more->next;
        free(more);
      }
    free(part);
  }
  memset(repeats, 0, sizeof(*repeats));
}
