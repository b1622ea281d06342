/* SPDX-License-Identifier: MIT */
/* Everything that is printed for people beside tables and pages. */
#include "cli/output/output.h"

#include "cli/output/text.h"
#include "cli/output/units.h"
#include "config/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What message prefixes say; set once for each command that is run, before it can fail. */
static const char *command;

/* The name is for the prefix: a message of `tape show` says so. */
void cli_message_command(const char *name)
{
  command = name;
}

/* The text is formatted first and escaped as a whole: a file's name or a server's words may be in it. Returns
 * what it was given, so that `return cli_fail(...)` is one statement. */
int cli_fail(int code, const char *format, ...)
{
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  fprintf(stderr, "idemshim: %s%s", command ? command : "", command ? ": " : "");
  cli_put_line(stderr, text, strlen(text), CLI_UNCUT);
  fputc('\n', stderr);
  return code;
}

/* Standard output alone counts: that is where stored bytes go. */
bool cli_on_terminal(void)
{
  return isatty(STDOUT_FILENO);
}

/* Asked each time rather than once, which is cheap enough and needs no order of initialisation. */
const char *cli_style(enum cli_style style)
{
  static const char *const sequences[] = {
      [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",   [CLI_DIM] = "\033[2m",
      [CLI_RED] = "\033[31m",  [CLI_GREEN] = "\033[32m",
  };
  const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
  /* no-color.org: any text in NO_COLOR that is not empty. A dumb terminal knows no sequences. */
  bool coloured = cli_on_terminal() && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
  return coloured ? sequences[style] : "";
}

/* A terminal that does not say how wide it is has 80 columns. */
size_t cli_columns(void)
{
  struct winsize size;
  if (!cli_on_terminal())
    return CLI_UNCUT;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

/* The label is our own text; the value may be anybody's. */
static void __attribute__((format(printf, 3, 0)))
put_fact(enum cli_style style, const char *label, const char *format, va_list arguments)
{
  char *text = NULL;
  int length = vasprintf(&text, format, arguments);
  printf("%s%-13s%s %s", cli_style(CLI_BOLD), label, cli_style(CLI_PLAIN), cli_style(style));
  if (length >= 0)
    cli_put_line(stdout, text, (size_t)length, CLI_UNCUT);
  puts(style == CLI_PLAIN ? "" : cli_style(CLI_PLAIN));
  if (length >= 0)
    free(text);
}

void cli_fact(const char *label, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  put_fact(CLI_PLAIN, label, format, arguments);
  va_end(arguments);
}

void cli_fact_bad(const char *label, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  put_fact(CLI_RED, label, format, arguments);
  va_end(arguments);
}

/* Saves its caller a variable and two tests for each text that may not be there. */
void cli_fact_take(const char *label, char *text)
{
  if (text && *text)
    cli_fact(label, "%s", text);
  free(text);
}

/* When the line was last drawn, or would have been on a terminal, so that a fast loop does not spend its time
 * on it; and whether it is there. */
static int64_t shown_us;
static bool is_shown;

/* Drawn over itself with a carriage return; what is behind a shorter line is erased. */
void cli_progress(void *what, uint64_t done, uint64_t total)
{
  enum { BETWEEN_US = 100000 };
  char a[CLI_UNIT_SIZE], b[CLI_UNIT_SIZE];
  int64_t now = cli_now_us();
  if (shown_us && now - shown_us < BETWEEN_US)
    return;
  shown_us = now;
  /* A log is to have no progress in it, and a loop is not to wait for a terminal. */
  is_shown = isatty(STDERR_FILENO);
  if (!is_shown)
    return;
  unsigned percent = total ? (unsigned)((double)done * 100 / (double)total) : 0;
  fprintf(stderr, "\r%s: %s of %s (%u%%)\033[K", (const char *)what, cli_count(a, done), cli_count(b, total),
          percent > 100 ? 100 : percent);
}

/* Costs nothing where no line was drawn, so it is called on every path. */
void cli_progress_end(void)
{
  if (is_shown)
    fputs("\r\033[K", stderr);
  shown_us = 0;
  is_shown = false;
}

bool cli_readable_file(const char *path)
{
  struct stat status;
  if (access(path, R_OK) < 0)
    return false;
  if (idem_fstatat(AT_FDCWD, path, &status, 0) == 0 && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    return false;
  }
  return true;
}
