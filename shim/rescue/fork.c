/* SPDX-License-Identifier: MIT */
#include "shim/rescue/fork.h"

#include "config/kernel.h"
#include "shim/base/libc.h"
#include "shim/form/form.h"
#include "shim/handle/multi.h"
#include "shim/handle/shadow.h"
#include "shim/rescue/inflight.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/runtime/vitals.h"
#include "shim/transport/feeder.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

void fork_lock_rest(void)
{
  libcurl_lock();
  pointer_map_lock(&shadow_map);
  form_lock_all();
  pointer_map_lock(&multi_map);
}

void fork_unlock_rest(void)
{
  pointer_map_unlock(&multi_map);
  form_unlock_all();
  pointer_map_unlock(&shadow_map);
  libcurl_unlock();
}

void fork_unlock_rest_in_copy(void)
{
  process_after_fork();
  report_after_fork();
  vitals_after_fork();
  store_object_after_fork();
  fork_unlock_rest();
}

void fork_lock_first(void)
{
  feeder_lock();
  inflight_lock();
  store_object_lock();
}

void fork_unlock_last(void)
{
  store_object_unlock();
  inflight_unlock();
  feeder_unlock();
}

void fork_unlock_last_in_copy(void)
{
  store_object_unlock();
  inflight_after_fork();
  feeder_begin_anew();
}

/* Twice where a fork in the middle of registering has left both sets of handlers in a child:
 * the outer ones count. */
static __thread unsigned forking;

static void before(void)
{
  if (forking++)
    return;
  fork_lock_first();
  store_object_lock_store();
  fork_lock_rest();
}

static void in_parent(void)
{
  if (!forking || --forking)
    return;
  fork_unlock_rest();
  store_object_unlock_store();
  fork_unlock_last();
}

static void in_child(void)
{
  if (!forking || --forking)
    return;
  store_object_unlock_store_in_child();
  fork_unlock_rest_in_copy();
  fork_unlock_last_in_copy();
}

enum registered { NOT_YET, BY_SOMEBODY, DONE };

/* A second for all of them. */
enum { REGISTERED_TRIES = 10000, REGISTERED_PAUSE_US = 100 };

/* A process of one thread: /proc/self/task has itself, its parent and one more. */
static bool is_alone(void)
{
  struct stat tasks;
  int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return false;
  bool alone = idem_fstat(fd, &tasks) == 0 && tasks.st_nlink == 3;
  close(fd);
  return alone;
}

/* Whoever comes second waits: a lock that is taken before this is done is not let go in a child. Not by
 * pthread_once(), which makes a system call in each program that has us. A child that was forked in that time
 * has nobody to wait for, and may have them or not: it registers them itself. */
static void register_once(_Atomic enum registered *registered)
{
  enum registered by = NOT_YET;
  bool first = atomic_compare_exchange_strong(registered, &by, BY_SOMEBODY);
  for (int i = 0; !first && i < REGISTERED_TRIES && atomic_load(registered) != DONE; i++) {
    first = is_alone();
    if (!first)
      usleep(REGISTERED_PAUSE_US);
  }
  if (first)
    libc_at_fork(before, in_parent, in_child);
  atomic_store(registered, DONE);
}

void fork_register(void)
{
  static _Atomic enum registered registered;
  if (atomic_load_explicit(&registered, memory_order_acquire) != DONE && settings_active())
    register_once(&registered);
}
