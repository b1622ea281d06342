/* SPDX-License-Identifier: MIT */
/*
 * Where the store is that nobody has named: in the directory that systemd has made for the service, else in
 * the cache of the user that this process *is*. A daemon that has changed its user, and a command under sudo,
 * still have the HOME of another: files there would be refused, or be in that user's way.
 *
 *     char path[PATH_MAX];
 *     const char *found = idem_store_of_service(getenv, path);
 *     if (!found)
 *       found = idem_store_of_user(getenv, path);             "HOME": path is "/home/me/.cache/idemshim"
 *
 * Both fill `path` and return what it is from, a variable's name or "/etc/passwd". The passwd file is read
 * without NSS, which may ask the network. No lock; any thread.
 */
#ifndef IDEMSHIM_STORE_PLACE_H
#define IDEMSHIM_STORE_PLACE_H

#include <limits.h>

/* In the first directory of $CACHE_DIRECTORY, else of $STATE_DIRECTORY; NULL without either. */
const char *idem_store_of_service(char *(*get)(const char *name), char path[PATH_MAX]);

/* In $XDG_CACHE_HOME, $HOME/.cache, or .cache in the home of /etc/passwd, the first two only if they are the
 * effective user's. Where all fails the path is one in HOME or in /, so that whoever opens it names an
 * errno. */
const char *idem_store_of_user(char *(*get)(const char *name), char path[PATH_MAX]);

#endif
