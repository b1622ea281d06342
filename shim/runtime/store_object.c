/* SPDX-License-Identifier: MIT */
#include "shim/runtime/store_object.h"

#include "config/store_place.h"
#include "config/thread.h"
#include "shim/base/buffer.h"
#include "shim/base/clock.h"
#include "shim/base/fd_table.h"
#include "shim/base/libc.h"
#include "shim/libcurl/dl.h"
#include "shim/runtime/process.h"
#include "shim/runtime/report.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/vitals.h"
#include "tape/tape.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long a store that could not be opened is left alone. */
#define RETRY_US 10000000

/*
 * What is opened once has a flag under this lock instead of a pthread_once(). A fork may come in the middle,
 * and the child then does it anew: the thread sanitizer's pthread_once() waits there for a thread that only
 * the parent has. Nobody is cancelled who holds it.
 */
static pthread_mutex_t store_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct idem_store_api *store_api; /* under store_lock; then constant */
static _Atomic(struct idem_store *) the_store;
static int64_t retry_us;   /* under store_lock; CLOCK_MONOTONIC */
static uid_t refused;      /* under store_lock: the user by whom it was tried last */
static void *store_object; /* under store_lock */

static const struct idem_tape_api *tape_api;
static struct tape_writer *the_writer;
static struct tape *the_tape;
static struct tape_matcher *the_matcher;
static struct idem_error reader_error;

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

/* The store's object lies beside this one, as in a build tree, or in idemshim/ there, as it is installed. */
static bool store_object_path(char path[PATH_MAX])
{
  static const char *const names[] = {"libidemshim-store.so", "idemshim/libidemshim-store.so"};
  Dl_info info;
  if (!dladdr((void *)store_object_open, &info) || !info.dli_fname)
    return false;
  if (info.dli_fname[0] == '/')
    snprintf(path, PATH_MAX, "%s", info.dli_fname);
  else if (!absolute_path_of((void *)store_object_open, path))
    return false;
  char *slash = strrchr(path, '/');
  size_t room = slash ? PATH_MAX - (size_t)(slash + 1 - path) : 0;
  bool found = false;
  for (size_t i = 0; slash && i < sizeof(names) / sizeof(names[0]) && !found; i++)
    found = (size_t)snprintf(slash + 1, room, "%s", names[i]) < room && access(path, F_OK) == 0;
  return found;
}

/* DEEPBIND: a host such as node exports its own OpenSSL, which would capture the store's. The sanitizers do
 * not allow it. */
#ifdef IDEM_SANITIZED
#define STORE_OBJECT_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#else
#define STORE_OBJECT_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND)
#endif

/* Held while the loader is at work, and libc's lock of exit handlers is had, for a child of a fork in that
 * time would find the object half linked, and that lock taken for ever; and by forks. */
static pthread_mutex_t object_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct idem_store_api
    *forks; /* the object's part in a fork; under object_lock. NULL: it is not loaded */

/* Once in a process, under store_lock. What is loaded stays, and what could not be is not tried again. */
static void load_store_object(void)
{
  static bool tried;
  char path[PATH_MAX];
  if (tried)
    return;
  dl_find_real();
  pthread_mutex_lock(&object_lock);
  store_object = store_object_path(path) ? dl_real_open(path, STORE_OBJECT_FLAGS) : NULL;
  const struct idem_store_api *api = store_object ? dl_real_sym(store_object, "idem_store_api") : NULL;
  if (api && api->version == IDEM_STORE_API_VERSION && api->size == sizeof(*api)) {
    api->host_forks();
    forks = api;
    process_watch_end((int (*)(void (*)(void)))dl_real_sym(store_object, "OPENSSL_atexit"));
  }
  idem_thread_prepare(dl_real_sym);
  tried = true;
  pthread_mutex_unlock(&object_lock);
  if (store_object)
    return;
  const char *why = dlerror();
  report_problem(PROBLEM_NO_STORE_OBJECT,
                 "cannot load libidemshim-store.so from beside libidemshim.so or from idemshim/ there: %s",
                 why ? why : "it is in neither");
}

/* The table of functions that the object has under this name, or NULL with the reason said. */
static const void *object_api(const char *symbol, uint32_t version, uint32_t size)
{
  load_store_object();
  /* Every table begins with these two. */
  const uint32_t *api = store_object ? dl_real_sym(store_object, symbol) : NULL;
  if (store_object && (!api || api[0] != version || api[1] != size)) {
    report_problem(PROBLEM_NO_STORE_OBJECT,
                   "libidemshim-store.so belongs to another version; install both objects together");
    api = NULL;
  }
  return api;
}

void store_object_lock(void)
{
  pthread_mutex_lock(&object_lock);
}

void store_object_unlock(void)
{
  pthread_mutex_unlock(&object_lock);
}

void store_object_lock_store(void)
{
  if (forks)
    forks->lock_for_fork();
}

void store_object_unlock_store(void)
{
  if (forks)
    forks->unlock_after_fork();
}

void store_object_unlock_store_in_child(void)
{
  if (forks)
    forks->unlock_in_child();
}

/* The store has about ten, and libcurl is to have what it needs for this call, too. */
#define DESCRIPTORS_FREE 32

/* A daemon reads its settings as root, and serves as somebody else. */
static const char *store_dir(const struct idem_config *config, char found[PATH_MAX])
{
  if (config->store_user < 0 || config->store_user == (int64_t)geteuid())
    return config->store_dir;
  idem_store_of_user(getenv, found);
  return found;
}

/* The store takes three megabytes of what RLIMIT_DATA counts, and the app is to have as much, which may have
 * had none to spare: asked for, and not used. */
#define MEMORY_FREE ((size_t)8 << 20)

static bool memory_is_free(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
    return true;
  void *asked = mmap(NULL, MEMORY_FREE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return asked != MAP_FAILED && munmap(asked, MEMORY_FREE) == 0;
}

/* Under store_lock. Where it cannot be opened `*store` stays NULL, and the reason was said. */
static void open_store(struct idem_store **store)
{
  if (!memory_is_free()) {
    report_problem(PROBLEM_STORE_NOT_OPENED,
                   "too little memory is left to open the store; raise the limit (ulimit -d)");
    return;
  }
  if (!fd_are_free(DESCRIPTORS_FREE)) {
    report_problem(PROBLEM_NO_DESCRIPTORS,
                   "too few descriptors are left to open the store; raise the limit (ulimit -n)");
    return;
  }
  const struct idem_config *config = settings();
  char found[PATH_MAX];
  struct idem_store_options options = {.dir = store_dir(config, found),
                                       .size = config->store_size,
                                       .sync = config->sync,
                                       .key_file = config->key_file,
                                       .fleet = config->fleet,
                                       .prices = config->prices};
  struct idem_error error = {""};
  if (!store_api)
    store_api = object_api("idem_store_api", IDEM_STORE_API_VERSION, sizeof(*store_api));
  if (store_api && store_api->open(store, &options, &error) != 0) {
    *store = NULL;
    report_problem(PROBLEM_STORE_NOT_OPENED, "%s", error.text);
  } else if (*store && error.text[0]) {
    report_line_to_stderr("%s", error.text);
  }
  if (*store)
    store_api->count(*store, IDEM_COUNTER_unmatched, atomic_load(&vitals.unmatched));
  vitals_note_store(options.dir, *store);
}

struct opening {
  sigset_t signals;
  int cancel;
};

/* An app may leave a call by a jump out of a signal's handler, for a limit of its own, and the lock would be
 * held for ever. What the thread itself raises is let through. */
static struct opening begin_opening(void)
{
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
  struct opening opening;
  sigset_t held;
  sigfillset(&held);
  for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
    sigdelset(&held, own[i]);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &opening.cancel);
  sigprocmask(SIG_BLOCK, &held, &opening.signals);
  pthread_mutex_lock(&store_lock);
  return opening;
}

static void end_opening(const struct opening *opening)
{
  pthread_mutex_unlock(&store_lock);
  sigprocmask(SIG_SETMASK, &opening->signals, NULL);
  pthread_setcancelstate(opening->cancel, NULL);
}

const struct idem_store_api *store_object_open(struct idem_store **store)
{
  *store = atomic_load_explicit(&the_store, memory_order_acquire);
  if (*store)
    return store_api;
  if (!process_is_the_owner())
    return NULL;
  int saved = errno;
  struct opening opening = begin_opening();
  *store = atomic_load_explicit(&the_store, memory_order_relaxed);
  int64_t now_us = monotonic_coarse_us();
  if (!*store && (now_us >= retry_us || refused != geteuid())) {
    open_store(store);
    retry_us = now_us + RETRY_US;
    refused = geteuid();
    atomic_store_explicit(&the_store, *store, memory_order_release);
  }
  end_opening(&opening);
  errno = saved;
  return *store ? store_api : NULL;
}

/* The old one is not closed, for calls of other threads may be in it. It keeps few descriptors, and
 * there is an end to that. */
bool store_object_renew(struct idem_store **store)
{
  enum { RENEWALS_MOST = 64 };
  static struct idem_store *before; /* under store_lock, */
  static int renewals;              /* as these are */
  static int64_t failed_us;         /* CLOCK_MONOTONIC; 0: never */
  struct idem_store *old = *store, *fresh = NULL;
  int saved = errno;
  struct opening opening = begin_opening();
  int64_t now_us = monotonic_coarse_us();
  *store = atomic_load_explicit(&the_store, memory_order_relaxed);
  bool may = renewals < RENEWALS_MOST && (!failed_us || now_us >= failed_us + RETRY_US);
  if (*store == old && may && process_is_the_owner()) {
    open_store(&fresh);
    failed_us = fresh ? 0 : now_us;
  }
  if (fresh && fresh != old) {
    report_line_to_stderr("the store was removed, or another one is in its place, which is used from now on");
    if (before && before != fresh)
      store_api->give_back(before);
    before = old;
    renewals++;
    *store = fresh;
    atomic_store_explicit(&the_store, fresh, memory_order_release);
  }
  end_opening(&opening);
  errno = saved;
  return *store && *store != old;
}

const struct idem_store_api *store_object_peek(struct idem_store **store)
{
  *store = atomic_load_explicit(&the_store, memory_order_acquire);
  return *store ? store_api : NULL;
}

void store_object_give_back(void)
{
  struct idem_store *store;
  const struct idem_store_api *api = store_object_peek(&store);
  if (api)
    api->give_back(store);
}

/* A replay may write one, too. */
static void open_tape(_Atomic bool *opened, void (*open)(void))
{
  if (atomic_load_explicit(opened, memory_order_acquire))
    return;
  int saved = errno;
  struct opening opening = begin_opening();
  if (!*opened) {
    tape_api = object_api("idem_tape_api", IDEM_TAPE_API_VERSION, sizeof(*tape_api));
    open();
  }
  atomic_store_explicit(opened, true, memory_order_release);
  end_opening(&opening);
  errno = saved;
}

/* Where rules come from, without the names of files. */
static const char *source_of(const struct idem_rule *rule)
{
  return strchr(rule->origin, '/') ? "a file" : rule->origin;
}

static void put_comment(struct buffer *out, const char *name, const char *text)
{
  char line[300];
  int len = snprintf(line, sizeof(line), "# %s%.256s", name, text);
  for (char *c = line; *c; c++)
    *c = (unsigned char)*c < 0x20 ? '?' : *c;
  buffer_append(out, line, (size_t)len);
  buffer_append(out, "\n", 1);
}

/* The rules in force, for whoever replays the tape; nothing without memory. */
static void put_rules(const struct idem_config *config, struct buffer *out)
{
  const char *before = "";
  put_comment(out, "idemshim ", IDEM_VERSION);
  put_comment(out, "scope: ", config->scope);
  for (size_t i = 0; i < config->rule_count; i++) {
    const struct idem_rule *rule = &config->rules[i];
    size_t len = idem_rule_format(rule, NULL, 0);
    if (strcmp(source_of(rule), before) != 0)
      put_comment(out, "", source_of(rule));
    before = source_of(rule);
    char *into = buffer_reserve(out, len + 1);
    if (!into) {
      out->len = 0;
      return;
    }
    idem_rule_format(rule, into, len + 1);
    into[len] = '\n';
    out->len += len + 1;
  }
}

static const char *written_dir(const struct idem_config *config)
{
  switch (config->mode) {
  case IDEM_MODE_RECORD:
  case IDEM_MODE_IDEMPOTENT:
    return config->tape_dir;
  case IDEM_MODE_REPLAY:
    return config->replay_output                    ? config->replay_output
           : config->on_miss == IDEM_ON_MISS_RECORD ? config->tape_dir
                                                    : NULL;
  default:
    return NULL;
  }
}

static void open_writer(void)
{
  const struct idem_config *config = settings();
  struct idem_error error = {""};
  struct buffer rules = {0};
  put_rules(config, &rules);
  struct tape_options options = {.dir = written_dir(config),
                                 .max_size = config->tape_size,
                                 .max_age_ms = config->tape_age_ms,
                                 .key_file = config->tape_key_file,
                                 .rules = {rules.data, rules.len}};
  if (tape_api && tape_api->open_writer(&the_writer, &options, &error) < 0)
    report_problem(PROBLEM_NO_TAPE, "nothing is recorded: %s", error.text);
  buffer_release(&rules);
}

const struct idem_tape_api *store_object_tape_writer(struct tape_writer **writer)
{
  const struct idem_config *config = settings();
  static _Atomic bool opened;
  *writer = NULL;
  if (!written_dir(config))
    return NULL;
  open_tape(&opened, open_writer);
  *writer = the_writer;
  return the_writer ? tape_api : NULL;
}

static void note_damage(void *unused, const char *what)
{
  (void)unused;
  report_line("%s", what);
}

static void open_reader(void)
{
  const struct idem_config *config = settings();
  struct tape_source source = {
      .dir = config->tape_dir, .key_file = config->tape_key_file, .found = note_damage};
  struct tape_matching matching = {.loose = config->match_loose,
                                   .last = config->exhausted_last,
                                   .live_from = config->live_from,
                                   .state = config->replay_state};
  if (!config->tape_dir)
    snprintf(reader_error.text, sizeof(reader_error.text),
             "IDEMSHIM_MODE=replay has no tape: IDEMSHIM_TAPE names none, or the configuration has a "
             "mistake; nothing was sent");
  else if (!tape_api)
    snprintf(reader_error.text, sizeof(reader_error.text), "the tape cannot be read; nothing was sent");
  else if (tape_api->open(&the_tape, &source, &reader_error) == 0 &&
           tape_api->open_matcher(&the_matcher, the_tape, &matching, &reader_error) == 0 &&
           !config->replay_state && tape_api->totals(the_tape).processes > 1)
    report_line("the tape has calls of %llu processes, and each process of this replay counts for itself "
                "what it was given; "
                "one count for all: idemshim replay %s -- COMMAND",
                (unsigned long long)tape_api->totals(the_tape).processes, config->tape_dir);
}

const struct idem_tape_api *store_object_tape_reader(struct tape **tape, struct tape_matcher **matcher,
                                                     struct idem_error *error)
{
  static _Atomic bool opened;
  open_tape(&opened, open_reader);
  *tape = the_tape;
  *matcher = the_matcher;
  *error = reader_error;
  return the_matcher ? tape_api : NULL;
}

const struct idem_tape_api *store_object_tape_meets(struct tape_met *met)
{
  struct tape *tape;
  struct tape_matcher *matcher;
  struct idem_error error;
  const struct idem_tape_api *api = store_object_tape_reader(&tape, &matcher, &error);
  if (api && api->meets(tape, met, &error) == 0)
    return api;
  if (api)
    report_line("%s", error.text);
  return NULL;
}

void store_object_open_early(void)
{
  static atomic_flag done = ATOMIC_FLAG_INIT;
  struct idem_store *store;
  struct tape_writer *writer;
  struct tape *tape;
  struct tape_matcher *matcher;
  struct idem_error error;
  if (!settings_active() || !settings()->open_early || atomic_flag_test_and_set(&done))
    return;
  enum idem_mode mode = settings()->mode;
  if (mode == IDEM_MODE_REPLAY)
    store_object_tape_reader(&tape, &matcher, &error);
  else
    store_object_tape_writer(&writer);
  if (mode == IDEM_MODE_IDEMPOTENT || mode == IDEM_MODE_OBSERVE)
    store_object_open(&store);
}

/* Nobody can be opening a store in a child any more, and the parent's holder of the lock is not in it: who
 * may have had the store, and not said so yet. */
void store_object_after_fork(void)
{
  static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
  store_lock = unlocked;
  retry_us = 0;
}
