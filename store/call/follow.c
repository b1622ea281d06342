/* SPDX-License-Identifier: MIT */
/*
 * What an owner shows, and what a follower makes of it.
 *
 * A follower looks several times a second, and adds up how long nothing has changed between two looks. So it
 * needs no clock in common with the owner; and a follower that was itself stopped for a while, or was long in
 * a callback, has counted one step and not all of that time.
 */
#include "store/base/claim_lock.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/call/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* After how long an owner is left, in ms; a test build may have shorter ones. STALL: it shows neither a turn
 * nor a byte, or a stream that was joined stands still for whatever reason. HANG: its process is stopped, or
 * it is in a callback of this process's app. UNSEEN: it has no place in the page, for want of room or since
 * its page is another one. */
#ifndef FOLLOW_STALL_MS
#define FOLLOW_STALL_MS 10000
#endif
#ifndef FOLLOW_HANG_MS
#define FOLLOW_HANG_MS 1000
#endif
#ifndef FOLLOW_UNSEEN_MS
#define FOLLOW_UNSEEN_MS 600000
#endif

/* What one look adds at most, and how often the state of a process is read at most; in µs. */
enum { STEP_MOST = 500000, STATE_EVERY = 250000 };

void call_lock_key(const struct idem_call *call, uint8_t lock[8])
{
  uint64_t number;
  memcpy(&number, call->key, sizeof(number));
  number += call->priv.beyond * UINT64_C(0x9e3779b97f4a7c16);
  memcpy(lock, &number, sizeof(number));
}

void call_show_owner(struct idem_store *store, struct idem_call *call)
{
  struct owners *owners = &store->stats->owners;
  uint8_t lock[8];
  call_lock_key(call, lock);
  call->priv.life = process_generation();
  struct owner *owner = owner_take(owners, lock, call->upstream_key);
  if (!owner) {
    owner_sweep(owners, lock, &store->claims_file);
    owner = owner_take(owners, lock, call->upstream_key);
  }
  call->priv.owner = owner;
  call->priv.owner_number = owner ? atomic_load_explicit(&owner->number, memory_order_relaxed) : 0;
}

static uint32_t get(const _Atomic uint32_t *word)
{
  return atomic_load_explicit(word, memory_order_relaxed);
}

static void put(_Atomic uint32_t *word, uint32_t value)
{
  if (get(word) != value)
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* The owner alone writes here, so that an addition need not be atomic. A copy of the process that goes on
 * with the call is another pid; a child that has inherited the call is not its owner. Nor is a call whose app
 * has closed the claim's descriptor, and with it the claim, once somebody else has the place. */
void idem_store_sign(struct idem_call *call, enum idem_sign sign)
{
  struct owner *owner = call->priv.owner;
  if (call->priv.fleet.ours)
    shared_renew(call);
  if (!owner || get(&owner->number) != call->priv.owner_number || call->priv.life != process_generation())
    return;
  if (sign != IDEM_SIGN_TURN)
    put(&owner->inside, (get(&owner->inside) + 1) | 1);
  if (sign == IDEM_SIGN_CALLBACK_END)
    put(&owner->inside, get(&owner->inside) + 1);
  uint32_t turns = get(&owner->turns);
  if (turns ? get(&owner->waited) : sign == IDEM_SIGN_TURN)
    put(&owner->turns, turns + 1 ? turns + 1 : 1);
  put(&owner->pid, (uint32_t)process_pid());
}

/* "PID (NAME) STATE ...", where a name may have any sign [proc_pid_stat(5)]. */
static bool is_stopped(uint32_t pid)
{
  char path[32], text[256];
  snprintf(path, sizeof(path), "/proc/%u/stat", pid);
  int fd = fd_open(path, O_RDONLY, 0);
  ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
  if (fd >= 0)
    close(fd);
  text[len > 0 ? len : 0] = '\0';
  const char *state = strrchr(text, ')');
  return state && state[1] == ' ' && (state[2] == 'T' || state[2] == 't');
}

static int64_t step_of(int64_t passed_us)
{
  return passed_us < STEP_MOST ? passed_us : STEP_MOST;
}

/* A pid says something within its namespace alone. */
static bool is_other_process(const struct owner *owner)
{
  uint32_t of_pid = get(&owner->pid_namespace);
  return of_pid && of_pid == process_pid_namespace() && get(&owner->pid) != (uint32_t)process_pid();
}

static void look_at_process(struct idem_watch *watch, const struct owner *owner, int64_t now)
{
  if (!is_other_process(owner) || now - watch->state_us < STATE_EVERY)
    return;
  bool stopped = is_stopped(get(&owner->pid));
  watch->stopped_us = stopped && watch->stopped ? watch->stopped_us + step_of(now - watch->state_us) : 0;
  watch->stopped = stopped;
  watch->state_us = now;
}

/* What it has done since the last look, and how long it has done nothing. */
static void look(struct idem_watch *watch, const struct owner *owner, int64_t now)
{
  int64_t step = step_of(now - watch->looked_us);
  uint32_t turns = get(&owner->turns), inside = get(&owner->inside);
  bool hangs = inside & 1 && inside == watch->inside && get(&owner->pid) == (uint32_t)process_pid();
  watch->idle_us = turns && turns == watch->turns ? watch->idle_us + step : 0;
  watch->inside_us = hangs ? watch->inside_us + step : 0;
  watch->turns = turns;
  watch->inside = inside;
  watch->looked_us = now;
  look_at_process(watch, owner, now);
}

const char *idem_store_stalled(struct idem_store *store, struct idem_call *call, bool joined)
{
  QUIET();
  struct idem_watch *watch = &call->priv.watch;
  const int64_t hang_us = INT64_C(1000) * (joined ? FOLLOW_STALL_MS : FOLLOW_HANG_MS);
  int64_t now = clock_steady_us();
  uint8_t lock[8];
  call_lock_key(call, lock);
  struct owner *owner = owner_find(&store->stats->owners, lock);
  uint32_t number = owner ? atomic_load_explicit(&owner->number, memory_order_acquire) : 0;
  if (!watch->looked_us || owner != watch->owner || number != watch->number)
    *watch = (struct idem_watch){.owner = owner, .number = number, .looked_us = now};
  if (!owner) {
    watch->idle_us += step_of(now - watch->looked_us);
    watch->looked_us = now;
    return watch->idle_us >= INT64_C(1000) * FOLLOW_UNSEEN_MS ? "nothing is seen of its owner" : NULL;
  }
  put(&owner->waited, 1);
  look(watch, owner, now);
  return watch->inside_us >= hang_us                         ? "its owner is in a callback of this program"
         : watch->stopped_us >= hang_us                      ? "its owner's process is stopped"
         : watch->idle_us >= INT64_C(1000) * FOLLOW_STALL_MS ? "its owner makes no progress"
                                                             : NULL;
}
