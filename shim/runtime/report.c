/* SPDX-License-Identifier: MIT */
#include "shim/runtime/report.h"

#include "config/words.h"
#include "shim/runtime/app_stderr.h"
#include "shim/runtime/settings.h"
#include "shim/runtime/store_object.h"
#include "shim/runtime/vitals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A line that is longer is cut before its end: a torn line would break its neighbours too. */
struct line {
  char text[2048];
  size_t len;
};

static void put(struct line *line, const char *text, size_t len)
{
  size_t room = sizeof(line->text) - line->len;
  len = len < room ? len : room;
  memcpy(line->text + line->len, text, len);
  line->len += len;
}

/* RFC 8259 string contents. Bytes beyond ASCII pass as they are. The bytes that stay free are for what
 * comes behind a text that was cut: its quote, further fields' names, the end of the line. */
static void put_escaped(struct line *line, const char *text, size_t len)
{
  for (size_t i = 0; i < len && line->len < sizeof(line->text) - 64; i++) {
    unsigned char c = (unsigned char)text[i];
    char escape[8];
    if (c == '"' || c == '\\')
      put(line, (char[]){'\\', (char)c}, 2);
    else if (c < 0x20 || c == 0x7f)
      put(line, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
    else
      put(line, text + i, 1);
  }
}

static void put_field(struct line *line, const char *name, const char *text, size_t len)
{
  if (!text || !len)
    return;
  put(line, ",\"", 2);
  put(line, name, strlen(name));
  put(line, "\":\"", 3);
  put_escaped(line, text, len);
  put(line, "\"", 1);
}

static void put_text(struct line *line, const char *name, const char *text)
{
  put_field(line, name, text, text ? strlen(text) : 0);
}

static void put_number(struct line *line, const char *name, int64_t number)
{
  char text[64];
  put(line, text, (size_t)snprintf(text, sizeof(text), ",\"%s\":%lld", name, (long long)number));
}

/* Days from 1970 as a date of the Gregorian calendar. gmtime_r() takes a lock of libc's, which another thread
 * may have had when the process was forked. Counted from March, so that a leap day comes last. */
static void put_date(struct line *line, int64_t days)
{
  char text[64];
  int64_t from_0 = days + 719468, in_400 = from_0 % 146097;
  int64_t year = (in_400 - in_400 / 1460 + in_400 / 36524 - in_400 / 146096) / 365;
  int64_t in_year = in_400 - (365 * year + year / 4 - year / 100), month = (5 * in_year + 2) / 153;
  int64_t day = in_year - (153 * month + 2) / 5 + 1, number = month < 10 ? month + 3 : month - 9;
  put(line, text,
      (size_t)snprintf(text, sizeof(text), "%04d-%02d-%02d",
                       (int)(year + from_0 / 146097 * 400 + (number <= 2)), (int)number, (int)day));
}

/* Begins a line as every line begins: with the time in UTC, the process and the event. What may follow is
 * in docs/events.schema.json. */
static void begin(struct line *line, const char *name)
{
  struct timespec now;
  char text[64];
  clock_gettime(CLOCK_REALTIME, &now);
  int seconds = (int)(now.tv_sec % 86400);
  put(line, "{\"time\":\"", 9);
  put_date(line, now.tv_sec / 86400);
  put(line, text,
      (size_t)snprintf(text, sizeof(text), "T%02d:%02d:%02d.%03ldZ\"", seconds / 3600, seconds / 60 % 60,
                       seconds % 60, now.tv_nsec / 1000000));
  put_number(line, "pid", getpid());
  put_text(line, "event", name);
}

static bool is_stderr(const char *log)
{
  return !log || strcmp(log, "stderr") == 0;
}

/* A file is opened for each line: a descriptor that is kept would be closed by a daemon's clean-up, and then
 * be somebody else's. Without blocking, for it may be a pipe that nobody reads. */
static bool write_to(const char *log, const struct line *line)
{
  ssize_t written = -1;
  if (is_stderr(log)) {
    bool whole = app_stderr_write(line->text, line->len);
    if (!whole)
      report_count(IDEM_COUNTER_lines_dropped);
    return whole;
  }
  int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd >= 0)
    written = app_stderr_write_without_signal(fd, line->text, line->len);
  if (fd >= 0)
    close(fd);
  return written == (ssize_t)line->len;
}

void report_event(const struct event *event)
{
  const struct idem_config *config = settings();
  if (!config->log)
    return;
  int saved = errno;
  struct line line = {.len = 0};
  begin(&line, event->name);
  put_text(&line, "id", event->id);
  put_text(&line, "reason", event->reason);
  put_text(&line, "via", event->via);
  if (event->status)
    put_number(&line, "status", event->status);
  if (event->ms >= 0)
    put_number(&line, "ms", event->ms);
  if (event->request) {
    put_field(&line, "method", event->request->method.data, event->request->method.len);
    put_field(&line, "origin", event->request->origin.data, event->request->origin.len);
    put_field(&line, "path", event->request->path.data, event->request->path.len);
    put_field(&line, "scope", event->request->scope.data, event->request->scope.len);
  }
  put(&line, "}\n", 2);
  /* A log of a run has gone with it when a copy of one of its processes is done. */
  bool is_late = app_stderr_is_of_copy();
  if (!write_to(config->log, &line) && !is_stderr(config->log) && !(is_late && errno == ENOENT))
    report_problem(PROBLEM_NO_LOG, "cannot write to IDEMSHIM_LOG=%s: %s", config->log, strerror(errno));
  errno = saved;
}

/* "idemshim: TEXTCONSEQUENCE" to stderr where `log` is NULL or "stderr"; else the text as a line in that
 * file. */
static void say(const char *log, const char *text, const char *consequence)
{
  int saved = errno;
  struct line line = {.len = 0};
  if (is_stderr(log)) {
    size_t rest = strlen(consequence) + 12;
    put(&line, "idemshim: ", 10);
    put(&line, text, strnlen(text, sizeof(line.text) - rest));
    put(&line, consequence, strlen(consequence));
    put(&line, "\n", 1);
  } else {
    begin(&line, "problem");
    put_text(&line, "reason", text);
    put(&line, "}\n", 2);
  }
  if (!write_to(log, &line) && !is_stderr(log))
    say(NULL, text, consequence);
  errno = saved;
}

void report_count(enum idem_counter counter)
{
  struct idem_store *store;
  const struct idem_store_api *api = store_object_peek(&store);
  if (api)
    api->count(store, counter, 1);
}

static void __attribute__((format(printf, 3, 0)))
say_formatted(const char *log, const char *consequence, const char *format, va_list arguments)
{
  char text[700];
  vsnprintf(text, sizeof(text), format, arguments);
  if (*consequence)
    vitals_note_problem(text);
  say(log, text, consequence);
}

void report_line(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say_formatted(settings()->log, "", format, arguments);
  va_end(arguments);
}

void report_line_to_stderr(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say_formatted(NULL, "", format, arguments);
  va_end(arguments);
}

/* A bit for each kind. Rules are told apart by their place; beyond the built-in ones
 * there are at most 1,000. */
static _Atomic uint16_t once_said[2048];

bool report_first(const struct idem_rule *rule, enum once what)
{
  size_t place = (size_t)(rule - settings()->rules) % sizeof(once_said);
  uint16_t bit = (uint16_t)(1u << what);
  return !(atomic_fetch_or(&once_said[place], bit) & bit);
}

static _Atomic unsigned samples;

static void tell_samples(void)
{
  unsigned count = atomic_load(&samples);
  if (count)
    report_line("%u sampled %s sent again after this process had an answer to the same one (new_sample)",
                count, idem_word(count, "call was", "calls were"));
}

void report_sample(void)
{
  static atomic_flag registered = ATOMIC_FLAG_INIT;
  if (!settings()->summary)
    return;
  atomic_fetch_add(&samples, 1);
  if (!atomic_flag_test_and_set(&registered))
    atexit(tell_samples);
}

static struct {
  _Atomic uint64_t calls, ms, input, output;
} would_save;

static void tell_would_save(void)
{
  unsigned long long calls = would_save.calls, ms = would_save.ms, input = would_save.input,
                     output = would_save.output, matched = vitals_matched();
  if (calls)
    report_line_to_stderr(
        "observe: %llu of %llu %s would have been answered from the store, which saves %llu.%llu s, %llu "
        "input and %llu output %s (IDEMSHIM_MODE=idempotent)",
        calls, matched, idem_word(matched, "call", "calls"), ms / 1000, ms % 1000 / 100, input, output,
        idem_word(output, "token", "tokens"));
}

void report_would_hit(const struct idem_answer *answer)
{
  static atomic_flag registered = ATOMIC_FLAG_INIT;
  /* In a run it is `idemshim run` that says this, in one line with the money. */
  if (!settings()->summary || settings()->run)
    return;
  atomic_fetch_add(&would_save.calls, 1);
  atomic_fetch_add(&would_save.ms, answer->duration_ms);
  atomic_fetch_add(&would_save.input, answer->usage.input > 0 ? (uint64_t)answer->usage.input : 0);
  atomic_fetch_add(&would_save.output, answer->usage.output > 0 ? (uint64_t)answer->usage.output : 0);
  if (!atomic_flag_test_and_set(&registered))
    atexit(tell_would_save);
}

void report_after_fork(void)
{
  would_save.calls = would_save.ms = would_save.input = would_save.output = 0;
  atomic_store(&samples, 0);
}

static _Atomic unsigned problems_said; /* a bit for each kind */

/* Says what becomes of the calls. It must not say of calls that are to be sent at most once that they go
 * out. */
static const char *consequence_of(enum problem_kind problem, bool early)
{
  if (problem == PROBLEM_NO_TAPE || problem == PROBLEM_NO_TURNS || problem == PROBLEM_NO_LOG)
    return "";
  const struct idem_config *config = early ? NULL : settings();
  for (size_t i = 0; config && i < config->rule_count; i++)
    if (config->rules[i].indoubt == IDEM_INDOUBT_FAIL)
      return "; calls go out as if idemshim were not there, those under indoubt=fail are refused";
  return "; calls go out as if idemshim were not there";
}

void report_problem(enum problem_kind problem, const char *format, ...)
{
  unsigned bit = 1u << problem;
  /* The settings may be what is wrong, so only finished ones say where to. */
  bool early = problem == PROBLEM_BAD_CONFIG || problem == PROBLEM_NO_LOG;
  if (!early && problem != PROBLEM_NO_TURNS)
    report_count(IDEM_COUNTER_store_error);
  if (atomic_fetch_or(&problems_said, bit) & bit)
    return;
  va_list arguments;
  va_start(arguments, format);
  say_formatted(early ? NULL : settings()->log, consequence_of(problem, early), format, arguments);
  va_end(arguments);
}

void report_want(const char *reason)
{
  if (strncmp(reason, "no memory", 9) == 0)
    report_problem(PROBLEM_NO_MEMORY, "%s", reason);
  else if (strncmp(reason, "few descriptors", 15) == 0)
    report_problem(PROBLEM_NO_DESCRIPTORS, "%s", reason);
}
