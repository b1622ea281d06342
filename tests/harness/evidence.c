/* SPDX-License-Identifier: MIT */
#include "tests/harness/own.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 3 };

/* Files. */

/* Reads `len` bytes at `from`, or what there is. */
static char *read_range(int fd, off_t from, size_t *len)
{
  char *bytes = malloc(*len + 1);
  size_t got = 0;
  ssize_t n;

  if (!bytes)
    give_up("out of memory");
  while (got < *len && (n = pread(fd, bytes + got, *len - got, from + (off_t)got)) > 0)
    got += (size_t)n;
  bytes[got] = 0;
  *len = got;
  return bytes;
}

char *file_read(const char *path, size_t *len)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  char *bytes;
  size_t size;

  if (fd < 0)
    return NULL;
  size = (size_t)lseek(fd, 0, SEEK_END);
  bytes = read_range(fd, 0, &size);
  close(fd);
  if (len)
    *len = size;
  return bytes;
}

/* A store's map may be a large sparse file, so only what was written is read. */
static bool one_file_contains(const char *path, const void *needle, size_t needle_len)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  off_t data = 0, hole;
  bool found = false;

  if (fd < 0)
    give_up("cannot search %s: %m", path);
  while (!found && (data = lseek(fd, data, SEEK_DATA)) >= 0 && (hole = lseek(fd, data, SEEK_HOLE)) > data) {
    size_t len = (size_t)(hole - data);
    char *bytes = read_range(fd, data, &len);
    found = memmem(bytes, len, needle, needle_len);
    free(bytes);
    data = hole;
  }
  close(fd);
  return found;
}

static struct {
  const void *needle;
  size_t len;
} wanted; /* nftw passes no argument */

static int search_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
  (void)at;
  return type == FTW_F && S_ISREG(info->st_mode) && one_file_contains(path, wanted.needle, wanted.len);
}

bool file_contains_bytes(const char *path, const void *needle, size_t len)
{
  int found;

  wanted.needle = needle;
  wanted.len = len;
  found = nftw(path, search_one, 16, FTW_PHYS);
  if (found < 0)
    give_up("cannot search %s: %m", path);
  return found;
}

bool file_contains(const char *path, const char *text)
{
  return file_contains_bytes(path, text, strlen(text));
}

/* The log. */

/* Counts the lines with this event; `*last` (may be NULL) gets the last one. */
static int scan_log(const struct world *w, const char *name, json_t **last)
{
  char *log = file_read(w->log, NULL), *place = NULL;
  int count = 0;

  for (char *line = log ? strtok_r(log, "\n", &place) : NULL; line; line = strtok_r(NULL, "\n", &place)) {
    json_t *json = json_loads(line, 0, NULL);
    const char *event = json_string_value(json_object_get(json, "event"));
    bool counts = event && !strcmp(event, name);
    count += counts;
    if (counts && last) {
      json_decref(*last);
      *last = json_incref(json);
    }
    json_decref(json);
  }
  free(log);
  return count;
}

int log_events(const struct world *w, const char *name)
{
  return scan_log(w, name, NULL);
}

json_t *log_last(const struct world *w, const char *name)
{
  json_t *last = NULL;

  scan_log(w, name, &last);
  return last;
}

bool log_contains(const struct world *w, const char *text)
{
  size_t len;
  char *log = file_read(w->log, &len);
  bool found = log && memmem(log, len, text, strlen(text));

  free(log);
  return found;
}

/* What two runs have in common. */

static const char *const marks[] = {
    "X-Idempotency-Replayed:",
    "X-From-Cache:",
    "X-Original-Request-Time:",
    "X-Idemshim-Id:",
};

static bool is_mark(const char *line)
{
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
    if (!strncasecmp(line, marks[i], strlen(marks[i])))
      return true;
  return false;
}

int strip_marks(char *headers)
{
  char *to = headers, *end;
  int stripped = 0;

  for (char *line = headers; *line; line = end) {
    end = strchr(line, '\n');
    end = end ? end + 1 : line + strlen(line);
    if (is_mark(line)) {
      stripped++;
    } else {
      memmove(to, line, (size_t)(end - line));
      to += end - line;
    }
  }
  *to = 0;
  return stripped;
}

void strip_checksums(char *text)
{
  for (char *sum; (sum = strstr(text, " checksum="));)
    memmove(sum, sum + strcspn(sum, "\n"), strlen(sum + strcspn(sum, "\n")) + 1);
}

/* Some bytes round `at`, printable. */
static void excerpt(char *out, size_t size, const unsigned char *bytes, size_t len, size_t at)
{
  size_t from = at > 24 ? at - 24 : 0, to = len - at > 40 ? at + 40 : len, n = 0;

  for (size_t i = from; i < to && n + 5 < size; i++) {
    const char *mark = i == at ? ">" : "";
    if (bytes[i] >= ' ' && bytes[i] < 127)
      n += (size_t)snprintf(out + n, size - n, "%s%c", mark, bytes[i]);
    else
      n += (size_t)snprintf(out + n, size - n, "%s\\x%02x", mark, bytes[i]);
  }
  out[n] = 0;
}

void strip_one_read(char *lines)
{
  enum { ONE_READ = 16384 };
  static const char word[] = "read";
  for (char *at = lines; (at = strstr(at, " bytes="));) {
    char *end;
    at += sizeof(" bytes=") - 1;
    unsigned long bytes = strtoul(at, &end, 10);
    if ((size_t)(end - at) < sizeof(word) - 1 || bytes > ONE_READ)
      continue;
    memcpy(at, word, sizeof(word) - 1);
    memmove(at + sizeof(word) - 1, end, strlen(end) + 1);
  }
}

void expect_same_bytes(const char *what, const void *a, size_t a_len, const void *b, size_t b_len)
{
  const unsigned char *x = a, *y = b;
  size_t shorter = a_len < b_len ? a_len : b_len, at = 0;
  char x_text[400], y_text[400];

  while (at < shorter && x[at] == y[at])
    at++;
  if (at == a_len && at == b_len)
    return;
  excerpt(x_text, sizeof x_text, x, a_len, at);
  excerpt(y_text, sizeof y_text, y, b_len, at);
  cr_expect_fail("%s: %zu and %zu bytes, different from byte %zu on\n  %s\n  %s", what, a_len, b_len, at,
                 x_text, y_text);
}

void expect_same_output(const struct run *a, const struct run *b)
{
  cr_expect_eq(a->status, b->status, "exit status: %d and %d (%s / %s)", a->status, b->status, a->err,
               b->err);
  expect_same_bytes("standard output", a->out, a->out_len, b->out, b->out_len);
}

void expect_success(const struct run *run)
{
  cr_expect(run->status == 0, "exit status %d, signal %d%s, after %lld ms: %s", run->status, run->signal,
            run->timed_out ? ", out of time" : "", (long long)run->ms, run->err);
}

/* Time. */

int64_t ms_since(const struct timespec *began)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)(now.tv_sec - began->tv_sec) * 1000 + (now.tv_nsec - began->tv_nsec) / 1000000;
}

void wait_more(const struct timespec *began, const char *file, int line, const char *condition)
{
  struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
  int64_t patience_ms = run_deadline_ms() / 2;

  if (ms_since(began) > patience_ms)
    give_up("%s:%d: this did not come true in %ld s: %s", file, line, (long)patience_ms / 1000, condition);
  nanosleep(&pause, NULL);
}

int count_of(const char *text, const char *needle)
{
  int count = 0;
  for (const char *at = text; (at = strstr(at, needle)); at += strlen(needle))
    count++;
  return count;
}
