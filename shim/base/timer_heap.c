/* SPDX-License-Identifier: MIT */
#include "shim/base/timer_heap.h"

/* A timer is pointed to by the heap, by its parent or by the sibling before it. It knows that place, so that
 * it is taken out without a search. */
static void put(struct timer **place, struct timer *timer)
{
  *place = timer;
  if (timer)
    timer->place = place;
}

/* Two heaps become one: the later root is the earlier one's first child. Neither may be NULL. */
static struct timer *meld(struct timer *one, struct timer *other)
{
  struct timer *root = other->at_us < one->at_us ? other : one;
  struct timer *child = root == one ? other : one;
  put(&child->next, root->child);
  put(&root->child, child);
  return root;
}

/* The children of a root that is taken away: first melded by twos from the left, then all from the right,
 * which is what keeps the heap from becoming a list. */
static struct timer *meld_children(struct timer *child)
{
  struct timer *pairs = NULL, *root = NULL;
  while (child) {
    struct timer *one = child, *other = child->next;
    child = other ? other->next : NULL;
    one->next = NULL;
    if (other)
      one = meld(one, other);
    one->next = pairs;
    pairs = one;
  }
  while (pairs) {
    struct timer *pair = pairs;
    pairs = pair->next;
    pair->next = NULL;
    root = root ? meld(root, pair) : pair;
  }
  return root;
}

static void add(struct timer_heap *heap, struct timer *root)
{
  if (root)
    put(&heap->first, heap->first ? meld(heap->first, root) : root);
}

void timer_set(struct timer_heap *heap, struct timer *timer, int64_t at_us)
{
  timer_unset(heap, timer);
  timer->at_us = at_us;
  add(heap, timer);
}

void timer_unset(struct timer_heap *heap, struct timer *timer)
{
  if (!timer->place)
    return;
  put(timer->place, timer->next);
  struct timer *children = meld_children(timer->child);
  *timer = (struct timer){.at_us = timer->at_us};
  add(heap, children);
}
