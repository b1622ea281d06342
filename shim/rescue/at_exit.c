/* SPDX-License-Identifier: MIT */
#include "shim/rescue/at_exit.h"

#include "shim/rescue/copy_driver.h"
#include "shim/rescue/inflight.h"
#include "shim/rescue/rescue.h"
#include "shim/runtime/log.h"
#include "shim/runtime/runtime.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* No further copy is made, and no thread waited for, once this has passed; when all handlers have run, the
 * guards are there but for what was read meanwhile. */
#define PATIENCE_US 50000
#define LAST_US     10000

/* A thread of the app that is not in libcurl may be busy for long; there is little that it could be about in
 * between two turns. */
#define SLEEP_US 5000

/* So long no thread reads what its guard does not know of: most programs are gone by then. */
#define HOLD_US 30000

static const char why[] = "the program has ended";

static _Atomic(const void *) exiting; /* the thread that runs the handlers, or NULL */

bool at_exit_has_begun(void)
{
  const void *thread = atomic_load_explicit(&exiting, memory_order_relaxed);
  return __builtin_expect(thread != NULL, 0) && thread != this_thread();
}

/* Nobody will turn a multi that this thread has turned last. A transfer of curl_easy_perform() in this very
 * thread was interrupted by a signal. */
static void look_at(const struct inflight *entry)
{
  struct rescue *rescue = entry->rescue;
  bool in_multi = entry->driver_lock != &entry->own;
  driver_lock_await_sleep(entry->driver_lock, monotonic_us() + SLEEP_US);
  if (in_multi && driver_lock_was_ours(entry->driver_lock))
    rescue_now(rescue, why);
  else
    rescue_watch(rescue, why);
  if (rescue_is_copy(rescue))
    copy_finish(rescue);
}

static void say_left(const char *id, const char *reason)
{
  report_count(IDEM_COUNTER_bypass);
  event_write(&(struct event){.name = "bypass", .id = id[0] ? id : NULL, .reason = reason, .ms = -1});
}

/* True if there was any. */
static bool look_at_all(int64_t until_us)
{
  static const struct timespec pause = {.tv_nsec = 200000};
  bool any = false;
  unsigned busy;
  do {
    struct inflight *entry = inflight_next_unseen(&busy);
    any |= entry != NULL;
    if (entry) {
      look_at(entry);
      driver_lock_leave(entry->driver_lock);
    } else if (busy) {
      nanosleep(&pause, NULL);
    } else {
      break;
    }
  } while (monotonic_us() < until_us);
  return any;
}

static void look_and_hold(int64_t patience_us)
{
  int64_t until_us = monotonic_us() + patience_us;
  driver_lock_hold_all(until_us + HOLD_US);
  driver_lock_hold_all(look_at_all(until_us) ? monotonic_us() + HOLD_US : 0);
}

static void on_exit_of_process(void)
{
  char id[IDEM_ID_SIZE];
  atomic_store_explicit(&exiting, this_thread(), memory_order_relaxed);
  look_and_hold(PATIENCE_US);
  while (inflight_next_abandoned(id))
    say_left(id, "not rescued: the program has ended while libcurl was at work on it");
}

/* After exit(), handlers may have taken their time while threads went on reading. */
static __attribute__((destructor)) void look_once_more(void)
{
  if (atomic_load_explicit(&exiting, memory_order_relaxed) != this_thread())
    return;
  inflight_unsee_all();
  look_and_hold(LAST_US);
}

void at_exit_register(void)
{
  static atomic_flag registered = ATOMIC_FLAG_INIT;
  if (!atomic_flag_test_and_set(&registered)) {
    atexit(on_exit_of_process);
    at_quick_exit(on_exit_of_process);
  }
}

void at_exit_begin_anew(void)
{
  atomic_store_explicit(&exiting, NULL, memory_order_relaxed);
}
