/* SPDX-License-Identifier: MIT */
/*
 * How a call finds its rule. Rules that follow each other and have one host form a host group, which is
 * looked at first: a call that no rule is for costs a compare or two for each group (the last eight bytes of
 * the host, its length, the port) and, rarely, the glob. Every transfer of every program pays this, so it
 * must stay that cheap.
 *
 * idem_config_load() builds the groups once; idem_config_match() reads them without a lock.
 */
#ifndef IDEMSHIM_MATCH_H
#define IDEMSHIM_MATCH_H

#include "config/arena.h"
#include "config/config.h"

/* Rules in a row that have one host, and what is fixed about that host. */
struct idem_host_group {
  uint64_t tail, mask;       /* the host ends in these bytes; as many of them as are literal */
  uint32_t first, end;       /* rules[first] to before rules[end] */
  uint16_t port;             /* 0: any */
  uint16_t least_len, spare; /* the host is that long, and at most `spare` longer */
};

/* Fills config->groups from config->rules. 0 or -ENOMEM, without a message. */
int idem_match_build(struct idem_config *config, struct idem_arena *arena);

#endif
