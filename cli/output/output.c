/* SPDX-License-Identifier: MIT */
#include "cli/output/output.h"

#include "cli/output/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool cli_on_terminal(void)
{
  return isatty(STDOUT_FILENO);
}

static bool coloured(void)
{
  const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
  return cli_on_terminal() && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

const char *cli_style(enum cli_style style)
{
  static const char *const sequences[] = {
      [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",   [CLI_DIM] = "\033[2m",
      [CLI_RED] = "\033[31m",  [CLI_GREEN] = "\033[32m",
  };
  return coloured() ? sequences[style] : "";
}

size_t cli_columns(void)
{
  struct winsize size;
  if (!cli_on_terminal())
    return CLI_UNCUT;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
    return 80;
  return size.ws_col;
}

void cli_fact(const char *label, const char *format, ...)
{
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  printf("%s%-13s%s ", cli_style(CLI_BOLD), label, cli_style(CLI_PLAIN));
  if (length >= 0)
    cli_put_line(stdout, text, (size_t)length, CLI_UNCUT);
  putchar('\n');
  if (length >= 0)
    free(text);
}
