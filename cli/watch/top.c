/* SPDX-License-Identifier: MIT */
/*
 * `top`: what goes on in a store. Who owns a claim, and whether somebody waits for it, is seen in the store's
 * shared page; which call that is, since when, and why calls were not ours, in the event log. Without a log
 * the first half is there all the same.
 */
#include "cli/output/json.h"
#include "cli/output/text.h"
#include "cli/output/units.h"
#include "cli/watch/log.h"
#include "config/words.h"
#include "store/base/stats.h"
#include "store/state/state.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Calls and names that are remembered; bytes of the log that are read at the start; lines of the screen for
 * calls, and for each kind of name. */
enum { CALLS_MOST = 4096, TALLIES_MOST = 64, BEFORE = 64 << 20, SHOWN_MOST = 12, ROWS_MOST = 6 };

/* A call that was seen to go upstream. `since_us` is in µs since 1970; without a word of the log, `id`,
 * `host` and `path` are "". */
struct call {
  uint64_t tag; /* the beginning of its key, as the page has it */
  char id[IDEM_ID_SIZE], host[128], path[128], program[32];
  pid_t pid;
  int64_t since_us;
  bool told;          /* the log has told when it began; else it is known since it was seen */
  bool waited, there; /* there: in the page now */
};

/* How often something was met. */
struct tally {
  char name[128];
  uint64_t calls, hits, live;
};

struct tallies {
  struct tally row[TALLIES_MOST];
  size_t count;
};

/* `call` is in the order in which they began. `stats` and `before` are the counters at this look and at the
 * one before it. */
struct top {
  const struct cli_options *options;
  struct idem_store *store;
  struct cli_log log;
  struct call *call;
  size_t count;
  struct tallies hosts, programs, reasons;
  struct idem_stats stats, before;
  int64_t looked_us;
  bool has_before;
};

/* Tallies. */

/* The last row takes what has no room. */
static struct tally *tally_of(struct tallies *tallies, const char *name)
{
  for (size_t i = 0; i < tallies->count; i++)
    if (strcmp(tallies->row[i].name, name) == 0)
      return &tallies->row[i];
  if (tallies->count == TALLIES_MOST)
    return &tallies->row[TALLIES_MOST - 1];
  struct tally *tally = &tallies->row[tallies->count++];
  *tally = (struct tally){0};
  snprintf(tally->name, sizeof(tally->name), "%s", tallies->count == TALLIES_MOST ? "others" : name);
  return tally;
}

/* The name decides between equals, so that rows do not change places at each look. */
static int by_calls(const void *a, const void *b)
{
  const struct tally *x = a, *y = b;
  return x->calls != y->calls ? (x->calls < y->calls ? 1 : -1) : strcmp(x->name, y->name);
}

/* Sent is what went out, with us or past us. */
static void count_call(struct tallies *tallies, const char *name, bool hit)
{
  struct tally *tally = tally_of(tallies, name);
  tally->calls++;
  tally->hits += hit;
  tally->live += !hit;
}

/* Calls. */

/* As the page has it: the first bytes of the key, with the lowest bit set (store/base/owner.c). */
static uint64_t tag_of_id(const char *id)
{
  /* An id is sixteen hexadecimal digits of the key: these eight bytes. */
  uint64_t tag = 0;
  uint8_t bytes[sizeof(tag)] = {0};
  for (size_t i = 0; i < sizeof(tag) && id[2 * i] && id[2 * i + 1]; i++) {
    char two[3] = {id[2 * i], id[2 * i + 1], '\0'};
    bytes[i] = (uint8_t)strtoul(two, NULL, 16);
  }
  memcpy(&tag, bytes, sizeof(tag));
  return tag | 1;
}

/* From the newest on, for events are mostly of those. */
static struct call *find_call(struct top *top, uint64_t tag, bool make)
{
  for (size_t i = top->count; i-- > 0;)
    if (top->call[i].tag == tag)
      return &top->call[i];
  if (!make)
    return NULL;
  /* The oldest makes room: it has ended without a word, or will be seen in the page again. */
  if (top->count == CALLS_MOST)
    memmove(top->call, top->call + 1, --top->count * sizeof(*top->call));
  top->call[top->count] = (struct call){.tag = tag};
  return &top->call[top->count++];
}

/* The order of the others stays. */
static void forget_call(struct top *top, struct call *call)
{
  size_t i = (size_t)(call - top->call);
  memmove(call, call + 1, (--top->count - i) * sizeof(*call));
}

/* An operation that is sent again, as after a failure, has its row already. */
static void begin_call(struct top *top, const struct cli_event *event)
{
  struct call *call = find_call(top, tag_of_id(event->id), true);
  call->pid = event->pid;
  call->since_us = event->time_us;
  call->told = true;
  snprintf(call->id, sizeof(call->id), "%s", event->id);
  snprintf(call->path, sizeof(call->path), "%s", event->path);
  cli_host_of(event->origin, call->host);
  cli_program_of(event->pid, call->program);
}

/* What an event says, once. A copy that finishes what was given up ends the call, too. */
static void take_event(struct top *top, const struct cli_event *event)
{
  char host[128], program[32];
  bool hit = strcmp(event->name, "hit") == 0 || strcmp(event->name, "join") == 0;
  bool live = strcmp(event->name, "live") == 0, bypass = strcmp(event->name, "bypass") == 0;
  /* What else may end a call is not told here: its place in the page is empty then. */
  bool over = strcmp(event->name, "stored") == 0 || strcmp(event->name, "not_stored") == 0 ||
              strcmp(event->name, "rescued") == 0;
  struct call *call = over && *event->id ? find_call(top, tag_of_id(event->id), false) : NULL;
  if (call)
    forget_call(top, call);
  if (live && *event->id)
    begin_call(top, event);
  if (bypass)
    count_call(&top->reasons, *event->reason ? event->reason : "?", false);
  /* These say how a call was answered; all other events follow one of a call that was counted. */
  if (hit || live || bypass) {
    if (*event->origin) /* a bypass need not have got as far as the URL */
      count_call(&top->hosts, cli_host_of(event->origin, host), hit);
    count_call(&top->programs, cli_program_of(event->pid, program), hit);
  }
}

/* Who has a claim now. One that the log does not tell of is known since it is seen. */
static void look_at_page(struct top *top, int64_t now_us)
{
  char path[4096];
  struct stats *page;
  for (size_t i = 0; i < top->count; i++)
    top->call[i].there = false;
  snprintf(path, sizeof(path), "%s/" STATS_FILE, top->store->dir);
  /* Opened at each look, since another process may put a new page in place of a damaged one; of a copy
   * nothing is written. */
  if (stats_open_copy(&page, path) < 0)
    return;
  for (size_t i = 0; i < OWNER_BUCKETS; i++)
    for (size_t j = 0; j < OWNER_PLACES; j++) {
      uint64_t tag = atomic_load(&page->owners.bucket[i].tag[j]);
      const struct owner *owner = &page->owners.bucket[i].place[j];
      pid_t pid = (pid_t)atomic_load(&owner->pid);
      /* A dead owner's place stays until somebody needs it (store/base/owner.c). */
      if (!tag || (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH))
        continue;
      struct call *call = find_call(top, tag, true);
      call->there = true;
      call->pid = pid;
      call->waited = atomic_load(&owner->waited) != 0;
      if (!call->since_us)
        call->since_us = now_us;
      cli_program_of(pid, call->program);
    }
  stats_close(page);
}

/* What was begun and is nobody's now has ended. */
static void drop_ended(struct top *top, int64_t now_us)
{
  /* The log may be ahead of the page, and tells of calls that had no room there: these stay for so long. */
  enum { GRACE_US = 2000000 };
  for (size_t i = top->count; i-- > 0;)
    if (!top->call[i].there && (now_us - top->call[i].since_us > GRACE_US || kill(top->call[i].pid, 0) < 0))
      forget_call(top, &top->call[i]);
}

/* One look, an enum cli_exit: events that have come, counters, claims of this moment. */
static int look(struct top *top)
{
  struct cli_event event;
  struct idem_error error = {""};
  /* The log first: what it tells of a call, the page can only say that it is under way. */
  while (cli_log_next(&top->log, &event))
    take_event(top, &event);
  top->before = top->stats;
  if (idem_store_stats(top->store, &top->stats, &error) < 0)
    return cli_fail(CLI_STORE, "%s", error.text);
  top->looked_us = cli_now_us();
  look_at_page(top, top->looked_us);
  drop_ended(top, top->looked_us);
  qsort(top->hosts.row, top->hosts.count, sizeof(struct tally), by_calls);
  qsort(top->programs.row, top->programs.count, sizeof(struct tally), by_calls);
  qsort(top->reasons.row, top->reasons.count, sizeof(struct tally), by_calls);
  return CLI_OK;
}

/* JSON. */

/* Of reasons there is one number, for each such call was sent. A program's name need not be UTF-8. */
static json_t *tallies_json(const struct tallies *tallies, bool calls_only)
{
  json_t *object = json_object();
  for (size_t i = 0; i < tallies->count; i++) {
    const struct tally *tally = &tallies->row[i];
    json_t *name = cli_json_string(tally->name);
    json_object_set_new(object, json_string_value(name),
                        calls_only
                            ? json_integer((json_int_t)tally->calls)
                            : json_pack("{s:I, s:I, s:I}", "calls", (json_int_t)tally->calls, "answered",
                                        (json_int_t)tally->hits, "sent", (json_int_t)tally->live));
    json_decref(name);
  }
  return object;
}

static json_t *top_json(const struct top *top)
{
  char when[CLI_UNIT_SIZE];
  const uint64_t *counter = top->stats.counter;
  json_t *upstream = json_array();
  for (size_t i = 0; i < top->count; i++) {
    const struct call *call = &top->call[i];
    json_array_append_new(upstream,
                          json_pack("{s:s, s:i, s:o, s:o, s:o, s:f, s:b}", "id", call->id, "pid",
                                    (int)call->pid, "program", cli_json_string(call->program), "host",
                                    cli_json_string(call->host), "path", cli_json_string(call->path),
                                    "seconds", (double)(top->looked_us - call->since_us) / 1e6, "waited_for",
                                    (int)call->waited));
  }
  return json_pack(
      "{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:{s:f, s:I, s:I, s:I}, s:o, s:o, s:o}", "time",
      cli_timestamp(when, top->looked_us), "upstream", upstream, "calls",
      (json_int_t)counter[IDEM_COUNTER_calls], "hits", (json_int_t)counter[IDEM_COUNTER_hits], "joins",
      (json_int_t)counter[IDEM_COUNTER_joins], "live", (json_int_t)counter[IDEM_COUNTER_live], "bypass",
      (json_int_t)counter[IDEM_COUNTER_bypass], "saved", "seconds",
      (double)counter[IDEM_COUNTER_ms_saved] / 1000, "bytes", (json_int_t)counter[IDEM_COUNTER_bytes_saved],
      "input_tokens", (json_int_t)counter[IDEM_COUNTER_input_tokens_saved], "output_tokens",
      (json_int_t)counter[IDEM_COUNTER_output_tokens_saved], "hosts", tallies_json(&top->hosts, false),
      "programs", tallies_json(&top->programs, false), "bypass_reasons", tallies_json(&top->reasons, true));
}

/* The screen. */

static void put_rate(const struct top *top, const char *name, enum idem_counter counter)
{
  char count[CLI_UNIT_SIZE];
  /* Between two looks is a second (watch()); they may have been set to zero in it (stats --zero). */
  uint64_t is = top->stats.counter[counter], was = top->before.counter[counter];
  uint64_t more = !top->has_before ? 0 : is < was ? is : is - was;
  printf("  %s%s%s %s", cli_style(CLI_BOLD), cli_count(count, top->stats.counter[counter]),
         cli_style(CLI_PLAIN), name);
  if (more)
    printf(" (+%" PRIu64 "/s)", more);
}

static void put_head(const struct top *top)
{
  char when[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE], bytes[CLI_UNIT_SIZE], in[CLI_UNIT_SIZE], out[CLI_UNIT_SIZE];
  const uint64_t *counter = top->stats.counter;
  printf("idemshim top  %s  ", cli_time(when, top->looked_us));
  cli_put_line(stdout, top->store->dir, strlen(top->store->dir), 60);
  putchar('\n');
  put_rate(top, idem_word(counter[IDEM_COUNTER_calls], "call", "calls"), IDEM_COUNTER_calls);
  put_rate(top, "answered", IDEM_COUNTER_hits);
  put_rate(top, "joined", IDEM_COUNTER_joins);
  put_rate(top, "sent", IDEM_COUNTER_live);
  put_rate(top, "bypassed", IDEM_COUNTER_bypass);
  printf("\n  saved  %s  %s  %s %s in  %s out\n", cli_duration(took, counter[IDEM_COUNTER_ms_saved]),
         cli_bytes(bytes, counter[IDEM_COUNTER_bytes_saved]),
         cli_count(in, counter[IDEM_COUNTER_input_tokens_saved]),
         idem_word(counter[IDEM_COUNTER_input_tokens_saved], "token", "tokens"),
         cli_count(out, counter[IDEM_COUNTER_output_tokens_saved]));
}

/* The longest first, which stand first since they began first. */
static void put_calls(const struct top *top)
{
  size_t columns = cli_columns();
  char took[CLI_UNIT_SIZE], call_text[300];
  printf("\n%supstream %zu%s\n", cli_style(CLI_BOLD), top->count, cli_style(CLI_PLAIN));
  for (size_t i = 0; i < top->count && i < SHOWN_MOST; i++) {
    const struct call *call = &top->call[i];
    int64_t us = top->looked_us - call->since_us;
    /* ">": known since it was seen, and so under way for longer than this. */
    int used = printf(" %s%8s  %7d %-12.12s %-10s %-16s  ", call->told ? " " : ">",
                      cli_duration(took, us > 0 ? (uint64_t)us / 1000 : 0), (int)call->pid, call->program,
                      call->waited ? "waited for" : "", call->id);
    snprintf(call_text, sizeof(call_text), "%s%s", call->host, call->path);
    cli_put_line(stdout, call_text, strlen(call_text),
                 columns == CLI_UNCUT     ? CLI_UNCUT
                 : columns > (size_t)used ? columns - (size_t)used
                                          : 1);
    putchar('\n');
  }
  if (top->count > SHOWN_MOST)
    printf("  and %zu more\n", top->count - SHOWN_MOST);
}

static void put_tallies(const char *title, const struct tallies *tallies, bool calls_only)
{
  char calls[CLI_UNIT_SIZE];
  if (!tallies->count)
    return;
  printf("\n%s%-40s%s%10s", cli_style(CLI_BOLD), title, cli_style(CLI_PLAIN), "calls");
  puts(calls_only ? "" : "  answered      sent");
  for (size_t i = 0; i < tallies->count && i < ROWS_MOST; i++) {
    const struct tally *tally = &tallies->row[i];
    fputs("  ", stdout);
    size_t used = cli_put_line(stdout, tally->name, strlen(tally->name), 38);
    printf("%*s%10s", (int)(38 - used), "", cli_count(calls, tally->calls));
    if (!calls_only)
      printf("%10" PRIu64 "%10" PRIu64, tally->hits, tally->live);
    putchar('\n');
  }
}

static void print_screen(const struct top *top)
{
  put_head(top);
  put_calls(top);
  put_tallies("hosts", &top->hosts, false);
  put_tallies("programs (? has ended)", &top->programs, false);
  put_tallies("bypassed, because", &top->reasons, true);
  if (top->log.fd < 0 && top->log.problem) {
    fputs("\nno log: ", stdout);
    cli_put_line(stdout, top->log.path, strlen(top->log.path), SIZE_MAX);
    printf(": %s\n", strerror(top->log.problem));
  } else if (top->log.fd < 0)
    puts("\nno log: which calls these are, hosts, programs and reasons are told by IDEMSHIM_LOG=FILE, or "
         "--log FILE");
}

static volatile sig_atomic_t stopped;

/* All that a handler may do (signal-safety(7)). */
static void stop(int signal_number)
{
  (void)signal_number;
  stopped = 1;
}

/* On the terminal's other screen, which is gone afterwards with everything on it. */
static int watch(struct top *top)
{
  bool screen = cli_on_terminal() && !top->options->json;
  int code;
  /* Without SA_RESTART: the sleep below ends at once. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  /* To the other screen; home and clear at each look; and back. */
  fputs(screen ? "\033[?1049h" : "", stdout);
  while ((code = look(top)) == CLI_OK && !stopped && !ferror(stdout)) {
    fputs(screen ? "\033[H\033[J" : "", stdout);
    if (top->options->json)
      code = cli_print_json_line(top_json(top));
    else
      print_screen(top);
    fflush(stdout);
    top->has_before = true;
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
  }
  fputs(screen ? "\033[?1049l" : "", stdout);
  return code;
}

static int top(const struct cli_options *options, struct idem_store *store, char **operands)
{
  struct top top = {.options = options, .store = store, .call = calloc(CALLS_MOST, sizeof(struct call))};
  (void)operands;
  int code = top.call ? cli_log_open(&top.log, options, BEFORE, true) : cli_fail(CLI_STORE, "out of memory");
  /* A text that goes on for ever is of no use to a pipe or a file; documents, one a look, are. */
  bool once = options->once || (!options->json && !cli_on_terminal());
  if (code == CLI_OK && once && (code = look(&top)) == CLI_OK) {
    if (options->json)
      code = cli_print_json(top_json(&top));
    else
      print_screen(&top);
  } else if (code == CLI_OK) {
    code = watch(&top);
  }
  /* Without memory for calls no log was opened. */
  if (top.call)
    cli_log_close(&top.log);
  free(top.call);
  return code;
}

const struct cli_command cli_command_top = {
    .name = "top",
    .operands = "",
    .summary = "what is upstream now and for how long, and what was saved, on one screen",
    .details = "Which calls these are, hosts, programs and why calls were not ours come from the log; "
               "without one, the rest is\n"
               "there all the same. Ends with Ctrl-C; without a terminal it is printed once.",
    .options = CLI_OPTIONS(CLI_OPTION("once", NULL, CLI_FLAG, once, "print it once"), CLI_OPTION_JSON,
                           CLI_OPTION("log", "FILE", CLI_TEXT, log, "the log (default: IDEMSHIM_LOG)"),
                           CLI_OPTION_STORE),
    .only_reads = true,
    .on_store = top,
};
