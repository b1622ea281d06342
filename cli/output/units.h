/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people read them. Each writes into the caller's buffer, which CLI_UNIT_SIZE always suffices for,
 * and returns it, so that it can stand among printf's arguments:
 *
 *     char size[CLI_UNIT_SIZE], took[CLI_UNIT_SIZE];
 *     printf("%s in %s\n", cli_bytes(size, 1468006), cli_duration(took, 1200));      "1.4 MiB in 1.2 s"
 */
#ifndef IDEMSHIM_CLI_UNITS_H
#define IDEMSHIM_CLI_UNITS_H

#include <stdint.h>

/* Longer than the longest of them. */
#define CLI_UNIT_SIZE 40

const char *cli_bytes(char out[CLI_UNIT_SIZE], uint64_t bytes); /* "812 B", "1.4 MiB" */
const char *cli_count(char out[CLI_UNIT_SIZE], uint64_t n);     /* "1,234,567" */
const char *cli_duration(char out[CLI_UNIT_SIZE], uint64_t ms); /* "85 ms", "1.2 s", "3m 12s", "2d 4h" */
const char *cli_age(char out[CLI_UNIT_SIZE], uint64_t us);      /* one unit: "now", "12s", "5m", "3h", "9d" */
const char *cli_ago(char out[CLI_UNIT_SIZE], int64_t then_us);  /* "just now", "5m ago" */
const char *cli_time(char out[CLI_UNIT_SIZE], int64_t us);      /* "2026-11-22 14:03:09", local time */
const char *cli_timestamp(char out[CLI_UNIT_SIZE], int64_t us); /* "2026-11-22T14:03:09.120Z" */
/* The other way: "2026-11-22T10:00:00.123+01:00", with as many digits as there are; 0 if it is none. */
int64_t cli_parse_timestamp(const char *text);
const char *cli_hex(char *out, const uint8_t *bytes, unsigned size); /* `out` has 2 * size + 1 */

int64_t cli_now_us(void);

#endif
