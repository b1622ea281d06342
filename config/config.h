/* SPDX-License-Identifier: MIT */
/*
 * config: what the user asked for.
 *
 * Reads the environment (IDEMSHIM_*), parses the rule grammar and answers one question: does a rule want this
 * call, and how is it to be treated? It needs libc alone and knows nothing of curl, of stores or of who calls
 * it, so both libraries and the command read the same words in the same way.
 *
 *     struct idem_config config;
 *     struct idem_error error;
 *     if (idem_config_load(&config, getenv, &error) < 0)
 *       puts(error.text);      // "IDEMSHIM_RULES: rule 2, field ttl, column 34: expected a duration ..."
 *     const struct idem_rule *rule = idem_config_match(&config, &target);
 *     ...
 *     idem_config_release(&config);
 *
 * A loaded config is immutable, so any number of threads may match against it. A mistake is one message that
 * names variable, rule, field and column; nothing is half loaded. Fields and variables are rows of fields.def
 * and variables.def.
 */
#ifndef IDEMSHIM_CONFIG_H
#define IDEMSHIM_CONFIG_H

#include "config/fault.h"
#include "config/origin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One message for a person: what is wrong, where, and what was expected. Always a single line without
 * newline. */
struct idem_error {
  char text[512];
};

/* Formats `error->text` (printf style) and returns `code`, so that failing is one statement:
 *   return idem_error_set(error, -EINVAL, "rule %d: ...", n);    A NULL `error` is fine. */
int idem_error_set(struct idem_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What IDEMSHIM_MODE may be, in the order of its words in variables.def. */
enum idem_mode { IDEM_MODE_IDEMPOTENT, IDEM_MODE_OBSERVE, IDEM_MODE_RECORD, IDEM_MODE_REPLAY, IDEM_MODE_OFF };

/* The values of a rule's fields, in the order in which the grammar's table lists their words. */
enum idem_action { IDEM_ACTION_STORE, IDEM_ACTION_BYPASS };
enum idem_key_kind { IDEM_KEY_AUTO, IDEM_KEY_HEADER, IDEM_KEY_JSON, IDEM_KEY_CONTENT };
enum idem_tenant { IDEM_TENANT_CREDENTIALS, IDEM_TENANT_NONE, IDEM_TENANT_HEADER, IDEM_TENANT_JSON };
enum idem_trust { IDEM_TRUST_FULL, IDEM_TRUST_VERIFY, IDEM_TRUST_NONE };
enum idem_repeats { IDEM_REPEATS_REPLAY, IDEM_REPEATS_AUTO, IDEM_REPEATS_FRESH, IDEM_REPEATS_SEQUENCE };
enum idem_mismatch { IDEM_MISMATCH_REPLAY, IDEM_MISMATCH_REJECT, IDEM_MISMATCH_BYPASS };
enum idem_indoubt { IDEM_INDOUBT_RESEND, IDEM_INDOUBT_FAIL };
enum idem_churn { IDEM_CHURN_WARN, IDEM_CHURN_JOIN };
/* What a provider does with an idempotency key that comes again. */
enum idem_upstream_key {
  IDEM_UPSTREAM_KEY_UNKNOWN,  /* neither documented nor found out */
  IDEM_UPSTREAM_KEY_HONOURED, /* one answer, paid for once */
  IDEM_UPSTREAM_KEY_IGNORED,  /* a second call, paid for again */
  IDEM_UPSTREAM_KEY_REFUSED,  /* an error */
};
enum idem_usage_told { IDEM_USAGE_KEEP, IDEM_USAGE_ZERO };
enum idem_truncated { IDEM_TRUNCATED_REPLAY, IDEM_TRUNCATED_LIVE };
enum idem_access { IDEM_ACCESS_READ_WRITE, IDEM_ACCESS_READ, IDEM_ACCESS_WRITE };
enum idem_on_miss { IDEM_ON_MISS_FAIL, IDEM_ON_MISS_LIVE, IDEM_ON_MISS_RECORD };
enum idem_pace { IDEM_PACE_INSTANT, IDEM_PACE_ORIGINAL };

/* Words given as a,b,c. */
struct idem_words {
  char **word;
  size_t count;
};

/* How a call gets its name: the fields of a rule that change a key. */
struct idem_keying {
  enum idem_key_kind kind;
  struct idem_words pointers; /* kind JSON: RFC 6901 pointers, all of which must be present */
  struct idem_words headers;  /* propagated headers in the order they are looked for: Idempotency-Key,
                                 X-Idempotency-Key, then the rule's own */
  struct idem_words vary;   /* `*`, globs over request header names (case-insensitive) that count, and with a
                                 minus before them those that do not; the last that matches decides */
  struct idem_words ignore; /* RFC 6901 pointers left out of the content */
  enum idem_tenant tenant;
  struct idem_words tenant_of; /* HEADER: one name, JSON: one pointer */
  char *canonical;             /* the above as one text; equal text means equal keys */
  uint64_t serial;             /* of that text: no other in this process has the same */
};

/* A status or a range of them, both ends included. */
struct idem_status_range {
  uint16_t first, last;
};

/* The longest duration, and what "forever" or "no limit" means in a field of milliseconds. */
#define IDEM_FOREVER_MS UINT64_MAX

/* "5", "0.5": dollars, without a sign. */
enum { IDEM_DOLLARS_SIZE = 24 };
void idem_format_dollars(uint64_t nano_dollars, char text[IDEM_DOLLARS_SIZE]);

/* What a run may send and take; IDEM_NO_BUDGET: any number. */
#define IDEM_NO_BUDGET UINT64_MAX
struct idem_budget {
  uint64_t calls, tokens, nano_dollars;
};

/* A rule. Everything that it points to is the config's memory, and nothing of it changes after
 * loading. */
struct idem_rule {
  const char
      *origin;      /* where it comes from, for messages: "IDEMSHIM_RULES", a file's name, "built-in", ... */
  int number;       /* 1 is the first rule of its origin */
  const char *name; /* built-in rules: the provider ("OpenAI"); else NULL */

  /* Which calls. A host glob is lower case; port 0 is any port. Methods are upper case; none listed: POST. */
  char *host;
  uint16_t port;
  struct idem_words methods;
  char *path; /* glob over the path without query; NULL: every path */

  /* How they are treated. */
  enum idem_action action;
  uint64_t ttl_ms;
  struct idem_keying keying;
  enum idem_trust trust;
  enum idem_repeats repeats;
  enum idem_mismatch mismatch;
  struct idem_status_range status[8];
  size_t status_count;
  char *inject;          /* name of the header that carries the upstream key; NULL: off */
  bool inject_auto;      /* where the provider does not refuse a key that comes again */
  uint64_t wait_ms;      /* how long a follower waits for an owner that goes on */
  uint64_t rescue_ms;    /* 0: off */
  uint64_t keepalive_ms; /* 0: off */
  bool guard;
  enum idem_indoubt indoubt;
  enum idem_churn churn;
  enum idem_pace pace;
  bool mark;
  struct idem_words redact; /* RFC 6901 pointers to what a tape does not keep of a request */
  /* Bytes of a request and of an answer; larger ones pass live and are not stored. */
  uint64_t max_body, max_answer;
  enum idem_truncated truncated;
  enum idem_usage_told usage;
  enum idem_access access;
  bool ignore_cache_control;
  struct idem_budget budget;
  uint64_t max_repeats; /* how often a run may send one content; IDEM_NO_BUDGET: any number */
};

/* Where a variable's value comes from. */
struct idem_given {
  const char *value; /* NULL: it is given nowhere, and has its default; an empty one has it too */
  const char *file;  /* the configuration file; NULL: the environment */
  unsigned line;     /* in the file */
  const char
      *found; /* a store that is named nowhere: what led to it, "CACHE_DIRECTORY" or "HOME"; else NULL */
};

/* Whether direct delivery is looked for, or everything goes through libcurl. */
enum idem_delivery { IDEM_DELIVERY_AUTO, IDEM_DELIVERY_TRANSPORT };

/* Everything that the user asked for. Paths are absolute: the app may change its directory. */
struct idem_config {
  enum idem_mode mode;
  struct idem_rule *rules; /* first match wins */
  size_t rule_count;
  char *store_dir;     /* absolute */
  int64_t store_user;  /* whose cache it was found to be in; -1: of a service, or named */
  uint64_t store_size; /* bytes */
  bool sync;
  const char *scope;               /* "" if unset */
  char *tape_dir;                  /* NULL if unset */
  char *key_file, *tape_key_file;  /* NULL if unset; a tape has the store's if it has none of its own */
  struct idem_fleet *fleet;        /* config/fleet.h; NULL if unset */
  uint64_t tape_size, tape_age_ms; /* 0: no limit */
  double speed;                    /* of a replayed tape: 0 at once, 1 as it was, 2 twice as fast */
  bool match_loose, exhausted_last;
  char *replay_state;  /* NULL if unset */
  char *replay_output; /* NULL if unset */
  struct idem_origin_map *map;
  size_t map_count;
  enum idem_on_miss on_miss;
  uint64_t live_from; /* 0: never */
  bool offline;       /* mode replay: nothing goes out */
  char *replay_edit;  /* NULL if unset: "17=/a/file;18=another" */
  char *prices;       /* for the command; NULL if unset */
  char *log;          /* NULL: unset, "stderr", or a file's absolute path */
  enum idem_delivery delivery;
  unsigned rescues; /* copies of processes that may finish calls at once, over the whole store */
  uint64_t rescue_size, guard_size; /* bytes resident; larger programs are not rescued, and not guarded */
  bool open_early;                  /* before there is a call */
  bool hook_dl;
  uint64_t run;                    /* of which run it is; 0: of none, the process is one */
  uint64_t durable_ms;             /* how long answers of a durable run stay at least; 0: it is none */
  const struct idem_fault *faults; /* of a live run */
  size_t fault_count;
  bool summary;      /* each process says at its exit what it has sent again */
  char *config_file; /* the only one that is read, or "none"; NULL: the usual two */

  struct idem_given *given; /* one for each of idem_variable_docs */
  const char *ignored[2];   /* why a configuration file is not read, a line each; NULL: none is ignored */

  /* Private: what idem_config_match() looks at first, and the memory behind everything above. */
  struct idem_host_group *groups;
  size_t group_count;
  struct idem_block *blocks;
};

/*
 * Reads every IDEMSHIM_* variable through `get` (getenv, or a test's own table), and what that does not have
 * from the configuration files (config/conf_file.h), and fills `config`. Returns 0, or -EINVAL / -ENOMEM /
 * the errno of a rule file that cannot be read, with the message in `error`; `config` is then empty, mode
 * off, and needs no release. Allocates; call idem_config_release() for what it filled.
 */
int idem_config_load(struct idem_config *config, char *(*get)(const char *name), struct idem_error *error);

/*
 * The same for a replay, with what a tape has (tape_meets()): `rules`, that were in force when it was
 * recorded, are taken in the place of those of a configuration file and of the built-in ones, unless the
 * environment gives some; `origins` come last in any case. Of either only that is taken which says which
 * calls are met, and how they are compared, for they are a stranger's; with a mistake in them, nothing. Both
 * may be NULL.
 */
int idem_config_load_replay(struct idem_config *config, char *(*get)(const char *name), const char *rules,
                            const char *origins, struct idem_error *error);

/* The same for where the store is and how it is opened, so that a mistake in a rule keeps nobody
 * from looking into it. */
int idem_config_load_store(struct idem_config *config, char *(*get)(const char *name),
                           struct idem_error *error);

/* After a mistake: false unless the mode is replay, which must not let a call onto the network for that.
 * `config` then has no tape, and the rules that were given, or the built-in ones where they are the
 * mistake. */
bool idem_config_load_refusal(struct idem_config *config, char *(*get)(const char *name));
void idem_config_release(struct idem_config *config);

/* What a call is aimed at. Nothing is owned. `host` is without port and brackets, in any case; `path` starts
 * with '/' and has no query. */
struct idem_target {
  const char *method, *host, *path;
  size_t method_len, host_len, path_len;
  uint16_t port;
};

/* The first rule that matches, or NULL. A rule with action=bypass is returned like any other. No allocation,
 * no lock. */
const struct idem_rule *idem_config_match(const struct idem_config *config, const struct idem_target *target);

/* What `target`'s server stands for in a replay (IDEMSHIM_MAP_ORIGIN), or NULL. */
const struct idem_origin *idem_config_origin(const struct idem_config *config,
                                             const struct idem_target *target, bool https);

/* What config/answers.def says of the provider: the rule's, or the one that has the target's host. */
enum idem_upstream_key idem_provider_key(const struct idem_rule *rule, const struct idem_target *target);

/* True if each call to this path seems to make or move something of its own (a thread, an upload, a token, a
 * job), and the rule does not name it: it is neither built in, nor does its path= have that segment without a
 * wildcard. */
bool idem_rule_leaves(const struct idem_rule *rule, const struct idem_target *target);

/* True if status (100-599) is in the rule's status= list. */
static inline bool idem_rule_accepts(const struct idem_rule *rule, int status)
{
  for (size_t i = 0; i < rule->status_count; i++)
    if (status >= rule->status[i].first && status <= rule->status[i].last)
      return true;
  return false;
}

/* The rule as a line of the grammar with every field that differs from the defaults, for `check` and
 * messages. Returns the length it would have, like snprintf. */
size_t idem_rule_format(const struct idem_rule *rule, char *out, size_t size);

/* '*' any run (also empty), '?' one character; the rest literal. ASCII case is ignored when `fold` is set. */
bool idem_glob(const char *pattern, const char *text, size_t text_len, bool fold);

/* "90s" "15m" "24h" "7d" "250ms" "1h30m" "0" or "forever" → milliseconds; a bare number other than 0 is
 * refused, since nobody can know its unit. -EINVAL otherwise. */
int idem_parse_duration(const char *text, size_t len, uint64_t *ms);

/* "512" "64k" "16M" "4GiB" (powers of 1024) → bytes, -EINVAL otherwise. */
int idem_parse_size(const char *text, size_t len, uint64_t *bytes);

/* A line of the tables that `check`, `--help` and the manual are made from: variables.def and fields.def.
 * Its members are the columns there, but a variable's name has its IDEMSHIM_. */
struct idem_doc {
  const char *name, *values, *fallback, *help;
};
extern const struct idem_doc idem_variable_docs[]; /* ends with a NULL name */
extern const struct idem_doc idem_field_docs[];    /* ends with a NULL name */

#endif
