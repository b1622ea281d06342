/* SPDX-License-Identifier: MIT */
/* The app's stderr, for what a copy of the process has to say. The copy holds no descriptor of the app's, so
 * that nobody who waits for the end of a pipe waits for the copy: it opens that stderr for each line, while
 * the app lives or if it is a file. */
#ifndef IDEMSHIM_SHIM_OWNER_STDERR_H
#define IDEMSHIM_SHIM_OWNER_STDERR_H

#include <stdbool.h>
#include <sys/types.h>

/* In the copy of process `owner`, which still has the app's stderr. */
void app_stderr_note(pid_t owner);

/* True in such a copy: STDERR_FILENO is not the app's. */
bool app_stderr_is_elsewhere(void);

/* The caller's to close; -1 if the app is gone or has another one by now, or if it cannot be shared. */
int app_stderr_open(void);

#endif
