/* SPDX-License-Identifier: MIT */
/*
 * Schedules: programs made from seeds that do to libcurl what programs do to it (tests/clients/schedules),
 * each run without us and with us. Exit, each call's code, bytes and the order of callbacks within a handle
 * are the same.
 *
 * IDEMSHIM_SCHEDULES: how many, over all settings; IDEMSHIM_SEED: the first. With one, each setting runs that
 * seed. `make torture` sets them. A schedule that differs is told with as few of its steps as it takes, and
 * one that hangs with its stacks, where there is gdb.
 *
 * The sanitizers' allocators are not made for a fork while another thread is in them (gcc 12): a child that
 * waits for such a lock is none of ours, and the schedule is run again. So is one that hangs without us, or
 * that differs between two runs without us.
 *
 * IDEM_UNSANITIZED: a build directory without a sanitizer. The runs without us are of its program first,
 * which takes a fraction of the time; only where that one differs are they of the sanitized program, and
 * decide.
 */
#include "config/kernel.h"
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* `warm`: what is compared is the second of two runs that share a store. */
static const struct setting {
  const char *name, *mode, *rule, *delivery, *tape;
  bool plain, warm;
} settings[] = {
    {"plain", .plain = true},
    {"idle", .rule = "host=nowhere.example"},
    {"observe", .mode = "observe", .rule = "host=127.0.0.1 rescue=off"},
    {"fresh", .rule = "host=127.0.0.1 rescue=off"},
    {"warm", .rule = "host=127.0.0.1 rescue=off", .warm = true},
    {"record", .mode = "record", .rule = "host=127.0.0.1 rescue=off", .tape = "tape"},
    {"rescue", .rule = "host=127.0.0.1 rescue=60s"},
    {"guard", .rule = "host=127.0.0.1 rescue=60s guard=on", .warm = true},
    {"transport", .rule = "host=127.0.0.1 rescue=60s", .delivery = "transport", .warm = true},
};
enum { SETTINGS = sizeof settings / sizeof *settings, STEPS_MOST = 64, SHOWN = 6000 };

static const char PROGRAM[] = "schedules";

TestSuite(schedules, .init = open_world, .fini = close_world, .timeout = 36000);

static const struct setting *setting;
static unsigned tags;

struct outcome {
  int status, signal;
  bool hung, in_sanitizer;
  char *log; /* its lines, those of one handle together */
};

/* The first look is for the sanitizer's locks, the second is the watchdog. */
enum { LOOK_MS = 5000, TRIES = 8 };
static int hang_ms(void)
{
  return getenv("IDEM_SAN_PRELOAD") ? 150000 : 60000;
}

/* Where a program and its children are. True: one of them waits for a lock of the sanitizer's own. */
static bool show_stacks(pid_t pid)
{
  char command[512], line[1024];
  bool in_sanitizer = false;
  snprintf(command, sizeof command,
           "for p in %d $(cat /proc/%d/task/*/children); do echo \"--- $p\"; gdb -p $p -batch -ex "
           "'thread apply all bt 24' 2>/dev/null | grep -E '^(Thread|#)'; done",
           (int)pid, (int)pid);
  FILE *stacks = popen(command, "r");
  while (stacks && fgets(line, sizeof line, stacks)) {
    in_sanitizer |=
        strstr(line, "__sanitizer::") && (strstr(line, "Mutex::Lock") || strstr(line, "::lock ("));
    fputs(line, stderr);
  }
  if (!stacks || pclose(stacks) != 0)
    fprintf(stderr, "schedules: no stacks can be shown\n");
  return in_sanitizer && getenv("IDEM_SAN_PRELOAD");
}

static void end_with_children(pid_t pid)
{
  char command[128];
  snprintf(command, sizeof command, "kill -9 %d $(cat /proc/%d/task/*/children)", (int)pid, (int)pid);
  if (system(command) != 0)
    fprintf(stderr, "schedules: %d has ended meanwhile\n", (int)pid);
}

static int end_in_sanitizer(pid_t pid)
{
  return show_stacks(pid) && kill(pid, SIGKILL) == 0;
}

/* What a program has left behind ends by itself, but for what waits for a lock of the sanitizer's own, and
 * takes the processor for it. Those are looked for now and then; copies that have ended are ours to wait for,
 * and there are thousands. */
static void end_orphans(void)
{
  static time_t looked;
  if (!world_orphans(&w) || !getenv("IDEM_SAN_PRELOAD") || time(NULL) < looked + 4 * LOOK_MS / 1000)
    return;
  world_each_child(&w, end_in_sanitizer);
  looked = time(NULL);
}

static bool hangs(pid_t pid, int wait_ms)
{
  struct pollfd end = {.fd = idem_pidfd_open(pid), .events = POLLIN};
  bool ended = poll(&end, 1, wait_ms) > 0;
  close(end.fd);
  return !ended;
}

static int by_handle(const void *a, const void *b)
{
  const char *left = *(char *const *)a, *right = *(char *const *)b;
  size_t left_len = strcspn(left, " "), right_len = strcspn(right, " ");
  int order = strncmp(left, right, left_len < right_len ? left_len : right_len);
  if (order || left_len != right_len)
    return order ? order : left_len < right_len ? -1 : 1;
  return left < right ? -1 : left > right;
}

static char *sorted(char *text)
{
  enum { MOST = 4096 };
  static char *lines[MOST];
  size_t count = 0, size = strlen(text) + 2;
  char *out = calloc(1, size), *at = out;
  for (char *line = strtok(text, "\n"); line && count < MOST; line = strtok(NULL, "\n"))
    lines[count++] = line;
  qsort(lines, count, sizeof *lines, by_handle);
  for (size_t i = 0; i < count; i++)
    at += sprintf(at, "%s\n", lines[i]);
  return out;
}

static const char *quick_program(void)
{
  static char path[4096];
  const char *build = getenv("IDEM_UNSANITIZED");
  snprintf(path, sizeof path, "%s/tests/%s", build ? build : "", PROGRAM);
  return build ? path : PROGRAM;
}

static struct outcome run_steps(const char *program, bool shim, const char *steps, const char *tag,
                                const char *salt)
{
  const char *url = world_url(&w, "/v1/chat/completions");
  run_input(&w, steps, strlen(steps));
  struct run run =
      shim ? start_shim(&w, program, url, tag, salt, NULL) : start_plain(&w, program, url, tag, salt, NULL);
  struct outcome outcome = {.hung = false};
  if (getenv("IDEM_SAN_PRELOAD") && hangs(run.pid, LOOK_MS))
    outcome.in_sanitizer = show_stacks(run.pid);
  if (outcome.in_sanitizer || hangs(run.pid, hang_ms())) {
    outcome.hung = true;
    outcome.in_sanitizer = outcome.in_sanitizer || show_stacks(run.pid);
    end_with_children(run.pid);
  }
  run_wait(&run);
  mock_open(&w, world_text(&w, "%s.%s.", tag, salt));
  outcome.status = run.status;
  outcome.signal = run.signal;
  outcome.log = sorted(run.out);
  if (strstr(run.err, "Sanitizer") || strstr(run.err, "FATAL"))
    fprintf(stderr, "%s\n", run.err);
  run_release(&run);
  return outcome;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
  return a->status == b->status && a->signal == b->signal && !a->hung && !b->hung &&
         strcmp(a->log, b->log) == 0;
}

static void forget(struct outcome *bare, struct outcome *ours)
{
  free(bare->log);
  free(ours->log);
}

static void run_both(const char *without, const char *steps, struct outcome *bare, struct outcome *ours)
{
  const char *tag = world_text(&w, "%d.%07u", (int)getpid(), ++tags);
  *bare = run_steps(without, false, steps, world_text(&w, "%d.b%06u", (int)getpid(), tags), "AAAA");
  if (setting->warm) {
    struct outcome first = run_steps(PROGRAM, true, steps, tag, "BBBB");
    free(first.log);
  }
  *ours = run_steps(PROGRAM, !setting->plain, steps, tag, "CCCC");
  mock_reset(&w);
}

/* A machine that is too busy ends calls without us, too, whose server did not get to them. */
static bool is_up_to_chance(const char *steps, const struct outcome *bare, const struct outcome *ours)
{
  if (same(bare, ours))
    return false;
  struct outcome other =
      run_steps(PROGRAM, false, steps, world_text(&w, "%d.c%06u", (int)getpid(), tags), "AAAA");
  bool differs = !same(bare, &other);
  free(other.log);
  mock_reset(&w);
  return differs;
}

/* Why what was seen says nothing; NULL: it does. */
static const char *nothing_seen(const char *steps, const struct outcome *bare, const struct outcome *ours)
{
  return bare->in_sanitizer || ours->in_sanitizer ? "a lock of the sanitizer's own"
         : bare->hung                             ? "it hangs without us"
         : is_up_to_chance(steps, bare, ours)     ? "two runs without us differ"
                                                  : NULL;
}

/* Both runs of these steps. True: no difference. */
static bool agree(const char *steps, struct outcome *bare, struct outcome *ours)
{
  const char *quick = quick_program(), *why;
  run_both(quick, steps, bare, ours);
  if (quick != PROGRAM && !same(bare, ours)) {
    forget(bare, ours);
    run_both(PROGRAM, steps, bare, ours);
  }
  for (int i = 0; i < TRIES && (why = nothing_seen(steps, bare, ours)); i++) {
    fprintf(stderr, "schedules: %s; again\n", why);
    forget(bare, ours);
    run_both(PROGRAM, steps, bare, ours);
  }
  return same(bare, ours);
}

/* In two of three tries: what remains when a step is left out must be what it was. */
static bool disagrees_again(const char *steps)
{
  int differs = 0;
  for (int i = 0; i < 3 && differs < 2; i++) {
    struct outcome bare, ours;
    differs += !agree(steps, &bare, &ours);
    forget(&bare, &ours);
  }
  return differs == 2;
}

/* Leaves out lines as long as the runs still differ. */
static void shrink(char *steps)
{
  for (char *line = steps; *line;) {
    char *next = strchr(line, '\n') + 1, *without = NULL;
    if (asprintf(&without, "%.*s%s", (int)(line - steps), steps, next) < 0)
      return;
    if (disagrees_again(without))
      strcpy(steps, without);
    else
      line = next;
    free(without);
  }
}

static void complain(unsigned long seed, char *steps, struct outcome *bare, struct outcome *ours)
{
  bool again = disagrees_again(steps);
  if (again) {
    shrink(steps);
    forget(bare, ours);
    agree(steps, bare, ours);
  }
  cr_expect(false,
            "schedules/%s: make torture PART=schedules SCHEDULES=1 SEED=%lu (%s)\n%.*s--- without us: exit "
            "%d signal "
            "%d%s\n%.*s--- with us: exit %d signal %d%s\n%.*s",
            setting->name, seed, again ? "shrunk" : "not seen again", SHOWN, steps, bare->status,
            bare->signal, bare->hung ? " hangs" : "", SHOWN, bare->log, ours->status, ours->signal,
            ours->hung ? " hangs" : "", SHOWN, ours->log);
}

static void run_seed(unsigned long seed)
{
  struct run list = run_plain(&w, quick_program(), "--steps", world_text(&w, "%lu", seed), NULL);
  struct outcome bare, ours;
  expect_success(&list);
  if (!agree(list.out, &bare, &ours))
    complain(seed, list.out, &bare, &ours);
  forget(&bare, &ours);
  run_release(&list);
  end_orphans();
}

static unsigned long number_from(const char *name, unsigned long otherwise)
{
  const char *text = getenv(name);
  return text ? strtoul(text, NULL, 10) : otherwise;
}

static void run_setting(const char *name)
{
  unsigned n = 0;
  unsigned long count = number_from("IDEMSHIM_SCHEDULES", 200), first = number_from("IDEMSHIM_SEED", 1);
  while (strcmp(settings[n].name, name) != 0)
    n++;
  setting = &settings[n];
  /* The detector of deadlocks has locks of its own, and the suites have it. */
  world_env(&w, "TSAN_OPTIONS",
            "atexit_sleep_ms=0:die_after_fork=0:report_thread_leaks=0:detect_deadlocks=0");
  world_env(&w, "IDEMSHIM_RULES", "%s mark=off inject=off vary=*,-X-Mock",
            setting->rule ? setting->rule : "host=nowhere.example");
  world_unset(&w, "IDEMSHIM_HOSTS");
  if (setting->mode)
    world_env(&w, "IDEMSHIM_MODE", "%s", setting->mode);
  if (setting->delivery)
    world_env(&w, "IDEMSHIM_DELIVERY", "%s", setting->delivery);
  if (setting->tape)
    world_env(&w, "IDEMSHIM_TAPE", "%s/tape", w.dir);
  for (unsigned long i = 0; i < (count + SETTINGS - 1) / SETTINGS; i++)
    run_seed(count == 1 ? first : first + i * SETTINGS + n);
  wait_until((end_orphans(), world_orphans(&w) == 0));
  fprintf(stderr, "counted: schedules=%lu\n", (count + SETTINGS - 1) / SETTINGS);
}

#define SETTING(name)                                                                                        \
  Test(schedules, name)                                                                                      \
  {                                                                                                          \
    run_setting(#name);                                                                                      \
  }
SETTING(plain)
SETTING(idle)
SETTING(observe)
SETTING(fresh)
SETTING(warm)
SETTING(record)
SETTING(rescue)
SETTING(guard)
SETTING(transport)
