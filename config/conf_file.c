/* SPDX-License-Identifier: MIT */
/* Line by line, with libc alone: this runs in the middle of an app. What systemd or a shell would read
 * otherwise than it stands there (a backslash, a quote within a value) is a mistake rather than a
 * surprise. */
#include "config/conf_file.h"

#include "config/file.h"
#include "config/place.h"

#include <errno.h>
#include <string.h>

#define PREFIX "IDEMSHIM_"

#define X(name, values, fallback, type, member, help) #name,
const char *const idem_variable_names[IDEM_VARIABLE_COUNT + 1] = {
#include "config/variables.def"
    NULL,
};
#undef X

/* The place of a name in `given`, or a mistake. */
static int find_name(const struct idem_place *place, const char *text, size_t len)
{
  size_t prefix = strlen(PREFIX);
  const char *name = text + prefix;

  if (len <= prefix || memcmp(text, PREFIX, prefix) != 0)
    return idem_place_fail(place, "expected a name that begins with " PREFIX ", not %s",
                           IDEM_QUOTE(text, len));
  len -= prefix;
  for (int i = 0; i < IDEM_VARIABLE_COUNT; i++)
    if (i != IDEM_VARIABLE_CONFIG && strlen(idem_variable_names[i]) == len &&
        memcmp(idem_variable_names[i], name, len) == 0)
      return i;
  if (len == strlen("CONFIG") && memcmp(name, "CONFIG", len) == 0)
    return idem_place_fail(place, PREFIX "CONFIG names this file, and is read from the environment alone");
  return idem_place_fail(place, "no variable has the name %s%s", IDEM_QUOTE(text, len + prefix),
                         IDEM_SUGGEST(idem_variable_names, name, len));
}

/* Takes one pair of double quotes off. */
static int read_value(const struct idem_place *place, const char **value, size_t *len)
{
  bool quoted = *len > 1 && (*value)[0] == '"' && (*value)[*len - 1] == '"';

  *value += quoted;
  *len -= quoted ? 2 : 0;
  for (size_t i = 0; i < *len; i++) {
    char c = (*value)[i];
    if (c == '"' || c == '\\' || (c == '\'' && !quoted))
      return idem_place_fail(
          place,
          "expected no %s in a value: it may have one pair of double quotes around it, and "
          "nothing is escaped",
          c == '\\' ? "backslash" : "quote");
  }
  return 0;
}

/* One line, without its newline. White space at both ends is no part of it, nor is the CR of a file from
 * Windows. 0, also for a comment and an empty line; -EINVAL, -ENOMEM. */
static int read_line(struct idem_arena *arena, const struct idem_place *place, const char *line, size_t len,
                     struct idem_given *given)
{
  while (len && strchr(" \t", *line))
    line++, len--;
  while (len && strchr(" \t\r", line[len - 1]))
    len--;
  if (!len || *line == '#' || *line == ';')
    return 0;
  const char *equals = memchr(line, '=', len);
  if (!equals)
    return idem_place_fail(place, "expected NAME=value, not %s", IDEM_QUOTE(line, len));
  int number = find_name(place, line, (size_t)(equals - line));
  if (number < 0)
    return number;
  size_t value_len = len - (size_t)(equals + 1 - line);
  const char *value = equals + 1;
  int result = read_value(place, &value, &value_len);
  if (result < 0)
    return result;
  /* A variable that stands there twice has its last value, as in a file of systemd's (EnvironmentFile=). */
  given += number;
  given->line = place->line;
  given->file = place->where;
  given->value = idem_arena_copy(arena, value, value_len);
  return given->value ? 0 : idem_error_set(place->error, -ENOMEM, "%s: out of memory", place->where);
}

/* The first mistake is told; the lines behind it are read all the same. They have no place to write a
 * message to, so the first one stays. */
int idem_conf_read(struct idem_arena *arena, const char *path, struct idem_given *given,
                   struct idem_error *error)
{
  struct idem_place place = {.where = path};
  char *data;
  size_t len;
  int result = idem_file_read_own(arena, path, &data, &len, error);

  if (result <= 0)
    return result;
  for (char *at = data, *end = data + len; at < end;) {
    char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t line_len = (size_t)((stop ? stop : end) - at);
    place.line++;
    place.error = result < 0 ? NULL : error;
    int code = memchr(at, '\0', line_len) ? idem_place_fail(&place, "expected text, not a NUL byte")
                                          : read_line(arena, &place, at, line_len, given);
    result = result < 0 ? result : code < 0 ? code : 1;
    at += line_len + 1;
  }
  return result;
}
