/* SPDX-License-Identifier: MIT */
/*
 * From options to a program that runs under the preload. Three steps that can each say no before anything is
 * started: the options become variables, the configuration that results is loaded as the shim would load it,
 * and the library is found. Then this process becomes the program (execvp), which so has its pid, its
 * terminal and its exit status to itself; or, where something is told at the end, it starts the program as a
 * child and waits.
 */
#include "cli/launch/launch.h"

#include "cli/launch/find_store.h"
#include "cli/launch/program.h"
#include "cli/output/output.h"
#include "cli/output/units.h"
#include "store/judge/prices.h"
#include "tape/tape.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What env(1) and shells exit with when a program cannot be started. */
enum { CANNOT_RUN = 126, NO_PROGRAM = 127 };

/* PATH: made absolute, since the program may change its directory before the first call. RULES and LOG: only
 * in the form that names a file. */
enum value_kind { AS_IT_IS, PATH, RULES, LOG };

/* Which option sets which variable. */
static const struct {
  const char *variable;
  size_t offset;
  enum value_kind kind;
} settings[] = {
    {"IDEMSHIM_MODE", offsetof(struct cli_options, mode), AS_IT_IS},
    {"IDEMSHIM_STORE", offsetof(struct cli_options, store), PATH},
    {"IDEMSHIM_SCOPE", offsetof(struct cli_options, scope), AS_IT_IS},
    {"IDEMSHIM_RULES", offsetof(struct cli_options, rules), RULES},
    {"IDEMSHIM_HOSTS", offsetof(struct cli_options, hosts), AS_IT_IS},
    {"IDEMSHIM_LOG", offsetof(struct cli_options, log), LOG},
    {"IDEMSHIM_STORE_SIZE", offsetof(struct cli_options, store_size), AS_IT_IS},
    {"IDEMSHIM_TAPE", offsetof(struct cli_options, tape), PATH},
    {"IDEMSHIM_TAPE_SIZE", offsetof(struct cli_options, tape_size), AS_IT_IS},
    {"IDEMSHIM_TAPE_AGE", offsetof(struct cli_options, tape_age), AS_IT_IS},
    {"IDEMSHIM_KEY_FILE", offsetof(struct cli_options, key_file), PATH},
    {"IDEMSHIM_TAPE_KEY_FILE", offsetof(struct cli_options, sole_key_file), PATH},
    {"IDEMSHIM_TAPE_KEY_FILE", offsetof(struct cli_options, tape_key_file), PATH}, /* it wins */
    {"IDEMSHIM_PACE", offsetof(struct cli_options, pace), AS_IT_IS},
    {"IDEMSHIM_MATCH", offsetof(struct cli_options, match), AS_IT_IS},
    {"IDEMSHIM_EXHAUSTED", offsetof(struct cli_options, exhausted), AS_IT_IS},
    {"IDEMSHIM_FAULT", offsetof(struct cli_options, live_faults), AS_IT_IS},
    {"IDEMSHIM_ON_MISS", offsetof(struct cli_options, on_miss), AS_IT_IS},
    {"IDEMSHIM_LIVE_FROM", offsetof(struct cli_options, live_from), AS_IT_IS},
    {"IDEMSHIM_REPLAY_OUTPUT", offsetof(struct cli_options, replay_output), PATH},
};

/* The value as the variable takes it; the caller frees it. Only names of files are made absolute: @FILE of
 * rules, and a log that is not "stderr". */
static char *prepare(enum value_kind kind, const char *value)
{
  const char *at = kind == RULES ? "@" : "";
  char *out = NULL;
  bool is_path =
      kind == PATH || (kind == RULES && value[0] == '@') || (kind == LOG && strcmp(value, "stderr") != 0);
  if (!is_path || !*value)
    return strdup(value);
  char *path = cli_absolute(value + strlen(at));
  if (path && asprintf(&out, "%s%s", at, path) < 0)
    out = NULL;
  free(path);
  return out;
}

/* An option that was not given leaves its variable as it is, so options and variables can be
 * mixed. */
int cli_set_variables(const struct cli_options *options)
{
  for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
    const char *value = *(const char *const *)((const char *)options + settings[i].offset);
    /* NULL, and not "": an empty value is given on purpose, and takes away what a file of settings says. */
    if (!value)
      continue;
    char *prepared = prepare(settings[i].kind, value);
    int failed = !prepared || setenv(settings[i].variable, prepared, 1) < 0;
    free(prepared);
    if (failed)
      return cli_fail(CLI_USAGE, "%s cannot be set: %s", settings[i].variable, strerror(errno));
  }
  if (options->no_sync)
    setenv("IDEMSHIM_SYNC", "off", 1);
  if (options->offline)
    setenv("IDEMSHIM_OFFLINE", "on", 1);
  return CLI_OK;
}

/* A run within another is part of that one. The number is odd, and so never 0, which is no run. */
void cli_begin_run(void)
{
  char number[24];
  snprintf(number, sizeof(number), "%u",
           (unsigned)((uint64_t)cli_now_us() * 2654435761u ^ (unsigned)getpid()) | 1);
  setenv("IDEMSHIM_SUMMARY", "on", 0);
  setenv("IDEMSHIM_RUN", number, 0);
}

/* The library. */

/* Relative to the command's own directory: a build tree, and where `make install` has put it (IDEM_LIB:
 * lib/x86_64-linux-gnu, lib64, lib). */
static const char *const places[] = {".", "../" IDEM_LIB};

/* /proc/self/exe is asked, since argv[0] may be a link or be found by PATH. */
static char *own_directory(void)
{
  char *path = realpath("/proc/self/exe", NULL), *slash = path ? strrchr(path, '/') : NULL;
  if (slash)
    *slash = '\0';
  return path;
}

/* The absolute path of `name` in one of the places, or NULL. */
static char *find_in(const char *directory, const char *place, const char *name)
{
  char *path = NULL;
  if (asprintf(&path, "%s/%s/%s", directory, place, name) < 0)
    return NULL;
  char *found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
  free(path);
  return found;
}

/* With the other object where the front opens it at the first call (shim/runtime/store_object.c). */
char *cli_find_library(void)
{
  char *directory = own_directory(), *front = NULL;
  for (size_t i = 0; directory && !front && i < sizeof(places) / sizeof(places[0]); i++) {
    char *store = find_in(directory, places[i], "libidemshim-store.so");
    if (!store)
      store = find_in(directory, places[i], "idemshim/libidemshim-store.so");
    front = store ? find_in(directory, places[i], "libidemshim.so") : NULL;
    free(store);
  }
  free(directory);
  return front;
}

/* True if LD_PRELOAD has the library already, as when `run` runs `run`. Whole entries: a library whose name
 * only begins like ours is another one. */
static bool names(const char *preload, const char *library)
{
  size_t len = strlen(library);
  for (const char *at = preload; *at; at += strcspn(at, ": "), at += strspn(at, ": "))
    if (strncmp(at, library, len) == 0 && (at[len] == '\0' || at[len] == ':' || at[len] == ' '))
      return true;
  return false;
}

/* Before what is there already, so that our hooks are found first. LD_PRELOAD has no way to quote
 * a blank or a colon. */
static int preload(const char *library)
{
  const char *before = getenv("LD_PRELOAD");
  bool keep = before && *before;
  char *value = NULL;
  if (strpbrk(library, ": "))
    return cli_fail(CLI_USAGE,
                    "%s: LD_PRELOAD cannot hold a path with a blank or a colon; install it elsewhere",
                    library);
  /* The dynamic linker would load it once all the same; the list is not to grow with each `run` in a
   * `run`. */
  if (keep && names(before, library))
    return CLI_OK;
  if (asprintf(&value, "%s%s%s", library, keep ? ":" : "", keep ? before : "") < 0)
    return cli_fail(CLI_USAGE, "out of memory");
  int failed = setenv("LD_PRELOAD", value, 1) < 0;
  free(value);
  return failed ? cli_fail(CLI_USAGE, "LD_PRELOAD cannot be set: %s", strerror(errno)) : CLI_OK;
}

int cli_preload_library(void)
{
  char *library = cli_find_library(), *directory = library ? NULL : own_directory();
  int code = library ? preload(library)
                     : cli_fail(CLI_USAGE,
                                "libidemshim.so and libidemshim-store.so are not beside this command (%s), "
                                "nor in ../" IDEM_LIB "; install all three together",
                                directory ? directory : strerror(errno));
  free(library);
  free(directory);
  return code;
}

/* Starting. */

/* A key that what is there was not made with would leave the calls of a whole run unstored, or off the tape.
 * What else a store has, the shim says and goes on without it; a recording that cannot be written is none. */
static int check_keys(const struct idem_config *config)
{
  struct idem_store *store = NULL;
  struct tape_writer *writer = NULL;
  struct idem_error error = {""};
  bool records = config->mode == IDEM_MODE_RECORD;
  int result = config->mode == IDEM_MODE_IDEMPOTENT || config->mode == IDEM_MODE_OBSERVE
                   ? cli_open_store(config, &store, &error)
                   : 0;
  /* Closed at once, as the writer is below: this only asks whether they open. */
  if (result == 0)
    idem_store_close(store);
  if (result != -EKEYREJECTED && config->tape_dir && (records || config->mode == IDEM_MODE_IDEMPOTENT)) {
    struct tape_options options = {
        .dir = config->tape_dir, .max_size = config->tape_size, .key_file = config->tape_key_file};
    result = tape_open_writer(&writer, &options, &error);
    tape_close_writer(writer);
  } else {
    records = false;
  }
  if (result == -EKEYREJECTED || (result < 0 && records))
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  return CLI_OK;
}

/* A budget that counts nothing would look like one. */
int cli_expect_prices(const struct idem_config *config, const char *more)
{
  struct idem_error error = {""};
  struct prices *prices = NULL;
  const struct idem_rule *rule = config->rules, *end = rule + config->rule_count;
  while (rule < end && rule->budget.nano_dollars == IDEM_NO_BUDGET)
    rule++;
  if (rule == end)
    return CLI_OK;
  int result = prices_load(&prices, config->prices, &error);
  prices_free(prices);
  return result < 0 ? cli_fail(CLI_USAGE, "%s, rule %d, budget=usd: %s%s", rule->origin, rule->number,
                               error.text, more)
                    : CLI_OK;
}

/* What the shim would only say in a log, and go on without rules, is an error here: the user is looking. A
 * recording that records nothing, and a replay that has nothing to replay, are worse than none. */
static int check_config(int (*check)(const struct idem_config *config))
{
  struct idem_config config;
  struct idem_error error = {""};
  int code = CLI_OK;
  if (idem_config_load(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  if ((config.mode == IDEM_MODE_RECORD || config.mode == IDEM_MODE_REPLAY) && !config.tape_dir)
    code = cli_fail(CLI_USAGE, "no tape is named, so nothing was started; %s",
                    config.mode == IDEM_MODE_RECORD ? "record -o DIR or IDEMSHIM_TAPE names its directory"
                                                    : "set IDEMSHIM_TAPE to its directory");
  else
    code = check_keys(&config);
  if (code == CLI_OK)
    code = cli_expect_prices(&config, "; nothing was started");
  if (code == CLI_OK && check)
    code = check(&config);
  if (config.tape_dir && config.mode == IDEM_MODE_OBSERVE)
    cli_warn("mode observe writes no tape; idempotent and record do");
  idem_config_release(&config);
  return code;
}

static int prepare_program(char **argv, int (*check)(const struct idem_config *config))
{
  char reason[256];
  int code = check_config(check);
  if (code == CLI_OK)
    code = cli_preload_library();
  if (code == CLI_OK && cli_program_problem(argv[0], reason, sizeof(reason)))
    cli_warn("%s %s; its calls will go out as if idemshim were not there", argv[0], reason);
  return code;
}

/* Comes back only with a reason; 126 and 127 are those of env(1) and of every shell. */
static int become(char **argv)
{
  execvp(argv[0], argv);
  return cli_fail(errno == ENOENT ? NO_PROGRAM : CANNOT_RUN, "%s: %s", argv[0], strerror(errno));
}

int cli_launch(char **argv, int (*check)(const struct idem_config *config))
{
  int code = prepare_program(argv, check);
  return code == CLI_OK ? become(argv) : code;
}

/* A program that is waited for. */

static volatile pid_t program;

/* What a terminal sends, the program has got itself. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
  (void)context;
  int saved = errno;
  if (info->si_code != SI_KERNEL && program > 0)
    kill(program, signal);
  errno = saved;
}

/* As it ended. A core of this command would be of no use to anybody. */
static int end_as(int status)
{
  if (!WIFSIGNALED(status))
    return WEXITSTATUS(status);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}

/* Until the program has ended. A stop of it is ours, too, so that a shell sees it; what lets us go on may
 * have been sent to us alone, and a second SIGCONT is no harm. -1, with errno: it cannot be waited for. */
static int wait_for_program(void (*look)(void))
{
  enum { EACH_NS = 50000000 };
  int status = 0;
  pid_t ended;
  do {
    ended = waitpid(program, &status, (look ? WNOHANG : 0) | WUNTRACED);
    /* Behind the wait, so that what the program has left at its end is looked at. */
    if (look)
      look();
    if (ended == program && WIFSTOPPED(status)) {
      raise(SIGSTOP);
      kill(program, SIGCONT);
      ended = 0;
    } else if (ended == 0) {
      nanosleep(&(struct timespec){.tv_nsec = EACH_NS}, NULL);
    }
  } while (ended == 0 || (ended < 0 && errno == EINTR));
  return ended < 0 ? -1 : status;
}

/* Signals wait from before the handlers until the child has its own again and `program` is known, so that
 * none is lost or passed on to nobody. */
int cli_launch_and_wait(char **argv, const struct cli_waiting *waiting)
{
  /* The last is not passed on: who ignores it would never hear of the end. */
  static const int passed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};
  /* Without SA_RESTART: a runtime that puts handlers off (the thread sanitizer's) calls
   * them between two waits. */
  struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO};
  struct sigaction before[sizeof(passed) / sizeof(*passed)];
  int code = prepare_program(argv, waiting->check);
  if (code != CLI_OK)
    return code;
  sigset_t all, was;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &was);
  for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
    sigaction(passed[i], NULL, &before[i]);
    if (passed[i] == SIGCHLD)
      signal(SIGCHLD, SIG_DFL);
    else if (before[i].sa_handler != SIG_IGN)
      sigaction(passed[i], &action, NULL);
  }
  program = fork();
  if (program == 0) {
    for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++)
      sigaction(passed[i], &before[i], NULL);
    sigprocmask(SIG_SETMASK, &was, NULL);
    _exit(become(argv));
  }
  sigprocmask(SIG_SETMASK, &was, NULL);
  int status = program < 0 ? -1 : wait_for_program(waiting->look);
  if (status < 0)
    return cli_fail(CLI_STORE, "%s cannot be %s: %s", argv[0], program < 0 ? "started" : "waited for",
                    strerror(errno));
  int ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  code = waiting->end(ended);
  return code == ended ? end_as(status) : code;
}
