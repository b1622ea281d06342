/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: what variables are to be where the environment does not have them, for services
 * that clear it and hosts on which every program is to be covered alike. A line is NAME=value to its end, #
 * or ; begins a comment.
 *
 *     struct idem_given given[IDEM_VARIABLE_COUNT] = {{0}};
 *     int result = idem_conf_read(&arena, "/etc/idemshim.conf", given, &error);
 *     1: it was read     0: there is none     -EINVAL: a mistake     else: refused, or it cannot be read
 *
 * A file that somebody else may write is refused: it says where answers are kept and what is sent. A mistake
 * leaves what its other lines say in `given`. Nothing is expanded: no $NAME, no backslash.
 */
#ifndef IDEMSHIM_CONF_FILE_H
#define IDEMSHIM_CONF_FILE_H

#include "config/arena.h"
#include "config/config.h"

enum {
#define X(name, values, fallback, type, member, help) IDEM_VARIABLE_##name,
#include "config/variables.def"
#undef X
  IDEM_VARIABLE_COUNT
};

/* In the order of variables.def, without IDEMSHIM_ and with a NULL behind the last. */
extern const char *const idem_variable_names[IDEM_VARIABLE_COUNT + 1];

/* Overwrites the places of the names that the file has; what it writes lives in `arena`. */
int idem_conf_read(struct idem_arena *arena, const char *path, struct idem_given *given,
                   struct idem_error *error);

#endif
