/* SPDX-License-Identifier: MIT */
/*
 * What is below us fails: each call of libidemshim.so, of the store's object and of LMDB into libc in turn,
 * in each mode (tests/clients/faults). The program's calls succeed and bring what they bring without us, it
 * says each thing once, nothing is left open, and whoever comes after finds a sound store with no wrong
 * answer in it and no key that is stuck.
 *
 * IDEMSHIM_FAULTS=all: every call; else some of them, from IDEMSHIM_SEED. `make torture PART=below` takes
 * all. IDEMSHIM_FAULT="enospc 17" is that one alone.
 */
#include "tests/harness/suite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

/* `warm`: the store has the answers; `taped`: a tape has them, and nothing else is asked. */
static const struct mode {
  const char *name, *variable, *value;
  bool multi, warm, taped;
} modes[] = {
    {"miss", .variable = "IDEMSHIM_MODE", .value = "idempotent"},
    {"hit", .warm = true, .variable = "IDEMSHIM_MODE", .value = "idempotent"},
    {"transport", .warm = true, .variable = "IDEMSHIM_DELIVERY", .value = "transport"},
    {"observe", .variable = "IDEMSHIM_MODE", .value = "observe"},
    {"record", .variable = "IDEMSHIM_MODE", .value = "record"},
    {"tape", .variable = "IDEMSHIM_TAPE", .value = "tape"},
    {"replay", .taped = true, .variable = "IDEMSHIM_MODE", .value = "replay"},
    {"sealed", .variable = "IDEMSHIM_KEY_FILE", .value = "key"},
    {"guard", .variable = "IDEMSHIM_RULES", .value = "host=127.0.0.1 guard=on rescue=20s ttl=30d"},
    {"multi", .multi = true, .variable = "IDEMSHIM_MODE", .value = "idempotent"},
    {"multi_hit", .multi = true, .warm = true, .variable = "IDEMSHIM_MODE", .value = "idempotent"},
};

/* `once`: only the one call fails; else both, that one alone and all that follow it. `jumps`: a claim may
 * have gone by, or not yet. */
static const struct {
  const char *name;
  bool once;
} faults[] = {
    {"enospc", false}, {"edquot", false},  {"eio", false},    {"erofs", false},
    {"emfile", false}, {"enfile", false},  {"enomem", false}, {"eperm", false},
    {"enolck", false}, {"fsync", false},   {"eintr", true},   {"short", true},
    {"day_on", true},  {"day_back", true}, {"gone", true},    {"replaced", true},
};
/* A store whose write came to nothing is opened anew, and what its readers have of the old one stays as it is
 * (store/lmdb/engine.c): claims, lock and data twice; and in the new one there may be a file of the queue,
 * which was not needed before. */
enum {
  MODES = sizeof modes / sizeof *modes,
  FAULTS = sizeof faults / sizeof *faults,
  SOME = 5,
  OPENED_ANEW = 5
};

TestSuite(below, .init = open_world, .fini = close_world, .timeout = 36000);

static const struct mode *mode;
static char bare[8192]; /* what the program says without us */
static int descriptors; /* that are open at its end with us, when nothing fails */
static long sent;       /* calls that go out then */
static unsigned long points, wrong;

static const char *place(const char *name)
{
  return world_text(&w, "%s/%s", w.dir, name);
}

static void shell(const char *script)
{
  struct run run = run_shell_plain(&w, script);
  expect_success(&run);
  run_release(&run);
}

/* A miss, another, and a hit; in a multi all three at once. `fault` is NULL: without the injector. */
static struct run run_calls(const char *fault, bool shim)
{
  const char *url = world_url(&w, "/v1/chat/completions?mock=still%3D1");
  const char *preload = world_text(&w, "LD_PRELOAD=%s/libidemshim.so %s", w.build,
                                   fault ? world_text(&w, "%s/tests/faults.so", w.build) : "");
  const char *argv[16] = {"env", shim ? preload : "NOTHING=1", world_text(&w, "FAULT=%s", fault ? fault : ""),
                          world_text(&w, "FAULT_REPORT=%s", place("report"))};
  int n = 4;
  if (mode->multi) {
    const char *more[] = {"multi_calls", "poll", "1", url, "{\"a\":1}", "{\"a\":2}", "{\"a\":1}"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
      argv[n++] = more[i];
  } else {
    const char *more[] = {"batch", "3", "2", url, place("out")};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
      argv[n++] = more[i];
  }
  return run_argv(&w, false, argv);
}

static int by_line(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a multi come as they end. */
static void take_answers(const struct run *run, char *into, size_t size)
{
  size_t len = 0, count = 0;
  char *text = mode->multi ? strdup(run->out) : file_read(place("out"), &len), *lines[16];
  for (char *line = text ? strtok(text, "\n") : NULL; line && count < 16; line = strtok(NULL, "\n"))
    lines[count++] = line;
  qsort(lines, count, sizeof *lines, by_line);
  *into = '\0';
  for (size_t i = 0; i < count; i++)
    snprintf(into + strlen(into), size - strlen(into), "%s\n", lines[i]);
  free(text);
}

static void begin_mode(const char *name)
{
  int i = 0;
  while (strcmp(modes[i].name, name) != 0)
    i++;
  mode = &modes[i];
  bool is_path = strcmp(mode->value, "tape") == 0 || strcmp(mode->value, "key") == 0;
  world_write(&w, "key", key, sizeof key - 1);
  world_env(&w, "IDEMSHIM_SYNC", "on");
  /* Longer than clocks jump. */
  world_env(&w, "IDEMSHIM_RULES", "host=127.0.0.1 ttl=30d");
  if (i % 2)
    world_unset(&w, "IDEMSHIM_LOG"); /* then what there is to say goes to stderr */
  world_env(&w, "FAULT_STORE", "%s", w.store);
  if (mode->taped || strcmp(mode->value, "record") == 0)
    world_env(&w, "IDEMSHIM_TAPE", "%s", place("tape"));
  struct run run = run_calls(NULL, false);
  expect_success(&run);
  take_answers(&run, bare, sizeof bare);
  cr_assert_gt(strlen(bare), 100);
  run_release(&run);
  if (mode->taped) {
    world_env(&w, "IDEMSHIM_MODE", "record");
    run = run_calls(NULL, true);
    expect_success(&run);
    run_release(&run);
  }
  world_env(&w, mode->variable, "%s", is_path ? place(mode->value) : mode->value);
  if (mode->warm) {
    run = run_calls(NULL, true);
    expect_success(&run);
    run_release(&run);
  }
  shell("cd \"$HOME\" && mkdir -p kept && for f in store tape; do [ ! -e $f ] || mv $f kept/; done");
}

/* As they were before the first fault. */
static void put_back(void)
{
  shell("cd \"$HOME\" && chmod -R u+w . && rm -rf store store.gone tape log out report && cp -a kept/. .");
  mock_reset(&w);
}

/* Each thing that does not work may be said, and each once. */
static bool says_twice(const char *text)
{
  const char *line = strstr(text, "idemshim: ");
  for (; line; line = strstr(line + 1, "idemshim: ")) {
    const char *again = strstr(line + 1, "idemshim: ");
    size_t len = strcspn(line, "\n");
    for (; again; again = strstr(again + 1, "idemshim: "))
      if (strcspn(again, "\n") == len && memcmp(line, again, len) == 0)
        return true;
  }
  return false;
}

static void complain(const char *fault, const char *report, const char *what, const char *more)
{
  wrong++;
  cr_expect(false, "below/%s, %s (%.*s): %s\n%.3000s", mode->name, fault, (int)strcspn(report, "\n"), report,
            what, more);
}

/* Whoever comes after it has the same answers, from a sound store. */
static void expect_sound(const char *fault, const char *report)
{
  char answers[sizeof bare];
  struct run after = run_calls(NULL, true);
  take_answers(&after, answers, sizeof answers);
  if (after.status != 0 || strcmp(answers, bare) != 0)
    complain(fault, report, "afterwards a call fails or is another", after.err);
  run_release(&after);
  if (strcmp(mode->value, "observe") == 0 || strcmp(mode->value, "record") == 0 || mode->taped)
    return;
  struct run verify = run_plain(&w, "idemshim", "verify", NULL);
  if (verify.status != 0)
    complain(fault, report, "the store is not sound", world_text(&w, "%.200s%.200s", verify.out, verify.err));
  run_release(&verify);
}

/* How many calls could have failed. */
static unsigned long run_fault(const char *name, unsigned long number, const char *more)
{
  char fault[64], answers[sizeof bare];
  unsigned long calls = 0;
  int open = 0;
  snprintf(fault, sizeof fault, "%s %lu%s", name, number, more);
  put_back();
  struct run run = run_calls(fault, true);
  char *report = file_read(place("report"), NULL);
  take_answers(&run, answers, sizeof answers);
  /* What a tape cannot give is refused in words; nothing goes out for it. */
  bool says = count_of(run.err, "idemshim: ") > 0 || log_contains(&w, "\"problem\"");
  long requests = mock_count(&w).requests;
  /* A store that was taken away before it was opened is a new one; and a line cannot be
   * written where nothing can. */
  bool mute =
      strcmp(name, "gone") == 0 || strcmp(name, "replaced") == 0 || (*more && strcmp(name, "eio") == 0);
  bool refused =
      mode->taped && run.status != 0 && requests == 0 && (says || mute || strstr(run.err, "Out of memory"));
  if (!refused && (run.status != 0 || strcmp(answers, bare) != 0))
    complain(fault, report ? report : "", "a call fails or brings something else",
             world_text(&w, "exit %d signal %d%s: %.300s", run.status, run.signal,
                        run.timed_out ? " hangs" : "", run.err));
  if (!refused && requests > sent && !says && !mute && number)
    complain(fault, report ? report : "", "calls go out without a word", run.err);
  if (says_twice(run.err))
    complain(fault, report ? report : "", "a line comes twice", run.err);
  if (report && sscanf(report, "calls %lu descriptors %d", &calls, &open) == 2 && number &&
      open > descriptors + OPENED_ANEW)
    complain(fault, report, "descriptors are left open",
             world_text(&w, "%d instead of %d", open, descriptors));
  if (!number) {
    descriptors = open;
    sent = requests;
  }
  expect_sound(fault, report ? report : "");
  points++;
  free(report);
  run_release(&run);
  return calls;
}

static void run_mode(const char *name)
{
  const char *all = getenv("IDEMSHIM_FAULTS"), *seed = getenv("IDEMSHIM_SEED"),
             *one = getenv("IDEMSHIM_FAULT");
  unsigned random = seed ? (unsigned)strtoul(seed, NULL, 10) : 1;
  char only[16] = "", more[2] = "";
  unsigned long number = 0;
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has functions of its own in place of libc's");
  begin_mode(name);
  if (one && sscanf(one, "%15s %lu%1s", only, &number, more) >= 2) {
    run_fault(only, 0, "");
    run_fault(only, number, more);
    return;
  }
  for (int i = 0; i < FAULTS; i++) {
    unsigned long calls = run_fault(faults[i].name, 0, "");
    bool every = all && strcmp(all, "all") == 0;
    for (unsigned long n = 1; every && n <= calls; n++) {
      run_fault(faults[i].name, n, "");
      if (!faults[i].once)
        run_fault(faults[i].name, n, "+");
    }
    for (int n = 0; !every && calls && n < SOME; n++)
      run_fault(faults[i].name, 1 + (unsigned long)rand_r(&random) % calls,
                n % 2 && !faults[i].once ? "+" : "");
  }
  fprintf(stderr, "counted: points=%lu wrong=%lu\n", points, wrong);
}

#define MODE(name)                                                                                           \
  Test(below, name)                                                                                          \
  {                                                                                                          \
    run_mode(#name);                                                                                         \
  }
MODE(miss)
MODE(hit)
MODE(transport)
MODE(observe)
MODE(record)
MODE(tape)
MODE(replay)
MODE(sealed)
MODE(guard)
MODE(multi)
MODE(multi_hit)

/* A read that brings a part of what is there is gone on with: nothing is damaged by it,
 * and nobody hears of it. */
static void cut_all_reads(const char *name)
{
  char answers[sizeof bare];
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has functions of its own in place of libc's");
  begin_mode(name);
  cr_assert_gt(run_fault("short_reads", 0, ""), 0);
  put_back();
  struct run whole = run_calls("short_reads 0", true);
  put_back();
  struct run run = run_calls("short_reads 1+", true);
  expect_success(&run);
  take_answers(&run, answers, sizeof answers);
  cr_expect_str_eq(answers, bare);
  cr_expect_str_eq(run.err, whole.err);
  cr_expect_eq(mock_count(&w).requests, sent);
  cr_expect_not(log_contains(&w, "\"problem\""));
  run_release(&whole);
  run_release(&run);
}

Test(below, a_hit_while_all_reads_are_short)
{
  cut_all_reads("hit");
}

Test(below, a_tape_while_all_reads_are_short)
{
  cut_all_reads("tape");
}

Test(below, a_replay_while_all_reads_are_short)
{
  cut_all_reads("replay");
}

/* It was said that libcurl had an option which this idemshim did not know yet. */
Test(below, an_option_that_there_was_no_memory_for_is_not_called_a_new_one)
{
  unsigned told = 0;
  if (getenv("IDEM_SAN_PRELOAD"))
    cr_skip_test("a sanitizer has functions of its own in place of libc's");
  begin_mode("multi");
  world_env(&w, "CURL_CA_BUNDLE", "/dev/null"); /* the option */
  for (unsigned n = 1; n <= 16; n++) {
    put_back();
    struct run run = run_calls(world_text(&w, "enomem %u", n), true);
    expect_success(&run);
    cr_expect(!strstr(run.err, "newer than"), "%u: %s", n, run.err);
    told += strstr(run.err, "no memory for an option") != NULL;
    run_release(&run);
  }
  cr_expect_gt(told, 0);
}
