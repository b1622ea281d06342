/* SPDX-License-Identifier: MIT */
/*
 * A rule file, and paths against the working directory. Both run inside of an app that did not expect it: nothing waits
 * (a pipe nobody writes to), nothing is large, and no descriptor stays.
 */
#ifndef IDEMSHIM_FILE_H
#define IDEMSHIM_FILE_H

#include "config/arena.h"
#include "config/config.h"

/* Reads a regular file of at most 1 MiB. 0 or -errno; the message begins with `variable`. */
int idem_file_read(struct idem_arena *arena, const char *variable, const char *path, char **data, size_t *len,
                   struct idem_error *error);

/* The absolute path of `path`, which need not exist. 0 or -errno; the message begins with `variable`. */
int idem_path_absolute(struct idem_arena *arena, const char *variable, const char *path, char **absolute,
                       struct idem_error *error);

#endif
