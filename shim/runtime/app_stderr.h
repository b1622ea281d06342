/* SPDX-License-Identifier: MIT */
/*
 * app_stderr: what was stderr when the process began, for the lines that the shim has to say.
 *
 *     if (!app_stderr_write(line, len))
 *       report_count(IDEM_COUNTER_lines_dropped);
 *
 * A daemon closes its descriptors, and number 2 is then a file of its data or a connection: a line goes only
 * to the file that was there when the process began, which a constructor looks at. It is dropped where it
 * would have to wait, as for a pipe that nobody reads.
 *
 * A copy of the process holds no descriptor of the app's, so that nobody who waits for the end of a pipe
 * waits for the copy. It opens that stderr for each line: while the app lives, or if it is a file that is
 * appended to.
 *
 * Any thread may come here. Nothing is allocated, no lock is taken, errno is changed.
 */
#ifndef IDEMSHIM_SHIM_APP_STDERR_H
#define IDEMSHIM_SHIM_APP_STDERR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* True if all of the line was written; `len` is at most PIPE_BUF, so that no pipe tears it. No signal is
 * raised. */
bool app_stderr_write(const char *line, size_t len);

/* In a copy of process `owner`, before its descriptors are replaced. */
void app_stderr_in_copy(pid_t owner);
bool app_stderr_is_of_copy(void);

/* write() for what may be a pipe whose reader has gone, or a file past RLIMIT_FSIZE:
 * neither kills the app. */
ssize_t app_stderr_write_without_signal(int fd, const char *text, size_t len);

#endif
