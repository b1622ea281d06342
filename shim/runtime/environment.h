/* SPDX-License-Identifier: MIT */
/* The environment that the program was started with, for hooks that run before libc has one (.preinit_array),
 * and for programs that clear theirs (php-fpm's workers). */
#ifndef IDEMSHIM_SHIM_ENVIRONMENT_H
#define IDEMSHIM_SHIM_ENVIRONMENT_H

/* Makes ready for environment_get(); environment_close() ends it, and what was got must have been copied by
 * then. */
void environment_open(void);
void environment_close(void);

/* As getenv(), and what it does not find as it was at the start. */
char *environment_get(const char *name);

#endif
