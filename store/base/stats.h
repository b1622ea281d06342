/* SPDX-License-Identifier: MIT */
/*
 * stats: the shared page, one file that every process maps: counters, the words that followers sleep on,
 * which answers have been replayed already, what owners let be seen of themselves (owner.h), and writes that
 * wait (commit_queue.h). One that is damaged is replaced by a new one: what it has can be lost, but for the
 * writes, without which what was left with SYNC=off is asked for again.
 *
 *     stats_add(store->stats, stats_shard(), IDEM_COUNTER_hits, 1);
 *
 *     uint32_t seen = atomic_load(stats_wake_word(store->stats, key));
 *     if (it is not done yet)
 *       stats_sleep(store->stats, key, seen, 50);        // until stats_wake(), by any process
 *
 * All of it is atomic and takes no lock. Keys share a wake word with those of the same first byte, so a wake
 * may be meant for another; and one may be lost with a process that dies. Sleepers look for themselves.
 */
#ifndef IDEMSHIM_STORE_STATS_H
#define IDEMSHIM_STORE_STATS_H

#include "fleet/fleet.h"
#include "store/base/commit_queue.h"
#include "store/base/decisions.h"
#include "store/base/owner.h"
#include "store/store.h"

/* Its name in the store, by its layout: processes of two versions may be at work in one store, and each has
 * the page that it can read. They then do not wake each other, so that sleepers see by the lock what became
 * of a claim, and a claim without a place is one whose owner cannot be seen. 0.1 has "stats". */
#define STATS_FILE "stats-8"

/* Counters and what else is to be shared have their room already. What was not there when a page was made is
 * zero, and whoever does not know of it leaves it so; what has a place now stays where it is, or the layout
 * is another one. */
enum {
  STATS_LAYOUT = 8,
  STATS_SHARDS = 16,
  STATS_COUNTERS = 64,
  STATS_WAKES = 256,
  STATS_REPLAYED = 1 << 20,
  STATS_RUNS = 2048,
  STATS_MODELS = 64,
  STATS_SPARE = 256 << 10
};

struct stats_shard {
  _Alignas(64) _Atomic uint64_t counter[STATS_COUNTERS];
};

/* What a run has sent, for budgets; and of what it may repeat, each content for itself. One that nobody has
 * counted in for longest makes room. */
struct stats_run {
  _Atomic uint64_t id; /* 0: free */
  _Atomic int64_t at_us;
  _Atomic uint64_t calls, tokens;
};

/* Of observe mode: what would have been saved by model, for money. The name is there once the
 * place is NAMED, and stays. */
enum stats_place { STATS_FREE, STATS_BEGUN, STATS_NAMED };
struct stats_model {
  _Atomic uint32_t place; /* enum stats_place */
  char name[60];
  _Atomic uint64_t input, output;
};

struct stats {
  uint32_t magic, layout;
  uint64_t size;
  int64_t since_us;
  struct stats_shard shard[STATS_SHARDS];
  _Atomic uint32_t wake[STATS_WAKES];             /* grows when a claim of a key with this first byte ends */
  _Atomic uint64_t replayed[STATS_REPLAYED / 64]; /* bit `serial`: its tokens have been counted */
  struct owners owners;
  _Alignas(4096) struct decisions decisions;
  struct stats_run run[STATS_RUNS];
  _Alignas(4096) struct commit_queue queue;
  struct idem_fleet_shared fleet;
  _Alignas(8) struct stats_model model[STATS_MODELS];
  _Atomic uint64_t nano_dollars[STATS_RUNS]; /* of each of `run` */
  _Atomic uint32_t sleepers[STATS_WAKES]; /* on each of `wake`; those that were killed there stay counted */
  uint8_t spare[STATS_SPARE - sizeof(struct idem_fleet_shared) - STATS_MODELS * sizeof(struct stats_model) -
                STATS_RUNS * sizeof(uint64_t) - STATS_WAKES * sizeof(uint32_t)];
};

/* Maps the file at `path`, made or replaced if need be, with all its space allocated. 0 or -errno. */
int stats_open(struct stats **out, const char *path);
/* What is there now, or zeros, for this process alone: nothing is written. */
int stats_open_copy(struct stats **out, const char *path);
void stats_close(struct stats *stats);

/* A shard for the calling thread. Threads and processes are spread, so that few share a cache line. */
unsigned stats_shard(void);
/* Adds, and sums up over the shards. */
void stats_add(struct stats *stats, unsigned shard, enum idem_counter counter, uint64_t n);
uint64_t stats_sum(const struct stats *stats, enum idem_counter counter);

/* True the first time for an answer, by any process: its tokens are saved once. A later answer may share its
 * bit, so a new one has it cleared. */
bool stats_first_replay(struct stats *stats, uint64_t serial);
bool stats_was_replayed(struct stats *stats, uint64_t serial);
void stats_forget_replay(struct stats *stats, uint64_t serial);

/* The word that ends of claims on `key` change; wakes those who sleep on it. Where nobody does that is no
 * system call. */
_Atomic uint32_t *stats_wake_word(struct stats *stats, const uint8_t *key);
void stats_wake(struct stats *stats, const uint8_t *key);

/* Sleeps while the word is `seen`, at most `ms`. */
void stats_sleep(struct stats *stats, const uint8_t *key, uint32_t seen, unsigned ms);

/* Adds tokens that would have been saved of a model, "" for one that is not known; the last place is for
 * all that find no other. */
void stats_would_save(struct stats *stats, struct idem_span model, const struct idem_usage *usage);

/* Counts one more call of a run, and gives NULL; or the name of what it has used up. */
const char *stats_spend(struct stats *stats, uint64_t run, const struct idem_budget *budget);
/* Counts one more call of a run, and gives how many they are. */
uint64_t stats_tally(struct stats *stats, uint64_t run);
/* Adds what an answer of the run took; -1, which says that it does not tell, is nothing. */
void stats_take(struct stats *stats, uint64_t run, const struct idem_usage *usage, uint64_t nano_dollars);

#endif
