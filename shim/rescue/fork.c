/* SPDX-License-Identifier: MIT */
#include "shim/rescue/fork.h"

#include "shim/base/libc.h"
#include "shim/form/form.h"
#include "shim/handle/multi.h"
#include "shim/handle/shadow.h"
#include "shim/rescue/inflight.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/transport/feeder.h"

#include <pthread.h>
#include <stdatomic.h>

void fork_lock_all(void)
{
  store_object_lock();
  libcurl_lock();
  pointer_map_lock(&shadow_map);
  form_lock_all();
  pointer_map_lock(&multi_map);
  inflight_lock();
}

void fork_unlock_all(void)
{
  inflight_unlock();
  pointer_map_unlock(&multi_map);
  form_unlock_all();
  pointer_map_unlock(&shadow_map);
  libcurl_unlock();
  store_object_unlock();
}

void fork_unlock_in_copy(void)
{
  process_after_fork();
  report_after_fork();
  store_object_after_fork();
  inflight_after_fork();
  pointer_map_unlock(&multi_map);
  form_unlock_all();
  pointer_map_unlock(&shadow_map);
  libcurl_unlock();
}

void fork_register(void)
{
  static atomic_flag registered = ATOMIC_FLAG_INIT;
  if (settings_active() && !atomic_flag_test_and_set(&registered))
    libc_at_fork(fork_lock_all, fork_unlock_all, fork_unlock_in_copy);
}

void fork_register_feeder(void)
{
  static _Atomic bool registered;
  if (!atomic_load_explicit(&registered, memory_order_relaxed) && !atomic_exchange(&registered, true))
    libc_at_fork(feeder_lock, feeder_unlock, feeder_begin_anew);
}
