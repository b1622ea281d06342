/* SPDX-License-Identifier: MIT */
#include "tests/fidelity/fidelity.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { SHORT = 120 };

void say(FILE *out, const char *format, ...)
{
  char line[2048];
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  fprintf(out, "%s\n", line);
}

static void put_escaped(FILE *out, const char *bytes, size_t len)
{
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c == '\r' || c == '\n')
      fputs(c == '\r' ? "\\r" : "\\n", out);
    else if (c < ' ' || c >= 127 || c == '"' || c == '\\')
      fprintf(out, "\\x%02x", c);
    else
      fputc(c, out);
  }
}

static uint64_t fnv1a(const char *bytes, size_t len)
{
  uint64_t hash = 14695981039346656037u;

  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
  return hash;
}

static bool begins_with(const char *bytes, size_t len, const char *word)
{
  return len > strlen(word) && !strncasecmp(bytes, word, strlen(word));
}

void say_bytes(FILE *out, const char *what, const char *bytes, size_t len)
{
  fprintf(out, "%s %zu ", what, len);
  if (begins_with(bytes, len, "Date: "))
    fputs("\"Date: *", out);
  else if (len <= SHORT) {
    fputc('"', out);
    put_escaped(out, bytes, len);
  } else {
    fprintf(out, "%016" PRIx64 " \"", fnv1a(bytes, len));
    put_escaped(out, bytes, 24);
    fputs("...", out);
  }
  fputs("\"\n", out);
}

void say_list(FILE *out, const char *title, const struct curl_slist *list)
{
  say(out, "%s:%s", title, list ? "" : " none");
  for (; list; list = list->next)
    say_bytes(out, "  -", list->data, strlen(list->data));
}

/* libcurl lets a cookie live for 400 days at most in newer versions (8.14 does), from the minute in which it
 * came: two runs beside a full minute differ. */
static void hide_capped_expiry(char *cookie)
{
  enum { DAY = 24 * 60 * 60 };
  char *at = cookie;

  for (int field = 0; at && field < 4; field++)
    at = strchr(at, '\t') ? strchr(at, '\t') + 1 : NULL;
  long days = at ? (strtol(at, NULL, 10) - (long)time(NULL)) / DAY : 0;
  if (days == 399 || days == 400)
    memset(at, '#', strcspn(at, "\t"));
}

void say_cookies(struct watch *w)
{
  struct curl_slist *cookies = NULL;
  CURLcode code = curl_easy_getinfo(w->easy, CURLINFO_COOKIELIST, &cookies);

  if (code)
    say(w->out, "cookies: %d", (int)code);
  for (struct curl_slist *cookie = cookies; cookie; cookie = cookie->next)
    hide_capped_expiry(cookie->data);
  if (!code)
    say_list(w->out, "cookies", cookies);
  curl_slist_free_all(cookies);
}

const char *own_file(const char *name)
{
  static char paths[4][512];
  static unsigned next;
  char *path = paths[next++ % 4];
  const char *home = getenv("HOME");

  snprintf(path, sizeof paths[0], "%s/fidelity-%s", home ? home : ".", name);
  return path;
}

/* Comments of libcurl's own files carry its name and its version's words. */
void print_file(const char *title, const char *path)
{
  FILE *file = fopen(path, "re");
  char line[1024];

  say(stdout, "%s:%s", title, file ? "" : " no file");
  while (file && fgets(line, sizeof line, file))
    if (*line != '\n' && !begins_with(line, strlen(line), "# ")) {
      hide_capped_expiry(line);
      say_bytes(stdout, "  -", line, strlen(line));
    }
  if (file)
    fclose(file);
}
