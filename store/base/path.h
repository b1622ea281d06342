/* SPDX-License-Identifier: MIT */
/*
 * path: directories of ours, whose files nobody else may put there or change, and messages about paths.
 *
 *     struct stat stat;
 *     if ((rc = path_make_dir(dir, error)) < 0)
 *       return rc;                                 // "/home/me/.cache: Permission denied"
 *     return path_check_dir(dir, &stat, error);
 *
 * Functions return 0 or -errno.
 */
#ifndef IDEMSHIM_STORE_PATH_H
#define IDEMSHIM_STORE_PATH_H

#include "config/config.h"

#include <sys/stat.h>

/* Says what -errno `code` means for `path`, and returns it. */
int path_fail(struct idem_error *error, int code, const char *path);

/* Makes the directory and those above it, as `mkdir -p -m 700`; 0 also if it is there. The message names the
 * one that cannot be made. */
int path_make_dir(const char *dir, struct idem_error *error);

/* Fails with a message unless `dir` is a directory of this user that no other may write to, and no link of
 * another: -EPERM, -ENOTDIR, or what the system says. */
int path_check_dir(const char *dir, struct stat *out, struct idem_error *error);

#endif
