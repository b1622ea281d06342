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
#include "cli/launch/temporary.h"
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
  struct cli_log log;
  char directory[PATH_MAX]; /* of a log for this run alone; "": the log is the user's */
};

/* What is asked while it runs and at its end is told nothing but that. */
static struct durable run = {.log = {.fd = -1}};

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

/* The library in the program makes it so: what is sent on, and what is a durable run's of each rule, is
 * config/load.c's affair. */
static int make_durable(const struct cli_options *options)
{
  static const char *const month = "30d";
  const char *keep = options->keep ? options->keep : month;
  struct idem_config config;
  struct idem_error error = {""};
  uint64_t keep_ms;
  if (idem_parse_duration(keep, strlen(keep), &keep_ms) < 0 || !keep_ms)
    return cli_fail(CLI_USAGE, "--keep: expected a duration such as 30d, got \"%s\"", keep);
  if (setenv("IDEMSHIM_DURABLE", keep, 1) < 0 || setenv("IDEMSHIM_SCOPE", run.scope, 1) < 0)
    return cli_fail(CLI_STORE, "out of memory");
  if (idem_config_load(&config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s; nothing was started", error.text);
  bool fits = config.mode == IDEM_MODE_IDEMPOTENT;
  idem_config_release(&config);
  return fits ? CLI_OK : cli_fail(CLI_USAGE, "a durable run is of mode idempotent; nothing was started");
}

/* Made as the library would make it, since a lock has to lie somewhere. A store of a fleet refers to its
 * configuration for as long as it is open. */
static struct idem_config store_config;

static int open_store(struct idem_store **out, const char *consequence)
{
  struct idem_error error = {""};
  if (idem_config_load_store(&store_config, getenv, &error) < 0)
    return cli_fail(CLI_USAGE, "%s%s", error.text, consequence);
  int result = cli_open_or_make_store(&store_config, out, &error);
  if (result == 0)
    return CLI_OK;
  idem_config_release(&store_config);
  return cli_fail(result == -EKEYREJECTED ? CLI_USAGE : CLI_STORE, "%s%s", error.text, consequence);
}

static void close_store(struct idem_store *store)
{
  idem_store_close(store);
  idem_config_release(&store_config);
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

/* While the program runs. */

/* One event of the run, or a problem, which would have gone to standard error. */
static void take_event(const struct cli_event *event)
{
  bool answered = strcmp(event->name, "hit") == 0 || strcmp(event->name, "join") == 0;
  bool sent = strcmp(event->name, "live") == 0;
  /* Where the log is ours it has taken the place of standard error, which is where the user looks. */
  if (*run.directory && strcmp(event->name, "problem") == 0)
    fprintf(stderr, "idemshim: %s\n", event->reason);
  /* The user's log may have other programs in it. */
  if (strcmp(event->scope, run.scope) != 0 || (!answered && !sent))
    return;
  run.calls++;
  run.answered += answered;
  run.sent += sent;
  if (!sent || run.first_sent)
    return;
  /* From 1, in the order of the log. */
  run.first_sent = run.calls;
  snprintf(run.first_id, sizeof(run.first_id), "%s", event->id);
}

static void look(void)
{
  struct cli_event event;
  while (cli_log_next(&run.log, &event))
    take_event(&event);
}

/* A log for this run alone, where the user has none in a file. It is in a directory, since a copy of a
 * process may write to it when the run is over, and is not to make it again. */
static void make_log(char path[PATH_MAX])
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
    return;
  if (!cli_make_temporary(run.directory, "run", CLI_LARGE_DIRECTORY)) {
    cli_warn("%s: %s; what is replayed and sent is not counted", run.directory, strerror(errno));
    *run.directory = '\0';
    return;
  }
  snprintf(path, PATH_MAX, "%.4080s/log", run.directory);
  setenv("IDEMSHIM_LOG", path, 1);
}

static void end_log(void)
{
  cli_log_close(&run.log);
  run.log = (struct cli_log){.fd = -1};
  if (*run.directory)
    cli_remove_temporary(run.directory);
  *run.directory = '\0';
}

/* At the end. */

static int keep_target(void *arg, const struct idem_answer *answer)
{
  return cli_keep(arg, answer);
}

/* Where the first call that was sent differs from the nearest that an earlier start has got; ""
 * if that is not known. */
static void say_difference(struct idem_store *store, char *out, size_t size)
{
  struct cli_kept target = {0};
  struct cli_nearest nearest = {.alike = -1};
  struct idem_error error = {""};
  *out = '\0';
  /* Where everything was replayed that was there, what was sent is the work that was left. */
  if (run.answered >= run.before || !run.first_sent ||
      idem_store_show(store, run.first_id, keep_target, &target, &error) < 0)
    return;
  if (cli_nearest_find(store, &target.answer, false, &nearest, &error) == 0 && nearest.alike >= 0 &&
      cli_has_scope(&nearest.kept.answer, run.scope) && nearest.kept.answer.stored_us < run.began_us)
    /* An answer of this very start would be compared with itself. */
    snprintf(out, size, "; first difference at call %" PRIu64 ", %s", run.first_sent, nearest.difference);
  cli_kept_release(&nearest.kept);
  cli_kept_release(&target);
}

/* "idemshim: run night: 700 replayed, 300 sent; ...". */
static void tell(struct idem_store *store, bool done, uint64_t answers)
{
  char answered[CLI_UNIT_SIZE], sent[CLI_UNIT_SIZE], kept[CLI_UNIT_SIZE], difference[600];
  say_difference(store, difference, sizeof(difference));
  fprintf(stderr, "idemshim: run %s: %s replayed, %s sent", run.name, cli_count(answered, run.answered),
          cli_count(sent, run.sent));
  cli_put_line(stderr, difference, strlen(difference), CLI_UNCUT);
  if (done)
    fprintf(stderr, "; done, and %s %s dropped\n", cli_count(kept, answers),
            idem_word(answers, "answer", "answers"));
  else
    fprintf(stderr, "; unfinished, %s %s kept: start it again, or idemshim rm --run %s\n",
            cli_count(kept, answers), idem_word(answers, "answer", "answers"), run.name);
}

/* The store was closed meanwhile, so that nothing of it was held for the time of the run. An exit with
 * anything but 0, or a signal: what is there is needed again. */
static int end(int code)
{
  struct idem_store *store;
  struct cli_ids ids = {.scope = run.scope};
  bool done = code == 0;
  end_log();
  if (open_store(&store, "") != CLI_OK)
    return code;
  cli_ids_collect(store, &ids);
  tell(store, done, ids.count);
  if (done)
    cli_ids_remove(store, &ids, NULL);
  cli_ids_release(&ids);
  close_store(store);
  return code;
}

/* The order: name, rules and scope; the store, for what is there and for the lock on the name, which goes
 * with this process; then the log and the program. */
int cli_durable_run(const struct cli_options *options, char **argv)
{
  struct idem_store *store;
  char path[PATH_MAX] = "";
  int code = check_name(options->durable);
  /* The scope is what the run's answers are found by. */
  if (code == CLI_OK && options->scope)
    code = cli_fail(CLI_USAGE, "--durable has a scope of its own; leave --scope out");
  run.name = options->durable;
  snprintf(run.scope, sizeof(run.scope), IDEM_RUN_SCOPE "%.*s", CLI_RUN_NAME_MOST, run.name);
  if (code == CLI_OK)
    code = make_durable(options);
  if (code != CLI_OK || (code = open_store(&store, "; nothing was started")) != CLI_OK)
    return code;
  struct cli_ids ids = {.scope = run.scope};
  code = cli_ids_collect(store, &ids);
  run.before = ids.count;
  cli_ids_release(&ids);
  if (code == CLI_OK)
    code = take_name(store_config.store_dir, run.name);
  close_store(store);
  if (code != CLI_OK)
    return code;
  /* Last, so that no path before here has anything to remove. */
  make_log(path);
  run.began_us = cli_now_us();
  /* From the end of the file: what was logged before is of other runs. Without any log it counts nothing, and
   * runs all the same. */
  cli_log_open(&run.log, &(struct cli_options){.log = *path ? path : NULL}, 0, true);
  code = cli_launch_and_wait(argv, &(struct cli_waiting){.look = look, .end = end});
  /* Again, where nothing was started. */
  end_log();
  return code;
}
