/* SPDX-License-Identifier: MIT */
/*
 * settings: what IDEMSHIM_* say, read once in a process, when the first handle is made.
 *
 *     if (!settings_active())
 *       return real->easy_perform(handle);      // a program that is none of our business
 *     const struct idem_rule *rule = shadow_rule(shadow, settings());
 *
 * Reading takes no lock: threads that come at once each load the settings, and the first has it; from then on
 * they are constant. A mistake is said once, and switches the shim off, but for mode replay, which must not
 * go onto the network: it then refuses what it would have replayed. In secure mode (setuid, file
 * capabilities: AT_SECURE), where a preload can still come from /etc/ld.so.preload, nothing is read and the
 * shim is off.
 */
#ifndef IDEMSHIM_SHIM_SETTINGS_H
#define IDEMSHIM_SHIM_SETTINGS_H

#include "config/config.h"

#include <stdatomic.h>

/* Never NULL. */
extern _Atomic(const struct idem_config *) settings_loaded;
const struct idem_config *settings_load(void);
static inline const struct idem_config *settings(void)
{
  const struct idem_config *config = atomic_load_explicit(&settings_loaded, memory_order_acquire);
  return config ? config : settings_load();
}

/* True if a rule could match at all; else nothing is remembered of any handle. */
enum settings_activity { SETTINGS_UNKNOWN, SETTINGS_ACTIVE, SETTINGS_INACTIVE };
extern _Atomic int settings_activity;
int settings_find_activity(void);
static inline bool settings_active(void)
{
  int activity = atomic_load_explicit(&settings_activity, memory_order_relaxed);
  return (activity ? activity : settings_find_activity()) == SETTINGS_ACTIVE;
}

/* Mode replay: what a rule wants never uses the network, whatever goes wrong. */
bool settings_replays_tape(void);
/* A call that a rule (or NULL) wants does not go out if we have no room for it: in that mode, or if it may
 * be sent once at most. */
bool settings_fail_closed(const struct idem_rule *rule);

#endif
