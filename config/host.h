/* SPDX-License-Identifier: MIT */
/* A host as a rule names it: a glob, with or without port; an IPv6 address in brackets where a port follows.
 */
#ifndef IDEMSHIM_HOST_H
#define IDEMSHIM_HOST_H

#include "config/text.h"
#include "config/value.h"

/* Lower case, without brackets; an IPv6 address in its normal form. `*port` is 0 if none is given. */
int idem_host_parse(const struct idem_value *value, char **host, uint16_t *port);
void idem_host_format(struct idem_text *text, const char *host, uint16_t port);

#endif
