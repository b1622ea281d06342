/* SPDX-License-Identifier: MIT */
/*
 * model: what fleet/operation.lua does to an operation's record, in plain C, small enough to be looked at in
 * every state.
 *
 *     struct model record = {0};
 *     struct model_claim claim = model_claim(&record, owner, 7, false);  // 7: the generation that it would have
 *     if (claim.verdict == MODEL_OWNED && model_sent(&record, MODEL_FENCED, owner, claim.generation)) ...
 *
 * model.c has the checker that walks through all states with three owners; operation.c lets a real server
 * take the same steps.
 */
#ifndef TESTS_FLEET_MODEL_H
#define TESTS_FLEET_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum model_state { MODEL_NONE, MODEL_CLAIMED, MODEL_SENT, MODEL_ANSWERED, MODEL_RELEASED };
enum model_verdict { MODEL_OWNED, MODEL_ANSWER, MODEL_BUSY, MODEL_IN_DOUBT };

/* What is taken out of the script to see whether the checker misses it. */
enum model_without { MODEL_FENCED, MODEL_NO_FENCE, MODEL_NO_FENCE_AT_COMMIT, MODEL_NO_DOUBT };

struct model {
  uint8_t state, owner, generation, epoch, answer; /* by which generation it was stored; 0: there is none */
  bool leased, doubt;
};

struct model_claim {
  enum model_verdict verdict;
  uint8_t generation, epoch;
  bool resent;
};

struct model_claim model_claim(struct model *record, enum model_without without, uint8_t owner,
                               uint8_t generation, bool refuses);
bool model_sent(struct model *record, enum model_without without, uint8_t owner, uint8_t generation);
bool model_commit(struct model *record, enum model_without without, uint8_t owner, uint8_t generation,
                  uint8_t epoch);
bool model_release(struct model *record, enum model_without without, uint8_t owner, uint8_t generation,
                   bool unknown);

#endif
