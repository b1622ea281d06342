/* SPDX-License-Identifier: MIT */
/*
 * fault: what is to go wrong in a run that asks for it, as --fault and IDEMSHIM_FAULT have it.
 *
 *     struct idem_fault fault;
 *     if (idem_fault_parse("429@3", 5, &fault) == 0) ...       exchange 3 alone is answered with 429
 *     at = idem_fault_find(faults, count, number);             its own, or that of every exchange; NULL
 */
#ifndef IDEMSHIM_FAULT_H
#define IDEMSHIM_FAULT_H

#include <stddef.h>
#include <stdint.h>

enum idem_fault_kind { IDEM_FAULT_STATUS, IDEM_FAULT_CUT, IDEM_FAULT_STALL, IDEM_FAULT_RESET };
enum { IDEM_FAULTS_MOST = 64 };

/* `part` of the body comes before a cut, 0 to less than 1; for `stall_ms` nothing comes. Each is of one
 * kind alone. `status` is one of 200 to 599. The number is that of an exchange on the tape, or with
 * IDEMSHIM_FAULT that of a call of the run. */
struct idem_fault {
  enum idem_fault_kind kind;
  uint64_t number; /* of the exchange; 0: every one */
  unsigned status;
  double part;
  uint64_t stall_ms;
};

/* "429@3", "cut@0.5", "stall:30s", "reset". 0, or -EINVAL. */
int idem_fault_parse(const char *word, size_t len, struct idem_fault *fault);
/* The one for exchange `number`, or NULL. Nothing is allocated, and any thread may ask. */
const struct idem_fault *idem_fault_find(const struct idem_fault *faults, size_t count, uint64_t number);

#endif
