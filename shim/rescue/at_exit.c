/* SPDX-License-Identifier: MIT */
#include "shim/rescue/at_exit.h"

#include "shim/base/libc.h"
#include "shim/rescue/copy_driver.h"
#include "shim/rescue/inflight.h"
#include "shim/rescue/rescue.h"
#include "shim/runtime/report.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Its callback may have left by a jump before. */
static void say_left(const struct inflight *entry)
{
  report_count(IDEM_COUNTER_bypass);
  report_event(&(struct event){.name = "bypass",
                               .id = entry->request->op.id[0] ? entry->request->op.id : NULL,
                               .reason = "not rescued: the program has ended while libcurl was at work on it",
                               .ms = -1});
}

/* Each call comes up once, so the loop ends. A copy of the process does not come back from copy_finish():
 * it drives its call to the end and leaves. */
static void on_exit_of_process(void)
{
  for (struct inflight *entry; (entry = inflight_next_ours());) {
    if (driver_is_inside(entry->driver)) {
      say_left(entry);
      continue;
    }
    rescue_at_exit(entry->rescue);
    if (rescue_is_copy(entry->rescue))
      copy_finish(entry->rescue);
  }
}

void at_exit_register(void)
{
  static atomic_flag registered = ATOMIC_FLAG_INIT;
  if (!atomic_flag_test_and_set(&registered)) {
    atexit(on_exit_of_process);
    libc_at_quick_exit(on_exit_of_process);
  }
}
