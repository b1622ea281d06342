/* SPDX-License-Identifier: MIT */
/*
 * Rules that follow each other and have one host are behind one gate. A call that no rule is for costs a
 * compare or two for each gate: the last eight bytes of the host, its length, the port; rarely, the glob.
 */
#ifndef IDEMSHIM_MATCH_H
#define IDEMSHIM_MATCH_H

#include "config/arena.h"
#include "config/config.h"

struct idem_gate {
  uint64_t tail, mask;       /* the host ends in these bytes; as many of them as are literal */
  uint32_t first, end;       /* rules[first] to before rules[end] */
  uint16_t port;             /* 0: any */
  uint16_t least_len, spare; /* the host is that long, and at most `spare` longer */
};

/* Fills config->gates from config->rules. 0 or -ENOMEM, without a message. */
int idem_gates_build(struct idem_config *config, struct idem_arena *arena);

#endif
