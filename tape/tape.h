/* SPDX-License-Identifier: MIT */
/*
 * tape: every exchange of a run in order, failures like successes.
 *
 * A tape is a directory that can be copied. Its segments (00000001.tape, ...) hold one record for each
 * exchange, written with one write() to a file opened for appending: any number of threads and processes may
 * write one tape at the same time, and a process that is killed loses nothing that was complete. Nothing is
 * flushed to the disk: a crash of the machine may lose the last seconds. A writer keeps no descriptor and no
 * lock between two records, so that an app may close what it likes, fork, and be stopped at any moment.
 *
 * Recording; every thread may call these at once:
 *
 *     struct tape_call call = tape_begin(writer);             // when the call starts: its place in the run
 *     ...the transfer...
 *     call.duration_us = ...;  call.what = TAPE_LIVE;
 *     tape_name(&request, &call);                             // key and fingerprint, before any redaction
 *     tape_number(writer, &request, &call);                   // in record mode
 *     tape_append(writer, &call, &request, &outcome, &error); // redacts, seals, writes
 *
 * Replaying:
 *
 *     tape_open(&tape, &(struct tape_source){.dir = dir}, &error);
 *     tape_open_matcher(&matcher, tape, &(struct tape_matching){0}, &error);
 *     tape_name(&request, &call);
 *     if (tape_match(matcher, &request, &call, &match) != TAPE_FOUND)
 *       fail_with(match.note);                                // one line that explains the miss
 *     else if (tape_read(tape, match.number, &record, &error) == 0)
 *       deliver(&record.outcome);
 *
 * Functions return 0 (or a verdict) or -errno, with one line in `error` that names the file and what was
 * expected. They never print, exit, raise a signal, change errno, or are cancelled half way.
 */
#ifndef IDEMSHIM_TAPE_H
#define IDEMSHIM_TAPE_H

#include "store/store.h"

/* What an exchange is. */

/* What the shim did with the call. Those before TAPE_RESCUE are what the app saw; a replay gives them back.
 */
enum tape_what {
  TAPE_LIVE,   /* sent upstream */
  TAPE_HIT,    /* answered from the store */
  TAPE_JOIN,   /* answered by an identical call in flight */
  TAPE_BYPASS, /* matched, and sent as if the shim were not there */
  TAPE_REJECT, /* answered by the shim itself: a mismatch, in doubt */
  TAPE_RESCUE, /* what upstream said after the app had given up: kept for people, never replayed */
  TAPE_WHATS
};

/* "live", "hit", "join", "bypass", "reject", "rescue". */
const char *tape_what_name(enum tape_what what);

/* An exchange as it is counted and matched. */
struct tape_call {
  uint64_t sequence;  /* of the calls that this process has begun: 1 is the first */
  int64_t process_us; /* when the process began to record; tells a pid that was used twice apart */
  uint32_t pid, lane; /* lane: the thread, by order of appearance in its process; 1 is the first */
  int64_t started_us; /* µs since 1970 */
  uint64_t duration_us;
  enum tape_what what;
  /* Of the operation: attempts of one share it; where no store has given one, the tape does. */
  char id[IDEM_ID_SIZE];
  uint8_t key[IDEM_KEY_SIZE];         /* what a replay looks for first; made without credentials and scope */
  uint8_t fingerprint[IDEM_KEY_SIZE]; /* method, origin, path and content; what it looks for next */
  /* There was no memory for the two: tape_append() refuses it, and nothing is looked for by them. */
  bool unnamed;
  uint64_t request_body_len; /* of the whole body; 0 where the request's own length is that */
  /* Which of the identical calls of its process, where the rule numbers them (repeats=): with the key it
   * tells a retry, which has the number of the call that failed, from another sample. */
  uint32_t number;
  void *repeat; /* taken by tape_number(): the writer's own */
};

/* One write callback of the transfer, `at_us` after its start. */
struct tape_chunk {
  uint64_t at_us;
  uint64_t len;
};

/* What came of it. Nothing is owned. */
struct tape_outcome {
  uint32_t curl_code; /* CURLcode; 0 is CURLE_OK */
  uint16_t status;    /* of the last header block; 0: there was none */
  bool encoded;       /* the body still has its content coding */
  bool delivered;     /* the app's callbacks took all of it */
  /* libcurl calls it a success, and it is no whole one: error_text says why. Found by tape_append(). */
  bool no_answer;
  int64_t first_byte_us;       /* from the start to the first byte of the response; -1: none came */
  struct idem_span error_text; /* CURLOPT_ERRORBUFFER; why it is no answer */
  /* Every block as libcurl passed it: status lines, CRLF, blank lines, 1xx, redirects. */
  struct idem_span headers;
  struct idem_span body; /* as far as it came */
  uint64_t body_len;     /* as far as it came, where less was kept; 0 where all of it is in `body` */
  const struct tape_chunk *chunks; /* their lengths add up to body.len */
  size_t chunk_count;
  struct idem_span facts; /* curl_easy_getinfo: a list of number (2 bytes), length (2 bytes), value; see
                             shim/info/info.h */
};

/* Writing. */

struct tape_writer;

/* What a tape that is written is made with. */
struct tape_options {
  const char *dir;   /* absolute; made with mode 0700 if it does not exist */
  uint64_t max_size; /* bytes of all segments together, 1 MiB or more; the oldest are deleted. 0: no limit */
  uint64_t max_age_ms;  /* segments whose last record is older are deleted; 0: none */
  const char *key_file; /* 32 bytes, or 64 hexadecimal digits: encrypts with AES-256-GCM. NULL: plain */
  /* In force here, for whoever replays it: lines in the grammar of rules; empty: it has none. */
  struct idem_span rules;
};

/* -EPERM: a directory that others can write to or own; -EKEYREJECTED: the tape has another key, or one where
 * none is given, or none where one is given; -EINVAL: no key in the key file; and what making files fails
 * with. */
int tape_open_writer(struct tape_writer **out, const struct tape_options *options, struct idem_error *error);
void tape_close_writer(struct tape_writer *writer);

/* The place of a call that starts now: sequence, process, pid, lane, started_us; the rest is zero. */
struct tape_call tape_begin(struct tape_writer *writer);

/* The calling thread's lane in this process. */
uint32_t tape_lane(void);

/*
 * Appends one record. Before it is written, and for good:
 * - values of request headers and query parameters that are credentials or secrets (store/key/key.h judges)
 * become [redacted]; so do those of the answer's headers, and each cookie's in Set-Cookie, with their lengths
 * kept, for the app's callbacks get them back;
 * - what the rule's redact= points to in a JSON request body becomes "[redacted]"; a body that is no JSON is
 * left out if the rule has any;
 * - wherever else one of those credentials (8 bytes or longer; of cookies, 16) stands, in a body, a header,
 * the error text, it is overwritten by asterisks. -ENOSPC, -EFBIG, -EDQUOT, ...: the record is not on the
 * tape, and a reader says what is left of it.
 */
int tape_append(struct tape_writer *writer, const struct tape_call *call, const struct idem_request *request,
                const struct tape_outcome *outcome, struct idem_error *error);

/* Names the request: fills call->key and call->fingerprint. Credentials and scope do not count, since another
 * machine has others. A request without the header or the fields that its rule wants is named by its content.
 */
void tape_name(const struct idem_request *request, struct tape_call *call);

/* Numbers a call that no store numbers: takes the lowest number that its content has free in this process, if
 * the rule has repeats=auto or sequence. tape_append() uses it up, or frees it if the outcome is no
 * answer. */
void tape_number(struct tape_writer *writer, const struct idem_request *request, struct tape_call *call);

/* Reading. */

struct tape;

/* What is opened, and who is told of damage. */
struct tape_source {
  const char *dir;
  const char *key_file;                       /* NULL: none */
  void (*found)(void *arg, const char *what); /* told of each piece that is damaged or torn; NULL: nobody */
  void *arg;
};

/*
 * Reads the index: what every record is, without headers and bodies. A torn end is left out; so is a damaged
 * record, and those behind it are found again. Fails for a directory that is no tape (-ENOENT, -ENOTDIR,
 * -ENODATA), for one written by a newer version (-EPROTO), for a missing or wrong key (-EKEYREJECTED), and if
 * not one record can be read although there are bytes (-EILSEQ). A tape that nobody has recorded on yet is an
 * empty tape. The tape may be written to meanwhile; what came later is not seen. A tape is immutable: any
 * number of threads may read it.
 */
int tape_open(struct tape **out, const struct tape_source *source, struct idem_error *error);
void tape_close(struct tape *tape);

/* Counts of what a tape has, and of what could not be read of it. */
struct tape_totals {
  uint64_t exchanges, processes, segments, bytes;
  uint64_t torn;    /* ends of segments that were being written when their process died */
  uint64_t damaged; /* records with flipped or missing bytes */
  bool encrypted;
};
struct tape_totals tape_totals(const struct tape *tape);

/* What a replay meets: `rules` are those that were in force when it was recorded, of its segments in order,
 * each line once, "" if it has none; `origins` has a rule for each server that it has a call to. Lines in the
 * grammar of rules, and written by whoever has written the tape. */
struct tape_met {
  char *rules, *origins; /* the caller's to free, both by tape_met_release() */
};
int tape_meets(const struct tape *tape, struct tape_met *met, struct idem_error *error);
void tape_met_release(struct tape_met *met);

/* One exchange, whole. All spans point into `bytes`. Begin with {0}; may be used for one read after the
 * other. */
struct tape_record {
  uint64_t number;  /* 1 is the first */
  uint32_t process; /* by order of appearance; 1 is the first */
  struct tape_call call;
  struct idem_span method, origin, path, query;
  struct idem_span request_headers; /* redacted, one line each, CRLF */
  struct idem_span request_body, shape;
  struct tape_outcome outcome;
  char *bytes;
  size_t room;
};

/* Reads exchange `number`, 1 to tape_totals().exchanges: by their starts, a process's calls always in its own
 * order. tape_peek() leaves the headers, bodies, chunks and facts empty, and is what a list needs. -EILSEQ:
 * damaged; -ENOENT: its segment has been deleted meanwhile; -ERANGE: there is none. */
int tape_read(const struct tape *tape, uint64_t number, struct tape_record *record, struct idem_error *error);
int tape_peek(const struct tape *tape, uint64_t number, struct tape_record *record, struct idem_error *error);
void tape_record_release(struct tape_record *record);

/* A record's request as one that could be named and compared. `headers` has room for `room` lines; those
 * beyond are left out. */
struct idem_request tape_request(const struct tape_record *record, const struct idem_rule *rule,
                                 struct idem_span *headers, size_t room);

/* Matching. */

struct tape_matcher;

/* How calls are matched in one replay. */
struct tape_matching {
  bool loose;         /* match=loose */
  bool last;          /* exhausted=last: after the last recorded outcome, that one again */
  uint64_t live_from; /* the call that would get this exchange goes out, and all after it; 0: none */
  const char
      *state; /* a file that the processes of one replay share, made if it does not exist, so that the n-th
                 identical call is counted over all of them; NULL: this process and its children */
};

/* The tape must outlive the matcher. */
int tape_open_matcher(struct tape_matcher **out, const struct tape *tape,
                      const struct tape_matching *matching, struct idem_error *error);
void tape_close_matcher(struct tape_matcher *matcher);

/* What a tape says of a call. */
enum tape_verdict {
  TAPE_FOUND,
  TAPE_EXHAUSTED, /* every recorded outcome of this call has been given */
  TAPE_MISS,      /* nothing is recorded for it */
  TAPE_GO_LIVE    /* live_from was reached */
};

/* What was found, and a note for a person. */
struct tape_match {
  uint64_t number; /* FOUND: the exchange; MISS: the nearest one, 0 if there is none for this URL */
  bool loose;      /* FOUND only because some things were not looked at */
  char note[512];  /* EXHAUSTED, MISS: one line for a person; loose: what was not looked at */
};

/*
 * The next recorded outcome of this call, each given once: with the same key, then with the same content
 * under another key, then (loose) with what looks like dates and UUIDs, and what the rule's ignore= names,
 * left out. Among several: those of this thread's lane in this process's place, then of this lane, then any;
 * the earliest first. `call` was filled by tape_name().
 */
enum tape_verdict tape_match(struct tape_matcher *matcher, const struct idem_request *request,
                             const struct tape_call *call, struct tape_match *match);

/* What a replay has come to: of `replayable` exchanges `used` were given, `first_unused` is the number of the
 * first that was not (0: all were), `misses` calls had none, and `live` went out. -errno if the state cannot
 * be read. */
struct tape_account {
  uint64_t replayable, used, first_unused, misses, live;
};
int tape_account(const struct tape *tape, const char *state, struct tape_account *account,
                 struct idem_error *error);

/* Looks for the exchange that is most like the request, and says in `note` where the two first differ. False
 * if none has its method and path. */
bool tape_nearest(const struct tape *tape, const struct idem_request *request, struct tape_match *match);

/* For the command. */

/* Reads everything and checks it; each finding is told to `found`, and nothing is changed. `progress` may be
 * NULL. */
int tape_verify(const struct tape_source *source, struct tape_totals *totals,
                void (*progress)(void *arg, uint64_t done, uint64_t total), struct idem_error *error);

/* A fact of the outcome by its number (of the CURLINFO, without its type); false if it is not there. */
bool tape_fact_number(const struct tape_outcome *outcome, unsigned number, int64_t *value);
bool tape_fact_text(const struct tape_outcome *outcome, unsigned number, struct idem_span *value);

/* For a caller that opens this object at run time: the symbol `idem_tape_api` of libidemshim-store.so. */

#define IDEM_TAPE_API_VERSION 5u
/* All functions, for the shim: the store's object is opened late and asked for this one symbol. */
struct idem_tape_api {
  uint32_t version; /* IDEM_TAPE_API_VERSION of the side that was built */
  uint32_t size;    /* sizeof(struct idem_tape_api) */
  __typeof__(tape_open_writer) *open_writer;
  __typeof__(tape_close_writer) *close_writer;
  __typeof__(tape_begin) *begin;
  __typeof__(tape_lane) *lane;
  __typeof__(tape_append) *append;
  __typeof__(tape_name) *name;
  __typeof__(tape_number) *number;
  __typeof__(tape_open) *open;
  __typeof__(tape_close) *close;
  __typeof__(tape_totals) *totals;
  __typeof__(tape_meets) *meets;
  __typeof__(tape_met_release) *met_release;
  __typeof__(tape_read) *read;
  __typeof__(tape_record_release) *record_release;
  __typeof__(tape_open_matcher) *open_matcher;
  __typeof__(tape_close_matcher) *close_matcher;
  __typeof__(tape_match) *match;
};
extern const struct idem_tape_api idem_tape_api;

#endif
