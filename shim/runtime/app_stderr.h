/* SPDX-License-Identifier: MIT */
/*
 * app_stderr: the app's stderr, for what a copy of the process has to say.
 *
 *     app_stderr_note(app);             // in the copy, before its descriptors are replaced
 *     ...
 *     int fd = app_stderr_is_elsewhere() ? app_stderr_open() : STDERR_FILENO;
 *
 * The copy holds no descriptor of the app's, so that nobody who waits for the end of a pipe waits for the
 * copy. It opens that stderr for each line: while the app lives, or if it is a file. A copy has one thread.
 */
#ifndef IDEMSHIM_SHIM_APP_STDERR_H
#define IDEMSHIM_SHIM_APP_STDERR_H

#include <stdbool.h>
#include <sys/types.h>

/* In the copy of process `owner`, which still has the app's stderr. */
void app_stderr_note(pid_t owner);

/* True in such a copy: STDERR_FILENO is not the app's. */
bool app_stderr_is_elsewhere(void);

/* A descriptor, which the caller closes; -1 if the app is gone or has another one by now, or if it cannot
 * be shared. */
int app_stderr_open(void);

#endif
