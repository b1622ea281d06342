/* SPDX-License-Identifier: MIT */
/*
 * What the command asks a fleet. A person who asks means now: that the fleet was away a moment ago, which
 * keeps programs from asking, is forgotten first (idem_fleet_try_again()).
 */
#include "store/records/outbox.h"
#include "store/records/removals.h"
#include "store/state/fleet_store.h"
#include "store/state/state.h"

#include <errno.h>

static int no_fleet(const struct idem_store *store, struct idem_error *error)
{
  if (!store->asked.fleet)
    return idem_error_set(error, -ENOTCONN, "there is no fleet: IDEMSHIM_FLEET is not set");
  return idem_error_set(
      error, -ENOTCONN,
      "%s: this machine has not reached its fleet yet; idemshim fleet check says whether it can", store->dir);
}

static int note_body(struct writer *writer, void *arg)
{
  const struct idem_answer *answer = arg;
  return answer->is_old ? 0 : outbox_note(writer, answer->key);
}

static int note(void *store, const struct idem_answer *answer)
{
  return state_write(store, note_body, (void *)(uintptr_t)answer, NULL);
}

/* What others have removed, while this machine did not hear of it, is not told them again. */
static int remove_first(struct idem_store *store, struct idem_error *error)
{
  int rc;
  do {
    idem_fleet_limit limit = (int64_t)store->where->call_ms * 1000;
    rc = removals_take(store, &limit);
  } while (rc > 0);
  return rc < 0 ? idem_error_set(error, rc, "%s: %s", store->where->shown,
                                 store->fleet_api->problem(store->fleet))
                : 0;
}

/* `all` puts every answer into the outbox, from where it goes like any other: where the fleet has one
 * already, that stays, and another one that is here goes (records/outbox.h). Ends at the first that cannot be
 * told. */
int idem_store_fleet_push(struct idem_store *store, bool all, uint64_t *pushed, struct idem_error *error)
{
  int rc = store->fleet_api ? 0 : no_fleet(store, error);
  if (rc == 0)
    idem_fleet_try_again(&store->stats->fleet);
  if (rc == 0)
    rc = remove_first(store, error);
  if (rc == 0 && all)
    rc = idem_store_each(store, IDEM_OLDEST_FIRST, note, store, error);
  *pushed = 0;
  while (rc >= 0) {
    idem_fleet_limit limit = (int64_t)store->where->call_ms * 1000;
    rc = outbox_push(store, &limit, error);
    if (rc == 0)
      break;
    *pushed += rc > 0;
  }
  return rc;
}

int idem_store_fleet_each(struct idem_store *store, idem_fleet_visit *visit, void *arg,
                          struct idem_error *error)
{
  if (!store->fleet_api)
    return no_fleet(store, error);
  idem_fleet_try_again(&store->stats->fleet);
  int rc = store->fleet_api->each(store->fleet, visit, arg);
  return rc < 0 ? idem_error_set(error, rc, "%s: %s", store->where->shown,
                                 store->fleet_api->problem(store->fleet))
                : rc;
}

int idem_store_fleet_check(struct idem_store *store, const struct idem_fleet *where, idem_fleet_tell *tell,
                           void *arg, struct idem_error *error)
{
  return store && store->fleet_api ? store->fleet_api->check(store->fleet, tell, arg)
                                   : fleet_store_check(where, tell, arg, error);
}
