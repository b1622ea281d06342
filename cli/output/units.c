/* SPDX-License-Identifier: MIT */
/* One or two digits more than a person needs are left out everywhere: 1.4 MiB, 3m 12s. */
#include "cli/output/units.h"

#include "config/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Powers of 1024, and the units that say so. */
const char *cli_bytes(char out[CLI_UNIT_SIZE], uint64_t bytes)
{
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) {
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 " B", bytes);
    return out;
  }
  double value = (double)bytes / 1024;
  size_t unit = 0;
  /* 1023.95 would be printed as "1024.0" of its unit. */
  while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
    value /= 1024;
    unit++;
  }
  snprintf(out, CLI_UNIT_SIZE, "%.1f %s", value, units[unit]);
  return out;
}

/* Commas, whatever the locale: output is compared and parsed by scripts, too. */
const char *cli_count(char out[CLI_UNIT_SIZE], uint64_t n)
{
  char digits[24];
  int length = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;
  /* A comma before every digit that has a multiple of three from there to the end. */
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0)
      out[at++] = ',';
    out[at++] = digits[i];
  }
  out[at] = '\0';
  return out;
}

/* Two units at most: the second one says how far into the first it is. */
const char *cli_duration(char out[CLI_UNIT_SIZE], uint64_t ms)
{
  uint64_t s = ms / 1000;
  if (ms < 1000)
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 " ms", ms);
  else if (ms < 60000)
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
  else if (s < 3600)
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
  else if (s < 86400)
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s % 3600 / 60);
  else
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s % 86400 / 3600);
  return out;
}

/* The largest unit that fits, for a column that is five wide. */
const char *cli_age(char out[CLI_UNIT_SIZE], uint64_t us)
{
  static const struct {
    uint64_t seconds;
    char letter;
  } units[] = {
      {86400, 'd'},
      {3600, 'h'},
      {60, 'm'},
      {1, 's'},
  };
  uint64_t s = us / 1000000;
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (s < units[i].seconds)
      continue;
    snprintf(out, CLI_UNIT_SIZE, "%" PRIu64 "%c", s / units[i].seconds, units[i].letter);
    return out;
  }
  return strcpy(out, "now");
}

/* A clock that was set back makes a moment "just now", never a negative age. */
const char *cli_ago(char out[CLI_UNIT_SIZE], int64_t then_us)
{
  char age[CLI_UNIT_SIZE];
  /* Signed, or a moment that lies ahead would be an age of half a million years. */
  int64_t us = cli_now_us() - then_us;
  if (us < 1000000)
    return strcpy(out, "just now");
  snprintf(out, CLI_UNIT_SIZE, "%.32s ago", cli_age(age, (uint64_t)us));
  return out;
}

/* Local time, for people; cli_timestamp() is for programs. */
const char *cli_time(char out[CLI_UNIT_SIZE], int64_t us)
{
  time_t s = (time_t)(us / 1000000);
  struct tm tm;
  if (!localtime_r(&s, &tm) || strftime(out, CLI_UNIT_SIZE, "%Y-%m-%d %H:%M:%S", &tm) == 0)
    strcpy(out, "?");
  return out;
}

/* RFC 3339 in UTC, with milliseconds. */
const char *cli_timestamp(char out[CLI_UNIT_SIZE], int64_t us)
{
  time_t s = (time_t)(us / 1000000);
  struct tm tm;
  char seconds[32];
  /* A year beyond what a struct tm has, as a damaged record may say. */
  if (!gmtime_r(&s, &tm) || strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
    return strcpy(out, "?");
  snprintf(out, CLI_UNIT_SIZE, "%s.%03uZ", seconds, (unsigned)(us / 1000 % 1000));
  return out;
}

/* RFC 3339, and a zone without its colon; 0 for what is neither. strptime() knows no fraction, and zones in
 * one of their spellings. */
int64_t cli_parse_timestamp(const char *text)
{
  struct tm tm = {0};
  const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
  int64_t fraction = 0, unit = 1000000, zone = 0;
  if (!at)
    return 0;
  if (*at == '.')
    for (at++; *at >= '0' && *at <= '9'; at++)
      /* Digits beyond microseconds are read and dropped. */
      if (unit > 1)
        fraction = fraction + (*at - '0') * (unit /= 10);
  if (*at == '+' || *at == '-') {
    int hours = 0, minutes = 0;
    if (sscanf(at + 1, "%2d:%2d", &hours, &minutes) >= 1 || sscanf(at + 1, "%2d%2d", &hours, &minutes) >= 1)
      zone = (*at == '-' ? -1 : 1) * (hours * 60 + minutes) * INT64_C(60);
  }
  /* timegm(), since mktime() would take it for local time. East of Greenwich is ahead of UTC, and is taken
   * off. */
  return (timegm(&tm) - zone) * 1000000 + fraction;
}

/* Lower case, as every tool prints digests. */
const char *cli_hex(char *out, const uint8_t *bytes, unsigned size)
{
  idem_hex(bytes, size, out);
  return out;
}

int64_t cli_now_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
