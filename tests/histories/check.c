/* SPDX-License-Identifier: MIT */
/*
 * The model. A key is a register that is written once in each of its windows: a window ends where its answer
 * is removed or expires. Who asks gets the answer of the window or sends; at most one sends at a time; who
 * dies in it leaves a doubt, which the next one is told.
 */
#include "tests/histories/history.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const struct history *history;
static char wrong[200];

static const char *const names[] = {"invoked",  "sent",    "failed",  "committing", "stored",
                                    "leaving",  "given",   "refused", "stuck",      "killing",
                                    "removing", "removed", "found"};

static int count(void)
{
  return history->count < EVENTS_MOST ? history->count : EVENTS_MOST;
}

static const struct event *at(int i)
{
  return &history->event[i];
}

/* The first of that kind of the same call, or of the same process, from `from` on; -1. */
static int of_call(int from, enum kind kind, int call)
{
  for (int i = from; i < count(); i++)
    if (at(i)->kind == kind && at(i)->call == call)
      return i;
  return -1;
}

static int killed(int process)
{
  for (int i = 0; i < count(); i++)
    if (at(i)->kind == KILLING && at(i)->process == process)
      return i;
  return -1;
}

/* The event by which this value went out for that key; -1. */
static int sent_of(int key, int value)
{
  for (int i = 0; i < count(); i++)
    if (at(i)->kind == SENT && at(i)->key == key && at(i)->value == value)
      return i;
  return -1;
}

/* A removal that ends behind `from` and begins before `to` may have taken what was there at `from`. */
static bool may_be_removed(int key, int from, int to)
{
  for (int i = from; i < count(); i++)
    if (at(i)->kind == REMOVED && at(i)->key == key)
      for (int k = i; k-- > 0;)
        if (at(k)->kind == REMOVING && at(k)->key == key && at(k)->process == at(i)->process)
          return k < to;
  for (int k = 0; k < to; k++) /* one that was killed in it may have come to its end or not */
    if (at(k)->kind == REMOVING && at(k)->key == key && killed(at(k)->process) >= 0)
      return true;
  return false;
}

/* True: what began to be stored at `from` may be past its time at `to`. */
static bool may_be_expired(int from, int to)
{
  return history->ttl_us && at(to)->at_us >= at(from)->at_us + history->ttl_us;
}

static const char *say(const char *what, int a, int b)
{
  snprintf(wrong, sizeof wrong, "%s (events %d, %d)", what, a, b);
  return wrong;
}

/* Where the value was known to be in the store: it was told, or given; the earliest, with where
 * it began to be stored. */
static int known_at(int key, int value)
{
  for (int i = 0; i < count(); i++)
    if ((at(i)->kind == STORED || at(i)->kind == GIVEN) && at(i)->key == key && at(i)->value == value)
      return i;
  return -1;
}

static int begun_at(int key, int value)
{
  int sent = sent_of(key, value);
  int begun = sent < 0 ? -1 : of_call(sent, COMMITTING, at(sent)->call);
  return begun < 0 ? sent : begun;
}

/* An answer that is in the store at `i` for certain: the value, or 0. */
static int certain_before(int key, int i)
{
  for (int k = 0; k < i; k++)
    if ((at(k)->kind == STORED || at(k)->kind == GIVEN) && at(k)->key == key) {
      int begun = begun_at(key, at(k)->value);
      if (begun >= 0 && !may_be_removed(key, begun, count()) && !may_be_expired(begun, i))
        return at(k)->value;
    }
  return 0;
}

static const char *check_given(int i)
{
  const struct event *given = at(i);
  int invoked = of_call(0, INVOKED, given->call), sent = sent_of(given->key, given->value), certain;
  if (sent < 0 || sent > i)
    return say("a value that nobody has sent for this key", i, sent);
  if (of_call(sent, FAILED, at(sent)->call) >= 0)
    return say("a value that upstream has refused", i, sent);
  int known = known_at(given->key, given->value);
  for (int k = 0; k < invoked; k++)
    if (at(k)->kind == REMOVED && at(k)->key == given->key)
      for (int b = k; b-- > 0;)
        if (at(b)->kind == REMOVING && at(b)->key == given->key && at(b)->process == at(k)->process) {
          if (known >= 0 && known < b)
            return say("a value that was removed before", i, k);
          break;
        }
  int stored = of_call(sent, STORED, at(sent)->call);
  if (history->ttl_us && stored >= 0 && at(invoked)->at_us > at(stored)->at_us + history->ttl_us + 50000)
    return say("a value that had expired", i, stored);
  certain = certain_before(given->key, invoked);
  if (certain && certain != given->value && !may_be_expired(begun_at(given->key, certain), i))
    return say("another value than the one that was there", i, known_at(given->key, certain));
  return NULL;
}

static const char *check_sent(int i)
{
  const struct event *sent = at(i);
  int invoked = of_call(0, INVOKED, sent->call), certain = certain_before(sent->key, invoked);
  if (certain && !may_be_expired(begun_at(sent->key, certain), i))
    return say("sent although there was an answer", i, known_at(sent->key, certain));
  int last = -1;
  for (int k = 0; k < i; k++) {
    if (at(k)->kind != SENT || at(k)->key != sent->key)
      continue;
    int left = of_call(k, LEAVING, at(k)->call), dead = killed(at(k)->process);
    if ((left < 0 || left > i) && (dead < 0 || dead > i))
      return say("sent while another was under way", i, k);
    last = k;
  }
  if (last < 0 || history->ttl_us)
    return NULL;
  bool dead = of_call(last, LEAVING, at(last)->call) < 0 && killed(at(last)->process) >= 0;
  bool open = dead && of_call(last, FAILED, at(last)->call) < 0 &&
              of_call(last, COMMITTING, at(last)->call) < 0 && !may_be_removed(sent->key, last, i);
  if (open && history->at_most_once)
    return say("sent a second time under indoubt=fail", i, last);
  if (open && !sent->resent)
    return say("sent after one that nobody knows of, as if there had been none", i, last);
  if (open && sent->upstream != at(last)->upstream)
    return say("sent again with another upstream key", i, last);
  return NULL;
}

static const char *check_found(int i)
{
  int certain = certain_before(at(i)->key, i);
  return certain && certain != at(i)->value ? say("an answer is lost", i, known_at(at(i)->key, certain))
                                            : NULL;
}

const char *history_check(const struct history *of)
{
  const char *found = NULL;
  history = of;
  for (int i = 0; i < count() && !found; i++)
    found = at(i)->kind == GIVEN   ? check_given(i)
            : at(i)->kind == SENT  ? check_sent(i)
            : at(i)->kind == FOUND ? check_found(i)
            : at(i)->kind == STUCK ? say("a call does not end", i, i)
                                   : NULL;
  return found;
}

void history_print(const struct history *of)
{
  history = of;
  printf("ttl %lld us%s\n", (long long)of->ttl_us, of->at_most_once ? ", indoubt=fail" : "");
  for (int i = 0; i < count(); i++)
    printf("%3d  process %d call %d key %d  %s %d%s  at %lld\n", i, at(i)->process, at(i)->call, at(i)->key,
           names[at(i)->kind], at(i)->value, at(i)->resent ? " (resent)" : "",
           (long long)(at(i)->at_us - at(0)->at_us));
}
