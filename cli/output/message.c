/* SPDX-License-Identifier: MIT */
#include "cli/output/message.h"

#include "cli/output/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *command;

void cli_message_command(const char *name)
{
  command = name;
}

static __attribute__((format(printf, 2, 0))) void say(const char *kind, const char *format, va_list arguments)
{
  char text[2048];
  vsnprintf(text, sizeof(text), format, arguments);
  fputs("idemshim: ", stderr);
  if (command)
    fprintf(stderr, "%s: ", command);
  fputs(kind, stderr);
  cli_put_line(stderr, text, strlen(text), CLI_UNCUT);
  fputc('\n', stderr);
}

int cli_fail(int code, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say("", format, arguments);
  va_end(arguments);
  return code;
}

void cli_warn(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  say("warning: ", format, arguments);
  va_end(arguments);
}
