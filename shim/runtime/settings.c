/* SPDX-License-Identifier: MIT */
#include "shim/runtime/settings.h"

#include "shim/base/buffer.h"
#include "shim/runtime/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const struct idem_config no_config = {.mode = IDEM_MODE_OFF};
_Atomic(const struct idem_config *) settings_loaded;
_Atomic int settings_activity;

/* The environment that the program was started with, as NAME=VALUE texts with a NUL after each: for hooks
 * that run before libc has one (.preinit_array), and for programs that clear theirs (php-fpm's workers).
 * Read only where ours is not there any more, and released when the settings are loaded. */
static __thread struct buffer at_start;

static void read_start(void)
{
  int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
  ssize_t len = 1;
  while (fd >= 0 && len > 0) {
    char *into = buffer_reserve(&at_start, 4096);
    len = into ? read(fd, into, 4096) : -1;
    at_start.len += len > 0 ? (size_t)len : 0;
  }
  if (fd >= 0)
    close(fd);
  buffer_append(&at_start, "", 1);
}

/* As getenv(), and what that does not find as it was at the start. */
static char *get_variable(const char *name)
{
  char *value = getenv(name);
  size_t len = strlen(name);
  for (size_t at = 0; !value && at < at_start.len; at += strnlen(at_start.data + at, at_start.len - at) + 1)
    if (at_start.len - at > len && at_start.data[at + len] == '=' &&
        memcmp(at_start.data + at, name, len) == 0)
      value = at_start.data + at + len + 1;
  return value;
}

static char *get_mode(const char *name)
{
  bool heeded = strcmp(name, "IDEMSHIM_MODE") == 0;
  return heeded ? get_variable(name) : strcmp(name, "HOME") == 0 ? (char *)(uintptr_t) "/" : NULL;
}

/* What says which calls a replay is for, and no more. */
static char *get_rules(const char *name)
{
  bool heeded = strcmp(name, "IDEMSHIM_RULES") == 0 || strcmp(name, "IDEMSHIM_HOSTS") == 0;
  return heeded ? get_variable(name) : get_mode(name);
}

/* A mistake must not let a replay onto the network. Without a tape it refuses what the rules want; where they
 * are the mistake, calls to the built-in hosts. */
static bool load_for_refusal(struct idem_config *config)
{
  const char *mode = get_variable("IDEMSHIM_MODE");
  return mode && strcmp(mode, "replay") == 0 &&
         (idem_config_load(config, get_rules, NULL) == 0 || idem_config_load(config, get_mode, NULL) == 0);
}

static void load_config(struct idem_config *config)
{
  struct idem_error error;
  const char *preload = getenv("LD_PRELOAD");
  if (!preload || !strstr(preload, "libidemshim"))
    read_start();
  int code = idem_config_load(config, get_variable, &error);
  bool refuses = code < 0 && load_for_refusal(config);
  buffer_release(&at_start);
  if (refuses)
    report_line_to_stderr("%s; `idemshim check` shows it; what was to be replayed is refused", error.text);
  else if (code < 0)
    report_problem(PROBLEM_BAD_CONFIG, "%s; `idemshim check` shows it", error.text);
  else if (config->mode == IDEM_MODE_RECORD && !config->tape_dir)
    report_problem(PROBLEM_BAD_CONFIG, "IDEMSHIM_MODE=record needs IDEMSHIM_TAPE, the directory of the tape");
}

/* Without pthread_once(), which makes a system call: threads that come at once each load one, and the first
 * has it. */
const struct idem_config *settings_load(void)
{
  int saved = errno;
  const struct idem_config *first = NULL;
  /* Whoever starts a setuid program owns its environment, and is not to make it read and write files. */
  if (getauxval(AT_SECURE)) {
    atomic_store(&settings_loaded, &no_config);
    return &no_config;
  }
  struct idem_config *mine = malloc(sizeof(*mine));
  if (!mine)
    return &no_config;
  load_config(mine);
  if (atomic_compare_exchange_strong(&settings_loaded, &first, mine)) {
    first = mine;
  } else {
    idem_config_release(mine);
    free(mine);
  }
  errno = saved;
  return first;
}

int settings_find_activity(void)
{
  const struct idem_config *config = settings();
  bool active = config->rule_count > 0 && config->mode != IDEM_MODE_OFF &&
                (config->mode != IDEM_MODE_RECORD || config->tape_dir);
  int activity = active ? SETTINGS_ACTIVE : SETTINGS_INACTIVE;
  atomic_store_explicit(&settings_activity, activity, memory_order_release);
  return activity;
}

bool settings_replays_tape(void)
{
  return settings()->mode == IDEM_MODE_REPLAY;
}
