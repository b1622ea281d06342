/* SPDX-License-Identifier: MIT */
#include "shim/runtime/settings.h"

#include "shim/base/buffer.h"
#include "shim/base/libc.h"
#include "shim/runtime/report.h"
#include "shim/runtime/store_object.h"
#include "shim/runtime/vitals.h"
#include "tape/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static const struct idem_config no_config = {.mode = IDEM_MODE_OFF};
_Atomic(const struct idem_config *) settings_loaded;
_Atomic int settings_activity;

/*
 * The environment that the program was started with, as NAME=VALUE texts with a NUL after each, for programs
 * that take theirs away: php-fpm clears its workers', and daemons write their title over it and change user,
 * so that /proc/self/environ does not tell it either. What counts of it is kept by a constructor, where an
 * IDEMSHIM_ variable or a directory of systemd's is set. Looked at only where LD_PRELOAD does not name us any
 * more.
 */
static struct buffer kept;

/* The same from /proc, for hooks that run before constructors, and before libc has an environment
 * (.preinit_array); and for HOME where nothing was kept. Released when the settings are loaded. */
static __thread struct buffer at_start;

/* With one of the first three, something is kept; the others alone are in every environment. */
enum { REASONS = 3, NAMES = 6 };
static bool counts(const char *variable, size_t of)
{
  /* In a page that every program has already; constants would be read from one more. */
  static __attribute__((section(".data"))) char names[NAMES][20] = {
      "IDEMSHIM_", "CACHE_DIRECTORY=", "STATE_DIRECTORY=", "HOME=", "XDG_CACHE_HOME=", "XDG_CONFIG_HOME="};
  for (size_t i = 0; i < of; i++) {
    size_t at = 0;
    /* Each function of libc that is called for the first time is looked for. */
    while (names[i][at] && variable[at] == names[i][at])
      at++;
    if (!names[i][at])
      return true;
  }
  return false;
}

/* Takes no memory of a program that may never call us, but for an environment that is large. */
__attribute__((constructor)) static void keep_environment(void)
{
  static char place[4096];
  size_t len = 0;
  bool any = false;
  if (!libc_suffices())
    return;
  for (char **at = environ; at && *at; at++)
    any |= counts(*at, REASONS);
  if (!any || getauxval(AT_SECURE))
    return;
  for (char **at = environ; *at; at++)
    len += counts(*at, NAMES) ? strlen(*at) + 1 : 0;
  if (len <= sizeof(place))
    kept = (struct buffer){.data = place, .room = sizeof(place)};
  for (char **at = environ; *at; at++)
    if (counts(*at, NAMES))
      buffer_append(&kept, *at, strlen(*at) + 1);
}

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

static char *find_variable(const struct buffer *environment, const char *name)
{
  size_t len = strlen(name);
  for (size_t at = 0; at < environment->len; at += strnlen(environment->data + at, environment->len - at) + 1)
    if (environment->len - at > len && environment->data[at + len] == '=' &&
        memcmp(environment->data + at, name, len) == 0)
      return environment->data + at + len + 1;
  return NULL;
}

static __thread bool preload_is_gone;

/* The part of the settings that this thread has loaded already: loading the rest asks for settings, too. */
static __thread const struct idem_config *loading;

/* As getenv(), and what that does not find as it was at the start. */
static char *get_variable(const char *name)
{
  char *value = getenv(name);
  if (!value && preload_is_gone)
    value = find_variable(kept.len ? &kept : &at_start, name);
  return value;
}

static void load_config(struct idem_config *config)
{
  struct idem_error error;
  const char *preload = getenv("LD_PRELOAD");
  preload_is_gone = !preload || !strstr(preload, "libidemshim");
  if (preload_is_gone && !kept.len)
    read_start();
  int code = idem_config_load(config, get_variable, &error);
  bool refuses = code < 0 && idem_config_load_refusal(config, get_variable);
  for (size_t i = 0; i < sizeof(config->ignored) / sizeof(config->ignored[0]) && config->ignored[i]; i++)
    report_line_to_stderr("%s; nothing of it holds", config->ignored[i]);
  if (refuses)
    report_line_to_stderr("%s; `idemshim check` shows it; what was to be replayed is refused", error.text);
  else if (code < 0)
    report_problem(PROBLEM_BAD_CONFIG, "%s; `idemshim check` shows it", error.text);
  else if (config->mode == IDEM_MODE_RECORD && !config->tape_dir)
    report_problem(PROBLEM_BAD_CONFIG, "IDEMSHIM_MODE=record needs IDEMSHIM_TAPE, the directory of the tape");
}

/* A replay meets what its tape has been recorded with; everything, if that cannot be read, for then
 * everything is refused. */
static void add_tape(struct idem_config *config)
{
  struct idem_config with;
  static char everything[] = "host=* method=*";
  struct tape_met met = {.origins = everything};
  loading = config;
  const struct idem_tape_api *api = store_object_tape_meets(&met);
  bool loaded = idem_config_load_replay(&with, get_variable, met.rules, met.origins, NULL) == 0;
  if (api)
    api->met_release(&met);
  loading = NULL;
  if (!loaded)
    return;
  idem_config_release(config);
  *config = with;
}

/* Without pthread_once(), which makes a system call: threads that come at once each load one, and the first
 * has it. */
const struct idem_config *settings_load(void)
{
  int saved = errno;
  const struct idem_config *first = NULL;
  if (loading)
    return loading;
  /* Whoever starts a setuid program owns its environment, and is not to make it read and write files. */
  if (!libc_suffices() || getauxval(AT_SECURE)) {
    atomic_store(&settings_loaded, &no_config);
    atomic_store(&vitals.config, &no_config);
    return &no_config;
  }
  struct idem_config *mine = malloc(sizeof(*mine));
  if (!mine) {
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said))
      report_line_to_stderr("no memory for the settings; calls go out as if idemshim were not there");
    errno = saved;
    return &no_config;
  }
  load_config(mine);
  if (mine->mode == IDEM_MODE_REPLAY && mine->tape_dir)
    add_tape(mine);
  buffer_release(&at_start);
  if (atomic_compare_exchange_strong(&settings_loaded, &first, mine)) {
    first = mine;
  } else {
    idem_config_release(mine);
    free(mine);
  }
  atomic_store(&vitals.config, first);
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

bool settings_fail_closed(const struct idem_rule *rule)
{
  enum idem_mode mode = settings()->mode;
  return rule &&
         (mode == IDEM_MODE_REPLAY || (mode == IDEM_MODE_IDEMPOTENT && rule->indoubt == IDEM_INDOUBT_FAIL));
}
