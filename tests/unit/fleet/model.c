/* SPDX-License-Identifier: MIT */
/*
 * Every state that an operation with three owners can come into, by claims, sends, renewals, commits,
 * releases, deaths, ends of leases, lost records and lost claims, in any order: none of them has two stored
 * answers of one epoch, a request that goes out behind a later owner's back, or one that is sent again
 * without anybody knowing.
 */
#include "tests/unit/fleet/model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The script. */

static bool is_open(const struct model *record)
{
  return record->state == MODEL_CLAIMED || record->state == MODEL_SENT;
}

static bool is_mine(const struct model *record, enum model_without without, uint8_t owner, uint8_t generation)
{
  return without == MODEL_NO_FENCE || (record->owner == owner && record->generation == generation);
}

struct model_claim model_claim(struct model *record, enum model_without without, uint8_t owner,
                               uint8_t generation, bool refuses)
{
  struct model_claim claim = {MODEL_OWNED, record->generation, record->epoch, record->doubt};
  if ((record->state == MODEL_ANSWERED || record->state == MODEL_NONE) && record->answer)
    return (struct model_claim){.verdict = MODEL_ANSWER};
  if (record->state == MODEL_CLAIMED && record->owner == owner)
    return claim;
  if (is_open(record) && record->leased)
    return (struct model_claim){.verdict = MODEL_BUSY};
  claim.resent = record->state == MODEL_SENT || (record->state == MODEL_CLAIMED && record->doubt);
  if (claim.resent && refuses)
    return (struct model_claim){.verdict = MODEL_IN_DOUBT};
  record->state = MODEL_CLAIMED;
  record->owner = owner;
  record->generation = claim.generation = generation;
  record->leased = true;
  record->doubt = claim.resent && without != MODEL_NO_DOUBT;
  return claim;
}

bool model_sent(struct model *record, enum model_without without, uint8_t owner, uint8_t generation)
{
  if (!is_mine(record, without, owner, generation) || !is_open(record))
    return false;
  record->state = MODEL_SENT;
  record->leased = true;
  return true;
}

bool model_commit(struct model *record, enum model_without without, uint8_t owner, uint8_t generation,
                  uint8_t epoch)
{
  bool mine = is_mine(record, without, owner, generation), blind = without == MODEL_NO_FENCE_AT_COMMIT;
  if (mine && record->state == MODEL_ANSWERED)
    return true;
  if (record->state != MODEL_NONE && !blind && !(mine && is_open(record)))
    return false;
  if (record->state == MODEL_NONE && record->answer)
    return false;
  *record = (struct model){.state = MODEL_ANSWERED,
                           .owner = owner,
                           .generation = generation,
                           .epoch = (uint8_t)((epoch > record->epoch ? epoch : record->epoch) + 1),
                           .answer = generation};
  return true;
}

bool model_release(struct model *record, enum model_without without, uint8_t owner, uint8_t generation,
                   bool unknown)
{
  if (!is_mine(record, without, owner, generation) || !is_open(record))
    return false;
  bool doubt = (record->state == MODEL_SENT && unknown) || (record->state == MODEL_CLAIMED && record->doubt);
  record->state = doubt ? MODEL_SENT : MODEL_RELEASED;
  record->leased = record->doubt = false;
  return true;
}

/* The world. */

enum { OWNERS = 3, CLAIMS_MOST = 5, LIVES_MOST = 2, LOSSES_MOST = 1, ENDS_MOST = 1 };

enum phase { IDLE, CLAIMED, SENT };

/* An owner, and what it believes. Who dies comes back with another nonce. */
struct actor {
  uint8_t phase, generation, epoch, lives, era;
};

struct state {
  struct model record;
  struct actor actor[OWNERS];
  uint8_t claims, losses, ends;
  uint8_t era;        /* grows when the record is lost: what was promised before does not hold */
  uint8_t unresolved; /* something was sent in this era, and nobody knows what came of it */
  uint8_t stored_epoch[CLAIMS_MOST +
                       1]; /* by generation: the epoch of its stored answer of this era, plus 1; 0: none */
};

static uint8_t nonce_of(const struct state *state, int i)
{
  return (uint8_t)(1 + i + OWNERS * state->actor[i].lives);
}

/* What must not happen. */
static const char *fault;

/* A step of actor i; false: it cannot be made. */
typedef bool step_fn(struct state *state, enum model_without without, int i);

static bool step_claim(struct state *state, enum model_without without, int i)
{
  struct actor *actor = &state->actor[i];
  if (actor->phase == SENT || state->claims == CLAIMS_MOST)
    return false;
  struct model before = state->record;
  struct model_claim claim =
      model_claim(&state->record, without, nonce_of(state, i), (uint8_t)(state->claims + 1), false);
  state->claims += memcmp(&before, &state->record, sizeof(before)) != 0;
  if (claim.verdict != MODEL_OWNED) {
    actor->phase = IDLE;
    return true;
  }
  if (state->unresolved && !claim.resent)
    fault = "what was sent is sent again, and nobody is told";
  *actor = (struct actor){CLAIMED, claim.generation, claim.epoch, actor->lives, state->era};
  return true;
}

/* A rule that refuses is never the owner of what is in doubt. */
static bool step_claim_and_refuse(struct state *state, enum model_without without, int i)
{
  struct state copy = *state;
  if (state->actor[i].phase != IDLE)
    return false;
  struct model_claim claim = model_claim(&copy.record, without, nonce_of(state, i), CLAIMS_MOST + 1, true);
  if (claim.verdict == MODEL_OWNED && state->unresolved)
    fault = "what is in doubt is sent under indoubt=fail";
  return false;
}

static bool step_sent(struct state *state, enum model_without without, int i)
{
  struct actor *actor = &state->actor[i];
  if (actor->phase != CLAIMED)
    return false;
  if (!model_sent(&state->record, without, nonce_of(state, i), actor->generation)) {
    actor->phase = IDLE;
    return true;
  }
  for (int j = 0; j < OWNERS; j++)
    if (state->actor[j].phase != IDLE && state->actor[j].era == actor->era && actor->era == state->era &&
        state->actor[j].generation > actor->generation)
      fault = "it goes out behind a later owner's back";
  actor->phase = SENT;
  state->unresolved = actor->era == state->era || state->unresolved;
  return true;
}

static bool step_renew(struct state *state, enum model_without without, int i)
{
  return state->actor[i].phase == SENT && !state->record.leased &&
         model_sent(&state->record, without, nonce_of(state, i), state->actor[i].generation);
}

static bool step_commit(struct state *state, enum model_without without, int i)
{
  struct actor *actor = &state->actor[i];
  if (actor->phase != SENT)
    return false;
  if (model_commit(&state->record, without, nonce_of(state, i), actor->generation, actor->epoch)) {
    for (int g = 0; g <= CLAIMS_MOST; g++)
      if (g != actor->generation && state->stored_epoch[g] == actor->epoch + 1)
        fault = "two stored answers of one epoch";
    state->stored_epoch[actor->generation] = (uint8_t)(actor->epoch + 1);
    state->unresolved = false;
  }
  actor->phase = IDLE;
  return true;
}

static bool release(struct state *state, enum model_without without, int i, bool unknown)
{
  struct actor *actor = &state->actor[i];
  if (actor->phase == IDLE)
    return false;
  bool done = model_release(&state->record, without, nonce_of(state, i), actor->generation, unknown);
  if (done && actor->phase == SENT && !unknown)
    state->unresolved = false;
  actor->phase = IDLE;
  return true;
}

static bool step_release(struct state *state, enum model_without without, int i)
{
  return release(state, without, i, false);
}

static bool step_leave_unknown(struct state *state, enum model_without without, int i)
{
  return release(state, without, i, true);
}

static bool step_die(struct state *state, enum model_without without, int i)
{
  struct actor *actor = &state->actor[i];
  (void)without;
  if (actor->phase == IDLE || actor->lives + 1 == LIVES_MOST)
    return false;
  *actor = (struct actor){.lives = (uint8_t)(actor->lives + 1)};
  return true;
}

/* Steps of nobody's: made for the first actor alone. */

static bool step_lease_ends(struct state *state, enum model_without without, int i)
{
  (void)without;
  bool can = i == 0 && is_open(&state->record) && state->record.leased;
  state->record.leased &= !can;
  return can;
}

static bool step_answer_ends(struct state *state, enum model_without without, int i)
{
  (void)without;
  if (i || !state->record.answer || state->ends == ENDS_MOST)
    return false;
  state->record.answer = 0;
  state->ends++;
  /* Without its claim, nothing of that epoch is left. */
  if (state->record.state == MODEL_NONE)
    memset(state->stored_epoch, 0, sizeof(state->stored_epoch));
  return true;
}

static void begin_era(struct state *state)
{
  state->losses++;
  state->era++;
  state->unresolved = false;
}

static bool step_lose_record(struct state *state, enum model_without without, int i)
{
  (void)without;
  if (i || state->losses == LOSSES_MOST || (state->record.state == MODEL_NONE && !state->record.answer))
    return false;
  state->record = (struct model){.state = MODEL_NONE};
  memset(state->stored_epoch, 0, sizeof(state->stored_epoch));
  begin_era(state);
  return true;
}

/* Its answer stays: what was stored once is not stored over. */
static bool step_lose_claim(struct state *state, enum model_without without, int i)
{
  (void)without;
  if (i || state->losses == LOSSES_MOST || !state->record.answer || state->record.state == MODEL_NONE)
    return false;
  state->record = (struct model){.state = MODEL_NONE, .answer = state->record.answer};
  begin_era(state);
  return true;
}

static const struct {
  const char *name;
  step_fn *make;
} steps[] = {
    {"claims", step_claim},
    {"claims, and refuses", step_claim_and_refuse},
    {"sent", step_sent},
    {"renews", step_renew},
    {"commits", step_commit},
    {"releases", step_release},
    {"leaves it unknown", step_leave_unknown},
    {"dies", step_die},
    {"the lease ends", step_lease_ends},
    {"the answer ends", step_answer_ends},
    {"the record is lost", step_lose_record},
    {"the claim is lost", step_lose_claim},
};

/* The walk: a set of states that have been seen, which is also the list of those to be looked at. */

static struct {
  struct state *state;
  uint32_t *slot; /* number of a state, plus 1 */
  struct {
    uint32_t state; /* the one that it was made from, */
    uint8_t step, actor;
  } * from; /* and how */
  size_t count, room, slots;
} seen;

static uint64_t hash_of(const struct state *state)
{
  uint64_t hash = UINT64_C(1469598103934665603);
  const uint8_t *bytes = (const uint8_t *)state;
  for (size_t i = 0; i < sizeof(*state); i++)
    hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
  return hash;
}

static void remember(const struct state *state, size_t from, size_t step, int actor)
{
  size_t at = hash_of(state) & (seen.slots - 1);
  while (seen.slot[at] && memcmp(&seen.state[seen.slot[at] - 1], state, sizeof(*state)) != 0)
    at = (at + 1) & (seen.slots - 1);
  if (seen.slot[at])
    return;
  cr_assert_lt(seen.count, seen.room, "more states than there is room for");
  seen.state[seen.count] = *state;
  seen.from[seen.count].state = (uint32_t)from;
  seen.from[seen.count].step = (uint8_t)step;
  seen.from[seen.count].actor = (uint8_t)actor;
  seen.slot[at] = (uint32_t)++seen.count;
}

/* The way to the fault, its last step first. */
static void tell_way(size_t at, size_t step, int actor)
{
  cr_log_info("%s: %d %s", fault, actor, steps[step].name);
  for (; at; at = seen.from[at].state)
    cr_log_info("  after %d %s", seen.from[at].actor, steps[seen.from[at].step].name);
}

/* NULL, or what went wrong first. */
static const char *walk(enum model_without without)
{
  seen.room = 1 << 22;
  seen.slots = 1 << 23;
  seen.state = calloc(seen.room, sizeof(*seen.state));
  seen.slot = calloc(seen.slots, sizeof(*seen.slot));
  seen.from = calloc(seen.room, sizeof(*seen.from));
  cr_assert(seen.state && seen.slot && seen.from);
  fault = NULL;
  remember(&(struct state){.era = 0}, 0, 0, 0);
  for (size_t at = 0; at < seen.count && !fault; at++)
    for (size_t step = 0; step < sizeof(steps) / sizeof(*steps) && !fault; step++)
      for (int i = 0; i < OWNERS && !fault; i++) {
        struct state next = seen.state[at];
        if (steps[step].make(&next, without, i))
          remember(&next, at, step, i);
        if (fault)
          tell_way(at, step, i);
      }
  free(seen.state);
  free(seen.slot);
  free(seen.from);
  return fault;
}

Test(fleet_model, no_state_of_three_owners_breaks_a_promise)
{
  const char *found = walk(MODEL_FENCED);
  cr_expect_null(found, "%s", found);
  cr_expect_gt(seen.count, 100000, "%zu states are not all of them", seen.count);
  cr_log_info("%zu states", seen.count);
}

Test(fleet_model, without_the_fence_it_finds_the_fault)
{
  const char *found = walk(MODEL_NO_FENCE);
  cr_assert_not_null(found);
  cr_log_info("%s, after %zu states", found, seen.count);
}

Test(fleet_model, without_the_fence_at_the_commit_it_finds_two_answers)
{
  const char *found = walk(MODEL_NO_FENCE_AT_COMMIT);
  cr_assert_not_null(found);
  cr_expect_str_eq(found, "two stored answers of one epoch");
}

Test(fleet_model, without_the_memory_of_a_doubt_it_finds_the_fault)
{
  const char *found = walk(MODEL_NO_DOUBT);
  cr_assert_not_null(found);
  cr_expect_str_eq(found, "what was sent is sent again, and nobody is told");
}
