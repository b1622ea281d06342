/* SPDX-License-Identifier: MIT */
/*
 * Where the store is that nobody has named: in the directory that systemd has made for the service, else in the cache of
 * the user that this process *is*. A daemon that has changed its user, and a command under sudo, still have the HOME of
 * another: files there would be refused, or be in that user's way.
 *
 *     char path[PATH_MAX];
 *     const char *found = idem_store_place(getenv, path);      "HOME": path is "/home/me/.cache/idemshim"
 *
 * The first of these that there is: $CACHE_DIRECTORY and $STATE_DIRECTORY (the first of their directories),
 * $XDG_CACHE_HOME, $HOME/.cache, and .cache in the home of /etc/passwd; the two of the user only if they are the effective
 * user's. The passwd file is read without NSS, which may ask the network. Where nothing is found, the path is one in HOME or
 * in / all the same, so that whoever opens it names an errno. No lock; any thread.
 */
#ifndef IDEMSHIM_STORE_PLACE_H
#define IDEMSHIM_STORE_PLACE_H

#include <limits.h>

/* Fills `path`, and returns what it is from: the variable's name, or "/etc/passwd". */
const char *idem_store_place(char *(*get)(const char *name), char path[PATH_MAX]);

#endif
