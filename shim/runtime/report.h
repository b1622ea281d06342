/* SPDX-License-Identifier: MIT */
/*
 * report: what the shim says, and the one way to fail.
 *
 *     if (!memory) {
 *       report_problem(PROBLEM_NO_MEMORY, "no memory for a call");
 *       return real->easy_perform(handle);
 *     }
 *
 * There are JSON lines of what became of each call, in IDEMSHIM_LOG; one plain line for each kind of problem,
 * on stderr if there is no log; and the counters of the store. Nothing here can fail in a way that its caller
 * has to know of: a log that cannot be written is itself a problem, said once. errno is left as it was,
 * SIGPIPE is not raised, and no descriptor is kept. Any thread may come here, but for a signal handler.
 */
#ifndef IDEMSHIM_SHIM_REPORT_H
#define IDEMSHIM_SHIM_REPORT_H

#include "store/store.h"

/* One line of the log. Spans may be empty and texts NULL: the field is then left out. No credential reaches
 * this: the URL is without its query. */
struct event {
  const char *name; /* hit, join, live, stored, not_stored, in_doubt, mismatch, key_churn, expired, bypass,
                       store_error, would_hit, replayed, not_recorded, new_sample */
  const char *id;
  const char *reason;
  const char *via; /* of a hit or join: direct or transport */
  int status;
  int64_t ms; /* negative: left out */
  const struct idem_request *request;
};

/* Does nothing unless IDEMSHIM_LOG is set. */
void report_event(const struct event *event);

/* Counts in the store's page if a store is open. */
void report_count(enum idem_counter counter);

/* One line for a person: "idemshim: TEXT" to IDEMSHIM_LOG, or else to stderr; and to stderr in any case,
 * while there are no settings yet. */
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_line_to_stderr(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What is said once for a rule and process. */
enum once {
  ONCE_NOT_STORED,
  ONCE_STATEFUL,
  ONCE_NO_STORE,
  ONCE_NO_CACHE,
  ONCE_SSL_CTX,
  ONCE_LOGIN,
  ONCE_NEWER,
  ONCE_SAMPLED,
  ONCE_STALLED,
  ONCE_BUDGET,
  ONCE_UNCOUNTED,
  ONCE_FAULT,
  ONCE_ALONE
};

/* True for the first who asks. */
bool report_first(const struct idem_rule *rule, enum once what);

/* A sampled call goes out again. Where IDEMSHIM_SUMMARY is on, the process says at its exit how many have. */
void report_sample(void);
/* Mode observe: this would have been given. With IDEMSHIM_SUMMARY, the process says the sum at its exit,
 * unless it belongs to a run. */
void report_would_hit(const struct idem_answer *answer);
/* A child counts for itself. */
void report_after_fork(void);

/* What can go wrong inside us. */
enum problem_kind {
  PROBLEM_BAD_CONFIG,
  PROBLEM_NO_STORE_OBJECT,
  PROBLEM_STORE_NOT_OPENED,
  PROBLEM_STORE_FAILED,
  PROBLEM_ANSWER_NOT_STORED,
  PROBLEM_OTHERS_NOT_STORED,
  PROBLEM_NO_MEMORY,
  PROBLEM_NO_LOG,
  PROBLEM_NO_STACK,
  PROBLEM_NO_DESCRIPTORS,
  PROBLEM_NO_TURNS,
  PROBLEM_NO_TAPE,
  PROBLEM_LIBCURL_LACKS,
};

/* Fails open: says why in one line, once for each kind in a process, and counts. The caller then goes
 * live. */
void report_problem(enum problem_kind problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same where the reason for which a call goes out, or an answer is not stored, is that there is no
 * memory, or no descriptor. */
void report_want(const char *reason);

#endif
