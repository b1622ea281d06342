/* SPDX-License-Identifier: MIT */
/*
 * A rule file, and paths against the working directory. Both run inside of an app that did not expect it:
 * nothing waits (a pipe nobody writes to), nothing is large, and no descriptor stays.
 */
#ifndef IDEMSHIM_FILE_H
#define IDEMSHIM_FILE_H

#include "config/arena.h"
#include "config/config.h"

/* Reads a regular file of at most 1 MiB, without the byte order mark that Windows editors write. 0 or -errno;
 * the message begins with `variable`. */
int idem_file_read(struct idem_arena *arena, const char *variable, const char *path, char **data, size_t *len,
                   struct idem_error *error);

/*
 * The same for a file that the user need not have named, and that nobody else may have written: it is root's
 * or the effective user's (root reads none but his own), no link, and neither its group nor others may write
 * it. 1: it was read, 0: there is none.
 */
int idem_file_read_own(struct idem_arena *arena, const char *path, char **data, size_t *len,
                       struct idem_error *error);

/* For a secret: the file is root's or the effective user's, others may not read it, and its group may not
 * write it. A link is followed, for that is what a secret in a container is. As idem_file_read(). */
int idem_file_read_secret(struct idem_arena *arena, const char *variable, const char *path, char **data,
                          size_t *len, struct idem_error *error);

/* The absolute path of `path`, which need not exist. 0 or -errno; the message begins with `variable`. */
int idem_path_absolute(struct idem_arena *arena, const char *variable, const char *path, char **absolute,
                       struct idem_error *error);

#endif
