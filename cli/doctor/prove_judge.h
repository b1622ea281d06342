/* SPDX-License-Identifier: MIT */
/*
 * What two runs prove. The judge has two witnesses, the library's own events and the server's count, and says "proven" only
 * where both agree that the second run was answered without a request.
 */
#ifndef IDEMSHIM_CLI_DOCTOR_JUDGE_H
#define IDEMSHIM_CLI_DOCTOR_JUDGE_H

#include "cli/doctor/prove.h"

#include <stddef.h>

/* Adds up the events of a log; `reason` is the last that one of them gave. */
void doctor_count_events(const char *log, struct doctor_events *out, char *reason, size_t size);

/* What the judge knows besides the runs. */
struct doctor_evidence {
  const char *method; /* of the last request */
  const char *reason; /* that the library gave, or "" */
  bool has_url;       /* the command was told the address */
};

/* Sets `proven` and `verdict` from the runs. */
void doctor_judge(struct doctor_proof *proof, const struct doctor_evidence *evidence);

#endif
