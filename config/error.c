/* SPDX-License-Identifier: MIT */
/* One line of text, whatever goes in: cut at a character, without control characters, and errno
 * is as it was. */
#include "config/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message that did not fit ends in "..." and never in half a UTF-8 character. */
static void mark_cut(char *text, size_t size)
{
  size_t cut = size - sizeof "...";

  while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
    cut--;
  memcpy(text + cut, "...", sizeof "...");
}

/* A file's name or an app's header may hold anything; a log line and a terminal must survive it. */
static void hide_controls(char *text)
{
  for (; *text; text++)
    if ((unsigned char)*text < 0x20 || *text == 0x7f)
      *text = '?';
}

/* A message that cannot be formatted is still a message. */
int idem_error_set(struct idem_error *error, int code, const char *format, ...)
{
  /* A caller may say more of the errno that it came with. */
  int saved = errno;

  if (error) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    if (len < 0)
      memcpy(error->text, "unknown error", sizeof "unknown error");
    else if ((size_t)len >= sizeof error->text)
      mark_cut(error->text, sizeof error->text);
    hide_controls(error->text);
  }
  errno = saved;
  return code;
}
