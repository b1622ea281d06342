/* SPDX-License-Identifier: MIT */
/*
 * fleet: one operation's claim and answer in a Redis that many machines share.
 *
 *     rc = api->claim(fleet, &limit, &claim);                // whose is it?
 *     switch (claim.verdict) {
 *     case IDEM_FLEET_ANSWER: keep(claim.record, claim.record_len);  api->answer_free(&claim);  break;
 *     case IDEM_FLEET_OWNED:
 *       if (api->sent(fleet, &limit, &claim.fence, 0) == 1)  // before the first byte; 0: it must not be sent
 *         result = send_live();
 *       api->renew(fleet, &claim.fence);                     // now and then; seldom waits
 *       rc = api->commit(fleet, &limit, &claim.fence, record, len, ttl_ms, keep_ms);  // 1: stored, 0: superseded
 *       break;
 *     case IDEM_FLEET_BUSY: api->follow(fleet, key, 200, &after, take, arg);      // then claim again
 *     }
 *
 * A claim is a lease in time of the server, and a fence: a generation that grows with each owner, and a
 * nonce. A lease that ends before `sent` is free again; after it the operation is in doubt. The fence is
 * looked at before the first byte goes out and when the answer is stored, so that whoever was passed over
 * neither sends nor overwrites. Every step may be repeated: one whose reply was lost is found done.
 *
 * Functions return 0 or what is said, or -errno: the fleet cannot be asked, and the machine works alone.
 * -EAGAIN: it was not asked, since it was away a moment ago (`shared` says so to all processes), or no
 * connection is free. None waits longer than the URL's limits, or than what is left in `limit`. All but open
 * and close may be called from any thread. They make no thread, no lock that a fork could break, and no
 * signal.
 *
 * What comes back is not to be trusted: lengths and numbers are checked here, and a record by who keeps it.
 */
#ifndef IDEMSHIM_FLEET_FLEET_H
#define IDEMSHIM_FLEET_FLEET_H

#include "config/fleet.h"

#include <stdatomic.h>
#include <sys/types.h>

/* Bytes of an operation's key; hexadecimal digits of an owner's nonce, which is 16 random bytes; bytes of an
 * identity with its NUL. */
enum { IDEM_FLEET_KEY = 32, IDEM_FLEET_OWNER = 32, IDEM_FLEET_IDENTITY = 160 };

/* Of a page that all processes of the machine share; zeros to begin with. The servers of a
 * cluster go away one by one. */
enum { IDEM_FLEET_SERVERS = 128 };
struct idem_fleet_shared {
  uint8_t of_before[256];    /* where older versions have `away`, of 16 servers: what follows has its place */
  _Atomic uint32_t changes;  /* grows when one goes away or comes back, */
  _Atomic uint32_t told;     /* and how far people were told of that */
  _Atomic int64_t looked_us; /* for removals */
  _Atomic int64_t unshared;  /* grows with each answer that the fleet could not be told; 0: it has all */
  _Atomic uint64_t removed[2]; /* the id of the last one that was seen */
  struct idem_fleet_away {
    _Atomic int64_t until_us;  /* CLOCK_MONOTONIC; 0: it is there */
    _Atomic uint32_t failures; /* one after the other, */
    _Atomic uint32_t step;     /* and how often it was tried again in vain */
    _Atomic uint32_t whose;    /* in a cluster: the server, by its address; 0: nobody's */
  } away[IDEM_FLEET_SERVERS];
};

/* True from when a server has gone until it has given an answer again: a try that is under way changes
 * nothing yet. For what people are told; who wants to ask asks, and gets -EAGAIN. */
static inline bool idem_fleet_is_away(const struct idem_fleet_shared *shared)
{
  bool away = false;
  for (int i = 0; i < IDEM_FLEET_SERVERS; i++)
    away |= atomic_load_explicit(&shared->away[i].until_us, memory_order_relaxed) != 0;
  return away;
}

/* True if somebody was refused or met silence, and nobody has been answered since. */
static inline bool idem_fleet_has_failed(const struct idem_fleet_shared *shared)
{
  bool failed = false;
  for (int i = 0; i < IDEM_FLEET_SERVERS; i++)
    failed |= atomic_load_explicit(&shared->away[i].failures, memory_order_relaxed) != 0;
  return failed;
}

/* For a person's command, which asks whatever programs have found out: they know then, too. 1 is a moment
 * that is over, so that whoever asks next finds out for all. */
static inline void idem_fleet_try_again(struct idem_fleet_shared *shared)
{
  for (int i = 0; i < IDEM_FLEET_SERVERS; i++)
    if (atomic_load(&shared->away[i].until_us))
      atomic_store(&shared->away[i].until_us, 1);
}

struct idem_fleet_client;

struct idem_fleet_options {
  const struct idem_fleet *where;   /* stays as it is */
  struct idem_fleet_shared *shared; /* stays mapped until the client is closed */
  uint32_t (*life)(void);           /* which process this is: another number in every child, and never 0 */
  const char *identity;             /* what this machine knows the fleet by; NULL: it asks */
};

/* µs that a call may still wait for the fleet; each function takes away what it has used. With nothing left
 * nobody is asked, which is -EAGAIN. */
typedef int64_t idem_fleet_limit;

/* Whose claim it is. The server compares both: a failover may lose a claim, and two owners could then have
 * one generation; the nonce tells them apart. `epoch` is how many answers the operation has had. The key for
 * upstream is made of it, and a commit takes the greater of this one and the server's, plus 1: after an
 * answer upstream is asked under another key. */
struct idem_fleet_fence {
  uint8_t key[IDEM_FLEET_KEY];
  char owner[IDEM_FLEET_OWNER + 1]; /* made once, before the first try */
  uint64_t generation, epoch;
};

enum idem_fleet_verdict {
  IDEM_FLEET_OWNED,
  IDEM_FLEET_ANSWER,
  IDEM_FLEET_BUSY,
  IDEM_FLEET_IN_DOUBT, /* `refuses`, and it was sent */
  IDEM_FLEET_MISMATCH, /* it was sent with another content, and this one is not a retry of it */
  IDEM_FLEET_NO_ANSWER /* it was only asked for one: by look(), or with keep_ms 0, where nothing is claimed */
};

/* The first part is filled by the caller; of the second only what is named for the verdict has a meaning.
 * `record` is NULL or allocated: answer_free() frees it after any verdict, and who wants to keep it takes the
 * pointer away and frees it with free(). */
struct idem_fleet_claim {
  struct idem_fleet_fence fence; /* key and owner are the caller's; OWNED fills the rest */
  const uint8_t *fingerprint;
  uint64_t dead;       /* the generation of an owner that is known to have died, so that
                        * nobody waits for its lease; 0: none */
  uint64_t before;     /* OWNED: its generation is greater, as those of its machine are, too */
  bool refuses;        /* what is in doubt is not sent again */
  bool any_content;    /* another content is the same operation */
  int64_t most_age_ms; /* of an answer; -1: any, -2: none will do */
  uint64_t keep_ms;    /* how long the claim is remembered */
  /* out */
  enum idem_fleet_verdict verdict;
  bool resent;         /* OWNED: it was sent before, with no known outcome */
  bool mismatched;     /* BUSY: with another content */
  uint64_t generation; /* whose it is, or was */
  int64_t left_ms;     /* BUSY: of its lease; ANSWER: to its end */
  int64_t age_ms;      /* ANSWER */
  char *record;        /* ANSWER: bytes that anybody may have written */
  size_t record_len;
};

/* An item of a stream: a piece, or its end, whose `bytes` are "0" after a commit and "1" if there is no
 * answer. They are gone when this returns. Non-zero ends the reading, and is what the reader returns: a
 * negative number, so that it is no verdict. */
typedef int idem_fleet_piece(void *arg, uint64_t number, const char *bytes, size_t len, bool over);

enum { IDEM_FLEET_NOTHING, IDEM_FLEET_PIECES, IDEM_FLEET_OVER };

/* Of removed operations, as many as were read at once: 0, or a negative number. A key
 * may stand there twice. */
enum { IDEM_FLEET_REMOVED = 1000 };
typedef int idem_fleet_removed(void *arg, const uint8_t (*keys)[IDEM_FLEET_KEY], size_t count);

/* For the command, of each claim: its key and its state, one of C, S, A and R (claimed, sent, answered,
 * released). The letter is the server's: another one is to be expected. */
typedef int idem_fleet_visit(void *arg, const uint8_t key[IDEM_FLEET_KEY], char state, uint64_t generation);

/* What a check finds: of what, and a line. */
enum idem_fleet_finding { IDEM_FLEET_GOOD, IDEM_FLEET_WARN, IDEM_FLEET_BAD };
typedef void idem_fleet_tell(void *arg, enum idem_fleet_finding finding, const char *what, const char *text);

#define IDEM_FLEET_API_VERSION 4u
struct idem_fleet_api {
  uint32_t version, size;
  /* Sends nothing. -ENOMEM, or -EINVAL with a line in `error`: TLS cannot be set up as the URL says. */
  int (*open)(struct idem_fleet_client **out, const struct idem_fleet_options *options, char *error,
              size_t size);
  /* Nobody may be asking. NULL is fine. */
  void (*close)(struct idem_fleet_client *client);
  /* The identity that the fleet has, or `candidate`, which it has from then on: a line of text, into `out`.
   * What it says is for the caller to judge; -EPROTO: it is too long, or no text. The client keeps it, so
   * nobody else may be asking yet. */
  int (*identity)(struct idem_fleet_client *client, idem_fleet_limit *limit, const char *candidate,
                  char out[IDEM_FLEET_IDENTITY]);
  /* 0 with a verdict. After -errno the claim may have been made: asked again with the same nonce it is found
   * to be ours, and others wait for its lease. -EMSGSIZE: there is an answer, which is too large for this
   * machine (max-value). */
  int (*claim)(struct idem_fleet_client *client, idem_fleet_limit *limit, struct idem_fleet_claim *claim);
  /* Only reads, which costs the server less than a claim: ANSWER where a claim would say that, else
   * NO_ANSWER, which decides nothing: that is for a claim. Of what the caller fills in the fence's key and
   * `most_age_ms` count, which is not -2. */
  int (*look)(struct idem_fleet_client *client, idem_fleet_limit *limit, struct idem_fleet_claim *claim);
  void (*answer_free)(struct idem_fleet_claim *claim);
  /* 1, or 2: somebody follows; 0: it is somebody else's by now. With `replicas` so many have acknowledged it.
   * Whether a request goes out after -errno is for the caller to say: the server may have it as sent. */
  int (*sent)(struct idem_fleet_client *client, idem_fleet_limit *limit, const struct idem_fleet_fence *fence,
              unsigned replicas);
  /* For who has sent, whether or not that could be told. What the last reply for this fence has said, as
   * `sent`; 1 as long as there is none. Costs a write. It waits where it has to connect first, and for one
   * reply, at most connect-timeout and operation-timeout, where the server was away and it is time to ask
   * again, where the master is not known, and where the server has lost the script. */
  int (*renew)(struct idem_fleet_client *client, const struct idem_fleet_fence *fence);
  /* 1: stored, also when it was already; 0: superseded. A lease that has ended lets others take over and
   * keeps nobody from finishing: without another owner it is stored. -EMSGSIZE: larger than max-value, and
   * never taken. The answer is kept for `ttl_ms`, what is known of the operation for `keep_ms`. */
  int (*commit)(struct idem_fleet_client *client, idem_fleet_limit *limit,
                const struct idem_fleet_fence *fence, const char *record, size_t len, uint64_t ttl_ms,
                uint64_t keep_ms);
  /* `unknown`: nobody knows what came of it, and it stays in doubt, without a lease to wait for. 1: it was
   * ours; 0: it was not, and nothing has changed. Where the fleet cannot be told, the others wait for the
   * lease. */
  int (*release)(struct idem_fleet_client *client, idem_fleet_limit *limit,
                 const struct idem_fleet_fence *fence, bool unknown);
  /* Piece `number` of what comes, from 0 on. In order: one that is not greater than the last is there
   * already, and the server keeps the first. 1 or 0 as `sent`. It waits for its reply, at most
   * operation-timeout, which is no part of what the call may wait. */
  int (*publish)(struct idem_fleet_client *client, const struct idem_fleet_fence *fence, uint64_t number,
                 const char *bytes, size_t len);
  /* Waits at most `wait_ms` for pieces of that owner from `*next` on. IDEM_FLEET_NOTHING: none yet; _PIECES;
   * _OVER: it has come to an end, or its lease has, or it is another's. */
  int (*follow)(struct idem_fleet_client *client, const uint8_t *key, uint64_t generation, unsigned wait_ms,
                uint64_t *next, idem_fleet_piece *take, void *arg);
  /* 1: there was a claim; 0: there was none, or it had been released. The other machines are told in both
   * cases. */
  int (*remove)(struct idem_fleet_client *client, idem_fleet_limit *limit, const uint8_t *key);
  /* Keys that were removed since `shared` saw the last one; how many items were read, and with
   * IDEM_FLEET_REMOVED of them there may be more. A key that this machine does not have is visited, too. What
   * a visit could not do is visited again at the next reading, and what it returns is returned. */
  int (*removed)(struct idem_fleet_client *client, idem_fleet_limit *limit, idem_fleet_removed *visit,
                 void *arg);
  /* Until one visit returns non-zero, which is returned. A key may be visited twice, and one that is made
   * meanwhile be left out, as SCAN has it. Each request has call-timeout; all of them together have no limit
   * of time, but of 65,536 pages with about 4,096 of the server's keys each: -EOVERFLOW, it has told of no
   * end. -ENOTSUP: a cluster, whose keys are not listed. */
  int (*each)(struct idem_fleet_client *client, idem_fleet_visit *visit, void *arg);
  /* For the command: how it is set up. 1: something is bad. */
  int (*check)(struct idem_fleet_client *client, idem_fleet_tell *tell, void *arg);
  /* What went wrong last in this thread, for people; no secret is in it, but the server's own words may be.
   * Stays as it is until this thread asks again. */
  const char *(*problem)(const struct idem_fleet_client *client);
};
extern const struct idem_fleet_api idem_fleet_api;

#endif
