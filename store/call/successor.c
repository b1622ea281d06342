/* SPDX-License-Identifier: MIT */
/*
 * A store that was removed or replaced while a call was under way. Its claim is of the old store, and its
 * answer is kept there, for those who follow it. It was paid for, so that it is to be had afterwards, too: it
 * is named anew, by the secret of the store that is in the place now, and stored there as if it had been
 * asked for there.
 */
#include "store/call/call.h"

#include <errno.h>

/* Whoever has the claim there does not know of this one, and is not waited for. */
static int commit_in(struct idem_store *store, const struct idem_call *of, const struct idem_request *request,
                     const struct idem_recording *recording, struct idem_error *why)
{
  struct idem_call call = IDEM_CALL_INIT;
  call.deadline_us = of->deadline_us;
  call.skip_answers = of->skip_answers;
  call.passed = IDEM_PASS_ALL;
  int rc = idem_store_enter(store, request, &call, why);
  if (rc < 0)
    return rc;
  if (rc == IDEM_OWNED) {
    rc = idem_store_commit(store, &call, request, recording, why);
  } else {
    idem_error_set(why, 0, "the store was replaced meanwhile, and the one in its place has another's");
    rc = IDEM_SUPERSEDED;
  }
  idem_store_leave(store, &call, recording->delivered);
  return rc;
}

int call_commit_to_successor(const struct idem_store *store, const struct idem_call *call,
                             const struct idem_request *request, const struct idem_recording *recording,
                             struct idem_error *why)
{
  struct idem_recording again = *recording;
  struct idem_store *next;
  int rc = state_open_successor(store, &next, why);
  if (rc < 0)
    return rc;
  /* What has read the body as it came has said all that it had to say. */
  again.judge = NULL;
  rc = commit_in(next, call, request, &again, why);
  idem_store_close(next);
  return rc;
}
