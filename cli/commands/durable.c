/* SPDX-License-Identifier: MIT */
/*
 * What a run is stands in the store alone: its answers have the scope "run:NAME", so nothing has to be kept
 * beside them. That two runs of one name are not under way at once is a lock on a byte of a file in the
 * store, which is gone with the process. How many calls were answered and sent is read from the event log:
 * the user's, or one for the time of the run, whose problems are then printed as they would have been.
 */
#include "cli/commands/durable.h"

#include "cli/commands/ids.h"
#include "cli/launch/find_store.h"
#include "cli/launch/launch.h"
#include "cli/launch/replay_state.h"
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/view/exchange.h"
#include "cli/view/nearest.h"
#include "cli/watch/log.h"
#include "config/words.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EACH_MS = 50 };

/* What is known of a run while it is under way; the counts are of this start, not of all starts of the
 * name. */
struct durable {
  const char *name;
  char scope[CLI_RUN_NAME_MOST + 8];
  int64_t began_us;
  uint64_t before; /* answers of it that were there */
  uint64_t calls, answered, sent;
  uint64_t first_sent; /* which call of the run; 0: none */
  char first_id[IDEM_ID_SIZE];
};

/* What is to hold before anything is started. */

static int check_name(const char *name)
{
  size_t len = strlen(name);
  /* Blanks and controls would break the lines in which it is printed, and the word that rm --run takes. */
  for (const char *at = name; *at; at++)
    if ((unsigned char)*at <= ' ' || *at == 0x7f)
      return cli_fail(CLI_USAGE, "--durable: a name without blanks and control characters is expected");
  return len && len <= CLI_RUN_NAME_MOST
             ? CLI_OK
             : cli_fail(CLI_USAGE, "--durable: a name of 1 to %d bytes is expected", CLI_RUN_NAME_MOST);
}

/* Every rule in force, with what makes a run durable in it. What a rule says otherwise of repeats stays. */
static char *durable_rules(struct idem_config *config, uint64_t keep_ms)
{
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  for (size_t i = 0; out && i < config->rule_count; i++) {
    struct idem_rule rule = config->rules[i];
    char line[8192];
    if (rule.action == IDEM_ACTION_STORE) {
      /* With "replay", the second of two equal calls would be answered within one start, and a program that
       * draws twice would get one answer. */
      rule.repeats = rule.repeats == IDEM_REPEATS_REPLAY ? IDEM_REPEATS_SEQUENCE : rule.repeats;
      rule.guard = true;
      /* Longer only: a rule that keeps its answers for a year goes on doing so. */
      rule.ttl_ms = rule.ttl_ms > keep_ms ? rule.ttl_ms : keep_ms;
    }
    if (idem_rule_format(&rule, line, sizeof(line)) < sizeof(line))
      fprintf(out, "%s\n", line);
  }
  if (out)
    fclose(out);
  return text;
}

/* The configuration as it would be without us, changed and given back as variables: the library in the
 * program reads nothing else. */
static int make_durable(const struct cli_options *options, const struct durable *run)
{
  enum { DAY_MS = 86400000 };
  struct idem_config config;
  struct idem_error error = {""};
  uint64_t keep_ms = UINT64_C(30) * DAY_MS;
  int code = CLI_OK;
  if (options->keep && (idem_parse_duration(options->keep, strlen(options->keep), &keep_ms) < 0 || !keep_ms))
    return cli_fail(CLI_USAGE, "--keep: expected a duration such as 30d, got \"%s\"", options->keep);
  if (idem_config_load(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  char *rules = durable_rules(&config, keep_ms);
  if (config.mode != IDEM_MODE_IDEMPOTENT)
    code = cli_fail(CLI_USAGE, "a durable run is of mode idempotent; nothing was started");
  else if (!rules || setenv("IDEMSHIM_RULES", rules, 1) < 0 || setenv("IDEMSHIM_SCOPE", run->scope, 1) < 0)
    code = cli_fail(CLI_STORE, "out of memory");
  free(rules);
  idem_config_release(&config);
  return code;
}

/* Made as the library would make it, since a lock has to lie somewhere. */
static int open_store(struct idem_store **out, char **dir)
{
  struct idem_config config;
  struct idem_error error = {""};
  if (idem_config_load_store(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s", error.text);
  struct idem_store_options options = {.dir = config.store_dir,
                                       .size = config.store_size,
                                       .sync = config.sync,
                                       .patience_ms = 10000,
                                       .key_file = config.key_file};
  int code = idem_store_open(out, &options, &error) < 0
                 ? cli_fail(CLI_STORE, "%s; nothing was started", error.text)
                 : CLI_OK;
  if (code == CLI_OK && dir)
    *dir = strdup(config.store_dir);
  idem_config_release(&config);
  return code;
}

/* The lock is the descriptor's, which the program does not inherit. */
static int take_name(const char *dir, const char *name)
{
  char path[4096];
  /* In the manner of FNV-1a. 62 bits of it are used: an offset has a sign, and its end must not overflow. */
  uint64_t hash = UINT64_C(1469598103934665603);
  for (const char *at = name; *at; at++)
    hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
  /* One file for all names, with a byte for each: it never has to be removed, and so nobody can lock one that
   * is removed just then. */
  snprintf(path, sizeof(path), "%s/runs", dir);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  /* Of the open file description (F_OFD_SETLK), so that closing another descriptor of the file does not drop
   * it, as it would with F_SETLK. */
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(hash >> 2), .l_len = 1};
  /* It stays open, on purpose, until this process ends. */
  if (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) == 0)
    return CLI_OK;
  if (fd >= 0 && (errno == EAGAIN || errno == EACCES))
    return cli_fail(CLI_USAGE, "the run %s is under way already; nothing was started", name);
  return cli_fail(CLI_STORE, "%s: %s; nothing was started", path, strerror(errno));
}

/* The program. */

/* The only thing that the handler needs. */
static volatile sig_atomic_t child;

/* kill(2) is one of the calls that a handler may make (signal-safety(7)). */
static void pass_on(int number)
{
  if (child > 0)
    kill((pid_t)child, number);
}

/* What the terminal sends it sends to both. */
static void share_signals(void)
{
  struct sigaction ignore = {.sa_handler = SIG_IGN}, pass = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &ignore, NULL);
  sigaction(SIGQUIT, &ignore, NULL);
  /* These two may be sent to one process alone, by its id, and then would not reach the program without
   * us. */
  sigaction(SIGTERM, &pass, NULL);
  sigaction(SIGHUP, &pass, NULL);
}

/* Ignored before the fork, so that no moment is left in which Ctrl-C ends us and leaves the program to
 * itself. It gets back what we were started with, since what is ignored stays so over exec (execve(2)). */
static pid_t start(char **argv)
{
  struct sigaction before[2], ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGINT, &ignore, &before[0]);
  sigaction(SIGQUIT, &ignore, &before[1]);
  pid_t pid = fork();
  if (pid == 0) {
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGQUIT, &before[1], NULL);
    _exit(cli_launch(argv, NULL));
  }
  child = pid;
  share_signals();
  return pid;
}

/* One event of the run, or a problem, which would have gone to standard error. */
static void take_event(struct durable *run, const struct cli_event *event, bool own)
{
  bool answered = strcmp(event->name, "hit") == 0 || strcmp(event->name, "join") == 0;
  bool sent = strcmp(event->name, "live") == 0;
  /* Where the log is ours it has taken the place of standard error, which is where the user looks. */
  if (own && strcmp(event->name, "problem") == 0)
    fprintf(stderr, "idemshim: %s\n", event->reason);
  /* The user's log may have other programs in it. */
  if (strcmp(event->scope, run->scope) != 0 || (!answered && !sent))
    return;
  run->calls++;
  run->answered += answered;
  run->sent += sent;
  if (!sent || run->first_sent)
    return;
  /* From 1, in the order of the log. */
  run->first_sent = run->calls;
  snprintf(run->first_id, sizeof(run->first_id), "%s", event->id);
}

/* Until the program has ended; a stop of it is ours, too, so that a shell sees it. */
static int wait_for(pid_t pid, struct durable *run, struct cli_log *log, bool own)
{
  struct cli_event event;
  int status = 0;
  pid_t ended = 0;
  while (ended != pid) {
    /* Before the log is read, and not after it: what the program has written up to its end is read once more
     * then. */
    ended = waitpid(pid, &status, WNOHANG | WUNTRACED);
    while (cli_log_next(log, &event))
      take_event(run, &event, own);
    if (ended == pid && WIFSTOPPED(status)) {
      /* It goes on here with SIGCONT, which is passed on; the program may have had one of the shell's own,
       * and a second is no harm. */
      raise(SIGSTOP);
      kill(pid, SIGCONT);
      ended = 0;
    } else if (ended < 0 && errno != EINTR) {
      break;
    } else if (ended != pid) {
      nanosleep(&(struct timespec){.tv_nsec = EACH_MS * 1000000L}, NULL);
    }
  }
  return status;
}

/* A log for this run alone, where the user has none in a file. */
static bool make_log(char path[PATH_MAX])
{
  const char *log = getenv("IDEMSHIM_LOG");
  struct idem_config config;
  /* Standard error cannot be read back, so a log there does not count. */
  bool given = log && *log && strcmp(log, "stderr") != 0;
  if (!given && idem_config_load(&config, getenv, NULL) == 0) {
    given = config.log && strcmp(config.log, "stderr") != 0;
    idem_config_release(&config);
  }
  if (given)
    return false;
  if (!cli_make_temporary(path, "run", CLI_LARGE_FILE)) {
    cli_warn("%s: %s; what is replayed and sent is not counted", path, strerror(errno));
    return false;
  }
  return setenv("IDEMSHIM_LOG", path, 1) == 0;
}

static int keep_target(void *arg, const struct idem_answer *answer)
{
  return cli_keep(arg, answer);
}

/* Where the first call that was sent differs from the nearest that an earlier start has got; ""
 * if that is not known. */
static void say_difference(struct idem_store *store, const struct durable *run, char *out, size_t size)
{
  struct cli_kept target = {0};
  struct cli_nearest nearest = {.alike = -1};
  struct idem_error error = {""};
  *out = '\0';
  /* Where everything was replayed that was there, what was sent is the work that was left. */
  if (run->answered >= run->before || !run->first_sent ||
      idem_store_show(store, run->first_id, keep_target, &target, &error) < 0)
    return;
  if (cli_nearest_find(store, &target.answer, false, &nearest, &error) == 0 && nearest.alike >= 0 &&
      cli_has_scope(&nearest.kept.answer, run->scope) && nearest.kept.answer.stored_us < run->began_us)
    /* An answer of this very start would be compared with itself. */
    snprintf(out, size, "; first difference at call %" PRIu64 ", %s", run->first_sent, nearest.difference);
  cli_kept_release(&nearest.kept);
  cli_kept_release(&target);
}

/* "idemshim: run night: 700 replayed, 300 sent; ...". */
static void tell(struct idem_store *store, const struct durable *run, bool done, uint64_t answers)
{
  char answered[CLI_UNIT_SIZE], sent[CLI_UNIT_SIZE], kept[CLI_UNIT_SIZE], difference[600];
  say_difference(store, run, difference, sizeof(difference));
  fprintf(stderr, "idemshim: run %s: %s replayed, %s sent", run->name, cli_count(answered, run->answered),
          cli_count(sent, run->sent));
  cli_put_line(stderr, difference, strlen(difference), CLI_UNCUT);
  if (done)
    fprintf(stderr, "; done, and %s %s dropped\n", cli_count(kept, answers),
            idem_word(answers, "answer", "answers"));
  else
    fprintf(stderr, "; unfinished, %s %s kept: start it again, or idemshim rm --run %s\n",
            cli_count(kept, answers), idem_word(answers, "answer", "answers"), run->name);
}

/* Ends as the program has: by its signal, too. */
static int end_as(int status)
{
  if (!WIFSIGNALED(status))
    return WEXITSTATUS(status);
  fflush(NULL);
  /* It may be ignored by us, or be passed on. 128 and the number is what a shell makes of it, should it not
   * end us. */
  signal(WTERMSIG(status), SIG_DFL);
  raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}

/* The order: name, rules and scope; the store, for what is there and for the lock on the name, which goes
 * with this process; then the log and the program. The store is closed while the program runs, and opened
 * once more for the account. */
int cli_durable_run(const struct cli_options *options, char **argv)
{
  struct durable run = {.name = options->durable};
  struct idem_store *store;
  struct cli_log log = {.fd = -1};
  char *dir = NULL, path[PATH_MAX];
  int code = check_name(run.name);
  /* The scope is what the run's answers are found by. */
  if (code == CLI_OK && options->scope)
    code = cli_fail(CLI_USAGE, "--durable has a scope of its own; leave --scope out");
  snprintf(run.scope, sizeof(run.scope), IDEM_RUN_SCOPE "%.*s", CLI_RUN_NAME_MOST, run.name);
  if (code == CLI_OK)
    code = make_durable(options, &run);
  if (code != CLI_OK || (code = open_store(&store, &dir)) != CLI_OK)
    return code;
  struct cli_ids ids = {.scope = run.scope};
  code = cli_ids_collect(store, &ids);
  run.before = ids.count;
  cli_ids_release(&ids);
  idem_store_close(store);
  if (code == CLI_OK)
    code = dir ? take_name(dir, run.name) : cli_fail(CLI_STORE, "out of memory");
  free(dir);
  if (code != CLI_OK)
    return code;
  /* Last, so that no path before here has a file to remove. */
  bool own = make_log(path);
  run.began_us = cli_now_us();
  /* From the end of the file: what was logged before is of other runs. Without any log it counts nothing, and
   * runs all the same. */
  cli_log_open(&log, &(struct cli_options){.log = own ? path : NULL}, 0, true);
  pid_t pid = start(argv);
  int status = pid < 0 ? 0 : wait_for(pid, &run, &log, own);
  cli_log_close(&log);
  if (own)
    unlink(path);
  if (pid < 0)
    return cli_fail(CLI_STORE, "%s", strerror(errno));
  /* An exit with anything but 0, or a signal: what is there is needed again. */
  bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  /* Opened anew: it was closed meanwhile, so that nothing of it was held for the time of the run. */
  if (open_store(&store, NULL) == CLI_OK) {
    ids = (struct cli_ids){.scope = run.scope};
    cli_ids_collect(store, &ids);
    tell(store, &run, done, ids.count);
    if (done)
      cli_ids_remove(store, &ids, NULL);
    cli_ids_release(&ids);
    idem_store_close(store);
  }
  return end_as(status);
}
