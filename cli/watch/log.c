/* SPDX-License-Identifier: MIT */
/* One buffer: text[at] to text[len] has come and is not taken yet. It is read until there is nothing, and
 * only then it is asked whether the name has gone to another file, so that the end of the old one is not
 * lost. */
#include "cli/watch/log.h"

#include "cli/output/units.h"
#include "config/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line that is longer than this is none of ours. */
enum { LINE_MOST = 1 << 16 };

/* What the library would find, or NULL. A mistake in a rule does not keep anybody from looking. */
static char *find_path(const struct cli_options *options)
{
  struct idem_config config;
  const char *variable = getenv("IDEMSHIM_LOG");
  if (options->log)
    return strdup(options->log);
  /* The variable alone, then: where a file of settings names the log is not known. */
  if (idem_config_load(&config, getenv, NULL) < 0)
    return variable ? strdup(variable) : NULL;
  char *path = config.log ? strdup(config.log) : NULL;
  idem_config_release(&config);
  return path;
}

/* From the beginning of the file that has the name now. */
static bool open_file(struct cli_log *log)
{
  struct stat stat;
  /* A FIFO that nobody writes to would keep us here. */
  log->fd = open(log->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (log->fd < 0 || idem_fstat(log->fd, &stat) < 0)
    return false;
  /* It would be read as a log without a line. */
  if (S_ISDIR(stat.st_mode)) {
    close(log->fd);
    log->fd = -1;
    errno = EISDIR;
    return false;
  }
  /* By this it is seen that the name has gone to another file. */
  log->inode = stat.st_ino;
  log->len = log->at = 0;
  return true;
}

/* Behind the first line break, for the place may be in the middle of a line. */
static void skip_to(struct cli_log *log, size_t before)
{
  off_t end = lseek(log->fd, 0, SEEK_END), from = end > (off_t)before ? end - (off_t)before : 0;
  /* At the beginning of the file there is nothing to pass over. Byte by byte, for a line is short and this is
   * done once. */
  char c = from ? '\0' : '\n';
  lseek(log->fd, from, SEEK_SET);
  while (c != '\n' && read(log->fd, &c, 1) == 1)
    ;
}

int cli_log_open(struct cli_log *log, const struct cli_options *options, size_t before, bool optional)
{
  *log = (struct cli_log){.fd = -1, .path = find_path(options)};
  if (!log->path || strcmp(log->path, "stderr") == 0)
    return optional ? CLI_OK
                    : cli_fail(CLI_USAGE, "no log is named; set IDEMSHIM_LOG to a file, or give --log FILE");
  if (open_file(log)) {
    skip_to(log, before);
    return CLI_OK;
  }
  log->problem = errno;
  return optional ? CLI_OK : cli_fail(CLI_STORE, "%s: %s", log->path, strerror(errno));
}

/* Rotation gives the name to another file, or cuts it short. What the old one has left is read first. */
static bool was_rotated(const struct cli_log *log)
{
  struct stat stat;
  return log->path && idem_fstatat(AT_FDCWD, log->path, &stat, 0) == 0 &&
         (log->fd < 0 || stat.st_ino != log->inode || stat.st_size < lseek(log->fd, 0, SEEK_CUR));
}

/* False: nothing has come. What was taken is moved out of the way, and there is room for a line. More than
 * that without an end is dropped, and what follows of it is no JSON. */
static bool read_more(struct cli_log *log)
{
  if (log->at) {
    memmove(log->text, log->text + log->at, log->len - log->at);
    log->len -= log->at;
    log->at = 0;
  }
  if (log->len >= LINE_MOST)
    log->len = 0;
  if (log->room - log->len < LINE_MOST) {
    char *text = realloc(log->text, log->len + (size_t)2 * LINE_MOST);
    if (!text)
      return false;
    log->text = text;
    log->room = log->len + (size_t)2 * LINE_MOST;
  }
  /* 0 at the end of the file: a log that grows has no end, and is asked again at the next call. */
  ssize_t got = log->fd < 0 ? 0 : read(log->fd, log->text + log->len, log->room - log->len);
  if (got <= 0 && was_rotated(log)) {
    if (log->fd >= 0)
      close(log->fd);
    if (open_file(log))
      got = read(log->fd, log->text, log->room);
  }
  log->len += got > 0 ? (size_t)got : 0;
  return got > 0;
}

/* Also of what is no text: whoever reads a log of others must not go by types. */
static const char *text_at(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

/* Numbers that are not there are 0, but for a time that was taken. */
static void take_line(struct cli_log *log, struct cli_event *event)
{
  const json_t *of = log->document, *ms = json_object_get(of, "ms");
  *event = (struct cli_event){.time_us = cli_parse_timestamp(text_at(of, "time")),
                              .ms = ms ? json_integer_value(ms) : -1,
                              .pid = (pid_t)json_integer_value(json_object_get(of, "pid")),
                              .status = (int)json_integer_value(json_object_get(of, "status")),
                              .name = text_at(of, "event"),
                              .id = text_at(of, "id"),
                              .reason = text_at(of, "reason"),
                              .via = text_at(of, "via"),
                              .method = text_at(of, "method"),
                              .origin = text_at(of, "origin"),
                              .path = text_at(of, "path"),
                              .scope = text_at(of, "scope")};
}

bool cli_log_next(struct cli_log *log, struct cli_event *event)
{
  /* Until a line is an event: what else somebody has written to the file is passed over. */
  for (;;) {
    char *line = log->text ? log->text + log->at : NULL,
         *end = line ? memchr(line, '\n', log->len - log->at) : NULL;
    if (!end) {
      if (!read_more(log))
        return false;
      continue;
    }
    log->at += (size_t)(end - line) + 1;
    json_decref(log->document);
    /* It stays until the next one, for the event's texts are in it. */
    log->document = json_loadb(line, (size_t)(end - line), 0, NULL);
    if (!*text_at(log->document, "event"))
      continue;
    take_line(log, event);
    return true;
  }
}

void cli_log_close(struct cli_log *log)
{
  if (log->fd >= 0)
    close(log->fd);
  json_decref(log->document);
  free(log->text);
  free(log->path);
}

/* The kernel keeps fifteen characters of a name, and a line break behind them (proc(5), comm). */
const char *cli_program_of(pid_t pid, char out[32])
{
  char path[40];
  snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? 0 : read(fd, out, 31);
  if (fd >= 0)
    close(fd);
  out[got > 0 ? got : 0] = '\0';
  out[strcspn(out, "\n")] = '\0';
  return *out ? out : strcpy(out, "?");
}

/* The port that the scheme implies is left out. */
const char *cli_host_of(const char *origin, char out[128])
{
  const char *at = strstr(origin, "://"), *begin = at ? at + 3 : origin, *colon = strrchr(begin, ':');
  bool usual = colon && (strcmp(origin + strlen(origin) - strlen(colon),
                                strncmp(origin, "http:", 5) == 0 ? ":80" : ":443") == 0);
  snprintf(out, 128, "%.*s", (int)(usual ? (size_t)(colon - begin) : strlen(begin)), begin);
  return out;
}
