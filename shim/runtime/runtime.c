/* SPDX-License-Identifier: MIT */
#include "shim/runtime/runtime.h"

#include "shim/form/form_table.h"
#include "shim/handle/multi.h"
#include "shim/handle/shadow.h"
#include "shim/libcurl/dl.h"
#include "shim/rescue/inflight.h"
#include "shim/runtime/environment.h"
#include "shim/runtime/log.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct idem_config no_config = {.mode = IDEM_MODE_OFF};
_Atomic(const struct idem_config *) settings_loaded;
_Atomic int runtime_activity;

static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER;
static void *store_object;
static const struct idem_store_api *store_api; /* under store_lock; then constant */
static _Atomic(struct idem_store *) the_store;
static time_t retry_at;

static _Atomic unsigned problems_said;

/* store_lock is held while the store takes its own, which its own handlers have taken before these run: it
 * cannot be taken here. In the child nobody can be opening a store any more, so the lock begins anew. */
void fork_unlock_in_copy(void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
  store_lock = unlocked;
  inflight_after_fork();
  multi_begin_anew();
  form_table_unlock_all();
  shadow_unlock_all();
}

void fork_lock_all(void)
{
  shadow_lock_all();
  form_table_lock_all();
  multi_lock_all();
  inflight_lock();
}

void fork_unlock_all(void)
{
  inflight_unlock();
  multi_unlock_all();
  form_table_unlock_all();
  shadow_unlock_all();
}

static char *get_mode(const char *name)
{
  bool heeded = strcmp(name, "IDEMSHIM_MODE") == 0;
  return heeded ? environment_get(name) : strcmp(name, "HOME") == 0 ? (char *)(uintptr_t) "/" : NULL;
}

/* What says which calls a replay is for, and no more. */
static char *get_rules(const char *name)
{
  bool heeded = strcmp(name, "IDEMSHIM_RULES") == 0 || strcmp(name, "IDEMSHIM_HOSTS") == 0;
  return heeded ? environment_get(name) : get_mode(name);
}

/* A mistake must not let a replay onto the network. Without a tape it refuses what the rules want; where they
 * are the mistake, calls to the built-in hosts. */
static bool load_for_refusal(struct idem_config *config)
{
  const char *mode = environment_get("IDEMSHIM_MODE");
  return mode && strcmp(mode, "replay") == 0 &&
         (idem_config_load(config, get_rules, NULL) == 0 || idem_config_load(config, get_mode, NULL) == 0);
}

static void load_config(struct idem_config *config)
{
  struct idem_error error;
  environment_open();
  int code = idem_config_load(config, environment_get, &error);
  bool refuses = code < 0 && load_for_refusal(config);
  environment_close();
  if (refuses)
    event_say(NULL, error.text, "; `idemshim check` shows it; what was to be replayed is refused");
  else if (code < 0)
    fail_open(PROBLEM_BAD_CONFIG, "%s; `idemshim check` shows it", error.text);
  else if (config->mode == IDEM_MODE_RECORD && !config->tape_dir)
    fail_open(PROBLEM_BAD_CONFIG, "IDEMSHIM_MODE=record needs IDEMSHIM_TAPE, the directory of the tape");
}

static bool is_active(const struct idem_config *config)
{
  return config->rule_count > 0 && config->mode != IDEM_MODE_OFF &&
         (config->mode != IDEM_MODE_RECORD || config->tape_dir);
}

/* Without pthread_once(), which makes a system call: threads that come at once each load one, and the first
 * has it. */
const struct idem_config *settings_load(void)
{
  int saved = errno;
  const struct idem_config *first = NULL;
  struct idem_config *mine = malloc(sizeof(*mine));
  if (!mine)
    return &no_config;
  load_config(mine);
  if (atomic_compare_exchange_strong(&settings_loaded, &first, mine)) {
    first = mine;
    if (is_active(first))
      pthread_atfork(fork_lock_all, fork_unlock_all, fork_unlock_in_copy);
  } else {
    idem_config_release(mine);
    free(mine);
  }
  errno = saved;
  return first;
}

int runtime_find_activity(void)
{
  bool active = is_active(settings());
  atomic_store_explicit(&runtime_activity, active ? LIFE_ACTIVE : LIFE_INACTIVE, memory_order_release);
  return active ? LIFE_ACTIVE : LIFE_INACTIVE;
}

/* The loader knows a preloaded file by the name in LD_PRELOAD, which may be relative to a directory that was
 * left since. */
static bool absolute_path_of(const void *address, char path[PATH_MAX])
{
  FILE *maps = fopen("/proc/self/maps", "re");
  char line[PATH_MAX + 128];
  bool found = false;
  while (maps && !found && fgets(line, sizeof(line), maps)) {
    unsigned long first, last;
    const char *slash = strchr(line, '/');
    found = slash && sscanf(line, "%lx-%lx", &first, &last) == 2 && (unsigned long)address >= first &&
            (unsigned long)address < last;
    if (found)
      snprintf(path, PATH_MAX, "%.*s", (int)strcspn(slash, "\n"), slash);
  }
  if (maps)
    fclose(maps);
  return found;
}

/* The store object lies beside this one, wherever that was installed. */
static bool store_object_path(char path[PATH_MAX])
{
  Dl_info info;
  if (!dladdr((void *)&no_config, &info) || !info.dli_fname)
    return false;
  if (info.dli_fname[0] == '/')
    snprintf(path, PATH_MAX, "%s", info.dli_fname);
  else if (!absolute_path_of((void *)settings_load, path))
    return false;
  char *slash = strrchr(path, '/');
  size_t room = slash ? PATH_MAX - (size_t)(slash + 1 - path) : 0;
  return slash && (size_t)snprintf(slash + 1, room, "libidemshim-store.so") < room;
}

/* DEEPBIND: a host such as node exports its own OpenSSL, which would capture the store's. The sanitizers do
 * not allow it. */
#ifdef IDEM_SANITIZED
#define STORE_OBJECT_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#else
#define STORE_OBJECT_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND)
#endif

static void load_store_object(void)
{
  char path[PATH_MAX];
  dl_find_real();
  store_object = store_object_path(path) ? dl_real_open(path, STORE_OBJECT_FLAGS) : NULL;
  if (store_object)
    return;
  const char *why = dlerror();
  fail_open(LIFE_NO_STORE_OBJECT, "cannot load libidemshim-store.so from beside libidemshim.so: %s",
            why ? why : "its place is unknown");
}

static pthread_once_t object_once = PTHREAD_ONCE_INIT;

const void *runtime_object_api(const char *symbol, uint32_t version, uint32_t size)
{
  pthread_once(&object_once, load_store_object);
  /* Every table begins with these two. */
  const uint32_t *api = store_object ? dl_real_sym(store_object, symbol) : NULL;
  if (store_object && (!api || api[0] != version || api[1] != size)) {
    fail_open(LIFE_NO_STORE_OBJECT,
              "libidemshim-store.so belongs to another version; install both objects together");
    api = NULL;
  }
  return api;
}

static struct idem_store *open_store(void)
{
  const struct idem_config *config = settings();
  struct idem_store_options options = {.dir = config->store_dir,
                                       .size = config->store_size,
                                       .sync = config->sync,
                                       .key_file = config->key_file};
  struct idem_store *store = NULL;
  struct idem_error error = {""};
  int code = store_api->open(&store, &options, &error);
  if (code == 0)
    return store;
  fail_open(PROBLEM_STORE_NOT_OPENED, "%s", error.text);
  return NULL;
}

static struct idem_store *open_store_once(void)
{
  pthread_mutex_lock(&store_lock);
  struct idem_store *store = atomic_load_explicit(&the_store, memory_order_relaxed);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (!store && now.tv_sec >= retry_at) {
    int saved = errno;
    if (!store_api)
      store_api = runtime_object_api("idem_store_api", IDEM_STORE_API_VERSION, sizeof(*store_api));
    store = store_api ? open_store() : NULL;
    retry_at = now.tv_sec + 10;
    atomic_store_explicit(&the_store, store, memory_order_release);
    errno = saved;
  }
  pthread_mutex_unlock(&store_lock);
  return store;
}

const struct idem_store_api *runtime_store(struct idem_store **store)
{
  *store = atomic_load_explicit(&the_store, memory_order_acquire);
  if (!*store)
    *store = open_store_once();
  return *store ? store_api : NULL;
}

void report_count(enum idem_counter counter)
{
  struct idem_store *store = atomic_load_explicit(&the_store, memory_order_acquire);
  if (store)
    store_api->count(store, counter, 1);
}

void report_line(const char *format, ...)
{
  char text[700];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  event_say(settings()->log, text, "");
}

void fail_open(enum problem_kind problem, const char *format, ...)
{
  if (problem != PROBLEM_BAD_CONFIG && problem != PROBLEM_NO_LOG && problem != PROBLEM_NO_TURNS)
    report_count(IDEM_COUNTER_store_error);
  unsigned bit = 1u << problem;
  if (atomic_fetch_or(&problems_said, bit) & bit)
    return;
  char text[700];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  /* The configuration may be what is wrong, so only a finished one says where to. */
  event_say(problem == PROBLEM_BAD_CONFIG || problem == PROBLEM_NO_LOG ? NULL : settings()->log, text,
            problem == PROBLEM_NO_TAPE || problem == PROBLEM_NO_TURNS
                ? ""
                : "; calls go out as if idemshim were not there");
}
