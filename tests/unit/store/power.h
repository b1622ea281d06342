/* SPDX-License-Identifier: MIT */
/* power: what is written to the data file, for power.c. One file alone can stand before libc's pwrite(),
 * and that is engine.c. */
#ifndef TESTS_STORE_POWER_H
#define TESTS_STORE_POWER_H

#include <stdbool.h>
#include <sys/types.h>

/* Nothing unless a test of power.c records that file. */
void power_record(int fd, off_t at, const void *data, size_t len);

/* A disk that fails: fdatasync() does, of any file. */
extern bool power_takes_no_flush;

#endif
