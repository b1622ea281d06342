/* SPDX-License-Identifier: MIT */
/*
 * store: answers on disk, and who may send a call upstream.
 *
 * A store is a directory. It holds answers by operation key, claims (one owner for each key at a time), a
 * shared page of counters, and what `explain` needs. LMDB is the engine behind this header; nothing above it
 * may know that. Everything here is safe in any number of threads and processes at once, and in a child after
 * fork().
 *
 * The life of one call; `call` lives on the caller's stack and a repeated hit allocates nothing:
 *
 *     struct idem_call call;
 *     switch (idem_store_enter(store, &request, &call, &error)) {
 *     case IDEM_HIT:   deliver(&call.answer);  idem_store_leave(store, &call, true);  break;
 *     case IDEM_OWNED: result = send_live();
 *                      if (ok) idem_store_commit(store, &call, &request, &recording, &error);
 *                      idem_store_leave(store, &call, ok);  break;
 *     case IDEM_BUSY:  idem_store_wait(store, &call, 100);
 *                      idem_store_leave(store, &call, false);  break;            // and enter again
 *     default:         send_live_as_if_we_were_not_there();
 *     }
 *
 * Any number of threads may use one store, and open the same directory; a call and a spool belong to one
 * thread at a time. No lock is held while the app's code runs, and none is waited for on a repeated hit. A
 * child made by fork() may go on with its parent's store: it opens the files anew at its first call, and has
 * no claim of its parent's. In it, a call that was begun before the fork can only be left.
 *
 * Functions return 0 (or a verdict) or -errno, with one line in `error` that names the place and what was
 * expected; a NULL `error` is fine. They never print, exit, abort, raise a signal, or change errno. Whatever
 * fails, the caller can go live.
 */
#ifndef IDEMSHIM_STORE_H
#define IDEMSHIM_STORE_H

#include "config/config.h"
#include "fleet/fleet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idem_store;
struct idem_gather;
struct owner;

struct idem_span {
  const char *data;
  size_t len;
};

/* Opening. */

struct idem_store_options {
  const char *dir;      /* absolute; made with mode 0700 if it does not exist */
  uint64_t size;        /* bytes that answers may take; the oldest make room */
  bool sync;            /* commits are durable before they return */
  unsigned patience_ms; /* how long a write waits for one that does not go on; 0: 100 ms, as an app's */
  /* The command reads; it does not make stores, and a medium that cannot be written will do. */
  bool must_exist;
  const char *key_file; /* 32 bytes, or 64 hexadecimal digits: answers are encrypted with AES-256-GCM. NULL:
                           they are not */
  /* config/fleet.h: the store that other machines share, of which this directory keeps a part; NULL: none. It
   * stays as it is for as long as the store is open. */
  const struct idem_fleet *fleet;
  const char *prices; /* store/judge/prices.h: what dollars of budget= are counted by; NULL: none */
};

/*
 * Around a fork, for who has loaded this object and registers fork handlers before that: a fork that has
 * begun when the object registers its own would not let its locks go in the child. After host_forks(), which
 * comes before everything else, it registers none.
 */
typedef void idem_store_around_fork(void);

/*
 * Opens the store and its engine, or one more use of a store that this process has open, whatever the other
 * options say. Fails with a message for a directory that is not ours alone (other owner, or writable by group
 * or others: -EPERM), a file (-ENOTDIR), read-only or full file systems (-EROFS, -ENOSPC), limits of this
 * process that are too small (-EFBIG), another key than the store's, one where it has none, none where it has
 * one, or a key file without a key (-EKEYREJECTED), a damaged or newer store (-EILSEQ, -EPROTO), and file
 * systems without open file description locks (-ENOLCK). With 0 there may be a line in `error` for the user:
 * of a store that 0.1 has made.
 */
int idem_store_open(struct idem_store **out, const struct idem_store_options *options,
                    struct idem_error *error);
/* Ends one use; the last one writes what SYNC=off has left, and closes the files. NULL is fine. Every call
 * has been left before. */
void idem_store_close(struct idem_store *store);

/* The app has few descriptors left: three of the store's four are closed. Answers are found all the same; a
 * call that has to write takes them back, if their numbers are free, and is not protected if they are not. */
void idem_store_give_back(struct idem_store *store);

/* A request, as it names an operation. */

/* How long the 32-byte names are. */
#define IDEM_KEY_SIZE 32
/* An id is the first 16 hexadecimal digits of the operation key, and a NUL. */
#define IDEM_ID_SIZE 17

/* What a credential is that stands in no header: the same text as a user's name and as a token is two
 * callers. In names on the disk: none may come to mean something else. */
enum idem_credential {
  /* user:password, of an option or of the URL; cookies and a .netrc, which are lines and no login. */
  IDEM_CREDENTIAL_LOGIN,
  IDEM_CREDENTIAL_USER,
  IDEM_CREDENTIAL_PASSWORD,
  IDEM_CREDENTIAL_BEARER,
  IDEM_CREDENTIAL_SIGNER, /* whose signature the login makes */
  IDEM_CREDENTIAL_CERTIFICATE
};

/*
 * What the app asks for, as plain bytes. Nothing is owned; all of it must stay as it is until the call is
 * left.
 *
 * Credentials (what config/names.h calls so in headers, cookies and query, and what stands in `credentials`)
 * become the tenant, unless the rule's tenant= says otherwise: an HMAC with the store's secret. They are
 * never written.
 */
struct idem_request {
  const struct idem_rule *rule;
  struct idem_span scope;          /* IDEMSHIM_SCOPE; may be empty */
  struct idem_span method;         /* "POST" */
  struct idem_span origin;         /* "https://api.openai.com:443", lower case, always with a port */
  struct idem_span trust;          /* what the call demands of the server's identity; empty: the usual */
  struct idem_span path;           /* "/v1/chat/completions" */
  struct idem_span query;          /* without '?'; may be empty */
  const struct idem_span *headers; /* "Name: value" lines in the app's order, without line ends */
  size_t header_count;
  /* What identifies the caller and is not a header: user:password, a client certificate. */
  const struct idem_span *credentials;
  size_t credential_count;
  uint64_t credential_kinds; /* four bits of each, from the lowest: enum idem_credential */
  uint64_t auth; /* libcurl's bits for which of them it lets out, and how; 0: the usual, or there is none */
  /* What else decides the bytes of an answer, such as the encodings the client decodes. */
  struct idem_span shape;
  struct idem_span body;
};

/* An answer, read in place. */

/* One write callback of the live transfer. */
struct idem_chunk {
  uint32_t len;   /* bytes */
  uint32_t at_ms; /* after the transfer's start */
};

/* Tokens that the provider's `usage` reports; -1 where it reports none. */
struct idem_usage {
  int64_t input, output;
};

/*
 * A stored answer. All spans point into memory of its call, or of its thread, and are valid until the call is
 * left, or until the visit callback returns. Nothing of the store waits for that.
 */
struct idem_answer {
  uint8_t key[IDEM_KEY_SIZE];
  char id[IDEM_ID_SIZE];
  uint64_t serial;      /* grows by one with each answer stored */
  int64_t started_us;   /* when the live call began, µs since 1970 */
  int64_t stored_us;    /* when it was committed */
  int64_t expires_us;   /* INT64_MAX: never */
  uint32_t duration_ms; /* of the live call */
  uint16_t status;
  bool event_stream;
  bool is_old;       /* of idemshim 0.1, which names in another way: never looked up */
  bool delivered;    /* the app of the live call got it whole */
  uint32_t sequence; /* which of the identical calls: 0 is the first */
  struct idem_usage usage;
  struct idem_span headers; /* every header block as libcurl passed it: status lines, CRLF, blank lines, 1xx
                               and redirects too */
  struct idem_span body;
  const struct idem_chunk *chunks; /* their lengths add up to body.len */
  size_t chunk_count;
  struct idem_span facts; /* the caller's own record of the transfer, untouched */

  /* The request that it answers, for people. Credentials are left out; a long body is cut at 256 KiB. */
  struct idem_span method, origin, path, query, scope,
      request_headers /* the lines that vary= counts, CRLF */, request_body;
  uint64_t request_body_len; /* before the cut */
  uint8_t fingerprint[IDEM_KEY_SIZE], tenant[IDEM_KEY_SIZE];
  enum idem_key_kind key_kind; /* what the key was made of: HEADER, JSON or CONTENT */
  struct idem_span record;     /* the whole of it, as the store keeps it */
  bool is_lent; /* HIT: it is in memory that nobody else reads, and an app may write into the body */
};

/* A call. */

enum idem_verdict {
  IDEM_HIT,       /* call.answer has it, until leave */
  IDEM_OWNED,     /* ours to send; upstream_key goes with it. Ends with commit or without, then leave */
  IDEM_BUSY,      /* somebody else is sending it: wait, leave, enter again */
  IDEM_IN_DOUBT,  /* it was sent, nobody knows what became of it, and the rule says indoubt=fail */
  IDEM_MISMATCH,  /* the key is known with another content, and the rule says reject or bypass */
  IDEM_NO_KEY,    /* the rule wants a header or JSON fields that this request does not have */
  IDEM_NO_TENANT, /* the same of tenant= */
};

/* What a call has seen of the owner that it waits for, and for how long nothing has changed. The store's
 * own. */
struct idem_watch {
  const void *owner;
  uint32_t number, turns, inside;
  int64_t looked_us, state_us; /* CLOCK_MONOTONIC */
  int64_t idle_us, inside_us, stopped_us;
  bool stopped;
};

enum { IDEM_PASS_ALL = 64 };

struct idem_call {
  uint8_t key[IDEM_KEY_SIZE];         /* the operation */
  uint8_t fingerprint[IDEM_KEY_SIZE]; /* the content */
  char id[IDEM_ID_SIZE];
  uint32_t sequence;
  /* HIT, and MISMATCH where the first answer is known (else answer.record.data is NULL). */
  struct idem_answer answer;

  /* What happened on the way; set together with the verdict. */
  bool mismatched;   /* same key, other content (with mismatch=replay the verdict is HIT all the same) */
  bool churned;      /* the same content was sent under another header key inside the window */
  bool expired;      /* there was an answer, past its time */
  char drift[128];   /* OWNED: names of the headers under others of which the same content has an answer */
  bool several_keys; /* the header that names it comes twice, with two values: both name it */
  bool unread;       /* the rule has ignore= or redact=, and the body is no JSON: all of it counts */
  bool resent; /* OWNED: it was sent before and its outcome is unknown; upstream_key is the one of then */
  /* After commit, REFUSED: it may be an answer, but its end, or that it may be kept, cannot be told. */
  bool unproven;
  bool sampled;    /* its content alone names it, and asking again may give another answer */
  bool new_sample; /* OWNED: such a call that is sent after this process has had an answer to the same one */
  /* OWNED, IN_DOUBT: another call has the claim still, and is waited for no longer (`passed`). What this one
   * gets is stored if no answer is there by then. */
  bool beside;
  /* "fleet_away" or "fleet_back": this call is the one to tell that; "fleet_alone": it is settled without the
   * fleet, which is there for others. `error` has a line. Else NULL. */
  const char *fleet_event;
  /* After commit: a line that this call is the one to tell, of an answer of another call that could not be
   * stored; else NULL. It lasts as long as the store. */
  const char *unstored;
  bool fenced; /* after sent: a later owner has it, and it must not go out; it is left, and entered again */
  bool waited; /* HIT: this call has waited for its owner (a join); kept over leave and enter of one call */

  /* Set by the caller. */
  bool defers;         /* before enter: it will call idem_store_sent() before the first byte goes out */
  bool skip_answers;   /* before enter: what is stored does not count; the call is sent, and stored anew */
  bool skip_delivered; /* the same of an answer that an app has got */
  /* Before enter: so many owners of the operation, one beside the other, are waited for no longer. At most
   * IDEM_PASS_ALL: whoever it is. */
  unsigned passed;
  /* When its app's timeout is over, by CLOCK_MONOTONIC: no write waits longer; 0: never. */
  int64_t deadline_us;
  /* Before commit: it may wait for others that end in this moment; NULL: it does not. */
  struct idem_gather *gather;
  bool given_up; /* OWNED, before idem_store_part(): its app has given it up, and an identical call is the
                    same */
  bool unknown;  /* OWNED, before leave: it was sent, and nobody knows what became of it: it stays in doubt */
  /* Before leave: what the app got is none, so that the next identical call is the same
   * one; commit() sets it. */
  bool no_answer;
  /* Before enter: upstream pays once for what comes twice under its key, which a
   * power cut must not forget. */
  bool honoured;
  uint64_t run; /* OWNED, before commit: whose budget its answer counts in; 0: nobody's */
  /* After commit: why budget= does not count what it took; "": it does, or there is none. */
  char uncounted[160];
  bool returns; /* BUSY, before leave: it will be entered again, and keeps its number */

  char upstream_key[37]; /* OWNED: a UUID, the same over every resend of this operation until it has an answer
                          */
  uint64_t generation;   /* OWNED: grows with every owner */

  struct {             /* the store's own */
    void *reader;      /* the snapshot of this round; of a HIT, the thread's room that `answer` may be in */
    int claim_fd;      /* the claim, while it is OWNED: a place in the table of base/fd.h; -1 */
    uint32_t wake;     /* the wake word of its key, before it was looked up */
    int64_t waited_us; /* when it first found somebody else sending it */
    void *repeat;      /* its content among those of this process; NULL: it has no number of it, */
    uint64_t ttl_ms;   /* which is forgotten after so long */
    /* Digests: of the request's bytes, what repeats make keys of, who it is, and the content for churn. */
    uint8_t raw[IDEM_KEY_SIZE], base[IDEM_KEY_SIZE], tenant[IDEM_KEY_SIZE], print[IDEM_KEY_SIZE];
    enum idem_key_kind kind;
    enum idem_repeats repeats;
    int verdict;             /* of the last enter */
    unsigned counted;        /* events of this call that are in the counters already */
    uint64_t before;         /* the generation of the try before it */
    void *commit;            /* GATHERED: it waits for the others */
    bool committed;          /* an answer was stored, or a later owner has taken over */
    bool marked;             /* and with it, that its app has it */
    bool recorded;           /* the durable half of its claim was written, */
    bool flush;              /* and flushed before the first byte */
    struct owner *owner;     /* OWNED: its place in the shared page; NULL: it has none */
    uint32_t owner_number;   /* which it has with it, */
    uint32_t life;           /* and of the process that writes there */
    unsigned beyond;         /* so many owners are passed by its claim, or by the one that it waits for */
    uint64_t last_serial;    /* OWNED: of the answers that were there before it */
    struct idem_watch watch; /* BUSY */
    int place_fd;            /* while a copy of the process is made: one of the places for such copies */
    uint64_t spooled;        /* OWNED: the generation of its spool, */
    uint32_t pieces;         /* and how many are in it; 0: there is none */
    bool spool_failed;
    void *heap; /* the answer, unless it is the reader's */
    struct {    /* where other machines have a say (call/shared.h) */
      struct idem_store *store;
      struct idem_fleet_fence fence;
      bool ours;            /* the claim is ours in the fleet, too */
      bool refuses;         /* the rule says indoubt=fail */
      int64_t spent_us;     /* waiting for it */
      int64_t elsewhere_us; /* BUSY: another machine has it; when it is asked again. 0: it is of this one */
      uint64_t generation;  /* BUSY: of that claim */
      bool followed;        /* OWNED: from another machine, */
      uint64_t published;   /* which has had so many bytes of the spool */
      uint32_t wake;        /* BUSY: the wake word of its key before the fleet was asked */
      int64_t renewed_us;
      bool left_near; /* HIT: its near copy waits in the queue, and has no serial number yet */
    } fleet;
  } priv;
};

/* Zero a call with this before its first enter; between the rounds of one call (BUSY) it is kept. */
#define IDEM_CALL_INIT                                                                                       \
  {                                                                                                          \
    .priv = {.claim_fd = -1 }                                                                                \
  }

/* The same for one that is all zeros. */
static inline void idem_call_init(struct idem_call *call)
{
  call->priv.claim_fd = -1;
}

/*
 * Names the operation and decides. A repeated hit takes no lock, allocates nothing and writes nothing.
 * Returns an idem_verdict, or -errno with a message when the store cannot be used: the caller then goes live.
 * Every return that is not negative must be followed by idem_store_leave().
 */
int idem_store_enter(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                     struct idem_error *error);

/*
 * OWNED calls that defer: the first byte is about to leave. Writes the durable half of the claim, once, and
 * once more with `given_up` where repeats=fresh would take an identical call for another one. A
 * call that never comes here has left nothing behind, and is not in doubt if its process dies. 0 or -errno:
 * the call can then not be committed, and if it must not be sent twice it should not be sent.
 */
int idem_store_sent(struct idem_store *store, struct idem_call *call, struct idem_error *error);

/*
 * A copy of the process (a plain clone(), which runs no fork handlers) carries an OWNED call to its end:
 *
 *     if (idem_store_part(store, &call, 64, &parting) == 0) {   // one of 64 places, and the store's locks
 *       pid = copy_process();
 *       idem_store_parted(store, &call, pid == 0 ? IDEM_PARTED_COPY : pid > 0 ? IDEM_PARTED_OWNER : ...);
 *     }
 *
 * With BOTH on the owner's side, both have the claim: it is free once neither lives or the owner has left.
 * Otherwise the owner has then no claim any more: leave() ends the call for it alone. The copy has this claim
 * and no other; it may commit and leave, and must keep `parting.keep` open. Its place and its claim end with
 * it.
 */
struct idem_parting {
  int keep[3]; /* descriptors */
};
enum idem_parted { IDEM_PARTED_FAILED, IDEM_PARTED_OWNER, IDEM_PARTED_COPY, IDEM_PARTED_BOTH };

/* -EAGAIN: `most` copies are under way in this store. No lock is held after a failure. */
int idem_store_part(struct idem_store *store, struct idem_call *call, unsigned most,
                    struct idem_parting *parting);
void idem_store_parted(struct idem_store *store, struct idem_call *call, enum idem_parted side);

/* What the live transfer gave. Nothing is owned. */
struct idem_recording {
  int status;
  int64_t started_us;
  uint32_t duration_ms;
  struct idem_span headers, body, facts;
  const struct idem_chunk *chunks;
  size_t chunk_count;
  bool encoded;   /* the body still has its content coding: it cannot be looked into */
  bool framed;    /* length or chunks told where the body ends; false: it ended with the connection */
  bool delivered; /* the app's callbacks got all of it */
  struct idem_judge *judge;  /* what has read the body as it came; NULL: commit() reads it */
  struct idem_span trailers; /* header lines that came behind the body; they are in `facts`, too */
};

/*
 * Reads a body as it comes, so that nothing is left to do after its last byte:
 *
 *     judge = idem_judge_new(headers, encoded);       // with the first byte of the body
 *     if (judge) idem_judge_feed(judge, piece);
 *     recording.judge = judge; ...commit...
 *     idem_judge_free(judge);                         // NULL is fine
 *
 * The headers must stay as they are. Belongs to one thread. NULL: no memory.
 */
struct idem_judge;
struct idem_judge *idem_judge_new(struct idem_span headers, bool encoded);
void idem_judge_feed(struct idem_judge *judge, struct idem_span piece);
void idem_judge_free(struct idem_judge *judge);

/* Makes what a body says of tokens and costs 0, in place and with blanks behind it; how
 * many numbers that were. */
size_t idem_usage_zero(char *body, size_t len);

enum idem_commit {
  IDEM_STORED,
  IDEM_REFUSED, /* not an answer: `why` says so (status, error event, stream without its end, unparsable JSON)
                 */
  IDEM_SUPERSEDED, /* a later owner has taken over; nothing was written */
  IDEM_GATHERED,   /* it is not written yet: idem_store_committed() has the verdict */
};

/*
 * Judges the recording and, if it is an answer, stores it, durably if the store was opened with sync, and
 * wakes the followers. OWNED calls only. Returns an idem_commit or -errno; in both cases `why->text` has the
 * reason if nothing was stored.
 */
int idem_store_commit(struct idem_store *store, struct idem_call *call, const struct idem_request *request,
                      const struct idem_recording *recording, struct idem_error *why);

/*
 * The commits of calls of one thread that end together: in one transaction, with the flushes of one.
 *
 *     struct idem_gather gather = {NULL, NULL, NULL, NULL};
 *     call->gather = &gather;                          // each; what its request and recording point to stays
 *     if (idem_store_commit(...) == IDEM_GATHERED)
 *       ...after the last of them...
 *       verdict = idem_store_committed(store, call, true, &why);   // each; before leave
 */
struct batch_own;
struct idem_gather {
  struct batch_own *first, *last; /* the store's own */
  /* NULL: the first that is asked for waits for the disk. Else a thread of the store's may do, and calls this
   * when there is one more to ask for, but for what has been left by then. It must not call the store. */
  void (*written)(void *arg);
  void *arg;
};
/* GATHERED: it is not written yet, and `wait` is false. -ETIMEDOUT: nor is it at the call's deadline, which
 * is a tenth of a second after its commit at the earliest; it will be, and the claim of a call that is left
 * before that goes with it. */
int idem_store_committed(struct idem_store *store, struct idem_call *call, bool wait, struct idem_error *why);
/* No call is under way that would be gathered: that thread is gone afterwards, unless it still
 * has something to write. */
void idem_store_rest(void);

/* Ends this round of a call: frees the answer, frees the claim (followers wake), counts. `delivered`: the
 * app got the answer whole. After BUSY the call may be entered again. */
void idem_store_leave(struct idem_store *store, struct idem_call *call, bool delivered);

/* After BUSY, before leave: sleeps until the owner is done or dead, or at most `max_ms`. Returns 0, or
 * -ETIMEDOUT when nothing has changed in that time. A spurious 0 is allowed. */
int idem_store_wait(struct idem_store *store, const struct idem_call *call, unsigned max_ms);

/*
 * An owner that goes on.
 *
 * Who waits for a call must not wait for one that will never end: its process may be stopped, or its app's
 * callback hang on a lock of whoever waits. So an owner shows what it does, and a follower leaves one that
 * does nothing:
 *
 *     // OWNED, at each turn of libcurl's loop, and round each callback of the app
 *     idem_store_sign(&call, IDEM_SIGN_TURN);
 *
 *     // BUSY, several times a second
 *     if ((why = idem_store_stalled(store, &call, false)))
 *       call.passed++;                                     // and leave, and enter again: OWNED, `beside` it
 *
 * A silent upstream is none of this: the loop turns while nothing comes. Signs cost some stores to a line of
 * the owner's own, and nothing where there was no room for it in the shared page; such an owner is waited for
 * ten minutes.
 */
enum idem_sign {
  IDEM_SIGN_TURN,
  IDEM_SIGN_CALLBACK, /* begins */
  IDEM_SIGN_CALLBACK_END
};
void idem_store_sign(struct idem_call *call, enum idem_sign sign);

/* Why the owner should not be waited for any longer, or NULL: it has shown nothing for 10 s; its process has
 * been stopped or traced for 1 s, where that can be seen; or, in this process, it has been in one callback of
 * the app for 1 s. The first turn that is shown says that turns are seen at all; before it the last two count
 * alone. `joined`: the app has a part of its answer, and there is no way back: 10 s for each. */
const char *idem_store_stalled(struct idem_store *store, struct idem_call *call, bool joined);

/*
 * What has come of an answer under way.
 *
 * An answer that comes in pieces (an event stream, JSON lines, Amazon's event stream) may take minutes. Who
 * waits for one gets what has come and then the rest as it comes, through a file of the store, the call's
 * spool. Its owner writes one only if somebody asks for it:
 *
 *     // OWNED, at each piece that comes
 *     if (idem_store_is_followed(store, &call))
 *       idem_store_spool(store, &call, pieces, n);
 *
 *     // BUSY
 *     struct idem_spool spool = IDEM_SPOOL_INIT;
 *     while (idem_store_look(store, &call, &spool) >= 0 && !spool.over)
 *       deliver_more(&spool.answer), idem_store_wait(store, &call, 100);
 *     ...leave, and enter again: is it stored?
 *     idem_spool_release(&spool);
 */
enum idem_spool_kind {
  IDEM_SPOOL_HEAD,  /* the first: status, started_us, headers, facts */
  IDEM_SPOOL_CHUNK, /* one write callback: at_ms, data */
  IDEM_SPOOL_END,   /* the last, before the owner leaves: code, facts */
};
struct idem_spool_piece {
  enum idem_spool_kind kind;
  uint32_t at_ms; /* as in struct idem_chunk */
  int32_t code;   /* the caller's own; 0: the transfer went well */
  uint16_t status;
  int64_t started_us;
  struct idem_span headers, facts, data;
};

/* True if somebody who waits for this OWNED call has asked for what has come. One load; a wrong true is
 * possible. */
bool idem_store_is_followed(const struct idem_store *store, const struct idem_call *call);

/* True if an answer with these headers comes in pieces: only such a one is worth a spool. */
bool idem_store_is_stream(struct idem_span headers);

/*
 * Adds pieces to the spool of an OWNED call that has been sent, and wakes its followers. A HEAD begins it. 0,
 * or -ENOLCK (not ours, or not sent), -EINVAL (a HEAD that is not the first, or none), -EMSGSIZE (a piece of
 * more than 1 GiB): nothing was added. Any other -errno: no more can be added, and its followers wait for the
 * whole; -EIO from then on. leave() removes it.
 */
int idem_store_spool(struct idem_store *store, struct idem_call *call, const struct idem_spool_piece *pieces,
                     size_t count);

/* What a follower has read of it. Begin with IDEM_SPOOL_INIT, and release it. */
struct idem_spool {
  struct idem_answer answer; /* grows with each look, and may move; no headers: it has not begun */
  bool over;                 /* its owner has left or died: no more will come */
  bool ended;                /* with an END: */
  int32_t code;
  struct {
    int kept; /* its file, in the table of descriptors */
    uint32_t pieces;
    uint64_t generation, at;
    char *head, *body, *end;
    struct idem_chunk *chunks;
    size_t body_room, chunk_room;
  } priv;
};
#define IDEM_SPOOL_INIT                                                                                      \
  {                                                                                                          \
    .over = false                                                                                            \
  }

/* BUSY: asks the owner for what comes, and reads what has come. 1: there is more than before, or it is over;
 * 0: neither; -errno: it cannot be read, and what has been read stands. */
int idem_store_look(struct idem_store *store, struct idem_call *call, struct idem_spool *spool);
void idem_spool_release(struct idem_spool *spool);

/* Takes a HIT's answer from its thread to the call (freed by leave). A thread has room for one; what another
 * call of it finds meanwhile costs memory and a place in LMDB's table of readers. -ENOMEM. */
int idem_store_unpin(struct idem_store *store, struct idem_call *call);

/*
 * observe mode: names the call and says whether idempotent mode would have replayed it (1) or not (0). Takes
 * no claim, gives no answer. `recording` NULL: ask before the call. Else: note, after the call, that it was
 * answered (no body is kept), so that the next identical one counts. Either way it is left in the end.
 */
int idem_store_observe(struct idem_store *store, const struct idem_request *request, struct idem_call *call,
                       const struct idem_recording *recording, struct idem_error *error);

/* Counters. */

/* Names as `stats --json` and `--prometheus` print them: X(name, help). Their places in the page
 * are theirs for good: a new one comes last. */
#define IDEM_COUNTERS(X)                                                                                     \
  X(calls, "calls that a rule matched")                                                                      \
  X(hits, "calls answered from the store")                                                                   \
  X(joins, "hits that waited for the same call in flight")                                                   \
  X(live, "calls sent upstream")                                                                             \
  X(stored, "answers stored")                                                                                \
  X(not_stored, "live calls whose outcome is not an answer")                                                 \
  X(rescued, "answers stored after the app had given up")                                                    \
  X(in_doubt, "calls that had been sent before, with no known outcome")                                      \
  X(mismatch, "calls that reused a key with other content")                                                  \
  X(key_churn, "calls that sent the same content under a new key")                                           \
  X(expired, "answers found past their time")                                                                \
  X(bypass, "matched calls sent as if the shim were not there")                                              \
  X(store_error, "calls sent live because the store failed")                                                 \
  X(would_hit, "observe mode: calls that would have been answered from the store")                           \
  X(evicted, "answers removed to make room")                                                                 \
  X(owner_stalled, "calls that have not waited any longer for an owner without progress")                    \
  X(header_drift, "calls whose content has an answer under other headers")                                   \
  X(new_sample, "sampled calls sent again after their process had an answer to the same one")                \
  X(damaged, "answers found damaged")                                                                        \
  X(resent_by_libcurl, "requests that libcurl itself sent again, on another connection")                     \
  X(lines_dropped, "lines for stderr that had no room there, or no stderr any more")                         \
  X(bytes_saved, "bytes of answers replayed")                                                                \
  X(ms_saved, "milliseconds that the replayed calls took when they were live")                               \
  X(input_tokens_saved, "input tokens of replayed answers, once for each key")                               \
  X(output_tokens_saved, "output tokens of replayed answers, once for each key")                             \
  X(unmatched, "calls of libcurl that met no rule, in processes that use the store")                         \
  X(ms_would_save, "observe mode: milliseconds that these calls took")                                       \
  X(input_tokens_would_save, "observe mode: input tokens of these answers, once for each key")               \
  X(output_tokens_would_save, "observe mode: output tokens of these answers, once for each key")             \
  X(over_budget, "calls beyond the budget of their run")                                                     \
  X(faults, "calls that ended as IDEMSHIM_FAULT says, and were not sent")                                    \
  X(fleet_hits, "answers that other machines of the fleet had stored")                                       \
  X(fleet_unshared, "answers stored while the fleet could not be told")                                      \
  X(fenced, "calls that were not sent, since another machine had taken them over")

enum idem_counter {
#define X(name, help) IDEM_COUNTER_##name,
  IDEM_COUNTERS(X)
#undef X
      IDEM_COUNTER_COUNT
};

/* Adds to a counter: one atomic addition in the shared page. */
void idem_store_count(struct idem_store *store, enum idem_counter counter, uint64_t n);

/* One more call that a run is about to send, over all processes; NULL, or what it has used up: "calls" or
 * "tokens". What the answer takes is added when it is committed, by the `run` of its call. */
const char *idem_store_spend(struct idem_store *store, uint64_t run, const struct idem_budget *budget);

/* The number of this call among those that are counted under `run`, over all processes: 1, 2, ... */
uint64_t idem_store_tally(struct idem_store *store, uint64_t run);

struct idem_stats {
  uint64_t counter[IDEM_COUNTER_COUNT];
  uint64_t answers, answer_bytes; /* now in the store, */
  uint64_t old_answers;           /* and how many of them are of idemshim 0.1 */
  uint64_t capacity;              /* bytes */
  int64_t since_us;               /* when counting began */
};
/* The sums over all processes since the counters were made, and what is in the store now. */
int idem_store_stats(struct idem_store *store, struct idem_stats *out, struct idem_error *error);

/* What became of a call that was not simply answered: an event of IDEMSHIM_LOG, in short. */
struct idem_decision {
  int64_t at_us; /* since 1970 */
  uint16_t status;
  char id[IDEM_ID_SIZE], event[20], method[12], origin[72], path[104],
      reason[120]; /* cut to their room; "": none */
};

/* Keeps it in the shared page, among the last few hundred of all processes. No lock and no file. Of an
 * encrypted store's only event, id, status and time are kept. */
void idem_store_note(struct idem_store *store, const struct idem_decision *decision);

/* For the command. */

/* Visits copies of them, the newest first, until one visit returns non-zero, which is then returned. */
int idem_store_decisions(struct idem_store *store,
                         int (*visit)(void *arg, const struct idem_decision *decision), void *arg);

/* Calls `visit` for each answer, expired ones too, until it returns non-zero, which is then returned. They
 * are copied a few at a time, so that a visitor may take as long as it likes and costs the store nothing:
 * what is stored or removed meanwhile is seen or not. */
enum idem_order { IDEM_OLDEST_FIRST, IDEM_NEWEST_FIRST };
int idem_store_each(struct idem_store *store, enum idem_order order,
                    int (*visit)(void *arg, const struct idem_answer *answer), void *arg,
                    struct idem_error *error);

/* Visits a copy of the one answer whose id begins with `id`. -ENOENT: none; -ENOTUNIQ: several, and
 * the message lists some. */
int idem_store_show(struct idem_store *store, const char *id,
                    int (*visit)(void *arg, const struct idem_answer *answer), void *arg,
                    struct idem_error *error);

/* Removes an answer or a claim in doubt, from the fleet first where there is one. Errors as for show. */
int idem_store_remove(struct idem_store *store, const char *id, struct idem_error *error);

/* A fleet. -ENOTCONN: IDEMSHIM_FLEET is not set, or this machine has not reached it yet. */

/* Tells the fleet of what it does not have, with `all` of everything that this machine has. What another
 * machine is at stays for later: -EBUSY. */
int idem_store_fleet_push(struct idem_store *store, bool all, uint64_t *pushed, struct idem_error *error);
/* Each operation that the fleet knows of. */
int idem_store_fleet_each(struct idem_store *store, idem_fleet_visit *visit, void *arg,
                          struct idem_error *error);
/* How the fleet that is `where` is reached and set up. 1: something is bad. `store` may be NULL, or have not
 * reached it yet: whose fleet it is is not compared then. */
int idem_store_fleet_check(struct idem_store *store, const struct idem_fleet *where, idem_fleet_tell *tell,
                           void *arg, struct idem_error *error);

/* Removes what has expired and the leavings of dead processes. `progress` (may be NULL) is called now and
 * then. */
struct idem_gc {
  uint64_t removed, bytes, claims, readers;
};
int idem_store_gc(struct idem_store *store, struct idem_gc *out,
                  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                  struct idem_error *error);

/* Reads everything and checks magic, version, lengths, checksums and indexes. Each finding is told to
 * `found`; nothing is changed. */
struct idem_verify {
  uint64_t answers, bytes, damaged, strays;
};
int idem_store_verify(struct idem_store *store, struct idem_verify *out,
                      void (*found)(void *arg, const char *what),
                      void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                      struct idem_error *error);

/* Where two requests first differ, as a person would say it: "tenant", "header OpenAI-Organization",
 * "JSON /messages/3/content at offset 120 (\"2026-11-21\" / \"2026-11-22\")". Returns how alike they are, 0
 * to 1000, 1000: the same operation. With `size` 0 that alone, which is sooner known. */
int idem_store_compare(const struct idem_answer *a, const struct idem_answer *b, char *difference,
                       size_t size);

/* For a caller that opens this object at run time. */

/* The only symbol that libidemshim-store.so exports is `idem_store_api`. */
#define IDEM_STORE_API_VERSION 14u
/* Scopes of durable runs begin with it; their answers stay until the run has ended well. */
#define IDEM_RUN_SCOPE "run:"

struct idem_store_api {
  uint32_t version; /* IDEM_STORE_API_VERSION of the side that was built */
  uint32_t size;    /* sizeof(struct idem_store_api) */
  idem_store_around_fork *host_forks, *lock_for_fork, *unlock_after_fork, *unlock_in_child;
  __typeof__(idem_store_open) *open;
  __typeof__(idem_store_close) *close;
  __typeof__(idem_store_give_back) *give_back;
  __typeof__(idem_store_enter) *enter;
  __typeof__(idem_store_commit) *commit;
  __typeof__(idem_store_committed) *committed;
  __typeof__(idem_store_rest) *rest;
  __typeof__(idem_store_leave) *leave;
  __typeof__(idem_store_wait) *wait;
  __typeof__(idem_store_sign) *sign;
  __typeof__(idem_store_stalled) *stalled;
  __typeof__(idem_store_unpin) *unpin;
  __typeof__(idem_store_observe) *observe;
  __typeof__(idem_store_count) *count;
  __typeof__(idem_store_note) *note;
  __typeof__(idem_store_spend) *spend;
  __typeof__(idem_store_tally) *tally;
  __typeof__(idem_store_sent) *sent;
  __typeof__(idem_store_part) *part;
  __typeof__(idem_store_parted) *parted;
  __typeof__(idem_store_is_followed) *is_followed;
  __typeof__(idem_store_is_stream) *is_stream;
  __typeof__(idem_store_spool) *spool;
  __typeof__(idem_store_look) *look;
  __typeof__(idem_spool_release) *spool_release;
  __typeof__(idem_judge_new) *judge_new;
  __typeof__(idem_judge_feed) *judge_feed;
  __typeof__(idem_judge_free) *judge_free;
  __typeof__(idem_usage_zero) *usage_zero;
};
extern const struct idem_store_api idem_store_api;

#endif
